/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's contracts towards its host, seen by a host made for the purpose: one whose callers can die, whose
 * memory can run out, and which writes down what it is told. */
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

enum { DATA_MAX = 1 << 20, EVENTS_MAX = 64 };

/* A host's socket, and all that its owner was told: "data", "closed", "error", "passive", in order. */
typedef struct owned {
    gt_socket socket;
    int references;
    int closed_calls;
    bool owner_dead;
    bool no_memory;
    const char *events[EVENTS_MAX];
    int event_count;
    int reason;
    uint8_t *data;
    size_t data_size;
    size_t gave_buffers;
} owned;

typedef struct call {
    gt_op op;
    bool caller_dead;
    int completions;
    int status;
    uint8_t *data;
    size_t data_size;
    owned *accepted;
} call;

static gt_poller *poller;
static const gt_backend *backend = &gt_backend_epoll;
static int live_sockets;
static int live_buffers;
static int live_segments;
static bool buffers_fail;
static bool segments_fail;
static gt_poller_user user;

static owned *of(gt_socket *socket) {
    return (owned *)socket;
}

static void append(uint8_t **data, size_t *size, const gt_data *more) {
    *data = realloc(*data, *size + more->size + 1);
    assert_non_null(*data);
    memcpy(*data + *size, more->bytes, more->size);
    *size += more->size;
}

static void free_buffer(gt_buffer *buffer) {
    live_buffers--;
    free(buffer->bytes);
    free(buffer);
}

static gt_buffer *new_buffer(size_t size) {
    gt_buffer *buffer = buffers_fail ? NULL : malloc(sizeof *buffer);

    if (buffer == NULL)
        return NULL;
    live_buffers++;
    *buffer = (gt_buffer){.bytes = malloc(size), .size = size};
    assert_non_null(buffer->bytes);
    return buffer;
}

static gt_buffer *resize_buffer(gt_buffer *buffer, size_t size) {
    buffer->bytes = realloc(buffer->bytes, size);
    assert_non_null(buffer->bytes);
    buffer->size = size;
    return buffer;
}

static void keep(gt_socket *socket) {
    of(socket)->references++;
}

static void let_go(gt_socket *socket) {
    owned *o = of(socket);

    if (--o->references > 0)
        return;
    gt_socket_fini(socket);
    free(o->data);
    free(o);
    live_sockets--;
}

static void closed(gt_socket *socket) {
    of(socket)->closed_calls++;
}

static const gt_host host;

static owned *new_socket(void) {
    owned *o = calloc(1, sizeof *o);

    assert_non_null(o);
    gt_socket_init(&o->socket, &host, poller);
    o->references = 1;
    live_sockets++;
    return o;
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    (void)listener;
    (void)op;
    return &new_socket()->socket;
}

static bool complete(gt_socket *socket, gt_op *op, const gt_result *result) {
    call *c = (call *)op;

    (void)socket;
    c->completions++;
    c->status = result->status;
    if (c->caller_dead)
        return false;
    if (result->accepted != NULL) {
        c->accepted = of(result->accepted);
        keep(result->accepted);
    }
    if (result->data.bytes != NULL)
        append(&c->data, &c->data_size, &result->data);
    if (result->data.buffer != NULL)
        free_buffer(result->data.buffer);
    return true;
}

static bool abandoned(gt_socket *socket, gt_op *op) {
    (void)socket;
    return ((call *)op)->caller_dead;
}

static int deliver(gt_socket *socket, const gt_message *message) {
    static const char *const names[] = {"data", "closed", "error", "passive"};
    owned *o = of(socket);

    if (o->owner_dead)
        return GT_CLOSED;
    if (message->kind == GT_TCP && o->no_memory)
        return -ENOMEM;
    assert_true(o->event_count < EVENTS_MAX);
    o->events[o->event_count++] = names[message->kind];
    if (message->kind == GT_TCP)
        append(&o->data, &o->data_size, &message->data);
    if (message->kind == GT_TCP_ERROR)
        o->reason = message->reason;
    if (message->data.buffer != NULL) {
        o->gave_buffers++;
        free_buffer(message->data.buffer);
    }
    return 0;
}

