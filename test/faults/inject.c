/* SPDX-License-Identifier: Apache-2.0 */
#include "test/faults/inject.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int armed = FAULT_CALLS; /* FAULT_CALLS: none */
static atomic_int left;                /* so many more calls until it fails */
static atomic_int armed_error;
static atomic_bool happened;
static atomic_int counts[FAULT_CALLS];

void fault_arm(enum fault_call call, int k, int error) {
    atomic_store(&happened, false);
    atomic_store(&armed_error, error);
    atomic_store(&left, k);
    atomic_store(&armed, (int)call);
}

bool fault_disarm(void) {
    atomic_store(&armed, FAULT_CALLS);
    return atomic_load(&happened);
}

int fault_count(enum fault_call call) {
    return atomic_load(&counts[call]);
}

/* What this call shall fail with; 0: it is to be made. */
static int fault(enum fault_call call) {
    atomic_fetch_add(&counts[call], 1);
    if (atomic_load(&armed) != (int)call || atomic_fetch_sub(&left, 1) != 1)
        return 0;
    atomic_store(&happened, true);
    return atomic_load(&armed_error);
}

static bool fails(enum fault_call call) {
    int error = fault(call);

    if (error != 0)
        errno = error;
    return error != 0;
}

/* ---- memory ---- */

static atomic_int live;

static void *allocate(size_t size) {
    void *memory = fault(FAULT_ALLOCATE) == 0 ? malloc(size) : NULL;

    if (memory != NULL)
        atomic_fetch_add(&live, 1);
    return memory;
}

static void *resize(void *memory, size_t size) {
    return fault(FAULT_ALLOCATE) == 0 ? realloc(memory, size) : NULL;
}

static void release(void *memory) {
    atomic_fetch_sub(&live, 1);
    free(memory);
}

const gentcp_config fault_memory = {.allocate = allocate, .resize = resize, .release = release};

int fault_live_memory(void) {
    return atomic_load(&live);
}

/* ---- which epoll descriptor watches which descriptor ----
 *
 * A call that says "not now" although it could have gone on must be followed by an edge, as the system's would be. */

enum { WATCHED_MAX = 256 };

static struct watched {
    int epoll; /* 0: none */
    struct epoll_event event;
} watched[WATCHED_MAX];
static pthread_mutex_t watched_lock = PTHREAD_MUTEX_INITIALIZER;

int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

static void not_now_but_soon(int fd) {
    pthread_mutex_lock(&watched_lock);
    if (fd < WATCHED_MAX && watched[fd].epoll != 0) {
        struct epoll_event event = watched[fd].event;
        (void)__real_epoll_ctl(watched[fd].epoll, EPOLL_CTL_MOD, fd, &event);
    }
    pthread_mutex_unlock(&watched_lock);
}

static void remember(int epoll, int operation, int fd, const struct epoll_event *event) {
    pthread_mutex_lock(&watched_lock);
    if (fd < WATCHED_MAX) {
        watched[fd].epoll = operation == EPOLL_CTL_DEL ? 0 : epoll;
        if (operation != EPOLL_CTL_DEL)
            watched[fd].event = *event;
    }
    pthread_mutex_unlock(&watched_lock);
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    int status;

    if ((operation == EPOLL_CTL_ADD && fails(FAULT_EPOLL_ADD)) ||
        (operation == EPOLL_CTL_MOD && fails(FAULT_EPOLL_MOD)))
        return -1;
    if (operation == EPOLL_CTL_DEL)
        remember(epoll, operation, fd, event);
    status = __real_epoll_ctl(epoll, operation, fd, event);
    if (status == 0 && operation != EPOLL_CTL_DEL)
        remember(epoll, operation, fd, event);
    return status;
}

/* ---- calls that fail or are made ---- */

#define WRAP(call, type, name, parameters, arguments)                                                                  \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters {                                                                                    \
        return fails(call) ? (type)-1 : __real_##name arguments;                                                       \
    }

