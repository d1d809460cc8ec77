/* SPDX-License-Identifier: Apache-2.0 */
/* The native functions: src/gentcp_nif.erl says what each takes and returns. A wrong argument is badarg; nothing here
 * waits. */
#include <defaultatoms.h>
#include <errno.h>
#include <exportedfunction.h>
#include <interop.h>
#include <nifs.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/atomvm/avm.h"

enum { NAME_MAX_LENGTH = 1024 }; /* of a host: NI_MAXHOST, less its 0 */

static term badarg(Context *ctx) {
    RAISE_ERROR(BADARG_ATOM);
}

static ErlNifEnv *env_of(Context *ctx) {
    return erl_nif_env_from_context(ctx);
}

static avm_socket *socket_of(Context *ctx, term handle) {
    return avm_socket_of(env_of(ctx), handle);
}

static bool is_ref(term t) {
    return term_is_local_reference(t) && !term_is_resource_reference(t);
}

static term ok_or_error(Context *ctx, int status) {
    return status < 0 ? otp_error(env_of(ctx), status) : otp_atom.ok;
}

static term ok_with(Context *ctx, term value) {
    return enif_make_tuple2(env_of(ctx), otp_atom.ok, value);
}

/* A call on socket argv[0] that may have to wait for the message of a reference. length: recv's. */
static term call(Context *ctx, term argv[], term ref, uint8_t kind, size_t length, int (*start)(gt_socket *, gt_op *)) {
    avm_socket *s = socket_of(ctx, argv[0]);
    avm_op *op;

    if (s == NULL || !is_ref(ref))
        return badarg(ctx);
    op = avm_op_new(ctx, kind, ref);
    if (op == NULL)
        return otp_error(env_of(ctx), -ENOMEM);
    op->op.length = length;
    avm_call_begin(ctx, op);
    return avm_call_answer(ctx, op, start(&s->socket, &op->op));
}

/* ---- opening ---- */

/* A socket that could not be opened has no owner. */
static void give_up(avm_socket *s) {
    gt_lock_take(&s->socket.lock);
    avm_forget_owner(s);
    gt_lock_drop(&s->socket.lock);
}

static term connect_with(Context *ctx, avm_socket *s, const otp_options *options, const gt_address *to, term ref) {
    avm_op *op = avm_op_new(ctx, GT_OP_CONNECT, ref);
    int status = -ENOMEM;
    term answer;

    if (op == NULL) {
        give_up(s);
        return otp_error(env_of(ctx), status);
    }
    avm_call_begin(ctx, op);
    status = gt_connect(&s->socket, options->list, options->count, to, &op->op);
    answer = avm_call_answer(ctx, op, status);
    if (status < 0) {
        give_up(s);
        return answer;
    }
    return enif_make_tuple2(env_of(ctx), status == GT_PENDING ? otp_atom.wait : otp_atom.ok,
                            avm_handle_term(env_of(ctx), s));
}

static term nif_connect(Context *ctx, int argc, term argv[]) {
    ErlNifEnv *env = env_of(ctx);
    otp_options options;
    gt_address to;
    avm_socket *s;
    uint16_t port;
    term answer;
    int error;

    (void)argc;
    if (!is_ref(argv[3]))
        return badarg(ctx);
    if (!otp_get_address(env, argv[0], AF_INET, &to) || !otp_get_port(env, argv[1], &port) || !otp_set_port(&to, port))
        return otp_error(env, GT_BADARG);
    error = otp_get_options(env, argv[2], GT_AT_CONNECT, &options);
    if (error != 0)
        return otp_error(env, error == -EINVAL ? GT_BADARG : error);
    if (options.family != AF_UNSPEC && options.family != to.any.sa_family) {
        otp_options_free(&options);
        return otp_error(env, GT_BADARG);
    }
    s = avm_socket_new(ctx->process_id);
    if (s != NULL) {
        answer = connect_with(ctx, s, &options, &to, argv[3]);
        enif_release_resource(s);
    } else {
        answer = otp_error(env, -ENOMEM);
    }
    otp_options_free(&options);
    return answer;
}

