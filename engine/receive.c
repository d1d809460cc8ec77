/* SPDX-License-Identifier: Apache-2.0 */
/* A byte's way in: read through the thread's scratch or straight into a host's buffer, framed, and handed to
 * whoever wants it: the owner of an active socket, or the one recv that waits. */
#include <errno.h>
#include <string.h>

#include "engine/internal.h"

enum {
    READ_MAX = 1 << GT_READ_SHIFT_MAX,
    TURN_BYTES = READ_MAX,       /* read in one turn of one socket, so that a flood starves no other */
    DIRECT_BYTES = READ_MAX / 4, /* from this size on, a buffer of its own costs less than a copy */
    /* What a buffer starts with, whatever a header promises. A little more than 64 KiB, in which so much is often sent:
     * a read that leaves room tells that nothing is left, and spares the one that would say EAGAIN. */
    FIRST_BUFFER = READ_MAX + READ_MAX / 64,
};

void gt_drop_input(gt_socket *s) {
    if (s->input != NULL)
        s->host->buffer_free(s->input);
    s->input = NULL;
}

/* How many bytes of the input are left. */
static size_t left_over(const gt_socket *s) {
    return s->input != NULL ? s->input->to - s->input->from : 0;
}

static bool active(const gt_socket *s) {
    return s->settings.active != GT_PASSIVE;
}

static bool wanted(const gt_socket *s) {
    return s->state == GT_CONNECTED && !s->read_ended && (active(s) ? !s->paused : s->readers.first != NULL);
}

/* ---- telling and handing out ---- */

bool gt_tell(gt_socket *s, enum gt_message_kind kind, int reason) {
    if (s->paused) {
        s->held_messages |= (uint8_t)(1U << kind);
        return true;
    }
    return s->host->deliver(s, &(gt_message){.kind = kind, .reason = reason}) != GT_CLOSED;
}

bool gt_tell_end(gt_socket *s, int reason) {
    if (s->end_told)
        return true;
    s->end_told = true;
    s->end_reason = (int16_t)(reason == GT_CLOSED ? 0 : reason);
    return (reason == GT_CLOSED || gt_tell(s, GT_TCP_ERROR, reason)) && gt_tell(s, GT_TCP_CLOSED, 0);
}

static void count_message(gt_socket *s) {
    if (s->settings.active == GT_ACTIVE_ONCE) {
        s->settings.active = GT_PASSIVE;
    } else if (s->settings.active == GT_ACTIVE_COUNT && --s->settings.count == 0) {
        s->settings.active = GT_PASSIVE;
        if (!gt_tell(s, GT_TCP_PASSIVE, 0))
            gt_begin_close(s);
    }
}

/* Hands a packet, which takes `total` bytes of the stream, to whoever wants it. False: nobody took it, and it stays the
 * stream's next. */
static bool hand_out(gt_socket *s, const gt_data *data, size_t total) {
    int error;

    if (!active(s)) {
        gt_op *op = s->readers.first;
        gt_op_remove(&s->readers, op);
        if (!s->host->complete(s, op, &(gt_result){.data = *data}))
            return false;
        gt_count_recv(&s->counters, &s->sizes, total);
        return true;
    }
    error = s->host->deliver(s, &(gt_message){.kind = GT_TCP, .data = *data});
    if (error == 0) {
        gt_count_recv(&s->counters, &s->sizes, total);
        count_message(s);
        return true;
    }
    if (error == GT_CLOSED)
        gt_begin_close(s);
    else
        gt_input_over(s, error);
    return false;
}

void gt_input_over(gt_socket *s, int error) {
    bool reset_hidden = error == -ECONNRESET && !s->settings.show_econnreset;
    int answer = reset_hidden ? GT_CLOSED : error;
    /* Without exit_on_close the way out is open still: what is queued goes on, or a later send would leave a hole. */
    bool answered_send = s->settings.exit_on_close && s->writers.first != NULL;
    /* What is queued would have met a reset first: the next recv hears of that one. */
    bool answered_recv = s->readers.first != NULL && !(error == -ECONNRESET && gt_has_output(s));

    gt_drop_input(s);
    if (active(s)) {
        if (answered_send) /* a reset is what their own writing would have met */
            gt_answer_all(s, &s->writers, answer == -ECONNRESET ? answer : GT_CLOSED);
        if (!gt_tell_end(s, answer) || s->settings.exit_on_close)
            gt_shut(s);
        else
            s->read_ended = true;
        return;
    }
    if (s->settings.exit_on_close)
        gt_end(s, answered_recv ? 0 : answer, answered_send || answer != GT_CLOSED ? 0 : GT_CLOSED);
    else
        s->read_ended = true;
    gt_answer_all(s, &s->readers, answer);
    if (answered_send)
        gt_answer_writers(s, answer == -ECONNRESET ? answer : GT_CLOSED);
}

