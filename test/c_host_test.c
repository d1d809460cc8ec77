/* SPDX-License-Identifier: Apache-2.0 */
/* The C host's own parts: handles, mailboxes, waiting on another's socket, the end of a process, the caller's own loop,
 * and what is refused. */
#include "test/connection.h"

/* ---- handles ---- */

/* What each call answers on a handle: those about the stream; those about options and addresses; close. */
static void assert_answers(gentcp_socket s, int stream, int inspection, int close) {
    gentcp_option wanted[] = {GENTCP_NODELAY(0), GENTCP_END};
    gentcp_address address;
    gentcp_message message;
    gentcp_socket accepted;
    gentcp_data data;
    gentcp_pid self;
    int64_t number;
    uint16_t port;
    char byte = 0;

    assert_ok(gentcp_self(&self));
    assert_int_equal(gentcp_recv(s, 0, 0, &data), stream);
    assert_int_equal(gentcp_recv_into(s, &byte, 1, 0), stream);
    assert_int_equal(gentcp_unrecv(s, "x", 1), stream);
    assert_int_equal(gentcp_send(s, "x", 1), stream);
    assert_int_equal(gentcp_send_ref(s, "x", 1, NULL, NULL), stream);
    assert_int_equal(gentcp_accept(s, 0, &accepted), stream);
    assert_int_equal(gentcp_shutdown(s, SHUT_WR), stream);
    assert_int_equal(gentcp_controlling_process(s, self), stream);
    assert_int_equal(gentcp_receive_from(s, &message, GENTCP_INFINITY), stream);
    assert_int_equal(gentcp_setopts(s, gentcp_options(GENTCP_NODELAY(true))), inspection);
    assert_int_equal(gentcp_getopts(s, wanted), inspection);
    assert_int_equal(gentcp_getopt(s, GENTCP_OPT_NODELAY, &number), inspection);
    assert_int_equal(gentcp_sockname(s, &address), inspection);
    assert_int_equal(gentcp_peername(s, &address), inspection);
    assert_int_equal(gentcp_port(s, &port), inspection);
    assert_int_equal(gentcp_socket_fd(s), inspection);
    assert_int_equal(gentcp_close(s), close);
}

static void assert_never_was(uint64_t id) {
    assert_answers((gentcp_socket){id}, GENTCP_BADARG, GENTCP_BADARG, GENTCP_BADARG);
}

static void a_handle_that_never_was_is_badarg(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);

    (void)state;
    assert_never_was(0);
    assert_never_was(1);
    assert_never_was(UINT64_MAX);
    assert_never_was(ends.here.id + (1ull << 32));      /* one of the future, */
    assert_never_was(ends.here.id & UINT32_MAX);        /* one from before the first, */
    assert_never_was(ends.here.id | (UINT32_MAX >> 1)); /* and one beyond the table */
    assert_int_equal(gentcp_post((gentcp_pid){0}, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_post((gentcp_pid){UINT64_MAX}, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_controlling_process(ends.here, (gentcp_pid){0}), GENTCP_BADARG);
}

static void a_handle_that_was_closed_says_so(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);

    (void)state;
    assert_ok(gentcp_close(ends.here));
    assert_answers(ends.here, GENTCP_CLOSED, -EINVAL, 0);
}

static void a_stale_handle_does_not_reach_what_took_its_place(void **state) {
    gentcp_socket old[50];
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_ok(gentcp_listen(0, gentcp_options(GENTCP_IP("loopback")), &old[i]));
        for (int k = 0; k < i; k++)
            assert_true(old[k].id != old[i].id);
        if (i % 10 != 9)
            assert_ok(gentcp_close(old[i]));
    }
    for (int i = 0; i < 50; i++) {
        if (i % 10 != 9)
            assert_answers(old[i], GENTCP_CLOSED, -EINVAL, 0);
    }
    assert_ok(gentcp_port(old[49], &port));
    assert_ok(gentcp_port(listener, &port));
}

/* ---- mailboxes ---- */

static void *post_numbers(void *to) {
    for (intptr_t i = 1; i <= 1000; i++) {
        if (gentcp_post(*(gentcp_pid *)to, (void *)i) != 0)
            break;
    }
    return NULL;
}

static void posted_messages_come_in_order(void **state) {
    gentcp_message message;
    pthread_t sender;
    gentcp_pid self;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(pthread_create(&sender, NULL, post_numbers, &self));
    for (intptr_t i = 1; i <= 1000; i++) {
        assert_ok(gentcp_receive(&message, SOON));
        assert_int_equal(message.kind, GENTCP_USER);
        assert_int_equal((intptr_t)message.user, i);
    }
    pthread_join(sender, NULL);
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
}

