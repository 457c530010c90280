/*
** batch.h: several items on their way to a worker, or several results on
** their way home: one message, and an entry for each record in it. A batch
** is the task that queues carry. Stands on value/message and run/task.
**
** A batch has one owner. Batches go round: the one that brought items is the
** worker's next one for results, and the one that brought results is the
** consumer's next one for items, so a stream in full flow allocates nothing.
**
** A record that is one number, boolean or nil is not in the message: it lies in
** its entry (`form`), where writing and reading it cost next to nothing. That is
** what arguments and results of tiny tasks mostly are. lc_entry_push reads both.
** Entries are what goes from one processor to the other most: so they are small, and
** what tiny tasks mostly have needs none: a batch of the items of a range is a span, which
** is its first item, and the results of a span are a row of cells, as long as each is one
** such value. lc_batch_entry reads all three; what adds anything else to a row, or has to
** change it, spells it out first.
*/
#ifndef lc_batch_h
#define lc_batch_h

#include <stdint.h>
#include <string.h>

#include "../run/task.h"
#include "../value/codec.h"
#include "call.h"
#include "retry.h"

typedef struct Batch Batch;
typedef struct Entry Entry;
struct Sink;

typedef enum EntryKind {
  ENTRY_ITEM,         /* a record: the arguments of a call */
  ENTRY_VALUES,       /* a record: what a task returned or yielded */
  ENTRY_END,          /* no record: the task has no more */
  ENTRY_FAULT,        /* records: see fault.h */
  ENTRY_NOMEM,        /* no record: not even a fault could be written */
  ENTRY_LOST          /* no record: its worker was abandoned */
} EntryKind;

/* Where the record of an entry is: in the message, or it is one value. */
typedef enum EntryForm {
  FORM_RECORD, FORM_INTEGER, FORM_FLOAT, FORM_TRUE, FORM_FALSE, FORM_NIL
} EntryForm;

struct Entry {
  union {
    uint64_t index;   /* place in the source, from 1 */
    Batch *batch;     /* the reader's, while it waits for its turn */
  };
  union {
    size_t at;        /* FORM_RECORD: its place in the message */
    lua_Integer integer;
    lua_Number number;
  };
  union {
    Call *call;       /* ENTRY_ITEM: what to call, which the stream or the batch
                      ** holds; NULL: the first value of its record */
    Entry *next;      /* the reader's, while it waits for its turn */
  };
  unsigned kind : 4;
  unsigned form : 3;
  unsigned last : 1;  /* nothing more comes under this index */
  unsigned worker : 16;   /* who made it; 0 for nobody */
  int attempt;        /* a failure: of which attempt, from 1; 0: it had none. An
                      ** item: how many attempts at it were lost */
};

/* How the things in a batch are written down. */
typedef enum BatchShape {
  SHAPE_ENTRIES,      /* an entry for each */
  SHAPE_SPAN,         /* `model` is that of the first; the index of each is one higher
                      ** than that of the one before it, its integer `step` further */
  SHAPE_ROW           /* likewise, but the value of each is in a cell, which are where
                      ** entries would be */
} BatchShape;

typedef struct Cell {
  lua_Integer bits;   /* of the value, if its form has any: as Entry.integer */
  EntryForm form;     /* none of FORM_RECORD */
} Cell;

struct Batch {
  Task task;          /* first: a Task * is a Batch * */
  struct Sink *sink;  /* held from sending until it is home again */
  Mem *mem;           /* set at birth */
  /* From here to `msg` is what each tiny item or result looks at: in the middle, where it
  ** shares no line of memory with what another thread has before it or behind. */
  Entry *entries;
  size_t n, cap;      /* cap: in entries, whatever the shape */
  BatchShape shape;
  int users;          /* the worker's: fibers that run its items */
  Entry model;        /* of a span or a row; else, if cap is 1, the one entry */
  size_t warm;        /* bytes of `entries` that the thread it is with has had */
  Call *call;         /* held: what its one item calls, if it is of no stream; or NULL */
  union {
    struct {                /* items */
      const Retry *retry;   /* what to do when one fails; NULL: nothing. The sink's */
      uint64_t seed;        /* in a pool with one: the random numbers of an item... */
      uint64_t base;        /* ...are those of (seed, base + index): see run.h */
      uint64_t timeout;     /* nanoseconds that one may run; 0: no limit */
      lua_Integer step;     /* of a span */
    };
    struct {                /* results */
      size_t unread;        /* the reader's: those not handed over */
      uint64_t busy_ns;     /* time that they took to run... */
      uint64_t ran;         /* ...and how many tasks that was */
    };
  };
  Message msg;
};

/* A buffer larger than this is not kept for the next round. A worker keeps one,
** a stream a few: what a large value has used, the next one finds in place. */
#define LC_BATCH_KEEP ((size_t)2 * 1024 * 1024)

/* NULL without memory. */
Batch *lc_batch_new (Mem *mem);
/* Empty, ready for the next round. */
void lc_batch_clear (Batch *b);
void lc_batch_free (Batch *b);

