/*
** pages.h: large pieces of memory from the system itself, on large pages where it has
** them: one page fault for what takes 512 otherwise, and who walks through it finds more
** of it in the TLB. Linux only; elsewhere, or where large pages are off, they are
** ordinary pages.
*/
#ifndef lc_pages_h
#define lc_pages_h

#include <stddef.h>

/* Pieces are multiples of this, and begin at one: bytes. */
#define LC_PAGES ((size_t)2 * 1024 * 1024)

/* Zeroed; NULL when there is no memory. Any thread. */
void *lc_pages_take (size_t size);
/* A piece, whole. */
void lc_pages_give (void *p, size_t size);

#endif
