/*
** lacus.h: the C library: pools of worker threads with Lua 5.4 states, for
** games and tools. For C11 and C++. Includes nothing but the C library's own
** headers, so include it before or after lua.h.
**
** Reading it. Each function says who owns what, which thread may call it, and
** what it gives on failure. "A thread of L" is the one that runs the Lua state
** L at the moment; a state belongs to one thread at a time, as ever in Lua.
** "May raise" is a Lua error: call such a function where lua_newuserdatauv could
** be called. Functions that do not say so never raise. A negative result is
** always one of the LACUS_ codes below.
**
** A state needs the library `package` (luaL_openlibs) before lacus is used in
** it; functions that are given a state open lacus there if nobody has.
**
** There is no global state: pools in one process know nothing of each other,
** unless a script of the host is given both. The library prints nothing and
** ends no process.
**
**   #include <lauxlib.h>
**   #include <lualib.h>
**   #include <lacus.h>
**
**   int main (void) {
**     lacus_pool_options o = lacus_pool_defaults();
**     lacus_error err;
**     lua_State *L = luaL_newstate();
**     lacus_pool *pool = lacus_pool_new(&o, &err);
**     if (pool == NULL) return fprintf(stderr, "%s\n", err.text), 1;
**     luaL_openlibs(L);
**     luaL_requiref(L, "lacus", luaopen_lacus, 0);   require "lacus" works
**     lacus_pool_push(L, pool);
**     lua_setglobal(L, "pool");                      and so does pool:map
**     if (luaL_dofile(L, "game.lua")) puts(lua_tostring(L, -1));
**     lua_close(L);
**     lacus_pool_close(pool);
**     return 0;
**   }
*/
#ifndef LACUS_H
#define LACUS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What scripts see as lacus._VERSION. */
#define LACUS_VERSION "0.1"
/* Goes up when a program must be compiled anew; it is in the soname. */
#define LACUS_ABI 1

#if !defined(LACUS_API)
#if defined(__GNUC__)
#define LACUS_API __attribute__((visibility("default")))
#else
#define LACUS_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lua_State lua_State;
typedef struct lacus_pool lacus_pool;
typedef struct lacus_future lacus_future;

enum {
  LACUS_OK = 0,
  LACUS_END = -1,       /* a generator has no more items */
  LACUS_ERROR = -2,     /* a Lua error; its value is on top of the stack, where
                        ** the function has a lua_State */
  LACUS_NOMEM = -3,     /* memory, or another thing of the system's, is out */
  LACUS_CLOSED = -4,    /* the pool stops, or its init has failed */
  LACUS_FULL = -5,      /* as many tasks as `backlog` allows */
  LACUS_BUSY = -6,      /* somebody is inside already */
  LACUS_PENDING = -7,   /* the task has not ended */
  LACUS_MISUSE = -8     /* an argument makes no sense */
};

/* --- versions ------------------------------------------------------------ */

/*
** LACUS_VERSION and LACUS_ABI of the library that runs, which a program may
** compare with those it was compiled with. Any thread; cannot fail. The
** string is nobody's to free.
**
**   if (lacus_abi() != LACUS_ABI) return fail("wrong liblacus");
*/
LACUS_API const char *lacus_version (void);
LACUS_API int lacus_abi (void);

/* --- the module ---------------------------------------------------------- */

/*
** What `require "lacus"` calls: pushes the module, gives 1. Thread of L. May
** raise. What it makes ends with L: lua_close waits for what the scripts of L
** submitted to pools of their own (see lacus_open).
**
**   luaL_requiref(L, "lacus", luaopen_lacus, 0);
*/
LACUS_API int luaopen_lacus (lua_State *L);

/*
** As a `lua_Alloc`, but called from any thread: (ud, NULL, 0, n) takes n bytes,
** (ud, p, o, n) resizes, (ud, p, o, 0) frees and gives NULL. NULL for n > 0 is
** failure, and p is as it was.
*/
typedef void *(*lacus_alloc_fn) (void *ud, void *p, size_t osize,
                                 size_t nsize);