static int reown(gt_socket *socket, const void *from, const void *to) {
    (void)socket;
    return from == NULL ? GT_NOT_OWNER : to == NULL ? GT_BADARG : 0;
}

static uint8_t *scratch(size_t *size) {
    static uint8_t memory[65536];

    *size = sizeof memory;
    return memory;
}

static gt_segment *hold(void *source, const struct iovec *parts, int count, size_t skip) {
    gt_segment *segment;
    size_t size = 0;
    uint8_t *to;

    (void)source;
    if (segments_fail)
        return NULL;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    segment = malloc(sizeof *segment + size);
    assert_non_null(segment);
    live_segments++;
    to = (uint8_t *)(segment + 1);
    for (int i = 0; i < count; i++) {
        memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    *segment = (gt_segment){.bytes = (uint8_t *)(segment + 1) + skip, .size = size - skip};
    return segment;
}

static void free_segment(gt_segment *segment) {
    live_segments--;
    free(segment);
}

static const gt_host host = {
    .name = "test",
    .complete = complete,
    .abandoned = abandoned,
    .deliver = deliver,
    .reown = reown,
    .create = create,
    .keep = keep,
    .let_go = let_go,
    .closed = closed,
    .buffer_new = new_buffer,
    .buffer_resize = resize_buffer,
    .buffer_free = free_buffer,
    .scratch = scratch,
    .hold = hold,
    .segment_free = free_segment,
};

/* ---- the ground on which the tests stand ---- */

static int setup(void **state) {
    const char *name = getenv("GENTCP_POLLER");

    (void)state;
    if (name != NULL && strcmp(name, "poll") == 0)
        backend = &gt_backend_poll;
    gt_poller_user_init(&user, malloc, free);
    live_sockets = live_buffers = live_segments = 0;
    buffers_fail = segments_fail = false;
    return gt_poller_open(&poller, backend, &user);
}

static int teardown(void **state) {
    (void)state;
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(poller);
    assert_int_equal(live_sockets, 0);
    assert_int_equal(live_buffers, 0);
    assert_int_equal(live_segments, 0);
    return 0;
}

/* Runs the poller until *what is no longer `from`; fails after 5 s. */
static void run_while(const int *what, int from) {
    int64_t end = gt_sys_now() + 5000;

    while (*what == from) {
        assert_true(gt_sys_now() < end);
        assert_true(gt_poller_run(poller, 100, 16) >= 0);
    }
}

/* Runs the poller until nothing more is reported. */
static void settle(void) {
    while (gt_poller_run(poller, 20, 16) > 0) {
    }
}

static call new_call(enum gt_op_kind kind, size_t length) {
    return (call){.op = {.kind = (uint8_t)kind, .length = length}};
}

static gt_option active(int mode, int count) {
    return (gt_option){.name = GT_OPT_ACTIVE, .number = mode, .extra = count};
}

static gt_address loopback(uint16_t port) {
    return (gt_address){
        .size = sizeof(struct sockaddr_in),
        .in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}}};
}

/* A connection from the engine to a plain descriptor. */
static owned *connection(const gt_option *options, int count, int *peer) {
    gt_address at = loopback(0);
    socklen_t size = sizeof at.in;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    owned *o = new_socket();
    call connecting = new_call(GT_OP_CONNECT, 0);
    int answer;

    assert_int_equal(bind(listener, &at.any, at.size), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, &at.any, &size), 0);
    answer = gt_connect(&o->socket, options, count, &at, &connecting.op);
    assert_true(answer >= 0);
    *peer = accept(listener, NULL, NULL);
    assert_true(*peer >= 0);
    close(listener);
    run_while(&connecting.completions, 0);
    assert_int_equal(connecting.status, 0);
    return o;
}

static void finish(owned *o) {
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    let_go(&o->socket);
}

