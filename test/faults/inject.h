/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one system call, or one allocation, fail. The program is linked with --wrap for each of these functions, so
 * that sys, the pollers and the C host call what is here, as built for everybody; see cmake/tests.cmake. */
#ifndef TEST_FAULTS_INJECT_H
#define TEST_FAULTS_INJECT_H

#include <stdbool.h>

#include <gentcp.h>

/* What can fail. */
enum fault_call {
    FAULT_ALLOCATE,
    FAULT_SOCKET,
    FAULT_CONNECT,
    FAULT_BIND,
    FAULT_LISTEN,
    FAULT_ACCEPT,
    FAULT_RECV,
    FAULT_SEND,
    FAULT_SENDFILE,
    FAULT_SHUTDOWN,
    FAULT_GETSOCKOPT,
    FAULT_SETSOCKOPT,
    FAULT_GETSOCKNAME,
    FAULT_GETPEERNAME,
    FAULT_EPOLL_CREATE,
    FAULT_EPOLL_ADD,
    FAULT_EPOLL_MOD,
    FAULT_EPOLL_WAIT,
    FAULT_POLL,
    FAULT_EVENTFD,
    FAULT_TIMERFD,
    FAULT_THREAD,
    FAULT_FCNTL,
    FAULT_OPEN,
    FAULT_SETNS,
    FAULT_CALLS
};

/* Instead of an errno: recv, sendmsg and sendfile transfer one byte only. As after EAGAIN, what is left becomes ready
 * later, and the poller tells of it. */
enum { FAULT_SHORT = -1 };

/* The k-th (1, 2, …) of these calls from now on fails with that errno, and none other. */
void fault_arm(enum fault_call call, int k, int error);
/* All calls succeed again. True: one has failed. */
bool fault_disarm(void);
/* How many of these calls have been made since the program began. */
int fault_count(enum fault_call call);

/* Memory for gentcp_configure that can fail, and how many pieces of it are in use. */
extern const gentcp_config fault_memory;
int fault_live_memory(void);

#endif
