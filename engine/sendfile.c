/* SPDX-License-Identifier: Apache-2.0 */
/* A file's way out: its bytes never come to us, so its op stands for them in the queue. It knows how much of the queue
 * is before it; nothing has to be allocated for it. */
#include <errno.h>

#include "engine/internal.h"

static bool is_file(const gt_op *op) {
    return op != NULL && op->kind == GT_OP_SENDFILE;
}

gt_op *gt_first_file_of(const gt_socket *s) {
    return is_file(s->writers.first) ? s->writers.first : NULL;
}

/* Puts a file behind all that is to go out, and behind the other files among the writers. */
static void line_up(gt_socket *s, gt_op *op) {
    gt_op *last = NULL;
    size_t before = s->output_size;

    for (gt_op *file = gt_first_file(s); is_file(file); file = file->next) {
        before -= file->file->before;
        last = file;
    }
    op->file->before = before;
    gt_op_insert(&s->writers, op, last);
}

static bool stands_in_line(const gt_socket *s, const gt_op *op) {
    const gt_op *file = gt_first_file(s);

    while (is_file(file) && file != op)
        file = file->next;
    return is_file(file);
}

void gt_remove_file(gt_socket *s, gt_op *op) {
    if (is_file(op->next))
        op->next->file->before += op->file->before;
    gt_op_remove(&s->writers, op);
}

void gt_cut_files(gt_socket *s) {
    gt_op *file = gt_first_file(s);

    if (file != NULL)
        gt_cut_output(s, file->file->before);
    for (; file != NULL; file = gt_first_file(s))
        (void)gt_answer(s, &s->writers, file, GT_CLOSED);
}

/* Is it the file, and not the socket, that can't be used? No stream socket fails in these ways. */
static bool is_of_file(int error) {
    return error == -EBADF || error == -ESPIPE || error == -EINVAL || error == -EISDIR || error == -EIO ||
           error == -EOVERFLOW || error == -EOPNOTSUPP;
}

ssize_t gt_write_file(gt_socket *s, gt_op *op) {
    gt_file *file = op->file;
    size_t most = file->left < GT_FILE_TURN ? (size_t)file->left : GT_FILE_TURN;
    ssize_t went = gt_sys_sendfile(s->watch.fd, file->fd, file->offset, most);
    bool begun = file->sent > 0;

    if (went >= 0) {
        file->sent += (uint64_t)went;
        file->offset += went;
        file->left -= (uint64_t)went;
        if (went == 0 || file->left == 0)
            (void)gt_answer(s, &s->writers, op, 0);
    } else if (is_of_file((int)went)) {
        (void)gt_answer(s, &s->writers, op, (int)went);
        if (!begun)
            return 0;
    }
    return went;
}

int gt_sendfile(gt_socket *s, gt_file *file, gt_op *op) {
    uint64_t most;
    int answer;

    if (file->offset < 0)
        return -EINVAL;
    most = (uint64_t)(INT64_MAX - file->offset);
    gt_lock_take(&s->lock);
    if (s->state != GT_CONNECTED) {
        answer = gt_not_connected(s, NULL);
    } else if (s->write_ended) {
        answer = gt_output_over(s, -EPIPE, true);
    } else {
        if (file->left == 0 || file->left > most)
            file->left = most;
        file->sent = 0;
        op->file = file;
        line_up(s, op);
        gt_pump_output(s);
        answer = stands_in_line(s, op) ? GT_PENDING : 0;
    }
    gt_lock_drop(&s->lock);
    return answer;
}
