/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that wait on a socket, in order. Called with the socket locked. */
#ifndef GT_OP_LIST_H
#define GT_OP_LIST_H

#include "engine/socket.h"

static inline void gt_op_append(gt_op_list *list, gt_op *op) {
    op->next = NULL;
    op->previous = list->last;
    op->waiting = true;
    if (list->last != NULL)
        list->last->next = op;
    else
        list->first = op;
    list->last = op;
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
