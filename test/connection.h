/* SPDX-License-Identifier: Apache-2.0 */
/* Connections under test: of gentcp with itself, and with a plain socket that does what gentcp wouldn't; what is
 * expected of them; and calls that wait in a thread of their own. Everything is on loopback and bounded. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <gentcp.h>

#include "test/fill_kernel.h"

enum {
    SOON = 10000, /* milliseconds for what must happen: only a failing test waits so long */
    BRIEFLY = 20, /* and for what must not */
};

/* Each test begins and ends without a process, and so without sockets. */
static inline int end_process(void **state) {
    (void)state;
    gentcp_exit();
    return 0;
}

#define TEST(name)    cmocka_unit_test_teardown(name, end_process)
#define PASSIVE(...)  gentcp_options(GENTCP_ACTIVE(false), __VA_ARGS__)
#define JUST_PASSIVE  gentcp_options(GENTCP_ACTIVE(false))
#define assert_ok(it) assert_int_equal((it), 0)

/* How many descriptors are open, the one that counts them included. */
static inline int descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(all);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static inline gentcp_socket listen_on_loopback(const gentcp_option *options, uint16_t *port) {
    gentcp_option all[GENTCP_OPTIONS_MAX] = {GENTCP_IP("127.0.0.1")};
    gentcp_socket listener;
    int n = 1;

    for (; options != NULL && options->name != GENTCP_OPT_END; options++)
        all[n++] = *options;
    all[n] = GENTCP_END;
    assert_ok(gentcp_listen(0, all, &listener));
    assert_ok(gentcp_port(listener, port));
    return listener;
}

/* A connection of gentcp with itself: here has connected with the options, there was accepted and is passive. */
typedef struct pair {
    gentcp_socket here, there;
} pair;

static inline pair connect_pair(const gentcp_option *options) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port);
    pair made;

    assert_ok(gentcp_connect("127.0.0.1", port, options, SOON, &made.here));
    assert_ok(gentcp_accept(listener, SOON, &made.there));
    assert_ok(gentcp_close(listener));
    return made;
}

/* A plain listener on a free port of loopback. */
static inline int plain_listener(uint16_t *port, int backlog) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_ok(bind(fd, (struct sockaddr *)&at, sizeof at));
    assert_ok(listen(fd, backlog));
    assert_ok(getsockname(fd, (struct sockaddr *)&at, &size));
    *port = ntohs(at.sin_port);
    return fd;
}

static inline int connect_to(int listener, uint16_t port, const gentcp_option *options, gentcp_socket *out) {
    int peer;

    assert_ok(gentcp_connect("127.0.0.1", port, options, SOON, out));
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    close(listener);
    return peer;
}

/* Connects with the options to a plain socket, which is returned. What isn't read from it, stays unread. */
static inline int connect_plain(const gentcp_option *options, gentcp_socket *out) {
    uint16_t port;
    int listener = plain_listener(&port, 1);

    return connect_to(listener, port, options, out);
}

/* The same, through a kernel that is full already: what is sent is queued, to the byte, until the peer has read the
 * *full bytes that are on the way to it. */
