/* SPDX-License-Identifier: Apache-2.0 */
/* What is received lands in the memory of AtomVM's own binaries if it is much, else it passes through the thread's
 * scratch. What is to be sent is kept by reference if a binary has its memory apart from the term. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/atomvm/avm.h"

enum { SCRATCH_SIZE = 16 * 1024 };

uint8_t *avm_scratch(size_t *size) {
    static _Thread_local uint8_t scratch[SCRATCH_SIZE];

    *size = sizeof scratch;
    return scratch;
}

/* ---- buffers ---- */

typedef struct buffer {
    gt_buffer base;          /* first */
    struct RefcBinary *refc; /* with a reference of ours */
} buffer;

static void place(buffer *b, struct RefcBinary *refc, size_t size) {
    synclist_append(&avm_vm->refc_binaries, &refc->head); /* where AtomVM takes it from when it ends the binary */
    b->refc = refc;
    b->base.bytes = refc->data;
    b->base.size = size;
}

gt_buffer *avm_buffer_new(size_t size) {
    struct RefcBinary *refc;
    buffer *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    refc = size < SIZE_MAX - sizeof *refc ? refc_binary_create_refc(size) : NULL;
    if (refc == NULL) {
        free(b);
        return NULL;
    }
    refc->ref_count = 1;
    place(b, refc, size);
    return &b->base;
}

gt_buffer *avm_buffer_resize(gt_buffer *base, size_t size) {
    buffer *b = (buffer *)base;
    struct RefcBinary *refc;

    if (size >= SIZE_MAX - sizeof *refc)
        return NULL;
    /* Nobody else has a reference: a term that found no receiver has given back its own. */
    synclist_remove(&avm_vm->refc_binaries, &b->refc->head);
    refc = realloc(b->refc, sizeof *refc + size);
    if (refc == NULL) {
        place(b, b->refc, b->base.size);
        return NULL;
    }
    refc->size = size;
    place(b, refc, size);
    return base;
}

void avm_buffer_free(gt_buffer *base) {
    buffer *b = (buffer *)base;

    refc_binary_decrement_refcount(b->refc, avm_vm);
    free(b);
}

/* ---- what is received ---- */

static bool is_list(const avm_socket *s, const gt_data *data) {
    return s->shape.mode == GT_MODE_LIST || s->shape.header > data->size;
}

size_t avm_data_words(const avm_socket *s, const gt_data *data, bool as_http) {
    if (as_http)
        return 0;
    if (is_list(s, data))
        return data->size < AVM_WORDS_MAX ? data->size * CONS_SIZE + 1 : SIZE_MAX;
    if (data->buffer != NULL)
        return s->shape.header * (size_t)CONS_SIZE + TERM_BOXED_REFC_BINARY_SIZE + TERM_BOXED_SUB_BINARY_SIZE;
    return s->shape.header * (size_t)CONS_SIZE + term_binary_heap_size(data->size - s->shape.header);
}

/* In front of a term, bytes as a list. */
static term list_of(Heap *heap, const uint8_t *bytes, size_t size, term tail) {
    while (size > 0)
        tail = term_list_prepend(term_from_int(bytes[--size]), tail, heap);
    return tail;
}

/* A binary on a part of a buffer; its size, not the buffer's, is what Erlang sees. */
static term share(Heap *heap, const buffer *b, size_t from, size_t size) {
    term *boxed = memory_heap_alloc(heap, TERM_BOXED_REFC_BINARY_SIZE);
    term whole = (term)boxed | TERM_PRIMARY_BOXED;

    boxed[0] = ((TERM_BOXED_REFC_BINARY_SIZE - 1) << 6) | TERM_BOXED_REFC_BINARY;
    boxed[1] = from + size;
    boxed[2] = RefcNoFlags;
    boxed[3] = (term)b->refc;
    refc_binary_increment_refcount(b->refc);
    heap->root->mso_list = term_list_init_prepend(boxed + REFC_BINARY_CONS_OFFSET, whole, heap->root->mso_list);
    return from == 0 ? whole : term_alloc_sub_binary(whole, from, size, heap);
}

static term binary_of(Heap *heap, const gt_data *data, size_t skip) {
    const uint8_t *bytes = data->bytes + skip;
    size_t size = data->size - skip;
    term binary;

    if (data->buffer != NULL)
        return share(heap, (const buffer *)data->buffer, (size_t)(bytes - data->buffer->bytes), size);
    binary = term_create_uninitialized_binary(size, heap, avm_vm);
    if (!term_is_invalid_term(binary) && size > 0)
        memcpy((void *)(uintptr_t)term_binary_data(binary), bytes, size);
    return binary;
}

term avm_data_term(ErlNifEnv *env, const avm_socket *s, const gt_data *data, bool as_http) {
    uint8_t type = s->socket.settings.framing.type;
    term binary;

    if (GENTCP_WITH_HTTP && as_http)
        return otp_http_term(env, data->http, type == GT_PACKET_HTTP_BIN || type == GT_PACKET_HTTPH_BIN);
    if (is_list(s, data))
        return list_of(&env->heap, data->bytes, data->size, term_nil());
    binary = binary_of(&env->heap, data, s->shape.header);
    return term_is_invalid_term(binary) ? binary : list_of(&env->heap, data->bytes, s->shape.header, binary);
}

void avm_data_taken(const gt_data *data) {
    if (data->buffer != NULL)
        avm_buffer_free(data->buffer);
}

/* ---- what is sent ---- */

typedef struct segment {
    gt_segment base;         /* first */
    struct RefcBinary *held; /* NULL: the bytes follow */
    uint8_t bytes[];
} segment;

/* The memory that a binary shares with others; NULL: it has none, or it is a module's. */
static struct RefcBinary *memory_of(term binary) {
    if (term_is_sub_binary(binary))
        binary = term_get_sub_binary_ref(binary);
    return term_is_refc_binary(binary) && !term_refc_binary_is_const(binary) ? term_refc_binary_ptr(binary) : NULL;
}

static gt_segment *copy_parts(const struct iovec *parts, int count, size_t skip) {
    size_t size = 0;
    segment *s;
    uint8_t *to;

    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    size -= skip;
    s = size < SIZE_MAX - sizeof *s ? malloc(sizeof *s + size) : NULL;
    if (s == NULL)
        return NULL;
    *s = (segment){.base = {.bytes = s->bytes, .size = size}};
    to = s->bytes;
    for (int i = 0; i < count; i++) {
        size_t from = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        memcpy(to, (const uint8_t *)parts[i].iov_base + from, parts[i].iov_len - from);
        to += parts[i].iov_len - from;
        skip -= from;
    }
    return &s->base;
}

gt_segment *avm_hold(void *source, const struct iovec *parts, int count, size_t skip) {
    struct RefcBinary *memory = source != NULL ? memory_of(*(const term *)source) : NULL;
    segment *s;

    if (memory == NULL)
        return copy_parts(parts, count, skip);
    s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    refc_binary_increment_refcount(memory);
    *s = (segment){.base = {.bytes = (const uint8_t *)parts[0].iov_base + skip, .size = parts[0].iov_len - skip},
                   .held = memory};
    return &s->base;
}

void avm_segment_free(gt_segment *base) {
    segment *s = (segment *)base;

    if (s->held != NULL)
        refc_binary_decrement_refcount(s->held, avm_vm);
    free(s);
}
