#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/thread.h"

static const char usage[] =
  "usage: %s [options] [script [args]]\n"
  "Available options are:\n"
  "  -e stat   execute string 'stat'\n"
  "  -i        enter interactive mode after executing 'script'\n"
  "  -l mod    require library 'mod' into global 'mod'\n"
  "  -l g=mod  require library 'mod' into global 'g'\n"
  "  -v        show version information\n"
  "  -E        ignore environment variables\n"
  "  -W        turn warnings on\n"
  "  -j n      give pools n workers, unless they ask for another number\n"
  "  --help    show this text\n"
  "  --        stop handling options\n"
  "  -         stop handling options and execute stdin\n";

static const char variables[] =
  "Environment variables are:\n"
  "  LUA_INIT, LUA_PATH, LUA_CPATH   as for lua; with _5_4, too\n"
  "  LACUS_WORKERS   n, as -j n\n"
  "  LACUS_HISTORY   file that keeps what was typed (~/.lacus_history)\n";

static int is_alone (const char *word) {
  return word[2] == '\0';
}

/* An option's argument may not look like an option: `lua` refuses it too. */
static int skip_argument (char **argv, int i) {
  if (!is_alone(argv[i])) return i;
  if (argv[i + 1] == NULL || argv[i + 1][0] == '-') return 0;
  return i + 1;
}

int lc_options_workers (const char *text) {
  char *end;
  long n;
  if (text[0] < '0' || text[0] > '9') return -1;    /* strtol takes blanks */
  n = strtol(text, &end, 10);
  return *end == '\0' && n <= LC_WORKERS_MOST ? (int)n : -1;
}

static int letter_flags (const char *word) {
  if (!is_alone(word)) return OPT_ERROR;
  switch (word[1]) {
    case 'E': return OPT_NO_ENV;
    case 'i': return OPT_INTERACTIVE | OPT_VERSION;
    case 'v': return OPT_VERSION;
    case 'W': return 0;
    default: return OPT_ERROR;
  }
}

/* Reads the option at argv[*i]. OPT_ERROR if it is none: *i stays then. */
static void read_option (char **argv, int *i, Options *o) {
  char letter = argv[*i][1];
  if (strcmp(argv[*i], "--help") == 0) o->flags |= OPT_HELP;
  else if (strchr("elj", letter) == NULL) o->flags |= letter_flags(argv[*i]);
  else {
    int last = skip_argument(argv, *i);
    if (letter == 'e') o->flags |= OPT_EXECUTE;
    if (last != 0 && letter == 'j') {
      int word = *i;
      o->workers = lc_options_workers(lc_option_argument(argv, &word));
      if (o->workers < 0) last = 0;
    }
    if (last == 0) o->flags |= OPT_ERROR;
    else *i = last;
  }
}

Options lc_options_read (char **argv) {
  Options o = {0, 0, -1};
  int i;
  for (i = argv[0] ? 1 : 0; argv[i] != NULL; i++) {
    o.first = i;
    if (argv[i][0] != '-' || argv[i][1] == '\0') return o;
    if (argv[i][1] == '-' && is_alone(argv[i])) {
      o.first = i + 1;
      return o;
    }
    read_option(argv, &i, &o);
    if (o.flags & (OPT_ERROR | OPT_HELP)) return o;
  }
  o.first = i;
  return o;
}

const char *lc_option_argument (char **argv, int *i) {
  return is_alone(argv[*i]) ? argv[++*i] : argv[*i] + 2;
}

void lc_options_help (const char *program) {
  printf(usage, program);
  fputs(variables, stdout);
  fflush(stdout);
}

void lc_options_usage (const char *program, char **argv, int bad) {
  const char *word = argv[bad];
  int known = word[1] != '\0' && strchr("elj", word[1]) != NULL;
  if (known && skip_argument(argv, bad) == 0)
    fprintf(stderr, "%s: '%s' needs argument\n", program, word);
  else if (known)
    fprintf(stderr, "%s: '-j' needs a number of workers from 0 to %d, "
                    "got '%s'\n", program, LC_WORKERS_MOST,
            lc_option_argument(argv, &bad));
  else
    fprintf(stderr, "%s: unrecognized option '%s'\n", program, word);
  fprintf(stderr, usage, program);
  fflush(stderr);
}
