/*
** encode.h: one record in the making, shared by the files of the encoder:
** encode.c (plain values and tables), encode_ident.c (what has an identity:
** functions, classes, handles), image.c (content of classes), encode_record.c (the
** frame of a record).
** Private to src/value/.
*/
#ifndef lc_encode_h
#define lc_encode_h

#include <string.h>

#include <lua.h>

#include "names.h"
#include "recall.h"
#include "wire.h"

typedef enum EncStatus {
  ENC_OK,
  ENC_REFUSED,     /* the value is in slot `bad`, the reason in `why` */
  ENC_NOMEM,
  ENC_AGAIN        /* start the record afresh, in mode `need` */
} EncStatus;

/*
** A record of plain data needs nothing from Lua that can raise or run other
** code, so it is written without protection. What needs more is begun again
** in a protected call.
*/
enum {
  ENC_PLAIN,       /* no Lua call that allocates */
  ENC_SAFE,        /* inside lua_pcall */
  ENC_ANCHORED     /* also keeps what __transfer functions made */
};

/* Seen.aux of tables, userdata and strings. */
enum { SEEN_PLAIN = 1, SEEN_CLASS = 2, SEEN_BUSY = 4, SEEN_STRING = 8 };

/* Lua's stack: levels of tables for which room is made at once; that room,
** with some to spare. */
enum { ENC_LEVELS = 4, ENC_STACK = ENC_LEVELS * 4 + 20 };

typedef struct Enc Enc;

struct Enc {
  lua_State *L;
  Codec *c;
  Message *m;
  Scratch *s;
  unsigned char *p, *lim;  /* next byte; end of the buffer */
  size_t start;            /* of the record, in m->bytes */
  size_t nrefs;            /* of the message, before the record */
  uint32_t id;             /* the last one given */
  int mode, need;
  int sealed;              /* see lc_codec_seal */
  int first, n;            /* the values on the stack */
  /* stack slots, from ENC_SAFE on */
  int work;                /* bodies that were put off; nwork of them */
  int classes;             /* tables whose images go along; nclass of them */
  int anchors;             /* object -> what its __transfer gave */
  int bad;
  uint32_t nwork, nclass;
  const void *lastmeta;    /* the metatable of `lastflags` */
  int lastflags;
  int indexed;             /* the names were looked through afresh */
  int builds;              /* ... which is going on now */
  const void *root;        /* of an image: the class itself */
  int again;               /* a class was found too late: start afresh */
  int stale;               /* an outer record is to start afresh */
  const char *why;
  Enc *outer;              /* this is an image, made for that record */
  Scratch *inner;          /* for images */
  Message content;         /* the image that is being made */
};

/* Room for `n` more bytes; 0 when there is no memory. */
int lc_enc_grow (Enc *e, size_t n);

static inline int lc_enc_room (Enc *e, size_t n) {
  return (size_t)(e->lim - e->p) >= n || lc_enc_grow(e, n);
}

/* `e->p` is moved last: a byte that is stored might be one of it, as far as the
** compiler knows, who would read it again. */
static inline void lc_enc_byte (Enc *e, unsigned b) {
  /* cppcheck-suppress ctuuninitvar ; rec_simple sets all that scalars need */
  unsigned char *p = e->p;
  p[0] = (unsigned char)b;
  e->p = p + 1;
}

static inline void lc_enc_u32 (Enc *e, uint32_t x) {
  unsigned char *p = e->p;
  memcpy(p, &x, 4);
  e->p = p + 4;
}

static inline void lc_enc_u64 (Enc *e, uint64_t x) {
  unsigned char *p = e->p;
  memcpy(p, &x, 8);
  e->p = p + 8;
}

/* A tag and the `n` bytes at `x`. */
static inline void lc_enc_tagged (Enc *e, unsigned tag, const void *x,
                                  size_t n) {
  unsigned char *p = e->p;
  p[0] = (unsigned char)tag;
  memcpy(p + 1, x, n);
  e->p = p + 1 + n;
}

static inline size_t lc_enc_at (const Enc *e) {
  return (size_t)(e->p - e->m->bytes);
}

/* ---- a number alone; there is room for 16 bytes ---- */

static inline void lc_enc_integer (Enc *e, lua_Integer x) {
  if (x >= -16 && x <= 111) lc_enc_byte(e, (unsigned)(WIRE_INT0 + 16 + x));
  else if (x >= INT16_MIN && x <= INT16_MAX) {
    int16_t v = (int16_t)x;
    lc_enc_tagged(e, WIRE_INT2, &v, 2);
  }
  else if (x >= INT32_MIN && x <= INT32_MAX) {
    int32_t v = (int32_t)x;
    lc_enc_tagged(e, WIRE_INT4, &v, 4);
  }
  else lc_enc_tagged(e, WIRE_INT8, &x, 8);
}

