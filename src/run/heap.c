#include "heap.h"

#include <string.h>

#include <lua.h>

#include "../base/pages.h"

/* The first chunk; each is twice the one before, up to the largest. */
#define CHUNK_FIRST ((size_t)8 * 1024)
#define CHUNK_MOST LC_PAGES

/* A sanitizer should see every block of Lua's: no chunks then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) \
    || defined(LACUS_PLAIN_HEAP)
#define HEAP_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) \
    || __has_feature(memory_sanitizer)
#define HEAP_PLAIN 1
#endif
#endif
#if !defined(HEAP_PLAIN)
#define HEAP_PLAIN 0
#endif

/* What no system has; a sanitizer would stop the program for asking. */
#define HEAP_MOST ((size_t)-1 / 8)

#if defined(__GNUC__)
#define HEAP_APART __attribute__((noinline))
#define HEAP_FETCH(p) __builtin_prefetch(p, 1)
#else
#define HEAP_APART
#define HEAP_FETCH(p) ((void)0)
#endif

struct HeapBlock { HeapBlock *next; };

struct HeapChunk {
  HeapChunk *next;
  size_t size;              /* all of it, this head included */
};

#define CHUNK_HEAD \
  ((sizeof(HeapChunk) + HEAP_UNIT - 1) / HEAP_UNIT * HEAP_UNIT)

void lc_heap_init (Heap *h, Mem *mem) {
  memset(h->free_, 0, sizeof h->free_);
  h->mem = mem;
  h->next = h->end = NULL;
  h->chunks = NULL;
  h->grow = CHUNK_FIRST;
  h->kept = NULL;
  h->nkept = h->bytes_kept = 0;
  h->refused = h->held = 0;
  h->cramped = h->shared = 0;
  lc_heap_limit(h, 0);
  atomic_store_explicit(&h->used, 0, memory_order_relaxed);
  atomic_store_explicit(&h->peak, 0, memory_order_relaxed);
}

/* It is this thread's alone again, or 0. */
static int heap_unshare (Heap *h) {
  int alone;
  lc_mutex_lock(&h->lock);
  alone = lc_heap_used(h) == 0;
  lc_mutex_unlock(&h->lock);
  if (alone) lc_mutex_free(&h->lock);
  return alone;
}

void lc_heap_clear (Heap *h) {
  if (h->shared && !heap_unshare(h)) return;
  h->shared = 0;
  lc_heap_trim(h);
  while (h->chunks != NULL) {
    HeapChunk *c = h->chunks;
    h->chunks = c->next;
    lc_mem_give(h->mem, c, c->size);
  }
  memset(h->free_, 0, sizeof h->free_);
  h->next = h->end = NULL;
  h->grow = CHUNK_FIRST;
  h->refused = h->held = 0;
  h->cramped = 0;
  lc_heap_limit(h, 0);
}

/* --- the limit ------------------------------------------------------------ */

/* The chunks of a state may be this many times its limit. */
#define CHUNKS_TIMES 2

/* Less room than this part of the limit is not halved any more. */
#define MARK_PART 16

static size_t heap_midway (const Heap *h, size_t used) {
  size_t room = h->limit > used ? h->limit - used : 0;
  return room < h->limit / MARK_PART ? h->limit : h->limit - room / 2;
}

/* Much was given back: half of what is left begins earlier again. */
static void heap_lower_mark (Heap *h, size_t used) {
  size_t mark = h->limit != 0 ? heap_midway(h, used) : h->mark;
  if (mark < h->mark) h->mark = mark;
}

void lc_heap_limit (Heap *h, size_t limit) {
  h->limit = limit;
  h->nudged = 0;
  if (limit == 0) h->mark = (size_t)-1;
  else h->mark = heap_midway(h, lc_heap_used(h));
}

/*
** Lua asks for an object: it collects when it gets none, and asks once more.
** (The tag is LUA_TSTRING or above; buffers and arrays have none.)
*/
static int heap_is_object (const void *p, size_t tag) {
  return p == NULL && tag >= 4;
}

