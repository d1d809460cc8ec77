/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_send and gentcp_recv, in their forms. */
#include <errno.h>
#include <limits.h>

#include "hosts/c/data.h"
#include "hosts/c/wait.h"

enum { PARTS_MAX = 1024 }; /* as IOV_MAX of Linux */

/* ---- send ---- */

static int64_t send_timeout(gt_csocket *socket) {
    int64_t timeout_ms;

    gt_lock_take(&socket->engine.lock);
    timeout_ms = socket->engine.settings.send_timeout;
    gt_lock_drop(&socket->engine.lock);
    return timeout_ms;
}

static int send_parts(gentcp_socket handle, const struct iovec *parts, int count, gt_source *source) {
    gt_call call = {.op.kind = GT_OP_SEND};
    gt_csocket *socket;
    int answer = gt_csocket_get(handle, &socket);

    if (answer != 0)
        return answer;
    answer = gt_process_self(&call.waiter);
    if (answer == 0) {
        answer = gt_send(&socket->engine, parts, count, source, &call.op);
        if (answer == GT_PENDING)
            answer = gt_await(socket, &call, answer, gt_deadline_of(send_timeout(socket)));
        else if (answer == 0)
            answer = call.status;
    }
    gt_csocket_drop(socket);
    return answer;
}

static struct iovec part_of(const void *bytes, size_t size) {
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = size}; /* it is only read */
}

int gentcp_send(gentcp_socket socket, const void *bytes, size_t size) {
    struct iovec part = part_of(bytes, size);

    return bytes != NULL || size == 0 ? send_parts(socket, &part, 1, NULL) : GENTCP_BADARG;
}

int gentcp_sendv(gentcp_socket socket, const struct iovec *parts, int count) {
    if (count < 0 || count > PARTS_MAX || (parts == NULL && count > 0))
        return GENTCP_BADARG;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_base == NULL && parts[i].iov_len > 0)
            return GENTCP_BADARG;
    }
    return send_parts(socket, parts, count, NULL);
}

int gentcp_send_ref(gentcp_socket socket, const void *bytes, size_t size, void (*release)(void *arg), void *arg) {
    gt_source source = {.bytes = bytes, .size = size, .release = release, .arg = arg};
    struct iovec part = part_of(bytes, size);
    int error = bytes == NULL && size > 0 ? GENTCP_BADARG : send_parts(socket, &part, 1, &source);

    if (!source.held && release != NULL)
        release(arg);
    return error;
}

int gentcp_sendfile(gentcp_socket handle, int fd, int64_t offset, uint64_t size, uint64_t *sent) {
    gt_call call = {.op.kind = GT_OP_SENDFILE, .file = {.fd = fd, .offset = offset, .left = size}};
    gt_csocket *socket;
    int answer = gt_csocket_get(handle, &socket);

    if (sent != NULL)
        *sent = 0;
    if (answer != 0)
        return answer;
    answer = gt_process_self(&call.waiter);
    if (answer == 0) {
        call.patience = send_timeout(socket);
        answer = gt_sendfile(&socket->engine, &call.file, &call.op);
        answer = gt_await(socket, &call, answer, gt_deadline_of(call.patience));
    }
    gt_csocket_drop(socket);
    if (sent != NULL)
        *sent = call.file.sent;
    return answer;
}

/* ---- recv ---- */

static int receive(gentcp_socket handle, gt_call *call, int64_t timeout_ms) {
    gt_csocket *socket;
    int error = gt_csocket_get(handle, &socket);

    if (error != 0)
        return error;
    error = gt_process_self(&call->waiter);
    if (error == 0)
        error = gt_await(socket, call, gt_recv(&socket->engine, &call->op), gt_deadline_for(socket, timeout_ms));
    gt_csocket_drop(socket);
    return error;
}

int gentcp_recv(gentcp_socket socket, size_t length, int64_t timeout_ms, gentcp_data *out) {
    gt_call call = {.op = {.kind = GT_OP_RECV, .length = length}};
    int error = out != NULL ? receive(socket, &call, timeout_ms) : GENTCP_BADARG;

    if (error == 0)
        *out = call.data;
    return error;
}

int gentcp_recv_into(gentcp_socket socket, void *buffer, size_t size, int64_t timeout_ms) {
    gt_call call = {.op = {.kind = GT_OP_RECV, .at_most = true, .length = size < INT_MAX ? size : INT_MAX},
                    .into = buffer};
    int error;

    if (buffer == NULL || size == 0)
        return GENTCP_BADARG;
    call.into_size = call.op.length;
    error = receive(socket, &call, timeout_ms);
    return error == 0 ? (int)call.into_size : error;
}

int gentcp_unrecv(gentcp_socket handle, const void *bytes, size_t size) {
    gt_csocket *socket;
    int error;

    if (bytes == NULL && size > 0)
        return GENTCP_BADARG;
    error = gt_csocket_get(handle, &socket);
    if (error != 0)
        return error;
    error = gt_unrecv(&socket->engine, bytes, size);
    gt_csocket_drop(socket);
    return error;
}
