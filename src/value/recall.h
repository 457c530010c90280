/*
** recall.h: what a state knows of functions and classes that have crossed a
** border: which identity each has, and what was sent or received for it.
** Stands on state.h; knows nothing of the bytes.
**
** A box hangs on its object by a weak key, so it lives exactly as long.
*/
#ifndef lc_recall_h
#define lc_recall_h

#include "state.h"

typedef struct Box {
  Ident *ident;       /* held */
  Shared *what;       /* held: the Code of a function; of a class the Image
                         that was last sent or received, or NULL */
  uint32_t epoch;     /* when `what` was last compared with the class */
  int origin;         /* this state made the object: here it is the one */
  int ready;          /* all of it is in place */
} Box;

/* The box of the object at `idx` (absolute), or NULL. */
Box *lc_recall_find (lua_State *L, int idx);
/* As find, and pushes the box if there is one. */
Box *lc_recall_push (lua_State *L, int idx);
/*
** Gives the object at `idx` (absolute) a box. Holds `ident` and `what`
** (which may be NULL) once more. Raises on lack of memory, holding nothing.
** For what arrives: the object is a copy, not the original.
*/
Box *lc_recall_new (lua_State *L, int idx, Ident *ident, Shared *what);
/* From now on lc_recall_byident finds the object at `idx` (absolute). */
void lc_recall_name (lua_State *L, int idx, Ident *ident);
/* Pushes the object with this identity and gives its box, or pushes
** nothing and gives NULL. */
Box *lc_recall_byident (lua_State *L, Ident *ident);
/* `what` changes hands: the box holds `s` instead of the old one. */
void lc_recall_set (Box *b, Shared *s);

/* The code of the Lua function at `idx` and its identity in a box, made if
** need be. NULL when there is no memory of ours; raises when none of Lua's. */
Box *lc_recall_function (lua_State *L, Codec *c, int idx);
/* The same for a class; `what` may be NULL. */
Box *lc_recall_class (lua_State *L, Codec *c, int idx);

#endif
