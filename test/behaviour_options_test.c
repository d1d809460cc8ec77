/* SPDX-License-Identifier: Apache-2.0 */
/* Options: where they may be given, what setting does, what reading says, and what accept hands down. */
#include "test/connection.h"

#include <net/if.h>

#include "engine/options.h"

#define SET(socket, ...) assert_ok(gentcp_setopts((socket), gentcp_options(__VA_ARGS__)))

static bool is_for(int name, int where) {
    return (gt_option_rows[name].where & where) != 0;
}

/* Has no number that an IPv4 socket of this host can be asked for. */
static bool is_unreadable(int name) {
    return !is_for(name, GT_AT_GET) || gt_option_rows[name].owner == GT_OF_HOST || name == GENTCP_OPT_RAW ||
           name == GENTCP_OPT_BIND_TO_DEVICE || name == GENTCP_OPT_NETNS;
}

static bool is_of_ipv6(int name) {
    return gt_option_rows[name].owner == GT_OF_SYSTEM && gt_option_rows[name].level == IPPROTO_IPV6;
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
    {GENTCP_OPT_TOS, 16, 0},
    {GENTCP_OPT_TTL, 33, 0},
    {GENTCP_OPT_RECVTOS, 1, 0},
    {GENTCP_OPT_RECVTTL, 1, 0},
    {GENTCP_OPT_KEEPIDLE, 100, 0},
    {GENTCP_OPT_KEEPINTVL, 20, 0},
    {GENTCP_OPT_KEEPCNT, 5, 0},
    {GENTCP_OPT_REUSEPORT, 1, 0},
    {GENTCP_OPT_REUSEPORT_LB, 1, 0},
    {GENTCP_OPT_EXCLUSIVEADDRUSE, 1, 0},
    {GENTCP_OPT_DONTROUTE, 1, 0},
    {GENTCP_OPT_DEBUG, 1, 0},
    {GENTCP_OPT_HIGH_MSGQ_WATERMARK, 20000, 0},
    {GENTCP_OPT_LOW_MSGQ_WATERMARK, 10000, 0},
    {GENTCP_OPT_DELAY_SEND, 1, 0},
    {GENTCP_OPT_TIMEOUT, 54321, 0},
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
        bool has = name == GENTCP_OPT_PKTOPTIONS || name == GENTCP_OPT_RECBUF || name == GENTCP_OPT_SNDBUF ||
                   is_of_ipv6(name) || is_unreadable(name);
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
                                            {GENTCP_OPT_PRIORITY, 0, 0},
                                            {GENTCP_OPT_TOS, 0, 0},
                                            {GENTCP_OPT_REUSEPORT, 0, 0},
                                            {GENTCP_OPT_EXCLUSIVEADDRUSE, 0, 0},
                                            {GENTCP_OPT_DEBUG, 0, 0},
                                            {GENTCP_OPT_HIGH_MSGQ_WATERMARK, 8192, 0},
                                            {GENTCP_OPT_LOW_MSGQ_WATERMARK, 4096, 0},
                                            {GENTCP_OPT_DELAY_SEND, 0, 0},
                                            {GENTCP_OPT_TIMEOUT, GENTCP_INFINITY, 0}};
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
                                        {GENTCP_OPT_RECVTOS, 0, 0},
                                        {GENTCP_OPT_REUSEPORT, 0, 0},
                                        {GENTCP_OPT_EXCLUSIVEADDRUSE, 0, 0},
                                        {GENTCP_OPT_DONTROUTE, 0, 0},
                                        {GENTCP_OPT_DEBUG, 0, 0},
                                        {GENTCP_OPT_DELAY_SEND, 0, 0},
                                        {GENTCP_OPT_TIMEOUT, GENTCP_INFINITY, 0},
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
        if (name == GENTCP_OPT_END || (name >= 0 && name < GT_OPTIONS && !is_unreadable(name)))
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

static void the_options_of_ipv6_are_set_and_read_on_ipv6(void **state) {
    gentcp_socket listener;

    (void)state;
    if (gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_INET6), GENTCP_IP("loopback"), GENTCP_TCLASS(8)), &listener) !=
        0)
        skip(); /* no IPv6 here */
    assert_int_equal(option_of(listener, GENTCP_OPT_TCLASS), 8);
    SET(listener, GENTCP_TCLASS(16), GENTCP_RECVTCLASS(true));
    assert_int_equal(option_of(listener, GENTCP_OPT_TCLASS), 16);
    assert_int_equal(option_of(listener, GENTCP_OPT_RECVTCLASS), 1);
}

