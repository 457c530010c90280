/*
** bell.h: a file descriptor that is readable while the bell rings, for event
** loops that wait for many things. An eventfd, or a pipe where there is none.
** Whoever rings and hushes makes sure that those do not meet (a lock).
*/
#ifndef lc_bell_h
#define lc_bell_h

typedef struct Bell {
  int fd;               /* to wait for; -1: not open */
  int ringer;           /* where ringing writes */
  int rings;
} Bell;

/* 0 on success, else an errno: then it is not open. */
int lc_bell_open (Bell *b);
void lc_bell_close (Bell *b);
/* Never wait. Nothing for one that is not open. */
void lc_bell_ring (Bell *b);
void lc_bell_hush (Bell *b);

#endif