/*
** Opens the module in L for `require` to find and pushes it, as a program would
** have it that has more to do than to wait for its scripts: lua_close drops what
** they submitted to pools of their own and has not begun (instead of finishing
** it; a script that opens a pool with `linger` has that), and memory outside of Lua states, and that of those pools' workers,
** comes from `alloc` (NULL: the C library's), which must outlive L. Before
** anything else of lacus in L: later, the allocator stays what it is. Thread of
** L. May raise.
**
**   lacus_open(L, counting_alloc, &counter);
**   lua_pop(L, 1);
*/
LACUS_API void lacus_open (lua_State *L, lacus_alloc_fn alloc, void *ud);

/* --- pools --------------------------------------------------------------- */

/* Why a pool could not be opened. The caller's own. */
typedef struct lacus_error {
  int code;             /* a LACUS_ code */
  char text[256];
} lacus_error;

/* How a line came about: see on_log. */
enum { LACUS_LOG_PRINT, LACUS_LOG_WRITE, LACUS_LOG_WARN };

/*
** Zero is the default of every field but `size`. The library copies the struct
** and its strings; what callbacks point to must live until the pool is closed.
** New fields come at the end: `size` tells which of them the caller knows.
*/
typedef struct lacus_pool_options {
  size_t size;          /* sizeof(lacus_pool_options) */

  int workers;          /* threads; 0: one for each processor of this process */
  int slots;            /* > 0: no threads: lacus_step runs tasks, in so many
                        ** states; `workers` must be 0 then */
  const char *name;     /* "worker"; at most 23 bytes. Workers are name-1... */
  size_t stack;         /* of a thread, in bytes; 0: 2 MiB. At least 512 KiB: Lua
                        ** allows 200 nested C calls, and those of
                        ** string.gsub take that much */
  size_t backlog;       /* tasks submitted from C that have not ended, at most;
                        ** 0: no limit. See lacus_submit */
  double linger;        /* seconds that lacus_pool_close waits for what was
                        ** submitted; 0: what has not begun is dropped */
  size_t memory;        /* bytes that a worker's state may hold; a task that goes
                        ** over fails with kind "memory"; 0: no limit */
  const char *const *libs;  /* names of the standard libraries that workers
                        ** have besides base, and NULL at the end: a sandbox,
                        ** which takes no bytecode either; NULL: all */
  double grace;         /* seconds that what is stopped has to end; then its
                        ** worker is abandoned; 0: two seconds */
  uint64_t recycle;     /* tasks after which a worker's state is replaced */
  uint64_t seed;        /* math.random of tasks depends on this alone... */
  int seeded;           /* ...if this is not 0 */

  lua_State *from;      /* workers take over package.path, package.cpath and
                        ** the Lua loaders of package.preload from this state;
                        ** NULL: Lua's defaults. Used while the pool opens, on
                        ** the thread of `from` */
  const char *init;     /* a module that each worker's state requires before
                        ** its first task. If it fails, the pool stops */

  lacus_alloc_fn alloc; /* for everything of the pool, its Lua states too */
  void *alloc_ud;

  void *ud;             /* for the callbacks below */
  /*
  ** In each new state of a worker, on the thread that will run it, before any
  ** task: the place to register the game's own functions and types. May raise:
  ** the pool does not come to be then, or, if a state was to be replaced, stops.
  */
  void (*on_open) (lua_State *L, void *ud);
  /* Before a worker's state closes; no task waits in it any more. What it
  ** raises is dropped. */
  void (*on_close) (lua_State *L, void *ud);
  /* First and last thing of each worker's thread; `worker` is its
  ** number from 1. For names, priorities, profilers, and to bind it to
  ** processors: it goes only where it may run. Not with `slots`. */
  void (*on_start) (void *ud, int worker, const char *name);
  void (*on_stop) (void *ud, int worker, const char *name);
  /*
  ** What print, io.write, io.stdout:write and warn say in workers, a
  ** whole line at a time: `line` has no newline at its end and a zero behind
  ** it, and is valid during the call. On the thread of that worker, so several
  ** at once; must not call Lua or wait for the pool. NULL: they print, as Lua
  ** does by itself. With it, warnings are on from the start ("@off" and "@on"
  ** work). A line that io.write has begun is passed on when the state closes.
  ** What lacus itself has to warn of (a worker was abandoned) comes too, from
  ** lacus_poll and lacus_pool_close, by the name "lacus".
  */
  void (*on_log) (void *ud, int kind, const char *worker, const char *line,
                  size_t len);
} lacus_pool_options;

/* Options that say nothing yet, with the size that this header knows. */
static inline lacus_pool_options lacus_pool_defaults (void) {
  lacus_pool_options o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  return o;
}

