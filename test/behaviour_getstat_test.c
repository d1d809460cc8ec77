/* SPDX-License-Identifier: Apache-2.0 */
/* getstat: what has gone through a socket. The figures are those of OTP 25's inet for the same steps. */
#include "test/connection.h"

static gentcp_stat stat_of(gentcp_socket socket) {
    gentcp_stat stat;

    memset(&stat, 0xff, sizeof stat);
    assert_ok(gentcp_getstat(socket, &stat));
    return stat;
}

static void assert_received(gentcp_socket socket, uint64_t oct, uint64_t cnt, uint64_t max, uint64_t avg,
                            uint64_t dvi) {
    gentcp_stat stat = stat_of(socket);

    assert_int_equal(stat.recv_oct, oct);
    assert_int_equal(stat.recv_cnt, cnt);
    assert_int_equal(stat.recv_max, max);
    assert_int_equal(stat.recv_avg, avg);
    assert_int_equal(stat.recv_dvi, dvi);
}

static void assert_sent(gentcp_socket socket, uint64_t oct, uint64_t cnt, uint64_t max, uint64_t avg) {
    gentcp_stat stat = stat_of(socket);

    assert_int_equal(stat.send_oct, oct);
    assert_int_equal(stat.send_cnt, cnt);
    assert_int_equal(stat.send_max, max);
    assert_int_equal(stat.send_avg, avg);
    assert_int_equal(stat.send_pend, 0);
}

/* One sends so many bytes, the other receives them, or the packet of them. */
static void pass(pair p, size_t size, size_t length) {
    char bytes[100] = "";
    gentcp_data data;

    assert_true(size <= sizeof bytes);
    assert_ok(gentcp_send(p.here, bytes, size));
    assert_ok(gentcp_recv(p.there, length, SOON, &data));
    assert_int_equal(data.size, size);
    gentcp_data_release(&data);
}

static void pass_five(pair p) {
    static const size_t sizes[] = {10, 3, 100, 1, 7};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        pass(p, sizes[i], sizes[i]);
}

static void a_new_socket_and_a_listener_have_counted_nothing(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    pair p = connect_pair(JUST_PASSIVE);

    (void)state;
    assert_received(listener, 0, 0, 0, 0, 0);
    assert_sent(listener, 0, 0, 0, 0);
    assert_received(p.there, 0, 0, 0, 0, 0);
    assert_sent(p.here, 0, 0, 0, 0);
}

static void what_is_sent_and_received_is_counted(void **state) {
    pair p = connect_pair(JUST_PASSIVE);

    (void)state;
    pass_five(p);
    assert_ok(gentcp_send(p.here, NULL, 0));
    assert_sent(p.here, 121, 6, 100, 20);
    assert_received(p.there, 121, 5, 100, 24, 2);
    assert_received(p.here, 0, 0, 0, 0, 0);
    assert_sent(p.there, 0, 0, 0, 0);
}

static void headers_and_padding_of_packets_count_as_bytes(void **state) {
    static const char record[] = "\1\5\0\1\0\2\3\0ab\0\0\0";
    pair p = connect_pair(PASSIVE(GENTCP_PACKET(4)));
    gentcp_data data;

    (void)state;
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(4))));
    pass(p, 0, 0);
    pass(p, 50, 0);
    assert_sent(p.here, 58, 2, 54, 29);
    assert_received(p.there, 58, 2, 54, 29, 12);
    assert_ok(gentcp_setopts(p.here, gentcp_options(GENTCP_PACKET(GENTCP_RAW))));
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(GENTCP_FCGI))));
    assert_ok(gentcp_send(p.here, record, sizeof record - 1));
    assert_ok(gentcp_recv(p.there, 0, SOON, &data));
    assert_int_equal(data.size, 10);
    gentcp_data_release(&data);
    assert_int_equal(stat_of(p.there).recv_oct, 58 + 13);
}