/*
** Where a state keeps empty batches from one map to the next. That state's thread
** only.
*/
typedef struct Shelf {
  Task *first;
  size_t n, bytes;
} Shelf;

/* Of those that were made with `mem`, or NULL. */
Batch *lc_shelf_take (Shelf *shelf, Mem *mem);
/* Keeps it or frees it. It is empty. */
void lc_shelf_put (Shelf *shelf, Batch *b);
void lc_shelf_clear (Shelf *shelf);

/* Room for `n` entries in all; 0 without memory. */
int lc_batch_reserve (Batch *b, size_t n);

/* The items of `b` from `first` to `end` - 1, to be run by somebody else; it has no
** sink yet. NULL without memory. */
Batch *lc_batch_again (const Batch *b, size_t first, size_t end);

/* A span or a row becomes entries, where it is. There is room for them. */
void lc_batch_spell (Batch *b);

/* The things in it that nothing follows under their index: so many items it answers. */
size_t lc_batch_lasts (const Batch *b);

static inline Cell *lc_batch_cells (const Batch *b) {
  return (Cell *)(void *)b->entries;
}

/* The index of thing `i`. */
static inline uint64_t lc_batch_index (const Batch *b, size_t i) {
  return b->shape == SHAPE_ENTRIES ? b->entries[i].index : b->model.index + i;
}

/* The entry of thing `i`: where it is, or made in *e. */
static inline const Entry *lc_batch_entry (const Batch *b, size_t i, Entry *e) {
  if (b->shape == SHAPE_ENTRIES) return &b->entries[i];
  *e = b->model;
  e->index += i;
  if (b->shape == SHAPE_SPAN)                    /* it wraps */
    e->integer = (lua_Integer)((lua_Unsigned)e->integer
                               + (lua_Unsigned)i * (lua_Unsigned)b->step);
  else {
    Cell c;
    memcpy(&c, &lc_batch_cells(b)[i], sizeof c);      /* see lc_batch_spell */
    e->integer = c.bits;
    e->form = c.form;
  }
  return e;
}

static inline void lc_entry_init (Entry *e, uint64_t index, EntryKind kind,
                                  int last) {
  e->index = index;
  e->at = 0;
  e->call = NULL;
  e->kind = kind;
  e->last = last != 0;
  e->form = FORM_RECORD;
  e->worker = 0;
  e->attempt = 0;
}

/* Adds an entry whose record starts at msg.len. There is room. */
static inline Entry *lc_batch_put (Batch *b, uint64_t index, EntryKind kind,
                                   int last) {
  Entry *e;
  if (b->shape != SHAPE_ENTRIES) lc_batch_spell(b);
  e = &b->entries[b->n++];
  lc_entry_init(e, index, kind, last);
  e->at = b->msg.len;
  return e;
}

/* Likewise, with room if there is memory; else NULL. */
static inline Entry *lc_batch_add (Batch *b, uint64_t index, EntryKind kind,
                                   int last) {
  if (b->n == b->cap && !lc_batch_reserve(b, b->n + 1)) return NULL;
  return lc_batch_put(b, index, kind, last);
}

/* The form of the value at `idx`, if an entry may hold it; else FORM_RECORD. */
static inline EntryForm lc_entry_form (lua_State *L, int idx) {
  if (lua_isinteger(L, idx)) return FORM_INTEGER;
  switch (lua_type(L, idx)) {
    case LUA_TNUMBER: return FORM_FLOAT;
    case LUA_TBOOLEAN: return lua_toboolean(L, idx) ? FORM_TRUE : FORM_FALSE;
    case LUA_TNIL: return FORM_NIL;
    default: return FORM_RECORD;
  }
}

/* The value at `idx`, which has that form, goes into `e`. */
static inline void lc_entry_set (lua_State *L, Entry *e, EntryForm form,
                                 int idx) {
  e->form = form;
  if (form == FORM_INTEGER) e->integer = lua_tointegerx(L, idx, NULL);
  else if (form == FORM_FLOAT) e->number = lua_tonumberx(L, idx, NULL);
}

/* Pushes the value of an entry that holds it; the stack has room. */
static inline void lc_entry_value (lua_State *L, const Entry *e) {
  switch (e->form) {
    case FORM_INTEGER: lua_pushinteger(L, e->integer); break;
    case FORM_FLOAT: lua_pushnumber(L, e->number); break;
    case FORM_NIL: lua_pushnil(L); break;
    default: lua_pushboolean(L, e->form == FORM_TRUE);
  }
}

static inline void lc_cell_value (lua_State *L, const Cell *c) {
  Entry e;
  e.form = c->form;
  e.integer = c->bits;
  lc_entry_value(L, &e);
}

/* Pushes the values of its first record, in `m` (which may be NULL for an entry
** that holds its value) or not, and gives their number. As lc_decode, it makes its room, and may raise. */
int lc_entry_push (lua_State *L, Codec *c, const Message *m, const Entry *e);

#endif
