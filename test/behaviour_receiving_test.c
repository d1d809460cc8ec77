/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving from passive sockets, and accepting. */
#include "test/connection.h"

enum { MIB = 1024 * 1024 };

static void recv_of_a_length_waits_for_exactly_that_many_bytes(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call receiver = {.make = make_recv, .socket = socket, .length = 5, .timeout = SOON};

    (void)state;
    plain_say(peer, "abc");
    start(&receiver);
    assert_true(waits(&receiver));
    plain_say(peer, "defg");
    assert_ok(finish(&receiver));
    assert_text(&receiver.data, "abcde");
    assert_recv(socket, 0, "fg");
    close(peer);
}

static void recv_of_a_long_length_puts_many_pieces_together(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    call receiver = {.make = make_recv, .socket = p.there, .length = 3 * MIB, .timeout = SOON};
    uint8_t *bytes = malloc(MIB);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < MIB; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    start(&receiver);
    for (int i = 0; i < 3; i++)
        assert_ok(gentcp_send(p.here, bytes, MIB));
    assert_ok(finish(&receiver));
    assert_int_equal(receiver.data.size, 3 * MIB);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(receiver.data.bytes + i * MIB, bytes, MIB);
    gentcp_data_release(&receiver.data);
    free(bytes);
}

static void recv_of_0_gives_what_is_there(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "ab");
    assert_recv(socket, 0, "ab");
    plain_say(peer, "cde");
    assert_recv(socket, 0, "cde");
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void recv_of_0_gives_pieces_of_at_most_buffer(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_BUFFER(4)), &socket);

    (void)state;
    plain_say(peer, "0123456789");
    assert_recv(socket, 0, "0123");
    assert_recv(socket, 0, "4567");
    assert_recv(socket, 0, "89");
    plain_say(peer, "0123456789");
    assert_recv(socket, 10, "0123456789");
    close(peer);
}

static void without_option_buffer_a_recv_takes_more_than_its_default(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    char bytes[20000] = "";
    gentcp_data data;

    (void)state;
    plain_send(peer, bytes, sizeof bytes);
    assert_ok(gentcp_recv(socket, 0, SOON, &data));
    assert_in_range(data.size, 1461, sizeof bytes);
    gentcp_data_release(&data);
    close(peer);
}

static void what_was_received_ends_with_a_0_behind_it(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    enum { SIZE = 200000 };
    char *bytes = malloc(SIZE);
    gentcp_data data;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', SIZE);
    plain_send(peer, bytes, SIZE);
    for (size_t size = 1; size < SIZE / 2; size *= 10) {
        assert_ok(gentcp_recv(socket, size, SOON, &data));
        assert_int_equal(strlen((char *)data.bytes), size);
        gentcp_data_release(&data);
    }
    free(bytes);
    close(peer);
}

static void recv_of_a_length_with_a_packet_type_is_einval(void **state) {
    static const int types[] = {GENTCP_PACKET_1, GENTCP_PACKET_2, GENTCP_PACKET_4, GENTCP_LINE};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(types[i])), &socket);
        plain_send(peer, "\0\0\0\0\n", 5);
        assert_int_equal(recv_status(socket, 1, SOON), -EINVAL);
        assert_ok(recv_status(socket, 0, SOON));
        close(peer);
    }
}

static void a_timeout_of_0_polls(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    gentcp_socket accepted;

    (void)state;
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    plain_say(peer, "here");
    assert_int_equal(recv_status(socket, 5, 0), GENTCP_TIMEOUT);
    assert_ok(recv_status(socket, 4, 0));
    assert_int_equal(gentcp_accept(listener, 0, &accepted), GENTCP_TIMEOUT);
    close(peer);
}

static void bytes_that_came_before_a_timeout_are_kept(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "abc");
    assert_int_equal(recv_status(socket, 5, BRIEFLY), GENTCP_TIMEOUT);
    plain_say(peer, "d");
    assert_int_equal(recv_status(socket, 5, BRIEFLY), GENTCP_TIMEOUT);
    plain_say(peer, "e");
    assert_recv(socket, 5, "abcde");
    plain_say(peer, "fg");
    assert_int_equal(recv_status(socket, 5, BRIEFLY), GENTCP_TIMEOUT);
    assert_recv(socket, 0, "fg");
    close(peer);
}

