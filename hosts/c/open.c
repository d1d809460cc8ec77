/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_connect, listen, accept, shutdown, close, and giving a socket away. */
#include <errno.h>

#include "hosts/c/memory.h"
#include "hosts/c/options.h"
#include "hosts/c/resolve.h"
#include "hosts/c/wait.h"

/* A socket that isn't anybody's yet, until settle. */
static gt_csocket *open_new(gt_process *self) {
    gt_csocket *socket = gt_csocket_new(self);

    if (socket != NULL)
        gt_csocket_adopt(socket);
    return socket;
}

static void give_up(gt_csocket *socket) {
    (void)gt_close(&socket->engine, NULL); /* if it was opened at all */
    gt_csocket_disown(socket);
    gt_csocket_drop(socket);
}

static void give_out(gt_csocket *socket, gentcp_socket *out) {
    *out = gt_csocket_handle(socket);
    gt_csocket_drop(socket);
}

/* Once it is opened its handle is given out; after an error it is given up. */
static int settle(gt_csocket *socket, int error, gentcp_socket *out) {
    if (error == 0)
        give_out(socket, out);
    else
        give_up(socket);
    return error;
}

static int connect_one(gt_process *self, const gt_address *to, const gt_option_list *options, int64_t deadline,
                       gentcp_socket *out) {
    gt_call call = {.op.kind = GT_OP_CONNECT, .waiter = self};
    gt_csocket *socket = open_new(self);
    int error;

    if (socket == NULL)
        return -ENOMEM;
    error = gt_connect(&socket->engine, options->items, options->count, to, &call.op);
    return settle(socket, gt_await(socket, &call, error, deadline), out);
}

/* Errors that say more about this machine than about the host, which is there at another of its addresses. */
static bool is_unreachable(int error) {
    return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT;
}

static int connect_any(gt_process *self, const gt_addresses *addresses, const gt_option_list *options, int64_t deadline,
                       gentcp_socket *out) {
    int answer = GT_NXDOMAIN;

    for (int i = 0; i < addresses->count; i++) {
        int error = connect_one(self, &addresses->list[i], options, deadline, out);
        if (error == 0 || error == GT_TIMEOUT || error == GT_BADARG)
            return error;
        if (i == 0 || !is_unreachable(error))
            answer = error;
    }
    return answer;
}

/* Before a name is looked up: what an option may never be. */
static bool options_allowed(const gt_option_list *options, int where) {
    for (int i = 0; i < options->count; i++) {
        if (gt_option_check(&options->items[i], where) != 0)
            return false;
    }
    return true;
}

/* The last {timeout, T} of a list, which counts before there is a socket to ask. */
static int64_t option_timeout(const gt_option_list *options) {
    for (int i = options->count; i-- > 0;) {
        if (options->items[i].name == GT_OPT_TIMEOUT)
            return options->items[i].number;
    }
    return GENTCP_INFINITY;
}

/* What connecting by name and by address begin with. 0, and *timeout_ms is no default any more. */
static int begin_connect(const gentcp_option *options, int64_t *timeout_ms, const gentcp_socket *out,
                         gt_option_list *list, gt_process **self) {
    int error;

    if (out == NULL || *timeout_ms < GENTCP_DEFAULT_TIMEOUT || !gt_options_read(options, list) ||
        !options_allowed(list, GT_AT_CONNECT))
        return GENTCP_BADARG;
    if (*timeout_ms == GENTCP_DEFAULT_TIMEOUT)
        *timeout_ms = option_timeout(list);
    error = gt_process_self(self);
    return error == 0 && *timeout_ms == 0 ? GENTCP_TIMEOUT : error;
}

int gentcp_connect(const char *host, uint16_t port, const gentcp_option *options, int64_t timeout_ms,
                   gentcp_socket *out) {
    int64_t deadline;
    gt_option_list list;
    gt_addresses *addresses;
    gt_process *self;
    int error;

    if (host == NULL)
        return GENTCP_BADARG;
    error = begin_connect(options, &timeout_ms, out, &list, &self);
    if (error != 0)
        return error;
    if (list.family == AF_UNIX)
        return GENTCP_BADARG;
    deadline = gt_deadline_of(timeout_ms);
    error = gt_resolve(self, host, port, list.family, deadline, &addresses);
    if (error != 0)
        return error;
    error = connect_any(self, addresses, &list, deadline, out);
    gt_release(addresses);
    return error;
}

