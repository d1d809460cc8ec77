/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine asks of this host. */
#include <errno.h>
#include <string.h>

#include "hosts/c/data.h"
#include "hosts/c/wait.h"

static gt_call *call_of(gt_op *op) {
    return (gt_call *)(void *)((char *)op - offsetof(gt_call, op));
}

/* Received bytes on their way to a call: 0, or why it can't have them; they then stay with the socket. */
static int receive_into(gt_call *call, const gt_data *data) {
    if (call->into == NULL) {
        if (data->buffer != NULL)
            call->data = gt_data_take(data);
        else if (!gt_data_copy(data, &call->data))
            return -ENOMEM;
        return 0;
    }
    if (data->size > call->into_size)
        return -EMSGSIZE;
    memcpy(call->into, data->bytes, data->size);
    call->into_size = data->size;
    if (data->buffer != NULL)
        gt_buffer_free(data->buffer);
    return 0;
}

static bool complete(gt_socket *engine, gt_op *op, const gt_result *result) {
    gt_call *call = call_of(op);
    int status = result->status;

    (void)engine;
    if (status == 0 && op->kind == GT_OP_RECV)
        status = receive_into(call, &result->data);
    if (status == 0 && op->kind == GT_OP_ACCEPT) {
        call->accepted = gt_csocket_of(result->accepted);
        gt_csocket_keep(call->accepted);
        gt_csocket_adopt(call->accepted);
    }
    gt_call_done(call, status);
    return status == result->status;
}

/* A thread that waits is alive. */
static bool abandoned(gt_socket *engine, gt_op *op) {
    (void)engine;
    (void)op;
    return false;
}

static int deliver(gt_socket *engine, const gt_message *message) {
    return gt_mailbox_deliver(gt_csocket_of(engine), message);
}

/* Two processes are locked in the order of their addresses. */
static void lock_both(gt_process *a, gt_process *b) {
    gt_lock_take(a < b ? &a->lock : &b->lock);
    gt_lock_take(a < b ? &b->lock : &a->lock);
}

static int reown(gt_socket *engine, const void *from, const void *to) {
    gt_csocket *socket = gt_csocket_of(engine);
    gt_process *old = gt_csocket_owner(socket);
    gt_process *new = (gt_process *)(uintptr_t)to;
    bool alive;

    if (new == old)
        return 0;
    if (from != old)
        return GT_NOT_OWNER;
    lock_both(old, new);
    alive = new->alive;
    if (alive) {
        gt_mailbox_move(old, new, socket);
        if (socket->adopted) {
            gt_ring_remove(&socket->link);
            gt_ring_add(&new->sockets, &socket->link);
        }
        gt_process_keep(new);
        atomic_store_explicit(&socket->owner, new, memory_order_release);
        gt_process_notify(new);
    }
    gt_lock_drop(&old->lock);
    gt_lock_drop(&new->lock);
    if (!alive)
        return GT_BADARG;
    gt_process_drop(old); /* the caller's own: not the last */
    return 0;
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    gt_csocket *socket = gt_csocket_new(call_of(op)->waiter);

    (void)listener; /* no options of this host's own */
    return socket != NULL ? &socket->engine : NULL;
}

static void keep(gt_socket *engine) {
    gt_csocket_keep(gt_csocket_of(engine));
}

static void let_go(gt_socket *engine) {
    gt_csocket_drop(gt_csocket_of(engine));
}

static void closed(gt_socket *engine) {
    gt_csocket_disown(gt_csocket_of(engine)); /* the engine has a reference yet */
}

/* send returns when the kernel has taken all: nobody would send the rest while the program computes. */
static const gt_option defaults[] = {
    {.name = GT_OPT_HIGH_WATERMARK, .number = 0},
    {.name = GT_OPT_LOW_WATERMARK, .number = 0},
};

const gt_host gt_host_c = {
    .name = "c",
    .defaults = defaults,
    .default_count = sizeof defaults / sizeof defaults[0],
    .complete = complete,
    .abandoned = abandoned,
    .deliver = deliver,
    .reown = reown,
    .create = create,
    .keep = keep,
    .let_go = let_go,
    .closed = closed,
    .buffer_new = gt_buffer_new,
    .buffer_resize = gt_buffer_resize,
    .buffer_free = gt_buffer_free,
    .scratch = gt_thread_scratch,
    .hold = gt_segment_hold,
    .segment_free = gt_segment_free,
    .zero_watermark_drains = true,
};
