/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/mailbox.h"

#include <errno.h>

#include "hosts/c/block.h"
#include "hosts/c/data.h"
#include "hosts/c/monitor.h"
#include "hosts/c/socket.h"

/* A message in memory of its own. The data of a small one follows it, and it is then itself what the receiver
 * releases: one allocation for a message and its data. */
typedef struct gt_parcel {
    gt_letter letter;
    gentcp_message message;
    void *room[];
} gt_parcel;

static gt_csocket *socket_of(gt_letter *letter) {
    return (gt_csocket *)(void *)((char *)letter - offsetof(gt_csocket, letter));
}

static gt_parcel *parcel_of(gt_letter *letter) {
    return (gt_parcel *)(void *)((char *)letter - offsetof(gt_parcel, letter));
}

static uint64_t id_of(gt_letter *letter) {
    if (letter->kind == GT_LETTER_PARCEL)
        return parcel_of(letter)->message.socket.id;
    if (letter->kind == GT_LETTER_DOWN)
        return gt_monitor_of(letter)->socket.id;
    return gt_slot_id(&socket_of(letter)->slot);
}

/* first is atomic: a process looks whether its mailbox is empty without its lock. */
static void append(gt_letters *to, gt_letter *letter) {
    letter->next = NULL;
    if (to->last != NULL)
        to->last->next = letter;
    else
        __atomic_store_n(&to->first, letter, __ATOMIC_RELAXED);
    to->last = letter;
    to->count++;
}

static void take_out(gt_letters *from, gt_letter *letter, gt_letter *previous) {
    if (previous != NULL)
        previous->next = letter->next;
    else
        __atomic_store_n(&from->first, letter->next, __ATOMIC_RELAXED);
    if (letter->next == NULL)
        from->last = previous;
    from->count--;
}

static gt_parcel *parcel_new(enum gentcp_message_kind kind, size_t inline_size) {
    gt_parcel *parcel;

    if (inline_size > SIZE_MAX - sizeof *parcel)
        return NULL;
    parcel = gt_block_new(sizeof *parcel + inline_size);
    if (parcel == NULL)
        return NULL;
    parcel->letter = (gt_letter){.kind = GT_LETTER_PARCEL};
    parcel->message = (gentcp_message){.kind = kind, .data = GT_NO_DATA};
    return parcel;
}

void gt_mailbox_put(gt_process *to, gt_letter *letter) {
    gt_lock_take(&to->lock);
    append(&to->mailbox, letter);
    gt_process_notify(to);
    gt_lock_drop(&to->lock);
}

bool gt_mailbox_withdraw(gt_process *from, gt_letter *letter) {
    gt_letter *previous = NULL;
    gt_letter *found;

    gt_lock_take(&from->lock);
    for (found = from->mailbox.first; found != NULL && found != letter; found = found->next)
        previous = found;
    if (found != NULL)
        take_out(&from->mailbox, letter, previous);
    gt_lock_drop(&from->lock);
    return found != NULL;
}

int gt_mailbox_post(gt_process *to, void *user) {
    gt_parcel *parcel = parcel_new(GENTCP_USER, 0);
    bool alive;

    if (parcel == NULL)
        return -ENOMEM;
    parcel->message.user = user;
    gt_lock_take(&to->lock);
    alive = to->alive;
    if (alive) {
        append(&to->mailbox, &parcel->letter);
        gt_process_notify(to);
    }
    gt_lock_drop(&to->lock);
    if (alive)
        return 0;
    gt_block_free(parcel);
    return GT_BADARG;
}

/* A parcel with that data; a buffer is taken over only by the caller's success. */
static gt_parcel *parcel_with(const gt_data *data) {
    gt_parcel *parcel;
    size_t room;

    if (data->buffer != NULL)
        return parcel_new(GENTCP_TCP, 0);
    room = gt_data_room(data);
    parcel = room != 0 ? parcel_new(data->http != NULL ? GENTCP_HTTP_LINE : GENTCP_TCP, room) : NULL;
    if (parcel != NULL)
        gt_data_write(data, parcel->room, parcel, &parcel->message.data);
    return parcel;
}

