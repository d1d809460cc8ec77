/* SPDX-License-Identifier: Apache-2.0 */
/* Erlang's terms of options, addresses, http lines and errors: what the hosts of OTP and of AtomVM have in common. They
 * are read and made with functions of erl_nif.h; hosts/atomvm has those that AtomVM lacks. */
#ifndef GENTCP_ERLANG_TERMS_H
#define GENTCP_ERLANG_TERMS_H

#include <erl_nif.h>

#include "engine/socket.h"

/* ---- http.c: terms of http lines ---- */

void otp_http_start(ErlNifEnv *env);
/* A line as erlang:decode_packet/3 has it. binaries: its texts are binaries, else strings. */
ERL_NIF_TERM otp_http_term(ErlNifEnv *env, const gt_http *http, bool binaries);

/* ---- terms.c: atoms, errors ---- */

typedef struct otp_atoms {
#define OTP_ATOM(c, text) ERL_NIF_TERM c;
#include "hosts/erlang/atoms.h"
#undef OTP_ATOM
} otp_atoms;

extern otp_atoms otp_atom;
void otp_terms_start(ErlNifEnv *env);

ERL_NIF_TERM otp_bool(bool value);
ERL_NIF_TERM otp_error(ErlNifEnv *env, int error);              /* {error, Name} */
ERL_NIF_TERM otp_timeout_term(ErlNifEnv *env, int64_t timeout); /* milliseconds, or infinity */

/* ---- addresses.c: terms of addresses and of names of files ---- */

enum { OTP_NAME_MAX = 64 * 1024 }; /* bytes; a longer name is a mistake */

/* The name of a file: a binary as it is, a string (a list of characters, strings and binaries) in UTF-8. The bytes live
 * as long as env. False: neither. */
bool otp_get_name(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifBinary *out);
/* As a string; what isn't UTF-8 stays a binary. */
ERL_NIF_TERM otp_name_term(ErlNifEnv *env, const uint8_t *bytes, size_t size);

bool otp_get_port(ErlNifEnv *env, ERL_NIF_TERM term, uint16_t *port);
/* An address tuple; any, loopback (of that family); {local, Path}, Path a binary or a string, which becomes UTF-8; or a
 * socket:sockaddr_in(), _in6() or _un(), with its port. */
bool otp_get_address(ErlNifEnv *env, ERL_NIF_TERM term, int family, gt_address *out);
/* Unless it has one of its own. False: it is local, and port isn't 0. */
bool otp_set_port(gt_address *address, uint16_t port);
ERL_NIF_TERM otp_address_term(ErlNifEnv *env, const gt_address *address); /* {Address, Port}, {local, Binary} */

/* ---- terms.c: lists of options ---- */

typedef struct otp_options {
    int family; /* what inet, inet6, local or an address in ip say; AF_UNSPEC: nothing */
    int count;
    gt_option *list; /* few, or memory that otp_options_free frees */
    gt_option few[16];
} otp_options;

/* A list of options for that place (gt_option_where). 0; -EINVAL, -ENOMEM: nothing to free. The options' values are
 * terms of the right kind; gt_option_check has still to be done. */
int otp_get_options(ErlNifEnv *env, ERL_NIF_TERM list, int where, otp_options *out);
void otp_options_free(otp_options *options);
/* Reads the option that an element of inet:getopts' list names. 0, or gt_get_option's error; -EINVAL: no such name. */
int otp_read_option(ErlNifEnv *env, gt_socket *socket, ERL_NIF_TERM wanted, ERL_NIF_TERM *out);
/* Where listen binds with these options if they name no address: *at is left as it is for a descriptor that is lent and
 * needn't be bound, whose family is its own. False: there can't be such a port. */
bool otp_listen_address(ErlNifEnv *env, const otp_options *options, uint16_t port, gt_address *at);

/* The options that the engine leaves to its host: what received data looks like. Guarded by the socket's lock. */
typedef struct otp_shape {
    uint8_t mode;    /* gt_mode */
    uint8_t deliver; /* gt_deliver */
    uint16_t header; /* binaries begin with so many bytes as a list */
} otp_shape;

/* gt_host's set_option and get_option. */
int otp_shape_set(otp_shape *shape, const gt_option *option);
int otp_shape_get(const otp_shape *shape, gt_option *option);

#endif
