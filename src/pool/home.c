#include "home.h"

#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../run/worker.h"

static const char home_key = 0;
static const char home_hurry_key = 0;

/* As long as another processor may bring news: waking an idle one takes 20 microseconds,
** and more than 100 on a virtual machine. And who sleeps may be woken on the processor of
** who wakes it, and be left there, though others are idle (see room.h): so not before the
** first result of workers that were asleep. */
#define HOME_SPIN_NS 200000

/* In the registry: see lc_home_set_workers. */
#define HOME_WORKERS "lacus.workers"

void lc_home_set_workers (lua_State *L, int n) {
  lua_pushinteger(L, n);
  lua_setfield(L, LUA_REGISTRYINDEX, HOME_WORKERS);
}

static int home_workers (lua_State *L, int otherwise) {
  int isint;
  lua_Integer n;
  lua_getfield(L, LUA_REGISTRYINDEX, HOME_WORKERS);
  n = lua_tointegerx(L, -1, &isint);
  lua_pop(L, 1);
  return isint ? (int)n : otherwise;
}

void lc_home_end (Home *h, void (*say) (void *, const char *), void *ud) {
  Resident *r;
  h->ends = lc_now();
  for (r = h->residents; r != NULL; r = r->next) r->kind->stop(r);
  for (r = h->residents; r != NULL; r = r->next) r->kind->join(r);
  while ((r = h->residents) != NULL) {
    h->residents = r->next;
    r->kind->free_(r);
  }
  lc_home_tell(h, say, ud);
  lc_shelf_clear(&h->shelf);
  lc_batch_free(h->fresh);
  lc_batch_free(h->used);
  lc_call_forget(&h->memo);
  if (h->has_lock) lc_mutex_free(&h->lock);
  if (h->has_reports_lock) lc_mutex_free(&h->reports_lock);
  if (h->has_parker) lc_parker_free(&h->parker);
  if (h->owns_mem) lc_mem_retire(h->mem);
  memset((void *)h, 0, sizeof(Home));
}

static void home_say (void *L, const char *text) {
  lua_warning((lua_State *)L, text, 0);
}

static int home_gc (lua_State *L) {
  lc_home_end((Home *)lua_touserdata(L, 1), home_say, L);
  return 0;
}

int lc_home_init (Home *h, Mem *mem, int cpus) {
  memset((void *)h, 0, sizeof(Home));
  h->mem = mem;
  h->has_lock = lc_mutex_init(&h->lock) == 0;
  h->has_parker = lc_parker_init(&h->parker) == 0;
  h->has_reports_lock = lc_mutex_init(&h->reports_lock) == 0;
  h->cpus = h->workers = cpus > 0 ? cpus : lc_cpus();   /* reads files */
  h->pools_linger = LC_NEVER;
  h->spin_ns = h->cpus > 1 ? HOME_SPIN_NS : 0;
  return h->has_lock && h->has_parker && h->has_reports_lock;
}

/* --- the home of a state --------------------------------------------------- */

/* In the registry: see lc_home_set_memory. */
#define HOME_MEMORY "lacus.memory"

typedef struct HomeMemory {
  MemFn fn;
  void *ud;
} HomeMemory;

void lc_home_set_memory (lua_State *L, MemFn fn, void *ud) {
  HomeMemory *m = (HomeMemory *)lua_newuserdatauv(L, sizeof(HomeMemory), 0);
  m->fn = fn;
  m->ud = ud;
  lua_setfield(L, LUA_REGISTRYINDEX, HOME_MEMORY);
}

static Mem *home_memory (lua_State *L) {
  HomeMemory *m;
  Mem *mem;
  lua_getfield(L, LUA_REGISTRYINDEX, HOME_MEMORY);
  m = (HomeMemory *)lua_touserdata(L, -1);
  mem = m != NULL ? lc_mem_new(m->fn, m->ud) : lc_mem_new(NULL, NULL);
  lua_pop(L, 1);
  if (mem == NULL) luaL_error(L, "not enough memory");
  return mem;
}

/* The empty home is in the registry before anything in it is opened: what
** raises in between leaks nothing. */
static Home *home_new (lua_State *L, Worker *worker) {
  Home *h = (Home *)lua_newuserdatauv(L, sizeof(Home), 0);
  int able;
  memset((void *)h, 0, sizeof(Home));
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, home_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "lacus.home");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
  able = lc_home_init(h, worker != NULL ? worker->mem : home_memory(L),
                      worker != NULL ? worker->cpus : 0);
  h->worker = worker;
  h->owns_mem = worker == NULL;
  h->workers = home_workers(L, h->cpus);
  if (!able) luaL_error(L, "lacus: the system gives no lock");
  return h;
}

