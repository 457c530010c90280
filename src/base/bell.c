#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/eventfd.h>

int lc_bell_open (Bell *b) {
  b->rings = 0;
  b->fd = b->ringer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return b->fd >= 0 ? 0 : errno;
}
#else
static void bell_set_up (int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int lc_bell_open (Bell *b) {
  int ends[2];
  b->rings = 0;
  b->fd = b->ringer = -1;
  if (pipe(ends) != 0) return errno;
  bell_set_up(b->fd = ends[0]);
  bell_set_up(b->ringer = ends[1]);
  return 0;
}
#endif

void lc_bell_close (Bell *b) {
  if (b->fd < 0) return;
  close(b->fd);
  if (b->ringer != b->fd) close(b->ringer);
  b->fd = b->ringer = -1;
}

/* Eight bytes are what an eventfd takes and gives; a pipe takes them too. */
void lc_bell_ring (Bell *b) {
  uint64_t one = 1;
  ssize_t n;
  if (b->fd < 0 || b->rings) return;
  do n = write(b->ringer, &one, sizeof one); while (n < 0 && errno == EINTR);
  b->rings = n > 0;
}

void lc_bell_hush (Bell *b) {
  uint64_t rung;
  ssize_t n;
  if (b->fd < 0 || !b->rings) return;
  do n = read(b->fd, &rung, sizeof rung); while (n < 0 && errno == EINTR);
  b->rings = 0;
}
