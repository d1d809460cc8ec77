/* SPDX-License-Identifier: Apache-2.0 */
/* A socket of this host: the engine's, in a slot of the table of handles, with its owner.
 *
 * References: one of the owner, from when it is adopted until the engine says closed (or it failed to open); the
 * engine's; one for its letter, while that is in a mailbox; and those of calls under way. The last one frees the slot.
 */
#ifndef GT_C_SOCKET_H
#define GT_C_SOCKET_H

#include "engine/socket.h"
#include "hosts/c/mailbox.h"

typedef struct gt_csocket {
    gt_slot slot;
    gt_process *_Atomic owner; /* with a reference to it; changes with the socket locked */
    gt_link link;              /* in the owner's `sockets` or `leaving`, guarded by the owner's lock */
    gt_letter letter;          /* guarded by the owner's lock */
    bool adopted;              /* link is in a ring, and there is an owner's reference; likewise */
    _Atomic bool gone;         /* no message will come any more */
    gt_socket engine;
} gt_csocket;

extern const gt_host gt_host_c;

/* A new socket with one reference, which owner's poller is to watch. NULL: no memory. */
gt_csocket *gt_csocket_new(gt_process *owner);
/* 0, GT_CLOSED or GT_BADARG, as gt_table_get. */
int gt_csocket_get(gentcp_socket handle, gt_csocket **out);
/* The last reference has gone. */
void gt_csocket_free(gt_csocket *socket);

/* Puts the socket among its owner's. */
void gt_csocket_adopt(gt_csocket *socket);
/* Takes it out again, if it is there; the caller must have a reference of its own. */
void gt_csocket_disown(gt_csocket *socket);

static inline void gt_csocket_keep(gt_csocket *socket) {
    gt_slot_keep(&socket->slot);
}

/* Without locks, unless the caller knows of another reference. */
static inline void gt_csocket_drop(gt_csocket *socket) {
    if (gt_slot_drop(&socket->slot))
        gt_csocket_free(socket);
}

static inline gentcp_socket gt_csocket_handle(gt_csocket *socket) {
    return (gentcp_socket){.id = gt_slot_id(&socket->slot)};
}

static inline gt_csocket *gt_csocket_of(gt_socket *engine) {
    return (gt_csocket *)(void *)((char *)engine - offsetof(gt_csocket, engine));
}

static inline gt_process *gt_csocket_owner(gt_csocket *socket) {
    return atomic_load_explicit(&socket->owner, memory_order_acquire);
}

#endif
