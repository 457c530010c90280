#include "home.h"

#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../run/worker.h"

static const char home_key = 0;

/* As long as another processor may bring news: waking an idle one costs about
** 20 microseconds. */
#define HOME_SPIN_NS 20000

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

static int home_gc (lua_State *L) {
  Home *h = (Home *)lua_touserdata(L, 1);
  Resident *r;
  for (r = h->residents; r != NULL; r = r->next) r->kind->stop(r);
  for (r = h->residents; r != NULL; r = r->next) r->kind->join(r);
  while ((r = h->residents) != NULL) {
    h->residents = r->next;
    r->kind->free_(r);
  }
  if (h->has_lock) lc_mutex_free(&h->lock);
  if (h->has_parker) lc_parker_free(&h->parker);
  if (h->owns_mem) lc_mem_retire(h->mem);
  memset(h, 0, sizeof(Home));
  return 0;
}

/* The empty home is in the registry before anything in it is opened: what
** raises in between leaks nothing. */
static Home *home_new (lua_State *L, Worker *worker) {
  Home *h = (Home *)lua_newuserdatauv(L, sizeof(Home), 0);
  memset(h, 0, sizeof(Home));
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, home_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "lacus.home");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
  h->worker = worker;
  h->mem = worker != NULL ? worker->mem : lc_mem_new(NULL, NULL);
  h->owns_mem = worker == NULL && h->mem != NULL;
  if (h->mem == NULL) luaL_error(L, "not enough memory");
  h->has_lock = lc_mutex_init(&h->lock) == 0;
  h->has_parker = lc_parker_init(&h->parker) == 0;
  if (!h->has_lock || !h->has_parker)
    luaL_error(L, "lacus: the system gives no lock");
  h->cpus = lc_cpus();
  h->workers = home_workers(L, h->cpus);
  h->spin_ns = h->cpus > 1 ? HOME_SPIN_NS : 0;
  return h;
}

Home *lc_home_open (lua_State *L, Worker *worker) {
  Home *h;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key) == LUA_TUSERDATA)
    h = (Home *)lua_touserdata(L, -1);
  else {
    h = home_new(L, worker);
    h->codec = lc_codec_open(L, h->mem);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return h;
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
