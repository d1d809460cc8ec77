/* SPDX-License-Identifier: Apache-2.0 */
/* Names are looked up by threads that AtomVM knows nothing of: they only wake the poller, whose run sends the answers.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hosts/atomvm/avm.h"

typedef struct question {
    struct question *next;
    gt_lookup *lookup;
    atomic_bool answered;
    int32_t caller;
    uint64_t ref;
} question;

static gt_lock lock = GT_LOCK_INIT; /* guards the list; nothing but the lookups' own lock is taken inside */
static question *questions;
static atomic_bool some_answered;

static void answered(void *asker) {
    question *q = asker;

    atomic_store(&q->answered, true);
    atomic_store(&some_answered, true);
    gt_poller_wake(avm_poller());
}

const gt_lookup_user avm_lookup_user = {.allocate = malloc, .release = free, .answered = answered};

int avm_lookup(const char *name, int family, int32_t caller, uint64_t ref) {
    question *q;
    int error;

    if (!GENTCP_WITH_NAMES)
        return GT_NXDOMAIN;
    q = malloc(sizeof *q);
    if (q == NULL)
        return -ENOMEM;
    *q = (question){.caller = caller, .ref = ref};
    gt_lock_take(&lock);
    error = gt_lookup_start(&avm_lookup_user, name, 0, family, q, &q->lookup);
    if (error == 0) {
        q->next = questions;
        questions = q;
    }
    gt_lock_drop(&lock);
    if (error != 0)
        free(q);
    return error;
}

/* Takes out the first question that is answered, or that has this reference. With the lock held. */
static question *take_out(const uint64_t *ref) {
    question **place = &questions;
    question *q;

    while ((q = *place) != NULL && (ref != NULL ? q->ref != *ref : !atomic_load(&q->answered)))
        place = &q->next;
    if (q != NULL)
        *place = q->next;
    return q;
}

bool avm_lookup_cancel(uint64_t ref) {
    gt_addresses *found = NULL;
    question *q;

    if (!GENTCP_WITH_NAMES)
        return false;
    gt_lock_take(&lock);
    q = take_out(&ref);
    gt_lock_drop(&lock);
    if (q == NULL)
        return false;
    (void)gt_lookup_end(q->lookup, &found);
    free(found);
    free(q);
    return true;
}

term avm_addresses_term(ErlNifEnv *env, const gt_addresses *addresses) {
    term list = term_nil();

    for (int i = addresses->count - 1; i >= 0; i--) {
        term name = otp_address_term(env, &addresses->list[i]);
        list = enif_make_list_cell(env, term_get_tuple_element(name, 0), list);
    }
    return list;
}

static void send_answer(question *q) {
    gt_addresses *found = NULL;
    int error = gt_lookup_end(q->lookup, &found);
    avm_letter letter;
    term ref, answer;

    (void)avm_letter_begin(&letter, 0);
    if (error == 0)
        answer = enif_make_tuple2(&letter.env, otp_atom.ok, avm_addresses_term(&letter.env, found));
    else
        answer = otp_error(&letter.env, error);
    if (!avm_room(&letter.env, REF_SIZE))
        abort();
    ref = term_from_ref_ticks(q->ref, &letter.env.heap);
    (void)avm_letter_send(&letter, q->caller, enif_make_tuple3(&letter.env, otp_atom.reply, ref, answer));
    free(found);
    free(q);
}

void avm_lookups_answer(void) {
    question *q;

    if (!GENTCP_WITH_NAMES || !atomic_exchange(&some_answered, false))
        return;
    do {
        gt_lock_take(&lock);
        q = take_out(NULL);
        gt_lock_drop(&lock);
        if (q != NULL)
            send_answer(q);
    } while (q != NULL);
}
