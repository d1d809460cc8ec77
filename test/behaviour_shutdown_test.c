/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_shutdown in all its forms. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "test/connection.h"

/* Waits until that many bytes can be read. */
static void await_bytes(gentcp_socket socket, int size) {
    int have = 0;

    for (long tries = 0; have < size; tries++) {
        assert_in_range(tries, 0, 10000000);
        assert_ok(ioctl(gentcp_socket_fd(socket), FIONREAD, &have));
        (void)sched_yield();
    }
}

/* Waits until the peer's end has come to a socket that isn't being read. */
static void await_end(gentcp_socket socket) {
    struct pollfd ended = {.fd = gentcp_socket_fd(socket), .events = POLLRDHUP};

    assert_true(ended.fd >= 0);
    assert_int_equal(poll(&ended, 1, SOON), 1);
}

/* ---- writing ---- */

static void shutdown_of_writing_ends_the_stream_after_what_is_queued(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_queued(JUST_PASSIVE, &socket, &full);
    call reader = {.make = make_read_to_end, .peer = peer};

    (void)state;
    assert_ok(gentcp_shutdown(socket, SHUT_WR)); /* at once: nobody reads yet */
    start(&reader);
    while (atomic_load(&reader.id) != -1)
        assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT); /* the wait flushes */
    assert_int_equal(finish(&reader), full + QUEUED);
    plain_say(peer, "answer");
    assert_recv(socket, 0, "answer");
    close(peer);
}

static void shutdown_of_writing_without_a_queue_ends_the_stream_at_once(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_ok(plain_end(peer));
    plain_say(peer, "answer");
    assert_recv(socket, 0, "answer");
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
}

static void a_send_after_shutdown_of_writing_is_closed_and_ends_the_socket(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(true)), &socket);

    (void)state;
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    close(peer);
    peer = connect_queued(JUST_PASSIVE, &socket, &full);
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    close(peer);
    peer = connect_plain(NULL, &socket);
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_silence(socket);
    close(peer);
}

/* ---- reading, or both ---- */

static const int all_hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};

static void shutdown_of_reading_is_the_end_for_receiving(void **state) {
    (void)state;
    for (int i = 0; i < 3; i += 2) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        close(peer);
        peer = connect_plain(NULL, &socket);
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_told(socket, GENTCP_TCP_CLOSED);
        close(peer);
    }
}

/* What came before, or was read ahead, can be received first; but no piece of a packet. */
static void what_has_come_before_is_received_before_the_end(void **state) {
    (void)state;
    for (int i = 0; i < 3; i += 2) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        plain_say(peer, "bytes");
        assert_recv(socket, 1, "b");
        assert_ok(gentcp_unrecv(socket, "B", 1));
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_recv(socket, 3, "Byt");
        assert_recv(socket, 0, "es");
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        close(peer);
        peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);
        plain_say(peer, "whole\nha");
        await_bytes(socket, 8);
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(true))));
        assert_tcp(socket, "whole\n");
        assert_told(socket, GENTCP_TCP_CLOSED);
        assert_silence(socket);
        close(peer);
    }
}

static void without_exit_on_close_the_end_of_reading_leaves_writing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket);

    (void)state;
    assert_ok(gentcp_shutdown(socket, SHUT_RD));
    for (int i = 0; i < 3; i++)
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_ok(gentcp_send(socket, "x", 1));
    assert_plain_reads(peer, "x");
    assert_ok(gentcp_shutdown(socket, SHUT_RDWR));
    assert_ok(plain_end(peer));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_shutdown(socket, SHUT_RD), -ENOTCONN);
    close(peer);
    peer = connect_plain(gentcp_options(GENTCP_EXIT_ON_CLOSE(false)), &socket);
    assert_ok(gentcp_shutdown(socket, SHUT_RD));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_ok(gentcp_send(socket, "y", 1));
    assert_plain_reads(peer, "y");
    assert_ok(gentcp_shutdown(socket, SHUT_RD));
    assert_silence(socket);
    close(peer);
}

static void shutdown_of_another_direction_is_badarg(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(gentcp_shutdown(socket, -1), GENTCP_BADARG);
    assert_int_equal(gentcp_shutdown(socket, SHUT_RDWR + 1), GENTCP_BADARG);
    assert_ok(gentcp_send(socket, "unharmed", 8));
    assert_plain_reads(peer, "unharmed");
    close(peer);
}

