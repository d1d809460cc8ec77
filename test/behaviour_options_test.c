/* SPDX-License-Identifier: Apache-2.0 */
/* Options: where they may be given, what setting does, what reading says, and what accept hands down. */
#include "test/connection.h"

#include "engine/options.h"

#define SET(socket, ...) assert_ok(gentcp_setopts((socket), gentcp_options(__VA_ARGS__)))

_Static_assert((int)GENTCP_OPT_IPV6_V6ONLY == (int)GT_OPT_IPV6_V6ONLY && GENTCP_OPT_IPV6_V6ONLY + 1 == GT_OPTIONS,
               "the public names are the table's rows");

static bool is_for(int name, int where) {
    return (gt_option_rows[name].where & where) != 0;
}

/* A value that is allowed, and isn't the default: the system's as the kernel will report them. */
static const struct value {
    int name;
    int64_t number, extra;
} values[] = {
    {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, 7},
    {GENTCP_OPT_PACKET, GENTCP_PACKET_2, 0},
    {GENTCP_OPT_PACKET_SIZE, 4000, 0},
    {GENTCP_OPT_BUFFER, 3000, 0},
    {GENTCP_OPT_HIGH_WATERMARK, 20000, 0},
    {GENTCP_OPT_LOW_WATERMARK, 10000, 0},
    {GENTCP_OPT_SEND_TIMEOUT, 12345, 0},
    {GENTCP_OPT_SEND_TIMEOUT_CLOSE, 1, 0},
    {GENTCP_OPT_EXIT_ON_CLOSE, 0, 0},
    {GENTCP_OPT_SHOW_ECONNRESET, 1, 0},
    {GENTCP_OPT_LINGER, 1, 0},
    {GENTCP_OPT_NODELAY, 1, 0},
    {GENTCP_OPT_KEEPALIVE, 1, 0},
    {GENTCP_OPT_REUSEADDR, 1, 0},
    {GENTCP_OPT_PRIORITY, 3, 0},
};
enum { VALUES = sizeof values / sizeof *values };

static gentcp_option option_with(const struct value *value) {
    return gentcp_option_make(value->name, value->number, value->extra, NULL);
}

static void assert_has(gentcp_socket socket, const struct value *value) {
    gentcp_option read[] = {GENTCP_OPTION(value->name, -99), GENTCP_END};

    assert_ok(gentcp_getopts(socket, read));
    if (read->number != value->number || read->extra != value->extra)
        fail_msg("%s is %lld, %lld", gt_option_rows[value->name].name, (long long)read->number, (long long)read->extra);
}

static void every_option_that_can_be_read_has_a_value_here(void **state) {
    (void)state;
    for (int name = 0; name < GT_OPTIONS; name++) {
        bool has = name == GENTCP_OPT_MODE || name == GENTCP_OPT_RECBUF || name == GENTCP_OPT_SNDBUF ||
                   name == GENTCP_OPT_IPV6_V6ONLY || !is_for(name, GT_AT_GET);
        for (int i = 0; i < VALUES; i++)
            has = has || values[i].name == name;
        if (!has)
            fail_msg("%s isn't tested", gt_option_rows[name].name);
    }
}

static void the_defaults_are_those_of_the_manual(void **state) {
    static const struct value defaults[] = {{GENTCP_OPT_ACTIVE, GENTCP_TRUE, 0},
                                            {GENTCP_OPT_PACKET, GENTCP_RAW, 0},
                                            {GENTCP_OPT_PACKET_SIZE, 0, 0},
                                            {GENTCP_OPT_BUFFER, 1460, 0},
                                            {GENTCP_OPT_HIGH_WATERMARK, 0, 0},
                                            {GENTCP_OPT_LOW_WATERMARK, 0, 0},
                                            {GENTCP_OPT_SEND_TIMEOUT, GENTCP_INFINITY, 0},
                                            {GENTCP_OPT_SEND_TIMEOUT_CLOSE, 0, 0},
                                            {GENTCP_OPT_EXIT_ON_CLOSE, 1, 0},
                                            {GENTCP_OPT_SHOW_ECONNRESET, 0, 0},
                                            {GENTCP_OPT_LINGER, 0, 0},
                                            {GENTCP_OPT_NODELAY, 0, 0},
                                            {GENTCP_OPT_KEEPALIVE, 0, 0},
                                            {GENTCP_OPT_REUSEADDR, 0, 0},
                                            {GENTCP_OPT_PRIORITY, 0, 0}};
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        assert_has(socket, &defaults[i]);
    close(peer);
}

