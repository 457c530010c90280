/*
** atomic.h: C11 atomics under the names of <stdatomic.h>, also for C++.
** Stands on the compiler alone.
**
** House rule: write `_Atomic(T)` with parentheses and call the explicit
** forms (`atomic_load_explicit` ...), so that the same line means the same
** thing in both languages. A memory order other than seq_cst says beside it
** which two operations it orders.
*/
#ifndef lc_atomic_h
#define lc_atomic_h

#ifdef __cplusplus
#include <atomic>
#define _Atomic(T) std::atomic<T>
using std::atomic_compare_exchange_strong_explicit;
using std::atomic_exchange_explicit;
using std::atomic_fetch_add_explicit;
using std::atomic_fetch_sub_explicit;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_thread_fence;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
#else
#include <stdatomic.h>
#endif

#endif
