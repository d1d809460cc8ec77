/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/socket.h"
#include "hosts/c/monitor.h"

static gt_table sockets = GT_TABLE_INIT(sizeof(gt_csocket));

gt_csocket *gt_csocket_new(gt_process *owner) {
    gt_csocket *socket = gt_table_new(&sockets);

    if (socket == NULL)
        return NULL;
    gt_process_keep(owner);
    atomic_init(&socket->owner, owner);
    gt_socket_init(&socket->engine, &gt_host_c, owner->poller);
    gt_slot_enter(&socket->slot);
    return socket;
}

int gt_csocket_get(gentcp_socket handle, gt_csocket **out) {
    gt_slot *slot;
    int error = gt_table_get(&sockets, handle.id, &slot);

    if (error == 0)
        *out = (gt_csocket *)slot;
    return error;
}

void gt_csocket_free(gt_csocket *socket) {
    gt_socket_fini(&socket->engine);
    gt_process_drop(gt_csocket_owner(socket));
    gt_table_free(&sockets, &socket->slot);
}

void gt_csocket_adopt(gt_csocket *socket) {
    gt_process *owner = gt_csocket_owner(socket);

    gt_csocket_keep(socket);
    gt_lock_take(&owner->lock);
    socket->adopted = true;
    gt_ring_add(&owner->sockets, &socket->link);
    gt_lock_drop(&owner->lock);
}

void gt_csocket_disown(gt_csocket *socket) {
    gt_process *owner = gt_csocket_owner(socket);
    bool was_adopted;

    gt_monitors_tell(socket);
    gt_lock_take(&owner->lock);
    was_adopted = socket->adopted;
    if (was_adopted) {
        gt_ring_remove(&socket->link);
        socket->adopted = false;
    }
    gt_process_notify(owner);
    gt_lock_drop(&owner->lock);
    if (was_adopted)
        gt_csocket_drop(socket);
}
