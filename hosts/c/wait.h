/* SPDX-License-Identifier: Apache-2.0 */
/* A call that may have to wait, and how its thread waits. */
#ifndef GT_C_WAIT_H
#define GT_C_WAIT_H

#include "hosts/c/socket.h"

typedef struct gt_call {
    gt_op op;
    gt_process *waiter;   /* the calling thread's process */
    bool done;            /* completed. Set by another thread only with the waiter locked */
    int status;           /* then: 0 or a negative error */
    gentcp_data data;     /* GT_OP_RECV, into memory of its own */
    uint8_t *into;        /* GT_OP_RECV, into the caller's memory, if not NULL: */
    size_t into_size;     /* so much is there; then, so much has come */
    gt_csocket *accepted; /* GT_OP_ACCEPT: with a reference for the caller */
    gt_file file;         /* GT_OP_SENDFILE, as is what follows */
    int64_t patience;     /* milliseconds without progress after which it is given up; negative: never */
    uint64_t seen;        /* how much of the file had gone out when this was last looked at */
} gt_call;

#define GT_NEVER INT64_MAX

/* The moment (gt_sys_now) at which a timeout passes; negative timeouts never do. */
int64_t gt_deadline_of(int64_t timeout_ms);
/* The same, where GENTCP_DEFAULT_TIMEOUT is option timeout of that socket. */
int64_t gt_deadline_for(gt_csocket *socket, int64_t timeout_ms);
/* How long it is until then: -1: for ever; 0: it has passed. */
int64_t gt_time_left(int64_t deadline);

/* Ends a call that the engine has answered with `answer` (0, GT_PENDING, or an error): waits for it if it is pending.
 * Returns its status, or GT_TIMEOUT: the deadline has passed and it was cancelled. */
int gt_await(gt_csocket *socket, gt_call *call, int answer, int64_t deadline);
/* The call is another thread's: that is woken, to see that it is completed. */
void gt_call_wake(gt_call *call);

/* The call is completed: wakes its thread. The call must not be touched afterwards. */
static inline void gt_call_done(gt_call *call, int status) {
    call->status = status;
    if (call->waiter == gt_process_current()) /* not asleep */
        call->done = true;
    else
        gt_call_wake(call);
}

#endif
