/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile(2), which has no MSG_NOSIGNAL. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "sys/sys.h"

#ifdef __linux__
#include <sys/sendfile.h>

/* Linux transfers no more at once, whatever it is asked for. */
enum { SIZE_MOST = 0x7ffff000 };

ssize_t gt_sys_sendfile(int fd, int file, int64_t offset, size_t size) {
    static const struct timespec at_once = {0};
    sigset_t broken_pipe, before, pending;
    off_t from = offset;
    ssize_t count;
    int error;

    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigemptyset(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    if (sigismember(&before, SIGPIPE) == 1) /* one that came before is the program's own affair */
        (void)sigpending(&pending);
    do
        count = sendfile(fd, file, &from, size < SIZE_MOST ? size : SIZE_MOST);
    while (count < 0 && errno == EINTR);
    error = count < 0 ? errno : 0;
    if (error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? count : error == EWOULDBLOCK ? -EAGAIN : -error;
}

#else

ssize_t gt_sys_sendfile(int fd, int file, int64_t offset, size_t size) {
    (void)fd, (void)file, (void)offset, (void)size;
    return -EOPNOTSUPP;
}

#endif
