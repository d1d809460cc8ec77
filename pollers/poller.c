/* SPDX-License-Identifier: Apache-2.0 */
/* What all pollers share: turns, deadlines, removal, waking, and the course of a run. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pollers/backend.h"
#include "sys/sys.h"

/* A run that sleeps is woken when more than so many watches wait for its end to be forgotten. */
enum { DEAD_MAX = 64 };

/* A run that has read more than this reports fewer watches the next time. It is what stays in a core's own cache (of
 * 256 KiB to 2 MiB, mostly) beside what else is there: runs that read from all of 50 connections, which echo 64 KiB
 * each, took a quarter more CPU on OTP, and twice as much in C. */
enum { RUN_BYTES = 256 * 1024 };

/* What one watch alone makes of a run: an event and a turn. */
enum { FEW = 2 };

static void watches_init(gt_watch *list) {
    list->next = list;
    list->previous = list;
}

static bool watches_empty(const gt_watch *list) {
    return list->next == list;
}

static void watch_append(gt_watch *list, gt_watch *watch) {
    watch->next = list;
    watch->previous = list->previous;
    list->previous->next = watch;
    list->previous = watch;
}

static void watch_unlink(gt_watch *watch) {
    watch->previous->next = watch->next;
    watch->next->previous = watch->previous;
}

/* Moves all of `from` to the front of `to`. */
static void watches_prepend(gt_watch *to, gt_watch *from) {
    if (watches_empty(from))
        return;
    from->previous->next = to->next;
    to->next->previous = from->previous;
    to->next = from->next;
    from->next->previous = to;
    watches_init(from);
}

static void deadlines_init(gt_deadline *list) {
    list->next = list;
    list->previous = list;
}

static bool deadlines_empty(const gt_deadline *list) {
    return list->next == list;
}

/* Most programs use few different timeouts, so that a new deadline is among the last: hence from the tail. */
static void deadline_insert(gt_deadline *list, gt_deadline *deadline) {
    gt_deadline *before = list->previous;
    while (before != list && before->at > deadline->at)
        before = before->previous;
    deadline->previous = before;
    deadline->next = before->next;
    before->next->previous = deadline;
    before->next = deadline;
}

static void deadline_unlink(gt_deadline *deadline) {
    deadline->previous->next = deadline->next;
    deadline->next->previous = deadline->previous;
    deadline->next = NULL;
}

/* Atomic, because a run looks at it without the lock before each report. */
static void place(gt_watch *watch, enum gt_on on) {
    __atomic_store_n(&watch->on, (unsigned char)on, __ATOMIC_RELAXED);
}

static bool is_dead(const gt_watch *watch) {
    return __atomic_load_n(&watch->on, __ATOMIC_RELAXED) == GT_ON_DEAD;
}

bool gt_poller_has_turns(const gt_poller *poller) {
    return !watches_empty(&poller->turns);
}

int64_t gt_poller_next_deadline(const gt_poller *poller) {
    return deadlines_empty(&poller->deadlines) ? GT_NEVER : poller->deadlines.next->at;
}

void gt_poller_disturb(gt_poller *poller) {
    if (poller->sleeps_until == GT_NOBODY)
        return;
    poller->sleeps_until = GT_NOBODY;
    gt_poller_wake(poller);
}

/* There is something to do earlier or later than before. While a run makes its calls nobody sleeps, and its end
 * tells the system: a turn asked for from `ready` costs no system call. */
static void reschedule(gt_poller *poller) {
    if (poller->phase == GT_PHASE_CALLING)
        return;
    if (poller->backend->schedule != NULL)
        poller->backend->schedule(poller);
    int64_t next = gt_poller_has_turns(poller) ? 0 : gt_poller_next_deadline(poller);
    if (next < poller->sleeps_until)
        gt_poller_disturb(poller);
}