/* ---- with a queue ---- */

/* The end of reading alone ends the connection, and so drops the queue: that of both waits for it. */
static void shutdown_of_both_follows_what_is_queued(void **state) {
    static const int before[] = {-1, SHUT_WR, SHUT_RDWR};

    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int active = 0; active < 2; active++) {
            size_t full;
            gentcp_socket socket;
            int peer = connect_queued(gentcp_options(GENTCP_ACTIVE(active)), &socket, &full);
            call reader = {.make = make_read_to_end, .peer = peer};
            if (before[i] >= 0)
                assert_ok(gentcp_shutdown(socket, before[i]));
            assert_ok(gentcp_shutdown(socket, SHUT_RDWR));
            assert_silence(socket);
            if (!active) {
                assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
                plain_say(peer, "answer");
                assert_recv(socket, 6, "answer");
            }
            start(&reader);
            if (active) {
                assert_told(socket, GENTCP_TCP_CLOSED);
            } else {
                assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
                assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
            }
            assert_int_equal(finish(&reader), full + QUEUED);
            close(peer);
        }
    }
}

static void the_end_of_reading_drops_what_is_queued_unless_the_socket_lives_on(void **state) {
    (void)state;
    for (int lives_on = 0; lives_on < 2; lives_on++) {
        size_t full;
        gentcp_socket socket;
        int peer = connect_queued(PASSIVE(GENTCP_EXIT_ON_CLOSE(!lives_on)), &socket, &full);
        call reader = {.make = make_read_to_end, .peer = peer};
        assert_ok(gentcp_shutdown(socket, SHUT_RD));
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        start(&reader);
        assert_ok(gentcp_close(socket));
        assert_int_equal(finish(&reader), full + (lives_on ? QUEUED : 0));
        close(peer);
    }
}

/* ---- while others wait ---- */

static void a_recv_that_waits_is_closed_by_the_end_of_reading_only(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        call receiver = {.make = make_recv, .socket = socket, .length = 10, .timeout = SOON};
        plain_say(peer, "piece");
        start(&receiver);
        assert_true(waits(&receiver));
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        if (all_hows[i] == SHUT_WR) {
            plain_say(peer, "and all");
            assert_ok(finish(&receiver));
            assert_text(&receiver.data, "pieceand a");
        } else {
            assert_int_equal(finish(&receiver), GENTCP_CLOSED);
            assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        }
        close(peer);
    }
}

static int shut_down_elsewhere(call *c) {
    return gentcp_shutdown(c->socket, (int)c->length);
}

/* The owner waits, and another thread shuts down: the wait is in the owner's poller. */
static void any_process_may_shut_down_and_the_owner_s_recv_ends(void **state) {
    (void)state;
    for (int i = 0; i < 3; i += 2) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        call other = {.make = shut_down_elsewhere, .socket = socket, .length = (size_t)all_hows[i]};
        assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT); /* there is nothing to read, for sure */
        assert_ok(pthread_create(&other.thread, NULL, call_main, &other));
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_ok(finish(&other));
        close(peer);
    }
}

static void a_send_that_waits_goes_out_before_the_end_of_writing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        size_t full;
        gentcp_socket socket;
        char *bytes = calloc(1, QUEUED);
        int peer = connect_full(JUST_PASSIVE, &socket, &full);
        call sender = {.make = make_send, .socket = socket, .bytes = bytes, .length = QUEUED};
        assert_non_null(bytes);
        start(&sender);
        assert_true(waits(&sender));
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_true(waits(&sender));
        if (all_hows[i] == SHUT_RD) { /* which is told only when somebody reads */
            for (size_t rest = full + QUEUED; rest > 0; rest -= 1024)
                assert_int_equal(plain_read(peer, bytes, 1024, SOON), 1024);
        } else {
            assert_int_equal(plain_read_to_end(peer), full + QUEUED);
        }
        assert_ok(finish(&sender));
        close(peer);
        free(bytes);
    }
}

static int make_accept(call *c) {
    return gentcp_accept(c->socket, c->timeout, &c->accepted);
}

static void a_listener_is_enotconn_and_goes_on(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port), socket;
    call acceptor = {.make = make_accept, .socket = listener, .timeout = SOON};

    (void)state;
    start(&acceptor);
    assert_true(waits(&acceptor));
    for (int i = 0; i < 3; i++)
        assert_int_equal(gentcp_shutdown(listener, all_hows[i]), -ENOTCONN);
    assert_true(waits(&acceptor));
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &socket));
    assert_ok(finish(&acceptor));
}

