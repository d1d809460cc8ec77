/* SPDX-License-Identifier: Apache-2.0 */
/* Every operating-system call that the engine makes, and the seam where faults are injected.
 *
 * All calls are non-blocking, restart after EINTR, and return 0 or a count, or a negative errno (EAGAIN and
 * EWOULDBLOCK are always -EAGAIN). SIGPIPE never rises; every descriptor is non-blocking and close-on-exec. */
#ifndef GT_SYS_H
#define GT_SYS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A socket address: IPv4 or IPv6. size is the part of it that counts (0: no address). */
typedef struct gt_address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
} gt_address;

/* A new TCP socket of that family (AF_INET, AF_INET6): socket(2). Returns the descriptor. */
int gt_sys_socket(int family);
/* Starts a connection: connect(2). 0: done; -EINPROGRESS: the descriptor becomes writable when it is decided. */
int gt_sys_connect(int fd, const gt_address *to);
int gt_sys_bind(int fd, const gt_address *at);
int gt_sys_listen(int fd, int backlog);
/* Takes a connection: accept4(2). Returns the new descriptor. */
int gt_sys_accept(int fd);
/* Reads up to size bytes: recv(2). 0 is the end of the stream. */
ssize_t gt_sys_recv(int fd, void *bytes, size_t size);
/* Writes a gathered message: sendmsg(2) with MSG_NOSIGNAL. count is at most GT_SYS_IOV_MAX. */
ssize_t gt_sys_send(int fd, const struct iovec *parts, int count);
enum { GT_SYS_IOV_MAX = 64 };
/* Writes up to size bytes of a file, from that offset (0..INT64_MAX - size) on: sendfile(2). 0 is the end of the file,
 * or size is 0. Unlike all others, it waits for the disk. -EOPNOTSUPP on systems without it. */
ssize_t gt_sys_sendfile(int fd, int file, int64_t offset, size_t size);
/* how is SHUT_RD, SHUT_WR or SHUT_RDWR. */
int gt_sys_shutdown(int fd, int how);
void gt_sys_close(int fd);
/* Takes the pending error of a descriptor (SO_ERROR): 0 or a negative errno. */
int gt_sys_pending_error(int fd);
int gt_sys_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int gt_sys_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int gt_sys_sockname(int fd, gt_address *out);
int gt_sys_peername(int fd, gt_address *out);
/* Monotonic time in milliseconds. */
int64_t gt_sys_now(void);

#endif
