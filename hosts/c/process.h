/* SPDX-License-Identifier: Apache-2.0 */
/* A process: a thread's mailbox, its poller, and the sockets that it owns.
 *
 *            first use                    the thread ends, or gentcp_exit
 *   (none) ────────────▶ alive, awake ◀──▶ asleep ─ ─ ─▶ not alive: closes its sockets, running its poller until they
 * are gt_process_pause         gone; then its last reference, and with it its poller
 *
 * Letters (messages on their way) are appended by any thread. Only a process that sleeps is woken by a write to its
 * poller's wake descriptor; one whose poller is part of the caller's own loop counts as asleep while it doesn't run it.
 */
#ifndef GT_C_PROCESS_H
#define GT_C_PROCESS_H

#include "gentcp.h"
#include "hosts/c/block.h"
#include "hosts/c/table.h"
#include "pollers/poller.h"

typedef struct gt_letter gt_letter;
typedef struct gt_link gt_link;

/* A place in a ring; alone, it points to itself. */
struct gt_link {
    gt_link *next;
    gt_link *previous;
};

typedef struct gt_letters {
    gt_letter *first;
    gt_letter *last;
    size_t count;
} gt_letters;

typedef struct gt_process {
    gt_slot slot;
    gt_lock lock;      /* guards what is below, but for poller and what is the thread's own */
    gt_poller *poller; /* never changes */
    gt_letters mailbox;
    gt_link sockets;  /* what it owns: gt_csocket.link */
    gt_link monitors; /* what it monitors: gt_monitor.by_watcher, guarded by the lock of monitors */
    gt_link leaving;  /* those of them that its end has closed, and which still flush */
    bool alive;       /* letters and sockets are accepted. This and looped only its thread changes */
    bool asleep;      /* its thread waits, or is about to */
    bool looped;      /* its poller is part of the caller's own loop */
    bool inside;      /* its thread runs the poller, and looks into the mailbox afterwards */
    bool signalled;   /* the poller was woken, and has not been run since */
    /* These are the thread's own: */
    gt_letters near;    /* what is in front of the mailbox: see mailbox.h */
    size_t before_poll; /* messages to be taken before the poller is run again */
    bool keeps_blocks;  /* gt_memory_is_kept */
    gt_blocks blocks;
} gt_process;

/* What belongs to a thread; ended by a destructor of a thread-specific key. */
typedef struct gt_thread {
    gt_process *process; /* NULL: none yet */
    uint8_t *scratch;
} gt_thread;

extern _Thread_local gt_thread gt_this_thread __attribute__((visibility("hidden")));

/* The calling thread's process or NULL. */
static inline gt_process *gt_process_current(void) {
    return gt_this_thread.process;
}

/* Makes the calling thread's process: 0, -ENOMEM, or what opening a poller answers. */
int gt_process_make(gt_process **out);

/* The calling thread's process, made if there is none: 0, or the error of that. */
static inline int gt_process_self(gt_process **out) {
    *out = gt_process_current();
    return *out != NULL ? 0 : gt_process_make(out);
}

/* A reference to a process that is alive; GT_BADARG otherwise. It may end at any time. */
int gt_process_get(gentcp_pid pid, gt_process **out);
void gt_process_keep(gt_process *process);
/* Without locks: the last one closes the poller. */
void gt_process_drop(gt_process *process);

/* Runs the poller of the calling thread's process, for at most timeout_ms (-1: for ever) or until gt_process_notify.
 * Called with the process locked; the lock is not held while the poller runs. 0 or a negative errno. */
int gt_process_pause(gt_process *self, int64_t timeout_ms);
/* Wakes a process that sleeps, unless it was woken already. Called with it locked. */
void gt_process_wake(gt_process *process);

/* There is something new for the process: wakes it if it sleeps. Called with it locked. */
static inline void gt_process_notify(gt_process *process) {
    if ((process->looped && !process->inside) || (process->asleep && process != gt_process_current()))
        gt_process_wake(process);
}

/* A call that has run the poller ends: the caller's own loop is told of what is still to be received, because the run
 * has taken the sign of it. Called with the process locked. */
static inline void gt_process_leave(gt_process *self) {
    if (self->near.first != NULL || self->mailbox.first != NULL)
        gt_process_notify(self);
}

/* 64 KiB that belong to the calling thread; NULL: no memory. */
uint8_t *gt_thread_scratch(size_t *size);

void gt_ring_init(gt_link *ring);
void gt_ring_add(gt_link *ring, gt_link *link);
void gt_ring_remove(gt_link *link);

#endif
