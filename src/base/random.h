/*
** random.h: a sequence of random words: xoshiro256**, by David Blackman and
** Sebastiano Vigna (prng.di.unimi.it, public domain), seeded as lmathlib.c of
** Lua 5.4 seeds it, so that whoever knows the seed gets the same numbers from
** stock Lua. Not for secrets. No locks: a sequence has one owner.
*/
#ifndef lc_random_h
#define lc_random_h

#include <stdint.h>

typedef struct Random { uint64_t s[4]; } Random;

/* The sequence that math.randomseed(n1, n2) begins. */
void lc_random_seed (Random *r, uint64_t n1, uint64_t n2);
uint64_t lc_random_next (Random *r);

/* A seed from a seed and a number: unlike it, and unlike those of its
** neighbours (the finalizer of SplitMix64, Steele, Lea and Flood 2014). */
uint64_t lc_random_split (uint64_t seed, uint64_t n);

#endif
