/* SPDX-License-Identifier: Apache-2.0 */
/* A process's mailbox: letters in order, from sockets and from gentcp_post.
 *
 * Data that its own thread receives, the most of all, goes to a part of it that only this thread touches (`near`). What
 * is there is older than what is in the other part, so the other part must be empty. */
#ifndef GT_C_MAILBOX_H
#define GT_C_MAILBOX_H

#include "engine/host.h"
#include "hosts/c/process.h"

typedef struct gt_csocket gt_csocket;

enum gt_letter_kind {
    GT_LETTER_PARCEL, /* a gt_parcel: a message of its own */
    GT_LETTER_SOCKET, /* gt_csocket.letter: what must be told even without memory */
    GT_LETTER_DOWN,   /* gt_monitor.letter: what it monitors is closed */
};

struct gt_letter {
    gt_letter *next;
    uint8_t kind; /* gt_letter_kind */
    /* GT_LETTER_SOCKET: tells these, in this order, as far as they are set; one that tells nothing is in no mailbox. */
    uint16_t passives; /* how often tcp_passive */
    int16_t reason;    /* tcp_error with this error; 0: none */
    bool closed;       /* tcp_closed */
};

/* Puts a pointer into the mailbox: 0, -ENOMEM, or GT_BADARG: the process has ended. */
int gt_mailbox_post(gt_process *to, void *user);
/* Puts a letter into the mailbox, and takes it out again (false: it isn't there). Called without the process's lock. */
void gt_mailbox_put(gt_process *to, gt_letter *letter);
bool gt_mailbox_withdraw(gt_process *from, gt_letter *letter);
/* gt_host.deliver. Called with the socket locked. */
int gt_mailbox_deliver(gt_csocket *socket, const gt_message *message);
/* Takes the oldest message out; only of that socket if only is not 0 (a handle's id; it may be stale). Called by the
 * process, with it locked. False: there is none. *done: to be dropped by the caller without the lock, or NULL. */
bool gt_mailbox_take(gt_process *self, uint64_t only, gentcp_message *out, gt_csocket **done);
/* The same from what is near alone, without the lock. */
bool gt_mailbox_take_near(gt_process *self, uint64_t only, gentcp_message *out);
/* Moves all letters of a socket from one mailbox to the end of another, in order. Called with both locked, by the
 * process that they are taken from. */
void gt_mailbox_move(gt_process *from, gt_process *to, gt_csocket *socket);
/* Drops all letters. Called without locks, by a process that isn't alive. */
void gt_mailbox_empty(gt_process *self);

#endif