static void put(int fd, const char *bytes) {
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

static const gt_option PASSIVE[] = {{.name = GT_OPT_ACTIVE, .number = GT_PASSIVE}};

/* ---- tests ---- */

static void a_recv_is_completed_at_once_or_later_but_once(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call later = new_call(GT_OP_RECV, 3);
    call at_once = new_call(GT_OP_RECV, 2);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &later.op), GT_PENDING);
    put(peer, "ab");
    settle();
    assert_int_equal(later.completions, 0);
    put(peer, "cde");
    run_while(&later.completions, 0);
    assert_memory_equal(later.data, "abc", 3);
    assert_int_equal(gt_recv(&o->socket, &at_once.op), 0);
    assert_memory_equal(at_once.data, "de", 2);
    assert_false(gt_cancel(&o->socket, &at_once.op));
    free(later.data);
    free(at_once.data);
    finish(o);
    close(peer);
}

static void a_cancelled_recv_leaves_its_bytes(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call given_up = new_call(GT_OP_RECV, 10);
    call next = new_call(GT_OP_RECV, 0);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &given_up.op), GT_PENDING);
    put(peer, "abc");
    settle();
    assert_true(gt_cancel(&o->socket, &given_up.op));
    assert_int_equal(given_up.completions, 0);
    assert_int_equal(gt_recv(&o->socket, &next.op), 0);
    assert_int_equal(next.data_size, 3);
    free(next.data);
    finish(o);
    close(peer);
}

static void bytes_that_a_dead_caller_was_to_get_go_to_the_next(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call dead = new_call(GT_OP_RECV, 3);
    call next = new_call(GT_OP_RECV, 4);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    put(peer, "abcd");
    run_while(&dead.completions, 0);
    assert_int_equal(gt_recv(&o->socket, &next.op), 0);
    assert_memory_equal(next.data, "abcd", 4);
    free(next.data);
    finish(o);
    close(peer);
}

static void a_new_recv_replaces_a_dead_caller_but_not_a_live_one(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call first = new_call(GT_OP_RECV, 1);
    call second = new_call(GT_OP_RECV, 1);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &first.op), GT_PENDING);
    assert_int_equal(gt_recv(&o->socket, &second.op), -EALREADY);
    first.caller_dead = true;
    assert_int_equal(gt_recv(&o->socket, &second.op), GT_PENDING);
    assert_int_equal(first.completions, 1);
    put(peer, "x");
    run_while(&second.completions, 0);
    assert_int_equal(second.data_size, 1);
    free(second.data);
    finish(o);
    close(peer);
}

