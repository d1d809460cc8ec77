/* SPDX-License-Identifier: Apache-2.0 */
/* Closing, and what calls answer after the end. */
#include <time.h>

#include "test/connection.h"

static int64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- close ---- */

static void close_waits_until_the_queue_is_sent(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(JUST_PASSIVE, &socket, &full);
    call closer = {.make = make_close, .socket = socket};

    (void)state;
    start(&closer);
    assert_true(waits(&closer));
    assert_ok(gentcp_send(socket, "x", 1)); /* until then it is open to others */
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_SEND_TIMEOUT(10))));
    assert_int_equal(plain_read_to_end(peer), full + QUEUED + 1);
    assert_ok(finish(&closer));
    close(peer);
}

static void close_waits_for_its_own_process_too(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(JUST_PASSIVE, &socket, &full);
    call reader = {.make = make_read_to_end, .peer = peer};

    (void)state;
    start(&reader);
    assert_ok(gentcp_close(socket));
    assert_int_equal(finish(&reader), full + QUEUED);
    close(peer);
}

static void close_gives_up_after_5_seconds_without_progress(void **state) {
    enum { STALL = 700 };
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(JUST_PASSIVE, &socket, &full);
    char *got = malloc(full);
    call closer = {.make = make_close, .socket = socket};
    int64_t progress;

    (void)state;
    assert_non_null(got);
    start(&closer);
    poll(NULL, 0, STALL); /* less than 5 seconds, and forgiven */
    assert_int_equal(plain_read(peer, got, full, SOON), full);
    progress = now_ms();
    assert_ok(finish(&closer));
    assert_in_range(now_ms() - progress, 4900, 6500);
    assert_true(plain_read_to_end(peer) < QUEUED);
    free(got);
    close(peer);
}

static void close_gives_up_after_the_seconds_of_linger(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(PASSIVE(GENTCP_LINGER(true, 1)), &socket, &full);
    int64_t begin = now_ms();

    (void)state;
    assert_ok(gentcp_close(socket));
    assert_in_range(now_ms() - begin, 950, 1900);
    assert_true(plain_read_to_end(peer) < full + QUEUED);
    close(peer);
}

static void close_with_linger_0_resets_and_drops_the_queue(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(PASSIVE(GENTCP_LINGER(true, 0)), &socket, &full);
    char block[1024];
    ssize_t came;

    (void)state;
    assert_ok(gentcp_close(socket));
    do
        came = recv(peer, block, sizeof block, MSG_DONTWAIT);
    while (came > 0);
    assert_int_equal(came, -1);
    assert_int_equal(errno, ECONNRESET);
    close(peer);
    peer = connect_plain(PASSIVE(GENTCP_LINGER(true, 0)), &socket);
    assert_ok(gentcp_close(socket));
    assert_int_equal(plain_end(peer), -ECONNRESET);
    close(peer);
}

static void close_without_a_queue_ends_the_stream_orderly(void **state) {
    static const int64_t seconds[] = {-1, 7};

    (void)state;
    for (int i = 0; i < 2; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_LINGER(seconds[i] >= 0, seconds[i] >= 0 ? seconds[i] : 0)), &socket);
        assert_ok(gentcp_close(socket));
        assert_ok(plain_end(peer));
        close(peer);
    }
}

static void close_ends_when_the_peer_resets_amid_the_flush(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(JUST_PASSIVE, &socket, &full);
    call closer = {.make = make_close, .socket = socket};

    (void)state;
    start(&closer);
    assert_true(waits(&closer));
    plain_reset(peer);
    assert_ok(finish(&closer));
}

static int make_accept(call *c) {
    return gentcp_accept(c->socket, c->timeout, &c->accepted);
}