/* What the owner's own thread delivers it need not lock, nor wake itself for. But behind what others have put into the
 * mailbox it would be in front of it: letters of the same socket may be there, which this thread sees, because whoever
 * has delivered them had the socket locked. */
static bool is_near(gt_process *owner) {
    return owner == gt_process_current() && owner->alive && !owner->looped &&
           __atomic_load_n(&owner->mailbox.first, __ATOMIC_RELAXED) == NULL;
}

static int deliver_data(gt_csocket *socket, gt_process *owner, const gt_data *data) {
    gt_parcel *parcel = parcel_with(data);
    bool alive;

    if (parcel == NULL)
        return -ENOMEM;
    parcel->message.socket = gt_csocket_handle(socket);
    if (is_near(owner)) {
        if (data->buffer != NULL)
            parcel->message.data = gt_data_take(data);
        append(&owner->near, &parcel->letter);
        return 0;
    }
    gt_lock_take(&owner->lock);
    alive = owner->alive;
    if (alive) {
        if (data->buffer != NULL)
            parcel->message.data = gt_data_take(data);
        append(&owner->mailbox, &parcel->letter);
        gt_process_notify(owner);
    }
    gt_lock_drop(&owner->lock);
    if (alive)
        return 0;
    gt_block_free(parcel);
    return GT_CLOSED;
}

static bool tells_anything(const gt_letter *letter) {
    return letter->passives != 0 || letter->reason != 0 || letter->closed;
}

static void move_to_end(gt_letters *of, gt_letter *letter) {
    gt_letter *previous = NULL;

    for (gt_letter *at = of->first; at != letter; at = at->next)
        previous = at;
    take_out(of, letter, previous);
    append(of, letter);
}

/* The socket's own letter goes first: a parcel is only needed if that hasn't been received yet and isn't the last. If
 * there is no memory, it is made the last. Called with the owner locked. */
static void tell(gt_csocket *socket, gt_process *owner, const gt_message *message) {
    enum gentcp_message_kind kind = message->kind == GT_TCP_PASSIVE  ? GENTCP_TCP_PASSIVE
                                    : message->kind == GT_TCP_CLOSED ? GENTCP_TCP_CLOSED
                                                                     : GENTCP_TCP_ERROR;
    gt_letter *letter = &socket->letter;

    if (!tells_anything(letter)) {
        letter->kind = GT_LETTER_SOCKET;
        gt_csocket_keep(socket);
        append(&owner->mailbox, letter);
    } else if (owner->mailbox.last != letter) {
        gt_parcel *parcel = parcel_new(kind, 0);
        if (parcel != NULL) {
            parcel->message.socket = gt_csocket_handle(socket);
            parcel->message.reason = message->kind == GT_TCP_ERROR ? message->reason : 0;
            append(&owner->mailbox, &parcel->letter);
            return;
        }
        move_to_end(&owner->mailbox, letter);
    }
    if (kind == GENTCP_TCP_ERROR)
        letter->reason = (int16_t)message->reason;
    else if (kind == GENTCP_TCP_CLOSED)
        letter->closed = true;
    else if (letter->passives < UINT16_MAX)
        letter->passives++;
}

int gt_mailbox_deliver(gt_csocket *socket, const gt_message *message) {
    gt_process *owner = gt_csocket_owner(socket);
    bool alive;

    if (message->kind == GT_TCP)
        return deliver_data(socket, owner, &message->data);
    gt_lock_take(&owner->lock);
    alive = owner->alive;
    if (alive) {
        tell(socket, owner, message);
        gt_process_notify(owner);
    }
    gt_lock_drop(&owner->lock);
    return alive ? 0 : GT_CLOSED;
}

