/*
** generator.h: a generator is a handle that gives one item at a time, each
** item any number of values. Stands on Lua's C API alone. Knows nothing of
** where items come from (body.h, range.h, source.h), of threads or pools.
**
** Every function here runs on the thread of the generator's own Lua state.
** `idx` is a stack index, absolute or relative, of a value that is known to
** be a generator (lc_generator_test tells); it must stay where it is for the
** call, for that is what keeps the generator alive while its body runs.
*/
#ifndef lc_generator_h
#define lc_generator_h

#include <stdint.h>

#include <lua.h>

#define LC_GENERATOR "lacus.generator"   /* name of the metatable */

#define LC_GEN_END    (-1)   /* no item: there will be none any more */
#define LC_GEN_FAILED (-2)   /* only from a kind's step, see below */
#define LC_GEN_LATE   (-3)   /* likewise: no item by `until`; ask again */

typedef enum GenState {
  GEN_FRESH,       /* nothing has been asked of it yet */
  GEN_SUSPENDED,   /* between two items */
  GEN_RUNNING,     /* inside a step: no other step, no close */
  GEN_DEAD         /* ended, failed or closed */
} GenState;

typedef struct Generator Generator;

/*
** What one kind of generator does. A kind's own struct begins with a
** `Generator`; values it needs live in the handle's user values.
*/
typedef struct GeneratorKind {
  /*
  ** Pushes the next item and gives the number of its values, or LC_GEN_END
  ** with nothing pushed; `nsend` values on top are for the body, and are
  ** popped. Called when the state is GEN_FRESH or GEN_SUSPENDED; leaves it
  ** GEN_SUSPENDED, or GEN_DEAD when there is no item or that was the last.
  ** A kind that runs code of others sets GEN_RUNNING around it, and lets none
  ** of its errors through: it ends itself, pushes the error value and gives
  ** LC_GEN_FAILED. `idx` is absolute; the stack has room for GEN_ROOM values.
  */
  int (*step) (lua_State *L, int idx, Generator *g, int nsend);
  /* Ends it: sets GEN_DEAD first, then frees; may raise what a __close
  ** handler raises. Called when it is not GEN_RUNNING; also when GEN_DEAD,
  ** so it does nothing twice. May be NULL: there is nothing to free. */
  void (*close) (lua_State *L, int idx, Generator *g);
  /* Items that are still to come, or -1; may be NULL: nobody can know. */
  lua_Integer (*left) (const Generator *g);
  /* NULL when there is a body that `send` can reach; else what is there. */
  const char *unsendable;
  /*
  ** Called before a step, in a C function that Lua called: where the step would
  ** wait and the caller can be suspended instead, does that: then it does not
  ** return, GEN_RUNNING is set and *held is 1 (unless NULL) meanwhile, and `k`
  ** goes on. Else it returns. May be NULL: no step of this kind waits.
  */
  void (*await) (lua_State *L, Generator *g, int *held, lua_KContext ctx,
                 lua_KFunction k);
  /*
  ** Takes the values at first .. the top of the stack for its body, or raises
  ** why not; the step that follows has none. Called when GEN_SUSPENDED. May be
  ** NULL: the step takes them.
  */
  void (*send) (lua_State *L, Generator *g, int first);
} GeneratorKind;

struct Generator {
  const GeneratorKind *kind;   /* may change from step to step */
  lua_State *co;               /* where its code runs, or NULL; the kind's */
  GenState state;
  uint64_t until;   /* how long a step that waits may, on the clock of lc_now; 0:
                    ** as long as it takes. Set by who asks by lc_source_try */
};

/* Makes the metatable of generators, once for each Lua state. Before any
** other function of these four files. */
void lc_generator_open (lua_State *L);

/* Pushes a new handle of `size` bytes, zeroed but for its kind (so it is
** GEN_FRESH), with `nuv` user values. */
Generator *lc_generator_new (lua_State *L, const GeneratorKind *kind,
                             size_t size, int nuv);

/* With a generator on top, pushes three more values: generator, nil, nil,
** generator are what a generic `for` takes and closes. Gives 4. */
int lc_generator_for (lua_State *L);

/* NULL when the value is no generator. */
Generator *lc_generator_test (lua_State *L, int idx);

/*
** One step. Pops `nsend` values from the top and sends them to the body
** (0 is the plain step); pushes the values of the item and gives their
** number, which may be 0, or LC_GEN_END with nothing pushed. Makes the room
** on the stack that it needs. Never yields. Raises the body's error (see
** gen:traceback in generator.c for its form), or that the generator is
** running already. After an error the generator has ended, its pending
** <close> variables have run, and the next step gives LC_GEN_END.
*/
int lc_generator_step (lua_State *L, int idx, int nsend);

/* See `await` of the kind; nothing for one that does not wait. */
static inline void lc_generator_await (lua_State *L, Generator *g, int *held,
                                       lua_KContext ctx, lua_KFunction k) {
  if (g->kind->await != NULL
      && (g->state == GEN_FRESH || g->state == GEN_SUSPENDED))
    g->kind->await(L, g, held, ctx, k);
}

/* Ends it now: pending <close> variables run. Raises what they raise, and
** when the generator is running. Does nothing the second time. */
void lc_generator_close (lua_State *L, int idx);

/* Items that are still to come, or -1 when nobody can know. */
lua_Integer lc_generator_left (const Generator *g);

/* Pushes where the body stands, or stood when it failed, as debug.traceback
** would; nil when there is no such place. */
void lc_generator_traceback (lua_State *L, int idx);

/*
** For kinds. Free stack slots that step and close find (a C function that Lua
** calls has them anyway), and the two user values that are alike in all kinds
** that run code: the coroutine, and the traceback once it has failed.
*/
#define GEN_ROOM     8
#define GEN_UV_CO    1
#define GEN_UV_TRACE 2

#endif