/*
** Whether Lua may go from `used` to `want` bytes. With the mark at 0 its next
** request comes here, which is the repeated one.
*/
static int heap_may (Heap *h, size_t used, size_t want, int object) {
  if (h->nudged) {
    h->nudged = 0;
    h->mark = heap_midway(h, used);
  }
  else if (want > h->mark && object) {
    h->nudged = 1;
    h->mark = 0;
    return 0;
  }
  if (h->limit == 0 || want <= h->limit) return 1;
  h->refused++;
  return 0;
}

/* --- small blocks -------------------------------------------------------- */

static int heap_is_small (size_t size) {
  return !HEAP_PLAIN && size <= HEAP_SMALL;
}

static size_t heap_class (size_t size) {
  return (size + HEAP_UNIT - 1) / HEAP_UNIT;
}

static void heap_put (Heap *h, void *p, size_t class_) {
  HeapBlock *b = (HeapBlock *)p;
  b->next = h->free_[class_];
  h->free_[class_] = b;
}

/* A small block, from a free list or the newest chunk; else NULL. The next one of the
** list comes into the cache while Lua fills this one in: it may have been free for long. */
static inline void *heap_quick (Heap *h, size_t class_) {
  HeapBlock *b = h->free_[class_];
  size_t size = class_ * HEAP_UNIT;
  if (b != NULL) {
    h->free_[class_] = b->next;
    HEAP_FETCH(b->next);
    return b;
  }
  if ((size_t)(h->end - h->next) < size) return NULL;
  b = (HeapBlock *)(void *)h->next;
  h->next += size;
  return b;
}

/* What is left of a chunk that is too short goes to the free lists. */
static void heap_use_up (Heap *h) {
  size_t left = (size_t)(h->end - h->next) / HEAP_UNIT;
  if (left > 0 && left <= HEAP_SMALL / HEAP_UNIT) heap_put(h, h->next, left);
  h->next = h->end = NULL;
}

/* What the next chunk may have; 0: there may be none. */
static size_t heap_next_size (const Heap *h) {
  size_t size = h->grow, most = h->limit * CHUNKS_TIMES;
  if (h->limit == 0) return size;
  while (h->held + size > most && size > CHUNK_FIRST) size /= 2;
  return h->held + size > most ? 0 : size;
}

static int heap_more (Heap *h) {
  HeapChunk *c;
  size_t size = heap_next_size(h);
  if (size == 0 || (c = (HeapChunk *)lc_mem_take(h->mem, size)) == NULL) return 0;
  h->held += size;
  heap_use_up(h);
  c->size = size;
  c->next = h->chunks;
  h->chunks = c;
  h->next = (char *)c + CHUNK_HEAD;
  h->end = (char *)c + c->size;
  if (h->grow < CHUNK_MOST) h->grow *= 2;
  return 1;
}

/* No chunk is to be had: a larger block that is free is cut. */
static void *heap_cut (Heap *h, size_t class_) {
  size_t k;
  for (k = class_ + 1; k <= HEAP_SMALL / HEAP_UNIT; k++) {
    HeapBlock *b = h->free_[k];
    if (b == NULL) continue;
    h->free_[k] = b->next;
    heap_put(h, (char *)b + class_ * HEAP_UNIT, k - class_);
    return b;
  }
  h->cramped = 1;
  return NULL;
}

static void *heap_take (Heap *h, size_t class_) {
  void *p = heap_quick(h, class_);
  if (p == NULL && heap_more(h)) p = heap_quick(h, class_);
  return p != NULL ? p : heap_cut(h, class_);
}

/* --- huge blocks --------------------------------------------------------- */

static int heap_is_huge (size_t size) {
  return !HEAP_PLAIN && size >= HEAP_HUGE && size < (size_t)-1 / 2;
}

/* What a large block of `size` bytes really has. */
static size_t heap_whole (size_t size) {
  size_t step = HEAP_HUGE / 8;
  if (!heap_is_huge(size)) return size;
  while (size / step >= 16) step *= 2;
  return (size + step - 1) / step * step;
}

static void heap_unkeep (Heap *h, size_t i) {
  h->bytes_kept -= h->kept[i].size;
  h->nkept--;
  for (; i < h->nkept; i++) h->kept[i] = h->kept[i + 1];
}

