#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

/* ---- Ctrl-C while nothing runs ---- */

static volatile sig_atomic_t interrupted;

static void note_interrupt (int number) {
  (void)number;
  interrupted = 1;
}

/* SIGINT is taken note of from here on, and ends a wait. */
static void guard (struct sigaction *before) {
  struct sigaction action;
  interrupted = 0;
  memset(&action, 0, sizeof(action));
  action.sa_handler = note_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, before);
}

static void unguard (const struct sigaction *before) {
  sigaction(SIGINT, before, NULL);
}

#if defined(LACUS_READLINE)

#include <readline/history.h>
#include <readline/readline.h>

/* Lines that the history file holds from one session to the next. */
#define HISTORY_MOST 1000

static LineCandidate candidate_of;
static void *candidate_ud;
static const char *history_file;

/* ---- completion ---- */

static char *next_candidate (const char *word, int again) {
  static int at;
  const char *text;
  at = again ? at + 1 : 0;
  text = candidate_of(candidate_ud, word, at);
  return text ? strdup(text) : NULL;
}

/* Within quotes readline completes the names of files. */
static char **complete (const char *word, int from, int to) {
  (void)from; (void)to;
  if (rl_completion_quote_character != 0) return NULL;
  rl_attempted_completion_over = 1;
  rl_completion_append_character = '\0';
  return rl_completion_matches(word, next_candidate);
}

/* ---- history ---- */

/* Time stamps part its entries, so that one may have several lines. */
static void open_history (void) {
  int fd = open(history_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    history_file = NULL;      /* a home that cannot be written: none, then */
    return;
  }
  close(fd);
  history_comment_char = '#';
  history_write_timestamps = 1;
  read_history(history_file);
  if (history_length > HISTORY_MOST)
    history_truncate_file(history_file, HISTORY_MOST);
}

void lc_line_keep (const char *text) {
  HIST_ENTRY *last = history_length > 0
                     ? history_get(history_base + history_length - 1) : NULL;
  if (text[0] == '\0' || (last != NULL && strcmp(last->line, text) == 0))
    return;
  add_history(text);
  if (history_file != NULL) append_history(1, history_file);
}

/* ---- reading ---- */

/* Waits for input or a signal. SIGINT comes within the wait alone, so that none
** is lost between the look at its note and the wait. */
static void await_input (int fd) {
  sigset_t sigint, before;
  fd_set set;
  sigemptyset(&sigint);
  sigaddset(&sigint, SIGINT);
  sigprocmask(SIG_BLOCK, &sigint, &before);
  FD_ZERO(&set);
  FD_SET(fd, &set);
  if (!interrupted) pselect(fd + 1, &set, NULL, NULL, NULL, &before);
  sigprocmask(SIG_SETMASK, &before, NULL);
}

/* An interrupted line becomes an empty one, and ends. */
static int next_byte (FILE *input) {
  int fd = fileno(input);
  for (;;) {
    unsigned char byte;
    ssize_t n;
    await_input(fd);
    if (interrupted) {
      fputs("^C", rl_outstream);
      rl_replace_line("", 0);
      return '\n';
    }
    rl_check_signals();       /* the window may have another size */
    n = read(fd, &byte, 1);
    if (n == 1) return byte;
    if (n == 0 || errno != EINTR) return EOF;
  }
}

void lc_line_open (LineCandidate candidate, void *ud, const char *history) {
  candidate_of = candidate;
  candidate_ud = ud;
  history_file = history;
  rl_readline_name = "lacus";
  rl_attempted_completion_function = complete;
  rl_completer_quote_characters = "\"'";
  rl_basic_word_break_characters = " \t\n\"\\'=<>~+-*/%^#&|(){}[],;";
  rl_outstream = stdout;
  using_history();
  if (history_file != NULL) open_history();
  if (isatty(STDIN_FILENO)) {
    rl_catch_signals = 0;
    rl_getc_function = next_byte;
  }
}

LineEnd lc_line_read (const char *prompt, char **line) {
  struct sigaction before;
  int typed = isatty(STDIN_FILENO);
  if (typed) guard(&before);
  *line = readline(prompt);
  if (typed) unguard(&before);
  if (!typed || !interrupted) return *line ? LINE_READ : LINE_OVER;
  free(*line);
  return LINE_INTERRUPTED;
}

#else

void lc_line_open (LineCandidate candidate, void *ud, const char *history) {
  (void)candidate; (void)ud; (void)history;
}

void lc_line_keep (const char *text) { (void)text; }

/* What a terminal would echo: a transcript has it too. */
static void echo (const char *line) {
  fputs(line, stdout);
  fputc('\n', stdout);
  fflush(stdout);
}

static char *read_line (void) {
  char *line = NULL;
  size_t room = 0;
  ssize_t n = getline(&line, &room, stdin);
  if (n > 0 && line[n - 1] == '\n') line[n - 1] = '\0';
  if (n >= 0) return line;
  clearerr(stdin);
  free(line);
  return NULL;
}

LineEnd lc_line_read (const char *prompt, char **line) {
  struct sigaction before;
  int typed = isatty(STDIN_FILENO);
  fputs(prompt, stdout);
  fflush(stdout);
  if (typed) guard(&before);
  *line = read_line();
  if (typed) unguard(&before);
  if (!typed && *line != NULL) echo(*line);
  if (!typed || !interrupted) return *line ? LINE_READ : LINE_OVER;
  free(*line);
  echo("");
  return LINE_INTERRUPTED;
}

#endif
