/* SPDX-License-Identifier: Apache-2.0 */
/* A socket's life: from a descriptor under watch to its end, by whichever way. */
#include <errno.h>
#include <string.h>

#include "engine/internal.h"

/* How long close waits for the queue: without progress, and in all. OTP's prim_inet:close/1 has the same figures. */
enum { FLUSH_STALL_MS = 5000, FLUSH_TOTAL_MS = 180000 };

void gt_socket_init(gt_socket *s, const gt_host *host, gt_poller *poller) {
    gt_lock_init(&s->lock);
    s->host = host;
    s->watch.poller = poller;
    s->watch.fd = -1;
    s->read_shift = GT_READ_SHIFT_MIN;
    s->state = GT_NEW;
    gt_settings_init(s);
}

void gt_socket_fini(gt_socket *s) {
    gt_drop_input(s);
    gt_drop_output(s);
    if (s->netns != NULL)
        s->host->buffer_free(s->netns);
    gt_lock_fini(&s->lock);
}

void gt_opened(gt_socket *s, int family, int fd) {
    s->watch.fd = fd;
    s->settings.family = (uint8_t)family;
    s->open = true;
    s->host->keep(s);
}

int gt_watch_start(gt_socket *s) {
    int error;

    s->host->keep(s);
    error = gt_poller_add(s->watch.poller, &s->watch);
    if (error == 0)
        s->watched = true;
    else
        s->host->let_go(s);
    return error;
}

void gt_watch_stop(gt_socket *s) {
    if (s->watched)
        gt_poller_remove(&s->watch);
    s->watched = false;
}

static void close_descriptor(gt_socket *s) {
    static const struct linger abortive = {.l_onoff = 1, .l_linger = 0};
    int fd = s->watch.fd;

    if (fd < 0)
        return;
    gt_watch_stop(s);
    s->watch.fd = -1;
    if (s->lent)
        return;
    /* Only {true, 0} is the kernel's: with any other time its close would block. */
    if (s->settings.linger_on && s->settings.linger == 0)
        (void)gt_sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
    gt_sys_close(fd);
}

bool gt_answer(gt_socket *s, gt_op_list *list, gt_op *op, int status) {
    gt_result result = {.status = status};

    gt_op_remove(list, op);
    return s->host->complete(s, op, &result);
}

void gt_answer_all(gt_socket *s, gt_op_list *list, int status) {
    while (list->first != NULL)
        (void)gt_answer(s, list, list->first, status);
}

void gt_answer_writers(gt_socket *s, int status) {
    bool told = false;

    while (s->writers.first != NULL) {
        gt_op *op = s->writers.first;
        bool later = told && op->kind == GT_OP_SEND;
        told = told || op->kind == GT_OP_SEND;
        (void)gt_answer(s, &s->writers, op, later ? -ENOTCONN : status);
    }
}

void gt_end(gt_socket *s, int recv, int send) {
    close_descriptor(s);
    gt_drop_input(s);
    gt_drop_output(s);
    s->state = GT_ENDED;
    s->owe_recv = (int16_t)recv;
    s->owe_send = (int16_t)send;
}

bool gt_close_awaited(const gt_socket *s) {
    return s->state == GT_CLOSING && s->writers.first != NULL;
}

bool gt_is_closed(const gt_socket *s) {
    return s->state == GT_SHUT || (s->state == GT_CLOSING && !gt_close_awaited(s));
}

void gt_shut(gt_socket *s) {
    if (s->state == GT_SHUT)
        return;
    if (s->state == GT_CLOSING)
        gt_poller_clear_deadline(s->watch.poller, &s->closing.deadline);
    else if (s->state == GT_LISTENING && s->listening.parked_fd >= 0)
        gt_sys_close(s->listening.parked_fd);
    s->state = GT_SHUT;
    close_descriptor(s);
    gt_drop_input(s);
    gt_drop_output(s);
    gt_answer_all(s, &s->readers, GT_CLOSED);
    while (s->writers.first != NULL)
        (void)gt_answer(s, &s->writers, s->writers.first, s->writers.first->kind == GT_OP_CLOSE ? 0 : GT_CLOSED);
    if (s->open) {
        s->open = false;
        s->host->closed(s);
        s->host->let_go(s);
    }
}

int gt_not_connected(gt_socket *s, int16_t *owed) {
    int answer = -ENOTCONN;

    if (s->state == GT_CLOSING || s->state == GT_SHUT)
        return GT_CLOSED;
    if (s->state == GT_ENDED && owed != NULL && *owed != 0) {
        answer = *owed;
        *owed = 0;
    }
    return answer;
}

