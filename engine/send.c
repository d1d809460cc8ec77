/* SPDX-License-Identifier: Apache-2.0 */
/* A byte's way out: to the kernel at once if nothing is queued; what it doesn't take is queued, and past the
 * watermarks the sender waits. */
#include <errno.h>

#include "engine/internal.h"

enum { TURN_BYTES = 1024 * 1024 }; /* written in one turn of one socket */

static void consume(gt_socket *s, size_t size) {
    s->output_size -= size;
    while (s->output != NULL && size >= s->output->size) {
        gt_segment *done = s->output;
        size -= done->size;
        s->output = done->next;
        if (s->output != NULL)
            s->output->last = done->last;
        s->host->segment_free(done);
    }
    if (s->output != NULL) {
        s->output->bytes += size;
        s->output->size -= size;
    }
}

void gt_cut_output(gt_socket *s, size_t size) {
    gt_segment **end = &s->output;
    gt_segment *last = NULL;
    size_t kept = 0;

    for (; *end != NULL && kept < size; end = &last->next) {
        last = *end;
        kept += last->size;
    }
    while (*end != NULL) {
        gt_segment *segment = *end;
        *end = segment->next;
        s->host->segment_free(segment);
    }
    if (last != NULL)
        s->output->last = last;
    s->output_size = kept;
}

void gt_drop_output(gt_socket *s) {
    gt_cut_output(s, 0);
    s->congested = false;
}

static bool drains(const gt_socket *s) {
    return s->settings.backend == GT_SEND_DRAINS || (s->settings.high == 0 && s->host->zero_watermark_drains);
}

/* What inet does with every error of writing. */
int gt_output_over(gt_socket *s, int error, bool answered) {
    /* EPIPE without a shutdown of ours: a reset that answers what was sent after the peer's end. */
    bool reset = error == -ECONNRESET || (error == -EPIPE && !s->write_ended);
    bool show = reset && s->settings.show_econnreset;
    int answer = show ? -ECONNRESET : GT_CLOSED;
    bool answered_send = answered || s->writers.first != NULL;

    if (s->state == GT_CLOSING) {
        gt_shut(s);
        return answer;
    }
    if (s->settings.active != GT_PASSIVE) {
        gt_answer_all(s, &s->writers, answer);
        if (!gt_tell_end(s, answer) || s->settings.exit_on_close)
            gt_shut(s);
        else
            gt_end(s, 0, s->read_ended ? GT_CLOSED : 0);
        return answer;
    }
    gt_end(s, answer, answered_send && !s->read_ended ? 0 : GT_CLOSED);
    gt_answer_all(s, &s->readers, answer);
    gt_answer_writers(s, answer);
    return answer;
}

/* The queue's front, up to size bytes, which are whole segments. */
static int fill_parts(const gt_segment *segment, size_t size, struct iovec parts[GT_SYS_IOV_MAX]) {
    int count = 0;

    for (; segment != NULL && size > 0 && count < GT_SYS_IOV_MAX; segment = segment->next) {
        parts[count].iov_base = (void *)(uintptr_t)segment->bytes; /* sendmsg(2) only reads it */
        parts[count++].iov_len = segment->size;
        size -= segment->size;
    }
    return count;
}

/* Gives the kernel what is the next to go out: a count, or a negative errno. */
static ssize_t write_some(gt_socket *s) {
    struct iovec parts[GT_SYS_IOV_MAX];
    gt_op *file = gt_first_file(s);
    ssize_t went;

    if (GENTCP_WITH_SENDFILE && file != NULL && file->file->before == 0)
        return gt_write_file(s, file);
    went = gt_sys_send(s->watch.fd, parts, fill_parts(s->output, file != NULL ? file->file->before : SIZE_MAX, parts));
    if (went > 0)
        consume(s, (size_t)went);
    if (went > 0 && file != NULL)
        file->file->before -= (size_t)went;
    return went;
}

/* Those who wait for a watermark; files wait for their own end. */
static void answer_senders(gt_socket *s) {
    gt_op *next;

    for (gt_op *op = s->writers.first; op != NULL; op = next) {
        next = op->next;
        if (op->kind == GT_OP_SEND)
            (void)gt_answer(s, &s->writers, op, 0);
    }
}

static int shut_down(gt_socket *s, int how) {
    int error = gt_sys_shutdown(s->watch.fd, how);

    if (how != SHUT_RD && error == 0)
        s->write_ended = true;
    if (how != SHUT_WR) {
        s->hung_up = true; /* the end can be read from now on, and no edge need tell of it */
        s->drained = false;
        gt_pump_input(s);
    }
    return error;
}

void gt_output_empty(gt_socket *s) {
    if (s->state == GT_CLOSING)
        gt_shut(s);
    else if (s->write_ended)
        (void)shut_down(s, s->end_both ? SHUT_RDWR : SHUT_WR);
}

void gt_pump_output(gt_socket *s) {
    size_t turn = 0;
    bool over = false;

    if (!gt_has_output(s))
        return;
    while (gt_has_output(s) && !over) {
        bool file = gt_first_file(s) != NULL;
        ssize_t went = write_some(s);
        if (went == -EAGAIN)
            break;
        if (went < 0) {
            (void)gt_output_over(s, (int)went, file);
            return;
        }
        turn += (size_t)went;
        over = turn >= (file ? GT_FILE_TURN : TURN_BYTES);
    }
    if (s->state == GT_CLOSING && turn > 0)
        gt_flush_progress(s);
    if (s->output_size <= (drains(s) ? 0 : s->settings.low)) {
        s->congested = false;
        answer_senders(s);
    }
    if (!gt_has_output(s))
        gt_output_empty(s);
    else if (over)
        gt_poller_again(&s->watch);
    else
        gt_poller_want(&s->watch, GT_WRITABLE);
}

