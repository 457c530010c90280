#include "common.h"

#include <string.h>

static void ident_free (Shared *s) {
  Ident *i = (Ident *)s;
  lc_mem_free(i->mem, i, sizeof(Ident));
}

static void code_free (Shared *s) {
  Code *c = (Code *)s;
  lc_mem_free(c->mem, c, sizeof(Code) + c->len);
}

static void image_free (Shared *s) {
  Image *i = (Image *)s;
  lc_message_drop(&i->content);
  lc_shared_release(&i->ident->head);
  lc_mem_free(i->mem, i, sizeof(Image));
}

const SharedKind lc_ident_kind = {"lacus.ident", ident_free};
const SharedKind lc_code_kind = {"lacus.code", code_free};
const SharedKind lc_image_kind = {"lacus.image", image_free};

Ident *lc_ident_new (Mem *mem, int isclass) {
  Ident *i = (Ident *)lc_mem_alloc(mem, sizeof(Ident));
  if (i == NULL) return NULL;
  lc_shared_init(&i->head, &lc_ident_kind);
  i->mem = mem;
  i->isclass = isclass;
  return i;
}

Code *lc_code_new (Mem *mem, const unsigned char *bytes, size_t len,
                   uint64_t hash) {
  Code *c = (Code *)lc_mem_alloc(mem, sizeof(Code) + len);
  if (c == NULL) return NULL;
  lc_shared_init(&c->head, &lc_code_kind);
  c->mem = mem;
  c->len = len;
  c->hash = hash;
  memcpy((void *)(c + 1), bytes, len);
  return c;
}

Image *lc_image_new (Mem *mem, Ident *ident, uint64_t version,
                     Message *content) {
  Image *i = (Image *)lc_mem_alloc(mem, sizeof(Image));
  if (i == NULL) return NULL;
  lc_shared_init(&i->head, &lc_image_kind);
  i->mem = mem;
  i->ident = ident;
  lc_shared_hold(&ident->head);
  i->version = version;
  i->content = *content;
  lc_message_init(content, content->mem);
  return i;
}

const char *lc_code_bytes (const Code *code) {
  return (const char *)(code + 1);
}

uint64_t lc_code_hash (const unsigned char *bytes, size_t len) {
  uint64_t h = 0x9E3779B97F4A7C15u ^ len, w;
  for (; len >= 8; len -= 8, bytes += 8) {
    memcpy(&w, bytes, 8);
    h = (h ^ w) * 0xFF51AFD7ED558CCDu;
    h ^= h >> 32;
  }
  w = 0;
  memcpy(&w, bytes, len);
  h = (h ^ w) * 0xFF51AFD7ED558CCDu;
  return h ^ (h >> 29);
}