static int make_accept_and_stay(call *c) {
    gentcp_message message;
    int status = gentcp_accept(c->socket, c->timeout, &c->accepted);

    if (status == 0)
        status = gentcp_receive_from(c->accepted, &message, SOON);
    if (status == 0)
        c->data = message.data;
    return status;
}

static void a_negative_timeout_of_recv_and_accept_waits_for_ever(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call receiver = {.make = make_recv, .socket = socket, .timeout = -5};
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    call accepter = {.make = make_accept_and_stay, .socket = listener, .timeout = INT64_MIN};
    gentcp_socket client;

    (void)state;
    start(&receiver);
    assert_true(waits(&receiver));
    plain_say(peer, "x");
    assert_ok(finish(&receiver));
    assert_text(&receiver.data, "x");
    start(&accepter);
    assert_true(waits(&accepter));
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &client));
    assert_ok(gentcp_send(client, "y", 1));
    assert_ok(finish(&accepter));
    assert_text(&accepter.data, "y");
    close(peer);
}

static void the_end_within_a_length_is_closed_and_then_enotconn(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "twelve bytes");
    close(peer);
    assert_int_equal(recv_status(socket, 20, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 20, SOON), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
}

static void what_came_before_the_end_is_received(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "last words");
    close(peer);
    assert_recv(socket, 4, "last");
    assert_recv(socket, 0, " words");
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
}

static void recv_on_an_active_socket_is_einval(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    uint8_t byte;

    (void)state;
    assert_int_equal(recv_status(socket, 0, 0), -EINVAL);
    assert_int_equal(gentcp_recv_into(socket, &byte, 1, 0), -EINVAL);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_int_equal(recv_status(socket, 0, 0), -EINVAL);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(2))));
    assert_int_equal(recv_status(socket, 0, 0), -EINVAL);
    assert_ok(gentcp_setopts(socket, JUST_PASSIVE));
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void the_second_recv_at_once_gets_ealready(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call first = {.make = make_recv, .socket = socket, .timeout = SOON};

    (void)state;
    start(&first);
    assert_int_equal(recv_status(socket, 0, SOON), -EALREADY);
    assert_int_equal(recv_status(socket, 0, 0), -EALREADY);
    assert_true(waits(&first));
    plain_say(peer, "for the first");
    assert_ok(finish(&first));
    assert_text(&first.data, "for the first");
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void becoming_active_ends_a_waiting_recv_with_einval_and_the_owner_gets_the_data(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call receiver = {.make = make_recv, .socket = socket, .length = 9, .timeout = SOON};

    (void)state;
    plain_say(peer, "early ");
    start(&receiver);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(true))));
    assert_int_equal(finish(&receiver), -EINVAL);
    assert_tcp(socket, "early ");
    plain_say(peer, "late");
    assert_tcp(socket, "late");
    close(peer);
}

static void several_who_accept_are_served_in_order(void **state) {
    enum { THREADS = 4 };
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    call accepters[THREADS];
    gentcp_socket clients[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        accepters[i] = (call){.make = make_accept_and_stay, .socket = listener, .timeout = SOON};
        start(&accepters[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &clients[i]));
        assert_ok(gentcp_send(clients[i], &"0123"[i], 1));
    }
    for (int i = 0; i < THREADS; i++) {
        assert_ok(finish(&accepters[i]));
        assert_text(&accepters[i].data, (char[]){(char)('0' + i), '\0'});
    }
}

static void an_accepted_connection_belongs_to_who_called_accept(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    call accepter = {.make = make_accept_and_stay, .socket = listener, .timeout = SOON};
    gentcp_socket client;
    gentcp_message message;

    (void)state;
    start(&accepter);
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &client));
    assert_ok(gentcp_send(client, "for the accepter", 16));
    assert_ok(finish(&accepter));
    assert_text(&accepter.data, "for the accepter");
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    /* Its thread has ended, and with it what it owned. */
    assert_int_equal(recv_status(client, 0, SOON), GENTCP_CLOSED);
}

