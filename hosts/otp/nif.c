/* SPDX-License-Identifier: Apache-2.0 */
/* The NIF library: gentcp_nif.erl says what each function takes and returns. A wrong argument is badarg; nothing here
 * blocks. A call that must wait has got a fresh tag, with which {'$gentcp', Tag, Result} comes as a message. */
#include <errno.h>

#include "hosts/otp/otp.h"

enum {
    BYTES_A_PERCENT = 32 * 1024, /* copied in a hundredth of a time slice, roughly */
    BYTES_A_MESSAGE = 1024,      /* to send one takes as long as to copy this */
    LINGER_MAX = 1000000,        /* microseconds */
};

typedef const ERL_NIF_TERM *arguments;

static otp_socket *socket_of(ErlNifEnv *env, ERL_NIF_TERM term) {
    void *socket;

    return enif_get_resource(env, term, otp_socket_type, &socket) ? socket : NULL;
}

static void account(ErlNifEnv *env, size_t bytes) {
    size_t percent = bytes / BYTES_A_PERCENT;

    if (percent > 0)
        (void)enif_consume_timeslice(env, percent < 100 ? (int)percent : 100);
}

static ERL_NIF_TERM ok_or_error(ErlNifEnv *env, int status) {
    return status < 0 ? otp_error(env, status) : otp_atom.ok;
}

/* Of a call that may have had messages for the owner: posted, if the runner has some to send. */
static ERL_NIF_TERM ok_or_posted(ErlNifEnv *env, int status) {
    return status >= 0 && otp_outbox_waits() ? otp_atom.posted : ok_or_error(env, status);
}

/* The answer of a call that waits, for so long at most as an option says: it is told unless it is infinity. */
static ERL_NIF_TERM waiting(ErlNifEnv *env, int32_t timeout) {
    return timeout == GT_INFINITY ? otp_atom.wait : enif_make_tuple2(env, otp_atom.wait, enif_make_int(env, timeout));
}

/* A call on a socket (NULL: it is none) that may have to wait for the message with its tag. length: recv's. */
static ERL_NIF_TERM call(ErlNifEnv *env, otp_socket *s, ERL_NIF_TERM tag, uint8_t kind, size_t length,
                         int (*start)(gt_socket *, gt_op *)) {
    ERL_NIF_TERM answer;
    otp_op *op;
    int status;

    if (s == NULL || !otp_is_tag(env, tag))
        return enif_make_badarg(env);
    op = otp_op_new(env, kind, tag);
    if (op == NULL)
        return otp_error(env, -ENOMEM);
    op->op.length = length;
    otp_call_begin(env, op);
    status = start(&s->socket, &op->op);
    answer = otp_call_answer(env, op, status);
    if (status == GT_PENDING && kind == GT_OP_RECV)
        otp_collect_before_waiting(env, s);
    return status == GT_PENDING && kind != GT_OP_CLOSE ? waiting(env, gt_timeout(&s->socket)) : answer;
}

/* ---- waiting for connections ---- */

static ERL_NIF_TERM nif_accept(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    return call(env, socket_of(env, argv[0]), argv[1], GT_OP_ACCEPT, 0, gt_accept);
}

/* ---- receiving ---- */

static ERL_NIF_TERM receive(ErlNifEnv *env, otp_socket *s, arguments argv) {
    ErlNifUInt64 length;

    if (!enif_get_uint64(env, argv[1], &length) || length > SIZE_MAX)
        length = SIZE_MAX; /* a big integer */
    return call(env, s, argv[2], GT_OP_RECV, (size_t)length, gt_recv);
}

/* One of so many calls of a socket counts what is in its mailbox: that takes a twentieth of a round trip. While that is
 * much, so that they take references, all do. */
enum { MEASURED = 64 };

static bool measures(otp_socket *s) {
    uint8_t left = __atomic_load_n(&s->unmeasured, __ATOMIC_RELAXED);

    __atomic_store_n(&s->unmeasured, (left == 0 ? MEASURED : left) - 1, __ATOMIC_RELAXED);
    return left == 0;
}

static ERL_NIF_TERM nif_recv(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    if (enif_is_ref(env, argv[2]))
        __atomic_store_n(&s->unmeasured, 0, __ATOMIC_RELAXED);
    else if (measures(s))
        return otp_atom.measure;
    return otp_poller_may_look(s) ? otp_atom.look : receive(env, s, argv);
}

/* After look. */
static ERL_NIF_TERM nif_recv_looking(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    if (s != NULL && enif_is_identical(argv[3], otp_atom.yes))
        otp_poller_look(env, s);
    return receive(env, s, argv);
}