int gentcp_connect_address(const gentcp_address *to, const gentcp_option *options, int64_t timeout_ms,
                           gentcp_socket *out) {
    gt_option_list list;
    gt_address address;
    gt_process *self;
    int error;

    if (!gt_address_take(to, &address))
        return GENTCP_BADARG;
    error = begin_connect(options, &timeout_ms, out, &list, &self);
    if (error != 0)
        return error;
    if (list.family != AF_UNSPEC && list.family != address.any.sa_family)
        return GENTCP_BADARG;
    return connect_one(self, &address, &list, gt_deadline_of(timeout_ms), out);
}

int gentcp_fdopen(int fd, const gentcp_option *options, gentcp_socket *out) {
    gt_option_list list;
    gt_csocket *socket;
    gt_process *self;
    int error;

    if (fd < 0 || out == NULL)
        return GENTCP_BADARG;
    if (!gt_options_read(options, &list))
        return -EINVAL;
    error = gt_process_self(&self);
    if (error != 0)
        return error;
    socket = open_new(self);
    if (socket == NULL)
        return -ENOMEM;
    error = gt_fdopen(&socket->engine, fd, AF_UNSPEC, false, list.items, list.count);
    return settle(socket, error, out);
}

int gentcp_listen(uint16_t port, const gentcp_option *options, gentcp_socket *out) {
    gt_option_list list;
    gt_csocket *socket;
    gt_process *self;
    gt_address at;
    int error;

    if (out == NULL || !gt_options_read(options, &list) || (list.family == AF_UNIX && port != 0))
        return GENTCP_BADARG;
    error = gt_process_self(&self);
    if (error != 0)
        return error;
    socket = open_new(self);
    if (socket == NULL)
        return -ENOMEM;
    at = gt_any_address(list.family, port);
    error = gt_listen(&socket->engine, list.items, list.count, &at);
    return settle(socket, error, out);
}

int gentcp_accept(gentcp_socket listener, int64_t timeout_ms, gentcp_socket *out) {
    gt_call call = {.op.kind = GT_OP_ACCEPT};
    gt_csocket *socket;
    int error;

    if (out == NULL)
        return GENTCP_BADARG;
    error = gt_csocket_get(listener, &socket);
    if (error != 0)
        return error;
    error = gt_process_self(&call.waiter);
    if (error == 0)
        error = gt_await(socket, &call, gt_accept(&socket->engine, &call.op), gt_deadline_for(socket, timeout_ms));
    gt_csocket_drop(socket);
    if (error == 0)
        give_out(call.accepted, out);
    return error;
}

int gentcp_shutdown(gentcp_socket handle, int how) {
    gt_csocket *socket;
    int error;

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return GENTCP_BADARG;
    error = gt_csocket_get(handle, &socket);
    if (error != 0)
        return error;
    error = gt_shutdown(&socket->engine, how);
    gt_csocket_drop(socket);
    return error;
}

int gentcp_close(gentcp_socket handle) {
    gt_call call = {.op.kind = GT_OP_CLOSE};
    gt_csocket *socket;
    int error = gt_csocket_get(handle, &socket);

    if (error != 0)
        return error == GT_CLOSED ? 0 : error;
    error = gt_process_self(&call.waiter);
    if (error == 0)
        error = gt_await(socket, &call, gt_close(&socket->engine, &call.op), GT_NEVER);
    else
        error = gt_close(&socket->engine, NULL); /* this thread has no memory to wait with: its owner flushes */
    gt_csocket_drop(socket);
    return error;
}

int gentcp_controlling_process(gentcp_socket handle, gentcp_pid pid) {
    gt_process *new;
    gt_csocket *socket;
    int error = gt_csocket_get(handle, &socket);

    if (error != 0)
        return error;
    error = gt_process_get(pid, &new);
    if (error == 0) {
        error = gt_reown(&socket->engine, gt_process_current(), new, new->poller);
        gt_process_drop(new);
    }
    gt_csocket_drop(socket);
    return error;
}
