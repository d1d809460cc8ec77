/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket is at this moment. */
#include "engine/internal.h"

/* An op whose caller is gone stays on its list until something comes for it. */
static size_t count(gt_socket *s, const gt_op_list *list, enum gt_op_kind kind) {
    size_t found = 0;

    for (gt_op *op = list->first; op != NULL; op = op->next)
        found += op->kind == kind && !s->host->abandoned(s, op);
    return found;
}

void gt_get_info(gt_socket *s, gt_info *out) {
    gt_lock_take(&s->lock);
    *out = (gt_info){
        .state = (enum gt_state)s->state,
        .family = s->state == GT_NEW ? 0 : s->settings.family,
        .active = s->settings.active,
        .active_count = s->settings.active == GT_ACTIVE_COUNT ? s->settings.count : 0,
        .input = s->input != NULL ? s->input->to - s->input->from : 0,
        .output = s->output_size,
        .readers = count(s, &s->readers, GT_OP_CONNECT) + count(s, &s->readers, GT_OP_RECV) +
                   count(s, &s->readers, GT_OP_ACCEPT),
        .senders = count(s, &s->writers, GT_OP_SEND),
        .files = count(s, &s->writers, GT_OP_SENDFILE),
        .congested = s->congested,
        .read_ended = s->read_ended,
        .write_ended = s->write_ended,
        .paused = s->paused,
        .stats = gt_stats_now(s),
    };
    gt_lock_drop(&s->lock);
}