static void close_tells_everybody_who_waits(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(PASSIVE(GENTCP_LINGER(true, 0)), &socket, &full);
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    call waiting[] = {{.make = make_recv, .socket = socket, .timeout = SOON},
                      {.make = make_send, .socket = socket, .bytes = "x", .length = 1},
                      {.make = make_send, .socket = socket, .bytes = "y", .length = 1},
                      {.make = make_accept, .socket = listener, .timeout = SOON},
                      {.make = make_accept, .socket = listener, .timeout = SOON}};

    (void)state;
    for (int i = 0; i < 5; i++) {
        start(&waiting[i]);
        assert_true(waits(&waiting[i]));
    }
    assert_ok(gentcp_close(socket));
    assert_ok(gentcp_close(listener));
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(&waiting[i]), GENTCP_CLOSED);
    close(peer);
}

static void messages_that_came_before_the_close_stay(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "1\n2\n");
    assert_tcp(socket, "1\n");
    assert_ok(gentcp_close(socket));
    assert_tcp(socket, "2\n");
    assert_silence(socket); /* closing by this side isn't told */
    close(peer);
}

static void closing_a_listener_leaves_what_it_has_accepted(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port), accepted, client, refused;

    (void)state;
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &client));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_close(listener));
    assert_int_equal(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &refused), -ECONNREFUSED);
    assert_ok(gentcp_send(client, "still here", 10));
    assert_recv(accepted, 0, "still here");
}

static int make_queue_and_end(call *c) {
    char *bytes = calloc(1, QUEUED);
    int status;

    if (bytes == NULL)
        return -ENOMEM;
    status = gentcp_connect("127.0.0.1", (uint16_t)c->length,
                            PASSIVE(GENTCP_HIGH_WATERMARK(64 * QUEUED), GENTCP_SNDBUF(256 * 1024)), SOON, &c->accepted);
    for (int i = 0; i < 8 && status == 0; i++)
        status = gentcp_send(c->accepted, bytes, QUEUED);
    free(bytes);
    return status;
}

static void what_a_process_has_queued_when_it_ends_is_sent(void **state) {
    uint16_t port;
    int listener = plain_listener(&port, 1);
    call sender = {.make = make_queue_and_end, .length = port};
    int peer;

    (void)state;
    start(&sender);
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(plain_read_to_end(peer), 8 * QUEUED);
    assert_ok(finish(&sender));
    close(peer);
    close(listener);
}

static void exit_closes_what_the_process_owns(void **state) {
    gentcp_socket socket, listener;
    int peer = connect_plain(NULL, &socket);
    uint16_t port;
    gentcp_message message;

    (void)state;
    listener = listen_on_loopback(NULL, &port);
    plain_say(peer, "dropped with the mailbox");
    gentcp_exit();
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_accept(listener, 0, &socket), GENTCP_CLOSED);
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    (void)plain_end(peer); /* orderly or, if what came wasn't read, not */
    close(peer);
}

/* ---- after the end ---- */

static void a_passive_socket_after_the_end_answers_closed_once_and_then_enotconn(void **state) {
    gentcp_socket socket, accepted;
    gentcp_option wanted[] = {GENTCP_NODELAY(0), GENTCP_PACKET(0), GENTCP_END};
    gentcp_pid self;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(gentcp_shutdown(socket, SHUT_WR), -ENOTCONN);
    assert_int_equal(gentcp_unrecv(socket, "x", 1), -ENOTCONN);
    assert_int_equal(gentcp_accept(socket, 0, &accepted), -EINVAL);
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_LINE);
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_ok(gentcp_getopts(socket, wanted)); /* the system's options have gone with the descriptor */
    assert_int_equal(wanted[0].name, GENTCP_OPT_ABSENT);
    assert_int_equal(wanted[1].number, GENTCP_LINE);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_NODELAY(true))));
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_controlling_process(socket, self));
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_ok(gentcp_close(socket));
}

static void a_passive_socket_after_a_reset_answers_as_after_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(true)), &socket);
    plain_reset(peer);
    assert_int_equal(recv_status(socket, 0, SOON), -ECONNRESET);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
}

