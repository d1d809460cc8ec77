/* SPDX-License-Identifier: Apache-2.0 */
/* The poll(2) backend. What is wanted of a descriptor is asked for until it was reported, then no more until it is
 * wanted again: so its user sees edges, as with epoll, and a hangup, which poll can't be kept from telling, doesn't
 * make it spin: a descriptor of which nothing is wanted isn't given to poll.
 *
 * poll(2) reads its array while other threads add and remove watches. So it gets one of its own, filled by each run;
 * whatever changes the original wakes whoever sleeps with the copy. A slot stays with its watch, or empty, until
 * poll(2) has returned: so what it says of a slot is said of that watch. */
#define _GNU_SOURCE /* POLLRDHUP */
#include <errno.h>
#include <string.h>

#include "pollers/backend.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

enum { FIRST_CAPACITY = 16, MOST_SLOTS = 1 << GT_SLOT_BITS };

typedef struct poll_poller {
    gt_poller base;
    gt_watch **watches; /* all of them: a watch stands at its slot; NULL: it was removed during poll(2) */
    unsigned count;
    unsigned capacity;
    bool holes;    /* among the watches */
    unsigned from; /* where the next run begins to look, so that all are served however few a run reports */
    /* The run's own copy: the wake descriptor, and then each slot's, or -1 if nothing is wanted of it. */
    struct pollfd *asked;
    unsigned asked_capacity;
} poll_poller;

static int poll_open(gt_poller *base) {
    (void)base;
    return 0;
}

static void release(const gt_poller_user *user, void *memory) {
    if (memory != NULL)
        user->release(memory);
}

static void poll_finish(gt_poller *base) {
    poll_poller *poller = (poll_poller *)base;
    release(base->user, poller->watches);
    release(base->user, poller->asked);
}

/* By a quarter: an idle socket pays for what is left over. */
static int grow(poll_poller *poller) {
    unsigned capacity = poller->capacity == 0 ? FIRST_CAPACITY : poller->capacity + poller->capacity / 4;
    gt_watch **watches = NULL;
    if (capacity <= MOST_SLOTS)
        watches = poller->base.user->allocate(capacity * sizeof(gt_watch *));
    if (watches == NULL)
        return -ENOMEM;
    if (poller->count > 0)
        memcpy(watches, poller->watches, poller->count * sizeof(gt_watch *));
    release(poller->base.user, poller->watches);
    poller->watches = watches;
    poller->capacity = capacity;
    return 0;
}

static void put(poll_poller *poller, gt_watch *watch, unsigned slot) {
    watch->slot = slot & (MOST_SLOTS - 1);
    poller->watches[slot] = watch;
}

static int poll_add(gt_poller *base, gt_watch *watch) {
    poll_poller *poller = (poll_poller *)base;
    if (poller->count == poller->capacity) {
        int error = grow(poller);
        if (error < 0)
            return error;
    }
    watch->interest = GT_READABLE | GT_WRITABLE;
    put(poller, watch, poller->count++);
    gt_poller_disturb(base);
    return 0;
}

/* A sleeping poll(2) keeps the file open, whatever is closed: only when it has been woken the peer sees the end. */
static void poll_remove(gt_poller *base, gt_watch *watch) {
    poll_poller *poller = (poll_poller *)base;
    if (base->phase == GT_PHASE_WAITING) {
        poller->watches[watch->slot] = NULL;
        poller->holes = true;
    } else {
        put(poller, poller->watches[--poller->count], watch->slot);
    }
    gt_poller_disturb(base);
}

static void close_holes(poll_poller *poller) {
    unsigned count = 0;
    for (unsigned i = 0; i < poller->count; i++) {
        if (poller->watches[i] != NULL)
            put(poller, poller->watches[i], count++);
    }
    poller->count = count;
    poller->holes = false;
}

static void poll_want(gt_poller *base, gt_watch *watch, int readiness) {
    unsigned more = (unsigned)readiness & (GT_READABLE | GT_WRITABLE) & ~watch->interest;
    if (more == 0)
        return;
    watch->interest |= more & (GT_READABLE | GT_WRITABLE);
    gt_poller_disturb(base);
}

