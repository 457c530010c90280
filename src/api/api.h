/*
** api.h: what the files of this folder share: the structs behind the opaque
** types of lacus.h. A pool of a C host is a pool with a home of its own, which
** no Lua state has, and an inbox. Stands on lib/ and pool/.
**
** Tickets. A `lacus_future` is a ticket: it listens to a future of the pool, and
** when that ends, whoever ends it puts the ticket into the inbox, where
** lacus_poll finds it. Holders: the host, if it asked for one; and the future's
** list or the inbox, until the ticket is through.
**
** Lock order: a future's lock, then inbox.lock, then pool.lock. No Lua, no
** callback of the host's under it.
*/
#ifndef lc_api_h
#define lc_api_h

#include <stdint.h>

#include "../base/bell.h"
#include "../lacus.h"
#include "../lib/lib.h"

typedef struct Inbox {
  /* guarded by lock */
  Mutex lock;
  Cond room;                    /* `out` went down, or the pool stops */
  lacus_future *first, **end;   /* ended tasks whose `done` is to be called */
  Bell bell;                    /* rings while there are any */
  size_t out;                   /* tasks that have not ended */
  int polling;                  /* threads inside of lacus_poll */
} Inbox;

struct lacus_pool {
  Shared head;                  /* held by the host until it closes it, and by
                                ** the pool: abandoned workers may outlive that */
  /* set at birth */
  Mem *mem;
  Home home;
  Pool *pool;                   /* held */
  lacus_pool_options o;         /* a copy, without what was only for opening */
  Message work;                 /* a record of C work: see api_work.c */
  Inbox inbox;
};

struct lacus_future {
  Shared head;                  /* first */
  /* set at birth */
  Mem *mem;
  Future *f;                    /* held */
  lacus_pool *pool;             /* not to be touched once it has ended */
  lacus_done_fn done;
  void *ud;
  Waiter waiter;
  /* guarded by the future's lock */
  WaitNode node;
  /* guarded by the inbox's */
  lacus_future *next;
};

/* Opens lacus in L if that has not been done. May raise. */
Home *lc_api_home (lua_State *L);

/* --- api_poll.c ---------------------------------------------------------- */

/* 0 on success, else an errno. */
int lc_inbox_init (Inbox *in);
void lc_inbox_free (Inbox *in);
/* The pool stops: nobody waits for room any more. */
void lc_inbox_stop (Inbox *in);
/* One task more. LACUS_OK, LACUS_FULL, or LACUS_CLOSED. */
int lc_inbox_enter (lacus_pool *p, int wait);
/* It has ended or was never sent; a ticket with a `done` (or NULL) comes in. */
void lc_inbox_leave (lacus_pool *p, lacus_future *ticket);

/* --- api_future.c -------------------------------------------------------- */

/*
** Sends `b` to the pool and takes it over; there is room for it (see
** lc_inbox_enter), which is given back on failure: LACUS_CLOSED, LACUS_NOMEM.
** Then `b` is still the caller's.
*/
int lc_api_send (lacus_pool *p, Worker *on, Batch *b, lacus_done_fn done,
                 void *ud, lacus_future **future);

/* --- api_work.c ---------------------------------------------------------- */

/* Makes C work known in L: in workers, and where lc_work_write runs. */
void lc_work_register (lua_State *L);
/* Writes the record that p->work is. Raises. */
void lc_work_write (lua_State *L, Codec *c, lacus_pool *p);

/* --- api_log.c ----------------------------------------------------------- */

/* What lacus itself has to warn of; ud is the lacus_pool. */
void lc_log_say (void *ud, const char *text);

/* In a worker's state: print, io.write and warn go to on_log. */
void lc_log_open (lua_State *L, lacus_pool *p, Worker *w);

#endif
