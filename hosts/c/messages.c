/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_receive and gentcp_post, the process itself, and its part in the caller's own loop. */
#include <errno.h>

#include "hosts/c/wait.h"

/* Waits for a message, of one socket if `only` isn't 0. socket: the same; NULL: it is no more, and nothing more can
 * come than is there. */
static int receive(gt_process *self, uint64_t only, gt_csocket *socket, gentcp_message *out, int64_t timeout_ms) {
    int64_t deadline = gt_deadline_of(timeout_ms);
    gt_csocket *done = NULL;
    bool last_look = false;
    int error = 0;

    gt_lock_take(&self->lock);
    if (self->before_poll-- == 0)
        (void)gt_process_pause(self, 0);
    while (!gt_mailbox_take(self, only, out, &done)) {
        int64_t left = gt_time_left(deadline);
        if (only != 0 && (socket == NULL || atomic_load(&socket->gone))) {
            error = GT_CLOSED;
            break;
        }
        if (last_look) {
            error = GT_TIMEOUT;
            break;
        }
        error = gt_process_pause(self, left);
        if (error != 0)
            break;
        last_look = left == 0;
    }
    gt_process_leave(self);
    gt_lock_drop(&self->lock);
    if (done != NULL)
        gt_csocket_drop(done);
    return error;
}

/* What can be had without the lock. A loop of the caller's own has to be told what is left: not here. */
static bool receive_near(gt_process *self, gentcp_message *out) {
    if (self->before_poll == 0 || self->looped || !gt_mailbox_take_near(self, 0, out))
        return false;
    self->before_poll--;
    return true;
}

int gentcp_receive(gentcp_message *out, int64_t timeout_ms) {
    gt_process *self;
    int error = out != NULL ? gt_process_self(&self) : GENTCP_BADARG;

    if (error == 0 && receive_near(self, out))
        return 0;
    return error == 0 ? receive(self, 0, NULL, out, timeout_ms) : error;
}

int gentcp_receive_from(gentcp_socket handle, gentcp_message *out, int64_t timeout_ms) {
    gt_csocket *socket = NULL;
    gt_process *self;
    int error = out != NULL ? gt_process_self(&self) : GENTCP_BADARG;

    if (error != 0)
        return error;
    error = gt_csocket_get(handle, &socket);
    if (error == GT_BADARG)
        return error;
    error = receive(self, handle.id, error == 0 ? socket : NULL, out, timeout_ms);
    if (socket != NULL)
        gt_csocket_drop(socket);
    return error;
}

int gentcp_post(gentcp_pid to, void *user) {
    gt_process *process;
    int error = gt_process_get(to, &process);

    if (error != 0)
        return error;
    error = gt_mailbox_post(process, user);
    gt_process_drop(process);
    return error;
}

int gentcp_self(gentcp_pid *out) {
    gt_process *self;
    int error = out != NULL ? gt_process_self(&self) : GENTCP_BADARG;

    if (error == 0)
        out->id = gt_slot_id(&self->slot);
    return error;
}

/* From now on, each message makes the poller ready: its thread may wait anywhere. */
static int join_loop(gt_process **self) {
    int error = gt_process_self(self);

    if (error != 0)
        return error;
    gt_lock_take(&(*self)->lock);
    if (!(*self)->looped) {
        (*self)->looped = true;
        gt_process_leave(*self);
    }
    gt_lock_drop(&(*self)->lock);
    return 0;
}

int gentcp_fd(void) {
    gt_process *self;
    int error = join_loop(&self);

    return error == 0 ? gt_poller_fd(self->poller) : error;
}

int gentcp_pollfds(struct pollfd *fds, int n) {
    gt_process *self;
    int error = n >= 0 && (fds != NULL || n == 0) ? join_loop(&self) : GENTCP_BADARG;

    return error == 0 ? gt_poller_fds(self->poller, fds, n) : error;
}

int gentcp_next_timeout(void) {
    gt_process *self = gt_process_current();
    bool pending;

    if (self == NULL)
        return -1;
    gt_lock_take(&self->lock);
    pending = self->near.first != NULL || self->mailbox.first != NULL;
    gt_lock_drop(&self->lock);
    return pending ? 0 : gt_poller_next_timeout(self->poller);
}
