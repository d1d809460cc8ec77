/* SPDX-License-Identifier: Apache-2.0 */
/* The C host: what handles answer, what is refused, and what a socket says of itself. */
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

static void what_a_closed_socket_left_in_the_mailbox_can_be_received(void **state) {
    pair ends = connect_pair(NULL);

    (void)state;
    assert_ok(gentcp_send(ends.there, "left", 4));
    assert_ok(gentcp_close(ends.there));
    assert_tcp(ends.here, "left");
    assert_told(ends.here, GENTCP_TCP_CLOSED);
    assert_answers(ends.here, GENTCP_CLOSED, -EINVAL, 0);
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
        TEST(what_a_closed_socket_left_in_the_mailbox_can_be_received),
        TEST(null_and_numbers_out_of_range_are_badarg),
        TEST(bad_options_are_badarg_when_opening_and_einval_when_setting),
        TEST(getopts_reads_what_was_set),
        TEST(addresses_as_text),
        TEST(a_connection_s_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