static void a_connection_whose_accepter_died_goes_to_the_next(void **state) {
    gt_address at = loopback(0);
    owned *listener = new_socket();
    call dead = new_call(GT_OP_ACCEPT, 0);
    call next = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    assert_int_equal(gt_listen(&listener->socket, PASSIVE, 1, &at), 0);
    assert_int_equal(gt_sockname(&listener->socket, &at), 0);
    assert_int_equal(gt_accept(&listener->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    run_while(&dead.completions, 0);
    assert_int_equal(gt_accept(&listener->socket, &next.op), 0);
    assert_non_null(next.accepted);
    finish(next.accepted);
    assert_int_equal(read(peer, &byte, 1), 0);
    finish(listener);
    close(peer);
}

static void a_parked_connection_goes_with_its_listener(void **state) {
    gt_address at = loopback(0);
    owned *listener = new_socket();
    call dead = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    assert_int_equal(gt_listen(&listener->socket, NULL, 0, &at), 0);
    assert_int_equal(gt_sockname(&listener->socket, &at), 0);
    assert_int_equal(gt_accept(&listener->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    run_while(&dead.completions, 0);
    finish(listener);
    assert_int_equal(read(peer, &byte, 1), 0);
    close(peer);
}

static void accepters_are_served_in_order(void **state) {
    enum { N = 3 };
    gt_address at = loopback(0);
    owned *listener = new_socket();
    call calls[N];
    int peers[N];

    (void)state;
    assert_int_equal(gt_listen(&listener->socket, PASSIVE, 1, &at), 0);
    assert_int_equal(gt_sockname(&listener->socket, &at), 0);
    for (int i = 0; i < N; i++) {
        calls[i] = new_call(GT_OP_ACCEPT, 0);
        assert_int_equal(gt_accept(&listener->socket, &calls[i].op), GT_PENDING);
    }
    for (int i = 0; i < N; i++) {
        peers[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(peers[i], &at.any, at.size), 0);
        run_while(&calls[i].completions, 0);
        for (int j = i + 1; j < N; j++)
            assert_int_equal(calls[j].completions, 0);
    }
    for (int i = 0; i < N; i++) {
        finish(calls[i].accepted);
        close(peers[i]);
    }
    finish(listener);
}

static void a_dead_owner_closes_its_socket(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);
    char byte;

    (void)state;
    o->owner_dead = true;
    put(peer, "abc");
    run_while(&o->closed_calls, 0);
    assert_int_equal(o->event_count, 0);
    assert_true(read(peer, &byte, 1) <= 0);
    let_go(&o->socket);
    close(peer);
}

static void out_of_memory_for_a_message_ends_with_an_error_not_with_a_gap(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    o->no_memory = true;
    put(peer, "abc");
    run_while(&o->closed_calls, 0);
    assert_int_equal(o->event_count, 2);
    assert_string_equal(o->events[0], "error");
    assert_int_equal(o->reason, -ENOMEM);
    assert_string_equal(o->events[1], "closed");
    let_go(&o->socket);
    close(peer);
}

static void out_of_buffers_ends_with_an_error(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call recv = new_call(GT_OP_RECV, 2);

    (void)state;
    buffers_fail = true;
    assert_int_equal(gt_recv(&o->socket, &recv.op), GT_PENDING);
    put(peer, "abc");
    run_while(&recv.completions, 0);
    assert_int_equal(recv.status, 0); /* its own two bytes were whole */
    recv.completions = 0;
    assert_int_equal(gt_recv(&o->socket, &recv.op), -ENOMEM);
    assert_int_equal(gt_recv(&o->socket, &recv.op), -ENOTCONN);
    free(recv.data);
    finish(o);
    close(peer);
}

static void a_promised_length_allocates_nothing(void **state) {
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_PACKET, .number = GT_PACKET_4}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call recv = new_call(GT_OP_RECV, 0);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &recv.op), GT_PENDING);
    assert_int_equal(write(peer, "\x05\xf5\xe1\x00", 4), 4); /* 100,000,000 bytes to come */
    settle();
    assert_int_equal(recv.completions, 0);
    assert_true(o->socket.input->size <= 65536 + 4);
    assert_true(gt_cancel(&o->socket, &recv.op));
    finish(o);
    close(peer);
}

static void an_idle_socket_holds_no_buffer(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    run_while(&o->event_count, 0);
    settle();
    assert_null(o->socket.input);
    assert_int_equal(live_buffers, 0);
    finish(o);
    close(peer);
}

static void a_large_packet_arrives_in_one_buffer_of_its_own(void **state) {
    enum { BODY = 300000 };
    const gt_option options[] = {active(GT_ACTIVE_TRUE, 0), {.name = GT_OPT_PACKET, .number = GT_PACKET_4}};
    int peer;
    owned *o = connection(options, 2, &peer);
    uint8_t *bytes = calloc(1, BODY + 4);
    size_t sent = 0;

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, "\x00\x04\x93\xe0", 4);
    bytes[BODY + 3] = 7;
    while (sent < BODY + 4) {
        ssize_t n = send(peer, bytes + sent, BODY + 4 - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        (void)gt_poller_run(poller, 0, 16);
    }
    run_while(&o->event_count, 0);
    assert_int_equal(o->data_size, BODY);
    assert_int_equal(o->data[BODY - 1], 7);
    assert_int_equal(o->gave_buffers, 1);
    free(bytes);
    finish(o);
    close(peer);
}