static void an_option_that_the_system_refuses_is_einval(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_TTL(0))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_TCLASS(8))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_BIND_TO_DEVICE("no such one"))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_BIND_TO_DEVICE(NULL))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_BIND_TO_DEVICE("0123456789abcdef"))), -EINVAL);
    close(peer);
}

static void bind_to_device_binds_to_a_device(void **state) {
    gentcp_socket socket;
    char device[IFNAMSIZ] = "";
    socklen_t size = sizeof device;
    uint16_t port;
    int error;

    (void)state;
    listen_on_loopback(NULL, &port);
    error = gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_BIND_TO_DEVICE("lo")), SOON, &socket);
    if (error == -EPERM)
        skip();
    assert_ok(error);
    assert_ok(getsockopt(gentcp_socket_fd(socket), SOL_SOCKET, SO_BINDTODEVICE, device, &size));
    assert_string_equal(device, "lo");
}

static void two_listeners_with_reuseport_share_a_port(void **state) {
    gentcp_socket second;
    uint16_t port;

    (void)state;
    listen_on_loopback(gentcp_options(GENTCP_REUSEPORT(true)), &port);
    assert_int_equal(gentcp_listen(port, gentcp_options(GENTCP_IP("loopback")), &second), -EADDRINUSE);
    assert_ok(gentcp_listen(port, gentcp_options(GENTCP_IP("loopback"), GENTCP_REUSEPORT(true)), &second));
}

static void a_msgq_watermark_drags_the_other(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    SET(socket, GENTCP_HIGH_MSGQ_WATERMARK(1000));
    assert_int_equal(option_of(socket, GENTCP_OPT_LOW_MSGQ_WATERMARK), 1000);
    SET(socket, GENTCP_LOW_MSGQ_WATERMARK(9000));
    assert_int_equal(option_of(socket, GENTCP_OPT_HIGH_MSGQ_WATERMARK), 9000);
    close(peer);
}

static void the_default_timeout_is_that_of_option_timeout(void **state) {
    gentcp_socket listener, socket, never;
    gentcp_data data;
    uint8_t byte;
    uint16_t port;

    (void)state;
    listener = listen_on_loopback(gentcp_options(GENTCP_OPTION_TIMEOUT(5)), &port);
    assert_int_equal(gentcp_accept(listener, GENTCP_DEFAULT_TIMEOUT, &never), GENTCP_TIMEOUT);
    assert_int_equal(
        gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_OPTION_TIMEOUT(0)), GENTCP_DEFAULT_TIMEOUT, &never),
        GENTCP_TIMEOUT);
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, GENTCP_DEFAULT_TIMEOUT, &socket));
    SET(socket, GENTCP_OPTION_TIMEOUT(5));
    assert_int_equal(gentcp_recv(socket, 0, GENTCP_DEFAULT_TIMEOUT, &data), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_recv_into(socket, &byte, 1, GENTCP_DEFAULT_TIMEOUT), GENTCP_TIMEOUT);
    assert_ok(gentcp_accept(listener, GENTCP_DEFAULT_TIMEOUT, &never));
    assert_int_equal(option_of(never, GENTCP_OPT_TIMEOUT), 5);
}

static void a_timeout_that_is_given_wins_over_option_timeout(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_OPTION_TIMEOUT(0)), &socket);
    call receives = {.make = make_recv, .socket = socket, .timeout = GENTCP_INFINITY};

    (void)state;
    start(&receives);
    assert_true(waits(&receives));
    plain_say(peer, "late");
    assert_ok(finish(&receives));
    assert_text(&receives.data, "late");
    close(peer);
}