/* ---- packets ---- */

/* 0: what is there will do. */
static size_t exact_length(const gt_op *op) {
    return op->at_most ? 0 : op->length;
}

/* How much of the stream a recv may take at most, framing apart. */
static size_t piece_limit(const gt_socket *s) {
    size_t limit = s->settings.buffer_set ? s->settings.buffer : SIZE_MAX;

    if (!active(s) && s->readers.first->at_most && s->readers.first->length < limit)
        limit = s->readers.first->length;
    return limit;
}

/* The first packet of bytes[0..size), as whoever wants it wants it. */
static enum gt_packet_result next_packet(const gt_socket *s, const uint8_t *bytes, size_t size, gt_packet *out) {
    size_t exactly = active(s) ? 0 : exact_length(s->readers.first);
    size_t limit;

    if (s->settings.framing.type != GT_PACKET_RAW)
        return gt_packet_next(&s->settings.framing, bytes, size, out);
    if (exactly != 0) {
        *out = (gt_packet){.size = exactly, .total = exactly};
        return size < exactly ? GT_PACKET_INCOMPLETE : GT_PACKET_DONE;
    }
    limit = piece_limit(s);
    return gt_packet_next(&s->settings.framing, bytes, size < limit ? size : limit, out);
}

/* The same for the packet at the front of lent bytes; a line of http is read on its way. */
static bool hand_out_lent(gt_socket *s, const uint8_t *bytes, const gt_packet *packet) {
    gt_data data = {.bytes = bytes + packet->start, .size = packet->size};
    gt_http http;

    if (!GENTCP_WITH_HTTP || !gt_packet_is_http(s->settings.framing.type))
        return hand_out(s, &data, packet->total);
    gt_http_parse(data.bytes, data.size, gt_packet_in_headers(&s->settings.framing), &http);
    data.http = &http;
    if (!hand_out(s, &data, packet->total))
        return false;
    s->settings.framing.in_headers = http.in_headers;
    return true;
}

/* Hands out the packets at the front of lent bytes, while somebody wants them. Returns how many bytes were taken;
 * missing: how many more the next packet needs, if that is known, else 0. */
static size_t serve(gt_socket *s, const uint8_t *bytes, size_t size, size_t *missing) {
    size_t taken = 0;
    gt_packet packet;

    *missing = 0;
    while (wanted(s)) {
        enum gt_packet_result found = next_packet(s, bytes + taken, size - taken, &packet);
        if (found == GT_PACKET_TOO_LARGE) {
            gt_input_over(s, -EMSGSIZE);
            break;
        }
        if (found == GT_PACKET_INCOMPLETE) {
            if (packet.total > size - taken)
                *missing = packet.total - (size - taken);
            break;
        }
        if (!hand_out_lent(s, bytes + taken, &packet))
            break;
        taken += packet.total;
    }
    return taken;
}

/* Hands over the whole input buffer if it is just one packet, and large enough to be worth more than a copy. True:
 * nothing is left to serve. */
static bool give_buffer(gt_socket *s) {
    gt_buffer *buffer = s->input;
    const uint8_t *bytes = buffer->bytes + buffer->from;
    size_t size = left_over(s);
    gt_packet packet;
    gt_data data;

    if (!wanted(s) || size < DIRECT_BYTES || size < buffer->size / 2 || gt_packet_is_http(s->settings.framing.type))
        return false;
    if (next_packet(s, bytes, size, &packet) != GT_PACKET_DONE || packet.total != size)
        return false;
    /* Not the socket's while it is handed out, so that an end on the way doesn't free it. */
    s->input = NULL;
    data = (gt_data){.bytes = bytes + packet.start, .size = packet.size, .buffer = buffer};
    if (hand_out(s, &data, packet.total))
        return true;
    if (s->state != GT_CONNECTED || s->read_ended) {
        s->host->buffer_free(buffer);
        return true;
    }
    s->input = buffer;
    return false;
}