WRAP(FAULT_SOCKET, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(FAULT_BIND, int, bind, (int fd, const struct sockaddr *at, socklen_t size), (fd, at, size))
WRAP(FAULT_LISTEN, int, listen, (int fd, int backlog), (fd, backlog))
WRAP(FAULT_SHUTDOWN, int, shutdown, (int fd, int how), (fd, how))
WRAP(FAULT_GETSOCKOPT, int, getsockopt, (int fd, int level, int option, void *value, socklen_t *size),
     (fd, level, option, value, size))
WRAP(FAULT_SETSOCKOPT, int, setsockopt, (int fd, int level, int option, const void *value, socklen_t size),
     (fd, level, option, value, size))
WRAP(FAULT_GETSOCKNAME, int, getsockname, (int fd, struct sockaddr *out, socklen_t *size), (fd, out, size))
WRAP(FAULT_EPOLL_CREATE, int, epoll_create1, (int flags), (flags))
WRAP(FAULT_EPOLL_WAIT, int, epoll_wait, (int epoll, struct epoll_event *events, int room, int timeout),
     (epoll, events, room, timeout))
WRAP(FAULT_POLL, int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
WRAP(FAULT_POLL, int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t size),
     (fds, count, timeout, size))
WRAP(FAULT_EVENTFD, int, eventfd, (unsigned value, int flags), (value, flags))
WRAP(FAULT_TIMERFD, int, timerfd_create, (int clock, int flags), (clock, flags))

WRAP(FAULT_FCNTL, int, fcntl, (int fd, int command, int arg), (fd, command, arg))
WRAP(FAULT_OPEN, int, open, (const char *path, int flags, int mode), (path, flags, mode))
WRAP(FAULT_SETNS, int, setns, (int fd, int type), (fd, type))

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg) {
    int error = fault(FAULT_THREAD);

    return error != 0 ? error : __real_pthread_create(thread, how, run, arg);
}

/* An interrupted connect goes on. */
int __real_connect(int fd, const struct sockaddr *to, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size);

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t size) {
    int error = fault(FAULT_CONNECT);

    if (error == EINTR)
        (void)__real_connect(fd, to, size);
    if (error == 0)
        return __real_connect(fd, to, size);
    errno = error;
    return -1;
}

int __real_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags) {
    int error = fault(FAULT_ACCEPT);

    if (error == 0)
        return __real_accept4(fd, from, size, flags);
    if (error == EAGAIN)
        not_now_but_soon(fd);
    errno = error;
    return -1;
}

/* ENOTCONN: the connection isn't decided yet, and will be. */
int __real_getpeername(int fd, struct sockaddr *out, socklen_t *size);
int __wrap_getpeername(int fd, struct sockaddr *out, socklen_t *size);

int __wrap_getpeername(int fd, struct sockaddr *out, socklen_t *size) {
    int error = fault(FAULT_GETPEERNAME);

    if (error == 0)
        return __real_getpeername(fd, out, size);
    if (error == ENOTCONN)
        not_now_but_soon(fd);
    errno = error;
    return -1;
}

ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags) {
    int error = fault(FAULT_RECV);

    if (error == 0)
        return __real_recv(fd, bytes, size, flags);
    if (error == FAULT_SHORT) {
        ssize_t came = __real_recv(fd, bytes, size > 0 ? 1 : 0, flags);
        not_now_but_soon(fd);
        return came;
    }
    if (error == EAGAIN)
        not_now_but_soon(fd);
    errno = error;
    return -1;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
    int error = fault(FAULT_SEND);
    struct msghdr one = *message;
    struct iovec first;

    if (error == 0)
        return __real_sendmsg(fd, message, flags);
    if (error == FAULT_SHORT && message->msg_iovlen > 0) {
        first = (struct iovec){.iov_base = message->msg_iov[0].iov_base, .iov_len = message->msg_iov[0].iov_len > 0};
        one.msg_iov = &first;
        one.msg_iovlen = 1;
        ssize_t went = __real_sendmsg(fd, &one, flags);
        not_now_but_soon(fd);
        return went;
    }
    if (error == EAGAIN)
        not_now_but_soon(fd);
    errno = error;
    return -1;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};

    return __wrap_sendmsg(fd, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1}, flags);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Of all calls that are made by number, those that have a name above fail as that does. */
long __wrap_syscall(long number, ...) {
    long words[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_recvfrom)
        return __wrap_recv((int)words[0], (void *)words[1], (size_t)words[2], (int)words[3]);
    if (number == SYS_sendto)
        return __wrap_send((int)words[0], (const void *)words[1], (size_t)words[2], (int)words[3]);
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

/* The name that sendfile has with large offsets. */
ssize_t __real_sendfile64(int fd, int file, int64_t *offset, size_t size);
ssize_t __wrap_sendfile64(int fd, int file, int64_t *offset, size_t size);

ssize_t __wrap_sendfile64(int fd, int file, int64_t *offset, size_t size) {
    int error = fault(FAULT_SENDFILE);

    if (error == 0)
        return __real_sendfile64(fd, file, offset, size);
    if (error == FAULT_SHORT) {
        ssize_t went = __real_sendfile64(fd, file, offset, size > 0);
        not_now_but_soon(fd);
        return went;
    }
    if (error == EAGAIN)
        not_now_but_soon(fd);
    errno = error;
    return -1;
}
