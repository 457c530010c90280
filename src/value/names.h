/*
** names.h: which objects of a state have a name: modules in package.loaded,
** their fields, methods of their classes and userdata. Also the hint that a
** table is known as a class. Stands on state.h; knows nothing of the bytes.
**
** The index is a guess by address, so that a look costs a few nanoseconds;
** every hit is checked by going the way of the name, raw.
*/
#ifndef lc_names_h
#define lc_names_h

#include "state.h"

typedef enum NamesKind {
  NAMES_NONE, NAMES_GLOBALS, NAMES_NAMED, NAMES_CLASS
} NamesKind;

/* Whether the index knows all modules: looks at package.loaded at most once
** in an epoch. Raises nothing. */
int lc_names_current (lua_State *L, Codec *c);
/* Makes it so. Raises on lack of memory. */
void lc_names_build (lua_State *L, Codec *c);

/* 13 well mixed bits of an address. */
static inline unsigned lc_names_bit (const void *key) {
  return (unsigned)(((uint64_t)(uintptr_t)key * 0xD6E8FEB86659FD93u) >> 51);
}

/* 0: certainly not in the index. */
static inline int lc_names_maybe (const Codec *c, const void *key) {
  unsigned bit = lc_names_bit(key);
  return (int)(c->names.filter[bit / 64] >> (bit % 64)) & 1;
}

/* The guess for an address, or NULL. Valid until the index changes. */
const Known *lc_names_guess (const Codec *c, const void *key);
/* Whether the guess is right for the object at `idx` (absolute). Raises
** nothing, and pushes nothing. */
NamesKind lc_names_check (lua_State *L, const Known *k, int idx);
/* Whether a name begins with a standard library or with lacus. */
int lc_names_isours (const Codec *c, const Known *k);
/* Pushes string `number` of a name. */
void lc_names_text (lua_State *L, uint32_t number);

/* Notes that a table is a class; 0 when there is no memory. */
int lc_names_addclass (Codec *c, const void *key);

/*
** Pushes the object that the `n` (1..3) strings from `first` (absolute) on
** name in this state; asks `require` for a module that is not loaded.
** Raises an error that says what is missing.
*/
void lc_names_resolve (lua_State *L, int first, int n);

#endif
