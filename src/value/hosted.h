/*
** hosted.h: userdata types of a C host that may cross between states.
** Stands on base/shared.h and Lua; knows nothing of the bytes.
**
** A host that has a type with luaL_newmetatable(L, name) says once in each
** state how it travels. Either it is *shared*: the block begins with a
** pointer to a thing that counts its holders; the other state gets a block
** with the same pointer. Or it is *copied*: packed into a string, and made
** again from it.
*/
#ifndef lc_hosted_h
#define lc_hosted_h

#include <stddef.h>

#include <lua.h>

#include "../base/mem.h"
#include "../base/shared.h"

typedef struct HostType {
  const char *name;                /* as given to luaL_newmetatable */
  /* shared: both, called on any thread; or neither */
  void (*hold) (void *thing);
  void (*release) (void *thing);   /* also the metatable's __gc should */
  /* copied: both, in a protected call of the state; or neither */
  void (*pack) (lua_State *L, int idx);   /* pushes a string, or raises */
  void (*unpack) (lua_State *L, const char *bytes, size_t len);
                                   /* pushes the userdata, or raises */
} HostType;

/*
** `type` outlives the state. Its metatable must be registered already.
** Raises on lack of memory, or if there is no such metatable.
*/
void lc_hosted_register (lua_State *L, const HostType *type);

/* The type of the userdata at `idx`, or NULL. Raises nothing. */
const HostType *lc_hosted_type (lua_State *L, int idx);
/* The type with that name in this state, or NULL; name at `idx`. */
const HostType *lc_hosted_named (lua_State *L, int idx);

/* A thing of a host on its way. */
typedef struct Hosted {
  Shared head;
  Mem *mem;
  const HostType *type;
  void *thing;                     /* held */
} Hosted;

extern const SharedKind lc_hosted_kind;

/* Holds the thing behind the userdata at `idx`; NULL without memory. */
Hosted *lc_hosted_new (Mem *mem, lua_State *L, int idx, const HostType *type);
/* The userdata at `idx` (absolute) is this state's own for its thing: that
** comes back as the same one. Raises on lack of memory. */
void lc_hosted_note (lua_State *L, int idx);
/* Pushes the state's userdata for it: the same one while it lives. */
void lc_hosted_push (lua_State *L, Hosted *h);

#endif
