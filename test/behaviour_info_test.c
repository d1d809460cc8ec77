/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_info: what a socket is at each moment of its life. */
#include "test/connection.h"

static gentcp_socket_info info_of(gentcp_socket socket) {
    gentcp_socket_info info;

    assert_ok(gentcp_info(socket, &info));
    return info;
}

static uint64_t self(void) {
    gentcp_pid pid;

    assert_ok(gentcp_self(&pid));
    return pid.id;
}

static void a_connection_tells_its_owner_family_mode_and_counters(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(7)), &socket);
    gentcp_socket_info info;

    (void)state;
    assert_ok(gentcp_send(socket, "12345", 5));
    plain_say(peer, "abc");
    assert_tcp(socket, "abc");
    info = info_of(socket);
    assert_int_equal(info.state, GENTCP_IS_OPEN);
    assert_int_equal(info.owner.id, self());
    assert_int_equal(info.family, AF_INET);
    assert_int_equal(info.active, GENTCP_ACTIVE_COUNT);
    assert_int_equal(info.active_count, 6);
    assert_int_equal(info.stat.send_oct, 5);
    assert_int_equal(info.stat.recv_oct, 3);
    assert_int_equal(info.input + info.output + info.readers + info.senders, 0);
    assert_false(info.busy || info.read_ended || info.write_ended);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    info = info_of(socket);
    assert_int_equal(info.active, GENTCP_ONCE);
    assert_int_equal(info.active_count, 0);
    close(peer);
}

static void a_listener_tells_how_many_wait(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    gentcp_socket_info info = info_of(listener);

    (void)state;
    assert_int_equal(info.state, GENTCP_IS_LISTENING);
    assert_int_equal(info.readers, 0);
    assert_int_equal(gentcp_accept(listener, 0, &(gentcp_socket){0}), GENTCP_TIMEOUT);
    assert_int_equal(info_of(listener).readers, 0);
}

static void what_waits_and_what_is_queued_is_counted(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(GENTCP_HIGH_WATERMARK(10), GENTCP_LOW_WATERMARK(5)), &socket, &full);
    call receiving = {.make = make_recv, .socket = socket, .length = 10, .timeout = SOON};
    call sending = {.make = make_send, .socket = socket, .bytes = "12345678", .length = 8};
    gentcp_socket_info info;

    (void)state;
    assert_ok(gentcp_send(socket, "12345678", 8));
    info = info_of(socket);
    assert_int_equal(info.output, 8);
    assert_int_equal(info.stat.send_pend, 8);
    assert_false(info.busy);
    start(&sending);
    plain_say(peer, "abc");
    start(&receiving);
    info = info_of(socket);
    assert_int_equal(info.output, 16);
    assert_true(info.busy);
    assert_int_equal(info.senders, 1);
    assert_int_equal(info.readers, 1);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_LINGER(true, 0))));
    assert_ok(gentcp_close(socket));
    assert_int_equal(finish(&sending), GENTCP_CLOSED);
    assert_int_equal(finish(&receiving), GENTCP_CLOSED);
    close(peer);
}

static void what_was_received_and_not_asked_for_is_input(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "one\ntwo\n");
    assert_recv(socket, 0, "one\n");
    assert_int_equal(info_of(socket).input, 4);
    assert_recv(socket, 0, "two\n");
    assert_int_equal(info_of(socket).input, 0);
    close(peer);
}

static void each_end_shows(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket);
    gentcp_socket_info info;

    (void)state;
    assert_ok(shutdown(peer, SHUT_WR));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    info = info_of(socket);
    assert_int_equal(info.state, GENTCP_IS_OPEN);
    assert_true(info.read_ended && !info.write_ended);
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_true(info_of(socket).write_ended);
    close(peer);
    peer = connect_plain(JUST_PASSIVE, &socket);
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(info_of(socket).state, GENTCP_IS_ENDED);
}

static void a_closing_socket_shows_what_it_flushes(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(GENTCP_HIGH_WATERMARK(100)), &socket, &full);
    call closing = {.make = make_close, .socket = socket};
    gentcp_socket_info info;

    (void)state;
    assert_ok(gentcp_send(socket, "last", 4));
    start(&closing);
    info = info_of(socket);
    assert_int_equal(info.state, GENTCP_IS_CLOSING);
    assert_int_equal(info.output, 4);
    plain_reset(peer);
    assert_ok(finish(&closing));
    assert_int_equal(info_of(socket).state, GENTCP_IS_CLOSED);
}

static void a_closed_socket_is_no_error(void **state) {
    static const gentcp_socket_info nothing = {.state = GENTCP_IS_CLOSED};
    gentcp_socket socket, none = {0};
    gentcp_socket_info info;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_ok(gentcp_close(socket));
    info = info_of(socket);
    assert_int_equal(info.state, GENTCP_IS_CLOSED);
    assert_int_equal(info.owner.id, nothing.owner.id);
    assert_int_equal(info.stat.send_oct + info.output, 0);
    assert_int_equal(gentcp_info(none, &info), GENTCP_BADARG);
    assert_int_equal(gentcp_info(socket, NULL), GENTCP_BADARG);
    close(peer);
}

static int own_it(call *c) {
    return gentcp_accept(c->socket, SOON, &c->accepted) == 0 ? recv_status(c->accepted, 0, SOON) : -1;
}

static void another_process_may_ask(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port), socket;
    call other = {.make = own_it, .socket = listener};
    gentcp_socket_info info;

    (void)state;
    start(&other);
    assert_int_equal(info_of(listener).readers, 1);
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &socket));
    assert_ok(gentcp_send(socket, "x", 1));
    assert_ok(finish(&other));
    info = info_of(other.accepted); /* its process has ended */
    assert_int_equal(info.state, GENTCP_IS_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_connection_tells_its_owner_family_mode_and_counters),
        TEST(a_listener_tells_how_many_wait),
        TEST(what_waits_and_what_is_queued_is_counted),
        TEST(what_was_received_and_not_asked_for_is_input),
        TEST(each_end_shows),
        TEST(a_closing_socket_shows_what_it_flushes),
        TEST(a_closed_socket_is_no_error),
        TEST(another_process_may_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
