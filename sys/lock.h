/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a socket and of a poller: a mutex, or nothing where one thread runs everything (GT_SINGLE_THREADED).
 *
 * On Linux it is a futex(2) of four bytes: a POSIX mutex has forty, as many as a seventh of an idle socket may have,
 * for kinds, robustness and priorities that nobody asks for here. Otherwise it is the same: not recursive, without
 * spinning, asleep in the kernel while another thread has it. Elsewhere it is a POSIX mutex. The thread sanitizer is
 * told of it as of a mutex, so that it sees the lock order, too.
 *
 * Lock order, outermost first; a lock is only taken while holding those above it:
 *
 *   1. gt_socket.lock of a listener
 *   2. gt_socket.lock of a connection; two only when a listener takes a connection in
 *   3. gt_poller.lock: the poller's lists; its callbacks are called without it
 *   4. the host's own locks (a process of the C host), taken inside complete, deliver, reown and closed
 */
#ifndef GT_LOCK_H
#define GT_LOCK_H

#ifdef GT_SINGLE_THREADED
typedef struct gt_lock {
    char unused;
} gt_lock;
#define GT_LOCK_INIT                                                                                                   \
    { 0 }
#define gt_lock_init(lock) ((void)(lock))
#define gt_lock_fini(lock) ((void)(lock))
#define gt_lock_take(lock) ((void)(lock))
#define gt_lock_drop(lock) ((void)(lock))

#elif defined(__linux__)
#include <stdint.h>

/*          take               another take: it sleeps
 *   FREE ───────▶ TAKEN ─────────────────────────────▶ AWAITED
 *    ▲              │ drop                                │ drop: wakes one, which
 *    └──────────────┴─────────────────────────────────────┘ makes it AWAITED again: others may sleep */
enum { GT_LOCK_FREE, GT_LOCK_TAKEN, GT_LOCK_AWAITED };

typedef struct gt_lock {
    uint32_t state;
} gt_lock;
#define GT_LOCK_INIT                                                                                                   \
    { GT_LOCK_FREE }

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define GT_LOCK_TSAN
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define GT_LOCK_TSAN
#endif
#ifdef GT_LOCK_TSAN
#include <sanitizer/tsan_interface.h>
#define GT_LOCK_TELL(event, ...) __tsan_mutex_##event(__VA_ARGS__)
#else
#define GT_LOCK_TELL(event, ...) ((void)0)
#endif

/* The slow halves of taking and dropping. errno stays as it is. */
void gt_lock_await(gt_lock *lock);
void gt_lock_wake(gt_lock *lock);

static inline void gt_lock_init(gt_lock *lock) {
    lock->state = GT_LOCK_FREE;
    GT_LOCK_TELL(create, lock, __tsan_mutex_not_static);
}

static inline void gt_lock_fini(gt_lock *lock) {
    (void)lock;
    GT_LOCK_TELL(destroy, lock, __tsan_mutex_not_static);
}

static inline void gt_lock_take(gt_lock *lock) {
    uint32_t state = GT_LOCK_FREE;

    GT_LOCK_TELL(pre_lock, lock, 0);
    if (!__atomic_compare_exchange_n(&lock->state, &state, GT_LOCK_TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        gt_lock_await(lock);
    GT_LOCK_TELL(post_lock, lock, 0, 0);
}

/* Once it is free another thread may take it, drop it and release its memory: all that may happen to the address then
 * is a wake too many. */
static inline void gt_lock_drop(gt_lock *lock) {
    GT_LOCK_TELL(pre_unlock, lock, 0);
    if (__atomic_exchange_n(&lock->state, GT_LOCK_FREE, __ATOMIC_RELEASE) == GT_LOCK_AWAITED)
        gt_lock_wake(lock);
    GT_LOCK_TELL(post_unlock, lock, 0);
}

#else
#include <pthread.h>
typedef pthread_mutex_t gt_lock;
#define GT_LOCK_INIT       PTHREAD_MUTEX_INITIALIZER
#define gt_lock_init(lock) ((void)pthread_mutex_init((lock), NULL))
#define gt_lock_fini(lock) ((void)pthread_mutex_destroy(lock))
#define gt_lock_take(lock) ((void)pthread_mutex_lock(lock))
#define gt_lock_drop(lock) ((void)pthread_mutex_unlock(lock))
#endif

#endif
