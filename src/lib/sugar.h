/*
** sugar.h: the Lua part of lacus, as data.
**
** With LACUS_EMBED, every file lua/lacus/NAME.lua (but types.lua) is compiled by
** tools/embed.c when lacus is built, and stands here as bytecode (as text in the
** amalgamation, which is made for any Lua 5.4), so that the binaries need no
** installed file. A rock is built without LACUS_EMBED and
** requires the same files from where LuaRocks has put them.
*/

#ifndef LC_SUGAR_H
#define LC_SUGAR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct LcSugar {
  const char *name;           /* NAME, without "lacus."; NULL ends the list */
  const unsigned char *data;  /* load it as chunk "@lacus/NAME.lua" */
  size_t len;
} LcSugar;

extern const LcSugar lc_sugar[];

#ifdef __cplusplus
}
#endif

#endif