static int receive_one(call *c) {
    gentcp_message message;
    int status = gentcp_receive(&message, c->timeout);

    return status != 0 ? status : message.kind == GENTCP_USER && message.user == c ? 0 : 1;
}

/* The process of the thread that was started last; known once it waits. */
static _Atomic uint64_t asleep_id;

static int tell_pid(void) {
    gentcp_pid self;
    int status = gentcp_self(&self);

    if (status == 0)
        atomic_store(&asleep_id, self.id);
    return status;
}

static gentcp_pid asleep(void) {
    return (gentcp_pid){atomic_load(&asleep_id)};
}

static int tell_pid_and_receive(call *c) {
    int status = tell_pid();

    return status != 0 ? status : receive_one(c);
}

static void posting_wakes_a_process_that_sleeps(void **state) {
    call owner = {.make = tell_pid_and_receive, .timeout = GENTCP_INFINITY};

    (void)state;
    start(&owner);
    assert_true(waits(&owner));
    assert_ok(gentcp_post(asleep(), &owner));
    assert_int_equal(finish(&owner), 0);
    assert_int_equal(gentcp_post(asleep(), &owner), GENTCP_BADARG); /* its process has ended with it */
}

static void selective_receive_leaves_the_rest_in_order(void **state) {
    pair a = connect_pair(gentcp_options(GENTCP_PACKET(4)));
    pair b = connect_pair(gentcp_options(GENTCP_PACKET(4)));
    gentcp_message message;
    gentcp_pid self;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_setopts(a.there, gentcp_options(GENTCP_PACKET(4))));
    assert_ok(gentcp_setopts(b.there, gentcp_options(GENTCP_PACKET(4))));
    assert_ok(gentcp_post(self, &a));
    assert_ok(gentcp_send(a.there, "a1", 2));
    assert_ok(gentcp_send(a.there, "a2", 2));
    assert_ok(gentcp_send(b.there, "b1", 2));
    assert_tcp(b.here, "b1");
    assert_ok(gentcp_post(self, &b));
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, &a);
    assert_tcp(a.here, "a1");
    assert_tcp(a.here, "a2");
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, &b);
}

static void what_a_closed_socket_left_in_the_mailbox_can_be_received(void **state) {
    pair ends = connect_pair(NULL);

    (void)state;
    assert_ok(gentcp_send(ends.there, "left", 4));
    assert_ok(gentcp_close(ends.there));
    assert_tcp(ends.here, "left");
    assert_told(ends.here, GENTCP_TCP_CLOSED);
    assert_answers(ends.here, GENTCP_CLOSED, -EINVAL, 0);
}

static _Atomic uint64_t waited_for; /* the socket of connect_and_receive_from, once that waits */

static int connect_and_receive_from(call *c) {
    gentcp_message message;
    int status = gentcp_connect("127.0.0.1", (uint16_t)c->length, NULL, SOON, &c->socket);

    atomic_store(&waited_for, c->socket.id);
    return status != 0 ? status : gentcp_receive_from(c->socket, &message, GENTCP_INFINITY);
}

static void receive_from_ends_when_another_thread_closes_the_socket(void **state) {
    call receiver = {.make = connect_and_receive_from};
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(NULL, &port);
    receiver.length = port;
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_close((gentcp_socket){atomic_load(&waited_for)}));
    assert_int_equal(finish(&receiver), GENTCP_CLOSED);
}

static void a_full_mailbox_does_not_keep_sockets_from_being_served(void **state) {
    gentcp_message message = {.kind = GENTCP_USER};
    pair ends = connect_pair(NULL);
    gentcp_pid self;
    int received = 0;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_send(ends.there, "here", 4));
    do {
        assert_ok(gentcp_post(self, &self)); /* never empty */
        assert_ok(gentcp_post(self, &self));
        assert_ok(gentcp_receive(&message, 0));
    } while (message.kind == GENTCP_USER && ++received < 10000);
    assert_int_equal(message.kind, GENTCP_TCP);
    assert_text(&message.data, "here");
}

/* ---- another process's sockets ---- */

/* A process that owns sockets and sleeps outside gentcp until it may go. */
typedef struct sleeper {
    gentcp_socket listener;
    gentcp_socket socket;
    gentcp_pid pid;
    const gentcp_option *options;
    uint16_t port;
    int status;
    pthread_barrier_t ready, leave;
    pthread_t thread;
} sleeper;

static int open_for_sleeper(sleeper *s) {
    int status = gentcp_self(&s->pid);

    if (status == 0)
        status = gentcp_listen(0, gentcp_options(GENTCP_IP("loopback"), GENTCP_ACTIVE(false)), &s->listener);
    if (status == 0)
        status = gentcp_port(s->listener, &s->port);
    return status != 0 ? status : gentcp_connect("127.0.0.1", s->port, s->options, SOON, &s->socket);
}