static ERL_NIF_TERM nif_unrecv(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    ErlNifBinary bytes;

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    if (!enif_inspect_iolist_as_binary(env, argv[1], &bytes))
        return otp_error(env, -EINVAL);
    account(env, bytes.size);
    return ok_or_posted(env, gt_unrecv(&s->socket, bytes.data, bytes.size));
}

/* ---- sending ---- */

/* With a tag: the send may wait. */
static ERL_NIF_TERM send_waiting(ErlNifEnv *env, otp_socket *s, const struct iovec *parts, int count,
                                 otp_source *source, ERL_NIF_TERM tag) {
    otp_op *op = otp_op_new(env, GT_OP_SEND, tag);
    ERL_NIF_TERM result;
    int status;

    if (op == NULL)
        return otp_error(env, -ENOMEM);
    otp_call_begin(env, op);
    status = gt_send(&s->socket, parts, count, source, &op->op);
    result = otp_call_answer(env, op, status);
    return status == GT_PENDING ? waiting(env, gt_send_timeout(&s->socket)) : result;
}

static ERL_NIF_TERM send_parts(ErlNifEnv *env, otp_socket *s, const struct iovec *parts, int count, otp_source *source,
                               int argc, arguments argv) {
    int status;

    if (argc == 3)
        return send_waiting(env, s, parts, count, source, argv[2]);
    status = gt_send(&s->socket, parts, count, source, NULL);
    return status == -EAGAIN ? enif_make_tuple2(env, otp_atom.wait, argv[1]) : ok_or_error(env, status);
}

static ERL_NIF_TERM nif_send(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    otp_source source = {.env = env, .binaries = argv[1]};
    ErlNifBinary bytes;
    struct iovec part;

    if (s == NULL || (argc == 3 && !otp_is_tag(env, argv[2])))
        return enif_make_badarg(env);
    if (!enif_inspect_binary(env, argv[1], &bytes))
        return otp_error(env, -EINVAL);
    account(env, bytes.size);
    part = (struct iovec){.iov_base = bytes.data, .iov_len = bytes.size};
    return send_parts(env, s, &part, 1, &source, argc, argv);
}

/* A list of binaries. */
static ERL_NIF_TERM nif_sendv(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    otp_source source = {.env = env, .binaries = argv[1]};
    ErlNifIOVec *parts = NULL;
    ERL_NIF_TERM rest;

    if (s == NULL || (argc == 3 && !otp_is_tag(env, argv[2])))
        return enif_make_badarg(env);
    if (!enif_inspect_iovec(env, SIZE_MAX, argv[1], &rest, &parts))
        return otp_error(env, -EINVAL);
    account(env, parts->size);
    return send_parts(env, s, (const struct iovec *)parts->iov, parts->iovcnt, &source, argc, argv);
}

static ERL_NIF_TERM nif_sendfile(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    ErlNifSInt64 offset;
    ErlNifUInt64 size;
    gt_file *file;
    otp_op *op;
    int fd;

    (void)argc;
    if (s == NULL || !enif_get_int(env, argv[1], &fd) || !otp_is_tag(env, argv[4]))
        return enif_make_badarg(env);
    if (!enif_get_int64(env, argv[2], &offset) || !enif_get_uint64(env, argv[3], &size))
        return otp_error(env, -EINVAL);
    op = otp_op_new(env, GT_OP_SENDFILE, argv[4]);
    if (op == NULL)
        return otp_error(env, -ENOMEM);
    op->op.file = file = enif_alloc(sizeof *file);
    if (file == NULL) {
        otp_op_free(op);
        return otp_error(env, -ENOMEM);
    }
    fd = gt_sys_dup(fd); /* so that the caller may close it meanwhile */
    *file = (gt_file){.fd = fd, .offset = offset, .left = size};
    if (fd < 0) {
        otp_op_free(op);
        return otp_error(env, fd);
    }
    otp_call_begin(env, op);
    return otp_call_answer(env, op, gt_sendfile(&s->socket, file, &op->op));
}

/* ---- ending ---- */

static ERL_NIF_TERM nif_shutdown(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    int how;

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    if (enif_is_identical(argv[1], otp_atom.read))
        how = SHUT_RD;
    else if (enif_is_identical(argv[1], otp_atom.write))
        how = SHUT_WR;
    else if (enif_is_identical(argv[1], otp_atom.read_write))
        how = SHUT_RDWR;
    else
        return enif_make_badarg(env);
    return ok_or_error(env, gt_shutdown(&s->socket, how));
}

