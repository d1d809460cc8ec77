/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "hosts/atomvm/avm.h"

void *enif_alloc(size_t size) {
    return malloc(size);
}

void enif_free(void *memory) {
    free(memory);
}

/* ---- reading ---- */

int enif_is_atom(ErlNifEnv *env, ERL_NIF_TERM term) {
    (void)env;
    return term_is_atom(term);
}

int enif_is_map(ErlNifEnv *env, ERL_NIF_TERM term) {
    (void)env;
    return term_is_map(term);
}

int enif_is_empty_list(ErlNifEnv *env, ERL_NIF_TERM term) {
    (void)env;
    return term_is_nil(term);
}

int enif_is_identical(ERL_NIF_TERM a, ERL_NIF_TERM b) {
    return a == b;
}

int enif_get_int64(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifSInt64 *out) {
    (void)env;
    if (!term_is_int64(term))
        return 0;
    *out = term_to_int64(term);
    return 1;
}

int enif_get_uint(ErlNifEnv *env, ERL_NIF_TERM term, unsigned *out) {
    ErlNifSInt64 number;

    if (!enif_get_int64(env, term, &number) || number < 0 || number > UINT32_MAX)
        return 0;
    *out = (unsigned)number;
    return 1;
}

int enif_get_tuple(ErlNifEnv *env, ERL_NIF_TERM term, int *arity, const ERL_NIF_TERM **out) {
    (void)env;
    if (!term_is_tuple(term))
        return 0;
    *arity = term_get_tuple_arity(term);
    *out = term_to_const_term_ptr(term) + 1;
    return 1;
}

int enif_get_list_cell(ErlNifEnv *env, ERL_NIF_TERM term, ERL_NIF_TERM *head, ERL_NIF_TERM *tail) {
    (void)env;
    if (!term_is_nonempty_list(term))
        return 0;
    *head = term_get_list_head(term);
    *tail = term_get_list_tail(term);
    return 1;
}

int enif_get_list_length(ErlNifEnv *env, ERL_NIF_TERM term, unsigned *out) {
    int proper;

    (void)env;
    *out = (unsigned)term_list_length(term, &proper);
    return proper;
}

int enif_get_map_size(ErlNifEnv *env, ERL_NIF_TERM term, size_t *out) {
    (void)env;
    if (!term_is_map(term))
        return 0;
    *out = (size_t)term_get_map_size(term);
    return 1;
}

int enif_get_map_value(ErlNifEnv *env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM *out) {
    if (!term_is_map(map))
        return 0;
    *out = term_get_map_assoc(map, key, env->global);
    return !term_is_invalid_term(*out);
}

int enif_inspect_binary(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifBinary *out) {
    (void)env;
    if (!term_is_binary(term))
        return 0;
    *out = (ErlNifBinary){.size = term_binary_size(term), .data = (unsigned char *)(uintptr_t)term_binary_data(term)};
    return 1;
}

/* ---- making ---- */

bool avm_room(ErlNifEnv *env, size_t words) {
    if (words == 0)
        return true;
    return words <= AVM_WORDS_MAX && memory_erl_nif_env_ensure_free(env, words) == MEMORY_GC_OK;
}

static Heap *heap_with(ErlNifEnv *env, size_t words) {
    if (!avm_room(env, words))
        abort();
    return &env->heap;
}

ERL_NIF_TERM enif_make_atom(ErlNifEnv *env, const char *name) {
    term atom = globalcontext_insert_atom_maybe_copy(env->global, (const uint8_t *)name, strlen(name), true);

    if (term_is_invalid_term(atom))
        abort();
    return atom;
}

ERL_NIF_TERM enif_make_int64(ErlNifEnv *env, ErlNifSInt64 number) {
    return term_make_maybe_boxed_int64(number, heap_with(env, term_boxed_integer_size(number)));
}

ERL_NIF_TERM enif_make_tuple_from_array(ErlNifEnv *env, const ERL_NIF_TERM *elements, unsigned count) {
    term tuple = term_alloc_tuple(count, heap_with(env, count + 1));

    for (unsigned i = 0; i < count; i++)
        term_put_tuple_element(tuple, i, elements[i]);
    return tuple;
}

ERL_NIF_TERM enif_make_list(ErlNifEnv *env, unsigned none) {
    (void)env;
    (void)none;
    return term_nil();
}

ERL_NIF_TERM enif_make_list_cell(ErlNifEnv *env, ERL_NIF_TERM head, ERL_NIF_TERM tail) {
    return term_list_prepend(head, tail, heap_with(env, CONS_SIZE));
}

ERL_NIF_TERM enif_make_string_len(ErlNifEnv *env, const char *bytes, size_t size, ErlNifCharEncoding encoding) {
    Heap *heap = heap_with(env, size * CONS_SIZE);
    term list = term_nil();

    (void)encoding;
    while (size > 0)
        list = term_list_prepend(term_from_int((uint8_t)bytes[--size]), list, heap);
    return list;
}

unsigned char *enif_make_new_binary(ErlNifEnv *env, size_t size, ERL_NIF_TERM *binary) {
    Heap *heap = heap_with(env, term_binary_heap_size(size));

    *binary = term_create_uninitialized_binary(size, heap, env->global);
    if (term_is_invalid_term(*binary))
        abort();
    return (unsigned char *)(uintptr_t)term_binary_data(*binary);
}

ERL_NIF_TERM enif_make_sub_binary(ErlNifEnv *env, ERL_NIF_TERM binary, size_t from, size_t size) {
    Heap *heap = heap_with(env, term_sub_binary_heap_size(binary, size));

    return term_maybe_create_sub_binary(binary, from, size, heap, env->global);
}

int enif_make_reverse_list(ErlNifEnv *env, ERL_NIF_TERM list, ERL_NIF_TERM *out) {
    *out = term_nil();
    for (; term_is_nonempty_list(list); list = term_get_list_tail(list))
        *out = enif_make_list_cell(env, term_get_list_head(list), *out);
    return term_is_nil(list);
}
