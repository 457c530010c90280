/*
** api_poll.c: the inbox: how tasks that have ended reach the host's own thread.
*/
#include <string.h>

#include "../base/clock.h"
#include "api.h"

int lc_inbox_init (Inbox *in) {
  int err;
  memset(in, 0, sizeof(Inbox));
  in->end = &in->first;
  in->bell.fd = -1;
  err = lc_mutex_init(&in->lock);
  if (err != 0) return err;
  err = lc_cond_init(&in->room);
  if (err != 0) lc_mutex_free(&in->lock);
  return err;
}

void lc_inbox_free (Inbox *in) {
  lc_bell_close(&in->bell);
  lc_cond_free(&in->room);
  lc_mutex_free(&in->lock);
}

void lc_inbox_stop (Inbox *in) {
  lc_mutex_lock(&in->lock);
  lc_cond_broadcast(&in->room);
  lc_mutex_unlock(&in->lock);
}

int lc_inbox_enter (lacus_pool *p, int wait) {
  Inbox *in = &p->inbox;
  size_t most = p->o.backlog;
  int result = LACUS_OK;
  lc_mutex_lock(&in->lock);
  while (most != 0 && in->out >= most && wait && !lc_pool_stopping(p->pool))
    lc_cond_wait(&in->room, &in->lock);
  if (lc_pool_stopping(p->pool)) result = LACUS_CLOSED;
  else if (most != 0 && in->out >= most) result = LACUS_FULL;
  else in->out++;
  lc_mutex_unlock(&in->lock);
  return result;
}

void lc_inbox_leave (lacus_pool *p, lacus_future *ticket) {
  Inbox *in = &p->inbox;
  lc_mutex_lock(&in->lock);
  in->out--;
  lc_cond_broadcast(&in->room);
  if (ticket != NULL) {
    ticket->next = NULL;
    *in->end = ticket;
    in->end = &ticket->next;
    lc_bell_ring(&in->bell);
  }
  lc_mutex_unlock(&in->lock);
}

static lacus_future *inbox_take (Inbox *in) {
  lacus_future *t;
  lc_mutex_lock(&in->lock);
  t = in->first;
  if (t != NULL) {
    in->first = t->next;
    if (in->first == NULL) {
      in->end = &in->first;
      lc_bell_hush(&in->bell);
    }
  }
  lc_mutex_unlock(&in->lock);
  return t;
}

static void inbox_polling (Inbox *in, int by) {
  lc_mutex_lock(&in->lock);
  in->polling += by;
  lc_mutex_unlock(&in->lock);
}

int lacus_poll (lacus_pool *p, int max_items, int max_microseconds) {
  uint64_t until = LC_NEVER;
  lacus_future *t;
  int n = 0;
  if (max_microseconds > 0)
    until = lc_now() + (uint64_t)max_microseconds * 1000;
  inbox_polling(&p->inbox, 1);
  while ((max_items <= 0 || n < max_items) && (n == 0 || lc_now() < until)
         && (t = inbox_take(&p->inbox)) != NULL) {
    t->done(t, t->ud);
    lacus_future_free(t);
    n++;
  }
  if (p->o.on_log != NULL && lc_home_has_news(&p->home))
    lc_home_tell(&p->home, lc_log_say, p);
  inbox_polling(&p->inbox, -1);
  return n;
}

int lacus_pool_fd (lacus_pool *p) {
  Inbox *in = &p->inbox;
  int fd;
  lc_mutex_lock(&in->lock);
  if (in->bell.fd < 0 && lc_bell_open(&in->bell) == 0 && in->first != NULL)
    lc_bell_ring(&in->bell);
  fd = in->bell.fd >= 0 ? in->bell.fd : LACUS_NOMEM;
  lc_mutex_unlock(&in->lock);
  return fd;
}
