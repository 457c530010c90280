/*
** line.h: one line that somebody types: prompt, editing, history, completion.
** Stands on readline, or, without LACUS_READLINE, on nothing but stdio; knows
** no Lua. One process has one of these, as it has one terminal.
*/

#ifndef LC_HOST_LINE_H
#define LC_HOST_LINE_H

/* The i-th word (from 0) that `word` can become, or NULL. 0 begins anew. */
typedef const char *(*LineCandidate) (void *ud, const char *word, int i);

typedef enum LineEnd {
  LINE_READ,
  LINE_OVER,          /* the input has ended */
  LINE_INTERRUPTED    /* Ctrl-C: what was typed is gone */
} LineEnd;

/* Before the first line. `history`: a file to read the lines of earlier sessions
** from and to add those of this one to; NULL: none. It is kept, not copied. */
void lc_line_open (LineCandidate candidate, void *ud, const char *history);

/*
** Waits for a line; LINE_READ: *line is the caller's, to be freed by free(),
** without its newline. Ctrl-C ends the wait where somebody types; where the
** input comes from elsewhere, it does what it did before.
*/
LineEnd lc_line_read (const char *prompt, char **line);

/* `text` can be recalled from here on, in later sessions too. */
void lc_line_keep (const char *text);

#endif
