/*
** options.h: the command line of `lacus`, read but not acted upon.
** Stands on nothing; knows no Lua. The order in which options act is main.c's.
*/

#ifndef LC_HOST_OPTIONS_H
#define LC_HOST_OPTIONS_H

enum {
  OPT_ERROR = 1,    /* argv[first] is the option that was refused */
  OPT_EXECUTE = 2,  /* -e */
  OPT_VERSION = 4,  /* -v */
  OPT_NO_ENV = 8    /* -E */
};

typedef struct Options {
  int flags;
  int first;        /* index in argv of the script, or argc if there is none */
} Options;

Options lc_options_read (char **argv);

/*
** The argument of the -e or -l at argv[*i], joined to it or standing after it;
** *i then names the last word that belongs to the option.
*/
const char *lc_option_argument (char **argv, int *i);

void lc_options_usage (const char *program, const char *bad);

#endif
