/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/monitor.h"

#include <errno.h>

/* Few sockets are monitored, and a bucket is looked through only when one is closed. */
enum { BUCKETS = 1024 };

static gt_table monitors = GT_TABLE_INIT(sizeof(gt_monitor));
static gt_link buckets[BUCKETS]; /* by the socket's index; all zero: never used */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define MONITOR_OF(link, member) ((gt_monitor *)(void *)((char *)(link)-offsetof(gt_monitor, member)))

static gt_link *bucket_of(gentcp_socket socket) {
    gt_link *bucket = &buckets[(uint32_t)socket.id % BUCKETS];

    if (bucket->next == NULL)
        gt_ring_init(bucket);
    return bucket;
}

void gt_monitor_drop(gt_monitor *monitor) {
    if (gt_slot_drop(&monitor->slot))
        gt_table_free(&monitors, &monitor->slot);
}

/* Takes it out of both rings. Called with the monitors locked. */
static void take_out(gt_monitor *monitor) {
    monitor->down = true;
    gt_ring_remove(&monitor->by_socket);
    gt_ring_remove(&monitor->by_watcher);
}

void gt_monitors_tell(gt_csocket *socket) {
    gentcp_socket handle = gt_csocket_handle(socket);
    gt_link *bucket, *link;

    pthread_mutex_lock(&lock);
    bucket = bucket_of(handle);
    for (link = bucket->next; link != bucket;) {
        gt_monitor *monitor = MONITOR_OF(link, by_socket);
        link = link->next;
        if (monitor->socket.id != handle.id)
            continue;
        take_out(monitor);
        monitor->reason = socket->engine.end_reason;
        gt_mailbox_put(monitor->watcher, &monitor->letter);
    }
    atomic_store(&socket->gone, true);
    pthread_mutex_unlock(&lock);
}

void gt_monitors_forget(gt_process *watcher) {
    pthread_mutex_lock(&lock);
    while (watcher->monitors.next != &watcher->monitors) {
        gt_monitor *monitor = MONITOR_OF(watcher->monitors.next, by_watcher);
        take_out(monitor);
        gt_monitor_drop(monitor);
    }
    pthread_mutex_unlock(&lock);
}

/* socket: NULL if it is no more. Its reference is the letter's, until that is received. */
static void begin(gt_monitor *monitor, gt_csocket *socket) {
    pthread_mutex_lock(&lock);
    if (socket == NULL || atomic_load(&socket->gone)) {
        monitor->down = true;
        monitor->reason = GT_CLOSED;
        gt_mailbox_put(monitor->watcher, &monitor->letter);
    } else {
        gt_ring_add(bucket_of(monitor->socket), &monitor->by_socket);
        gt_ring_add(&monitor->watcher->monitors, &monitor->by_watcher);
    }
    pthread_mutex_unlock(&lock);
}

int gentcp_monitor(gentcp_socket handle, gentcp_ref *out) {
    gt_csocket *socket = NULL;
    gt_monitor *monitor = NULL;
    gt_process *self;
    int error = out != NULL ? gt_csocket_get(handle, &socket) : GT_BADARG;

    if (error == GT_BADARG)
        return error;
    error = gt_process_self(&self);
    if (error == 0) {
        monitor = gt_table_new(&monitors);
        error = monitor != NULL ? 0 : -ENOMEM;
    }
    if (monitor != NULL) {
        monitor->letter.kind = GT_LETTER_DOWN;
        monitor->socket = handle;
        monitor->watcher = self;
        gt_slot_enter(&monitor->slot);
        out->id = gt_slot_id(&monitor->slot);
        begin(monitor, socket);
    }
    if (socket != NULL)
        gt_csocket_drop(socket);
    return error;
}

int gentcp_demonitor(gentcp_ref ref) {
    gt_process *self = gt_process_current();
    gt_monitor *monitor;
    gt_slot *slot;
    bool mine, ended;
    int error = gt_table_get(&monitors, ref.id, &slot);

    if (error != 0)
        return error == GT_CLOSED ? 0 : error;
    monitor = (gt_monitor *)slot;
    pthread_mutex_lock(&lock);
    mine = monitor->watcher == self;
    ended = mine && !monitor->down;
    if (ended)
        take_out(monitor);
    if (ended || (mine && gt_mailbox_withdraw(self, &monitor->letter)))
        gt_monitor_drop(monitor);
    pthread_mutex_unlock(&lock);
    gt_monitor_drop(monitor);
    return ended;
}