static void what_is_set_is_read(void **state) {
    gentcp_socket socket, listener;
    int peer = connect_plain(NULL, &socket);
    uint16_t port;

    (void)state;
    listener = listen_on_loopback(NULL, &port);
    for (int i = 0; i < VALUES; i++) {
        gentcp_option option = option_with(&values[i]);
        int64_t number;
        SET(socket, option);
        assert_has(socket, &values[i]);
        assert_ok(gentcp_getopt(socket, (enum gentcp_option_name)values[i].name, &number));
        assert_int_equal(number, values[i].number);
        SET(listener, option);
        assert_has(listener, &values[i]);
    }
    close(peer);
}

static void what_is_given_to_connect_and_listen_is_read(void **state) {
    (void)state;
    for (int i = 0; i < VALUES; i++) {
        gentcp_option option = option_with(&values[i]);
        gentcp_socket socket;
        uint16_t port;
        int peer = connect_plain(gentcp_options(option), &socket);
        assert_has(socket, &values[i]);
        assert_has(listen_on_loopback(gentcp_options(option), &port), &values[i]);
        close(peer);
    }
}

static void booleans_and_packet_types_can_be_set_back(void **state) {
    static const struct value back[] = {{GENTCP_OPT_ACTIVE, GENTCP_TRUE, 0},
                                        {GENTCP_OPT_PACKET, GENTCP_RAW, 0},
                                        {GENTCP_OPT_SEND_TIMEOUT_CLOSE, 0, 0},
                                        {GENTCP_OPT_EXIT_ON_CLOSE, 1, 0},
                                        {GENTCP_OPT_SHOW_ECONNRESET, 0, 0},
                                        {GENTCP_OPT_LINGER, 0, 0},
                                        {GENTCP_OPT_NODELAY, 0, 0},
                                        {GENTCP_OPT_KEEPALIVE, 0, 0},
                                        {GENTCP_OPT_REUSEADDR, 0, 0},
                                        {GENTCP_OPT_PRIORITY, 0, 0},
                                        {GENTCP_OPT_SEND_TIMEOUT, GENTCP_INFINITY, 0}};
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    for (int i = 0; i < VALUES; i++)
        SET(socket, option_with(&values[i]));
    for (size_t i = 0; i < sizeof back / sizeof *back; i++) {
        SET(socket, option_with(&back[i]));
        assert_has(socket, &back[i]);
    }
    close(peer);
}

static void the_kernels_buffers_can_be_set_everywhere(void **state) {
    static const enum gentcp_option_name names[] = {GENTCP_OPT_RECBUF, GENTCP_OPT_SNDBUF};

    (void)state;
    for (int i = 0; i < 2; i++) {
        gentcp_socket socket;
        uint16_t port;
        int peer = connect_plain(gentcp_options(GENTCP_OPTION(names[i], 30000)), &socket);
        assert_in_range(option_of(socket, names[i]), 30000, 60000); /* Linux doubles it */
        SET(socket, GENTCP_OPTION(names[i], 20000));
        assert_in_range(option_of(socket, names[i]), 20000, 40000);
        assert_in_range(option_of(listen_on_loopback(gentcp_options(GENTCP_OPTION(names[i], 30000)), &port), names[i]),
                        30000, 60000);
        close(peer);
    }
}

static void options_that_cannot_be_read_are_einval(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int64_t number;

    (void)state;
    for (int name = -3; name < GT_OPTIONS + 3; name++) {
        gentcp_option wanted[] = {GENTCP_NODELAY(0), GENTCP_OPTION(name, 0), GENTCP_END};
        if (name == GENTCP_OPT_END || name == GENTCP_OPT_IPV6_V6ONLY ||
            (name >= 0 && name < GT_OPTIONS && name != GENTCP_OPT_MODE && is_for(name, GT_AT_GET)))
            continue;
        assert_int_equal(gentcp_getopts(socket, wanted), -EINVAL);
        assert_int_equal(gentcp_getopt(socket, (enum gentcp_option_name)name, &number), -EINVAL);
    }
    close(peer);
}

