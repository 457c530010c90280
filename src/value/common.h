/*
** common.h: the immutable things that states have in common: identities,
** code, images of classes. Stands on base/ and message.h; knows nothing of
** Lua. Each is counted, and the last holder frees it on whatever thread.
*/
#ifndef lc_common_h
#define lc_common_h

#include <stddef.h>
#include <stdint.h>

#include "../base/mem.h"
#include "../base/shared.h"
#include "message.h"

/* "The same function", "the same class", in whichever state: its address. */
typedef struct Ident {
  Shared head;
  Mem *mem;
  int isclass;
} Ident;

/* What lua_dump gave for a function, debug information and all. */
typedef struct Code {
  Shared head;
  Mem *mem;
  size_t len;
  uint64_t hash;
} Code;

/*
** The content of a class at one moment. Its record names other classes by
** ident alone: were it to hold their images, two classes that know each
** other would hold each other for ever.
*/
typedef struct Image {
  Shared head;
  Mem *mem;
  Ident *ident;
  uint64_t version;     /* rises; only the state that made the class counts */
  Message content;      /* one record of one table */
} Image;

extern const SharedKind lc_ident_kind;
extern const SharedKind lc_code_kind;
extern const SharedKind lc_image_kind;

/* All: the caller holds the result; NULL when there is no memory. */
Ident *lc_ident_new (Mem *mem, int isclass);
Code *lc_code_new (Mem *mem, const unsigned char *bytes, size_t len,
                   uint64_t hash);
/* Takes over what `content` holds, and leaves that empty. */
Image *lc_image_new (Mem *mem, Ident *ident, uint64_t version,
                     Message *content);

const char *lc_code_bytes (const Code *code);
uint64_t lc_code_hash (const unsigned char *bytes, size_t len);

#endif