static inline int connect_full(const gentcp_option *options, gentcp_socket *out, size_t *full) {
    static const int small = 32 * 1024;
    uint16_t port;
    int listener = plain_listener(&port, 1);
    int peer;

    assert_ok(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
    peer = connect_to(listener, port, options, out);
    assert_ok(gentcp_setopts(*out, gentcp_options(GENTCP_SNDBUF(small))));
    *full = fill_kernel(gentcp_socket_fd(*out), peer);
    return peer;
}

enum { QUEUED = 1024 * 1024 };

/* The same with QUEUED zeros in its queue behind them. */
static inline int connect_queued(const gentcp_option *options, gentcp_socket *out, size_t *full) {
    int peer = connect_full(options, out, full);
    char *queued = calloc(1, QUEUED);

    assert_non_null(queued);
    assert_ok(gentcp_setopts(*out, gentcp_options(GENTCP_HIGH_WATERMARK(2 * QUEUED))));
    assert_ok(gentcp_send(*out, queued, QUEUED));
    free(queued);
    return peer;
}

static inline void plain_send(int peer, const void *bytes, size_t size) {
    assert_int_equal(send(peer, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void plain_say(int peer, const char *text) {
    plain_send(peer, text, strlen(text));
}

/* Reads size bytes; the number of those that came before the end, an error, or silence of `patience` milliseconds. */
static inline size_t plain_read(int peer, void *bytes, size_t size, int patience) {
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    size_t have = 0;

    while (have < size && poll(&readable, 1, patience) == 1) {
        ssize_t came = recv(peer, (char *)bytes + have, size - have, 0);
        if (came <= 0)
            break;
        have += (size_t)came;
    }
    return have;
}

/* How much the peer reads before the end; SIZE_MAX if that doesn't come. */
static inline size_t plain_read_to_end(int peer) {
    char block[8192];
    size_t have = 0, more = sizeof block;

    for (; more == sizeof block; have += more)
        more = plain_read(peer, block, sizeof block, SOON);
    return recv(peer, block, 1, MSG_DONTWAIT) == 0 ? have : SIZE_MAX;
}

static inline void assert_plain_reads(int peer, const char *text) {
    char got[256] = "";

    assert_true(strlen(text) < sizeof got);
    assert_int_equal(plain_read(peer, got, strlen(text), SOON), strlen(text));
    assert_string_equal(got, text);
}

/* What ends the plain socket's stream: 0, or -ECONNRESET. */
static inline int plain_end(int peer) {
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&readable, 1, SOON), 1);
    return recv(peer, &byte, 1, 0) < 0 ? -errno : 0;
}

static inline void plain_reset(int peer) {
    struct linger abortive = {.l_onoff = 1, .l_linger = 0};

    assert_ok(setsockopt(peer, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive));
    close(peer);
}

/* Waits until the peer's reset has reached a socket that isn't being read. */
static inline void await_reset(gentcp_socket socket) {
    struct pollfd reset = {.fd = gentcp_socket_fd(socket), .events = 0};

    assert_true(reset.fd >= 0);
    assert_int_equal(poll(&reset, 1, SOON), 1);
}

static inline void assert_text(gentcp_data *data, const char *text) {
    assert_int_equal(data->size, strlen(text));
    assert_string_equal((const char *)data->bytes, text);
    gentcp_data_release(data);
}

static inline void assert_recv(gentcp_socket socket, size_t length, const char *text) {
    gentcp_data data;

    assert_ok(gentcp_recv(socket, length, SOON, &data));
    assert_text(&data, text);
}

static inline int recv_status(gentcp_socket socket, size_t length, int64_t timeout) {
    gentcp_data data;
    int status = gentcp_recv(socket, length, timeout, &data);

    if (status == 0)
        gentcp_data_release(&data);
    return status;
}

/* The next message of the socket is data. */
static inline void assert_tcp(gentcp_socket socket, const char *text) {
    gentcp_message message;

    assert_ok(gentcp_receive_from(socket, &message, SOON));
    assert_int_equal(message.kind, GENTCP_TCP);
    assert_int_equal(message.socket.id, socket.id);
    assert_text(&message.data, text);
}

/* It is of that kind, without data; its reason. */
static inline int assert_told(gentcp_socket socket, enum gentcp_message_kind kind) {
    gentcp_message message;

    assert_ok(gentcp_receive_from(socket, &message, SOON));
    assert_int_equal(message.kind, kind);
    assert_int_equal(message.socket.id, socket.id);
    assert_int_equal(message.data.size, 0);
    return message.kind == GENTCP_TCP_ERROR ? message.reason : 0;
}

/* There is no message of the socket, and nothing on its way. */
static inline void assert_silence(gentcp_socket socket) {
    gentcp_message message;
    int status = gentcp_receive_from(socket, &message, 0);

    assert_true(status == GENTCP_TIMEOUT || status == GENTCP_CLOSED);
}

static inline int64_t option_of(gentcp_socket socket, enum gentcp_option_name name) {
    int64_t number = INT64_MIN;

    assert_ok(gentcp_getopt(socket, name, &number));
    return number;
}

/* A call that waits in a thread of its own, which is another process of gentcp's. Its results may be looked at once it
 * was finished: asserting is for the test's own thread. */
typedef struct call {
    int (*make)(struct call *call);
    gentcp_socket socket;
    int peer;
    size_t length;
    const void *bytes;
    int64_t timeout;
    int status;
    gentcp_data data;
    gentcp_socket accepted;
    pthread_t thread;
    _Atomic pid_t id;     /* of the thread; -1: it has finished */
    _Atomic uint64_t pid; /* of its process, once tell_pid was called there */
} call;

static inline void *call_main(void *arg) {
    call *c = arg;

    atomic_store(&c->id, (pid_t)syscall(SYS_gettid));
    c->status = c->make(c);
    atomic_store(&c->id, -1);
    return NULL;
}

static inline bool is_asleep(pid_t thread) {
    char stat[64], line[256] = "";
    const char *state;
    FILE *file;

    snprintf(stat, sizeof stat, "/proc/self/task/%d/stat", (int)thread);
    file = fopen(stat, "r");
    if (file == NULL)
        return false;
    state = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return state != NULL && state[2] == 'S';
}

/* Starts a call, and returns when it waits, or is finished. */
static inline void start(call *c) {
    int seen_asleep = 0;

    assert_ok(pthread_create(&c->thread, NULL, call_main, c));
    while (atomic_load(&c->id) != -1 && seen_asleep < 3) { /* more than once: it may have slept on its way there */
        seen_asleep = atomic_load(&c->id) > 0 && is_asleep(c->id) ? seen_asleep + 1 : 0;
        sched_yield();
    }
}

static inline bool waits(call *c) {
    return atomic_load(&c->id) != -1;
}

static inline int finish(call *c) {
    pthread_join(c->thread, NULL);
    return c->status;
}

static inline int tell_pid(call *c) {
    gentcp_pid this_process;
    int status = gentcp_self(&this_process);

    if (status == 0)
        atomic_store(&c->pid, this_process.id);
    return status;
}

static inline gentcp_pid pid_of(call *c) {
    return (gentcp_pid){atomic_load(&c->pid)};
}

static inline int make_recv(call *c) {
    return gentcp_recv(c->socket, c->length, c->timeout, &c->data);
}

/* Reads length bytes from the plain socket, compares them with bytes unless that is NULL, and answers "read". */
static inline int make_read(call *c) {
    char got[16 * 1024];
    size_t rest = c->length;

    while (rest > 0) {
        size_t part = rest < sizeof got ? rest : sizeof got;
        if (plain_read(c->peer, got, part, SOON) != part)
            return -1;
        if (c->bytes != NULL && memcmp(got, (const char *)c->bytes + (c->length - rest), part) != 0)
            return -2;
        rest -= part;
    }
    return send(c->peer, "read", 4, MSG_NOSIGNAL) == 4 ? 0 : -3;
}

static inline int make_read_to_end(call *c) {
    return (int)plain_read_to_end(c->peer);
}

static inline int make_send(call *c) {
    return gentcp_send(c->socket, c->bytes, c->length);
}

static inline int make_close(call *c) {
    return gentcp_close(c->socket);
}

#endif
