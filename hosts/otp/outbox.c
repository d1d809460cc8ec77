/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends the messages of a socket, and those that wait for the runner.
 *
 * Erlang keeps the order only of what comes from one sender: receivers with message_queue_data off_heap do see the
 * messages of two in another order. So each socket has one sender, which its first message decides.
 *
 * Most: the runner, the process that runs the poller, in whose calls nearly all of these messages are made.
 * Of a process enif_send puts a message straight into the receiver's heap; of a sender that is none, each takes two
 * allocations, and the receiver's garbage collection frees a hundred of them at once, for 50 us. What another thread
 * makes, while it holds the socket's lock, waits here, and the runner sends it before all that it makes later itself.
 *
 * {active, once} with packets: nobody. setopts often finds the next one in the buffer, and sends it at once. (Raw data
 * is handed out whole, so there is none.) */
#include <stdatomic.h>

#include "hosts/otp/otp.h"

typedef struct letter {
    struct letter *next;
    ErlNifEnv *env; /* holds message */
    ErlNifPid to;
    ERL_NIF_TERM message;
} letter;

static enum otp_sender choose(const gt_settings *settings) {
    bool finds_next = settings->active == GT_ACTIVE_ONCE && settings->framing.type != GT_PACKET_RAW;

    return finds_next ? OTP_NOBODY : OTP_RUNNER;
}

/* Innermost. */
static gt_lock lock = GT_LOCK_INIT;
static letter *first;
static letter **last = &first;
static atomic_bool waiting; /* not all of them have been sent */

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
    if (!otp_poller_ask())
        otp_outbox_flush();
    return true;
}

bool otp_outbox_waits(void) {
    return atomic_load(&waiting);
}

void otp_outbox_flush(void) {
    ErlNifEnv *env = otp_this_thread()->run_env;
    letter *l;

    if (!atomic_load(&waiting))
        return;
    gt_lock_take(&lock);
    while ((l = first) != NULL) {
        first = l->next;
        (void)enif_send(env, &l->to, NULL, l->message);
        enif_free_env(l->env);
        enif_free(l);
    }
    last = &first;
    atomic_store(&waiting, false);
    gt_lock_drop(&lock);
}

bool otp_send_ordered(otp_socket *s, const ErlNifPid *to, ErlNifEnv *msg_env, ERL_NIF_TERM message) {
    ErlNifEnv *env = otp_this_thread()->run_env;

    if (s->sender == OTP_UNDECIDED)
        s->sender = choose(&s->socket.settings);
    if (s->sender == OTP_NOBODY) {
        otp_note_fragment(s);
        return enif_send(NULL, to, msg_env, message) != 0;
    }
    if (env == NULL)
        return post(to, message);
    otp_outbox_flush();
    return enif_send(env, to, msg_env, message) != 0;
}