int gt_poller_open(gt_poller **out, const gt_backend *backend, const gt_poller_user *user) {
    int error;
    gt_poller *poller = user->allocate(backend->size);
    if (poller == NULL)
        return -ENOMEM;
    memset(poller, 0, backend->size);
    poller->backend = backend;
    poller->user = user;
    poller->phase = GT_PHASE_IDLE;
    poller->batch = GT_BATCH;
    poller->sleeps_until = GT_NOBODY;
    watches_init(&poller->turns);
    watches_init(&poller->turns_now);
    deadlines_init(&poller->deadlines);
    deadlines_init(&poller->expired);
    poller->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (poller->wake_fd < 0) {
        error = -errno;
        goto no_wake;
    }
    error = backend->open(poller);
    if (error < 0)
        goto no_backend;
    gt_lock_init(&poller->lock);
    *out = poller;
    return 0;

no_backend:
    gt_sys_close(poller->wake_fd);
no_wake:
    user->release(poller);
    return error;
}

void gt_poller_close(gt_poller *poller) {
    const gt_poller_user *user = poller->user;
    poller->backend->close(poller);
    gt_sys_close(poller->wake_fd);
    gt_lock_fini(&poller->lock);
    user->release(poller);
}

const gt_poller_user *gt_poller_user_of(const gt_poller *poller) {
    return poller->user;
}

int gt_poller_add(gt_poller *poller, gt_watch *watch) {
    gt_lock_take(&poller->lock);
    place(watch, GT_ON_NONE);
    int error = poller->backend->add(poller, watch);
    if (error == 0)
        watch->poller = poller;
    gt_lock_drop(&poller->lock);
    return error;
}

static void take_out(gt_poller *poller, gt_watch *watch) {
    poller->backend->remove(poller, watch);
    if (watch->on == GT_ON_TURNS) {
        watch_unlink(watch);
        place(watch, GT_ON_NONE);
        reschedule(poller);
    }
}

void gt_poller_remove(gt_watch *watch) {
    gt_poller *poller = watch->poller;
    gt_lock_take(&poller->lock);
    take_out(poller, watch);
    bool later = poller->phase != GT_PHASE_IDLE;
    if (later) {
        place(watch, GT_ON_DEAD);
        watch->next = poller->dead;
        poller->dead = watch;
        if (++poller->dead_count > DEAD_MAX)
            gt_poller_disturb(poller);
    }
    gt_lock_drop(&poller->lock);
    if (!later)
        poller->user->forgotten(watch);
}

void gt_poller_detach(gt_watch *watch) {
    gt_poller *poller = watch->poller;
    gt_lock_take(&poller->lock);
    take_out(poller, watch);
    gt_lock_drop(&poller->lock);
}

void gt_poller_want(gt_watch *watch, int readiness) {
    gt_poller *poller = watch->poller;
    if (poller->backend->want == NULL)
        return;
    gt_lock_take(&poller->lock);
    poller->backend->want(poller, watch, readiness);
    gt_lock_drop(&poller->lock);
}

void gt_poller_again(gt_watch *watch) {
    gt_poller *poller = watch->poller;
    gt_lock_take(&poller->lock);
    if (watch->on == GT_ON_NONE) {
        bool first = !gt_poller_has_turns(poller);
        watch_append(&poller->turns, watch);
        place(watch, GT_ON_TURNS);
        if (first)
            reschedule(poller);
    }
    gt_lock_drop(&poller->lock);
}

void gt_poller_spent(gt_watch *watch, size_t bytes) {
    (void)__atomic_fetch_add(&watch->poller->spent, bytes, __ATOMIC_RELAXED);
}

bool gt_poller_crowded(const gt_poller *poller) {
    return __atomic_load_n(&poller->crowded, __ATOMIC_RELAXED);
}

void gt_poller_set_deadline(gt_poller *poller, gt_deadline *deadline, int64_t at) {
    gt_lock_take(&poller->lock);
    int64_t next = gt_poller_next_deadline(poller);
    if (deadline->next != NULL)
        deadline_unlink(deadline);
    deadline->at = at;
    deadline_insert(&poller->deadlines, deadline);
    if (gt_poller_next_deadline(poller) != next)
        reschedule(poller);
    gt_lock_drop(&poller->lock);
}

