/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls, on POSIX systems that have accept4, SOCK_NONBLOCK and MSG_NOSIGNAL (Linux, the BSDs, illumos). */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"

enum { ADDRESS_MAX = sizeof(gt_address) - offsetof(gt_address, any) };

static int failure(void) {
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int result(int status) {
    return status < 0 ? failure() : status;
}

int gt_sys_socket(int family) {
    return result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int gt_sys_connect(int fd, const gt_address *to) {
    if (connect(fd, &to->any, to->size) == 0)
        return 0;
    /* An interrupted connect goes on by itself; to call it again would be EALREADY. */
    return errno == EINTR ? -EINPROGRESS : failure();
}

int gt_sys_bind(int fd, const gt_address *at) {
    return result(bind(fd, &at->any, at->size));
}

int gt_sys_listen(int fd, int backlog) {
    return result(listen(fd, backlog));
}

/* ECONNABORTED and EPROTO are about one connection, which has left the queue: the next may be good, and with edge
 * triggering nobody will tell of it again. */
int gt_sys_accept(int fd) {
    int accepted;
    do
        accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    return result(accepted);
}

ssize_t gt_sys_recv(int fd, void *bytes, size_t size) {
    ssize_t count;
    do
        count = recv(fd, bytes, size, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? failure() : count;
}

ssize_t gt_sys_send(int fd, const struct iovec *parts, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (unsigned)count};
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? failure() : sent;
}

int gt_sys_shutdown(int fd, int how) {
    return result(shutdown(fd, how));
}

/* Not again after EINTR: the descriptor is gone, and its number may be another thread's by now. */
void gt_sys_close(int fd) {
    (void)close(fd);
}

int gt_sys_pending_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return failure();
    return -error;
}

int gt_sys_setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    return result(setsockopt(fd, level, option, value, size));
}

int gt_sys_getsockopt(int fd, int level, int option, void *value, socklen_t *size) {
    return result(getsockopt(fd, level, option, value, size));
}

/* The system reports the full size of an address even if it had to cut it short. */
static int address_result(int status, gt_address *out) {
    if (status < 0)
        return failure();
    if (out->size > ADDRESS_MAX)
        out->size = ADDRESS_MAX;
    return 0;
}

int gt_sys_sockname(int fd, gt_address *out) {
    out->size = ADDRESS_MAX;
    return address_result(getsockname(fd, &out->any, &out->size), out);
}

int gt_sys_peername(int fd, gt_address *out) {
    out->size = ADDRESS_MAX;
    return address_result(getpeername(fd, &out->any, &out->size), out);
}

int64_t gt_sys_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