static void packets_are_counted_and_not_reads(void **state) {
    pair p = connect_pair(JUST_PASSIVE);

    (void)state;
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(GENTCP_LINE))));
    assert_ok(gentcp_send(p.here, "ab\ncde\n", 7));
    assert_recv(p.there, 0, "ab\n");
    assert_received(p.there, 3, 1, 3, 3, 0); /* the other one is here, too, but not yet handed out */
    assert_recv(p.there, 0, "cde\n");
    assert_received(p.there, 7, 2, 4, 3, 0);
}

static void what_was_put_back_is_counted_again(void **state) {
    pair p = connect_pair(JUST_PASSIVE);

    (void)state;
    pass(p, 10, 10);
    assert_ok(gentcp_unrecv(p.there, "abcd", 4));
    assert_recv(p.there, 0, "abcd");
    assert_received(p.there, 14, 2, 10, 7, 1);
}

static void messages_are_packets_too(void **state) {
    pair p = connect_pair(gentcp_options(GENTCP_ACTIVE(true)));
    char *large = calloc(1, 100000);
    gentcp_message message;

    (void)state;
    assert_non_null(large);
    assert_ok(gentcp_send(p.there, "xyz", 3));
    assert_tcp(p.here, "xyz");
    assert_received(p.here, 3, 1, 3, 3, 0);
    /* Received in a buffer that is handed over whole. */
    assert_ok(gentcp_setopts(p.here, PASSIVE(GENTCP_PACKET(4), GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(4))));
    assert_ok(gentcp_send(p.there, large, 100000));
    assert_ok(gentcp_receive_from(p.here, &message, SOON));
    gentcp_data_release(&message.data);
    assert_received(p.here, 100007, 2, 100004, 50003, 25000);
    free(large);
}

static void send_pend_is_what_the_kernel_has_not_taken(void **state) {
    const gentcp_option *options = PASSIVE(GENTCP_HIGH_WATERMARK(1000));
    char bytes[500] = "";
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(options, &socket, &full);
    call reader = {.make = make_read, .peer = peer, .length = full + sizeof bytes};

    (void)state;
    assert_ok(gentcp_send(socket, bytes, sizeof bytes));
    assert_int_equal(stat_of(socket).send_pend, 500);
    assert_int_equal(stat_of(socket).send_oct, 500);
    start(&reader);
    assert_recv(socket, 4, "read");
    assert_ok(finish(&reader));
    assert_sent(socket, 500, 1, 500, 500);
    close(peer);
}

static void counters_outlive_the_stream_but_not_the_socket(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_stat stat;

    (void)state;
    pass_five(p);
    assert_ok(gentcp_close(p.here));
    assert_int_equal(gentcp_getstat(p.here, &stat), -EINVAL);
    assert_int_equal(recv_status(p.there, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(p.there, "abc", 3), GENTCP_CLOSED);
    assert_received(p.there, 121, 5, 100, 24, 2);
    assert_sent(p.there, 0, 0, 0, 0); /* the send was refused, not made */
    assert_ok(gentcp_close(p.there));
    assert_int_equal(gentcp_getstat(p.there, &stat), -EINVAL);
}

static void without_a_place_for_the_answer_or_a_socket_it_is_badarg(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_stat stat;

    (void)state;
    assert_int_equal(gentcp_getstat(p.here, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_getstat((gentcp_socket){0}, &stat), GENTCP_BADARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_socket_and_a_listener_have_counted_nothing),
        TEST(what_is_sent_and_received_is_counted),
        TEST(headers_and_padding_of_packets_count_as_bytes),
        TEST(packets_are_counted_and_not_reads),
        TEST(what_was_put_back_is_counted_again),
        TEST(messages_are_packets_too),
        TEST(send_pend_is_what_the_kernel_has_not_taken),
        TEST(counters_outlive_the_stream_but_not_the_socket),
        TEST(without_a_place_for_the_answer_or_a_socket_it_is_badarg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
