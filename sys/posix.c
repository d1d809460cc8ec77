/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls, on POSIX systems that have accept4, SOCK_NONBLOCK and MSG_NOSIGNAL (Linux, the BSDs, illumos). */
#define _GNU_SOURCE /* accept4, setns */
#include <errno.h>
#include <fcntl.h>
#ifdef __linux__
#include <sched.h>
#include <stdlib.h>
#endif
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"

/* Sanitizers see what is received and sent by what they have put around the library's functions. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define INSTRUMENTED 1
#endif
#endif
#if GENTCP_DIRECT_CALLS && !defined(INSTRUMENTED)
#include <sys/syscall.h>
#define RECV(fd, bytes, size)        syscall(SYS_recvfrom, (fd), (bytes), (size), 0, NULL, NULL)
#define SEND(fd, bytes, size, flags) syscall(SYS_sendto, (fd), (bytes), (size), (flags), NULL, 0)
#else
#define RECV(fd, bytes, size)        recv((fd), (bytes), (size), 0)
#define SEND(fd, bytes, size, flags) send((fd), (bytes), (size), (flags))
#endif

enum { ADDRESS_MAX = sizeof(gt_address) - offsetof(gt_address, any) };

static int failure(void) {
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int result(int status) {
    return status < 0 ? failure() : status;
}

static int new_socket(int family) {
    return result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

#ifdef __linux__
/* Its own namespace first: that needs the same rights as coming back to it. Not blocking, for the path may be a fifo's.
 */
static int socket_in(int family, const char *netns) {
    int theirs, fd;
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (own < 0)
        return failure();
    theirs = open(netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (theirs < 0) {
        fd = failure();
        goto close_own;
    }
    if (setns(own, CLONE_NEWNET) != 0 || setns(theirs, CLONE_NEWNET) != 0) {
        fd = failure();
        goto close_theirs;
    }
    fd = new_socket(family);
    if (setns(own, CLONE_NEWNET) != 0)
        abort();
close_theirs:
    gt_sys_close(theirs);
close_own:
    gt_sys_close(own);
    return fd;
}
#else
static int socket_in(int family, const char *netns) {
    (void)family, (void)netns;
    return -ENOTSUP;
}
#endif

int gt_sys_socket(int family, const char *netns) {
    if (!gt_knows_family(family))
        return -EAFNOSUPPORT;
    return GENTCP_WITH_RARE_OPTIONS && netns != NULL ? socket_in(family, netns) : new_socket(family);
}

static int number_of(int fd, int option, int *out) {
    socklen_t size = sizeof *out;

    return result(getsockopt(fd, SOL_SOCKET, option, out, &size));
}

static int look_at(int fd, int family, gt_existing *out) {
    gt_address address;
    int type, listening;
    int error = gt_sys_sockname(fd, &address);

    if (error == 0)
        error = number_of(fd, SO_TYPE, &type);
    if (error == 0)
        error = number_of(fd, SO_ACCEPTCONN, &listening);
    if (error != 0)
        return error;
    if (type != SOCK_STREAM)
        return -EOPNOTSUPP;
    out->family = address.any.sa_family;
    if (!gt_knows_family(out->family))
        return -EAFNOSUPPORT;
    if (family != AF_UNSPEC && out->family != family)
        return -EINVAL;
    out->listening = listening != 0;
    out->connected = gt_sys_peername(fd, &address) == 0;
    return out->connected || out->listening ? 0 : gt_sys_pending_error(fd);
}

int gt_sys_adopt(int fd, int family, gt_existing *out) {
    int error = look_at(fd, family, out);
    int flags;

    if (error != 0)
        return error;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return failure();
    return 0;
}

/* The system would take the part of a path that is in front of a 0. */
static bool is_usable(const gt_address *address) {
    const char *name = address->un.sun_path;
    size_t size;

    if (address->size > ADDRESS_MAX)
        return false;
    if (!gt_is_local(address->any.sa_family))
        return true;
    size = gt_address_name_size(address);
    return size == 0 || name[0] == 0 || (size <= GT_LOCAL_PATH_MAX && memchr(name, 0, size) == NULL);
}

int gt_sys_connect(int fd, const gt_address *to) {
    if (!is_usable(to))
        return -EINVAL;
    if (connect(fd, &to->any, to->size) == 0)
        return 0;
    /* An interrupted connect goes on by itself; to call it again would be EALREADY. */
    return errno == EINTR ? -EINPROGRESS : failure();
}

int gt_sys_bind(int fd, const gt_address *at) {
    if (!is_usable(at))
        return -EINVAL;
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
        count = RECV(fd, bytes, size);
    while (count < 0 && errno == EINTR);
    return count < 0 ? failure() : count;
}

static ssize_t send_gathered(int fd, const struct iovec *parts, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (unsigned)count};

    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t gt_sys_send(int fd, const struct iovec *parts, int count) {
    ssize_t sent;
    do /* of 64 bytes, send(2) takes a fifteenth less */
        sent = count == 1 ? SEND(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL) : send_gathered(fd, parts, count);
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

int gt_sys_dup(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -errno : copy;
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

/* The system reports the full size of an address even if it had to cut it short, and counts a path's 0. */
static int address_result(int status, gt_address *out) {
    if (status < 0)
        return failure();
    if (out->size > ADDRESS_MAX)
        out->size = ADDRESS_MAX;
    if (gt_is_local(out->any.sa_family)) {
        size_t before = offsetof(struct sockaddr_un, sun_path);
        if (out->size > sizeof out->un)
            out->size = sizeof out->un;
        if (out->size > before && out->un.sun_path[0] != 0)
            out->size = (socklen_t)(before + strnlen(out->un.sun_path, out->size - before));
    }
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