static void an_option_of_another_family_is_absent(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_option wanted[] = {GENTCP_NODELAY(9), GENTCP_IPV6_V6ONLY(9), GENTCP_KEEPALIVE(9), GENTCP_END};
    int64_t number;

    (void)state;
    assert_ok(gentcp_getopts(socket, wanted));
    assert_int_equal(wanted[0].number, 0);
    assert_int_equal(wanted[1].name, GENTCP_OPT_ABSENT);
    assert_int_equal(wanted[2].name, GENTCP_OPT_KEEPALIVE);
    assert_int_equal(wanted[2].number, 0);
    assert_int_equal(gentcp_getopt(socket, GENTCP_OPT_IPV6_V6ONLY, &number), -ENOPROTOOPT);
    close(peer);
}

static void an_option_in_the_wrong_place_is_badarg_or_einval(void **state) {
    gentcp_socket socket, never;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    uint16_t port;

    (void)state;
    listen_on_loopback(NULL, &port);
    assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_BACKLOG(5)), SOON, &never), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_PORT(0)), &never), GENTCP_BADARG);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_FAMILY(AF_INET))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_IP("127.0.0.1"))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_PORT(0))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_BACKLOG(5))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_INET_BACKEND(GENTCP_INET))), -EINVAL);
    close(peer);
}

static void one_bad_option_of_several_and_none_is_applied(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_NODELAY(true), GENTCP_BUFFER(77), GENTCP_PACKET(99))),
                     -EINVAL);
    assert_int_equal(option_of(socket, GENTCP_OPT_NODELAY), 0);
    assert_int_equal(option_of(socket, GENTCP_OPT_BUFFER), 1460);
    close(peer);
}

static void good_options_are_applied_in_order_up_to_the_first_that_fails(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(32767)), &socket);

    (void)state;
    assert_int_equal(
        gentcp_setopts(socket, gentcp_options(GENTCP_NODELAY(true), GENTCP_ACTIVE_N(1), GENTCP_KEEPALIVE(true))),
        -EINVAL);
    assert_int_equal(option_of(socket, GENTCP_OPT_NODELAY), 1);
    assert_int_equal(option_of(socket, GENTCP_OPT_KEEPALIVE), 0);
    close(peer);
}

static void of_the_same_option_twice_the_later_one_counts(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(
        gentcp_options(GENTCP_ACTIVE(true), GENTCP_BUFFER(5), GENTCP_ACTIVE(false), GENTCP_BUFFER(6)), &socket);

    (void)state;
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_int_equal(option_of(socket, GENTCP_OPT_BUFFER), 6);
    SET(socket, GENTCP_PACKET(1), GENTCP_PACKET(4));
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_PACKET_4);
    close(peer);
}

static void recbuf_raises_buffer_unless_that_was_set(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_RECBUF(1000)), &socket);

    (void)state;
    assert_int_equal(option_of(socket, GENTCP_OPT_BUFFER), 1460);
    SET(socket, GENTCP_RECBUF(30000));
    assert_int_equal(option_of(socket, GENTCP_OPT_BUFFER), 30000);
    SET(socket, GENTCP_BUFFER(100), GENTCP_RECBUF(40000));
    assert_int_equal(option_of(socket, GENTCP_OPT_BUFFER), 100);
    close(peer);
}

/* ---- inheritance ---- */

typedef struct visit {
    gentcp_socket listener, client, accepted;
} visit;

static visit connect_to_listener(const gentcp_option *options) {
    visit v;
    uint16_t port;

    v.listener = listen_on_loopback(options, &port);
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &v.client));
    return v;
}

static void accept_hands_down_every_option_that_is_inherited_as_it_is_then(void **state) {
    int inherited = 0;

    (void)state;
    for (int i = 0; i < VALUES; i++) {
        gentcp_option option = option_with(&values[i]);
        visit before = connect_to_listener(gentcp_options(option)), then = connect_to_listener(NULL);
        if (!is_for(values[i].name, GT_INHERITED))
            continue;
        inherited++;
        assert_ok(gentcp_accept(before.listener, SOON, &before.accepted));
        assert_has(before.accepted, &values[i]);
        SET(then.listener, option); /* the connection is there already */
        assert_ok(gentcp_accept(then.listener, SOON, &then.accepted));
        assert_has(then.accepted, &values[i]);
    }
    assert_int_equal(inherited, 14);
}

