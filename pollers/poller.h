/* SPDX-License-Identifier: Apache-2.0 */
/* A poller tells which descriptors are ready, and when deadlines have passed.
 *
 * It starts no thread: its host calls gt_poller_run, from one thread at a time and not from a callback. Everything
 * else may be called from any thread, with the lock of a socket held or not. Callbacks are made from gt_poller_run
 * alone (`forgotten` also from gt_poller_remove), without the poller's lock.
 *
 * Readiness is edge-triggered for the user of a poller, whichever the backend: after a report of GT_READABLE there
 * need not be another until gt_poller_want(watch, GT_READABLE) has been called and more has arrived. A report is a
 * hint: the call that follows may still say EAGAIN. Adding a watch wants everything; more than what is wanted may be
 * reported, but what isn't wanted need not be, a hangup included.
 *
 * Taking out races with reporting. What the running thread itself removes, from a callback, is not reported any more.
 * What another thread removes or clears while a run is under way may be reported once more, if that report had begun
 * or was about to: so users look at their own state, under their own lock, before they believe a report. The memory
 * of a watch, and of the deadlines in the same struct if they were cleared before, stays until it is forgotten. */
#ifndef GT_POLLER_H
#define GT_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/lock.h"

typedef struct gt_poller gt_poller;
typedef struct gt_watch gt_watch;
typedef struct gt_deadline gt_deadline;
typedef struct gt_backend gt_backend;

enum gt_readiness {
    GT_READABLE = 1, /* bytes, a connection or an end can be read */
    GT_WRITABLE = 2, /* there is room, or a connect was decided */
    GT_HANGUP = 4,   /* the peer has ended or broken the connection: reading will reach that end */
};

enum { GT_SLOT_BITS = 21 }; /* with the two other fields, 32 */

/* A descriptor under watch, embedded in its user's struct. */
struct gt_watch {
    int fd; /* -1: not open */
    /* Guarded by the poller's lock, as are the lists: */
    unsigned slot : GT_SLOT_BITS; /* the backend's: where it stands in an array */
    unsigned interest : 3;        /* the backend's: what is wanted */
    unsigned char on;             /* on which list it stands: turns, dead, or none */
    gt_poller *poller;            /* set by adding, and left by removal. Guarded by the user's lock */
    gt_watch *next;
    gt_watch *previous;
};

/* A moment at which to be called, embedded in its user's struct. Zeroed: not set. */
struct gt_deadline {
    int64_t at;        /* gt_sys_now's milliseconds */
    gt_deadline *next; /* NULL: not set */
    gt_deadline *previous;
};

/* What the user of a poller is told. Called from gt_poller_run, without locks; each may call the poller. */
typedef struct gt_poller_user {
    /* readiness: a set of gt_readiness; 0: the turn of a watch that asked for one with gt_poller_again. */
    void (*ready)(gt_watch *watch, int readiness);
    /* A deadline has passed (and is no longer set). */
    void (*expired)(gt_deadline *deadline);
    /* A removed watch will not be touched any more: its memory may go. Exactly once for each. */
    void (*forgotten)(gt_watch *watch);
    void *(*allocate)(size_t size);
    void (*release)(void *memory); /* never of NULL */
} gt_poller_user;

extern const gt_backend gt_backend_epoll; /* edge-triggered, each descriptor registered once */
extern const gt_backend gt_backend_poll;  /* poll(2), for systems without epoll, and to test against */

/* Makes a poller: 0 or a negative errno. The user's struct must outlive it. */
int gt_poller_open(gt_poller **out, const gt_backend *backend, const gt_poller_user *user);
/* Every watch must have been removed. */
void gt_poller_close(gt_poller *poller);
/* What it was opened with. */
const gt_poller_user *gt_poller_user_of(const gt_poller *poller);

/* Adds watch->fd; what is ready already will be reported. 0 or a negative errno (-ENOMEM, -ENOSPC).
 * A watch is in one poller at a time; to move it: remove, then add to the other. */