static void *heap_from_kept (Heap *h, size_t whole) {
  size_t i = h->nkept;
  while (i-- > 0) {
    if (h->kept[i].size == whole) {
      void *p = h->kept[i].p;
      heap_unkeep(h, i);
      return p;
    }
  }
  return NULL;
}

static void heap_drop_oldest (Heap *h) {
  h->mem->fn(h->mem->ud, h->kept[0].p, h->kept[0].size, 0);
  heap_unkeep(h, 0);
}

#define KEPT_SIZE (HEAP_KEPT * sizeof(HeapKept))

void lc_heap_trim (Heap *h) {
  while (h->nkept > 0) heap_drop_oldest(h);
  if (h->kept != NULL) h->mem->fn(h->mem->ud, h->kept, KEPT_SIZE, 0);
  h->kept = NULL;
}

static size_t heap_may_keep (const Heap *h) {
  return h->limit != 0 && h->limit < HEAP_KEPT_BYTES ? h->limit : HEAP_KEPT_BYTES;
}

/* 0: it is too large, or there is no memory to note it. */
static int heap_keep (Heap *h, void *p, size_t whole) {
  size_t most = heap_may_keep(h);
  if (whole > most) return 0;
  if (h->kept == NULL)
    h->kept = (HeapKept *)h->mem->fn(h->mem->ud, NULL, 0, KEPT_SIZE);
  if (h->kept == NULL) return 0;
  while (h->nkept > 0 && (h->nkept == HEAP_KEPT || h->bytes_kept + whole > most))
    heap_drop_oldest(h);
  h->kept[h->nkept].p = p;
  h->kept[h->nkept++].size = whole;
  h->bytes_kept += whole;
  return 1;
}

/* --- the allocator ------------------------------------------------------- */

/*
** Relaxed throughout, and load-then-store instead of an atomic add: the
** owner is the only writer, the counts order nothing.
*/
static void heap_count (Heap *h, size_t used) {
  atomic_store_explicit(&h->used, used, memory_order_relaxed);
  if (used > atomic_load_explicit(&h->peak, memory_order_relaxed))
    atomic_store_explicit(&h->peak, used, memory_order_relaxed);
}

static void heap_free (Heap *h, void *p, size_t size) {
  if (p == NULL) return;
  if (heap_is_small(size)) heap_put(h, p, heap_class(size));
  else if (!heap_is_huge(size) || !heap_keep(h, p, heap_whole(size)))
    h->mem->fn(h->mem->ud, p, heap_whole(size), 0);
}

/* Before memory is said to be out, what is only kept is given back. */
static void *heap_new (Heap *h, size_t size) {
  void *p = NULL;
  if (heap_is_small(size)) p = heap_take(h, heap_class(size));
  else {
    if (heap_is_huge(size)) p = heap_from_kept(h, heap_whole(size));
    if (p == NULL) p = h->mem->fn(h->mem->ud, NULL, 0, heap_whole(size));
  }
  if (p != NULL || h->nkept == 0) return p;
  lc_heap_trim(h);
  return heap_new(h, size);
}

/* Between large ones. The system may let it grow where it is, but gives that page by
** page: one that is kept is there. */
static void *heap_resize_large (Heap *h, void *p, size_t osize, size_t nsize) {
  size_t old = heap_whole(osize), whole = heap_whole(nsize);
  void *q = NULL;
  if (old == whole) return p;
  if (nsize > osize && heap_is_huge(nsize)) q = heap_from_kept(h, whole);
  if (q != NULL) {
    memcpy(q, p, osize);
    heap_free(h, p, osize);
    return q;
  }
  q = h->mem->fn(h->mem->ud, p, old, whole);
  if (q != NULL || h->nkept == 0) return q;
  lc_heap_trim(h);
  return h->mem->fn(h->mem->ud, p, old, whole);
}

