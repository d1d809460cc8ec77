/* SPDX-License-Identifier: Apache-2.0 */
/* The native functions that open a socket. One that was opened while its poller stopped is closed again: nothing would
 * be reported for it. */
#include <errno.h>

#include "hosts/otp/otp.h"

static ERL_NIF_TERM connect_with(ErlNifEnv *env, otp_socket *s, const otp_options *options, const gt_address *to,
                                 ERL_NIF_TERM tag) {
    otp_op *op = otp_op_new(env, GT_OP_CONNECT, tag);
    ERL_NIF_TERM result;
    int status;

    if (op == NULL)
        return otp_error(env, -ENOMEM);
    otp_call_begin(env, op);
    status = gt_connect(&s->socket, options->list, options->count, to, &op->op);
    result = otp_call_answer(env, op, status);
    if (status >= 0 && otp_poller_stopped(otp_poller_that_watches(&s->socket)))
        gt_abort(&s->socket);
    if (status < 0)
        return result;
    return enif_make_tuple2(env, status == GT_PENDING ? otp_atom.wait : otp_atom.ok, otp_socket_term(env, s));
}

ERL_NIF_TERM otp_nif_connect(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    otp_options options;
    ERL_NIF_TERM result;
    ErlNifPid self;
    gt_address to;
    otp_socket *s;
    uint16_t port;
    int error;

    (void)argc;
    if (!otp_is_tag(env, argv[3]))
        return enif_make_badarg(env);
    if (!otp_get_address(env, argv[0], AF_INET, &to) || !otp_get_port(env, argv[1], &port) || !otp_set_port(&to, port))
        return otp_error(env, GT_BADARG);
    error = otp_get_options(env, argv[2], GT_AT_CONNECT, &options);
    if (error != 0)
        return otp_error(env, error == -EINVAL ? GT_BADARG : error);
    if (options.family != AF_UNSPEC && options.family != to.any.sa_family) {
        otp_options_free(&options);
        return otp_error(env, GT_BADARG);
    }
    s = otp_socket_new(enif_self(env, &self));
    if (s == NULL) {
        otp_options_free(&options);
        return otp_atom.no_driver;
    }
    result = connect_with(env, s, &options, &to, argv[3]);
    otp_options_free(&options);
    enif_release_resource(s);
    return result;
}

/* What listening, or taking a descriptor, answers with that status; drops the caller's reference. */
static ERL_NIF_TERM opened(ErlNifEnv *env, otp_socket *s, int status) {
    ERL_NIF_TERM result;

    if (status == 0 && otp_poller_stopped(otp_poller_that_watches(&s->socket)))
        gt_abort(&s->socket);
    result = status < 0 ? otp_error(env, status) : enif_make_tuple2(env, otp_atom.ok, otp_socket_term(env, s));
    enif_release_resource(s);
    return result;
}

ERL_NIF_TERM otp_nif_listen(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    otp_options options;
    ErlNifPid self;
    gt_address at = {0};
    otp_socket *s;
    uint16_t port;
    int status;

    (void)argc;
    if (!otp_get_port(env, argv[0], &port))
        return otp_error(env, GT_BADARG);
    status = otp_get_options(env, argv[1], GT_AT_LISTEN, &options);
    if (status != 0)
        return otp_error(env, status == -EINVAL ? GT_BADARG : status);
    if (!otp_listen_address(env, &options, port, &at)) {
        otp_options_free(&options);
        return otp_error(env, GT_BADARG);
    }
    s = otp_socket_new(enif_self(env, &self));
    if (s == NULL) {
        otp_options_free(&options);
        return otp_atom.no_driver;
    }
    status = gt_listen(&s->socket, options.list, options.count, &at);
    otp_options_free(&options);
    return opened(env, s, status);
}

static int family_of(ERL_NIF_TERM atom) {
    if (enif_is_identical(atom, otp_atom.inet6))
        return AF_INET6;
    if (enif_is_identical(atom, otp_atom.local))
        return AF_UNIX;
    return enif_is_identical(atom, otp_atom.inet) ? AF_INET : AF_UNSPEC;
}

ERL_NIF_TERM otp_nif_fdopen(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    otp_options options;
    ErlNifPid self;
    otp_socket *s;
    int fd, status;

    (void)argc;
    if (!enif_get_int(env, argv[0], &fd))
        return otp_error(env, -EBADF);
    status = otp_get_options(env, argv[2], GT_AT_SET, &options);
    if (status != 0)
        return otp_error(env, status);
    s = otp_socket_new(enif_self(env, &self));
    if (s == NULL) {
        otp_options_free(&options);
        return otp_atom.no_driver;
    }
    status = gt_fdopen(&s->socket, fd, family_of(argv[1]), true, options.list, options.count);
    otp_options_free(&options);
    return opened(env, s, status);
}
