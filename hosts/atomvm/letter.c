/* SPDX-License-Identifier: Apache-2.0 */
/* AtomVM keeps the terms of a message in the message itself. Where their size is known they are made there; otherwise
 * on a heap, from which they are copied. */
#include <errno.h>
#include <stdlib.h>

#include "hosts/atomvm/avm.h"

bool avm_letter_begin(avm_letter *l, size_t words) {
    Message *m;

    erl_nif_env_partial_init_from_globalcontext(&l->env, avm_vm);
    l->message = NULL;
    if (words == 0)
        return true;
    if (words > AVM_WORDS_MAX)
        return false;
    m = malloc(sizeof *m + (STORAGE_HEAP_START_INDEX + words) * sizeof(term));
    if (m == NULL)
        return false;
    l->message = m;
    memory_init_heap_root_fragment(&l->env.heap, &l->root, 0);
    l->env.heap.heap_start = m->storage + STORAGE_HEAP_START_INDEX;
    l->env.heap.heap_ptr = l->env.heap.heap_start;
    l->env.heap.heap_end = l->env.heap.heap_start + words;
    return true;
}

void avm_letter_drop(avm_letter *l) {
    if (l->message != NULL) {
        memory_sweep_mso_list(l->root.mso_list, avm_vm, false);
        free(l->message);
    } else if (l->env.heap.root != NULL) {
        memory_destroy_heap(&l->env.heap, avm_vm);
    }
}

static int post(Message *m, int32_t to) {
    if (globalcontext_post_message(avm_vm, to, m) == SEND_MESSAGE_OK)
        return 0;
    mailbox_message_dispose_unsent(m, avm_vm, false);
    return GT_CLOSED;
}

int avm_send_copy(int32_t to, term message) {
    MailboxMessage *copy = mailbox_message_create_from_term(NormalMessage, message);

    return copy != NULL ? post(CONTAINER_OF(copy, Message, base), to) : -ENOMEM;
}

int avm_letter_send(avm_letter *l, int32_t to, term message) {
    Message *m = l->message;

    if (m == NULL) {
        int status = avm_send_copy(to, message);
        avm_letter_drop(l);
        return status;
    }
    m->base.type = NormalMessage;
    m->message = message;
    m->heap_end = l->env.heap.heap_ptr;
    m->storage[STORAGE_MSO_LIST_INDEX] = l->root.mso_list;
    return post(m, to);
}
