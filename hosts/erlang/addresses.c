/* SPDX-License-Identifier: Apache-2.0 */
/* Erlang's terms of addresses, and of the names of files, which may be addresses. */
#include <string.h>

#include "hosts/erlang/terms.h"

enum { NAME_DEPTH_MAX = 100 }; /* a name of lists nested deeper than this is a mistake */

/* ---- names of files ---- */

/* The bytes of one character in UTF-8; 0: it is none. */
static size_t encode(unsigned c, uint8_t out[4]) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return c < 0xd800 || c > 0xdfff ? 3 : 0;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return c <= 0x10ffff ? 4 : 0;
}

/* Appends what the term says to out[0..*size), or only counts: out is NULL. */
static bool append_name(ErlNifEnv *env, ERL_NIF_TERM term, uint8_t *out, size_t *size, int depth) {
    ERL_NIF_TERM head;
    ErlNifBinary bytes;
    unsigned number;

    if (enif_inspect_binary(env, term, &bytes)) {
        if (out != NULL)
            memcpy(out + *size, bytes.data, bytes.size);
        *size += bytes.size;
        return *size <= OTP_NAME_MAX;
    }
    if (enif_get_uint(env, term, &number)) {
        uint8_t character[4];
        size_t count = depth > 0 ? encode(number, character) : 0;
        if (out != NULL)
            memcpy(out + *size, character, count);
        *size += count;
        return count > 0 && *size <= OTP_NAME_MAX;
    }
    while (enif_get_list_cell(env, term, &head, &term)) {
        if (depth == NAME_DEPTH_MAX || !append_name(env, head, out, size, depth + 1))
            return false;
    }
    return enif_is_empty_list(env, term);
}

bool otp_get_name(ErlNifEnv *env, ERL_NIF_TERM term, ErlNifBinary *out) {
    ERL_NIF_TERM copy;
    size_t size = 0;
    uint8_t *bytes;

    if (!append_name(env, term, NULL, &size, 0))
        return false;
    bytes = enif_make_new_binary(env, size, &copy);
    size = 0;
    return append_name(env, term, bytes, &size, 0) && enif_inspect_binary(env, copy, out);
}

ERL_NIF_TERM otp_name_term(ErlNifEnv *env, const uint8_t *bytes, size_t size) {
    ERL_NIF_TERM term = enif_make_list(env, 0);
    size_t end = size;

    while (end > 0) { /* from the last character to the first */
        uint8_t again[4];
        size_t start = end - 1;
        unsigned c;
        while (start > 0 && end - start < sizeof again && (bytes[start] & 0xc0) == 0x80)
            start--;
        c = end - start == 1 ? bytes[start] : bytes[start] & (0x7fU >> (end - start));
        for (size_t i = start + 1; i < end; i++)
            c = c << 6 | (bytes[i] & 0x3f);
        if (encode(c, again) != end - start || memcmp(again, bytes + start, end - start) != 0) {
            memcpy(enif_make_new_binary(env, size, &term), bytes, size);
            return term;
        }
        term = enif_make_list_cell(env, enif_make_uint(env, c), term);
        end = start;
    }
    return term;
}

/* ---- addresses ---- */