static void recv_of_more_than_64_MiB_is_enomem(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(recv_status(socket, 64 * MIB + 1, SOON), -ENOMEM);
    assert_int_equal(recv_status(socket, (size_t)1 << 50, SOON), -ENOMEM);
    assert_int_equal(recv_status(socket, ((size_t)1 << 32) + 1, SOON), -ENOMEM);
    assert_int_equal(recv_status(socket, SIZE_MAX, SOON), -ENOMEM);
    assert_int_equal(recv_status(socket, 64 * MIB, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void a_listener_neither_receives_nor_sends_and_a_connection_does_not_accept(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port);
    gentcp_socket socket, accepted;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    uint8_t byte;

    (void)state;
    assert_int_equal(recv_status(listener, 0, SOON), -ENOTCONN);
    assert_int_equal(gentcp_recv_into(listener, &byte, 1, SOON), -ENOTCONN);
    assert_int_equal(gentcp_send(listener, "x", 1), -ENOTCONN);
    assert_int_equal(gentcp_unrecv(listener, "x", 1), -ENOTCONN);
    assert_int_equal(gentcp_shutdown(listener, SHUT_WR), -ENOTCONN);
    assert_int_equal(gentcp_accept(socket, SOON, &accepted), -EINVAL);
    close(peer);
}

static void recv_into_takes_what_fits_and_leaves_the_rest(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    char bytes[8] = "........";

    (void)state;
    plain_say(peer, "0123456789");
    assert_int_equal(gentcp_recv_into(socket, bytes, 4, SOON), 4);
    assert_memory_equal(bytes, "0123....", 8);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, SOON), 6);
    assert_memory_equal(bytes, "456789..", 8);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, 0), GENTCP_TIMEOUT);
    close(peer);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, SOON), -ENOTCONN);
}

static void recv_into_of_a_packet_that_is_too_large_is_emsgsize_and_keeps_it(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_2)), &socket);
    char bytes[8];

    (void)state;
    plain_send(peer, "\0\005hello\0\002hi", 11);
    assert_int_equal(gentcp_recv_into(socket, bytes, 4, SOON), -EMSGSIZE);
    assert_int_equal(gentcp_recv_into(socket, bytes, 4, SOON), -EMSGSIZE);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, SOON), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(gentcp_recv_into(socket, bytes, 8, SOON), 2);
    assert_memory_equal(bytes, "hi", 2);
    close(peer);
}

static void unrecv_puts_bytes_back_to_be_received_first(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "0123456789");
    assert_recv(socket, 4, "0123");
    assert_ok(gentcp_unrecv(socket, "cd", 2));
    assert_ok(gentcp_unrecv(socket, "ab", 2));
    assert_ok(gentcp_unrecv(socket, NULL, 0));
    assert_recv(socket, 6, "abcd45");
    assert_recv(socket, 4, "6789");
    close(peer);
}

static void unrecv_serves_who_waits_and_the_owner_of_an_active_socket(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call receiver = {.make = make_recv, .socket = socket, .timeout = SOON};

    (void)state;
    start(&receiver);
    assert_ok(gentcp_unrecv(socket, "back", 4));
    assert_ok(finish(&receiver));
    assert_text(&receiver.data, "back");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(true))));
    assert_ok(gentcp_unrecv(socket, "again", 5));
    assert_tcp(socket, "again");
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(recv_of_a_length_waits_for_exactly_that_many_bytes),
        TEST(recv_of_a_long_length_puts_many_pieces_together),
        TEST(recv_of_0_gives_what_is_there),
        TEST(recv_of_0_gives_pieces_of_at_most_buffer),
        TEST(without_option_buffer_a_recv_takes_more_than_its_default),
        TEST(what_was_received_ends_with_a_0_behind_it),
        TEST(recv_of_a_length_with_a_packet_type_is_einval),
        TEST(a_timeout_of_0_polls),
        TEST(bytes_that_came_before_a_timeout_are_kept),
        TEST(a_negative_timeout_of_recv_and_accept_waits_for_ever),
        TEST(the_end_within_a_length_is_closed_and_then_enotconn),
        TEST(what_came_before_the_end_is_received),
        TEST(recv_on_an_active_socket_is_einval),
        TEST(the_second_recv_at_once_gets_ealready),
        TEST(becoming_active_ends_a_waiting_recv_with_einval_and_the_owner_gets_the_data),
        TEST(several_who_accept_are_served_in_order),
        TEST(an_accepted_connection_belongs_to_who_called_accept),
        TEST(recv_of_more_than_64_MiB_is_enomem),
        TEST(a_listener_neither_receives_nor_sends_and_a_connection_does_not_accept),
        TEST(recv_into_takes_what_fits_and_leaves_the_rest),
        TEST(recv_into_of_a_packet_that_is_too_large_is_emsgsize_and_keeps_it),
        TEST(unrecv_puts_bytes_back_to_be_received_first),
        TEST(unrecv_serves_who_waits_and_the_owner_of_an_active_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
