/*
** task.h: what a worker does next. A task carries its own `run`, so a worker
** knows no kinds of work. It has one owner: who made it, then a list, then
** the worker that took it. Lists are guarded by whoever owns them.
*/
#ifndef lc_task_h
#define lc_task_h

#include <stddef.h>

typedef struct Task Task;
struct Worker;

struct Task {
  Task *next, *prev;                       /* the owner's */
  size_t items;                            /* tasks of scripts in it */
  void (*run) (Task *t, struct Worker *w); /* on a worker; takes it over */
  void (*drop) (Task *t);                  /* it will not run; takes it over.
                                           ** NULL: who made it keeps it */
};

typedef struct TaskList { Task *first, *last; } TaskList;

static inline void lc_tasks_push_last (TaskList *l, Task *t) {
  t->next = NULL;
  t->prev = l->last;
  if (l->last != NULL) l->last->next = t;
  else l->first = t;
  l->last = t;
}

static inline void lc_tasks_push_first (TaskList *l, Task *t) {
  t->prev = NULL;
  t->next = l->first;
  if (l->first != NULL) l->first->prev = t;
  else l->last = t;
  l->first = t;
}

static inline void lc_tasks_remove (TaskList *l, Task *t) {
  if (t->next != NULL) t->next->prev = t->prev;
  else l->last = t->prev;
  if (t->prev != NULL) t->prev->next = t->next;
  else l->first = t->next;
  t->next = t->prev = NULL;
}

/* NULL when empty. */
static inline Task *lc_tasks_pop_first (TaskList *l) {
  Task *t = l->first;
  if (t != NULL) lc_tasks_remove(l, t);
  return t;
}

static inline Task *lc_tasks_pop_last (TaskList *l) {
  Task *t = l->last;
  if (t != NULL) lc_tasks_remove(l, t);
  return t;
}

#endif
