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
#include <sys/un.h>

#include "sys/config.h"

/* A socket address: IPv4, IPv6, or local (AF_UNIX). size is the part of it that counts (0: no address).
 *
 * A local name is un.sun_path[0..gt_address_name_size): a path, without a 0 at its end; or, if it begins with a 0, a
 * name in Linux's abstract namespace, any bytes; or empty: no name. One that is too long to be written there is told by
 * size GT_ADDRESS_TOO_LONG. To use a name that is too long, or a path with a 0 in it, is -EINVAL. */
typedef struct gt_address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
} gt_address;

/* Those of a part that is left out are constants: no code comes from what they guard. */
static inline bool gt_is_ipv6(int family) {
    return GENTCP_WITH_IPV6 && family == AF_INET6;
}

static inline bool gt_is_local(int family) {
    return GENTCP_WITH_LOCAL && family == AF_UNIX;
}

static inline bool gt_knows_family(int family) {
    return family == AF_INET || gt_is_ipv6(family) || gt_is_local(family);
}

#define GT_ADDRESS_TOO_LONG ((socklen_t)UINT32_MAX)
enum { GT_LOCAL_PATH_MAX = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 }; /* bytes of a path; a 0 follows */

/* How many bytes of un.sun_path are the name. */
static inline size_t gt_address_name_size(const gt_address *address) {
    size_t before = offsetof(struct sockaddr_un, sun_path);
    return address->size > before && address->size <= sizeof address->un ? address->size - before : 0;
}

/* A new stream socket of that family (AF_INET, AF_INET6, AF_UNIX): socket(2). Returns the descriptor; -EAFNOSUPPORT.
 * netns: the path of a network namespace to make it in, or NULL. The calling thread goes there and comes back: it first
 * makes sure that it may, and if it then can't, the program is aborted, for all that this thread did later would be in
 * the wrong network. -ENOENT and the other errors of open(2); -EINVAL: the path leads to something else; -EPERM: not
 * allowed (setns(2)); -ENOTSUP: not on this system. */
int gt_sys_socket(int family, const char *netns);

/* What an existing descriptor is. */
typedef struct gt_existing {
    int family;     /* AF_INET, AF_INET6, AF_UNIX */
    bool listening; /* connections can be accepted from it */
    bool connected; /* it has a peer; neither: a fresh socket */
} gt_existing;

/* Looks at a descriptor that somebody else has made, and makes it non-blocking and close-on-exec. family: what it must
 * be of; AF_UNSPEC: any of them. -EBADF; -ENOTSOCK; -EOPNOTSUPP: not a stream socket; -EINVAL: of another family;
 * -EAFNOSUPPORT: of none that is known here; the error of a connection that has failed. After an error the descriptor
 * is as it was. */
int gt_sys_adopt(int fd, int family, gt_existing *out);
/* Starts a connection: connect(2). 0: done; -EINPROGRESS: the descriptor becomes writable when it is decided; -EAGAIN:
 * a local listener has no room for it, and nobody will tell when it has. */
int gt_sys_connect(int fd, const gt_address *to);
int gt_sys_bind(int fd, const gt_address *at);
int gt_sys_listen(int fd, int backlog);
/* Takes a connection: accept4(2). Returns the new descriptor. */
int gt_sys_accept(int fd);
/* Reads up to size bytes: recv(2). 0 is the end of the stream. */
ssize_t gt_sys_recv(int fd, void *bytes, size_t size);
/* Writes a gathered message: sendmsg(2), of one part send(2), with MSG_NOSIGNAL. count is at most GT_SYS_IOV_MAX. */
ssize_t gt_sys_send(int fd, const struct iovec *parts, int count);
enum { GT_SYS_IOV_MAX = GENTCP_PARTS_MAX };
/* Writes up to size bytes of a file, from that offset (0..INT64_MAX - size) on: sendfile(2). 0 is the end of the file,
 * or size is 0. Unlike all others, it waits for the disk. -EOPNOTSUPP on systems without it. */
ssize_t gt_sys_sendfile(int fd, int file, int64_t offset, size_t size);
/* how is SHUT_RD, SHUT_WR or SHUT_RDWR. */
int gt_sys_shutdown(int fd, int how);
void gt_sys_close(int fd);
/* Another descriptor of the same thing, close-on-exec; a negative errno. */
int gt_sys_dup(int fd);
/* Takes the pending error of a descriptor (SO_ERROR): 0 or a negative errno. */
int gt_sys_pending_error(int fd);
int gt_sys_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int gt_sys_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int gt_sys_sockname(int fd, gt_address *out);
int gt_sys_peername(int fd, gt_address *out);
/* Monotonic time in milliseconds. */
int64_t gt_sys_now(void);

#endif