static void delay_send_lets_sends_go_out_together(void **state) {
    gentcp_message message;
    gentcp_socket socket;
    char bytes[4];
    int peer = connect_plain(PASSIVE(GENTCP_DELAY_SEND(true), GENTCP_HIGH_WATERMARK(100)), &socket);

    (void)state;
    assert_ok(gentcp_send(socket, "ab", 2));
    assert_ok(gentcp_send(socket, "cd", 2));
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_DONTWAIT), -1); /* no turn of the poller yet */
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);       /* a turn */
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_WAITALL), 4);
    assert_memory_equal(bytes, "abcd", 4);
    SET(socket, GENTCP_HIGH_WATERMARK(0)); /* waits for the kernel, as ever */
    assert_ok(gentcp_send(socket, "efgh", 4));
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_WAITALL), 4);
    SET(socket, GENTCP_HIGH_WATERMARK(100));
    assert_ok(gentcp_send(socket, "ijkl", 4));
    assert_ok(gentcp_close(socket)); /* flushes */
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_WAITALL), 4);
    assert_memory_equal(bytes, "ijkl", 4);
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
    for (int name = 0; name < GT_OPTIONS; name++)
        inherited -= is_for(name, GT_INHERITED) && !is_unreadable(name) && !is_of_ipv6(name);
    assert_int_equal(inherited, 0);
}

/* Linux makes a priority of tos, if it isn't told otherwise. */
static void tos_and_priority_are_independent(void **state) {
    visit v = connect_to_listener(gentcp_options(GENTCP_PRIORITY(3), GENTCP_TOS(96)));

    (void)state;
    assert_int_equal(option_of(v.listener, GENTCP_OPT_PRIORITY), 3);
    SET(v.listener, GENTCP_TOS(64));
    assert_int_equal(option_of(v.listener, GENTCP_OPT_PRIORITY), 3);
    SET(v.listener, GENTCP_PRIORITY(4));
    assert_int_equal(option_of(v.listener, GENTCP_OPT_TOS), 64);
    assert_ok(gentcp_accept(v.listener, SOON, &v.accepted));
    assert_int_equal(option_of(v.accepted, GENTCP_OPT_PRIORITY), 4);
    assert_int_equal(option_of(v.accepted, GENTCP_OPT_TOS), 64);
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

static void pktoptions_tell_what_came_last(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(PASSIVE(GENTCP_RECVTOS(true), GENTCP_RECVTTL(true)), &port);
    gentcp_socket socket, accepted;
    gentcp_option wanted[] = {GENTCP_PKTOPTIONS, GENTCP_END};

    (void)state;
    assert_ok(gentcp_connect("127.0.0.1", port, PASSIVE(GENTCP_TOS(16), GENTCP_TTL(33)), SOON, &socket));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_send(socket, "x", 1));
    assert_recv(accepted, 1, "x");
    assert_ok(gentcp_getopts(accepted, wanted));
    assert_int_equal(wanted->number, 16);
    assert_int_equal(wanted->extra, 33);
    SET(accepted, GENTCP_RECVTTL(false));
    assert_ok(gentcp_getopts(accepted, wanted));
    assert_int_equal(wanted->number, 16);
    assert_int_equal(wanted->extra, -1);
    assert_ok(gentcp_getopts(socket, wanted));
    assert_int_equal(wanted->number, -1);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_PKTOPTIONS)), -EINVAL);
}

static void bind_to_device_can_be_read_as_text(void **state) {
    gentcp_socket socket;
    char text[IFNAMSIZ] = "?";
    gentcp_option wanted[] = {GENTCP_READ_TEXT(GENTCP_OPT_BIND_TO_DEVICE, text, sizeof text), GENTCP_END};
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_ok(gentcp_getopts(socket, wanted));
    assert_string_equal(text, "");
    assert_int_equal(wanted->size, 0);
    close(peer);
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
        TEST(tos_and_priority_are_independent),
        TEST(the_options_of_ipv6_are_set_and_read_on_ipv6),
        TEST(an_option_that_the_system_refuses_is_einval),
        TEST(bind_to_device_binds_to_a_device),
        TEST(two_listeners_with_reuseport_share_a_port),
        TEST(a_msgq_watermark_drags_the_other),
        TEST(the_default_timeout_is_that_of_option_timeout),
        TEST(a_timeout_that_is_given_wins_over_option_timeout),
        TEST(delay_send_lets_sends_go_out_together),
        TEST(accept_hands_down_every_option_that_is_inherited_as_it_is_then),
        TEST(what_was_accepted_keeps_its_options_when_the_listener_changes),
        TEST(accept_hands_down_a_count_for_each_connection_to_use_up),
        TEST(accept_hands_down_the_line_delimiter),
        TEST(accept_hands_down_when_send_returns),
        TEST(accept_hands_down_that_buffer_was_set),
        TEST(pktoptions_tell_what_came_last),
        TEST(bind_to_device_can_be_read_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