/*
** Opens a pool, and waits until the states of its workers are open. NULL on
** failure: then *err (unless err is NULL) says why. Any thread; the pool belongs
** to whoever closes it.
**
**   lacus_pool_options o = lacus_pool_defaults();
**   o.on_open = register_game_api;
**   o.stack = 512 * 1024;
**   pool = lacus_pool_new(&o, &err);
*/
LACUS_API lacus_pool *lacus_pool_new (const lacus_pool_options *options,
                                      lacus_error *err);

/*
** The pool takes no tasks from here on; what has not begun is dropped, what runs
** is told to stop, and whoever waits in lacus_step_wait or lacus_submit comes back
** with LACUS_CLOSED. Tasks that wait in slots, which nobody steps any more, are
** cancelled at once. Gives the number of tasks dropped; waits for nothing. Then let
** the threads end that use the pool, and close it. Any thread; cannot fail.
**
**   lacus_pool_stop(pool);  join_my_threads();  lacus_pool_close(pool);
*/
LACUS_API long lacus_pool_stop (lacus_pool *pool);

/*
** Closes it: waits `linger` seconds for what was submitted, drops what has not
** begun, stops what runs, joins the threads, calls the `done` that have not
** been called (on this thread), and frees the pool. Lua code is stopped
** wherever it is; a worker that is in a call of C and does not come back within
** `grace` is abandoned: its thread goes on, keeps what memory it needs, and calls
** none of the host's callbacks any more; its task fails with kind "lost".
**
** Gives the number of tasks dropped or stopped; or LACUS_BUSY, and nothing happens, inside of a `done` or while
** another thread polls. Handles that scripts have stay safe: they find the
** pool closed. Any thread but the pool's own, when no other thread uses `pool`.
** NULL is allowed.
**
**   long dropped = lacus_pool_close(pool);
*/
LACUS_API long lacus_pool_close (lacus_pool *pool);

/*
** Pushes the pool as scripts know it: the same value each time in one state.
** A script cannot close it. Thread of L. May raise.
**
**   lacus_pool_push(L, pool);
**   lua_setglobal(L, "pool");
*/
LACUS_API void lacus_pool_push (lua_State *L, lacus_pool *pool);

/*
** The number of workers, or of slots. Any thread; cannot fail.
**
**   for (i = 1; i <= lacus_pool_workers(pool); i++) start_my_thread(i);
*/
LACUS_API int lacus_pool_workers (const lacus_pool *pool);

/*
** Each worker gets a new state before its next task, once no task of the old
** one waits, so that modules are loaded again: hot reload. Any thread; does not
** wait; cannot fail.
**
**   if (file_has_changed("ai.lua")) lacus_pool_recycle(pool);
*/
LACUS_API void lacus_pool_recycle (lacus_pool *pool);

/* --- work and its results ------------------------------------------------ */

/*
** C work: runs on a worker, in its state, on an empty stack; gives the number
** of results it leaves on top, which travel as a Lua task's do. May raise; may
** call Lua; must not yield.
*/
typedef int (*lacus_work_fn) (lua_State *L, void *data);

/*
** A task has ended, failed or been dropped: see lacus_future_state. Called once
** for each task that was submitted with one: by lacus_poll, or in the end by
** lacus_pool_close, on the thread that calls those. `f` is valid during the
** call, and longer for who holds it otherwise.
*/
typedef void (*lacus_done_fn) (lacus_future *f, void *ud);

/*
** Submits the function below `nargs` arguments on the stack of L, or the
** "module.function" that its string names: they are copied, as pool:submit does,
** and popped. `done` may be NULL. If `future` is not NULL, *future is the
** caller's, to be let go with lacus_future_free.
**
** LACUS_OK; or LACUS_ERROR (a value cannot be sent), LACUS_CLOSED, LACUS_NOMEM:
** then a message is pushed (nil where the stack cannot grow), and `done` will
** not be called. Where there is a
** `backlog`, lacus_submit waits until a task ends, and lacus_try_submit gives
** LACUS_FULL (with a message too): that one never waits. Thread of L. In a
** worker's state, too; but a task should try, for it could wait for itself.
**
**   lua_getglobal(L, "find_path");
**   lua_pushinteger(L, from);
**   lua_pushinteger(L, to);
**   if (lacus_try_submit(pool, L, 2, path_found, unit, NULL) != LACUS_OK)
**     lua_pop(L, 1);                    the message; again in the next frame
*/
LACUS_API int lacus_submit (lacus_pool *pool, lua_State *L, int nargs,
                            lacus_done_fn done, void *ud,
                            lacus_future **future);
