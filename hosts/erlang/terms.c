/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "hosts/erlang/terms.h"

enum {
    OPTIONS_MAX = 1000,       /* a list longer than this is a mistake, */
    RAW_SIZE_MAX = 64 * 1024, /* and so is more than this of {raw, Level, Name, Size} */
};

otp_atoms otp_atom;
/* In the order of otp_atoms, which has terms alone. */
static const char atom_texts[] = ""
#define OTP_ATOM(c, text) text "\0"
#include "hosts/erlang/atoms.h"
#undef OTP_ATOM
    ;

static ERL_NIF_TERM option_names[GT_OPTIONS];
static ERL_NIF_TERM packet_names[GT_PACKET_TYPES]; /* as getopts has them: raw is 0 */

static void start_packet_names(ErlNifEnv *env) {
    static const char names[GT_PACKET_TYPES][10] = {
#define GT_PACKET_ROW(part, upper, c, name, width, reader)                                                             \
    [GT_PACKET_##upper] = name, /* NOLINT(bugprone-macro-parentheses) */
#include "engine/packet_table.h"
#undef GT_PACKET_ROW
    };

    for (int i = 0; i < GT_PACKET_TYPES; i++) {
        bool is_digit = names[i][0] >= '0' && names[i][0] <= '9';
        packet_names[i] = is_digit ? enif_make_int(env, names[i][0] - '0') : enif_make_atom(env, names[i]);
    }
}

void otp_terms_start(ErlNifEnv *env) {
    ERL_NIF_TERM *atom = (ERL_NIF_TERM *)&otp_atom;

    for (const char *text = atom_texts; *text != 0; text += strlen(text) + 1)
        *atom++ = enif_make_atom(env, text);
    for (int i = 0; i < GT_OPTIONS; i++)
        option_names[i] = enif_make_atom(env, gt_option_rows[i].name);
    start_packet_names(env);
}

ERL_NIF_TERM otp_bool(bool value) {
    return value ? otp_atom.yes : otp_atom.no;
}

ERL_NIF_TERM otp_error(ErlNifEnv *env, int error) {
    return enif_make_tuple2(env, otp_atom.error, enif_make_atom(env, gt_error_name(error)));
}

ERL_NIF_TERM otp_timeout_term(ErlNifEnv *env, int64_t timeout) {
    return timeout == GT_INFINITY ? otp_atom.infinity : enif_make_int64(env, timeout);
}

/* ---- options ---- */

static bool get_number(ErlNifEnv *env, ERL_NIF_TERM term, int64_t *out) {
    ErlNifSInt64 number;

    if (!enif_get_int64(env, term, &number))
        return false;
    *out = number;
    return true;
}

/* One of a few atoms: its number is its place. */
static bool get_choice(ERL_NIF_TERM term, const ERL_NIF_TERM *choices, int count, int64_t *out) {
    for (int i = 0; i < count; i++) {
        if (enif_is_identical(term, choices[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool get_bool(ERL_NIF_TERM term, int64_t *out) {
    return get_choice(term, (ERL_NIF_TERM[]){otp_atom.no, otp_atom.yes}, 2, out);
}

static bool get_active(ErlNifEnv *env, ERL_NIF_TERM term, gt_option *out) {
    if (get_choice(term, (ERL_NIF_TERM[]){otp_atom.no, otp_atom.yes, otp_atom.once}, 3, &out->number))
        return true;
    out->number = GT_ACTIVE_COUNT;
    return get_number(env, term, &out->extra);
}

static bool get_packet(ERL_NIF_TERM term, gt_option *out) {
    for (int type = 0; type < GT_PACKET_TYPES; type++) {
        if (enif_is_identical(term, packet_names[type])) {
            out->number = type;
            return true;
        }
    }
    out->number = GT_PACKET_RAW;
    return enif_is_identical(term, otp_atom.raw);
}

static bool get_linger(ErlNifEnv *env, ERL_NIF_TERM term, gt_option *out) {
    const ERL_NIF_TERM *part;
    int arity;

    return enif_get_tuple(env, term, &arity, &part) && arity == 2 && get_bool(part[0], &out->number) &&
           get_number(env, part[1], &out->extra);
}

static bool get_bytes(ErlNifEnv *env, ERL_NIF_TERM term, gt_option *out) {
    ErlNifBinary bytes;

    if (!enif_inspect_binary(env, term, &bytes))
        return false;
    out->bytes = bytes.data; /* as long as the term lives */
    out->size = bytes.size;
    return true;
}

static bool get_path(ErlNifEnv *env, ERL_NIF_TERM term, gt_option *out) {
    ErlNifBinary bytes;

    if (!otp_get_name(env, term, &bytes))
        return false;
    out->bytes = bytes.data;
    out->size = bytes.size;
    return true;
}

static bool get_family(ERL_NIF_TERM term, gt_option *out) {
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};

    if (!get_choice(term, (ERL_NIF_TERM[]){otp_atom.inet, otp_atom.inet6, otp_atom.local}, 3, &out->number))
        return false;
    out->number = families[out->number];
    return true;
}

/* Level, Name, Bytes. */
static bool get_raw(ErlNifEnv *env, const ERL_NIF_TERM *part, gt_option *out) {
    out->name = GT_OPT_RAW;
    return get_number(env, part[0], &out->number) && get_number(env, part[1], &out->extra) &&
           get_bytes(env, part[2], out);
}

static bool get_raw_tuple(ErlNifEnv *env, ERL_NIF_TERM term, gt_option *out) {
    const ERL_NIF_TERM *part;
    int arity;

    return enif_get_tuple(env, term, &arity, &part) && arity == 3 && get_raw(env, part, out);
}

static bool get_value(ErlNifEnv *env, ERL_NIF_TERM term, int family, gt_option *out) {
    switch ((enum gt_option_type)gt_option_rows[out->name].type) {
    case GT_TYPE_BOOL:
        return get_bool(term, &out->number);
    case GT_TYPE_INT:
        return get_number(env, term, &out->number);
    case GT_TYPE_TIMEOUT:
        out->number = GT_INFINITY;
        if (enif_is_identical(term, otp_atom.infinity))
            return true;
        return get_number(env, term, &out->number) && out->number >= 0;
    case GT_TYPE_ACTIVE:
        return get_active(env, term, out);
    case GT_TYPE_MODE:
        return get_choice(term, (ERL_NIF_TERM[]){otp_atom.list, otp_atom.binary}, 2, &out->number);
    case GT_TYPE_PACKET:
        return get_packet(term, out);
    case GT_TYPE_FAMILY:
        return get_family(term, out);
    case GT_TYPE_BACKEND:
        return get_choice(term, (ERL_NIF_TERM[]){otp_atom.inet, otp_atom.socket}, 2, &out->number);
    case GT_TYPE_LINGER:
        return get_linger(env, term, out);
    case GT_TYPE_ADDRESS:
        return otp_get_address(env, term, family, &out->address);
    case GT_TYPE_BYTES:
        return GENTCP_WITH_RARE_OPTIONS && get_bytes(env, term, out);
    case GT_TYPE_PATH:
        return GENTCP_WITH_RARE_OPTIONS && get_path(env, term, out);
    case GT_TYPE_RAW:
        return GENTCP_WITH_RARE_OPTIONS && get_raw_tuple(env, term, out);
    case GT_TYPE_DELIVER:
        return get_choice(term, (ERL_NIF_TERM[]){otp_atom.term, otp_atom.port}, 2, &out->number);
    case GT_TYPE_RECEIVED: /* only read */
        return false;
    }
    return false;
}

static bool get_option_name(ERL_NIF_TERM term, gt_option *out) {
    for (int i = 0; i < GT_OPTIONS; i++) {
        if (enif_is_identical(term, option_names[i])) {
            out->name = (uint16_t)i;
            return true;
        }
    }
    return false;
}

/* An option that is an atom alone: list, binary, inet, inet6, local. */
static bool get_bare(ERL_NIF_TERM term, gt_option *out) {
    if (get_choice(term, (ERL_NIF_TERM[]){otp_atom.list, otp_atom.binary}, 2, &out->number)) {
        out->name = GT_OPT_MODE;
        return true;
    }
    out->name = GT_OPT_FAMILY;
    return get_family(term, out);
}

/* One option of a list. *skip: it is none of ours, but allowed. */
static bool get_option(ErlNifEnv *env, ERL_NIF_TERM term, int where, int family, gt_option *out, bool *skip) {
    const ERL_NIF_TERM *part;
    int arity;

    *out = (gt_option){0};
    *skip = false;
    if (enif_is_atom(env, term))
        return get_bare(term, out);
    if (!enif_get_tuple(env, term, &arity, &part))
        return false;
    if (GENTCP_WITH_RARE_OPTIONS && arity == 4 && enif_is_identical(part[0], otp_atom.raw))
        return get_raw(env, part + 1, out);
    if (arity != 2)
        return false;
    if (enif_is_identical(part[0], otp_atom.tcp_module)) {
        *skip = true;
        return (where & GT_AT_OPEN) != 0 && enif_is_atom(env, part[1]);
    }
    if (enif_is_identical(part[0], otp_atom.binary)) {
        out->name = GT_OPT_MODE;
        return get_bool(part[1], &out->number);
    }
    if (enif_is_identical(part[0], otp_atom.ifaddr)) {
        out->name = GT_OPT_IP;
        return otp_get_address(env, part[1], family, &out->address);
    }
    return get_option_name(part[0], out) && get_value(env, part[1], family, out);
}

/* What the family atoms in the list say, so that {ip, loopback} may stand before inet6. */
static int family_atom(ErlNifEnv *env, ERL_NIF_TERM list) {
    gt_option found = {.number = AF_UNSPEC};
    ERL_NIF_TERM term;

    while (enif_get_list_cell(env, list, &term, &list))
        (void)get_family(term, &found);
    return (int)found.number;
}

static void reverse(gt_option *list, int count) {
    for (int i = 0; i < count / 2; i++) {
        gt_option option = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = option;
    }
}

int otp_get_options(ErlNifEnv *env, ERL_NIF_TERM list, int where, otp_options *out) {
    ERL_NIF_TERM term;
    unsigned length;
    bool skip;

    if (!enif_get_list_length(env, list, &length) || length > OPTIONS_MAX)
        return -EINVAL;
    out->count = 0;
    out->list = out->few;
    if (length > sizeof out->few / sizeof out->few[0])
        out->list = enif_alloc(length * sizeof *out->list);
    if (out->list == NULL)
        return -ENOMEM;
    out->family = (where & GT_AT_OPEN) != 0 ? family_atom(env, list) : AF_UNSPEC;
    while (enif_get_list_cell(env, list, &term, &list)) {
        gt_option *option = &out->list[out->count];
        if (!get_option(env, term, where, out->family, option, &skip))
            goto bad;
        if (skip)
            continue;
        if (option->name == GT_OPT_IP) {
            int family = option->address.any.sa_family;
            if (out->family != AF_UNSPEC && out->family != family)
                goto bad;
            out->family = family;
        }
        out->count++;
    }
    if (where == GT_AT_SET) /* inet:setopts/2 sets the last one first: of two of one name the first counts */
        reverse(out->list, out->count);
    return 0;
bad:
    otp_options_free(out);
    return -EINVAL;
}

void otp_options_free(otp_options *options) {
    if (options->list != options->few)
        enif_free(options->list);
    options->list = options->few;
}

static ERL_NIF_TERM active_term(ErlNifEnv *env, const gt_option *option) {
    switch (option->number) {
    case GT_PASSIVE:
        return otp_atom.no;
    case GT_ACTIVE_TRUE:
        return otp_atom.yes;
    case GT_ACTIVE_ONCE:
        return otp_atom.once;
    default:
        return enif_make_int64(env, option->extra);
    }
}

static ERL_NIF_TERM value_term(ErlNifEnv *env, const gt_option *option) {
    switch (gt_option_rows[option->name].type) {
    case GT_TYPE_BOOL:
        return otp_bool(option->number != 0);
    case GT_TYPE_TIMEOUT:
        return otp_timeout_term(env, option->number);
    case GT_TYPE_ACTIVE:
        return active_term(env, option);
    case GT_TYPE_MODE:
        return option->number == GT_MODE_LIST ? otp_atom.list : otp_atom.binary;
    case GT_TYPE_PACKET:
        return packet_names[option->number];
    case GT_TYPE_LINGER:
        return enif_make_tuple2(env, otp_bool(option->number != 0), enif_make_int64(env, option->extra));
    case GT_TYPE_DELIVER:
        return option->number == GT_DELIVER_TERM ? otp_atom.term : otp_atom.port;
    default:
        return enif_make_int64(env, option->number);
    }
}

/* {raw, Level, Name, Size}, or a binary of that size; the answer has what the system has filled in. */
static int read_raw(ErlNifEnv *env, gt_socket *socket, const ERL_NIF_TERM *part, ERL_NIF_TERM *out) {
    gt_option option = {.name = GT_OPT_RAW};
    ERL_NIF_TERM value;
    int64_t size;
    int status;

    if (!get_number(env, part[0], &option.number) || !get_number(env, part[1], &option.extra))
        return -EINVAL;
    if (get_bytes(env, part[2], &option))
        size = (int64_t)option.size;
    else if (!get_number(env, part[2], &size))
        return -EINVAL;
    if (size < 0 || size > RAW_SIZE_MAX)
        return -EINVAL;
    option.size = (size_t)size;
    option.bytes = enif_make_new_binary(env, option.size, &value);
    memset(option.bytes, 0, option.size);
    status = gt_get_option(socket, &option);
    if (status != 0)
        return status;
    if (option.size < (size_t)size)
        value = enif_make_sub_binary(env, value, 0, option.size);
    *out = enif_make_tuple4(env, otp_atom.raw, part[0], part[1], value);
    return 0;
}

/* A device's name, without the 0 that the system ends it with. */
static ERL_NIF_TERM device_term(ErlNifEnv *env, const char *name, size_t size) {
    ERL_NIF_TERM term;

    size = strnlen(name, size);
    memcpy(enif_make_new_binary(env, size, &term), name, size);
    return term;
}

static int read_netns(ErlNifEnv *env, gt_socket *socket, ERL_NIF_TERM *out) {
    gt_option option = {.name = GT_OPT_NETNS};
    int status;

    option.size = OTP_NAME_MAX;
    option.bytes = enif_alloc(option.size);
    if (option.bytes == NULL)
        return -ENOMEM;
    status = gt_get_option(socket, &option);
    if (status == 0)
        *out = enif_make_tuple2(env, option_names[option.name], otp_name_term(env, option.bytes, option.size));
    enif_free(option.bytes);
    return status;
}

/* {pktoptions, [{ttl, N}, {tos, N}]}: in the order in which Linux tells them. */
static int read_received(ErlNifEnv *env, gt_socket *socket, ERL_NIF_TERM *out) {
    ERL_NIF_TERM list = enif_make_list(env, 0);
    gt_option option = {.name = GT_OPT_PKTOPTIONS};
    int tos = socket->settings.family == AF_INET6 ? GT_OPT_TCLASS : GT_OPT_TOS;
    int status = gt_get_option(socket, &option);

    if (status != 0)
        return status;
    if (option.number >= 0)
        list = enif_make_list_cell(env, enif_make_tuple2(env, option_names[tos], enif_make_int64(env, option.number)),
                                   list);
    if (option.extra >= 0)
        list = enif_make_list_cell(
            env, enif_make_tuple2(env, option_names[GT_OPT_TTL], enif_make_int64(env, option.extra)), list);
    *out = enif_make_tuple2(env, option_names[GT_OPT_PKTOPTIONS], list);
    return 0;
}

int otp_read_option(ErlNifEnv *env, gt_socket *socket, ERL_NIF_TERM wanted, ERL_NIF_TERM *out) {
    const ERL_NIF_TERM *part;
    char name[IFNAMSIZ] = "";
    gt_option option = {0};
    int arity, status;
    bool text;

    if (GENTCP_WITH_RARE_OPTIONS && enif_get_tuple(env, wanted, &arity, &part) && arity == 4 &&
        enif_is_identical(part[0], otp_atom.raw))
        return read_raw(env, socket, part + 1, out);
    if (!get_option_name(wanted, &option))
        return -EINVAL;
    if (GENTCP_WITH_RARE_OPTIONS && option.name == GT_OPT_NETNS)
        return read_netns(env, socket, out);
    if (GENTCP_WITH_RARE_OPTIONS && option.name == GT_OPT_PKTOPTIONS)
        return read_received(env, socket, out);
    text = GENTCP_WITH_RARE_OPTIONS && gt_option_rows[option.name].type == GT_TYPE_BYTES;
    if (text) {
        option.bytes = name;
        option.size = sizeof name;
    }
    status = gt_get_option(socket, &option);
    if (status == 0)
        *out = enif_make_tuple2(env, option_names[option.name],
                                text ? device_term(env, name, option.size) : value_term(env, &option));
    return status;
}

/* Does option fd give a descriptor? */
static bool lends_descriptor(const otp_options *options) {
    bool lends = false;

    for (int i = 0; i < options->count; i++) {
        if (options->list[i].name == GT_OPT_FD)
            lends = options->list[i].number >= 0;
    }
    return lends;
}

bool otp_listen_address(ErlNifEnv *env, const otp_options *options, uint16_t port, gt_address *at) {
    if (options->family != AF_UNSPEC || port != 0 || !lends_descriptor(options))
        (void)otp_get_address(env, otp_atom.any, options->family, at);
    return otp_set_port(at, port);
}

int otp_shape_set(otp_shape *shape, const gt_option *option) {
    if (option->name == GT_OPT_HEADER)
        shape->header = (uint16_t)option->number;
    else if (option->name == GT_OPT_DELIVER)
        shape->deliver = (uint8_t)option->number;
    else
        shape->mode = (uint8_t)option->number;
    return 0;
}

int otp_shape_get(const otp_shape *shape, gt_option *option) {
    if (option->name == GT_OPT_HEADER)
        option->number = shape->header;
    else if (option->name == GT_OPT_DELIVER)
        option->number = shape->deliver;
    else
        option->number = shape->mode;
    return 0;
}
