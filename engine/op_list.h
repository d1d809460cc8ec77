/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that wait on a socket, in order. Called with the socket locked. */
#ifndef GT_OP_LIST_H
#define GT_OP_LIST_H

#include "engine/socket.h"

/* NULL: the list is empty. */
static inline gt_op *gt_op_last(const gt_op_list *list) {
    return list->first != NULL ? list->first->previous : NULL;
}

/* after: the op that stands before it then; NULL: none. */
static inline void gt_op_insert(gt_op_list *list, gt_op *op, gt_op *after) {
    gt_op *last = gt_op_last(list);

    op->waiting = true;
    op->previous = after;
    op->next = after != NULL ? after->next : list->first;
    if (after != NULL)
        after->next = op;
    else
        list->first = op;
    if (op->next != NULL)
        op->next->previous = op;
    else
        last = op;
    list->first->previous = last;
}

static inline void gt_op_append(gt_op_list *list, gt_op *op) {
    gt_op_insert(list, op, gt_op_last(list));
}

static inline void gt_op_remove(gt_op_list *list, gt_op *op) {
    gt_op *last = gt_op_last(list);

    if (op == list->first)
        list->first = op->next;
    else
        op->previous->next = op->next;
    if (op->next != NULL)
        op->next->previous = op->previous;
    else
        last = op->previous;
    if (list->first != NULL)
        list->first->previous = last;
    op->waiting = false;
}

#endif