LACUS_API int lacus_try_submit (lacus_pool *pool, lua_State *L, int nargs,
                                lacus_done_fn done, void *ud,
                                lacus_future **future);

/*
** Likewise for C work; needs no Lua state, pushes nothing. `data` is for the
** host to free, once the task has ended. Any thread.
**
**   lacus_submit_work(pool, decode_image, image, image_decoded, image, NULL);
*/
LACUS_API int lacus_submit_work (lacus_pool *pool, lacus_work_fn work,
                                 void *data, lacus_done_fn done, void *ud,
                                 lacus_future **future);
LACUS_API int lacus_try_submit_work (lacus_pool *pool, lacus_work_fn work,
                                     void *data, lacus_done_fn done, void *ud,
                                     lacus_future **future);

/*
** Calls `done` for tasks that have ended, in the order in which they did, until
** there is none, or `max_items` were called (0: no limit), or `max_microseconds`
** are over (0: no limit). The time is looked at before each call but the first:
** so it lasts no longer than its budget and one `done`. Never waits. Gives the
** number of calls. Any thread; two at once share what there is. `done` may
** submit and poll, and must not leave by an error or longjmp.
**
**   each frame:  lacus_poll(pool, 0, 1000);
*/
LACUS_API int lacus_poll (lacus_pool *pool, int max_items,
                          int max_microseconds);

/*
** A file descriptor that is readable while lacus_poll would call something: for
** epoll, poll, libuv. Made at the first call; the pool's own: neither read nor
** close it. Or LACUS_NOMEM, where the system gives none. Any thread.
**
**   struct epoll_event e = { EPOLLIN };
**   epoll_ctl(ep, EPOLL_CTL_ADD, lacus_pool_fd(pool), &e);
*/
LACUS_API int lacus_pool_fd (lacus_pool *pool);

/* --- futures ------------------------------------------------------------- */

enum {
  LACUS_QUEUED, LACUS_RUNNING, LACUS_DONE, LACUS_FAILED, LACUS_CANCELLED
};

/*
** One of those. Never waits. Any thread; cannot fail.
**
**   if (lacus_future_state(f) == LACUS_CANCELLED) forget(unit);
*/
LACUS_API int lacus_future_state (lacus_future *f);

/*
** Waits until the task has ended, for at most `seconds` (< 0: for ever). 1; 0
** when the time is over; LACUS_NOMEM. Any thread but the pool's own (in a task,
** it would hold the worker: submit and poll instead).
**
**   lacus_future_wait(f, 0.5);
*/
LACUS_API int lacus_future_wait (lacus_future *f, double seconds);

/*
** 1 if it was cancelled: its task will not run, or is stopped; 0 if it had ended.
** Any thread; does not wait.
**
**   if (unit->died) lacus_future_cancel(unit->path);
*/
LACUS_API int lacus_future_cancel (lacus_future *f);

/*
** Pushes what the task gave and gives the number of values. Or LACUS_ERROR:
** pushes the error object (its tostring has the worker's traceback), also when
** the task was cancelled; or LACUS_PENDING, or LACUS_NOMEM (the stack cannot
** grow): pushes nothing. As often as wanted, in any state. Thread of L.
**
**   void path_found (lacus_future *f, void *unit) {
**     int n = lacus_future_get(L, f);
**     if (n < 0) log_error(luaL_tolstring(L, -1, NULL));
**     ...
*/
LACUS_API int lacus_future_get (lua_State *L, lacus_future *f);

/*
** Pushes the future as scripts know it. Thread of L. May raise.
**
**   lacus_future_push(L, level);  lua_setglobal(L, "level");   level:get()
*/
LACUS_API void lacus_future_push (lua_State *L, lacus_future *f);

/*
** One holder more; gives `f`. One holder less: the last one frees it, which
** stops nothing. Any thread. lacus_future_free: NULL is allowed.
**
**   unit->path = lacus_future_hold(f);  ...  lacus_future_free(unit->path);
*/
LACUS_API lacus_future *lacus_future_hold (lacus_future *f);
LACUS_API void lacus_future_free (lacus_future *f);

/* --- pools without threads ------------------------------------------------ */