static short events_for(unsigned interest) {
    int events = 0;
    if (interest & GT_READABLE)
        events |= POLLIN | POLLRDHUP;
    if (interest & GT_WRITABLE)
        events |= POLLOUT;
    return (short)events;
}

static int readiness_of(int events) {
    int readiness = 0;
    if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
        readiness |= GT_READABLE;
    if (events & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
        readiness |= GT_WRITABLE;
    if (events & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
        readiness |= GT_HANGUP;
    return readiness;
}

/* Makes room in the copy for all watches and the wake descriptor. */
static int grow_asked(poll_poller *poller) {
    const gt_poller_user *user = poller->base.user;
    unsigned capacity = poller->capacity + 1;
    struct pollfd *asked = user->allocate(capacity * sizeof(struct pollfd));
    if (asked == NULL)
        return -ENOMEM;
    release(user, poller->asked);
    poller->asked = asked;
    poller->asked_capacity = capacity;
    return 0;
}

static void ask(poll_poller *poller) {
    poller->asked[0] = (struct pollfd){.fd = poller->base.wake_fd, .events = POLLIN};
    for (unsigned slot = 0; slot < poller->count; slot++) {
        const gt_watch *watch = poller->watches[slot];
        poller->asked[1 + slot] =
            (struct pollfd){.fd = watch->interest != 0 ? watch->fd : -1, .events = events_for(watch->interest)};
    }
}

static int answers(poll_poller *poller, unsigned asked, gt_event *events, int room) {
    unsigned from = poller->from;
    int count = 0;
    for (unsigned i = 0; i < asked && count < room; i++) {
        unsigned slot = (from + i) % asked;
        gt_watch *watch = poller->watches[slot];
        if (poller->asked[1 + slot].revents == 0 || watch == NULL)
            continue;
        int readiness = readiness_of(poller->asked[1 + slot].revents);
        watch->interest &= ~(unsigned)readiness & (GT_READABLE | GT_WRITABLE);
        poller->from = slot + 1;
        events[count].watch = watch;
        events[count].readiness = readiness;
        count++;
    }
    return count;
}

static int poll_wait(gt_poller *base, gt_event *events, int room, int timeout_ms) {
    poll_poller *poller = (poll_poller *)base;
    if (poller->asked_capacity < poller->count + 1) {
        int error = grow_asked(poller);
        if (error < 0)
            return error;
    }
    ask(poller);
    unsigned asked = poller->count;
    gt_lock_drop(&base->lock);
    int ready = poll(poller->asked, 1 + (nfds_t)asked, timeout_ms);
    int result = ready < 0 && errno != EINTR ? -errno : 0;
    gt_lock_take(&base->lock);
    if (ready > 0) {
        if (poller->asked[0].revents != 0)
            gt_poller_clear_wake(base);
        result = answers(poller, asked, events, room);
    }
    if (poller->holes)
        close_holes(poller);
    return result;
}

static int poll_fd(gt_poller *base) {
    (void)base;
    return -EOPNOTSUPP;
}

static int poll_fds(gt_poller *base, struct pollfd *fds, int n) {
    poll_poller *poller = (poll_poller *)base;
    if (n > 0)
        fds[0] = (struct pollfd){.fd = base->wake_fd, .events = POLLIN};
    int count = 1;
    for (unsigned i = 0; i < poller->count; i++) {
        const gt_watch *watch = poller->watches[i];
        if (watch == NULL || watch->interest == 0)
            continue;
        if (count < n)
            fds[count] = (struct pollfd){.fd = watch->fd, .events = events_for(watch->interest)};
        count++;
    }
    return count;
}

const gt_backend gt_backend_poll = {
    .size = sizeof(poll_poller),
    .open = poll_open,
    .close = poll_finish,
    .add = poll_add,
    .remove = poll_remove,
    .want = poll_want,
    .wait = poll_wait,
    .fd = poll_fd,
    .fds = poll_fds,
};
