#include "options.h"

#include <stdio.h>

static const char usage[] =
  "usage: %s [options] [script [args]]\n"
  "Available options are:\n"
  "  -e stat   execute string 'stat'\n"
  "  -l mod    require library 'mod' into global 'mod'\n"
  "  -l g=mod  require library 'mod' into global 'g'\n"
  "  -v        show version information\n"
  "  -E        ignore environment variables\n"
  "  -W        turn warnings on\n"
  "  --        stop handling options\n"
  "  -         stop handling options and execute stdin\n";

static int is_alone (const char *word) {
  return word[2] == '\0';
}

/* An option's argument may not look like an option: `lua` refuses it too. */
static int skip_argument (char **argv, int i) {
  if (!is_alone(argv[i])) return i;
  if (argv[i + 1] == NULL || argv[i + 1][0] == '-') return 0;
  return i + 1;
}

/* Reads the option at argv[*i] into *flags; OPT_ERROR there if it is none. */
static void read_option (char **argv, int *i, int *flags) {
  const char *word = argv[*i];
  int last;
  switch (word[1]) {
    case 'E': *flags |= is_alone(word) ? OPT_NO_ENV : OPT_ERROR; break;
    case 'v': *flags |= is_alone(word) ? OPT_VERSION : OPT_ERROR; break;
    case 'W': *flags |= is_alone(word) ? 0 : OPT_ERROR; break;
    case 'e':
    case 'l':
      last = skip_argument(argv, *i);
      if (word[1] == 'e') *flags |= OPT_EXECUTE;
      if (last == 0) *flags |= OPT_ERROR;
      else *i = last;
      break;
    default: *flags |= OPT_ERROR;
  }
}

Options lc_options_read (char **argv) {
  Options o = {0, 0};
  int i;
  for (i = argv[0] ? 1 : 0; argv[i] != NULL; i++) {
    o.first = i;
    if (argv[i][0] != '-' || argv[i][1] == '\0') return o;
    if (argv[i][1] == '-' && is_alone(argv[i])) {
      o.first = i + 1;
      return o;
    }
    read_option(argv, &i, &o.flags);
    if (o.flags & OPT_ERROR) return o;
  }
  o.first = i;
  return o;
}

const char *lc_option_argument (char **argv, int *i) {
  return is_alone(argv[*i]) ? argv[++*i] : argv[*i] + 2;
}

void lc_options_usage (const char *program, const char *bad) {
  if (bad[1] == 'e' || bad[1] == 'l')
    fprintf(stderr, "%s: '%s' needs argument\n", program, bad);
  else
    fprintf(stderr, "%s: unrecognized option '%s'\n", program, bad);
  fprintf(stderr, usage, program);
  fflush(stderr);
}
