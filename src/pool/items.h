/*
** items.h: the items of a run, one after the other, inside its coroutine: decode,
** call, answer, and try again what has failed. Stands on kit, answer, offer and stop;
** what is around the coroutine is run.c's. Owner thread only.
*/
#ifndef lc_items_h
#define lc_items_h

#include "kit.h"

/* What the coroutine runs; its argument: the run, as a light userdata. */
int lc_items_body (lua_State *co);

/* The attempt has failed: whether there is another one. */
int lc_items_try_again (Run *r, const char *kind);
/* What an attempt leaves behind goes. */
void lc_items_clear (Run *r);
/* It goes to the next item. */
void lc_items_pass (Run *r);

#endif