static inline void lc_enc_float (Enc *e, lua_Number x) {
  lc_enc_tagged(e, WIRE_FLT, &x, 8);
}

/*
** A number that has a fraction is a float, whatever lua_isinteger says:
** one call less for most, where floats are to be expected.
*/
static inline int lc_enc_isfloat (lua_State *L, int idx, lua_Number *x) {
  *x = lua_tonumberx(L, idx, NULL);
  if (*x > -9.0e15 && *x < 9.0e15 && (lua_Number)(int64_t)*x != *x) return 1;
  return !lua_isinteger(L, idx);
}

static inline void lc_enc_number (Enc *e, int idx) {
  lua_Number x;
  if (lc_enc_isfloat(e->L, idx, &x)) lc_enc_float(e, x);
  else lc_enc_integer(e, lua_tointegerx(e->L, idx, NULL));
}

/* ---- records and values ---- */

/* 0, after noting what is needed, if the record is not in that mode yet. */
static inline int lc_enc_in (Enc *e, int mode) {
  if (e->need < mode) e->need = mode;
  return e->mode >= mode;
}

/* The value at `idx` (absolute), of type `type`, `depth` containers deep.
** There is room for ENC_STACK slots on the stack. */
EncStatus lc_enc_value (Enc *e, int idx, int type, int depth);
/* The same for who knows where the top of the stack is. */
EncStatus lc_enc_any (Enc *e, int idx, int top, int type, int depth);
EncStatus lc_enc_ref (Enc *e, Seen *s);
EncStatus lc_enc_string (Enc *e, const char *str, size_t len);
/* As string, but without an id. Needs room for 16 bytes, and makes its own
** for the rest. */
EncStatus lc_enc_bytes (Enc *e, const char *str, size_t len);
/* Writes the bodies that were put off until `mark` are left. */
EncStatus lc_enc_drain (Enc *e, uint32_t mark, int depth);
/* Puts off the body of the object at `idx`. */
EncStatus lc_enc_later (Enc *e, int idx);
/* A table of which nothing else is known: for images. */
EncStatus lc_enc_image (Enc *e, int idx);

/* encode_array.c */
/* The items of the table at `t`. Its first key, which is a number, and the value are
** on the stack, at `at`; *more: so are a key and a value that are no item, now. */
EncStatus lc_enc_items (Enc *e, int t, int at, int depth, unsigned *bits,
                        int *more);

/* encode_record.c */
/* One record, from `start`; nothing is committed. */
void lc_enc_begin (Enc *e);
EncStatus lc_enc_finish (Enc *e);
/* Opens a record for an image, inside of `outer`; 0 without memory. */
int lc_enc_inner (Enc *e, Enc *outer);

/* encode_ident.c */
EncStatus lc_enc_refuse (Enc *e, int idx, const char *why);
EncStatus lc_enc_function (Enc *e, int idx, int depth);
EncStatus lc_enc_upvalues (Enc *e, int idx, int depth);
EncStatus lc_enc_userdata (Enc *e, int idx, int depth);
EncStatus lc_enc_class (Enc *e, int idx, Seen *s);
/* A table that is being written as plain data turns out to be a class: notes
** that, and that the record is to be written afresh when it is done. */
EncStatus lc_enc_newclass (Enc *e, int idx);
EncStatus lc_enc_metatable (Enc *e, int idx);
/* A table that has a metatable: writes it another way (result in *st) and
** gives 1, or gives 0: as any table. */
int lc_enc_instance (Enc *e, int idx, Seen *s, int depth, EncStatus *st);
/* If the object at `idx` has a name, or is a class: as above. */
int lc_enc_lookup (Enc *e, int idx, const void *key, Seen *s, EncStatus *st);

static inline int lc_enc_known (Enc *e, int idx, const void *key, Seen *s,
                                EncStatus *st) {
  if (e->c->names.checked == e->c->epoch && !lc_names_maybe(e->c, key))
    return 0;
  return lc_enc_lookup(e, idx, key, s, st);
}
EncStatus lc_enc_shared (Enc *e, Shared *sh, uint32_t *at);

/* image.c */
const void *lc_image_listed (const Box *b);
/* The image of class number `k` of the record; adds the classes that it
** knows to the record's. */
EncStatus lc_image_of (Enc *e, uint32_t k, Image **image);

#endif
