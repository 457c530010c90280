/*
** glance.h: whether to look for what another processor is about to write, before one's own
** is given away. That takes a microsecond or two, also where nobody wants it: as long as a
** quick task elsewhere, there and back. But to look in vain takes the time of who could run
** here. So after a look in vain some are left out: ever more, until they find something
** again.
*/
#ifndef lc_glance_h
#define lc_glance_h

/* One thread's; begins as zeros. */
typedef struct Glance {
  int doubt;                    /* how many are left out after the next in vain */
  int out;                      /* how many still are */
} Glance;

#define GLANCE_DOUBT_MOST 63

/* How long to look for what may not come soon. */
#define LC_GLANCE_NS 4000

/* Whether to look this time; 0 counts as one that is left out. */
static inline int lc_glance_may (Glance *g) {
  if (g->out == 0) return 1;
  g->out--;
  return 0;
}

/* It has looked, and found something or not. */
static inline void lc_glance_note (Glance *g, int found) {
  if (found) g->doubt /= 2;
  else if (g->doubt < GLANCE_DOUBT_MOST) g->doubt = 2 * g->doubt + 1;
  g->out = g->doubt;
}

#endif
