/* SPDX-License-Identifier: Apache-2.0 */
/* Monitors: who is to be told that a socket is closed. They stand beside the sockets, so that one without monitors has
 * nothing of them, and hold the letter that tells it.
 *
 * Locks: one for all monitors, taken with a socket locked or not, and before a process. */
#ifndef GT_C_MONITOR_H
#define GT_C_MONITOR_H

#include "hosts/c/socket.h"

typedef struct gt_monitor {
    gt_slot slot;
    gt_letter letter; /* guarded by the watcher's lock */
    gentcp_socket socket;
    int reason; /* set before the letter is posted */
    bool down;  /* the letter was posted, or the watcher has ended. This and what follows: by the monitors' lock */
    gt_process *watcher; /* without a reference: it takes its monitors with it */
    gt_link by_socket;   /* these two: not down */
    gt_link by_watcher;
} gt_monitor;

/* The socket is gone: tells those who monitor it. No monitor is added afterwards. Any lock but a process's. */
void gt_monitors_tell(gt_csocket *socket);
/* Drops the monitors of a process that has ended, but for those whose letters are in its mailbox. Without locks. */
void gt_monitors_forget(gt_process *watcher);
/* Drops a reference; the last one frees it. Any lock. */
void gt_monitor_drop(gt_monitor *monitor);

static inline gt_monitor *gt_monitor_of(gt_letter *letter) {
    return (gt_monitor *)(void *)((char *)letter - offsetof(gt_monitor, letter));
}

#endif