static void active_n_counts_messages_and_ends_with_tcp_passive(void **state) {
    const gt_option options[] = {active(GT_ACTIVE_COUNT, 2), {.name = GT_OPT_PACKET, .number = GT_PACKET_LINE}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call recv = new_call(GT_OP_RECV, 0);

    (void)state;
    put(peer, "a\nb\nc\n");
    run_while(&o->event_count, 0);
    settle();
    assert_int_equal(o->event_count, 3);
    assert_string_equal(o->events[2], "passive");
    assert_memory_equal(o->data, "a\nb\n", 4);
    assert_int_equal(gt_recv(&o->socket, &recv.op), 0);
    assert_memory_equal(recv.data, "c\n", 2);
    free(recv.data);
    finish(o);
    close(peer);
}

static void nothing_follows_tcp_closed(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    close(peer);
    run_while(&o->closed_calls, 0);
    settle();
    assert_string_equal(o->events[o->event_count - 1], "closed");
    assert_int_equal(o->data_size, 3);
    assert_int_equal(o->closed_calls, 1);
    let_go(&o->socket);
}

/* Sends until the socket's queue is not empty any more; returns how much was accepted. */
static size_t fill_queue(owned *o) {
    static const uint8_t block[65536];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    size_t total = 0;

    while (o->socket.output == NULL) {
        call send = new_call(GT_OP_SEND, 0);
        assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), 0);
        total += sizeof block;
    }
    return total;
}

static size_t drain(int fd, size_t size) {
    uint8_t bytes[65536];
    size_t got = 0;
    int64_t end = gt_sys_now() + 5000;

    while (got < size) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        assert_true(n != 0 && gt_sys_now() < end);
        got += n > 0 ? (size_t)n : 0;
        (void)gt_poller_run(poller, n > 0 ? 0 : 1, 16);
    }
    return got;
}

static void senders_wait_at_the_high_and_go_on_at_the_low_watermark(void **state) {
    static const uint8_t block[9000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call waits = new_call(GT_OP_SEND, 0);
    call behind = new_call(GT_OP_SEND, 0);
    size_t total = fill_queue(o);

    (void)state;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &behind.op), GT_PENDING);
    (void)drain(peer, total + 2 * sizeof block);
    settle();
    assert_int_equal(waits.completions, 1);
    assert_int_equal(behind.completions, 1);
    assert_int_equal(waits.status, 0);
    finish(o);
    close(peer);
}

static void a_cancelled_send_leaves_its_bytes_queued(void **state) {
    static const uint8_t block[9000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call waits = new_call(GT_OP_SEND, 0);
    size_t total = fill_queue(o);

    (void)state;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_true(gt_cancel(&o->socket, &waits.op));
    assert_int_equal(drain(peer, total + sizeof block), total + sizeof block);
    assert_int_equal(waits.completions, 0);
    finish(o);
    close(peer);
}

static void close_flushes_the_queue_before_it_answers(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call closing = new_call(GT_OP_CLOSE, 0);
    size_t total = fill_queue(o);
    char byte;

    (void)state;
    assert_int_equal(gt_close(&o->socket, &closing.op), GT_PENDING);
    assert_int_equal(drain(peer, total), total);
    run_while(&closing.completions, 0);
    assert_int_equal(read(peer, &byte, 1), 0);
    let_go(&o->socket);
    close(peer);
}

static void close_gives_up_after_the_linger_time(void **state) {
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_LINGER, .number = 1, .extra = 1}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call closing = new_call(GT_OP_CLOSE, 0);
    int64_t start = gt_sys_now();

    (void)state;
    (void)fill_queue(o);
    assert_int_equal(gt_close(&o->socket, &closing.op), GT_PENDING);
    run_while(&closing.completions, 0);
    assert_in_range(gt_sys_now() - start, 990, 4000);
    let_go(&o->socket);
    close(peer);
}

static void no_memory_for_the_queue_refuses_a_packet_whole_or_ends_the_stream(void **state) {
    static const uint8_t block[8 << 20];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call send = new_call(GT_OP_SEND, 0);

    (void)state;
    (void)fill_queue(o);
    segments_fail = true;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), -ENOMEM);
    assert_int_equal(o->socket.state, GT_CONNECTED);
    finish(o);
    close(peer);
    o = connection(PASSIVE, 1, &peer);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), GT_CLOSED);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), -ENOTCONN);
    assert_int_equal(send.completions, 0);
    finish(o);
    close(peer);
}

