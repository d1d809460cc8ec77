/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/wait.h"

#include <errno.h>
#include <limits.h>

int64_t gt_deadline_of(int64_t timeout_ms) {
    int64_t now;

    if (timeout_ms < 0)
        return GT_NEVER;
    now = gt_sys_now();
    return timeout_ms < GT_NEVER - now ? now + timeout_ms : GT_NEVER;
}

int64_t gt_deadline_for(gt_csocket *socket, int64_t timeout_ms) {
    if (timeout_ms == GENTCP_DEFAULT_TIMEOUT) {
        gt_lock_take(&socket->engine.lock);
        timeout_ms = socket->engine.settings.timeout;
        gt_lock_drop(&socket->engine.lock);
    }
    return gt_deadline_of(timeout_ms);
}

int64_t gt_time_left(int64_t deadline) {
    int64_t left;

    if (deadline == GT_NEVER)
        return -1;
    left = deadline - gt_sys_now();
    return left > 0 ? left : 0;
}

void gt_call_wake(gt_call *call) {
    gt_process *waiter = call->waiter;

    gt_lock_take(&waiter->lock);
    call->done = true;
    gt_process_notify(waiter);
    gt_lock_drop(&waiter->lock);
}

static bool is_done(gt_call *call) {
    bool done;

    gt_lock_take(&call->waiter->lock);
    done = call->done;
    gt_lock_drop(&call->waiter->lock);
    return done;
}

static int wait_inside(gt_call *call, int64_t left) {
    int error = 0;

    gt_lock_take(&call->waiter->lock);
    if (!call->done)
        error = gt_process_pause(call->waiter, left);
    gt_lock_drop(&call->waiter->lock);
    return error;
}

static int64_t sooner(int64_t a, int64_t b) {
    if (a < 0)
        return b;
    return b < 0 || a < b ? a : b;
}

/* When a closing socket gives up flushing: its owner's poller, which has that deadline too, may not be running. */
static int64_t flush_deadline(gt_csocket *socket) {
    int64_t at = GT_NEVER;

    gt_lock_take(&socket->engine.lock);
    if (socket->engine.state == GT_CLOSING)
        at = socket->engine.closing.deadline.at;
    gt_lock_drop(&socket->engine.lock);
    return at;
}

static int readiness_of(short events) {
    int readiness = 0;

    if ((events & POLLIN) != 0)
        readiness |= GT_READABLE;
    if ((events & POLLOUT) != 0)
        readiness |= GT_WRITABLE;
    if ((events & (POLLHUP | POLLERR)) != 0)
        readiness |= GT_HANGUP | GT_READABLE | GT_WRITABLE;
    return readiness;
}

enum {
    OWN_FDS = 63,       /* of a poller that can't nest, so many are watched; */
    LOOK_AGAIN_MS = 50, /* if it has more, it is run so often */
};

/* What shows that the caller's own poller has something to do: its descriptors, and how long to wait at most. Returns
 * how many they are, or a negative errno: a poller that can nest may lack the descriptor that this takes. */
static int own_fds(gt_poller *poller, struct pollfd fds[OWN_FDS], int64_t *left) {
    int count;

    fds[0] = (struct pollfd){.fd = gt_poller_fd(poller), .events = POLLIN};
    if (fds[0].fd >= 0)
        return 1;
    if (fds[0].fd != -EOPNOTSUPP)
        return fds[0].fd;
    *left = sooner(*left, gt_poller_next_timeout(poller));
    count = gt_poller_fds(poller, fds, OWN_FDS);
    if (count <= OWN_FDS)
        return count;
    *left = sooner(*left, LOOK_AGAIN_MS);
    return OWN_FDS;
}

/* Waits for the descriptor of a socket in another's poller, whose thread may be busy for long; and for whatever happens
 * in the caller's own. */
static int wait_outside(gt_csocket *socket, gt_call *call, int64_t left) {
    gt_process *self = call->waiter;
    struct pollfd fds[1 + OWN_FDS];
    int64_t flush_at = GT_NEVER;
    int ready, count;
    int error = 0;

    if (call->op.kind == GT_OP_CLOSE) {
        flush_at = flush_deadline(socket);
        left = sooner(left, gt_time_left(flush_at));
    }
    fds[0].revents = 0;
    fds[0].fd = gt_waits_for(&socket->engine, &call->op, &fds[0].events);
    count = own_fds(self->poller, fds + 1, &left);
    if (count < 0)
        return count;
    gt_lock_take(&self->lock);
    if (call->done)
        goto out;
    self->asleep = true;
    gt_lock_drop(&self->lock);
    ready = poll(fds, 1 + (nfds_t)count, left > INT_MAX ? INT_MAX : (int)left);
    gt_lock_take(&self->lock);
    self->asleep = false;
    if (ready < 0 && errno != EINTR) {
        error = -errno;
        goto out;
    }
    error = gt_process_pause(self, 0);
    gt_lock_drop(&self->lock);
    if (ready > 0 && fds[0].revents != 0)
        gt_ready(&socket->engine, readiness_of(fds[0].revents));
    else if (flush_at != GT_NEVER && gt_time_left(flush_deadline(socket)) == 0)
        gt_abort(&socket->engine);
    return error;

out:
    gt_lock_drop(&self->lock);
    return error;
}

/* A large file may take its time, as long as the peer reads: then there is a new deadline. */
static bool moves_on(gt_csocket *socket, gt_call *call, int64_t *deadline) {
    uint64_t sent;

    if (call->op.kind != GT_OP_SENDFILE)
        return false;
    gt_lock_take(&socket->engine.lock);
    sent = call->file.sent;
    gt_lock_drop(&socket->engine.lock);
    if (sent == call->seen)
        return false;
    call->seen = sent;
    *deadline = gt_deadline_of(call->patience);
    return true;
}

static int wait_for(gt_csocket *socket, gt_call *call, int64_t deadline) {
    for (;;) {
        int64_t left = gt_time_left(deadline);
        int error;
        /* Asked in each round: the owner may give the socket away meanwhile, also to the caller. */
        if (gt_csocket_owner(socket) == call->waiter)
            error = wait_inside(call, left);
        else
            error = wait_outside(socket, call, left);
        if (is_done(call))
            return call->status;
        if (error == 0 && (left != 0 || moves_on(socket, call, &deadline)))
            continue;
        return gt_cancel(&socket->engine, &call->op) ? (error != 0 ? error : GT_TIMEOUT) : call->status;
    }
}

int gt_await(gt_csocket *socket, gt_call *call, int answer, int64_t deadline) {
    if (answer == 0)
        return call->status;
    if (answer != GT_PENDING)
        return answer;
    answer = wait_for(socket, call, deadline);
    gt_lock_take(&call->waiter->lock);
    gt_process_leave(call->waiter);
    gt_lock_drop(&call->waiter->lock);
    return answer;
}
