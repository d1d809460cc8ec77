/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that a call has for a socket's owner.
 *
 * Every message to an owner is sent by one process, the one that runs the poller: Erlang keeps the order only of what
 * comes from one sender (receivers with message_queue_data off_heap do see it otherwise), and enif_send puts it straight
 * into the receiver's heap only for a process: of a sender that is none, each takes two allocations, and the
 * receiver's garbage collection frees a hundred of them at once. So a message that another thread makes, while it holds
 * the socket's lock, is put here, and the runner sends it before all that it makes later itself. */
#include <stdatomic.h>

#include "hosts/otp/otp.h"

typedef struct letter {
    struct letter *next;
    ErlNifEnv *env; /* holds message */
    ErlNifPid to;
    ERL_NIF_TERM message;
} letter;

/* Innermost. */
static gt_lock lock = GT_LOCK_INIT;
static letter *first;
static letter **last = &first;
static atomic_bool waiting; /* first isn't NULL */

static letter *new_letter(const ErlNifPid *to, ERL_NIF_TERM message) {
    letter *l = enif_alloc(sizeof *l);

    if (l == NULL)
        return NULL;
    *l = (letter){.env = enif_alloc_env(), .to = *to};
    if (l->env == NULL) {
        enif_free(l);
        return NULL;
    }
    l->message = enif_make_copy(l->env, message);
    return l;
}

static bool post(const ErlNifPid *to, ERL_NIF_TERM message) {
    letter *l;

    if (!enif_is_process_alive(NULL, (ErlNifPid *)to))
        return false;
    l = new_letter(to, message);
    if (l == NULL)
        return false;
    gt_lock_take(&lock);
    *last = l;
    last = &l->next;
    atomic_store(&waiting, true);
    gt_lock_drop(&lock);
    if (otp_poller_ask())
        otp_this_thread()->posted = true;
    else
        otp_outbox_flush();
    return true;
}

void otp_outbox_flush(void) {
    ErlNifEnv *env = otp_this_thread()->run_env;
    letter *l;

    if (!atomic_load(&waiting))
        return;
    gt_lock_take(&lock);
    l = first;
    first = NULL;
    last = &first;
    atomic_store(&waiting, false);
    gt_lock_drop(&lock);
    while (l != NULL) {
        letter *next = l->next;
        (void)enif_send(env, &l->to, NULL, l->message);
        enif_free_env(l->env);
        enif_free(l);
        l = next;
    }
}

bool otp_send_ordered(const ErlNifPid *to, ERL_NIF_TERM message) {
    ErlNifEnv *env = otp_this_thread()->run_env;

    if (env == NULL)
        return post(to, message);
    otp_outbox_flush();
    return enif_send(env, to, NULL, message) != 0;
}