static void *sleep_with_sockets(void *arg) {
    sleeper *s = arg;

    s->status = open_for_sleeper(s);
    pthread_barrier_wait(&s->ready);
    pthread_barrier_wait(&s->leave);
    return NULL;
}

static void begin_sleeper(sleeper *s, const gentcp_option *options) {
    s->options = options;
    pthread_barrier_init(&s->ready, NULL, 2);
    pthread_barrier_init(&s->leave, NULL, 2);
    assert_ok(pthread_create(&s->thread, NULL, sleep_with_sockets, s));
    pthread_barrier_wait(&s->ready);
    assert_ok(s->status);
}

static void end_sleeper(sleeper *s) {
    pthread_barrier_wait(&s->leave);
    pthread_join(s->thread, NULL);
    pthread_barrier_destroy(&s->ready);
    pthread_barrier_destroy(&s->leave);
}

static void waiting_on_a_sleeping_process_s_sockets(void **state) {
    sleeper owner;
    gentcp_socket accepted, second;
    call receiver = {.make = make_recv, .length = 4, .timeout = SOON};

    (void)state;
    begin_sleeper(&owner, JUST_PASSIVE);
    assert_ok(gentcp_accept(owner.listener, SOON, &accepted)); /* the one that connected before */
    receiver.socket = owner.socket;
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_send(accepted, "fo", 2));
    assert_ok(gentcp_send(accepted, "ur", 2));
    assert_int_equal(finish(&receiver), 0);
    assert_text(&receiver.data, "four");
    assert_int_equal(recv_status(owner.socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_accept(owner.listener, BRIEFLY, &second), GENTCP_TIMEOUT);
    end_sleeper(&owner);
    assert_int_equal(recv_status(accepted, 0, SOON), GENTCP_CLOSED);
}

static void sending_more_than_the_kernel_takes_on_a_sleeping_process_s_socket(void **state) {
    enum { SIZE = 8 * 1024 * 1024 };
    sleeper owner;
    gentcp_socket accepted;
    gentcp_data data;
    char *bytes = calloc(1, SIZE);
    call sender = {.make = make_send, .bytes = bytes, .length = SIZE};

    (void)state;
    assert_non_null(bytes);
    bytes[SIZE - 1] = 7;
    begin_sleeper(&owner, JUST_PASSIVE);
    assert_ok(gentcp_accept(owner.listener, SOON, &accepted));
    sender.socket = owner.socket;
    start(&sender);
    assert_true(waits(&sender));
    assert_ok(gentcp_recv(accepted, SIZE, SOON, &data));
    assert_int_equal(data.bytes[SIZE - 1], 7);
    gentcp_data_release(&data);
    assert_int_equal(finish(&sender), 0);
    end_sleeper(&owner);
    free(bytes);
}

/* Sends until the kernel takes no more, so that something stays queued. */
static void fill_queue(gentcp_socket socket) {
    static const char bytes[64 * 1024];
    int status = 0;

    for (int i = 0; i < 10000 && status == 0; i++)
        status = gentcp_send(socket, bytes, sizeof bytes);
    assert_int_equal(status, GENTCP_TIMEOUT);
}

static void closing_a_sleeping_process_s_socket_flushes_for_its_time_only(void **state) {
    sleeper owner;
    gentcp_socket accepted;

    (void)state;
    begin_sleeper(&owner, PASSIVE(GENTCP_SEND_TIMEOUT(0), GENTCP_LINGER(true, 1)));
    assert_ok(gentcp_accept(owner.listener, SOON, &accepted));
    fill_queue(owner.socket);
    assert_ok(gentcp_close(owner.socket)); /* nobody reads: gives up after a second */
    assert_answers(owner.socket, GENTCP_CLOSED, -EINVAL, 0);
    end_sleeper(&owner);
}

static void a_recv_that_waits_goes_on_when_its_socket_gets_another_owner(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    call receiver = {.make = make_recv, .socket = ends.here, .length = 8, .timeout = SOON};
    sleeper owner;

    (void)state;
    begin_sleeper(&owner, JUST_PASSIVE);
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_send(ends.there, "one ", 4));
    assert_ok(gentcp_controlling_process(ends.here, owner.pid));
    assert_ok(gentcp_send(ends.there, "two.", 4));
    assert_int_equal(finish(&receiver), 0);
    assert_text(&receiver.data, "one two.");
    end_sleeper(&owner);
}