/* The next of what it tells. */
static void read_letter(gt_letter *letter, gentcp_message *out) {
    if (letter->passives != 0) {
        letter->passives--;
        out->kind = GENTCP_TCP_PASSIVE;
    } else if (letter->reason != 0) {
        out->kind = GENTCP_TCP_ERROR;
        out->reason = letter->reason;
        letter->reason = 0;
    } else {
        out->kind = GENTCP_TCP_CLOSED;
        letter->closed = false;
    }
}

static void open_down(gt_monitor *monitor, gentcp_message *out) {
    *out = (gentcp_message){.kind = GENTCP_DOWN,
                            .reason = monitor->reason,
                            .socket = monitor->socket,
                            .data = GT_NO_DATA,
                            .ref = {gt_slot_id(&monitor->slot)}};
    gt_monitor_drop(monitor);
}

static void open_parcel(gt_letters *in, gt_letter *letter, gt_letter *previous, gentcp_message *out) {
    gt_parcel *parcel = parcel_of(letter);

    take_out(in, letter, previous);
    *out = parcel->message;
    if (out->data.memory != parcel)
        gt_block_free(parcel);
}

static void open_letter(gt_letters *in, gt_letter *letter, gt_letter *previous, gentcp_message *out,
                        gt_csocket **done) {
    gt_csocket *socket;

    if (letter->kind == GT_LETTER_PARCEL) {
        open_parcel(in, letter, previous, out);
        return;
    }
    if (letter->kind == GT_LETTER_DOWN) {
        take_out(in, letter, previous);
        open_down(gt_monitor_of(letter), out);
        return;
    }
    socket = socket_of(letter);
    *out = (gentcp_message){.socket = gt_csocket_handle(socket), .data = GT_NO_DATA};
    read_letter(letter, out);
    if (!tells_anything(letter)) {
        take_out(in, letter, previous);
        *done = socket;
    }
}

bool gt_mailbox_take_near(gt_process *self, uint64_t only, gentcp_message *out) {
    gt_letter *previous = NULL;

    for (gt_letter *letter = self->near.first; letter != NULL; previous = letter, letter = letter->next) {
        if (only == 0 || id_of(letter) == only) {
            open_parcel(&self->near, letter, previous, out);
            return true;
        }
    }
    return false;
}

bool gt_mailbox_take(gt_process *self, uint64_t only, gentcp_message *out, gt_csocket **done) {
    gt_letter *previous = NULL;

    *done = NULL;
    if (gt_mailbox_take_near(self, only, out))
        return true;
    for (gt_letter *letter = self->mailbox.first; letter != NULL; previous = letter, letter = letter->next) {
        if (only == 0 || id_of(letter) == only) {
            open_letter(&self->mailbox, letter, previous, out, done);
            return true;
        }
    }
    return false;
}

static void move(gt_letters *from, gt_letters *to, uint64_t id) {
    gt_letter *previous = NULL;
    gt_letter *next;

    for (gt_letter *letter = from->first; letter != NULL; letter = next) {
        next = letter->next;
        if (letter->kind != GT_LETTER_DOWN && id_of(letter) == id) { /* a monitor is its process's */
            take_out(from, letter, previous);
            append(to, letter);
        } else {
            previous = letter;
        }
    }
}

void gt_mailbox_move(gt_process *from, gt_process *to, gt_csocket *socket) {
    uint64_t id = gt_slot_id(&socket->slot);

    move(&from->near, &to->mailbox, id);
    move(&from->mailbox, &to->mailbox, id);
}

void gt_mailbox_empty(gt_process *self) {
    gentcp_message message;
    gt_csocket *done;
    bool more;

    do {
        gt_lock_take(&self->lock);
        more = gt_mailbox_take(self, 0, &message, &done);
        gt_lock_drop(&self->lock);
        if (more)
            gentcp_data_release(&message.data);
        if (done != NULL)
            gt_csocket_drop(done);
    } while (more);
}
