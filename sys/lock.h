/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a socket and of a poller: a POSIX mutex, or nothing where one thread runs everything.
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
#define gt_lock_init(lock) ((void)(lock))
#define gt_lock_fini(lock) ((void)(lock))
#define gt_lock_take(lock) ((void)(lock))
#define gt_lock_drop(lock) ((void)(lock))
#else
#include <pthread.h>
typedef pthread_mutex_t gt_lock;
#define gt_lock_init(lock) ((void)pthread_mutex_init((lock), NULL))
#define gt_lock_fini(lock) ((void)pthread_mutex_destroy(lock))
#define gt_lock_take(lock) ((void)pthread_mutex_lock(lock))
#define gt_lock_drop(lock) ((void)pthread_mutex_unlock(lock))
#endif

#endif
