/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/process.h"

#include <errno.h>
#include <limits.h>

#include "hosts/c/mailbox.h"
#include "hosts/c/memory.h"
#include "hosts/c/monitor.h"
#include "hosts/c/socket.h"

enum {
    SCRATCH_SIZE = 64 * 1024,
    TURN_EVENTS = 256, /* reported by one run of a poller, before the waiting thread looks at what has come */
    /* Taken before the poller is run again, so that a full mailbox doesn't stop all else; or all that are there, if it
     * is more: one turn of a socket may bring thousands of small packets, and if they came faster than they are taken,
     * the mailbox would grow, and other sockets' messages with them wait, without bound. */
    MESSAGES_A_TURN = 64,
};

_Thread_local gt_thread gt_this_thread;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static int thread_key_error;
static gt_table processes = GT_TABLE_INIT(sizeof(gt_process));

/* ---- rings ---- */

void gt_ring_init(gt_link *ring) {
    ring->next = ring->previous = ring;
}

void gt_ring_add(gt_link *ring, gt_link *link) {
    link->next = ring;
    link->previous = ring->previous;
    ring->previous->next = link;
    ring->previous = link;
}

void gt_ring_remove(gt_link *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
}

/* ---- threads ---- */

static void end_thread(void *unused) {
    (void)unused;
    gentcp_exit();
    gt_release(gt_this_thread.scratch);
    gt_this_thread.scratch = NULL;
}

static void make_key(void) {
    thread_key_error = pthread_key_create(&thread_key, end_thread);
}

/* Sees to it that end_thread is called. 0 or a negative errno. */
static int mark_thread(void) {
    int error;

    pthread_once(&thread_once, make_key);
    error = thread_key_error != 0 ? thread_key_error : pthread_setspecific(thread_key, &gt_this_thread);
    return error != 0 ? -ENOMEM : 0;
}

uint8_t *gt_thread_scratch(size_t *size) {
    *size = SCRATCH_SIZE;
    if (gt_this_thread.scratch == NULL && mark_thread() == 0)
        gt_this_thread.scratch = gt_allocate(SCRATCH_SIZE);
    return gt_this_thread.scratch;
}

/* ---- life ---- */

static const gt_poller_user *poller_user(void) {
    static gt_poller_user user;
    static gt_lock lock = GT_LOCK_INIT;

    gt_lock_take(&lock);
    if (user.allocate == NULL)
        gt_poller_user_init(&user, gt_allocate, gt_release);
    gt_lock_drop(&lock);
    return &user;
}

int gt_process_make(gt_process **out) {
    const gt_backend *backend = gt_config_use();
    gt_process *process;
    int error;

    error = mark_thread();
    if (error != 0)
        return error;
    process = gt_table_new(&processes);
    if (process == NULL)
        return -ENOMEM;
    error = gt_poller_open(&process->poller, backend, poller_user());
    if (error != 0) {
        gt_table_free(&processes, &process->slot);
        return error;
    }
    gt_lock_init(&process->lock);
    gt_ring_init(&process->sockets);
    gt_ring_init(&process->leaving);
    gt_ring_init(&process->monitors);
    process->alive = true;
    process->keeps_blocks = gt_memory_is_kept();
    gt_slot_enter(&process->slot);
    gt_this_thread.process = process;
    *out = process;
    return 0;
}

int gt_process_get(gentcp_pid pid, gt_process **out) {
    gt_process *process;
    gt_slot *slot;
    bool alive;

    if (gt_table_get(&processes, pid.id, &slot) != 0)
        return GT_BADARG;
    process = (gt_process *)slot;
    gt_lock_take(&process->lock);
    alive = process->alive;
    gt_lock_drop(&process->lock);
    if (!alive) {
        gt_process_drop(process);
        return GT_BADARG;
    }
    *out = process;
    return 0;
}

void gt_process_keep(gt_process *process) {
    gt_slot_keep(&process->slot);
}

void gt_process_drop(gt_process *process) {
    if (!gt_slot_drop(&process->slot))
        return;
    gt_poller_close(process->poller);
    gt_lock_fini(&process->lock);
    gt_table_free(&processes, &process->slot);
}

/* ---- sleep ---- */

void gt_process_wake(gt_process *process) {
    if (process->signalled)
        return;
    process->signalled = true;
    gt_poller_wake(process->poller);
}

int gt_process_pause(gt_process *self, int64_t timeout_ms) {
    size_t letters;
    int answer;

    if (timeout_ms > INT_MAX)
        timeout_ms = INT_MAX; /* the caller looks at its deadline, and comes back */
    self->asleep = timeout_ms != 0;
    self->inside = true;
    gt_lock_drop(&self->lock);
    answer = gt_poller_run(self->poller, (int)timeout_ms, TURN_EVENTS);
    gt_lock_take(&self->lock);
    self->asleep = false;
    self->inside = false;
    self->signalled = false;
    letters = self->near.count + self->mailbox.count;
    self->before_poll = letters > MESSAGES_A_TURN ? letters : MESSAGES_A_TURN;
    return answer < 0 ? answer : 0;
}

/* ---- the end ---- */

/* Closes everything that the process owns; what has something to flush goes to `leaving`. */
static void close_sockets(gt_process *self) {
    gt_csocket *socket;

    gt_lock_take(&self->lock);
    self->alive = false;
    while (self->sockets.next != &self->sockets) {
        socket = (gt_csocket *)(void *)((char *)self->sockets.next - offsetof(gt_csocket, link));
        gt_ring_remove(&socket->link);
        gt_ring_add(&self->leaving, &socket->link);
        gt_csocket_keep(socket);
        gt_lock_drop(&self->lock);
        (void)gt_close(&socket->engine, NULL);
        gt_csocket_drop(socket);
        gt_lock_take(&self->lock);
    }
    gt_lock_drop(&self->lock);
}

/* A poller that can't run would flush nothing: no reason to wait for ever. */
static void abort_leaving(gt_process *self) {
    gt_csocket *socket;

    while (self->leaving.next != &self->leaving) {
        socket = (gt_csocket *)(void *)((char *)self->leaving.next - offsetof(gt_csocket, link));
        gt_csocket_keep(socket);
        gt_lock_drop(&self->lock);
        gt_abort(&socket->engine);
        gt_csocket_disown(socket);
        gt_csocket_drop(socket);
        gt_lock_take(&self->lock);
    }
}

void gentcp_exit(void) {
    gt_process *self = gt_this_thread.process;

    if (self == NULL)
        return;
    close_sockets(self);
    gt_lock_take(&self->lock);
    while (self->leaving.next != &self->leaving) {
        if (gt_process_pause(self, -1) != 0)
            abort_leaving(self);
    }
    gt_lock_drop(&self->lock);
    gt_monitors_forget(self);
    gt_mailbox_empty(self);
    gt_blocks_drop(&self->blocks);
    gt_this_thread.process = NULL;
    gt_process_drop(self);
}