static int tell_pid_and_recv(call *c) {
    int status = tell_pid();

    return status != 0 ? status : make_recv(c);
}

static void a_recv_that_waits_goes_on_when_its_caller_becomes_the_owner(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    call receiver = {.make = tell_pid_and_recv, .socket = ends.here, .length = 8, .timeout = SOON};

    (void)state;
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_controlling_process(ends.here, asleep()));
    assert_ok(gentcp_send(ends.there, "one ", 4));
    assert_ok(gentcp_send(ends.there, "two.", 4));
    assert_int_equal(finish(&receiver), 0);
    assert_text(&receiver.data, "one two.");
}

/* ---- owners ---- */

static int take_over(call *c) {
    gentcp_message message;
    char got[16];
    int status = tell_pid();
    int n = 0;

    while (n < 6) {
        if (status == 0)
            status = gentcp_receive(&message, SOON);
        if (status != 0)
            return status;
        if (message.kind == GENTCP_TCP && message.data.size == 1)
            got[n++] = (char)message.data.bytes[0];
        else
            got[n++] = message.kind == GENTCP_TCP_CLOSED ? 'c' : message.kind == GENTCP_USER ? 'u' : '?';
        gentcp_data_release(&message.data);
    }
    got[n] = 0;
    return strcmp(got, c->bytes);
}

static void messages_go_with_their_socket_to_its_new_owner(void **state) {
    pair mine = connect_pair(gentcp_options(GENTCP_PACKET(1)));
    pair given = connect_pair(gentcp_options(GENTCP_PACKET(1)));
    call taker = {.make = take_over, .bytes = "u1234c"};
    gentcp_message message;
    gentcp_pid self;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_setopts(given.there, gentcp_options(GENTCP_PACKET(1))));
    assert_ok(gentcp_setopts(mine.there, gentcp_options(GENTCP_PACKET(1))));
    assert_ok(gentcp_send(given.there, "1", 1));
    assert_ok(gentcp_send(mine.there, "m", 1));
    assert_ok(gentcp_send(given.there, "2", 1));
    assert_ok(gentcp_post(self, &self));
    while (gentcp_receive_from(given.there, &message, 0) == 0) /* lets the poller fill the mailbox */
        ;
    start(&taker);
    assert_true(waits(&taker));
    assert_ok(gentcp_post(asleep(), NULL));
    assert_ok(gentcp_controlling_process(given.here, asleep()));
    assert_int_equal(gentcp_controlling_process(given.here, self), GENTCP_NOT_OWNER);
    assert_ok(gentcp_controlling_process(given.here, asleep())); /* it is already */
    assert_ok(gentcp_send(given.there, "3", 1));
    assert_ok(gentcp_send(given.there, "4", 1));
    assert_ok(gentcp_close(given.there));
    assert_int_equal(finish(&taker), 0);
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, &self);
    assert_tcp(mine.here, "m");
}

static void an_ended_process_can_own_nothing(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    sleeper gone;

    (void)state;
    begin_sleeper(&gone, NULL);
    end_sleeper(&gone);
    assert_int_equal(gentcp_controlling_process(ends.here, gone.pid), GENTCP_BADARG);
    assert_ok(gentcp_send(ends.there, "mine", 4));
    assert_recv(ends.here, 0, "mine");
}

/* ---- the end of a process ---- */

static int queue_and_exit(call *c) {
    gentcp_socket socket;
    const gentcp_option *options =
        gentcp_options(GENTCP_SNDBUF(16 * 1024), GENTCP_HIGH_WATERMARK(1 << 30), GENTCP_LOW_WATERMARK(1 << 30));
    int status = gentcp_connect("127.0.0.1", (uint16_t)c->timeout, options, SOON, &socket);

    if (status == 0)
        status = gentcp_send(socket, c->bytes, c->length);
    if (status == 0 && c->socket.id != 0)
        gentcp_exit();
    return status;
}

/* explicitly: by gentcp_exit, else by the thread's end. */
static void assert_flushed_at_exit(bool explicitly) {
    enum { SIZE = 4 * 1024 * 1024 };
    char *sent = malloc(SIZE), *got = malloc(SIZE);
    call owner = {.make = queue_and_exit, .bytes = sent, .length = SIZE, .socket = {explicitly}};
    uint16_t port;
    int listener = plain_listener(&port, 1);
    int peer;

    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i / 251);
    owner.timeout = port;
    assert_ok(pthread_create(&owner.thread, NULL, call_main, &owner));
    peer = accept(listener, NULL, NULL);
    assert_int_equal(plain_read(peer, got, SIZE, SOON), SIZE);
    assert_memory_equal(sent, got, SIZE);
    assert_int_equal(plain_end(peer), 0);
    assert_int_equal(finish(&owner), 0);
    close(peer);
    close(listener);
    free(sent);
    free(got);
}

