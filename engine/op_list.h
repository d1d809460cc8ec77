/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that wait on a socket, in order. Called with the socket locked. */
#ifndef GT_OP_LIST_H
#define GT_OP_LIST_H

#include "engine/socket.h"

/* after: the op that stands before it then; NULL: none. */
static inline void gt_op_insert(gt_op_list *list, gt_op *op, gt_op *after) {
    op->next = after != NULL ? after->next : list->first;
    op->previous = after;
    op->waiting = true;
    if (after != NULL)
        after->next = op;
    else
        list->first = op;
    if (op->next != NULL)
        op->next->previous = op;
    else
        list->last = op;
}

static inline void gt_op_append(gt_op_list *list, gt_op *op) {
    gt_op_insert(list, op, list->last);
}

static inline void gt_op_remove(gt_op_list *list, gt_op *op) {
    if (op->previous != NULL)
        op->previous->next = op->next;
    else
        list->first = op->next;
    if (op->next != NULL)
        op->next->previous = op->previous;
    else
        list->last = op->previous;
    op->waiting = false;
}

#endif
