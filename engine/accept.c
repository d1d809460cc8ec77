/* SPDX-License-Identifier: Apache-2.0 */
/* Taking connections: those who wait are served in order. */
#include <errno.h>

#include "engine/internal.h"

/* The kernel hands down most of its options, as they were when it made the connection. All of them, as they are now;
 * one that the connection can't have is no reason to refuse it. */
static void hand_down(const gt_socket *listener, int fd) {
    for (int i = 0; i < GT_OPTIONS; i++) {
        const gt_option_row *row = &gt_option_rows[i];
        int value;
        socklen_t size = sizeof value;

        if ((listener->listening.system_options >> i & 1) != 0 &&
            gt_sys_getsockopt(listener->watch.fd, row->level, row->option, &value, &size) == 0)
            (void)gt_set_number(fd, i, value);
    }
}

/* A connection under way to whoever waits first: it inherits the listener's settings as they are now. Its lock is
 * held until it has an owner; the listener's is held all the time. */
static gt_socket *take_in(gt_socket *listener, int fd, gt_op *op, int *error) {
    gt_socket *connection = listener->host->create(listener, op);

    if (connection == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    gt_lock_take(&connection->lock);
    connection->settings = listener->settings;
    gt_opened(connection, listener->settings.family, fd);
    hand_down(listener, fd);
    *error = gt_watch_start(connection);
    connection->state = GT_CONNECTED;
    return connection;
}

/* The connection has found no owner: its descriptor goes back to the listener. */
static void give_back(gt_socket *listener, gt_socket *connection) {
    listener->listening.parked_fd = connection->watch.fd;
    gt_watch_stop(connection);
    connection->watch.fd = -1;
    gt_shut(connection);
}

static int next_descriptor(gt_socket *listener) {
    int fd = listener->listening.parked_fd;

    if (fd < 0)
        return gt_sys_accept(listener->watch.fd);
    listener->listening.parked_fd = -1;
    return fd;
}

static void accept_one(gt_socket *listener, int fd) {
    gt_op *op = listener->readers.first;
    gt_result result = {0};
    gt_socket *connection = take_in(listener, fd, op, &result.status);
    bool taken;

    gt_op_remove(&listener->readers, op);
    if (result.status == 0)
        result.accepted = connection;
    taken = listener->host->complete(listener, op, &result);
    if (connection == NULL) {
        listener->listening.parked_fd = fd;
        return;
    }
    if (taken && result.status == 0) {
        /* What an active one has got already, the poller reports: a host whose messages come from one process
         * (hosts/otp/outbox.c) would have the accepting one wait for that, with each connection. */
        connection->drained = connection->settings.active != GT_PASSIVE;
        gt_pump_input(connection);
    } else {
        give_back(listener, connection);
    }
    gt_lock_drop(&connection->lock);
    listener->host->let_go(connection);
}

void gt_pump_accept(gt_socket *listener) {
    while (listener->readers.first != NULL && (listener->listening.parked_fd >= 0 || !listener->drained)) {
        int fd = next_descriptor(listener);
        if (fd >= 0)
            accept_one(listener, fd);
        else if (fd == -EAGAIN)
            listener->drained = true;
        else
            (void)gt_answer(listener, &listener->readers, listener->readers.first, fd);
    }
    if (listener->readers.first != NULL)
        gt_poller_want(&listener->watch, GT_READABLE);
}

int gt_accept(gt_socket *listener, gt_op *op) {
    int answer = GT_PENDING;

    gt_lock_take(&listener->lock);
    if (listener->state == GT_LISTENING) {
        gt_op_append(&listener->readers, op);
        gt_pump_accept(listener);
        if (gt_op_last(&listener->readers) != op) /* served: the newest is served last */
            answer = 0;
    } else {
        answer = gt_is_closed(listener) ? GT_CLOSED : -EINVAL;
    }
    gt_lock_drop(&listener->lock);
    return answer;
}