/* Serves what was received earlier. */
static void serve_input(gt_socket *s, size_t *missing) {
    size_t taken;

    *missing = 0;
    if (s->input == NULL || give_buffer(s))
        return;
    taken = serve(s, s->input->bytes + s->input->from, left_over(s), missing);
    if (s->input == NULL) /* the socket has ended on the way */
        return;
    s->input->from += taken;
    if (left_over(s) == 0)
        gt_drop_input(s);
}

/* ---- reading ---- */

/* How much to ask for. Beyond what is missing only where a system call less is worth the copy; without a length, all
 * that comes is handed out, so there is no beyond. */
static size_t read_size(const gt_socket *s, size_t missing) {
    size_t adapted = s->read_shift < GT_READ_SHIFT_MAX ? (size_t)1 << s->read_shift : FIRST_BUFFER;
    size_t ahead = s->settings.buffer_set ? s->settings.buffer : adapted;

    if (missing >= DIRECT_BYTES)
        return missing;
    if (s->settings.framing.type == GT_PACKET_RAW && missing == 0) {
        size_t limit = piece_limit(s);
        return limit < FIRST_BUFFER ? limit : FIRST_BUFFER;
    }
    return missing > ahead ? missing : ahead;
}

/* Room in the input buffer: no more than has come already, so that a promised length costs nothing. */
static bool make_room(gt_socket *s, size_t size) {
    size_t have = left_over(s);
    size_t most = have < FIRST_BUFFER / 2 ? FIRST_BUFFER : have * 2;
    size_t target = size < most - have ? have + size : most;
    gt_buffer *buffer = s->input;

    if (buffer == NULL) {
        s->input = s->host->buffer_new(target);
        return s->input != NULL;
    }
    if (buffer->from > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->from, have);
        buffer->from = 0;
        buffer->to = have;
    }
    if (buffer->size >= target)
        return true;
    buffer = s->host->buffer_resize(buffer, target);
    if (buffer == NULL)
        return false;
    buffer->to = have;
    s->input = buffer;
    return true;
}

/* What a read has told about the next one. */
static void learn(gt_socket *s, size_t asked, size_t came) {
    if (came >= DIRECT_BYTES)
        gt_poller_spent(&s->watch, came);
    /* A sender that had more than a read takes writes on while that is copied: a short read says little then. Where
     * many are served, the others' turn comes first, and more has come by the next one. */
    if (came > READ_MAX)
        s->streams = true;
    else if (came < DIRECT_BYTES)
        s->streams = false;
    if (came < asked && !s->hung_up && (!s->streams || gt_poller_crowded(s->watch.poller)))
        s->drained = true;
    if (came >= (size_t)1 << s->read_shift && s->read_shift < GT_READ_SHIFT_MAX)
        s->read_shift++;
    else if (came < (size_t)1 << (s->read_shift - 2) && s->read_shift > GT_READ_SHIFT_MIN)
        s->read_shift--;
}

static ssize_t read_direct(gt_socket *s, size_t size, size_t *missing) {
    size_t room;
    ssize_t came;

    if (!make_room(s, size))
        return -ENOMEM;
    room = s->input->size - s->input->to;
    if (room > size)
        room = size;
    came = gt_sys_recv(s->watch.fd, s->input->bytes + s->input->to, room);
    if (came > 0) {
        s->input->to += (size_t)came;
        learn(s, room, (size_t)came);
        serve_input(s, missing);
    } else if (left_over(s) == 0) {
        gt_drop_input(s);
    }
    return came;
}

/* Keeps what nobody has asked for yet. */
static bool keep_rest(gt_socket *s, const uint8_t *bytes, size_t size, size_t missing) {
    s->input = s->host->buffer_new(size + (missing < FIRST_BUFFER ? missing : FIRST_BUFFER));
    if (s->input == NULL)
        return false;
    memcpy(s->input->bytes, bytes, size);
    s->input->to = size;
    return true;
}

