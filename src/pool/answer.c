#include "answer.h"

#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "fault.h"
#include "sink.h"

/* --- batches ------------------------------------------------------------- */

/* A spare that had more than so many times the entries is left for who needs them. */
static int answer_is_for_more (const Batch *b, size_t n) {
  return b->used > 4 * n;
}

/* Whether `a` suits `n` results better: of those that had so many, that with the fewest;
** else that with the most. */
static int answer_suits (const Batch *a, const Batch *b, size_t n) {
  int more = answer_is_for_more(a, n);
  if (more != answer_is_for_more(b, n)) return !more;
  if (a->used >= n && b->used >= n) return a->used < b->used;
  return a->used > b->used;
}

/*
** Memory that another thread had last is slow to write (each line of it comes from
** there), and all that a spare had in its last round was here. So there are several: a
** batch of one or two items, as a map begins with, is not to leave a cold one to the large
** ones that follow, nor is the last of a map to the next map.
*/
static Batch *answer_take (RunKit *kit, Mem *mem, size_t n) {
  int i, best = LC_SPARES, room = 0;
  Batch *b = NULL;
  for (i = 0; i < LC_SPARES; i++) {
    Batch *spare = kit->spare[i];
    if (spare == NULL) room = 1;
    else if (b == NULL || answer_suits(spare, b, n)) {
      b = spare;
      best = i;
    }
  }
  if (b == NULL || (room && (b->used < n || answer_is_for_more(b, n)))) {
    Batch *another = lc_batch_new(mem);
    if (another != NULL || b == NULL) return another;
  }
  kit->spare[best] = NULL;
  return b;
}

/* An empty batch with room for `n` entries; NULL without memory. */
Batch *lc_answer_batch (RunKit *kit, Mem *mem, size_t n) {
  Batch *b = answer_take(kit, mem, n);
  if (b != NULL && !lc_batch_reserve(b, n)) {
    lc_batch_free(b);
    b = NULL;
  }
  return b;
}

void lc_answer_spare (RunKit *kit, Batch *b) {
  int i = 0;
  if (b == NULL) return;
  while (i < LC_SPARES && kit->spare[i] != NULL) i++;
  if (i == LC_SPARES) lc_batch_free(b);
  else {
    lc_batch_clear(b);
    kit->spare[i] = b;
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
  r->sent_ticks = lc_ticks();
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
  next = lc_answer_batch(r->kit, r->kit->w->mem, r->end - r->at);
  if (next == NULL) return 0;
  r->out = next;
  lc_answer_deliver(r, b);
  return 1;
}

/* Room was reserved: never fails. */
static Entry *answer_add (Run *r, size_t record, EntryKind kind) {
  Entry *e = lc_batch_put(r->out, r->in->entries[r->at].index, kind, 1);
  e->at = record;
  e->worker = (unsigned)r->kit->w->id;
  e->attempt = r->attempt;
  r->out->ran++;
  r->kit->ran++;
  return e;
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
  Entry *item = &r->in->entries[r->at];
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
