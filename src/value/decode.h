/*
** decode.h: one record being read, shared by the files of the decoder:
** decode.c (plain values and tables), decode_ident.c (what has an identity),
** decode_record.c (the frame of a record).
** Private to src/value/.
**
** All that a decoder remembers lies on the C stack or the Lua stack, so it
** may raise anywhere, and may run inside another one.
*/
#ifndef lc_decode_h
#define lc_decode_h

#include <string.h>

#include <lauxlib.h>

#include "state.h"
#include "wire.h"

/* Room on Lua's stack is made for some levels of tables at a time. */
enum { DEC_LEVELS = 4, DEC_STACK = DEC_LEVELS * 3 + 20 };

typedef struct Dec {
  lua_State *L;
  Codec *c;
  const Message *m;
  const unsigned char *p, *end;   /* what is left of the body */
  uint32_t id;                    /* the last one given */
  uint32_t nextid;                /* the next id that gets a slot, or 0 */
  const unsigned char *shared;    /* the rest of the list of shared ids */
  uint32_t nleft;                 /* ... how many */
  uint32_t nshared;               /* slots in all */
  uint32_t nfast;                 /* slots 1 .. nfast are on the stack, */
  int fast;                       /* slot k at fast + k; */
  uint32_t nnear;                 /* of those, as many as a tag can name; */
  int refs;                       /* the rest in a table */
  int work;                       /* bodies that were put off: a table */
  uint32_t nwork;
  int plain;                      /* nothing but data is welcome */
  size_t budget;                  /* room that may still be made ahead */
} Dec;

/* Raises: the bytes are no record. */
int lc_dec_fail (Dec *d);

static inline void lc_dec_need (Dec *d, size_t n) {
  if ((size_t)(d->end - d->p) < n) lc_dec_fail(d);
}

static inline unsigned lc_dec_byte (Dec *d) {
  lc_dec_need(d, 1);
  return *d->p++;
}

static inline uint32_t lc_dec_u32 (Dec *d) {
  uint32_t x;
  lc_dec_need(d, 4);
  memcpy(&x, d->p, 4);
  d->p += 4;
  return x;
}

static inline uint64_t lc_dec_u64 (Dec *d) {
  uint64_t x;
  lc_dec_need(d, 8);
  memcpy(&x, d->p, 8);
  d->p += 8;
  return x;
}

/* The list is read one ahead, so that most ids cost one comparison. */
static inline void lc_dec_nextid (Dec *d) {
  if (d->nleft == 0) d->nextid = 0;
  else memcpy(&d->nextid, d->shared, 4);
}

/* The slot of the id that is due now, which is on the list. */
uint32_t lc_dec_slot (Dec *d);
/* The object on top of the stack is what slot `slot` asks for. */
void lc_dec_store (Dec *d, uint32_t slot);
/* Pushes what is in a slot. */
void lc_dec_load (Dec *d, uint32_t slot);

/* An object that is made before its parts are read is on top of the stack. */
static inline void lc_dec_made (Dec *d) {
  if (++d->id == d->nextid) lc_dec_store(d, lc_dec_slot(d));
}

/* An object that is made after its parts are read: its slot, or 0. */
static inline uint32_t lc_dec_begun (Dec *d) {
  return ++d->id == d->nextid ? lc_dec_slot(d) : 0;
}

/* Pushes one value. */
void lc_dec_value (Dec *d, int depth);
/* Reads the body of a table into the one at `t`, the top of the stack. */
void lc_dec_table (Dec *d, int t, int depth);
/* Reads the bodies that were put off until `mark` are left. */
void lc_dec_drain (Dec *d, uint32_t mark, int depth);
/* Puts off the body of the object on top of the stack. */
void lc_dec_later (Dec *d);
/* Reads an image's record into the empty table at `t` (absolute). */
void lc_dec_image (lua_State *L, Codec *c, const Message *m, int t);

/* decode_ident.c: push one value each */
void lc_dec_name (Dec *d, int depth);
void lc_dec_function (Dec *d, int depth);
void lc_dec_upvalues (Dec *d, int f, unsigned n, int set, int depth);
void lc_dec_class (Dec *d);
void lc_dec_object (Dec *d);
void lc_dec_hosted (Dec *d);
void lc_dec_packed (Dec *d);
void lc_dec_transfer (Dec *d, int depth);
/* Makes or brings up to date the classes whose images a record lists. */
void lc_dec_classes (Dec *d, const unsigned char *list, uint32_t n);

#endif
