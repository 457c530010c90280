#include "random.h"

static uint64_t random_rotate (uint64_t x, int n) {
  return (x << n) | (x >> (64 - n));
}

uint64_t lc_random_next (Random *r) {
  uint64_t *s = r->s;
  uint64_t word = random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = random_rotate(s[3], 45);
  return word;
}

/* 0xff: the state must not be all zeros. The first words are thrown away, for
** they are still close to the seed. */
void lc_random_seed (Random *r, uint64_t n1, uint64_t n2) {
  int i;
  r->s[0] = n1;
  r->s[1] = 0xff;
  r->s[2] = n2;
  r->s[3] = 0;
  for (i = 0; i < 16; i++) lc_random_next(r);
}

uint64_t lc_random_split (uint64_t seed, uint64_t n) {
  uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}