/* Noticed in writing the queue, while nobody receives. */
static void a_reset_that_nobody_has_heard_of_is_told_when_the_socket_becomes_active(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(PASSIVE(GENTCP_SHOW_ECONNRESET(true)), &socket, &full);

    (void)state;
    plain_reset(peer);
    assert_silence(socket);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void without_exit_on_close_recv_answers_closed_every_time_and_send_works(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket);

    (void)state;
    plain_say(peer, "request");
    assert_ok(shutdown(peer, SHUT_WR));
    assert_recv(socket, 0, "request");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_ok(gentcp_send(socket, "answer", 6));
        assert_plain_reads(peer, "answer");
    }
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), -EINVAL);
    assert_ok(gentcp_send(socket, "and more", 8));
    assert_plain_reads(peer, "and more");
    close(peer);
}

static void after_ones_own_close_all_calls_answer_closed_or_einval(void **state) {
    gentcp_socket sockets[2], other;
    uint16_t port;
    int peer = connect_plain(JUST_PASSIVE, &sockets[0]);
    gentcp_option active[] = {GENTCP_ACTIVE(0), GENTCP_END};
    gentcp_address address;
    gentcp_pid self;
    int64_t number;
    uint8_t byte;

    (void)state;
    sockets[1] = listen_on_loopback(NULL, &port);
    assert_ok(gentcp_self(&self));
    for (int i = 0; i < 2; i++) {
        gentcp_socket s = sockets[i];
        assert_ok(gentcp_close(s));
        assert_int_equal(recv_status(s, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(gentcp_recv_into(s, &byte, 1, SOON), GENTCP_CLOSED);
        assert_int_equal(gentcp_send(s, "x", 1), GENTCP_CLOSED);
        assert_int_equal(gentcp_sendv(s, NULL, 0), GENTCP_CLOSED);
        assert_int_equal(gentcp_send_ref(s, "x", 1, NULL, NULL), GENTCP_CLOSED);
        assert_int_equal(gentcp_shutdown(s, SHUT_WR), GENTCP_CLOSED);
        assert_int_equal(gentcp_unrecv(s, "x", 1), GENTCP_CLOSED);
        assert_int_equal(gentcp_accept(s, SOON, &other), GENTCP_CLOSED);
        assert_int_equal(gentcp_controlling_process(s, self), GENTCP_CLOSED);
        assert_int_equal(gentcp_setopts(s, JUST_PASSIVE), -EINVAL);
        assert_int_equal(gentcp_getopts(s, active), -EINVAL);
        assert_int_equal(gentcp_getopt(s, GENTCP_OPT_ACTIVE, &number), -EINVAL);
        assert_int_equal(gentcp_peername(s, &address), -EINVAL);
        assert_int_equal(gentcp_sockname(s, &address), -EINVAL);
        assert_int_equal(gentcp_port(s, &port), -EINVAL);
        assert_int_equal(gentcp_socket_fd(s), -EINVAL);
        assert_ok(gentcp_close(s));
    }
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(close_waits_until_the_queue_is_sent),
        TEST(close_waits_for_its_own_process_too),
        TEST(close_gives_up_after_5_seconds_without_progress),
        TEST(close_gives_up_after_the_seconds_of_linger),
        TEST(close_with_linger_0_resets_and_drops_the_queue),
        TEST(close_without_a_queue_ends_the_stream_orderly),
        TEST(close_ends_when_the_peer_resets_amid_the_flush),
        TEST(close_tells_everybody_who_waits),
        TEST(messages_that_came_before_the_close_stay),
        TEST(closing_a_listener_leaves_what_it_has_accepted),
        TEST(what_a_process_has_queued_when_it_ends_is_sent),
        TEST(exit_closes_what_the_process_owns),
        TEST(a_passive_socket_after_the_end_answers_closed_once_and_then_enotconn),
        TEST(a_passive_socket_after_a_reset_answers_as_after_the_end),
        TEST(a_reset_that_nobody_has_heard_of_is_told_when_the_socket_becomes_active),
        TEST(without_exit_on_close_recv_answers_closed_every_time_and_send_works),
        TEST(after_ones_own_close_all_calls_answer_closed_or_einval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
