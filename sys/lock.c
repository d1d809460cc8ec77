/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a lock, and waking who waits: futex(2). */
#include "sys/lock.h"

#if defined(__linux__) && !defined(GT_SINGLE_THREADED)
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void gt_lock_await(gt_lock *lock) {
    int before = errno;

    /* Who gets it here can't know whether he was the only one to wait, and so leaves it AWAITED. */
    while (__atomic_exchange_n(&lock->state, GT_LOCK_AWAITED, __ATOMIC_ACQUIRE) != GT_LOCK_FREE)
        (void)syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, GT_LOCK_AWAITED, NULL, NULL, 0);
    errno = before;
}

void gt_lock_wake(gt_lock *lock) {
    int before = errno;

    (void)syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = before;
}
#else
typedef int gt_no_futex_here;
#endif
