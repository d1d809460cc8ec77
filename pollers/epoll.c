/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll backend. Each descriptor is registered once, edge-triggered, for everything; want costs nothing.
 *
 * The epoll descriptor can be watched by another loop. Only then must it tell of turns and deadlines, and only then,
 * from the first gt_poller_fd on, is that done:
 *   turns      the wake eventfd is registered for EPOLLOUT too, which it always is ready for, while there are some;
 *   deadlines  a timerfd, armed for the earliest while there is one. */
#ifdef __linux__
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "pollers/backend.h"
#include "sys/sys.h"

typedef struct epoll_poller {
    gt_poller base;
    int fd;
    int timer_fd;     /* -1: nobody has asked for gt_poller_fd */
    int64_t timer_at; /* what the timer is armed for; GT_NEVER: not armed */
    bool shown_ready; /* the wake eventfd is registered for EPOLLOUT */
} epoll_poller;

static int control(const epoll_poller *poller, int operation, int fd, uint32_t events, void *tag) {
    struct epoll_event event = {.events = events, .data.ptr = tag};
    return epoll_ctl(poller->fd, operation, fd, &event) < 0 ? -errno : 0;
}

static int epoll_open(gt_poller *base) {
    epoll_poller *poller = (epoll_poller *)base;
    poller->timer_fd = -1;
    poller->timer_at = GT_NEVER;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0)
        return -errno;
    int error = control(poller, EPOLL_CTL_ADD, base->wake_fd, EPOLLIN, &base->wake_fd);
    if (error < 0)
        gt_sys_close(poller->fd);
    return error;
}

static void epoll_finish(gt_poller *base) {
    epoll_poller *poller = (epoll_poller *)base;
    if (poller->timer_fd >= 0)
        gt_sys_close(poller->timer_fd);
    gt_sys_close(poller->fd);
}

static int epoll_add(gt_poller *base, gt_watch *watch) {
    return control((epoll_poller *)base, EPOLL_CTL_ADD, watch->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, watch);
}

/* Closing would take it out as well, but not while a child between fork and exec still has it open: its events
 * would then arrive for a watch that is gone. */
static void epoll_remove(gt_poller *base, gt_watch *watch) {
    (void)control((epoll_poller *)base, EPOLL_CTL_DEL, watch->fd, 0, NULL);
}

static int readiness_of(uint32_t events) {
    int readiness = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        readiness |= GT_READABLE;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        readiness |= GT_WRITABLE;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        readiness |= GT_HANGUP;
    return readiness;
}

static int epoll_backend_wait(gt_poller *base, gt_event *events, int room, int timeout_ms) {
    epoll_poller *poller = (epoll_poller *)base;
    struct epoll_event found[GT_BATCH];
    gt_lock_drop(&base->lock);
    int n = epoll_wait(poller->fd, found, room, timeout_ms);
    int error = n < 0 && errno != EINTR ? -errno : 0;
    gt_lock_take(&base->lock);
    int count = 0;
    for (int i = 0; i < n; i++) {
        void *tag = found[i].data.ptr;
        if (tag == &base->wake_fd) {
            if (found[i].events & EPOLLIN)
                gt_poller_clear_wake(base);
        } else if (tag != &poller->timer_fd) {
            events[count].watch = tag;
            events[count].readiness = readiness_of(found[i].events);
            count++;
        }
    }
    return error < 0 ? error : count;
}

/* Arming a timer also makes it unreadable if it has fired. Should the system refuse, which it has no reason to, the
 * outer loop is late; the poller's own waits don't depend on it. */
static void arm(epoll_poller *poller, int64_t at) {
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    if (at != GT_NEVER) {
        int64_t ms = at > 0 ? at : 0;
        when.it_value.tv_sec = (time_t)(ms / 1000);
        when.it_value.tv_nsec = (long)(ms % 1000) * 1000000 + 1; /* 0 would disarm it */
    }
    if (timerfd_settime(poller->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        poller->timer_at = at;
}

static void epoll_schedule(gt_poller *base) {
    epoll_poller *poller = (epoll_poller *)base;
    if (poller->timer_fd < 0)
        return;
    bool ready = base->stays_ready || gt_poller_has_turns(base);
    if (ready != poller->shown_ready) {
        uint32_t events = ready ? EPOLLIN | EPOLLOUT : EPOLLIN;
        if (control(poller, EPOLL_CTL_MOD, base->wake_fd, events, &base->wake_fd) == 0)
            poller->shown_ready = ready;
    }
    int64_t at = gt_poller_next_deadline(base);
    if (at != poller->timer_at)
        arm(poller, at);
}

static int epoll_fd(gt_poller *base) {
    epoll_poller *poller = (epoll_poller *)base;
    if (poller->timer_fd >= 0)
        return poller->fd;
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_fd < 0)
        return -errno;
    int error = control(poller, EPOLL_CTL_ADD, timer_fd, EPOLLIN, &poller->timer_fd);
    if (error < 0) {
        gt_sys_close(timer_fd);
        return error;
    }
    poller->timer_fd = timer_fd;
    if (base->phase != GT_PHASE_CALLING)
        epoll_schedule(base);
    return poller->fd;
}

static int epoll_fds(gt_poller *base, struct pollfd *fds, int n) {
    (void)base, (void)fds, (void)n;
    return -EOPNOTSUPP;
}

const gt_backend gt_backend_epoll = {
    .size = sizeof(epoll_poller),
    .open = epoll_open,
    .close = epoll_finish,
    .add = epoll_add,
    .remove = epoll_remove,
    .wait = epoll_backend_wait,
    .schedule = epoll_schedule,
    .fd = epoll_fd,
    .fds = epoll_fds,
};
#else
typedef int gt_no_epoll_here;
#endif