static term listen_at(Context *ctx, const otp_options *options, const gt_address *at) {
    avm_socket *s = avm_socket_new(ctx->process_id);
    int status;
    term answer;

    if (s == NULL)
        return otp_error(env_of(ctx), -ENOMEM);
    status = gt_listen(&s->socket, options->list, options->count, at);
    if (status < 0) {
        give_up(s);
        answer = otp_error(env_of(ctx), status);
    } else {
        answer = ok_with(ctx, avm_handle_term(env_of(ctx), s));
    }
    enif_release_resource(s);
    return answer;
}

static term nif_listen(Context *ctx, int argc, term argv[]) {
    ErlNifEnv *env = env_of(ctx);
    otp_options options;
    gt_address at = {0};
    uint16_t port;
    term answer;
    int error;

    (void)argc;
    if (!otp_get_port(env, argv[0], &port))
        return otp_error(env, GT_BADARG);
    error = otp_get_options(env, argv[1], GT_AT_LISTEN, &options);
    if (error != 0)
        return otp_error(env, error == -EINVAL ? GT_BADARG : error);
    answer = otp_listen_address(env, &options, port, &at) ? listen_at(ctx, &options, &at) : otp_error(env, GT_BADARG);
    otp_options_free(&options);
    return answer;
}

static term nif_accept(Context *ctx, int argc, term argv[]) {
    (void)argc;
    return call(ctx, argv, argv[1], GT_OP_ACCEPT, 0, gt_accept);
}

/* ---- names ---- */

static term nif_lookup(Context *ctx, int argc, term argv[]) {
    ErlNifEnv *env = env_of(ctx);
    int family = argv[1] == otp_atom.inet6 ? AF_INET6 : AF_INET;
    char name[NAME_MAX_LENGTH + 1];
    ErlNifBinary bytes;
    gt_addresses *found;
    term answer;
    int error;

    (void)argc;
    if (!is_ref(argv[2]))
        return badarg(ctx);
    if (!otp_get_name(env, argv[0], &bytes) || memchr(bytes.data, 0, bytes.size) != NULL)
        return otp_error(env, -EINVAL);
    if (bytes.size > NAME_MAX_LENGTH)
        return otp_error(env, GT_NXDOMAIN);
    memcpy(name, bytes.data, bytes.size);
    name[bytes.size] = 0;
    if (!gt_may_be_name(name))
        return otp_error(env, -EINVAL);
    error = gt_lookup_numeric(&avm_lookup_user, name, 0, family, &found);
    if (error == 0) {
        answer = ok_with(ctx, avm_addresses_term(env, found));
        free(found);
        return answer;
    }
    if (error == GT_NXDOMAIN)
        error = avm_lookup(name, family, ctx->process_id, term_to_ref_ticks(argv[2]));
    return error != 0 ? otp_error(env, error) : otp_atom.wait;
}

static term nif_cancel_lookup(Context *ctx, int argc, term argv[]) {
    (void)argc;
    if (!is_ref(argv[0]))
        return badarg(ctx);
    return otp_bool(avm_lookup_cancel(term_to_ref_ticks(argv[0])));
}

/* ---- receiving ---- */

static term nif_recv(Context *ctx, int argc, term argv[]) {
    ErlNifSInt64 length;

    (void)argc;
    if (!enif_get_int64(env_of(ctx), argv[1], &length) || length < 0 || (uint64_t)length > SIZE_MAX)
        length = SIZE_MAX > INT64_MAX ? INT64_MAX : (ErlNifSInt64)SIZE_MAX; /* a big integer */
    return call(ctx, argv, argv[2], GT_OP_RECV, (size_t)length, gt_recv);
}

/* The bytes of iodata: those of a binary, or a copy in *copy, to be freed. 0; -EINVAL: it is none; -ENOMEM. */
static int bytes_of(term data, struct iovec *out, char **copy) {
    size_t size;

    *copy = NULL;
    if (term_is_binary(data)) {
        *out = (struct iovec){.iov_base = (void *)(uintptr_t)term_binary_data(data), .iov_len = term_binary_size(data)};
        return 0;
    }
    if (!term_is_list(data))
        return -EINVAL;
    switch (interop_iolist_size(data, &size)) {
    case InteropOk:
        break;
    case InteropMemoryAllocFail:
        return -ENOMEM;
    default:
        return -EINVAL;
    }
    *copy = malloc(size + 1);
    if (*copy == NULL)
        return -ENOMEM;
    if (interop_write_iolist(data, *copy) != InteropOk) {
        free(*copy);
        *copy = NULL;
        return -EINVAL;
    }
    *out = (struct iovec){.iov_base = *copy, .iov_len = size};
    return 0;
}