int gt_poller_add(gt_poller *poller, gt_watch *watch);
/* Takes a watch out for good, before its fd is closed. `forgotten` is called once no run can hold it any more: at
 * once, before this returns (so under whatever locks the caller holds), or at the end of the run under way. The
 * watch must have been added; so for the three that follow. */
void gt_poller_remove(gt_watch *watch);
/* Takes a watch out so that it can be added to another poller. Only while no run is under way, i.e. by the thread
 * that runs this poller. A turn that it has asked for is lost. */
void gt_poller_detach(gt_watch *watch);
/* Says what to report next (a set of GT_READABLE, GT_WRITABLE; added to what is wanted already). */
void gt_poller_want(gt_watch *watch, int readiness);
/* Asks for another turn: `ready(watch, 0)` in the next run, after those that asked before. For work left over,
 * which no edge will tell of. Until then the poller's fd is readable and next_timeout is 0. */
void gt_poller_again(gt_watch *watch);
/* Tells that a report of this watch has read so many bytes; for reads that are large. While runs read much they report
 * fewer watches, so that what was read still is in the processor's cache when those who get it look at it. No lock is
 * taken. */
void gt_poller_spent(gt_watch *watch, size_t bytes);
/* Had the last run that reported anything more than one watch, or two, to report? No lock is taken. */
bool gt_poller_crowded(const gt_poller *poller);

/* Sets or moves a deadline: `expired` is called in the first run at or after the moment. */
void gt_poller_set_deadline(gt_poller *poller, gt_deadline *deadline, int64_t at);
void gt_poller_clear_deadline(gt_poller *poller, gt_deadline *deadline);

/* Waits up to timeout_ms (-1: for ever; 0: not at all) until something is ready or gt_poller_wake was called, then
 * reports at most max_events descriptors (128 if it is more), each once, or once and a turn. Returns how many things
 * were reported, or a negative errno. 0 may come early: after a signal, a wake, or changes by another thread. */
int gt_poller_run(gt_poller *poller, int timeout_ms, int max_events);
/* Runs without waiting, and again at once while watches that have read much ask for another turn, until 256 KiB are
 * read in all. Each of these runs looks first at what else has become ready, so nobody is served later than by runs one
 * by one; but what the loop around them has to do is put off meanwhile. Returns the largest of what they return. */
int gt_poller_run_on(gt_poller *poller, int max_events);
/* Milliseconds until gt_poller_run has something to do by itself: 0: now, -1: nothing is due. */
int gt_poller_next_timeout(gt_poller *poller);
/* A descriptor that is readable whenever gt_poller_run has something to do, for another loop to watch. Only a poller
 * that was asked for it spends system calls on showing its turns and deadlines there.
 * -EOPNOTSUPP where the system can't nest: then gt_poller_fds serves. */
int gt_poller_fd(gt_poller *poller);
/* While this is on, that descriptor is readable whether there is something to do or not: a loop that watches it comes
 * back to gt_poller_run instead of going to sleep, and so meets what arrives without being woken for it. Off at first;
 * from any thread, but a change costs a system call, and nothing changes where the system can't nest. */
void gt_poller_stay_ready(gt_poller *poller, bool on);
/* For a backend that can't nest: what to give to poll(2), with gt_poller_next_timeout as the timeout. Fills at most
 * n, returns how many there are. What changes between either answer and the next run makes the wake descriptor, which
 * is the first of them, readable. -EOPNOTSUPP where gt_poller_fd works. */
int gt_poller_fds(gt_poller *poller, struct pollfd *fds, int n);
/* Ends the wait of a run under way, or of the next one. From any thread, and from a signal handler. */
void gt_poller_wake(gt_poller *poller);
/* The descriptor that gt_poller_wake makes readable, for a thread that waits outside gt_poller_run; it clears it
 * with gt_poller_clear_wake. */
int gt_poller_wake_fd(gt_poller *poller);
void gt_poller_clear_wake(gt_poller *poller);

#endif
