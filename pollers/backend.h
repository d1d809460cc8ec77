/* SPDX-License-Identifier: Apache-2.0 */
/* What a poller's backend is, and the poller as its backend sees it. For files of this folder only.
 *
 * poller.c keeps what is the same for all: who waits for a turn, who was removed, which deadlines there are, and the
 * course of a run. A backend asks the system. To add one: write these functions in one new file. */
#ifndef GT_BACKEND_H
#define GT_BACKEND_H

#include "pollers/poller.h"
#include "sys/config.h"

/* How many descriptors one run reports at most: its events lie on the stack. */
enum { GT_BATCH = GENTCP_EVENTS_MAX };

typedef struct gt_event {
    gt_watch *watch;
    int readiness;
} gt_event;

/* Which list a watch stands on (gt_watch.on). */
enum gt_on { GT_ON_NONE, GT_ON_TURNS, GT_ON_DEAD };

/*   IDLE ──▶ WAITING ──▶ CALLING ──▶ IDLE
 *
 * WAITING: the backend waits for events, and may hold watches that are being removed. CALLING: what was found is
 * reported. What the system must know of turns and deadlines is told to it at the end of CALLING, all at once. */
enum gt_phase { GT_PHASE_IDLE, GT_PHASE_WAITING, GT_PHASE_CALLING };

/* Moments, besides those of deadlines. */
#define GT_NEVER  INT64_MAX
#define GT_NOBODY INT64_MIN

struct gt_poller {
    const gt_backend *backend;
    const gt_poller_user *user;
    int wake_fd;  /* an eventfd */
    gt_lock lock; /* guards all that follows, and the lists that watches and deadlines stand on */
    uint8_t phase;
    int batch;          /* how many watches the next run reports at most: see RUN_BYTES */
    size_t spent;       /* bytes that the present run has read: gt_poller_spent. Atomic */
    bool crowded;       /* gt_poller_crowded. Atomic */
    bool stays_ready;   /* gt_poller_stay_ready */
    bool events_turn;   /* whose the larger half of a run is when both events and turns are there */
    gt_watch turns;     /* circular, as all lists but dead: who asked for a turn, in order */
    gt_watch turns_now; /* those that get theirs in the present run */
    gt_watch *dead;     /* removed during the present run; linked by next */
    int dead_count;
    gt_deadline deadlines; /* in order of time; of equals, the first set comes first */
    gt_deadline expired;   /* those whose expiry is reported in the present run */
    /* Somebody sleeps, and means to until then, by what was known when it began: gt_poller_run, or a loop that was
     * given gt_poller_fds. GT_NOBODY: nobody sleeps, or whoever did has been woken. */
    int64_t sleeps_until;
};

/* All but wait, open and close are called with the poller's lock. */
struct gt_backend {
    size_t size; /* of the struct that begins with a gt_poller */
    /* The poller's fields are set, those of the backend are zero. */
    int (*open)(gt_poller *poller);
    void (*close)(gt_poller *poller);
    int (*add)(gt_poller *poller, gt_watch *watch);
    void (*remove)(gt_poller *poller, gt_watch *watch);
    /* NULL: everything is reported anyway. */
    void (*want)(gt_poller *poller, gt_watch *watch, int readiness);
    /* Waits, with the lock dropped meanwhile, and clears the wake if it has come. Fills in up to room events (at
     * least 1), of watches removed meanwhile, too. Returns how many, or a negative errno; 0 after a signal. */
    int (*wait)(gt_poller *poller, gt_event *events, int room, int timeout_ms);
    /* Tells the system from when on there is something to do without an event: turns, the next deadline or
     * stays_ready have changed. NULL: there is nobody to tell. */
    void (*schedule)(gt_poller *poller);
    int (*fd)(gt_poller *poller);
    int (*fds)(gt_poller *poller, struct pollfd *fds, int n);
};

/* For backends. All with the lock. */
bool gt_poller_has_turns(const gt_poller *poller);
/* When the earliest deadline is: GT_NEVER if there is none. */
int64_t gt_poller_next_deadline(const gt_poller *poller);
/* Wakes whoever sleeps with a picture that isn't true any more. Costs a system call only if somebody does. */
void gt_poller_disturb(gt_poller *poller);

#endif
