#include "answer.h"

#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "fault.h"
#include "sink.h"

/* --- batches ------------------------------------------------------------- */

#define LINE_BYTES 64

/*
** Memory that another thread had last takes the time of several tasks to come here, for
** each line of it, and a task that ends waits for it (lc_offer_regain). But many lines
** come at once: so what will be written, of what was not here, is written to.
*/
static void answer_warm (Batch *b, size_t bytes) {
  volatile char *p = (volatile char *)(void *)b->entries;
  for (; b->warm < bytes; b->warm += LINE_BYTES) p[b->warm] = 0;
}

Batch *lc_answer_batch (RunKit *kit, const Batch *in, size_t n) {
  Batch *b = kit->spare;
  kit->spare = NULL;
  if (b == NULL) b = lc_batch_new(kit->w->mem);
  if (b != NULL && !lc_batch_reserve(b, n)) {
    lc_batch_free(b);
    b = NULL;
  }
  if (b != NULL)
    answer_warm(b, n * (in->shape == SHAPE_SPAN ? sizeof(Cell) : sizeof(Entry)));
  return b;
}

void lc_answer_spare (RunKit *kit, Batch *b) {
  if (b == NULL) return;
  if (kit->spare != NULL) lc_batch_free(b);
  else {
    lc_batch_clear(b);
    kit->spare = b;
  }
}

/* --- results ------------------------------------------------------------- */

/* Only what takes much longer than FLUSH_US is looked at from outside, and such
** an item is the first one after something was sent. Relaxed: for people. */
static void answer_began (Run *r) {
  atomic_store_explicit(&r->kit->began, r->sent_ns, memory_order_relaxed);
}

void lc_answer_mark (Run *r) {
  r->sent_ns = lc_now();
  r->sent_ticks = r->looked = lc_ticks();
  r->stride = 1;
  r->look = r->at;
  answer_began(r);
}

/* Under the guard: who was abandoned answers no more. */
void lc_answer_hand_over (RunKit *kit, Sink *k, Batch *b) {
  b->sink = k;
  if (kit->abandoned) {
    lc_batch_free(b);
    lc_shared_release(&k->head);
  }
  else lc_sink_kind(k)->deliver(k, b);
}

void lc_answer_time (Run *r, Batch *b) {
  uint64_t since = r->sent_ns;
  lc_answer_mark(r);
  b->busy_ns = r->sent_ns - since;
}

void lc_answer_deliver (Run *r, Batch *b) {
  Sink *k = r->in->sink;
  lc_answer_time(r, b);
  lc_shared_hold(&k->head);
  lc_mutex_lock(&r->kit->guard);
  r->answered = r->at;
  r->owed = r->end;
  lc_answer_hand_over(r->kit, k, b);
  lc_mutex_unlock(&r->kit->guard);
}

int lc_answer_flush (Run *r) {
  Batch *b = r->out, *next;
  if (b->n == 0) return 1;
  next = lc_answer_batch(r->kit, r->in, r->end - r->at);
  if (next == NULL) return 0;
  r->out = next;
  lc_answer_deliver(r, b);
  return 1;
}

static void answer_sign (Run *r, Entry *e) {
  e->worker = (unsigned)r->kit->w->id;
  e->attempt = r->attempt;
}

static void answer_count (Run *r) {
  r->out->ran++;
  r->kit->ran++;
}

/* Room was reserved: never fails. */
static Entry *answer_add (Run *r, size_t record, EntryKind kind) {
  Entry *e = lc_batch_put(r->out, lc_batch_index(r->in, r->at), kind, 1);
  e->at = record;
  answer_sign(r, e);
  answer_count(r);
  return e;
}

/* The item's one value is a cell, if it is of a span and so is that of each item
** before it: 1. (Room for one entry is that of the model.) */
static int answer_cell (lua_State *L, Run *r, EntryForm form, int idx) {
  Batch *out = r->out;
  Entry value;
  Cell *c;
  if (r->in->shape != SHAPE_SPAN || r->attempt > 1 || out->cap == 1) return 0;
  if (out->n == 0) {
    lc_entry_init(&out->model, lc_batch_index(r->in, r->at), ENTRY_VALUES, 1);
    answer_sign(r, &out->model);
    out->shape = SHAPE_ROW;
  }
  else if (out->shape != SHAPE_ROW) return 0;
  value.integer = 0;
  lc_entry_set(L, &value, form, idx);
  c = &lc_batch_cells(out)[out->n++];
  c->bits = value.integer;
  c->form = form;
  answer_count(r);
  return 1;
}

void lc_answer_add (Run *r, size_t record, EntryKind kind) {
  answer_add(r, record, kind);
}