Home *lc_home_find (lua_State *L) {
  Home *h;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
  h = (Home *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return h;
}

Home *lc_home_open (lua_State *L, Worker *worker) {
  Home *h = lc_home_find(L);
  if (h != NULL) return h;
  h = home_new(L, worker);
  h->codec = lc_codec_open(L, h->mem);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &home_hurry_key);
  h->hurry = lua_toboolean(L, -1);
  lua_pop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
  return h;
}

void lc_home_hurry (lua_State *L, int hurry) {
  Home *h = lc_home_find(L);
  if (h != NULL) h->hurry = hurry;
  lua_pushboolean(L, hurry);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &home_hurry_key);
}

void lc_home_add (Home *h, Resident *r) {
  lc_mutex_lock(&h->lock);
  r->next = h->residents;
  h->residents = r;
  lc_mutex_unlock(&h->lock);
}

/* Only the home's own thread takes residents away: no lock for its look. */
int lc_home_help (Home *h, uint64_t *until) {
  Resident *r;
  for (r = h->residents; r != NULL; r = r->next)
    if (r->kind->help != NULL && r->kind->help(r, until)) return 1;
  return 0;
}

Batch *lc_home_batch (Home *h) {
  Batch *b;
  lc_home_stock(h);
  b = h->fresh != NULL ? h->fresh : lc_batch_new(h->mem);
  h->fresh = NULL;
  return b;
}

void lc_home_spare (Home *h, Batch *b) {
  if (b == NULL) return;
  if (h->used == NULL && b->mem == h->mem) h->used = b;
  else lc_batch_free(b);
}

void lc_home_stock (Home *h) {
  if (h->fresh != NULL || h->used == NULL) return;
  h->fresh = h->used;
  h->used = NULL;
  lc_batch_clear(h->fresh);
}

void lc_home_cancel (Home *h) {
  Resident *r;
  for (r = h->residents; r != NULL; r = r->next) r->kind->cancel(r);
}

/* Takes one that is gone off the list. */
static Resident *home_take_gone (Home *h) {
  Resident **at, *r;
  lc_mutex_lock(&h->lock);
  for (at = &h->residents; (r = *at) != NULL; at = &r->next) {
    if (r->kind->gone(r)) {
      *at = r->next;
      break;
    }
  }
  lc_mutex_unlock(&h->lock);
  return r;
}

void lc_home_sweep (Home *h) {
  Resident *r;
  while ((r = home_take_gone(h)) != NULL) r->kind->free_(r);
}

/* --- reports ------------------------------------------------------------- */

/* Nobody may be listening: the first ones are enough. */
#define REPORTS_MOST 100

struct Report {
  Report *next;
  size_t size;
  char text[1];
};

void lc_home_report (Home *h, const char *text) {
  size_t len = strlen(text), size = sizeof(Report) + len;
  Report *r = (Report *)lc_mem_alloc(h->mem, size), **at;
  if (r == NULL) return;
  r->next = NULL;
  r->size = size;
  memcpy(r->text, text, len + 1);
  lc_mutex_lock(&h->reports_lock);
  if (h->nreports < REPORTS_MOST) {
    for (at = &h->reports; *at != NULL; at = &(*at)->next) continue;
    *at = r;
    h->nreports++;
    atomic_store_explicit(&h->reported, 1, memory_order_relaxed);
    r = NULL;
  }
  lc_mutex_unlock(&h->reports_lock);
  if (r != NULL) lc_mem_free(h->mem, r, size);
  lc_unpark(&h->parker);
}

static Report *home_next_report (Home *h) {
  Report *r;
  lc_mutex_lock(&h->reports_lock);
  r = h->reports;
  if (r != NULL) {
    h->reports = r->next;
    h->nreports--;
  }
  lc_mutex_unlock(&h->reports_lock);
  return r;
}

void lc_home_tell (Home *h, void (*say) (void *, const char *), void *ud) {
  Report *r;
  if (!h->has_reports_lock) return;
  atomic_store_explicit(&h->reported, 0, memory_order_relaxed);
  while ((r = home_next_report(h)) != NULL) {
    if (say != NULL) say(ud, r->text);
    lc_mem_free(h->mem, r, r->size);
  }
}

void lc_home_warn (Home *h, lua_State *L) { lc_home_tell(h, home_say, L); }