void gt_poller_clear_deadline(gt_poller *poller, gt_deadline *deadline) {
    gt_lock_take(&poller->lock);
    int64_t next = gt_poller_next_deadline(poller);
    if (deadline->next != NULL) {
        deadline_unlink(deadline);
        if (gt_poller_next_deadline(poller) != next)
            reschedule(poller);
    }
    gt_lock_drop(&poller->lock);
}

static int next_timeout(const gt_poller *poller) {
    if (gt_poller_has_turns(poller))
        return 0;
    if (deadlines_empty(&poller->deadlines))
        return -1;
    int64_t now = gt_sys_now();
    int64_t at = gt_poller_next_deadline(poller);
    if (at <= now)
        return 0;
    return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

/* Waits for events. Turns and deadlines that are due already leave no time for that. */
static int wait_for_events(gt_poller *poller, gt_event *events, int room, int timeout_ms) {
    int next = next_timeout(poller);
    if (next >= 0 && (timeout_ms < 0 || next < timeout_ms))
        timeout_ms = next;
    poller->phase = GT_PHASE_WAITING;
    poller->sleeps_until = timeout_ms == 0 ? GT_NOBODY : gt_poller_next_deadline(poller);
    int found = poller->backend->wait(poller, events, room, timeout_ms);
    poller->sleeps_until = GT_NOBODY;
    return found;
}

/* The reports: called with the lock, which is dropped around each call of the user. */

static int report_expired(gt_poller *poller) {
    int count = 0;
    if (deadlines_empty(&poller->deadlines))
        return 0;
    int64_t now = gt_sys_now();
    /* First to a list of their own: one that is set again from its own report waits for the next run. */
    while (!deadlines_empty(&poller->deadlines) && poller->deadlines.next->at <= now) {
        gt_deadline *deadline = poller->deadlines.next;
        deadline_unlink(deadline);
        deadline_insert(&poller->expired, deadline);
    }
    for (; !deadlines_empty(&poller->expired); count++) {
        gt_deadline *deadline = poller->expired.next;
        deadline_unlink(deadline);
        gt_lock_drop(&poller->lock);
        poller->user->expired(deadline);
        gt_lock_take(&poller->lock);
    }
    return count;
}

static int report_events(gt_poller *poller, const gt_event *events, int found) {
    int count = 0;
    gt_lock_drop(&poller->lock);
    for (int i = 0; i < found; i++) {
        /* An earlier report, or another thread, may have removed it. */
        if (is_dead(events[i].watch))
            continue;
        poller->user->ready(events[i].watch, events[i].readiness);
        count++;
    }
    gt_lock_take(&poller->lock);
    return count;
}

static int report_turns(gt_poller *poller, int most) {
    int count = 0;
    for (; count < most && !watches_empty(&poller->turns_now); count++) {
        gt_watch *watch = poller->turns_now.next;
        watch_unlink(watch);
        place(watch, GT_ON_NONE);
        gt_lock_drop(&poller->lock);
        poller->user->ready(watch, 0);
        gt_lock_take(&poller->lock);
    }
    watches_prepend(&poller->turns, &poller->turns_now);
    return count;
}

/* So many watches as would have read RUN_BYTES, if all read as those of this round have. */
static int next_batch(size_t spent, int reported) {
    size_t batch;

    if (spent == 0)
        return GT_BATCH;
    batch = (size_t)RUN_BYTES * (size_t)reported / spent;
    return batch < 1 ? 1 : batch > GT_BATCH ? GT_BATCH : (int)batch;
}

static void forget(const gt_poller_user *user, gt_watch *dead) {
    while (dead != NULL) {
        gt_watch *next = dead->next;
        user->forgotten(dead);
        dead = next;
    }
}

/* One look at what is ready, and the reports of it: how many, or a negative errno. spent: the bytes that they read.
 * With the lock. */
static int run_round(gt_poller *poller, int timeout_ms, int max_events, size_t *spent) {
    gt_event events[GT_BATCH];
    int most = max_events < 1 ? 1 : max_events;
    if (most > poller->batch)
        most = poller->batch;

    /* When there are turns, events get about half of the round, and turns all that is left: neither can keep the
     * other from being served, even if only one thing is done a round. */
    int room = most;
    if (gt_poller_has_turns(poller)) {
        room = (most + poller->events_turn) / 2;
        poller->events_turn = !poller->events_turn;
    }
    int found = room > 0 ? wait_for_events(poller, events, room, timeout_ms) : 0;
    int error = found < 0 ? found : 0;
    if (found < 0)
        found = 0;

    poller->phase = GT_PHASE_CALLING;
    watches_prepend(&poller->turns_now, &poller->turns);
    int reported = report_expired(poller);
    if (found > 0)
        reported += report_events(poller, events, found);
    reported += report_turns(poller, most - found);
    *spent = __atomic_exchange_n(&poller->spent, 0, __ATOMIC_RELAXED);
    poller->batch = next_batch(*spent, reported);
    if (reported > 0)
        __atomic_store_n(&poller->crowded, reported > FEW, __ATOMIC_RELAXED);
    return reported > 0 ? reported : error;
}

/* With the lock, which it drops. */
static void end_run(gt_poller *poller) {
    poller->phase = GT_PHASE_IDLE;
    if (poller->backend->schedule != NULL)
        poller->backend->schedule(poller);
    gt_watch *dead = poller->dead;
    poller->dead = NULL;
    poller->dead_count = 0;
    const gt_poller_user *user = poller->user;
    gt_lock_drop(&poller->lock);
    forget(user, dead);
}

int gt_poller_run(gt_poller *poller, int timeout_ms, int max_events) {
    size_t spent;
    gt_lock_take(&poller->lock);
    int answer = run_round(poller, timeout_ms, max_events, &spent);
    end_run(poller);
    return answer;
}

int gt_poller_run_on(gt_poller *poller, int max_events) {
    size_t total = 0, spent;
    int most = 0;
    gt_lock_take(&poller->lock);
    do {
        int reported = run_round(poller, 0, max_events, &spent);
        most = reported > most || reported < 0 ? reported : most;
        total += spent;
    } while (spent > 0 && total < RUN_BYTES && gt_poller_has_turns(poller));
    end_run(poller);
    return most;
}

/* Whoever asks what to wait for is going to sleep with the answer, for how long isn't known here. What a backend that
 * can nest has to tell it, its descriptor tells. */
static void expect_sleep(gt_poller *poller) {
    if (poller->backend->schedule == NULL && poller->phase == GT_PHASE_IDLE)
        poller->sleeps_until = GT_NEVER;
}

int gt_poller_next_timeout(gt_poller *poller) {
    gt_lock_take(&poller->lock);
    int timeout = next_timeout(poller);
    expect_sleep(poller);
    gt_lock_drop(&poller->lock);
    return timeout;
}

int gt_poller_fd(gt_poller *poller) {
    gt_lock_take(&poller->lock);
    int fd = poller->backend->fd(poller);
    gt_lock_drop(&poller->lock);
    return fd;
}

void gt_poller_stay_ready(gt_poller *poller, bool on) {
    gt_lock_take(&poller->lock);
    if (on != poller->stays_ready) {
        poller->stays_ready = on;
        if (poller->phase != GT_PHASE_CALLING && poller->backend->schedule != NULL)
            poller->backend->schedule(poller);
    }
    gt_lock_drop(&poller->lock);
}

int gt_poller_fds(gt_poller *poller, struct pollfd *fds, int n) {
    gt_lock_take(&poller->lock);
    int count = poller->backend->fds(poller, fds, n);
    expect_sleep(poller);
    gt_lock_drop(&poller->lock);
    return count;
}

void gt_poller_wake(gt_poller *poller) {
    int before = errno; /* a signal handler must not change it */
    uint64_t one = 1;
    ssize_t written = write(poller->wake_fd, &one, sizeof one);
    (void)written; /* EAGAIN: it is as awake as can be */
    errno = before;
}

int gt_poller_wake_fd(gt_poller *poller) {
    return poller->wake_fd;
}

void gt_poller_clear_wake(gt_poller *poller) {
    uint64_t count;
    ssize_t got = read(poller->wake_fd, &count, sizeof count);
    (void)got; /* EAGAIN: nothing to clear */
}
