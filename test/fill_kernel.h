/* SPDX-License-Identifier: Apache-2.0 */
/* A connection through which nothing more goes until its peer reads. */
#ifndef TEST_FILL_KERNEL_H
#define TEST_FILL_KERNEL_H

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Sends zeros to peer through fd, which doesn't block, until the kernel takes no more, and nothing is under way that
 * makes room when it has arrived. Returns how many. */
static inline size_t fill_kernel(int fd, int peer) {
    static const char block[16 * 1024];
    static const int yes = 1;
    int unacknowledged = 0, unsent = 0; /* valgrind doesn't know that the second ioctl writes it */
    size_t total = 0;
    ssize_t went;

    do { /* under way is what was looked at before the kernel took nothing: it may have arrived since */
        assert_int_equal(setsockopt(peer, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes), 0);
        assert_int_equal(ioctl(fd, SIOCOUTQ, &unacknowledged), 0);
        assert_int_equal(ioctl(fd, SIOCOUTQNSD, &unsent), 0);
        went = send(fd, block, sizeof block, MSG_NOSIGNAL);
        assert_true(went > 0 || errno == EAGAIN);
        total += went > 0 ? (size_t)went : 0;
    } while (went > 0 || unacknowledged != unsent);
    return total;
}

#endif
