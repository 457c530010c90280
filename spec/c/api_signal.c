/*
** lacus.h: a host that uses the signal by which lacus stops tasks (SIGURG) for itself:
** what runs is stopped, and the host's handler is called as before. A process has one
** handler for a signal, so each test has a process of its own.
*/
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "api.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer holds signals back: under it no running code is stopped. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_SIGNALS 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define NO_SIGNALS 1
#endif

#if !defined(NO_SIGNALS)

static void in_a_process_of_its_own (void (*test) (void)) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    test();
    exit(check_errors_ != 0);
  }
  REQUIRE(child > 0);
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
}

static volatile sig_atomic_t calls, with_info;

static void on_signal (int sig) { calls += sig == SIGURG; }

static void on_signal_info (int sig, siginfo_t *info, void *context) {
  on_signal(sig);
  with_info += info != NULL && info->si_signo == sig && context != NULL;
}

static void install (int flags, void (*plain) (int),
                     void (*full) (int, siginfo_t *, void *)) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_flags = flags;
  if (full != NULL) sa.sa_sigaction = full;
  else sa.sa_handler = plain;
  CHECK_INT(sigaction(SIGURG, &sa, NULL), 0);
}

/* Tasks that never end by themselves, until a signal has come to the handler, if there is
** one: who is told to stop early enough needs none. */
static void stop_tasks (int handled) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  int n;
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  for (n = 0; n < 3 || (handled && calls == 0 && n < 10000); n++)
    host_run(L, "local f = pool:submit(load 'while true do end') "
      "repeat until f:state() == 'running' "
      "assert(f:cancel()) "
      "assert(pool:submit(load 'return 42'):get() == 42)");
  lacus_pool_close(p);
  lua_close(L);
}

/* One more signal is one more call. */
static void the_handler_is_called (void) {
  int before = calls;
  CHECK(before >= 1);                     /* lacus's came through to it */
  CHECK_INT(raise(SIGURG), 0);
  CHECK_INT(calls, before + 1);
}

static void a_plain_handler (void) {
  install(0, on_signal, NULL);
  stop_tasks(1);
  the_handler_is_called();
}

static void a_handler_with_info (void) {
  install(SA_SIGINFO, NULL, on_signal_info);
  stop_tasks(1);
  the_handler_is_called();
  CHECK_INT(with_info, calls);
}

static void nobody (void) {
  install(0, SIG_IGN, NULL);
  stop_tasks(0);
  CHECK_INT(raise(SIGURG), 0);
}

static void test_a_handler_of_the_host_is_called_too (void) {
  in_a_process_of_its_own(a_plain_handler);
}

static void test_it_has_the_information_that_it_asked_for (void) {
  in_a_process_of_its_own(a_handler_with_info);
}

static void test_a_signal_that_was_ignored_stops_tasks (void) {
  in_a_process_of_its_own(nobody);
}

#endif

int main (void) {
#if !defined(NO_SIGNALS)
  RUN(test_a_handler_of_the_host_is_called_too);
  RUN(test_it_has_the_information_that_it_asked_for);
  RUN(test_a_signal_that_was_ignored_stops_tasks);
#endif
  return check_end();
}