/* ---- after the end ---- */

static void after_the_peers_end_it_is_ok_until_that_was_read(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        plain_say(peer, "last");
        assert_ok(shutdown(peer, SHUT_WR));
        await_end(socket);
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_recv(socket, 0, "last");
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(gentcp_shutdown(socket, all_hows[i]), -ENOTCONN);
        assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
        close(peer);
        peer = connect_plain(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket);
        assert_ok(shutdown(peer, SHUT_WR));
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_ok(gentcp_shutdown(socket, all_hows[i]));
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(gentcp_send(socket, "x", 1), all_hows[i] == SHUT_RD ? 0 : GENTCP_CLOSED);
        close(peer);
        peer = connect_plain(NULL, &socket);
        close(peer);
        assert_told(socket, GENTCP_TCP_CLOSED);
        assert_int_equal(gentcp_shutdown(socket, all_hows[i]), GENTCP_CLOSED);
    }
}

static void after_the_peers_reset_it_is_enotconn_and_what_was_lost_is_told_still(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int show = 0; show < 2; show++) {
            gentcp_socket socket;
            int peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(show)), &socket);
            plain_reset(peer);
            await_reset(socket);
            assert_int_equal(gentcp_shutdown(socket, all_hows[i]), -ENOTCONN);
            assert_int_equal(gentcp_send(socket, "x", 1), show ? -ECONNRESET : GENTCP_CLOSED);
            assert_int_equal(recv_status(socket, 0, SOON), show ? -ECONNRESET : GENTCP_CLOSED);
            assert_int_equal(gentcp_shutdown(socket, all_hows[i]), -ENOTCONN);
        }
    }
}

static void twice_is_ok_until_the_connection_has_ended_both_ways(void **state) {
    (void)state;
    for (int i = 0; i < 9; i++) {
        int first = all_hows[i / 3], second = all_hows[i % 3];
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        assert_ok(gentcp_shutdown(socket, first));
        assert_ok(gentcp_shutdown(socket, second));
        if (first != SHUT_RD || second != SHUT_RD) {
            assert_ok(plain_end(peer));
            close(peer);
            await_end(socket);
            for (long tries = 0; gentcp_shutdown(socket, SHUT_WR) == 0; tries++) { /* the peer's end is on its way */
                assert_in_range(tries, 0, 10000000);
                (void)sched_yield();
            }
            assert_int_equal(gentcp_shutdown(socket, SHUT_WR), -ENOTCONN);
        } else {
            assert_ok(gentcp_send(socket, "still", 5));
            assert_plain_reads(peer, "still");
            close(peer);
        }
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    }
}

static void after_ones_own_close_every_shutdown_is_closed(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_ok(gentcp_close(socket));
    for (int i = 0; i < 3; i++)
        assert_int_equal(gentcp_shutdown(socket, all_hows[i]), GENTCP_CLOSED);
    assert_int_equal(gentcp_shutdown(socket, 3), GENTCP_BADARG);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(shutdown_of_writing_ends_the_stream_after_what_is_queued),
        TEST(shutdown_of_writing_without_a_queue_ends_the_stream_at_once),
        TEST(a_send_after_shutdown_of_writing_is_closed_and_ends_the_socket),
        TEST(shutdown_of_reading_is_the_end_for_receiving),
        TEST(what_has_come_before_is_received_before_the_end),
        TEST(without_exit_on_close_the_end_of_reading_leaves_writing),
        TEST(shutdown_of_another_direction_is_badarg),
        TEST(shutdown_of_both_follows_what_is_queued),
        TEST(the_end_of_reading_drops_what_is_queued_unless_the_socket_lives_on),
        TEST(a_recv_that_waits_is_closed_by_the_end_of_reading_only),
        TEST(any_process_may_shut_down_and_the_owner_s_recv_ends),
        TEST(a_send_that_waits_goes_out_before_the_end_of_writing),
        TEST(a_listener_is_enotconn_and_goes_on),
        TEST(after_the_peers_end_it_is_ok_until_that_was_read),
        TEST(after_the_peers_reset_it_is_enotconn_and_what_was_lost_is_told_still),
        TEST(twice_is_ok_until_the_connection_has_ended_both_ways),
        TEST(after_ones_own_close_every_shutdown_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