/*
** For a pool with `slots`: looks for a task for slot number `slot` (from 1) and
** runs it on the calling thread, until it ends or waits. If there is none, waits
** for one for at most `seconds` (0: not at all; < 0: for ever). Gives 1 when
** something ran; 0 when nothing did; LACUS_CLOSED; LACUS_BUSY when another
** thread is in this slot; LACUS_MISUSE when there is no such slot.
**
** Any thread may step any slot, each slot one thread at a time. A task that waits
** goes on in the slot it has begun in: that one must be stepped again. The task's
** callbacks and Lua code run on that thread. lacus_pool_close waits for whoever
** is inside, and closes the states itself. No thread of lacus
** runs tasks, but one that watches may be made when something is to be stopped.
** Threads that step must not block SIGURG, by which that is done.
**
**   void job (int me) { while (lacus_step_wait(pool, me, 0.1) >= 0) {} }
*/
LACUS_API int lacus_step (lacus_pool *pool, int slot);
LACUS_API int lacus_step_wait (lacus_pool *pool, int slot, double seconds);

/* --- generators ----------------------------------------------------------- */

/*
** Pushes the next item's values and gives their number (0 is an item too), or
** LACUS_END. May raise: that ends the generator. Thread of L.
*/
typedef int (*lacus_next_fn) (lua_State *L, void *ud);

/*
** Pushes a generator whose items come from `next`, for loops, pool:map and all
** else that takes one. `close` (may be NULL) is called once when it ends, fails,
** is closed or collected, or L closes; it must not raise. Thread of L, as are
** both callbacks. May raise: `close` is not called then.
**
**   lacus_generator_push(L, next_row, close_query, query);
*/
LACUS_API void lacus_generator_push (lua_State *L, lacus_next_fn next,
                                     void (*close_) (void *ud), void *ud);

/*
** Pushes a generator of the value at `idx`: whatever pool:map takes as a source
** (a generator is its own). LACUS_OK; or LACUS_ERROR: pushes the error value; or
** LACUS_NOMEM. Thread of L.
**
**   lua_getglobal(L, "waves");
**   lacus_generator_new(L, -1);
**   while ((n = lacus_generator_next(L, -1)) >= 0) { ...; lua_pop(L, n); }
*/
LACUS_API int lacus_generator_new (lua_State *L, int idx);

/*
** One step of the generator at `idx`: pushes the values of the item and gives
** their number; or LACUS_END; or LACUS_ERROR: pushes the error value, and the
** generator has ended. LACUS_MISUSE: it is no generator; LACUS_NOMEM. Thread
** of L. An example stands above.
*/
LACUS_API int lacus_generator_next (lua_State *L, int idx);

/*
** Ends it, running its pending <close>. LACUS_OK, also when it has ended;
** LACUS_ERROR: pushes the error value; LACUS_MISUSE; LACUS_NOMEM. Thread of L.
**
**   if (level_over) lacus_generator_close(L, -1);
*/
LACUS_API int lacus_generator_close (lua_State *L, int idx);

/* --- userdata of the host -------------------------------------------------- */

/*
** How userdata of a type cross between states. Either they are shared: the
** block begins with a pointer to a thing that counts its holders, and the other
** state gets a block with the same pointer; or they are copied, as a string.
** Fields that do not apply are NULL.
*/
typedef struct lacus_type {
  const char *name;                     /* as given to luaL_newmetatable */
  /* Shared: any thread. The metatable's __gc should release, too. */
  void (*hold) (void *thing);
  void (*release) (void *thing);
  /* Copied: pack pushes a string for the userdata at idx, unpack pushes the
  ** userdata. Thread of L; may raise. */
  void (*pack) (lua_State *L, int idx);
  void (*unpack) (lua_State *L, const char *bytes, size_t len);
} lacus_type;

/*
** Says so in L; once in each state that is to know the type: in the host's, and
** in on_open for workers. Its metatable must exist. `type` must outlive all
** these states, and be the same for all. Thread of L. May raise (no such
** metatable; neither pair of functions, or both).
**
**   static const lacus_type mesh = { "game.mesh", mesh_hold, mesh_release };
**   luaL_newmetatable(L, "game.mesh");
**   lacus_type_register(L, &mesh);
*/
LACUS_API void lacus_type_register (lua_State *L, const lacus_type *type);

#ifdef __cplusplus
}
#endif

#endif