/* Gives the queue its time to empty: see FLUSH_STALL_MS; {linger, {true, T}} sets the whole time. */
static void allow_flush(gt_socket *s, int64_t now) {
    int64_t at = s->closing.limit;

    if (!s->settings.linger_on && now + FLUSH_STALL_MS < at)
        at = now + FLUSH_STALL_MS;
    gt_poller_set_deadline(s->watch.poller, &s->closing.deadline, at);
}

void gt_flush_progress(gt_socket *s) {
    allow_flush(s, gt_sys_now());
}

void gt_begin_close(gt_socket *s) {
    bool linger_on = s->settings.linger_on;
    int64_t now;

    if (s->state == GT_CLOSING)
        return;
    if (GENTCP_WITH_SENDFILE)
        gt_cut_files(s);
    if (s->output == NULL || (linger_on && s->settings.linger == 0)) {
        gt_shut(s);
        return;
    }
    s->state = GT_CLOSING;
    gt_drop_input(s);
    gt_answer_all(s, &s->readers, GT_CLOSED);
    gt_answer_all(s, &s->writers, GT_CLOSED);
    now = gt_sys_now();
    s->closing = (gt_closing){.limit = now};
    s->closing.limit += linger_on ? (int64_t)s->settings.linger * 1000 : FLUSH_TOTAL_MS;
    allow_flush(s, now);
    gt_poller_want(&s->watch, GT_WRITABLE);
    gt_discard_input(s);
}

int gt_close(gt_socket *s, gt_op *op) {
    int answer = 0;

    gt_lock_take(&s->lock);
    if (s->state != GT_SHUT)
        gt_begin_close(s);
    if (op != NULL && s->state == GT_CLOSING) {
        gt_op_append(&s->writers, op);
        answer = GT_PENDING;
    } else if (op != NULL) {
        (void)s->host->complete(s, op, &(gt_result){.status = 0});
    }
    gt_lock_drop(&s->lock);
    return answer;
}

static void abort_locked(gt_socket *s) {
    if (s->state == GT_CONNECTED && s->settings.active == GT_PASSIVE) {
        gt_end(s, 0, 0);
        gt_answer_all(s, &s->readers, GT_CLOSED);
        gt_answer_all(s, &s->writers, GT_CLOSED);
        return;
    }
    if (s->state == GT_CONNECTED)
        (void)gt_tell_end(s, GT_CLOSED);
    gt_shut(s);
}

void gt_abort(gt_socket *s) {
    gt_lock_take(&s->lock);
    abort_locked(s);
    gt_lock_drop(&s->lock);
}

bool gt_cancel(gt_socket *s, gt_op *op) {
    bool sending = op->kind == GT_OP_SEND || op->kind == GT_OP_SENDFILE;
    bool waiting;

    gt_lock_take(&s->lock);
    waiting = op->waiting;
    if (GENTCP_WITH_SENDFILE && waiting && op->kind == GT_OP_SENDFILE)
        gt_remove_file(s, op);
    else if (waiting)
        gt_op_remove(sending || op->kind == GT_OP_CLOSE ? &s->writers : &s->readers, op);
    /* As on inet: what is sent next waits only if the queue is long, and no longer because it was. */
    if (waiting && (s->writers.first == NULL || gt_op_last(&s->writers)->kind != GT_OP_SEND))
        s->congested = false;
    if (waiting && sending && s->settings.send_timeout_close)
        abort_locked(s);
    else if (waiting && sending && !gt_has_output(s))
        gt_output_empty(s);
    gt_lock_drop(&s->lock);
    return waiting;
}

/* Moves the socket into another poller; what it left behind in input is served there. */
static void move(gt_socket *s, gt_poller *poller) {
    int error;

    if (!s->watched) {
        s->watch.poller = poller;
        return;
    }
    gt_poller_detach(&s->watch);
    s->watch.poller = poller;
    s->drained = false;
    error = gt_poller_add(poller, &s->watch);
    if (error != 0) {
        s->watched = false;
        s->host->let_go(s);           /* what the poller held */
        if (s->state == GT_CONNECTED) /* a listener has no stream whose end could be told */
            gt_input_over(s, error);
        if (s->state != GT_ENDED) /* whatever exit_on_close says: nobody watches it any more */
            gt_shut(s);
    } else {
        gt_poller_again(&s->watch);
    }
}