static term nif_unrecv(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    struct iovec part;
    char *copy;
    int status;

    (void)argc;
    if (s == NULL)
        return badarg(ctx);
    status = bytes_of(argv[1], &part, &copy);
    if (status == 0)
        status = gt_unrecv(&s->socket, part.iov_base, part.iov_len);
    free(copy);
    return ok_or_error(ctx, status);
}

/* ---- sending ---- */

/* With a reference: the send may wait. */
static term send_waiting(Context *ctx, avm_socket *s, const struct iovec *part, term *source, term ref) {
    avm_op *op = avm_op_new(ctx, GT_OP_SEND, ref);
    term answer;
    int status;

    if (op == NULL)
        return otp_error(env_of(ctx), -ENOMEM);
    avm_call_begin(ctx, op);
    status = gt_send(&s->socket, part, 1, source, &op->op);
    answer = avm_call_answer(ctx, op, status);
    if (status != GT_PENDING)
        return answer;
    return enif_make_tuple2(env_of(ctx), otp_atom.wait, otp_timeout_term(env_of(ctx), gt_send_timeout(&s->socket)));
}

/* Data that can't be sent: what the socket says of itself comes first. */
static int refused(avm_socket *s, int error) {
    gt_address name;

    return gt_sockname(&s->socket, &name) == -EINVAL ? GT_CLOSED : error;
}

static term nif_send(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    struct iovec part;
    term *source;
    term answer;
    char *copy;
    int status;

    if (s == NULL || (argc == 3 && !is_ref(argv[2])))
        return badarg(ctx);
    status = bytes_of(argv[1], &part, &copy);
    if (status != 0)
        return otp_error(env_of(ctx), refused(s, status));
    source = copy == NULL ? &argv[1] : NULL;
    if (argc == 3) {
        answer = send_waiting(ctx, s, &part, source, argv[2]);
    } else {
        status = gt_send(&s->socket, &part, 1, source, NULL);
        answer = status == -EAGAIN ? otp_atom.wait : ok_or_error(ctx, status);
    }
    free(copy);
    return answer;
}

/* ---- ending ---- */

static term nif_shutdown(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    int how;

    (void)argc;
    if (s == NULL)
        return badarg(ctx);
    if (argv[1] == otp_atom.read)
        how = SHUT_RD;
    else if (argv[1] == otp_atom.write)
        how = SHUT_WR;
    else if (argv[1] == otp_atom.read_write)
        how = SHUT_RDWR;
    else
        return badarg(ctx);
    return ok_or_error(ctx, gt_shutdown(&s->socket, how));
}

static term nif_close(Context *ctx, int argc, term argv[]) {
    (void)argc;
    return call(ctx, argv, argv[1], GT_OP_CLOSE, 0, gt_close);
}

static term nif_abort(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);

    (void)argc;
    if (s == NULL)
        return badarg(ctx);
    gt_abort(&s->socket);
    return otp_atom.ok;
}

static term nif_cancel(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);

    (void)argc;
    if (s == NULL || !is_ref(argv[1]))
        return badarg(ctx);
    return otp_bool(avm_cancel(s, term_to_ref_ticks(argv[1])));
}

/* ---- options and names ---- */

static term nif_setopts(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    otp_options options;
    int status;

    (void)argc;
    if (s == NULL)
        return badarg(ctx);
    status = otp_get_options(env_of(ctx), argv[1], GT_AT_SET, &options);
    if (status == 0) {
        status = gt_set_options(&s->socket, options.list, options.count);
        otp_options_free(&options);
    }
    return ok_or_error(ctx, status);
}