bool otp_get_port(ErlNifEnv *env, ERL_NIF_TERM term, uint16_t *port) {
    unsigned number;

    if (!enif_get_uint(env, term, &number) || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

bool otp_set_port(gt_address *address, uint16_t port) {
    if (address->any.sa_family == AF_UNIX)
        return port == 0;
    if (address->any.sa_family == AF_INET6 && address->in6.sin6_port == 0)
        address->in6.sin6_port = htons(port);
    else if (address->any.sa_family == AF_INET && address->in.sin_port == 0)
        address->in.sin_port = htons(port);
    return true;
}

static bool local_address(ErlNifEnv *env, ERL_NIF_TERM name, gt_address *out) {
    socklen_t before = offsetof(struct sockaddr_un, sun_path);
    ErlNifBinary bytes;

    if (!otp_get_name(env, name, &bytes))
        return false;
    *out = (gt_address){.size = GT_ADDRESS_TOO_LONG, .un = {.sun_family = AF_UNIX}};
    if (bytes.size <= sizeof out->un.sun_path) {
        out->size = before + (socklen_t)bytes.size;
        memcpy(out->un.sun_path, bytes.data, bytes.size);
    }
    return true;
}

static bool named_address(ERL_NIF_TERM term, int family, gt_address *out) {
    bool loopback = enif_is_identical(term, otp_atom.loopback);

    if (!loopback && !enif_is_identical(term, otp_atom.any))
        return false;
    if (family == AF_UNIX)
        *out = (gt_address){.size = offsetof(struct sockaddr_un, sun_path), .un = {.sun_family = AF_UNIX}};
    else if (family == AF_INET6)
        *out = (gt_address){.size = sizeof out->in6,
                            .in6 = {.sin6_family = AF_INET6, .sin6_addr = loopback ? in6addr_loopback : in6addr_any}};
    else
        *out =
            (gt_address){.size = sizeof out->in,
                         .in = {.sin_family = AF_INET, .sin_addr = {htonl(loopback ? INADDR_LOOPBACK : INADDR_ANY)}}};
    return true;
}

/* The number of a key that may be missing: then 0. *known counts those that are there. */
static bool number_of_key(ErlNifEnv *env, ERL_NIF_TERM map, ERL_NIF_TERM key, unsigned *out, size_t *known) {
    ERL_NIF_TERM value;

    *out = 0;
    if (!enif_get_map_value(env, map, key, &value))
        return true;
    ++*known;
    return enif_get_uint(env, value, out);
}

/* As socket:sockaddr_in6(): addr any, flowinfo 0 and so on if they are missing, and no other keys. */
static bool address_of_map(ErlNifEnv *env, ERL_NIF_TERM map, gt_address *out) {
    unsigned port, flowinfo, scope_id;
    ERL_NIF_TERM family, addr;
    size_t size, known = 1;

    if (!enif_get_map_size(env, map, &size) || !enif_get_map_value(env, map, otp_atom.family, &family))
        return false;
    if (GENTCP_WITH_LOCAL && enif_is_identical(family, otp_atom.local))
        return size == 2 && enif_get_map_value(env, map, otp_atom.path, &addr) && local_address(env, addr, out);
    if (enif_get_map_value(env, map, otp_atom.addr, &addr))
        known++;
    else
        addr = otp_atom.any;
    if (enif_is_map(env, addr) || !number_of_key(env, map, otp_atom.port, &port, &known) || port > UINT16_MAX)
        return false;
    if (enif_is_identical(family, otp_atom.inet6)) {
        if (!otp_get_address(env, addr, AF_INET6, out) || out->any.sa_family != AF_INET6 ||
            !number_of_key(env, map, otp_atom.flowinfo, &flowinfo, &known) ||
            !number_of_key(env, map, otp_atom.scope_id, &scope_id, &known))
            return false;
        out->in6.sin6_flowinfo = htonl(flowinfo);
        out->in6.sin6_scope_id = scope_id;
    } else if (!enif_is_identical(family, otp_atom.inet) || !otp_get_address(env, addr, AF_INET, out) ||
               out->any.sa_family != AF_INET) {
        return false;
    }
    return known == size && otp_set_port(out, (uint16_t)port);
}

bool otp_get_address(ErlNifEnv *env, ERL_NIF_TERM term, int family, gt_address *out) {
    const ERL_NIF_TERM *part;
    unsigned number;
    uint8_t *bytes;
    int arity;

    if (named_address(term, family, out))
        return true;
    if (enif_is_map(env, term))
        return address_of_map(env, term, out);
    if (!enif_get_tuple(env, term, &arity, &part))
        return false;
    if (GENTCP_WITH_LOCAL && arity == 2 && enif_is_identical(part[0], otp_atom.local))
        return local_address(env, part[1], out);
    if (arity == 4) {
        *out = (gt_address){.size = sizeof out->in, .in = {.sin_family = AF_INET}};
        bytes = (uint8_t *)&out->in.sin_addr;
    } else if (arity == 8) {
        *out = (gt_address){.size = sizeof out->in6, .in6 = {.sin6_family = AF_INET6}};
        bytes = out->in6.sin6_addr.s6_addr;
    } else {
        return false;
    }
    for (int i = 0; i < arity; i++) {
        if (!enif_get_uint(env, part[i], &number) || number > (arity == 4 ? UINT8_MAX : UINT16_MAX))
            return false;
        if (arity == 8)
            *bytes++ = (uint8_t)(number >> 8);
        *bytes++ = (uint8_t)number;
    }
    return true;
}

ERL_NIF_TERM otp_address_term(ErlNifEnv *env, const gt_address *address) {
    ERL_NIF_TERM part[8];
    const uint8_t *bytes;
    unsigned count, port;

    if (GENTCP_WITH_LOCAL && address->any.sa_family == AF_UNIX) {
        size_t size = gt_address_name_size(address);
        memcpy(enif_make_new_binary(env, size, &part[0]), address->un.sun_path, size);
        return enif_make_tuple2(env, otp_atom.local, part[0]);
    }
    if (address->any.sa_family == AF_INET6) {
        count = 8;
        port = ntohs(address->in6.sin6_port);
        bytes = address->in6.sin6_addr.s6_addr;
        for (unsigned i = 0; i < count; i++, bytes += 2)
            part[i] = enif_make_uint(env, (unsigned)bytes[0] << 8 | bytes[1]);
    } else {
        count = 4;
        port = ntohs(address->in.sin_port);
        bytes = (const uint8_t *)&address->in.sin_addr;
        for (unsigned i = 0; i < count; i++)
            part[i] = enif_make_uint(env, bytes[i]);
    }
    return enif_make_tuple2(env, enif_make_tuple_from_array(env, part, count), enif_make_uint(env, port));
}