static void exit_sends_what_is_queued_and_closes(void **state) {
    (void)state;
    assert_flushed_at_exit(true);
}

static void a_thread_s_end_sends_what_is_queued_and_closes(void **state) {
    (void)state;
    assert_flushed_at_exit(false);
}

static void exit_gives_up_on_a_peer_that_reads_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_SEND_TIMEOUT(0), GENTCP_LINGER(true, 1)), &socket);

    (void)state;
    fill_queue(socket);
    gentcp_exit();
    assert_answers(socket, GENTCP_CLOSED, -EINVAL, 0);
    close(peer);
}

static void exit_answers_those_who_wait_on_its_sockets_and_spares_the_rest(void **state) {
    sleeper owner;
    gentcp_socket accepted;
    pair mine = connect_pair(JUST_PASSIVE);
    call receiver = {.make = make_recv, .timeout = SOON};

    (void)state;
    begin_sleeper(&owner, JUST_PASSIVE);
    assert_ok(gentcp_accept(owner.listener, SOON, &accepted));
    receiver.socket = owner.socket;
    start(&receiver);
    assert_true(waits(&receiver));
    end_sleeper(&owner);
    assert_int_equal(finish(&receiver), GENTCP_CLOSED);
    assert_int_equal(recv_status(accepted, 0, SOON), GENTCP_CLOSED); /* the accepted one is the acceptor's */
    assert_ok(gentcp_send(mine.here, "alive", 5));
    assert_recv(mine.there, 5, "alive");
}

static void after_exit_the_thread_is_a_new_process(void **state) {
    gentcp_pid before, after;
    gentcp_message message;

    (void)state;
    assert_ok(gentcp_self(&before));
    assert_ok(gentcp_post(before, &before));
    gentcp_exit();
    gentcp_exit();
    assert_int_equal(gentcp_post(before, &before), GENTCP_BADARG);
    assert_ok(gentcp_self(&after));
    assert_true(before.id != after.id);
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
}

/* ---- the caller's own loop ---- */

/* Whether the loop would find something to do, waiting at most so long. A descriptor of gentcp's shows all there is;
 * several do together with gentcp_next_timeout. */
static bool loop_ready(int patience) {
    struct pollfd fds[16];
    int count = gentcp_pollfds(fds, 16);

    if (count == -EOPNOTSUPP) {
        fds[0] = (struct pollfd){.fd = gentcp_fd(), .events = POLLIN};
        count = 1;
    } else {
        int timeout = gentcp_next_timeout();
        assert_int_equal(gentcp_fd(), -EOPNOTSUPP);
        if (timeout >= 0 && timeout < patience)
            patience = timeout;
        if (timeout == 0)
            return true;
    }
    assert_in_range(count, 1, 16);
    return poll(fds, (nfds_t)count, patience) > 0;
}

/* Goes round the loop until there is a message. */
static void loop_receive(gentcp_message *message) {
    for (int i = 0; i < 100; i++) {
        assert_true(loop_ready(SOON));
        if (gentcp_receive(message, 0) == 0)
            return;
    }
    fail_msg("ready again and again, but no message");
}

static void the_callers_own_loop_is_told_of_every_message(void **state) {
    call sender = {.make = make_send, .bytes = "data", .length = 4};
    gentcp_message message;
    gentcp_pid self;
    pair ends;

    (void)state;
    assert_ok(gentcp_self(&self));
    ends = connect_pair(NULL);
    while (loop_ready(0)) /* whatever connecting has left to do */
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);

    assert_ok(gentcp_post(self, &ends)); /* by its own thread, */
    loop_receive(&message);
    assert_ptr_equal(message.user, &ends);
    sender.socket = ends.there;
    start(&sender); /* from the network, */
    loop_receive(&message);
    assert_int_equal(message.kind, GENTCP_TCP);
    assert_text(&message.data, "data");
    assert_int_equal(finish(&sender), 0);
    assert_ok(gentcp_post(self, &ends));
    assert_ok(gentcp_post(self, &self));
    loop_receive(&message); /* one of two is left */
    loop_receive(&message);
    assert_ptr_equal(message.user, &self);
    while (loop_ready(0))
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    assert_false(loop_ready(BRIEFLY));
}

static int loop_until_told(call *c) {
    struct pollfd fds[4];
    gentcp_message message;
    int status = tell_pid();
    int count = gentcp_pollfds(fds, 4);

    if (count == -EOPNOTSUPP) {
        fds[0] = (struct pollfd){.fd = gentcp_fd(), .events = POLLIN};
        count = 1;
    }
    if (status == 0)
        status = poll(fds, (nfds_t)count, SOON) > 0 ? 0 : GENTCP_TIMEOUT;
    return status != 0 ? status : gentcp_receive(&message, 0) != 0 || message.user != c;
}

