/* SPDX-License-Identifier: Apache-2.0 */
/* The poll(2) backend. What is wanted of a descriptor is asked for until it was reported, then no more until it is
 * wanted again: so its user sees edges, as with epoll, and a hangup, which poll can't be kept from telling, doesn't
 * make it spin: a descriptor of which nothing is wanted isn't given to poll.
 *
 * poll(2) reads its array while other threads add and remove watches. So it gets a copy, made by each run; whatever
 * changes the original wakes whoever sleeps with the copy. */
#define _GNU_SOURCE /* POLLRDHUP */
#include <errno.h>
#include <string.h>

#include "pollers/backend.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

enum { FIRST_CAPACITY = 16 };

typedef struct poll_poller {
    gt_poller base;
    gt_watch **watches; /* all of them: a watch stands at its slot */
    int count;
    int capacity;
    int from; /* where the next run begins to look, so that all are served however few a run reports */
    /* The run's own copy: asked[0] is the wake descriptor, asked[i] belongs to asked_watches[i]. */
    struct pollfd *asked;
    gt_watch **asked_watches;
    int asked_capacity;
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
    release(base->user, poller->asked_watches);
}

static int grow(poll_poller *poller) {
    int capacity = poller->capacity == 0 ? FIRST_CAPACITY : 2 * poller->capacity;
    gt_watch **watches = poller->base.user->allocate((size_t)capacity * sizeof(gt_watch *));
    if (watches == NULL)
        return -ENOMEM;
    if (poller->count > 0)
        memcpy(watches, poller->watches, (size_t)poller->count * sizeof(gt_watch *));
    release(poller->base.user, poller->watches);
    poller->watches = watches;
    poller->capacity = capacity;
    return 0;
}

static int poll_add(gt_poller *base, gt_watch *watch) {
    poll_poller *poller = (poll_poller *)base;
    if (poller->count == poller->capacity) {
        int error = grow(poller);
        if (error < 0)
            return error;
    }
    watch->slot = poller->count++;
    watch->interest = GT_READABLE | GT_WRITABLE;
    poller->watches[watch->slot] = watch;
    gt_poller_disturb(base);
    return 0;
}

/* A sleeping poll(2) keeps the file open, whatever is closed: only when it has been woken the peer sees the end. */
static void poll_remove(gt_poller *base, gt_watch *watch) {
    poll_poller *poller = (poll_poller *)base;
    gt_watch *last = poller->watches[--poller->count];
    poller->watches[watch->slot] = last;
    last->slot = watch->slot;
    watch->interest = 0;
    gt_poller_disturb(base);
}

static void poll_want(gt_poller *base, gt_watch *watch, int readiness) {
    unsigned char interest = (unsigned char)(watch->interest | (readiness & (GT_READABLE | GT_WRITABLE)));
    if (interest == watch->interest)
        return;
    watch->interest = interest;
    gt_poller_disturb(base);
}

static short events_for(int interest) {
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
    int capacity = poller->capacity + 1;
    struct pollfd *asked = user->allocate((size_t)capacity * sizeof(struct pollfd));
    gt_watch **watches = user->allocate((size_t)capacity * sizeof(gt_watch *));
    if (asked == NULL || watches == NULL) {
        release(user, asked);
        release(user, watches);
        return -ENOMEM;
    }
    release(user, poller->asked);
    release(user, poller->asked_watches);
    poller->asked = asked;
    poller->asked_watches = watches;
    poller->asked_capacity = capacity;
    return 0;
}

/* Fills the copy, beginning at `from`; returns its length. */
static int ask(poll_poller *poller) {
    poller->asked[0] = (struct pollfd){.fd = poller->base.wake_fd, .events = POLLIN};
    int n = 1;
    for (int i = 0; i < poller->count; i++) {
        gt_watch *watch = poller->watches[(poller->from + i) % poller->count];
        if (watch->interest == 0)
            continue;
        poller->asked[n] = (struct pollfd){.fd = watch->fd, .events = events_for(watch->interest)};
        poller->asked_watches[n] = watch;
        n++;
    }
    return n;
}

static int poll_wait(gt_poller *base, gt_event *events, int room, int timeout_ms) {
    poll_poller *poller = (poll_poller *)base;
    if (poller->asked_capacity < poller->count + 1) {
        int error = grow_asked(poller);
        if (error < 0)
            return error;
    }
    int n = ask(poller);
    gt_lock_drop(&base->lock);
    int ready = poll(poller->asked, (nfds_t)n, timeout_ms);
    int error = ready < 0 && errno != EINTR ? -errno : 0;
    gt_lock_take(&base->lock);
    if (ready <= 0)
        return error;

    if (poller->asked[0].revents != 0)
        gt_poller_clear_wake(base);
    int count = 0;
    for (int i = 1; i < n && count < room; i++) {
        gt_watch *watch = poller->asked_watches[i];
        if (poller->asked[i].revents == 0)
            continue;
        int readiness = readiness_of(poller->asked[i].revents);
        watch->interest = (unsigned char)(watch->interest & ~readiness);
        poller->from = watch->slot + 1;
        events[count].watch = watch;
        events[count].readiness = readiness;
        count++;
    }
    return count;
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
    for (int i = 0; i < poller->count; i++) {
        const gt_watch *watch = poller->watches[i];
        if (watch->interest == 0)
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
