/* SPDX-License-Identifier: Apache-2.0 */
#include "test/engine_fixture.h"

gt_poller *poller;
const gt_backend *backend = &gt_backend_epoll;
gt_poller_user user;
int refused;
const gt_option PASSIVE[] = {{.name = GT_OPT_ACTIVE, .number = GT_PASSIVE}};

static int live_sockets;

static owned *of(gt_socket *socket) {
    return (owned *)socket;
}

static void append(uint8_t **data, size_t *size, const gt_data *more) {
    *data = realloc(*data, *size + more->size + 1);
    assert_non_null(*data);
    memcpy(*data + *size, more->bytes, more->size);
    *size += more->size;
}

static void keep(gt_socket *socket) {
    of(socket)->references++;
}

void let_go(gt_socket *socket) {
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

owned *new_socket(void) {
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
        host_buffer_free(result->data.buffer);
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
    o->told[o->event_count] = o->owner;
    o->events[o->event_count++] = names[message->kind];
    o->owner_dead = o->event_count == o->last_event;
    if (message->kind == GT_TCP)
        append(&o->data, &o->data_size, &message->data);
    if (message->kind == GT_TCP_ERROR)
        o->reason = message->reason;
    if (message->data.buffer != NULL) {
        o->gave_buffers++;
        host_buffer_free(message->data.buffer);
    }
    return 0;
}

static int reown(gt_socket *socket, const void *from, const void *to) {
    if (from == NULL || to == NULL)
        return from == NULL ? GT_NOT_OWNER : GT_BADARG;
    of(socket)->owner = to;
    return 0;
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
    HOST_MEMORY,
};

static bool is_refused(enum host_memory kind) {
    return (int)kind == refused;
}

int setup(void **state) {
    const char *name = getenv("GENTCP_POLLER");

    (void)state;
    if (name != NULL && strcmp(name, "poll") == 0)
        backend = &gt_backend_poll;
    gt_poller_user_init(&user, malloc, free);
    live_sockets = 0;
    host_buffers = 0;
    host_segments = 0;
    refused = -1;
    host_memory_fails = is_refused;
    return gt_poller_open(&poller, backend, &user);
}

int teardown(void **state) {
    (void)state;
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(poller);
    assert_int_equal(live_sockets, 0);
    assert_int_equal(host_buffers, 0);
    assert_int_equal(host_segments, 0);
    return 0;
}

void run_while(const int *what, int from) {
    int64_t end = gt_sys_now() + 5000;

    while (*what == from) {
        assert_true(gt_sys_now() < end);
        assert_true(gt_poller_run(poller, 100, 16) >= 0);
    }
}

void settle(void) {
    while (gt_poller_run(poller, 20, 16) > 0) {
    }
}

call new_call(enum gt_op_kind kind, size_t length) {
    return (call){.op = {.kind = (uint8_t)kind, .length = length}};
}

int start_file(owned *o, call *c, int fd, int64_t offset, uint64_t size) {
    c->file = (gt_file){.fd = fd, .offset = offset, .left = size};
    return gt_sendfile(&o->socket, &c->file, &c->op);
}

gt_option active(int mode, int count) {
    return (gt_option){.name = GT_OPT_ACTIVE, .number = mode, .extra = count};
}

static gt_address loopback(uint16_t port) {
    return (gt_address){
        .size = sizeof(struct sockaddr_in),
        .in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}}};
}

owned *listening(const gt_option *options, int count, gt_address *at) {
    owned *o = new_socket();

    *at = loopback(0);
    assert_int_equal(gt_listen(&o->socket, options, count, at), 0);
    assert_int_equal(gt_sockname(&o->socket, at), 0);
    return o;
}

owned *connection(const gt_option *options, int count, int *peer) {
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

void finish(owned *o) {
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    let_go(&o->socket);
}

void put(int fd, const char *bytes) {
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

size_t drain(int fd, size_t size) {
    uint8_t bytes[65536];
    size_t got = 0;
    int64_t end = gt_sys_now() + 5000;

    while (got < size) {
        ssize_t n = recv(fd, bytes, size - got < sizeof bytes ? size - got : sizeof bytes, MSG_DONTWAIT);
        assert_true(n != 0 && gt_sys_now() < end);
        got += n > 0 ? (size_t)n : 0;
        (void)gt_poller_run(poller, n > 0 ? 0 : 1, 16);
    }
    return got;
}
