/* SPDX-License-Identifier: Apache-2.0 */
/* erl_nif.h as AtomVM has it, and those functions of OTP's that hosts/erlang needs beyond. They do what OTP's manual
 * says; what differs:
 *
 * Terms are made without a garbage collection, so that none moves until the native function returns. Where there is no
 * memory for one AtomVM itself ends the program, and so do these: what may be large is made after avm_room has said
 * that there is room (avm.h). */
#ifndef GENTCP_ATOMVM_ERL_NIF_H
#define GENTCP_ATOMVM_ERL_NIF_H

#include_next <erl_nif.h>

#include <stddef.h>
#include <stdint.h>

typedef int64_t ErlNifSInt64;
typedef uint64_t ErlNifUInt64;
typedef enum { ERL_NIF_LATIN1 = 1 } ErlNifCharEncoding;

/* Lives as long as the term, and no longer than the native function's call. */
typedef struct ErlNifBinary {
    size_t size;
    unsigned char *data;
} ErlNifBinary;

void *enif_alloc(size_t size);
void enif_free(void *memory);

int enif_is_atom(ErlNifEnv *env, ERL_NIF_TERM term);
int enif_is_map(ErlNifEnv *env, ERL_NIF_TERM term);
int enif_is_empty_list(ErlNifEnv *env, ERL_NIF_TERM term);
/* Of atoms and small integers; nothing else is compared with it here. */
int enif_is_identical(ERL_NIF_TERM a, ERL_NIF_TERM b);

int enif_get_uint(ErlNifEnv *env, ERL_NIF_TERM term, unsigned *out);
int enif_get_int64(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifSInt64 *out);
int enif_get_tuple(ErlNifEnv *env, ERL_NIF_TERM term, int *arity, const ERL_NIF_TERM **out);
int enif_get_list_cell(ErlNifEnv *env, ERL_NIF_TERM term, ERL_NIF_TERM *head, ERL_NIF_TERM *tail);
int enif_get_list_length(ErlNifEnv *env, ERL_NIF_TERM term, unsigned *out);
int enif_get_map_size(ErlNifEnv *env, ERL_NIF_TERM term, size_t *out);
int enif_get_map_value(ErlNifEnv *env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM *out);
int enif_inspect_binary(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifBinary *out);

ERL_NIF_TERM enif_make_atom(ErlNifEnv *env, const char *name);
ERL_NIF_TERM enif_make_int64(ErlNifEnv *env, ErlNifSInt64 number);
ERL_NIF_TERM enif_make_tuple_from_array(ErlNifEnv *env, const ERL_NIF_TERM *elements, unsigned count);
ERL_NIF_TERM enif_make_list(ErlNifEnv *env, unsigned none); /* none: 0, for the empty one */
ERL_NIF_TERM enif_make_list_cell(ErlNifEnv *env, ERL_NIF_TERM head, ERL_NIF_TERM tail);
ERL_NIF_TERM enif_make_string_len(ErlNifEnv *env, const char *bytes, size_t size, ErlNifCharEncoding encoding);
unsigned char *enif_make_new_binary(ErlNifEnv *env, size_t size, ERL_NIF_TERM *binary);
ERL_NIF_TERM enif_make_sub_binary(ErlNifEnv *env, ERL_NIF_TERM binary, size_t from, size_t size);
int enif_make_reverse_list(ErlNifEnv *env, ERL_NIF_TERM list, ERL_NIF_TERM *out);

#define enif_make_int(env, number)          enif_make_int64((env), (number))
#define enif_make_uint(env, number)         enif_make_int64((env), (number))
#define enif_make_tuple_of(env, count, ...) enif_make_tuple_from_array((env), (ERL_NIF_TERM[]){__VA_ARGS__}, (count))
#define enif_make_tuple2(env, ...)          enif_make_tuple_of(env, 2, __VA_ARGS__)
#define enif_make_tuple3(env, ...)          enif_make_tuple_of(env, 3, __VA_ARGS__)
#define enif_make_tuple4(env, ...)          enif_make_tuple_of(env, 4, __VA_ARGS__)
#define enif_make_tuple5(env, ...)          enif_make_tuple_of(env, 5, __VA_ARGS__)

#endif