int gt_pause(gt_socket *s) {
    int error = 0;

    gt_lock_take(&s->lock);
    if (s->state == GT_CLOSING || s->state == GT_SHUT)
        error = GT_CLOSED;
    else
        s->paused = true;
    gt_lock_drop(&s->lock);
    return error;
}

/* In the order in which they can have come about. */
static void resume(gt_socket *s) {
    static const enum gt_message_kind kinds[] = {GT_TCP_PASSIVE, GT_TCP_ERROR, GT_TCP_CLOSED};
    unsigned held = s->held_messages;
    bool alive = true;

    s->paused = false;
    s->held_messages = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((held & 1U << kinds[i]) != 0)
            alive = alive && gt_tell(s, kinds[i], kinds[i] == GT_TCP_ERROR ? s->end_reason : 0);
    }
    if (!alive)
        gt_begin_close(s);
    if (s->state == GT_CONNECTED)
        gt_pump_input(s);
}

void gt_resume(gt_socket *s) {
    gt_lock_take(&s->lock);
    if (s->paused)
        resume(s);
    gt_lock_drop(&s->lock);
}

int gt_reown(gt_socket *s, const void *from, const void *to, gt_poller *poller) {
    int error;

    gt_lock_take(&s->lock);
    if (s->state == GT_CLOSING || s->state == GT_SHUT)
        error = GT_CLOSED;
    else
        error = s->host->reown(s, from, to);
    if (error == 0 && poller != s->watch.poller)
        move(s, poller);
    if (error == 0 && s->paused)
        resume(s);
    gt_lock_drop(&s->lock);
    return error;
}

void gt_ready(gt_socket *s, int readiness) {
    gt_lock_take(&s->lock);
    if ((readiness & (GT_READABLE | GT_HANGUP)) != 0)
        s->drained = false;
    if ((readiness & GT_HANGUP) != 0)
        s->hung_up = true;
    switch (s->state) {
    case GT_CONNECTING:
        if ((readiness & (GT_WRITABLE | GT_HANGUP)) != 0)
            gt_connect_decided(s);
        break;
    case GT_LISTENING:
        gt_pump_accept(s);
        break;
    case GT_CONNECTED:
    case GT_CLOSING:
        /* Input first: after a reset, what the peer sent before it can still be read. */
        if (s->state == GT_CONNECTED)
            gt_pump_input(s);
        else
            gt_discard_input(s);
        if ((s->state == GT_CONNECTED || s->state == GT_CLOSING) &&
            (readiness == 0 || (readiness & (GT_WRITABLE | GT_HANGUP)) != 0))
            gt_pump_output(s);
        break;
    default: /* a report that was on its way when the socket was closed */
        break;
    }
    gt_lock_drop(&s->lock);
}

int gt_waits_for(gt_socket *s, const gt_op *op, short *events) {
    int fd;

    gt_lock_take(&s->lock);
    fd = s->watch.fd;
    gt_lock_drop(&s->lock);
    *events = op->kind == GT_OP_RECV || op->kind == GT_OP_ACCEPT ? POLLIN : POLLOUT;
    return fd;
}

#define SOCKET_OF(pointer, member) ((gt_socket *)(void *)((char *)(pointer)-offsetof(gt_socket, member)))

static void on_ready(gt_watch *watch, int readiness) {
    gt_ready(SOCKET_OF(watch, watch), readiness);
}

static void on_expired(gt_deadline *deadline) {
    gt_socket *s = SOCKET_OF(deadline, closing.deadline);

    gt_lock_take(&s->lock);
    /* It may be the poller that was not run all the time, and not the peer that didn't read. */
    if (s->state == GT_CLOSING)
        gt_pump_output(s);
    /* Progress may have moved the deadline, just now or while this call was on its way. */
    if (s->state == GT_CLOSING && gt_sys_now() >= s->closing.deadline.at)
        gt_shut(s);
    gt_lock_drop(&s->lock);
}

static void on_forgotten(gt_watch *watch) {
    gt_socket *s = SOCKET_OF(watch, watch);

    s->host->let_go(s);
}

void gt_poller_user_init(gt_poller_user *user, void *(*allocate)(size_t), void (*release)(void *)) {
    *user = (gt_poller_user){
        .ready = on_ready, .expired = on_expired, .forgotten = on_forgotten, .allocate = allocate, .release = release};
}