static ERL_NIF_TERM nif_close(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    return call(env, socket_of(env, argv[0]), argv[1], GT_OP_CLOSE, 0, gt_close);
}

static ERL_NIF_TERM nif_abort(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    gt_abort(&s->socket);
    return otp_atom.ok;
}

/* ---- waiting ---- */

static ERL_NIF_TERM nif_run(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    (void)argv;
    return otp_poller_run(env) ? otp_atom.ok : enif_make_badarg(env);
}

static ERL_NIF_TERM nif_posted(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    (void)argv;
    return ok_or_posted(env, 0);
}

static ERL_NIF_TERM nif_cancel(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    if (s == NULL || !otp_is_tag(env, argv[1]))
        return enif_make_badarg(env);
    return otp_bool(otp_cancel(env, s, argv[1]));
}

/* ---- options and names ---- */

static ERL_NIF_TERM nif_setopts(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    otp_options options;
    int status;

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    status = otp_get_options(env, argv[1], GT_AT_SET, &options);
    if (status == 0) {
        status = gt_set_options(&s->socket, options.list, options.count);
        otp_options_free(&options);
        otp_collect_before_waiting(env, s);
    }
    return ok_or_posted(env, status);
}

static ERL_NIF_TERM nif_getopts(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    ERL_NIF_TERM list = argv[1];
    ERL_NIF_TERM found = enif_make_list(env, 0);
    gt_option any = {.name = GT_OPT_ACTIVE};
    ERL_NIF_TERM name, ordered;

    (void)argc;
    if (s == NULL || !enif_is_list(env, list))
        return enif_make_badarg(env);
    if (gt_get_option(&s->socket, &any) != 0) /* closed, whatever is in the list */
        return otp_error(env, -EINVAL);
    while (enif_get_list_cell(env, list, &name, &list)) {
        ERL_NIF_TERM option;
        int status = otp_read_option(env, &s->socket, name, &option);
        if (status == -ENOPROTOOPT || status == -EOPNOTSUPP)
            continue; /* of another family */
        if (status != 0)
            return otp_error(env, status);
        found = enif_make_list_cell(env, option, found);
    }
    if (!enif_is_empty_list(env, list))
        return otp_error(env, -EINVAL);
    (void)enif_make_reverse_list(env, found, &ordered);
    return enif_make_tuple2(env, otp_atom.ok, ordered);
}

static ERL_NIF_TERM name_of(ErlNifEnv *env, arguments argv, int (*name)(gt_socket *, gt_address *)) {
    otp_socket *s = socket_of(env, argv[0]);
    gt_address address = {0};
    int status;

    if (s == NULL)
        return enif_make_badarg(env);
    status = name(&s->socket, &address);
    if (status < 0)
        return otp_error(env, status);
    return enif_make_tuple2(env, otp_atom.ok, otp_address_term(env, &address));
}

static ERL_NIF_TERM nif_sockname(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    return name_of(env, argv, gt_sockname);
}

static ERL_NIF_TERM nif_peername(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    return name_of(env, argv, gt_peername);
}

/* ---- owners ---- */

static ERL_NIF_TERM nif_hand_over(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    ErlNifPid self, to;
    int status;

    (void)argc;
    if (s == NULL)
        return enif_make_badarg(env);
    if (!enif_get_local_pid(env, argv[1], &to)) /* a process of another node */
        return otp_error(env, GT_BADARG);
    status = otp_hand_over(s, enif_self(env, &self), &to);
    return status == GT_PENDING ? otp_atom.pass_on : ok_or_error(env, status);
}

static ERL_NIF_TERM nif_pass_on(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);
    ErlNifPid self, to;
    unsigned count;

    (void)argc;
    if (s == NULL || !enif_get_local_pid(env, argv[1], &to) || !enif_get_list_length(env, argv[2], &count))
        return enif_make_badarg(env);
    account(env, (size_t)count * BYTES_A_MESSAGE);
    return ok_or_posted(env, otp_pass_on(s, env, enif_self(env, &self), &to, argv[2]));
}

/* ---- looking at them ---- */

static ERL_NIF_TERM nif_monitor(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    return s != NULL ? otp_monitor_new(env, s) : enif_make_badarg(env);
}

static ERL_NIF_TERM nif_cancel_monitor(ErlNifEnv *env, int argc, arguments argv) {
    int cancelled = otp_monitor_cancel(env, argv[0]);

    (void)argc;
    return cancelled < 0 ? enif_make_badarg(env) : otp_bool(cancelled != 0);
}

static ERL_NIF_TERM nif_getstat(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    return s != NULL ? otp_getstat(env, s) : enif_make_badarg(env);
}