static void closing_answers_everybody_who_waits(void **state) {
    gt_address at = loopback(0);
    owned *listener = new_socket();
    call accepts = new_call(GT_OP_ACCEPT, 0);
    call receives = new_call(GT_OP_RECV, 0);
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);

    (void)state;
    assert_int_equal(gt_listen(&listener->socket, NULL, 0, &at), 0);
    assert_int_equal(gt_accept(&listener->socket, &accepts.op), GT_PENDING);
    assert_int_equal(gt_recv(&o->socket, &receives.op), GT_PENDING);
    finish(listener);
    finish(o);
    assert_int_equal(accepts.completions, 1);
    assert_int_equal(accepts.status, GT_CLOSED);
    assert_int_equal(receives.completions, 1);
    assert_int_equal(receives.status, GT_CLOSED);
    close(peer);
}

static void ownership_changes_only_by_the_owner_and_to_a_living_one(void **state) {
    int peer, someone;
    owned *o = connection(PASSIVE, 1, &peer);

    (void)state;
    assert_int_equal(gt_reown(&o->socket, NULL, &someone, poller), GT_NOT_OWNER);
    assert_int_equal(gt_reown(&o->socket, &someone, NULL, poller), GT_BADARG);
    assert_int_equal(gt_reown(&o->socket, &someone, &someone, poller), 0);
    finish(o);
    close(peer);
}

static void a_socket_moves_to_another_poller_with_what_is_ready(void **state) {
    int peer, someone;
    owned *o = connection(NULL, 0, &peer);
    gt_poller *first = poller;

    (void)state;
    put(peer, "abc");
    assert_int_equal(gt_poller_open(&poller, backend, &user), 0);
    assert_int_equal(gt_reown(&o->socket, &someone, &someone, poller), 0);
    run_while(&o->event_count, 0);
    assert_int_equal(o->data_size, 3);
    finish(o);
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(poller);
    poller = first;
    close(peer);
}

static void a_flooding_socket_takes_bounded_turns(void **state) {
    static const uint8_t block[1 << 20];
    int noisy_peer, quiet_peer;
    owned *noisy = connection(NULL, 0, &noisy_peer);
    owned *quiet = connection(NULL, 0, &quiet_peer);
    int turns = 0;

    (void)state;
    while (send(noisy_peer, block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    put(quiet_peer, "x");
    while (quiet->event_count == 0 && turns++ < 10)
        (void)gt_poller_run(poller, 1000, 16);
    assert_int_equal(quiet->event_count, 1);
    assert_true(noisy->data_size <= (size_t)turns * 2 * 65536);
    finish(noisy);
    finish(quiet);
    close(noisy_peer);
    close(quiet_peer);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_recv_is_completed_at_once_or_later_but_once),
        TEST(a_cancelled_recv_leaves_its_bytes),
        TEST(bytes_that_a_dead_caller_was_to_get_go_to_the_next),
        TEST(a_new_recv_replaces_a_dead_caller_but_not_a_live_one),
        TEST(a_connection_whose_accepter_died_goes_to_the_next),
        TEST(a_parked_connection_goes_with_its_listener),
        TEST(accepters_are_served_in_order),
        TEST(a_dead_owner_closes_its_socket),
        TEST(out_of_memory_for_a_message_ends_with_an_error_not_with_a_gap),
        TEST(out_of_buffers_ends_with_an_error),
        TEST(a_promised_length_allocates_nothing),
        TEST(an_idle_socket_holds_no_buffer),
        TEST(a_large_packet_arrives_in_one_buffer_of_its_own),
        TEST(active_n_counts_messages_and_ends_with_tcp_passive),
        TEST(nothing_follows_tcp_closed),
        TEST(senders_wait_at_the_high_and_go_on_at_the_low_watermark),
        TEST(a_cancelled_send_leaves_its_bytes_queued),
        TEST(close_flushes_the_queue_before_it_answers),
        TEST(close_gives_up_after_the_linger_time),
        TEST(no_memory_for_the_queue_refuses_a_packet_whole_or_ends_the_stream),
        TEST(closing_answers_everybody_who_waits),
        TEST(ownership_changes_only_by_the_owner_and_to_a_living_one),
        TEST(a_socket_moves_to_another_poller_with_what_is_ready),
        TEST(a_flooding_socket_takes_bounded_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