static term nif_getopts(Context *ctx, int argc, term argv[]) {
    ErlNifEnv *env = env_of(ctx);
    avm_socket *s = socket_of(ctx, argv[0]);
    gt_option any = {.name = GT_OPT_ACTIVE};
    term found = term_nil();
    term list, ordered;

    (void)argc;
    if (s == NULL || !term_is_list(argv[1]))
        return badarg(ctx);
    if (gt_get_option(&s->socket, &any) != 0) /* closed, whatever is in the list */
        return otp_error(env, -EINVAL);
    for (list = argv[1]; term_is_nonempty_list(list); list = term_get_list_tail(list)) {
        term option;
        int status = otp_read_option(env, &s->socket, term_get_list_head(list), &option);
        if (status == -ENOPROTOOPT || status == -EOPNOTSUPP)
            continue; /* of another family */
        if (status != 0)
            return otp_error(env, status);
        found = enif_make_list_cell(env, option, found);
    }
    if (!term_is_nil(list))
        return otp_error(env, -EINVAL);
    (void)enif_make_reverse_list(env, found, &ordered);
    return ok_with(ctx, ordered);
}

static term name_of(Context *ctx, term handle, int (*name)(gt_socket *, gt_address *)) {
    avm_socket *s = socket_of(ctx, handle);
    gt_address address = {0};
    int status;

    if (s == NULL)
        return badarg(ctx);
    status = name(&s->socket, &address);
    if (status < 0)
        return otp_error(env_of(ctx), status);
    return ok_with(ctx, otp_address_term(env_of(ctx), &address));
}

static term nif_sockname(Context *ctx, int argc, term argv[]) {
    (void)argc;
    return name_of(ctx, argv[0], gt_sockname);
}

static term nif_peername(Context *ctx, int argc, term argv[]) {
    (void)argc;
    return name_of(ctx, argv[0], gt_peername);
}

/* ---- owners ---- */

static term nif_hand_over(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    int status;

    (void)argc;
    if (s == NULL)
        return badarg(ctx);
    if (!term_is_local_pid(argv[1])) /* a process of another node */
        return otp_error(env_of(ctx), GT_BADARG);
    status = avm_hand_over(s, ctx->process_id, term_to_local_process_id(argv[1]));
    return status == GT_PENDING ? otp_atom.pass_on : ok_or_error(ctx, status);
}

static term nif_pass_on(Context *ctx, int argc, term argv[]) {
    avm_socket *s = socket_of(ctx, argv[0]);
    int proper;

    (void)argc;
    if (s == NULL || !term_is_local_pid(argv[1]))
        return badarg(ctx);
    (void)term_list_length(argv[2], &proper);
    if (!proper)
        return badarg(ctx);
    return ok_or_error(ctx, avm_pass_on(s, ctx->process_id, term_to_local_process_id(argv[1]), argv[2]));
}

/* ---- the table ---- */

typedef struct native {
    const char *name;
    int arity;
    struct Nif nif;
} native;

#define NATIVE(name, arity)                                                                                            \
    {                                                                                                                  \
#name, arity, {                                                                                                \
            .base.type = NIFFunctionType, .nif_ptr = nif_##name                                                        \
        }                                                                                                              \
    }

static const native natives[] = {
    NATIVE(connect, 4),  NATIVE(listen, 2),   NATIVE(accept, 2),    NATIVE(lookup, 3),  NATIVE(cancel_lookup, 1),
    NATIVE(recv, 3),     NATIVE(unrecv, 2),   NATIVE(send, 2),      NATIVE(send, 3),    NATIVE(shutdown, 2),
    NATIVE(close, 2),    NATIVE(abort, 1),    NATIVE(cancel, 2),    NATIVE(setopts, 2), NATIVE(getopts, 2),
    NATIVE(sockname, 1), NATIVE(peername, 1), NATIVE(hand_over, 2), NATIVE(pass_on, 3),
};

const struct ExportedFunction *avm_native(term name, int arity) {
    ErlNifEnv env;

    erl_nif_env_partial_init_from_globalcontext(&env, avm_vm);
    for (size_t i = 0; i < sizeof natives / sizeof natives[0]; i++) {
        if (natives[i].arity == arity && enif_make_atom(&env, natives[i].name) == name)
            return &natives[i].nif.base;
    }
    return NULL;
}