static void posting_wakes_the_callers_own_loop(void **state) {
    call looper = {.make = loop_until_told};

    (void)state;
    start(&looper);
    assert_true(waits(&looper));
    assert_ok(gentcp_post(asleep(), &looper));
    assert_int_equal(finish(&looper), 0);
}

static void the_callers_own_loop_is_told_of_what_came_during_another_call(void **state) {
    pair waiting = connect_pair(JUST_PASSIVE);
    pair active = connect_pair(NULL);
    gentcp_message message;

    (void)state;
    (void)loop_ready(0);
    assert_ok(gentcp_send(active.there, "data", 4));
    assert_int_equal(recv_status(waiting.here, 0, BRIEFLY), GENTCP_TIMEOUT);
    loop_receive(&message);
    assert_text(&message.data, "data");
}

/* ---- sending by reference ---- */

static void count_release(void *count) {
    atomic_fetch_add((atomic_int *)count, 1);
}

static void bytes_sent_by_reference_are_released_once(void **state) {
    static char bytes[4 * 1024 * 1024];
    static atomic_int released;
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_SEND_TIMEOUT(0)), &socket);
    int sent = 0;

    (void)state;
    atomic_store(&released, 0);
    assert_ok(gentcp_send_ref(socket, "", 0, count_release, &released)); /* nothing to send, */
    assert_int_equal(atomic_load(&released), 1);
    assert_ok(gentcp_send_ref(socket, bytes, 10, count_release, &released)); /* taken at once, */
    assert_int_equal(atomic_load(&released), 2);
    while (gentcp_send_ref(socket, bytes, sizeof bytes, count_release, &released) == 0 && sent < 100)
        sent++;
    assert_int_equal(atomic_load(&released), 2 + sent); /* queued, */
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_LINGER(true, 0))));
    assert_ok(gentcp_close(socket)); /* dropped, */
    assert_int_equal(atomic_load(&released), 3 + sent);
    assert_int_equal(gentcp_send_ref(socket, bytes, 1, count_release, &released), GENTCP_CLOSED); /* and refused */
    assert_int_equal(atomic_load(&released), 4 + sent);
    close(peer);
}

static void bytes_sent_by_reference_arrive_after_a_header(void **state) {
    enum { SIZE = 6 * 1024 * 1024 };
    pair ends = connect_pair(PASSIVE(GENTCP_PACKET(4)));
    char *bytes = malloc(SIZE);
    call receiver = {.make = make_recv, .socket = ends.there, .timeout = SOON};

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i / 253);
    assert_ok(gentcp_setopts(ends.there, gentcp_options(GENTCP_PACKET(4))));
    start(&receiver);
    assert_ok(gentcp_send_ref(ends.here, bytes, SIZE, NULL, NULL));
    assert_int_equal(finish(&receiver), 0);
    assert_int_equal(receiver.data.size, SIZE);
    assert_memory_equal(receiver.data.bytes, bytes, SIZE);
    gentcp_data_release(&receiver.data);
    free(bytes);
}

static void many_parts_make_one_packet(void **state) {
    pair ends = connect_pair(PASSIVE(GENTCP_PACKET(4)));
    struct iovec parts[1024];
    gentcp_data data;

    (void)state;
    assert_ok(gentcp_setopts(ends.there, gentcp_options(GENTCP_PACKET(4))));
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){.iov_base = i % 3 == 0 ? NULL : "xyz", .iov_len = (size_t)(i % 3)};
    assert_ok(gentcp_sendv(ends.here, parts, 1024));
    assert_ok(gentcp_recv(ends.there, 0, SOON, &data));
    assert_int_equal(data.size, 1023);
    gentcp_data_release(&data);
    assert_ok(gentcp_sendv(ends.here, NULL, 0));
    assert_ok(gentcp_recv(ends.there, 0, SOON, &data));
    assert_int_equal(data.size, 0);
    assert_non_null(data.bytes);
    gentcp_data_release(&data);
    gentcp_data_release(&data);
    gentcp_data_release(NULL);
}

/* ---- what is refused ---- */