/* Appends parts without their first `skip` bytes to the queue. */
static int queue(gt_socket *s, void *source, const struct iovec *parts, int count, size_t skip) {
    gt_segment *segment = s->host->hold(source, parts, count, skip);

    if (segment == NULL)
        return -ENOMEM;
    if (s->output == NULL)
        s->output = segment;
    else
        s->output->last->next = segment;
    for (; segment != NULL; segment = segment->next) {
        s->output_size += segment->size;
        s->output->last = segment;
    }
    return 0;
}

/* Gives the kernel as much as it takes of a packet that is more than one call can be given as it is. */
static ssize_t write_gathered(gt_socket *s, const struct iovec *head, const struct iovec *parts, int count,
                              size_t total) {
    size_t went = 0;

    for (int first = 0; went < total;) {
        struct iovec batch[GT_SYS_IOV_MAX];
        size_t batch_size = 0;
        int n = 0;
        ssize_t result;

        if (first == 0 && head->iov_len > 0) {
            batch_size = head->iov_len;
            batch[n++] = *head;
        }
        for (; first < count && n < GT_SYS_IOV_MAX; first++) {
            batch_size += parts[first].iov_len;
            batch[n++] = parts[first];
        }
        result = gt_sys_send(s->watch.fd, batch, n);
        if (result < 0)
            return result == -EAGAIN ? (ssize_t)went : result;
        went += (size_t)result;
        if ((size_t)result < batch_size)
            break;
    }
    return (ssize_t)went;
}

/* Gives the kernel as much as it takes: a count, or a negative errno. */
static ssize_t write_now(gt_socket *s, const struct iovec *head, const struct iovec *parts, int count, size_t total) {
    ssize_t went;

    if (head->iov_len > 0 || count > GT_SYS_IOV_MAX || total == 0)
        return write_gathered(s, head, parts, count, total);
    went = gt_sys_send(s->watch.fd, parts, count);
    return went == -EAGAIN ? 0 : went;
}

/* Queues what is left of a packet: its header, or the rest of that, is copied. On failure, if none of it has gone
 * out, nothing has happened; else the stream can't be continued. */
static int queue_rest(gt_socket *s, const struct iovec *head, const struct iovec *parts, int count, void *source,
                      size_t went, size_t total) {
    size_t header_went = went < head->iov_len ? went : head->iov_len;
    size_t old_size = s->output_size;
    int error = 0;

    if (header_went < head->iov_len)
        error = queue(s, NULL, head, 1, header_went);
    if (error == 0 && total > head->iov_len)
        error = queue(s, source, parts, count, went - header_went);
    if (error == 0)
        return 0;
    gt_cut_output(s, old_size); /* the header, alone */
    return went == 0 ? error : gt_output_over(s, error, true);
}

/* Has a send of so many bytes to wait, if any of them are queued? */
static bool would_wait(const gt_socket *s, size_t total) {
    return drains(s) || s->congested || (gt_has_output(s) && s->output_size + total >= s->settings.high);
}

int gt_send(gt_socket *s, const struct iovec *parts, int count, void *source, gt_op *op) {
    uint8_t header[GT_PACKET_HEADER_MAX];
    struct iovec head = {.iov_base = header};
    size_t total = 0;
    ssize_t went = 0;
    bool waits;
    int answer;

    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > SIZE_MAX / 2 - total)
            return -EINVAL;
        total += parts[i].iov_len;
    }
    gt_lock_take(&s->lock);
    if (s->state != GT_CONNECTED && (!gt_close_awaited(s) || s->write_ended)) {
        answer = gt_not_connected(s, &s->owe_send);
        goto out;
    }
    answer = gt_packet_header(s->settings.framing.type, total, header);
    if (answer < 0)
        goto out;
    head.iov_len = (size_t)answer;
    total += head.iov_len;
    if (s->end_late) {
        answer = gt_output_over(s, -EPIPE, true);
        goto out;
    }
    waits = would_wait(s, total);
    if (op == NULL && waits) {
        answer = -EAGAIN;
        goto out;
    }
    gt_count_send(&s->counters, s->state == GT_CONNECTED ? &s->sizes : NULL,
                  total); /* whatever becomes of it, as inet */
    answer = 0;
    if (!gt_has_output(s) && !s->settings.delay_send)
        went = write_now(s, &head, parts, count, total);
    if (went < 0) {
        answer = gt_output_over(s, (int)went, true);
        goto out;
    }
    if ((size_t)went < total) {
        answer = queue_rest(s, &head, parts, count, source, (size_t)went, total);
        if (answer != 0)
            goto out;
        if (s->settings.delay_send) /* with no edge to come, as nothing has filled the kernel's buffer */
            gt_poller_again(&s->watch);
        else
            gt_poller_want(&s->watch, GT_WRITABLE);
    }
    if (waits && s->output != NULL) {
        s->congested = true;
        gt_op_append(&s->writers, op);
        answer = GT_PENDING;
    } else if (op != NULL) {
        (void)s->host->complete(s, op, &(gt_result){.status = 0});
    }
out:
    gt_lock_drop(&s->lock);
    return answer;
}

int gt_shutdown(gt_socket *s, int how) {
    int answer = 0;

    gt_lock_take(&s->lock);
    if (s->state != GT_CONNECTED) {
        answer = gt_not_connected(s, NULL);
    } else if (how != SHUT_RD && gt_has_output(s)) {
        s->write_ended = true;
        s->end_late = true;
        s->end_both = s->end_both || how == SHUT_RDWR;
    } else {
        answer = shut_down(s, how);
    }
    gt_lock_drop(&s->lock);
    return answer;
}
