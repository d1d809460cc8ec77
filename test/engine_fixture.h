/* SPDX-License-Identifier: Apache-2.0 */
/* The engine under test with a host made for the purpose: one whose callers can die, whose memory can run out, and
 * which writes down what it is told. The poller is the one that GENTCP_POLLER names. */
#ifndef TEST_ENGINE_FIXTURE_H
#define TEST_ENGINE_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/socket.h"
#include "test/host_memory.h"

enum { EVENTS_MAX = 64 };

/* A host's socket, and all that its owner was told: "data", "closed", "error", "passive", in order. */
typedef struct owned {
    gt_socket socket;
    int references;
    int closed_calls;
    const void *owner; /* gt_reown's `to`; NULL: it has kept its first one */
    bool owner_dead;
    int last_event; /* the owner dies after so many; 0: it doesn't */
    bool no_memory;
    const char *events[EVENTS_MAX];
    const void *told[EVENTS_MAX]; /* the owner of that moment */
    int event_count;
    int reason;
    uint8_t *data;
    size_t data_size;
    size_t gave_buffers;
} owned;

typedef struct call {
    gt_op op;
    gt_file file;
    bool caller_dead;
    int completions;
    int status;
    uint8_t *data;
    size_t data_size;
    owned *accepted;
} call;

extern gt_poller *poller;
extern const gt_backend *backend;
extern gt_poller_user user;
extern int refused; /* enum host_memory: no piece of that kind is to be had; -1: all are */
extern const gt_option PASSIVE[1];

/* Each test begins with a new poller, and ends with nothing left. */
#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int setup(void **state);
int teardown(void **state);

/* Runs the poller until *what is no longer `from`; fails after 5 s. */
void run_while(const int *what, int from);
/* Runs the poller until nothing more is reported. */
void settle(void);

owned *new_socket(void);
/* A connection from the engine to a plain descriptor. */
owned *connection(const gt_option *options, int count, int *peer);
/* A listener on the loopback, and where it is. */
owned *listening(const gt_option *options, int count, gt_address *at);
/* Drops the test's reference. */
void let_go(gt_socket *socket);
/* Closes the socket, and drops the reference. */
void finish(owned *o);

call new_call(enum gt_op_kind kind, size_t length);
/* gt_sendfile. */
int start_file(owned *o, call *c, int fd, int64_t offset, uint64_t size);
gt_option active(int mode, int count);
/* Reads so much from a plain descriptor, while the poller runs; returns how much, that is size. Fails after 5 s. */
size_t drain(int fd, size_t size);
/* Writes to a plain descriptor. */
void put(int fd, const char *bytes);

#endif