static void null_and_numbers_out_of_range_are_badarg(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    gentcp_socket socket;
    gentcp_address address;
    struct iovec bad = {.iov_base = NULL, .iov_len = 1};
    char byte;

    (void)state;
    assert_int_equal(gentcp_connect(NULL, 1, NULL, SOON, &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("127.0.0.1", 1, NULL, SOON, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("127.0.0.1", 1, NULL, -3, &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("", 1, NULL, SOON, &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("a b", 1, NULL, SOON, &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, NULL, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_accept(ends.here, 0, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_send(ends.here, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_send_ref(ends.here, NULL, 1, NULL, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(ends.here, &bad, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(ends.here, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(ends.here, &bad, -1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(ends.here, &bad, 1025), GENTCP_BADARG);
    assert_int_equal(gentcp_recv(ends.here, 0, 0, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_recv_into(ends.here, NULL, 1, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_recv_into(ends.here, &byte, 0, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_unrecv(ends.here, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_shutdown(ends.here, 17), GENTCP_BADARG);
    assert_int_equal(gentcp_receive(NULL, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_receive_from(ends.here, NULL, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_self(NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_sockname(ends.here, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_peername(ends.here, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_port(ends.here, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_getopts(ends.here, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_getopt(ends.here, GENTCP_OPT_ACTIVE, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_pollfds(NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_address_parse("1.2.3.4.5", 1, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_parse(NULL, 1, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_configure(NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_configure(&(gentcp_config){.allocate = malloc}), GENTCP_BADARG);
    assert_int_equal(gentcp_configure(&(gentcp_config){0}), -EALREADY);
    assert_ok(gentcp_setopts(ends.here, NULL));
}

static void bad_options_are_badarg_when_opening_and_einval_when_setting(void **state) {
    static const gentcp_option bad[] = {
        {.name = 9999},
        {.name = -7},
        {.name = GENTCP_OPT_MODE, .number = 1},
        {.name = GENTCP_OPT_PACKET, .number = 3},
        {.name = GENTCP_OPT_PACKET, .number = -1},
        {.name = GENTCP_OPT_ACTIVE, .number = 4},
        {.name = GENTCP_OPT_ACTIVE, .number = GENTCP_ACTIVE_COUNT, .extra = 32768},
        {.name = GENTCP_OPT_BUFFER, .number = -1},
        {.name = GENTCP_OPT_SEND_TIMEOUT, .number = -2},
        {.name = GENTCP_OPT_LINGER, .number = 1, .extra = 65536},
        {.name = GENTCP_OPT_NODELAY, .number = 2},
        {.name = GENTCP_OPT_FAMILY, .number = 99},
        {.name = GENTCP_OPT_IP, .text = NULL},
        {.name = GENTCP_OPT_IP, .text = "localhost"},
        {.name = GENTCP_OPT_IP, .text = "256.1.1.1"},
    };
    pair ends = connect_pair(JUST_PASSIVE);
    gentcp_option many[GENTCP_OPTIONS_MAX + 2];
    gentcp_socket socket;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gentcp_option list[] = {GENTCP_KEEPALIVE(true), bad[i], GENTCP_END};
        assert_int_equal(gentcp_listen(0, list, &socket), GENTCP_BADARG);
        assert_int_equal(gentcp_connect("127.0.0.1", 1, list, SOON, &socket), GENTCP_BADARG);
        assert_int_equal(gentcp_setopts(ends.here, list), -EINVAL);
        assert_int_equal(option_of(ends.here, GENTCP_OPT_KEEPALIVE), 0); /* none was applied */
    }
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_INET6), GENTCP_IP("127.0.0.1")), &socket),
                     GENTCP_BADARG);
    for (int i = 0; i <= GENTCP_OPTIONS_MAX; i++)
        many[i] = GENTCP_NODELAY(true);
    many[GENTCP_OPTIONS_MAX + 1] = GENTCP_END;
    assert_int_equal(gentcp_setopts(ends.here, many), -EINVAL);
    many[GENTCP_OPTIONS_MAX] = GENTCP_END;
    assert_ok(gentcp_setopts(ends.here, many));
}

static void getopts_reads_what_was_set(void **state) {
    pair ends = connect_pair(PASSIVE(GENTCP_PACKET(GENTCP_LINE), GENTCP_LINGER(true, 7), GENTCP_NODELAY(true)));
    gentcp_option wanted[] = {GENTCP_ACTIVE(0),      GENTCP_PACKET(0),         GENTCP_LINGER(0, 0), GENTCP_NODELAY(0),
                              GENTCP_IPV6_V6ONLY(0), GENTCP_HIGH_WATERMARK(1), GENTCP_KEEPALIVE(1), GENTCP_END};
    gentcp_option unreadable[] = {GENTCP_NODELAY(0), GENTCP_LINE_DELIMITER(0), GENTCP_END};
    int64_t number;

    (void)state;
    assert_ok(gentcp_getopts(ends.here, wanted));
    assert_int_equal(wanted[0].number, GENTCP_PASSIVE);
    assert_int_equal(wanted[1].number, GENTCP_LINE);
    assert_int_equal(wanted[2].number, true);
    assert_int_equal(wanted[2].extra, 7);
    assert_int_equal(wanted[3].number, true);
    assert_int_equal(wanted[4].name, GENTCP_OPT_ABSENT);
    assert_int_equal(wanted[5].number, 0);
    assert_int_equal(wanted[6].number, false);
    assert_int_equal(gentcp_getopts(ends.here, unreadable), -EINVAL);
    assert_int_equal(gentcp_getopt(ends.here, GENTCP_OPT_IPV6_V6ONLY, &number), -ENOPROTOOPT);
    assert_int_equal(gentcp_getopt(ends.here, GENTCP_OPT_MODE, &number), -EINVAL);
    assert_ok(gentcp_setopts(ends.there, gentcp_options(GENTCP_ACTIVE_N(5))));
    wanted[1] = GENTCP_END;
    assert_ok(gentcp_getopts(ends.there, wanted));
    assert_int_equal(wanted[0].number, GENTCP_ACTIVE_COUNT);
    assert_int_equal(wanted[0].extra, 5);
}

/* ---- addresses ---- */

static void addresses_as_text(void **state) {
    static const char *const texts[] = {"127.0.0.1", "::1", "2001:db8::17", "fe80::1%lo"};
    char text[GENTCP_ADDRESS_TEXT];
    gentcp_address address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (gentcp_address_parse(texts[i], 4711, &address) != 0) {
            assert_int_equal(i, 3); /* there may be no interface of that name */
            continue;
        }
        assert_int_equal(gentcp_address_port(&address), 4711);
        assert_ok(gentcp_address_format(&address, text, sizeof text));
        assert_string_equal(text, texts[i]);
        assert_int_equal(gentcp_address_format(&address, text, strlen(texts[i])), -ENOSPC);
        assert_ok(gentcp_address_format(&address, text, strlen(texts[i]) + 1));
    }
}

static void a_connection_s_addresses(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    gentcp_address address;
    char text[GENTCP_ADDRESS_TEXT];
    uint16_t port;

    (void)state;
    assert_ok(gentcp_peername(ends.here, &address));
    assert_ok(gentcp_address_format(&address, text, sizeof text));
    assert_string_equal(text, "127.0.0.1");
    assert_ok(gentcp_port(ends.there, &port));
    assert_int_equal(gentcp_address_port(&address), port);
    assert_true(gentcp_socket_fd(ends.here) >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_handle_that_never_was_is_badarg),
        TEST(a_handle_that_was_closed_says_so),
        TEST(a_stale_handle_does_not_reach_what_took_its_place),
        TEST(posted_messages_come_in_order),
        TEST(posting_wakes_a_process_that_sleeps),
        TEST(selective_receive_leaves_the_rest_in_order),
        TEST(what_a_closed_socket_left_in_the_mailbox_can_be_received),
        TEST(receive_from_ends_when_another_thread_closes_the_socket),
        TEST(a_full_mailbox_does_not_keep_sockets_from_being_served),
        TEST(waiting_on_a_sleeping_process_s_sockets),
        TEST(sending_more_than_the_kernel_takes_on_a_sleeping_process_s_socket),
        TEST(closing_a_sleeping_process_s_socket_flushes_for_its_time_only),
        TEST(a_recv_that_waits_goes_on_when_its_socket_gets_another_owner),
        TEST(a_recv_that_waits_goes_on_when_its_caller_becomes_the_owner),
        TEST(messages_go_with_their_socket_to_its_new_owner),
        TEST(an_ended_process_can_own_nothing),
        TEST(exit_sends_what_is_queued_and_closes),
        TEST(a_thread_s_end_sends_what_is_queued_and_closes),
        TEST(exit_gives_up_on_a_peer_that_reads_nothing),
        TEST(exit_answers_those_who_wait_on_its_sockets_and_spares_the_rest),
        TEST(after_exit_the_thread_is_a_new_process),
        TEST(the_callers_own_loop_is_told_of_every_message),
        TEST(posting_wakes_the_callers_own_loop),
        TEST(the_callers_own_loop_is_told_of_what_came_during_another_call),
        TEST(bytes_sent_by_reference_are_released_once),
        TEST(bytes_sent_by_reference_arrive_after_a_header),
        TEST(many_parts_make_one_packet),
        TEST(null_and_numbers_out_of_range_are_badarg),
        TEST(bad_options_are_badarg_when_opening_and_einval_when_setting),
        TEST(getopts_reads_what_was_set),
        TEST(addresses_as_text),
        TEST(a_connection_s_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
