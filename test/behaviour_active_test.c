/* SPDX-License-Identifier: Apache-2.0 */
/* Active sockets: what their owner is told, and how often. */
#include "test/connection.h"

#define SET(socket, ...) assert_ok(gentcp_setopts((socket), gentcp_options(__VA_ARGS__)))

static int64_t count_left(gentcp_socket socket) {
    gentcp_option active[] = {GENTCP_ACTIVE(0), GENTCP_END};

    assert_ok(gentcp_getopts(socket, active));
    return active->number == GENTCP_ACTIVE_COUNT ? active->extra : -1;
}

static void what_is_received_comes_as_messages_by_default(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    plain_say(peer, "one");
    assert_tcp(socket, "one");
    plain_say(peer, "two");
    assert_tcp(socket, "two");
    assert_silence(socket);
    close(peer);
}

static void the_end_is_told_once_and_nothing_follows(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    gentcp_message message;

    (void)state;
    plain_say(peer, "last");
    close(peer);
    assert_tcp(socket, "last");
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(gentcp_receive_from(socket, &message, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_CLOSED);
}

static void a_reset_is_told_as_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    plain_reset(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void with_show_econnreset_a_reset_is_an_error_and_then_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_SHOW_ECONNRESET(true)), &socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void a_framing_error_is_told_and_then_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_PACKET_1), GENTCP_PACKET_SIZE(2)), &socket);

    (void)state;
    plain_send(peer, "\001a\003bcd", 6);
    assert_tcp(socket, "a");
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -EMSGSIZE);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    close(peer);
}

static void active_once_gives_one_message_and_is_passive_then(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE), GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_silence(socket);
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    assert_tcp(socket, "2\n");
    assert_silence(socket);
    assert_recv(socket, 0, "3\n");
    close(peer);
}

static void active_n_counts_messages_and_ends_with_tcp_passive(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(2), GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    assert_int_equal(count_left(socket), 2);
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_tcp(socket, "2\n");
    assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_silence(socket);
    assert_recv(socket, 0, "3\n");
    close(peer);
}

static void active_n_adds_to_a_count_that_runs_and_replaces_true_and_once(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(10)), &socket);

    (void)state;
    SET(socket, GENTCP_ACTIVE_N(5));
    assert_int_equal(count_left(socket), 15);
    SET(socket, GENTCP_ACTIVE_N(-12));
    assert_int_equal(count_left(socket), 3);
    SET(socket, GENTCP_ACTIVE(true));
    SET(socket, GENTCP_ACTIVE_N(7));
    assert_int_equal(count_left(socket), 7);
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    SET(socket, GENTCP_ACTIVE_N(8));
    assert_int_equal(count_left(socket), 8);
    SET(socket, GENTCP_ACTIVE(false));
    SET(socket, GENTCP_ACTIVE_N(9));
    assert_int_equal(count_left(socket), 9);
    assert_silence(socket);
    close(peer);
}

static void a_count_above_32767_is_einval_and_changes_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(32767)), &socket);

    (void)state;
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(1))), -EINVAL);
    assert_int_equal(count_left(socket), 32767);
    SET(socket, GENTCP_ACTIVE_N(-1));
    SET(socket, GENTCP_ACTIVE_N(1));
    assert_int_equal(count_left(socket), 32767);
    close(peer);
}

static void a_count_of_0_or_less_makes_passive_and_tells_so(void **state) {
    static const int64_t counts[] = {0, -1, -32768};
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        SET(socket, GENTCP_ACTIVE_N(counts[i])); /* passive already */
        assert_told(socket, GENTCP_TCP_PASSIVE);
        SET(socket, GENTCP_ACTIVE(true));
        SET(socket, GENTCP_ACTIVE_N(counts[i]));
        assert_told(socket, GENTCP_TCP_PASSIVE);
        assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    }
    SET(socket, GENTCP_ACTIVE_N(3));
    SET(socket, GENTCP_ACTIVE_N(-3));
    assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_silence(socket);
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void only_the_end_of_a_count_tells_tcp_passive(void **state) {
    static const int modes[] = {GENTCP_PASSIVE, GENTCP_TRUE, GENTCP_ONCE};
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        SET(socket, GENTCP_ACTIVE_N(3));
        SET(socket, GENTCP_ACTIVE(modes[i]));
        assert_silence(socket);
    }
    plain_say(peer, "x");
    assert_tcp(socket, "x");
    assert_silence(socket);
    close(peer);
}

static void the_end_and_errors_are_not_counted(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(1), GENTCP_SHOW_ECONNRESET(true)), &socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(2)), &socket);
    plain_say(peer, "x");
    assert_tcp(socket, "x");
    close(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_EXIT_ON_CLOSE(false)), &socket);

    (void)state;
    assert_ok(shutdown(peer, SHUT_WR));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_ok(gentcp_send(socket, "answer", 6));
    assert_plain_reads(peer, "answer");
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    assert_silence(socket);
    SET(socket, GENTCP_ACTIVE(false));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    SET(socket, GENTCP_ACTIVE(true));
    assert_silence(socket);
    assert_ok(gentcp_send(socket, "more", 4));
    assert_plain_reads(peer, "more");
    assert_ok(gentcp_close(socket));
    assert_ok(plain_end(peer));
    close(peer);
}

static void a_long_stream_arrives_whole_and_in_order(void **state) {
    enum { PIECES = 64, PIECE = 16 * 1024, WORDS = PIECE / sizeof(uint32_t) };
    pair p = connect_pair(gentcp_options(GENTCP_ACTIVE(true)));
    uint32_t *piece = malloc(PIECE), *all = malloc(PIECES * PIECE);
    size_t have = 0;

    (void)state;
    assert_true(piece != NULL && all != NULL);
    for (uint32_t i = 0; i < PIECES; i++) {
        for (uint32_t j = 0; j < WORDS; j++)
            piece[j] = i * WORDS + j;
        assert_ok(gentcp_send(p.there, piece, PIECE));
    }
    while (have < PIECES * PIECE) {
        gentcp_message message;
        assert_ok(gentcp_receive_from(p.here, &message, SOON));
        assert_int_equal(message.kind, GENTCP_TCP);
        assert_true(message.data.size <= PIECES * PIECE - have);
        memcpy((uint8_t *)all + have, message.data.bytes, message.data.size);
        have += message.data.size;
        gentcp_data_release(&message.data);
    }
    for (uint32_t i = 0; i < PIECES * WORDS; i++)
        assert_int_equal(all[i], i);
    free(piece);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_received_comes_as_messages_by_default),
        TEST(the_end_is_told_once_and_nothing_follows),
        TEST(a_reset_is_told_as_the_end),
        TEST(with_show_econnreset_a_reset_is_an_error_and_then_the_end),
        TEST(a_framing_error_is_told_and_then_the_end),
        TEST(active_once_gives_one_message_and_is_passive_then),
        TEST(active_n_counts_messages_and_ends_with_tcp_passive),
        TEST(active_n_adds_to_a_count_that_runs_and_replaces_true_and_once),
        TEST(a_count_above_32767_is_einval_and_changes_nothing),
        TEST(a_count_of_0_or_less_makes_passive_and_tells_so),
        TEST(only_the_end_of_a_count_tells_tcp_passive),
        TEST(the_end_and_errors_are_not_counted),
        TEST(without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on),
        TEST(a_long_stream_arrives_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
