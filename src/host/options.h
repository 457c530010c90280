/*
** options.h: the command line of `lacus`, read but not acted upon.
** Stands on base/; knows no Lua. The order in which options act is main.c's.
*/

#ifndef LC_HOST_OPTIONS_H
#define LC_HOST_OPTIONS_H

enum {
  OPT_ERROR = 1,        /* argv[first] is the option that was refused */
  OPT_EXECUTE = 2,      /* -e */
  OPT_VERSION = 4,      /* -v */
  OPT_NO_ENV = 8,       /* -E */
  OPT_INTERACTIVE = 16, /* -i */
  OPT_HELP = 32         /* --help: nothing else is done */
};

typedef struct Options {
  int flags;
  int first;        /* index in argv of the script, or argc if there is none */
  int workers;      /* -j; -1 without it */
} Options;

Options lc_options_read (char **argv);

/*
** The argument of the -e, -l or -j at argv[*i], joined to it or standing after
** it; *i then names the last word that belongs to the option.
*/
const char *lc_option_argument (char **argv, int *i);

/* A number of workers, or -1 if `text` is none that a pool takes. */
int lc_options_workers (const char *text);

void lc_options_help (const char *program);

/* Says on stderr what is wrong with the option argv[bad], and how it is done. */
void lc_options_usage (const char *program, char **argv, int bad);

#endif
