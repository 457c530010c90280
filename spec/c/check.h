/*
** check.h: what a C test stands on.
**
**   #include "check.h"
**
**   static void test_push_then_pop (void) {
**     Queue *q = lc_queue_new(4);
**     REQUIRE(q != NULL);                  leaves the test if it fails
**     CHECK(lc_queue_push(q, 1) == 0);     goes on
**     CHECK_INT(lc_queue_len(q), 1);       shows both values
**     lc_queue_free(q);
**   }
**
**   int main (void) {
**     RUN(test_push_then_pop);
**     return check_end();
**   }
**
** A file spec/c/NAME.c is one program; `make ctests` builds it against the
** floors it names and runs it under a time limit. A test passes if none of its
** checks failed. Checks may be made from any thread; REQUIRE only in void functions.
*/

#ifndef LC_CHECK_H
#define LC_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_passed_;
static int check_failed_;
static int check_errors_;       /* in the running test; atomic */
static const char *check_test_ = "?";

static inline int check_ (int ok, const char *file, int line,
                          const char *text) {
  if (!ok) {
    __atomic_add_fetch(&check_errors_, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "FAILED  %s:%d: %s: %s\n", file, line, check_test_, text);
  }
  return ok;
}

static inline int check_int_ (long long got, long long want, const char *file,
                              int line, const char *text) {
  if (got == want)
    return 1;
  check_(0, file, line, text);
  fprintf(stderr, "        got %lld, wanted %lld\n", got, want);
  return 0;
}

static inline int check_str_ (const char *got, const char *want,
                              const char *file, int line, const char *text) {
  if (got == want || (got && want && strcmp(got, want) == 0))
    return 1;
  check_(0, file, line, text);
  fprintf(stderr, "        got %s\n        wanted %s\n", got ? got : "NULL",
          want ? want : "NULL");
  return 0;
}

static inline void check_run_ (void (*test) (void), const char *name) {
  check_test_ = name;
  __atomic_store_n(&check_errors_, 0, __ATOMIC_SEQ_CST);
  test();
  if (__atomic_load_n(&check_errors_, __ATOMIC_SEQ_CST) == 0)
    check_passed_++;
  else
    check_failed_++;
}

/* The closing line that tools/tally reads, and main's result. */
static inline int check_end (void) {
  fflush(stderr);
  printf("%d passed, %d failed\n", check_passed_, check_failed_);
  return check_failed_ != 0;
}

#define CHECK(e)          check_(!!(e), __FILE__, __LINE__, #e)
#define CHECK_INT(a, b)   check_int_((long long)(a), (long long)(b), \
                                     __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b)   check_str_((a), (b), __FILE__, __LINE__, #a " == " #b)
#define REQUIRE(e)        do { if (!CHECK(e)) return; } while (0)
#define RUN(test)         check_run_(test, #test)

#endif