/* Between classes, or between small and large, it moves. */
static void *heap_resize (Heap *h, void *p, size_t osize, size_t nsize) {
  void *q;
  if (heap_is_small(osize) && heap_is_small(nsize)
      && heap_class(osize) == heap_class(nsize)) return p;
  if (!heap_is_small(osize) && !heap_is_small(nsize))
    return heap_resize_large(h, p, osize, nsize);
  q = heap_new(h, nsize);
  if (q == NULL) return NULL;
  memcpy(q, p, osize < nsize ? osize : nsize);
  heap_free(h, p, osize);
  return q;
}

/* The first block of lua_newstate; coroutines are small. */
static int heap_begins_state (const void *p, size_t tag, size_t nsize) {
  return p == NULL && tag == LUA_TTHREAD && nsize > HEAP_SMALL;
}

/* There is another one already: from here on it is shared. 0: the system gives no lock. */
static int heap_share (Heap *h) {
  if (!h->shared) h->shared = lc_mutex_init(&h->lock) == 0;
  return h->shared;
}

/* Everything but the two calls that Lua makes most. Apart from them: what it
** saves and restores would cost them a third of their time. */
HEAP_APART static void *heap_slow (Heap *h, void *p, size_t osize, size_t nsize,
                                   size_t used) {
  void *q;
  int object = heap_is_object(p, osize);
  if (used > 0 && heap_begins_state(p, osize, nsize) && !heap_share(h)) return NULL;
  if (p == NULL) osize = 0;            /* it is a type tag then */
  if (nsize == 0) {
    heap_free(h, p, osize);
    heap_count(h, used - osize);
    heap_lower_mark(h, used - osize);
    return NULL;
  }
  if (nsize > HEAP_MOST) {
    h->refused++;
    return NULL;
  }
  heap_lower_mark(h, used);
  if (nsize > osize && !heap_may(h, used, used - osize + nsize, object))
    return NULL;
  q = p == NULL ? heap_new(h, nsize) : heap_resize(h, p, osize, nsize);
  if (q != NULL) heap_count(h, used - osize + nsize);
  else h->refused++;
  return q;
}

/* A small array grows: each `{ f(), g() }` is made for one value, then for two. */
HEAP_APART static void *heap_grow (Heap *h, void *p, size_t osize, size_t nsize,
                                   size_t used) {
  size_t class_ = heap_class(nsize), more = nsize - osize;
  void *q = NULL;
  if (used + more <= h->mark)
    q = class_ == heap_class(osize) ? p : heap_quick(h, class_);
  if (q == NULL) return heap_slow(h, p, osize, nsize, used);
  if (q != p) {
    memcpy(q, p, osize);
    heap_put(h, p, heap_class(osize));
  }
  heap_count(h, used + more);
  return q;
}

/* What Lua asks for most: a small block, and one that is given back. */
static inline void *heap_call (Heap *h, void *p, size_t osize, size_t nsize) {
  size_t used = atomic_load_explicit(&h->used, memory_order_relaxed);
  if (p == NULL) {
    if (nsize - 1 < HEAP_SMALL && !HEAP_PLAIN && used + nsize <= h->mark) {
      void *q = heap_quick(h, heap_class(nsize));
      if (q != NULL) {
        heap_count(h, used + nsize);
        return q;
      }
    }
    if (nsize == 0) return NULL;       /* half of all tables free no array */
  }
  else if (nsize == 0 && heap_is_small(osize)) {
    heap_put(h, p, heap_class(osize));
    atomic_store_explicit(&h->used, used - osize, memory_order_relaxed);
    return NULL;
  }
  else if (nsize > osize && heap_is_small(nsize))
    return heap_grow(h, p, osize, nsize, used);
  return heap_slow(h, p, osize, nsize, used);
}

HEAP_APART static void *heap_locked (Heap *h, void *p, size_t osize, size_t nsize) {
  void *q;
  lc_mutex_lock(&h->lock);
  q = heap_call(h, p, osize, nsize);
  lc_mutex_unlock(&h->lock);
  return q;
}

void *lc_heap_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Heap *h = (Heap *)ud;
  if (h->shared) return heap_locked(h, p, osize, nsize);
  return heap_call(h, p, osize, nsize);
}

size_t lc_heap_used (Heap *h) {
  return atomic_load_explicit(&h->used, memory_order_relaxed);
}
