/*
** state.h: what one Lua state remembers between messages: the struct behind
** `Codec`, and its tables in the registry. Private to src/value/.
** Stands on codec.h and its own floor; knows nothing of the bytes.
*/
#ifndef lc_state_h
#define lc_state_h

#include <lua.h>

#include "codec.h"
#include "common.h"
#include "scratch.h"

/* The tables of a state, by lc_state_push. */
enum {
  STATE_CODEC,       /* the userdata */
  STATE_BYOBJECT,    /* weak keys: function or class -> box */
  STATE_BYIDENT,     /* weak values: address of an ident -> function or class */
  STATE_KEEP,        /* the last functions and classes that arrived */
  STATE_NAMES,       /* array of strings: see names.h */
  STATE_LOADED,      /* package.loaded */
  STATE_BOXMETA,     /* metatable of boxes: see recall.c */
  STATE_PACK,        /* a function that gives {...}: see decode.c */
  STATE_TABLES
};

/* One object that has a name: see names.h. */
typedef struct Known {
  const void *key;
  uint32_t part[3];    /* numbers in STATE_NAMES; 0: none */
} Known;

enum { NAMES_FILTER = 128 };   /* words */

typedef struct Names {
  uint64_t filter[NAMES_FILTER];   /* a bit for each key: most are absent */
  Known *slot;
  size_t cap, n;       /* as in scratch.h */
  unsigned shift;
  size_t built;        /* n after the last build */
  uint64_t stamp;      /* of package.loaded, at the last build */
  int ready;           /* built at least once */
  int building;
  uint32_t checked;    /* the epoch in which `stamp` was last compared */
  const char **text;   /* text[i - 1] is string i; anchored in STATE_NAMES */
  uint32_t ntext, captext;
} Names;

enum { INTERN_SETS = 64, INTERN_WAYS = 4, STATE_KEPT = 256 };
#define INTERN_SIZE (INTERN_SETS * INTERN_WAYS * sizeof(Code *))

struct Codec {
  Mem *mem;                  /* set at birth */
  int dead;                  /* the state is closing */
  int sealed;                /* nothing that it made leaves it but data... */
  int unsealed;              /* ...save in the next record */
  int eager;                 /* how the last record had to be encoded */
  uint32_t epoch;            /* one more at each lc_codec_begin */
  unsigned kept;             /* next place in STATE_KEEP */
  int loan;                  /* KiB: see decode.c */
  size_t strgap;             /* from lua_topointer of a string to its bytes;
                                0 if that is not the same for all strings */
  Scratch *idle;             /* a list */
  Message dumped;            /* room for lua_dump */
  Names names;
  Code *(*intern)[INTERN_WAYS];   /* INTERN_SETS of them, newest first; NULL: none
                                  ** has been sent */
};

/* Makes room on the stack, or raises an error of memory. */
void lc_state_room (lua_State *L, int n);
/* Pushes one of the tables; raises nothing. */
void lc_state_push (lua_State *L, int which);
/* Pops a value and puts it there. Raises on lack of memory. */
void lc_state_set (lua_State *L, int which);
/* Keeps the object on top of the stack alive for a while; leaves it. */
void lc_state_keep (lua_State *L, Codec *c);
/* The state's codec or NULL; raises nothing. */
Codec *lc_state_codec (lua_State *L);

#endif
