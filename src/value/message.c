#include "message.h"

#include <string.h>

void lc_message_init (Message *m, Mem *mem) {
  m->next = NULL;
  m->mem = mem;
  m->bytes = NULL;
  m->len = m->cap = m->most = 0;
  m->refs = NULL;
  m->nrefs = m->caprefs = 0;
}

static void message_unref (Message *m) {
  while (m->nrefs > 0) lc_shared_release(m->refs[--m->nrefs]);
}

void lc_message_clear (Message *m, size_t keep) {
  message_unref(m);
  m->len = 0;
  if (m->cap > keep) {
    lc_mem_free(m->mem, m->bytes, m->cap);
    m->bytes = NULL;
    m->cap = 0;
  }
  if (m->caprefs * sizeof(Shared *) > keep) {
    lc_mem_free(m->mem, m->refs, m->caprefs * sizeof(Shared *));
    m->refs = NULL;
    m->caprefs = 0;
  }
}

/* A failure to shrink only leaves it as it is. */
void lc_message_trim (Message *m) {
  unsigned char *p;
  if (m->len == 0 || m->cap <= m->len + m->len / 4) return;
  p = (unsigned char *)lc_mem_resize(m->mem, m->bytes, m->cap, m->len);
  if (p == NULL) return;
  m->bytes = p;
  m->cap = m->len;
}

void lc_message_drop (Message *m) {
  lc_message_clear(m, 0);
}

/*
** The whole old block moves, also what an encoder has written behind `len`
** and not yet committed.
*/
int lc_message_room (Message *m, size_t n) {
  size_t need, cap;
  unsigned char *p;
  if (n <= m->cap - m->len) return 1;
  if (n > (size_t)-1 / 4 || m->len > (size_t)-1 / 4) return 0;
  need = m->len + n;
  if (m->most != 0 && need > m->most) return 0;
  cap = m->cap < 120 ? 120 : m->cap * 2;
  if (cap < need) cap = need;
  p = (unsigned char *)lc_mem_resize(m->mem, m->bytes, m->cap, cap);
  if (p == NULL && cap > need) {     /* twice is too much: just enough? */
    cap = need;
    p = (unsigned char *)lc_mem_resize(m->mem, m->bytes, m->cap, cap);
  }
  if (p == NULL) return 0;
  m->bytes = p;
  m->cap = cap;
  return 1;
}

int lc_message_ref (Message *m, Shared *s, size_t *at) {
  if (m->nrefs == m->caprefs) {
    size_t cap = m->caprefs == 0 ? 8 : m->caprefs * 2;
    Shared **p = (Shared **)lc_mem_resize(m->mem, m->refs,
                   m->caprefs * sizeof(Shared *), cap * sizeof(Shared *));
    if (p == NULL) return 0;
    m->refs = p;
    m->caprefs = cap;
  }
  m->refs[m->nrefs] = lc_shared_hold(s);
  *at = m->nrefs++;
  return 1;
}

int lc_message_copy (Message *to, const Message *from, size_t first, size_t end) {
  size_t i, at;
  if (!lc_message_room(to, end - first)) return 0;
  if (end > first) memcpy(to->bytes, from->bytes + first, end - first);
  to->len = end - first;
  for (i = 0; i < from->nrefs; i++)
    if (!lc_message_ref(to, from->refs[i], &at)) return 0;
  return 1;
}