/* Cuts off what a failed attempt left behind the last whole record. */
void lc_answer_cut (Run *r, size_t record) {
  r->out->msg.len = record;
}

/*
** The item failed: message, traceback and value are the top three of `L`
** (the fiber's coroutine, or the worker's main one).
*/
void lc_answer_fault (lua_State *L, Run *r, const char *kind) {
  Message *m = &r->out->msg;
  Entry made;
  const Entry *item = lc_batch_entry(r->in, r->at, &made);
  size_t record = m->len;
  int at = lua_gettop(L) - 2, n = 0, given;
  int decodes = r->phase != PHASE_DECODE;
  r->phase = PHASE_FAULT;
  if (decodes) n = lc_entry_push(L, lc_kit_codec(r), &r->in->msg, item);
  given = n > 0 && item->call == NULL;               /* its function */
  if (lc_fault_write(L, lc_kit_codec(r), m, kind, at, at + 3 + given, n - given))
    lc_answer_add(r, record, ENTRY_FAULT);
  else {
    lc_answer_cut(r, record);
    lc_answer_add(r, record, ENTRY_NOMEM);
  }
}

/* What lc_encode pushed about a refused result becomes one sentence. */
void lc_answer_refusal (lua_State *L) {
  int at = lua_gettop(L) - 2;
  lua_pushfstring(L, "cannot send result[%I]%s: %s",
                  (LUAI_UACINT)lua_tointeger(L, at),
                  lua_tostring(L, at + 1), lua_tostring(L, at + 2));
  lua_replace(L, at);
  lua_settop(L, at);
}

/* A task's return is a result, unless it has yielded and returns nothing. */
void lc_answer_results (lua_State *co, Run *r) {
  Message *m = &r->out->msg;
  size_t record = m->len;
  int n = lua_gettop(co) - FUNCTION;
  EntryForm form = n == 1 ? lc_entry_form(co, FIRST) : FORM_RECORD;
  if (form != FORM_RECORD) {
    if (!answer_cell(co, r, form, FIRST))
      lc_entry_set(co, answer_add(r, record, ENTRY_VALUES), form, FIRST);
    return;
  }
  r->phase = PHASE_ENCODE;
  if (n == 0 && r->yielded) {
    lc_answer_add(r, record, ENTRY_END);
    return;
  }
  switch (lc_encode(co, lc_kit_codec(r), m, FIRST, n)) {
    case LC_ENCODED:
      lc_answer_add(r, record, ENTRY_VALUES);
      break;
    case LC_REFUSED:
      lc_answer_refusal(co);
      lua_pushnil(co);
      lua_pushvalue(co, -2);
      lc_answer_fault(co, r, LC_FAULT_TRANSFER);
      break;
    case LC_NOMEM:
      lc_answer_add(r, record, ENTRY_NOMEM);
      break;
  }
}

/* --- failures ------------------------------------------------------------- */


/*
** A failure for lack of memory. Lua's own buffers, and whoever passes the error
** on, raise it as an ordinary one; the heap knows that there was something.
*/
int lc_answer_is_nomem (Run *r, int status, const char *text) {
  Worker *w = r->kit->w;
  size_t n = text != NULL ? strlen(text) : 0, k = sizeof LC_ANSWER_NOMEM - 1;
  int is = status == LUA_ERRMEM || (w->heap.refused > 0 && n >= k
                                    && strcmp(text + n - k, LC_ANSWER_NOMEM) == 0);
  if (is) w->strained = 1;
  return is;
}

#define REFUSED "cannot send result["

/* The task may have caught what a refused yield raised, and failed of something
** else since. The message is third from the top. */
const char *lc_answer_kind (lua_State *co, Run *r, int status) {
  const char *text = lua_tostring(co, -3);
  if (lc_answer_is_nomem(r, status, text)) return LC_FAULT_MEMORY;
  if (r->refused != NULL && text != NULL
      && (strstr(text, REFUSED) != NULL || strstr(text, LC_ANSWER_NOMEM) != NULL))
    return r->refused;
  return LC_FAULT_ERROR;
}

/* Its time is up. Pushes message, traceback and value, and adds them. */
void lc_answer_timeout (lua_State *L, Run *r) {
  luaL_checkstack(L, 6, NULL);
  lua_pushfstring(L, "the task did not end within its timeout of %f seconds",
                  (lua_Number)r->in->timeout / 1e9);
  if (r->trace == LUA_NOREF) lua_pushnil(L);
  else lua_rawgeti(L, LUA_REGISTRYINDEX, r->trace);
  lua_pushvalue(L, -2);
  lc_answer_fault(L, r, LC_FAULT_TIMEOUT);
}