static ERL_NIF_TERM nif_info(ErlNifEnv *env, int argc, arguments argv) {
    otp_socket *s = socket_of(env, argv[0]);

    (void)argc;
    return s != NULL ? otp_info(env, s) : enif_make_badarg(env);
}

static ERL_NIF_TERM nif_totals(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    (void)argv;
    return otp_totals_term(env);
}

static ERL_NIF_TERM nif_linger(ErlNifEnv *env, int argc, arguments argv) {
    unsigned microseconds;

    (void)argc;
    if (!enif_get_uint(env, argv[0], &microseconds) || microseconds > LINGER_MAX)
        return enif_make_badarg(env);
    otp_poller_linger(microseconds);
    return otp_atom.ok;
}

static ERL_NIF_TERM nif_sockets(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    (void)argv;
    return otp_sockets(env);
}

/* ---- the library ---- */

static ERL_NIF_TERM nif_driver(ErlNifEnv *env, int argc, arguments argv) {
    (void)argc;
    (void)argv;
    return enif_make_string(env, otp_driver_start(), ERL_NIF_LATIN1);
}

/* What gentcp_nif.erl and this file expect of each other: another number whenever a function takes or returns something
 * else, so that neither runs with an older other. */
enum { INTERFACE = 9 };

/* Its address tells this library from a copy of it in another place. */
static char instance;

static bool fits(ErlNifEnv *env, ERL_NIF_TERM info) {
    int interface;

    return enif_get_int(env, info, &interface) && interface == INTERFACE;
}

static int open_types(ErlNifEnv *env) {
    ErlNifResourceTypeInit callbacks = {.dtor = otp_socket_gone, .down = otp_owner_down};
    ErlNifResourceType *type =
        enif_open_resource_type_x(env, "gentcp_socket", &callbacks, ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER, NULL);

    if (type == NULL || !otp_monitors_start(env))
        return -1;
    otp_socket_type = type;
    return 0;
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info) {
    if (!fits(env, info) || !otp_data_start() || open_types(env) != 0)
        return -1;
    otp_terms_start(env);
    otp_http_start(env);
    *data = &instance;
    otp_poller_close_all(); /* those of a module that was purged, which nobody can call for any more */
    return 0;
}

/* New Erlang code, and the native code that is there: sockets and poller go on. Another copy of the native code would
 * know nothing of them, and the driver would still be the first one's: it is refused, and the old module goes on. */
static int upgrade(ErlNifEnv *env, void **data, void **old_data, ERL_NIF_TERM info) {
    if (*old_data != &instance || !fits(env, info) || open_types(env) != 0)
        return -1;
    *data = &instance;
    return 0;
}

static ErlNifFunc functions[] = {
    {"driver", 0, nif_driver, 0},
    {"connect", 4, otp_nif_connect, 0},
    {"listen", 2, otp_nif_listen, 0},
    {"fdopen", 3, otp_nif_fdopen, 0},
    {"accept", 2, nif_accept, 0},
    {"recv", 3, nif_recv, 0},
    {"recv", 4, nif_recv_looking, 0},
    {"unrecv", 2, nif_unrecv, 0},
    {"send", 2, nif_send, 0},
    {"send", 3, nif_send, 0},
    {"sendv", 2, nif_sendv, 0},
    {"sendv", 3, nif_sendv, 0},
    {"sendfile", 5, nif_sendfile, 0},
    {"shutdown", 2, nif_shutdown, 0},
    {"close", 2, nif_close, 0},
    {"abort", 1, nif_abort, 0},
    {"run", 0, nif_run, 0},
    {"posted", 0, nif_posted, 0},
    {"cancel", 2, nif_cancel, 0},
    {"setopts", 2, nif_setopts, 0},
    {"getopts", 2, nif_getopts, 0},
    {"sockname", 1, nif_sockname, 0},
    {"peername", 1, nif_peername, 0},
    {"hand_over", 2, nif_hand_over, 0},
    {"pass_on", 3, nif_pass_on, 0},
    {"getstat", 1, nif_getstat, 0},
    {"info", 1, nif_info, 0},
    {"totals", 0, nif_totals, 0},
    {"linger", 1, nif_linger, 0},
    {"monitor", 1, nif_monitor, 0},
    {"cancel_monitor", 1, nif_cancel_monitor, 0},
    {"sockets", 0, nif_sockets, ERL_NIF_DIRTY_JOB_CPU_BOUND},
};

ERL_NIF_INIT(gentcp_nif, functions, load, NULL, upgrade, NULL)
