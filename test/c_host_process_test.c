/* SPDX-License-Identifier: Apache-2.0 */
/* The C host's processes: waiting on another's sockets, a new owner, and the end of a process. */
#include "test/connection.h"

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
    assert_int_equal(gentcp_send(owner.socket, "x", 1), GENTCP_CLOSED);
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
    int status = tell_pid(c);

    return status != 0 ? status : make_recv(c);
}

static void a_recv_that_waits_goes_on_when_its_caller_becomes_the_owner(void **state) {
    pair ends = connect_pair(JUST_PASSIVE);
    call receiver = {.make = tell_pid_and_recv, .socket = ends.here, .length = 8, .timeout = SOON};

    (void)state;
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_controlling_process(ends.here, pid_of(&receiver)));
    assert_ok(gentcp_send(ends.there, "one ", 4));
    assert_ok(gentcp_send(ends.there, "two.", 4));
    assert_int_equal(finish(&receiver), 0);
    assert_text(&receiver.data, "one two.");
}

/* ---- owners ---- */

static int take_over(call *c) {
    gentcp_message message;
    char got[16];
    int status = tell_pid(c);
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
    assert_ok(gentcp_post(pid_of(&taker), NULL));
    assert_ok(gentcp_controlling_process(given.here, pid_of(&taker)));
    assert_int_equal(gentcp_controlling_process(given.here, self), GENTCP_NOT_OWNER);
    assert_ok(gentcp_controlling_process(given.here, pid_of(&taker))); /* it is already */
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
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
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

int main(void) {
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