static ssize_t read_through_scratch(gt_socket *s, size_t size, size_t *missing) {
    size_t room;
    uint8_t *scratch = s->host->scratch(&room);
    size_t taken;
    ssize_t came;

    if (scratch == NULL)
        return -ENOMEM;
    if (room > size)
        room = size;
    came = gt_sys_recv(s->watch.fd, scratch, room);
    if (came <= 0)
        return came;
    learn(s, room, (size_t)came);
    taken = serve(s, scratch, (size_t)came, missing);
    if (s->state == GT_CONNECTED && !s->read_ended && taken < (size_t)came &&
        !keep_rest(s, scratch + taken, (size_t)came - taken, *missing))
        return -ENOMEM;
    return came;
}

void gt_pump_input(gt_socket *s) {
    size_t turn = 0;
    size_t missing;

    serve_input(s, &missing);
    while (wanted(s)) {
        size_t size;
        ssize_t came;
        if (s->drained) {
            gt_poller_want(&s->watch, GT_READABLE);
            return;
        }
        if (turn >= TURN_BYTES) {
            gt_poller_again(&s->watch);
            return;
        }
        size = read_size(s, missing);
        if (s->input != NULL || missing >= DIRECT_BYTES || s->read_shift == GT_READ_SHIFT_MAX)
            came = read_direct(s, size, &missing);
        else
            came = read_through_scratch(s, size, &missing);
        if (came > 0)
            turn += (size_t)came;
        else if (came == -EAGAIN)
            s->drained = true;
        else
            gt_input_over(s, came == 0 ? GT_CLOSED : (int)came);
    }
}

void gt_discard_input(gt_socket *s) {
    size_t room;
    uint8_t *scratch = s->host->scratch(&room);
    size_t turn = 0;
    ssize_t came;

    if (scratch == NULL)
        return;
    do {
        came = gt_sys_recv(s->watch.fd, scratch, room);
        turn += came > 0 ? (size_t)came : 0;
    } while (came == (ssize_t)room && turn < TURN_BYTES);
    if (came == (ssize_t)room)
        gt_poller_again(&s->watch);
    else
        gt_poller_want(&s->watch, GT_READABLE);
}

/* ---- calls ---- */

void gt_read_again(gt_socket *s) {
    if (!s->read_ended)
        return;
    s->read_ended = false;
    s->drained = false;
}

/* Takes the place of a recv whose caller is gone. */
static void replace_abandoned(gt_socket *s) {
    gt_op *old = s->readers.first;

    if (old != NULL && s->host->abandoned(s, old))
        (void)gt_answer(s, &s->readers, old, -ECANCELED);
}

int gt_recv(gt_socket *s, gt_op *op) {
    int answer = 0;

    gt_lock_take(&s->lock);
    if (s->state != GT_CONNECTED)
        answer = gt_not_connected(s, &s->owe_recv);
    else if (active(s) || (exact_length(op) > 0 && s->settings.framing.type != GT_PACKET_RAW))
        answer = -EINVAL;
    else if (exact_length(op) > GT_BUFFER_MAX)
        answer = -ENOMEM;
    if (answer != 0)
        goto out;
    gt_read_again(s);
    replace_abandoned(s);
    if (s->readers.first != NULL) {
        answer = -EALREADY;
        goto out;
    }
    gt_op_append(&s->readers, op);
    gt_pump_input(s);
    if (s->readers.first == op)
        answer = GT_PENDING;
out:
    gt_lock_drop(&s->lock);
    return answer;
}

int gt_unrecv(gt_socket *s, const void *bytes, size_t size) {
    size_t have;
    gt_buffer *buffer;
    int answer = 0;

    gt_lock_take(&s->lock);
    if (s->state != GT_CONNECTED) {
        answer = gt_not_connected(s, NULL);
        goto out;
    }
    if (size == 0)
        goto out;
    have = left_over(s);
    buffer = size <= SIZE_MAX - have ? s->host->buffer_new(size + have) : NULL;
    if (buffer == NULL) {
        answer = -ENOMEM;
        goto out;
    }
    memcpy(buffer->bytes, bytes, size);
    if (have > 0)
        memcpy(buffer->bytes + size, s->input->bytes + s->input->from, have);
    buffer->to = size + have;
    gt_drop_input(s);
    s->input = buffer;
    gt_pump_input(s);
out:
    gt_lock_drop(&s->lock);
    return answer;
}