static void what_was_accepted_keeps_its_options_when_the_listener_changes(void **state) {
    visit v = connect_to_listener(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_2)));

    (void)state;
    assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
    SET(v.listener, GENTCP_PACKET(GENTCP_LINE));
    assert_int_equal(option_of(v.accepted, GENTCP_OPT_PACKET), GENTCP_PACKET_2);
    SET(v.accepted, GENTCP_PACKET(GENTCP_PACKET_4));
    assert_int_equal(option_of(v.listener, GENTCP_OPT_PACKET), GENTCP_LINE);
}

static void accept_hands_down_a_count_for_each_connection_to_use_up(void **state) {
    visit v = connect_to_listener(gentcp_options(GENTCP_ACTIVE_N(1)));
    gentcp_option left[] = {GENTCP_ACTIVE(0), GENTCP_END};

    (void)state;
    assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
    assert_ok(gentcp_send(v.client, "x", 1));
    assert_tcp(v.accepted, "x");
    assert_told(v.accepted, GENTCP_TCP_PASSIVE);
    assert_ok(gentcp_getopts(v.listener, left));
    assert_int_equal(left->number, GENTCP_ACTIVE_COUNT);
    assert_int_equal(left->extra, 1);
}

static void accept_hands_down_the_line_delimiter(void **state) {
    visit v = connect_to_listener(PASSIVE(GENTCP_PACKET(GENTCP_LINE), GENTCP_LINE_DELIMITER(';')));

    (void)state;
    assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
    assert_ok(gentcp_send(v.client, "a\nb;c;", 6));
    assert_recv(v.accepted, 0, "a\nb;");
    assert_recv(v.accepted, 0, "c;");
}

static void accept_hands_down_when_send_returns(void **state) {
    static const int backends[] = {GENTCP_INET, GENTCP_SOCKET};
    enum { BIG = 16 * 1024 * 1024 };
    char *bytes = calloc(1, BIG);

    (void)state;
    assert_non_null(bytes);
    for (int i = 0; i < 2; i++) {
        visit v = connect_to_listener(PASSIVE(GENTCP_INET_BACKEND(backends[i]), GENTCP_HIGH_WATERMARK(2 * BIG),
                                              GENTCP_SEND_TIMEOUT(0), GENTCP_LINGER(true, 0), GENTCP_SNDBUF(50000)));
        assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
        assert_int_equal(gentcp_send(v.accepted, bytes, BIG), backends[i] == GENTCP_INET ? 0 : GENTCP_TIMEOUT);
        assert_ok(gentcp_close(v.accepted));
    }
    free(bytes);
}

static void accept_hands_down_that_buffer_was_set(void **state) {
    visit v = connect_to_listener(PASSIVE(GENTCP_BUFFER(4)));

    (void)state;
    assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
    assert_ok(gentcp_send(v.client, "012345", 6));
    assert_recv(v.accepted, 0, "0123");
    assert_recv(v.accepted, 0, "45");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_option_that_can_be_read_has_a_value_here),
        TEST(the_defaults_are_those_of_the_manual),
        TEST(what_is_set_is_read),
        TEST(what_is_given_to_connect_and_listen_is_read),
        TEST(booleans_and_packet_types_can_be_set_back),
        TEST(the_kernels_buffers_can_be_set_everywhere),
        TEST(options_that_cannot_be_read_are_einval),
        TEST(an_option_of_another_family_is_absent),
        TEST(an_option_in_the_wrong_place_is_badarg_or_einval),
        TEST(one_bad_option_of_several_and_none_is_applied),
        TEST(good_options_are_applied_in_order_up_to_the_first_that_fails),
        TEST(of_the_same_option_twice_the_later_one_counts),
        TEST(recbuf_raises_buffer_unless_that_was_set),
        TEST(accept_hands_down_every_option_that_is_inherited_as_it_is_then),
        TEST(what_was_accepted_keeps_its_options_when_the_listener_changes),
        TEST(accept_hands_down_a_count_for_each_connection_to_use_up),
        TEST(accept_hands_down_the_line_delimiter),
        TEST(accept_hands_down_when_send_returns),
        TEST(accept_hands_down_that_buffer_was_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
