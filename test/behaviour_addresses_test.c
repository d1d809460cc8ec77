/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, names, ports, and connecting. */
#include <arpa/inet.h>

#include "test/connection.h"

static void assert_address(const gentcp_address *address, const char *text, uint16_t port) {
    char got[GENTCP_ADDRESS_TEXT];

    assert_ok(gentcp_address_format(address, got, sizeof got));
    assert_string_equal(got, text);
    assert_int_equal(gentcp_address_port(address), port);
}

static void assert_sockname(gentcp_socket socket, const char *text, uint16_t port) {
    gentcp_address address;

    assert_ok(gentcp_sockname(socket, &address));
    assert_address(&address, text, port);
}

static void assert_connects(const char *host, uint16_t port, const gentcp_option *options, gentcp_socket listener) {
    gentcp_socket socket, accepted;

    assert_ok(gentcp_connect(host, port, options, SOON, &socket));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_close(socket));
    assert_ok(gentcp_close(accepted));
}

static bool have_ipv6(void) {
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        close(fd);
    return have;
}

static void addresses_are_read_and_written_as_text(void **state) {
    static const struct {
        const char *text, *written;
        int family;
    } rows[] = {{"127.0.0.1", "127.0.0.1", AF_INET},
                {"255.255.255.255", "255.255.255.255", AF_INET},
                {"::1", "::1", AF_INET6},
                {"::", "::", AF_INET6},
                {"2001:DB8:0:0::1", "2001:db8::1", AF_INET6},
                {"::ffff:1.2.3.4", "::ffff:1.2.3.4", AF_INET6},
                {"fe80::1%lo", "fe80::1%lo", AF_INET6}};
    static const char *const bad[] = {"", "localhost", "127.0.0.1.", "256.1.1.1", ":::", "::1%", "127.0.0.1 "};
    gentcp_address address;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(gentcp_address_parse(rows[i].text, 4711, &address));
        assert_int_equal(address.any.sa_family, rows[i].family);
        assert_address(&address, rows[i].written, 4711);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gentcp_address_parse(bad[i], 1, &address), GENTCP_BADARG);
}

static void both_ends_agree_on_their_addresses(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_address here, there;
    uint16_t port;

    (void)state;
    assert_ok(gentcp_sockname(p.here, &here));
    assert_ok(gentcp_peername(p.there, &there));
    assert_int_equal(here.size, there.size);
    assert_memory_equal(&here.any, &there.any, here.size);
    assert_ok(gentcp_port(p.here, &port));
    assert_int_equal(port, gentcp_address_port(&there));
    assert_ok(gentcp_sockname(p.there, &there));
    assert_ok(gentcp_peername(p.here, &here));
    assert_memory_equal(&here.any, &there.any, here.size);
    assert_int_not_equal(port, gentcp_address_port(&here));
}

static void a_listener_has_a_name_but_no_peer(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    gentcp_address address;

    (void)state;
    assert_int_not_equal(port, 0);
    assert_sockname(listener, "127.0.0.1", port);
    assert_int_equal(gentcp_peername(listener, &address), -ENOTCONN);
}

static void a_listener_listens_where_ip_and_family_say(void **state) {
    static const struct {
        const char *ip; /* NULL: not given */
        int family;     /* 0: not given */
        const char *name;
    } rows[] = {{NULL, 0, "0.0.0.0"},          {"any", 0, "0.0.0.0"},         {"loopback", 0, "127.0.0.1"},
                {"127.0.0.3", 0, "127.0.0.3"}, {NULL, AF_INET, "0.0.0.0"},    {NULL, AF_INET6, "::"},
                {"any", AF_INET6, "::"},       {"loopback", AF_INET6, "::1"}, {"::1", 0, "::1"},
                {"::1", AF_INET6, "::1"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gentcp_option options[3];
        gentcp_socket listener;
        uint16_t port;
        int n = 0;
        if (strchr(rows[i].name, ':') != NULL && !have_ipv6())
            continue;
        if (rows[i].family != 0)
            options[n++] = GENTCP_FAMILY(rows[i].family);
        if (rows[i].ip != NULL)
            options[n++] = GENTCP_IP(rows[i].ip);
        options[n] = GENTCP_END;
        assert_ok(gentcp_listen(0, options, &listener));
        assert_ok(gentcp_port(listener, &port));
        assert_sockname(listener, rows[i].name, port);
        assert_ok(gentcp_close(listener));
    }
}

static void ipv6_works_as_ipv4_does(void **state) {
    gentcp_socket listener, here, there, never;
    gentcp_address address;
    uint16_t port;

    (void)state;
    if (!have_ipv6())
        skip();
    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_IP("::1"), GENTCP_IPV6_V6ONLY(true)), &listener));
    assert_ok(gentcp_port(listener, &port));
    assert_int_equal(option_of(listener, GENTCP_OPT_IPV6_V6ONLY), 1);
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, SOON, &never), -ECONNREFUSED);
    assert_ok(gentcp_connect("::1", port, JUST_PASSIVE, SOON, &here));
    assert_ok(gentcp_accept(listener, SOON, &there));
    assert_ok(gentcp_peername(here, &address));
    assert_address(&address, "::1", port);
    assert_ok(gentcp_send(here, "six", 3));
    assert_recv(there, 0, "six");
}

static void without_v6only_an_ipv6_listener_takes_ipv4_too(void **state) {
    gentcp_socket listener;
    uint16_t port;

    (void)state;
    if (!have_ipv6())
        skip();
    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_FAMILY(AF_INET6), GENTCP_IPV6_V6ONLY(false)), &listener));
    assert_ok(gentcp_port(listener, &port));
    assert_connects("127.0.0.1", port, NULL, listener);
    assert_connects("::1", port, NULL, listener);
}

static void a_connection_comes_from_where_ip_and_port_say(void **state) {
    uint16_t port, free_port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port), socket, never;

    (void)state;
    close(plain_listener(&free_port, 1));
    assert_ok(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_IP("127.0.0.2"), GENTCP_PORT(free_port)), SOON,
                             &socket));
    assert_sockname(socket, "127.0.0.2", free_port);
    assert_int_equal(
        gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_IP("127.0.0.2"), GENTCP_PORT(free_port)), SOON, &never),
        -EADDRINUSE);
    assert_ok(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_IP("loopback")), SOON, &socket));
    assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_IP("192.0.2.1")), SOON, &never),
                     -EADDRNOTAVAIL);
    (void)listener;
}

static void a_name_is_looked_up_and_all_its_addresses_are_tried(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port);

    (void)state;
    assert_connects("localhost", port, NULL, listener);
    assert_connects("localhost", port, gentcp_options(GENTCP_FAMILY(AF_INET)), listener);
}

static void an_unknown_name_is_nxdomain(void **state) {
    static const char *const names[] = {"no-such-host.invalid", "127.0.0.1.", "..", "256.256.256.256"};
    gentcp_socket never;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int status = gentcp_connect(names[i], 9, NULL, SOON, &never);
        if (status != GENTCP_NXDOMAIN)
            fail_msg("\"%s\" is %s", names[i], gentcp_error_name(status));
    }
}

static void what_can_be_no_name_is_badarg(void **state) {
    static const char *const names[] = {"", "a b", " ", "localhost\n", "tab\t", "127.0.0.1 "};
    gentcp_socket never;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(gentcp_connect(names[i], 9, NULL, SOON, &never), GENTCP_BADARG);
}

static void an_address_of_another_family_is_nxdomain(void **state) {
    gentcp_socket never;

    (void)state;
    assert_int_equal(gentcp_connect("::1", 9, gentcp_options(GENTCP_FAMILY(AF_INET)), SOON, &never), GENTCP_NXDOMAIN);
}

static void a_port_without_a_listener_is_econnrefused(void **state) {
    uint16_t port;
    gentcp_socket never;

    (void)state;
    close(plain_listener(&port, 1));
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, SOON, &never), -ECONNREFUSED);
    assert_int_equal(gentcp_connect("localhost", port, NULL, SOON, &never), -ECONNREFUSED);
}

static void a_port_in_use_is_eaddrinuse(void **state) {
    uint16_t port;
    gentcp_socket never;
    int other = plain_listener(&port, 1);

    (void)state;
    assert_int_equal(gentcp_listen(port, gentcp_options(GENTCP_IP("127.0.0.1")), &never), -EADDRINUSE);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP("192.0.2.1")), &never), -EADDRNOTAVAIL);
    close(other);
}

static void a_listener_can_take_the_port_that_it_asks_for(void **state) {
    uint16_t port;
    gentcp_socket listener;

    (void)state;
    close(plain_listener(&port, 1));
    assert_ok(gentcp_listen(port, PASSIVE(GENTCP_IP("127.0.0.1"), GENTCP_REUSEADDR(true)), &listener));
    assert_sockname(listener, "127.0.0.1", port);
    assert_connects("127.0.0.1", port, NULL, listener);
}

/* A listener whose queue is full, so that connecting to it is neither accepted nor refused. */
typedef struct silent {
    int listener, fill[8];
    uint16_t port;
} silent;

static silent listen_silently(void) {
    silent s;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    s.listener = plain_listener(&s.port, 0);
    to.sin_port = htons(s.port);
    for (int i = 0; i < 8; i++) {
        s.fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(s.fill[i] >= 0);
        (void)connect(s.fill[i], (struct sockaddr *)&to, sizeof to);
    }
    return s;
}

static void end_silence(silent *s) {
    for (int i = 0; i < 8; i++)
        close(s->fill[i]);
    close(s->listener);
}

static void connecting_ends_with_its_timeout(void **state) {
    silent s = listen_silently();
    gentcp_socket never;

    (void)state;
    assert_int_equal(gentcp_connect("127.0.0.1", s.port, NULL, BRIEFLY, &never), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_connect("localhost", s.port, NULL, BRIEFLY, &never), GENTCP_TIMEOUT);
    end_silence(&s);
}

static void connecting_with_timeout_0_is_timeout(void **state) {
    uint16_t port;
    gentcp_socket never;

    (void)state;
    listen_on_loopback(JUST_PASSIVE, &port);
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, 0, &never), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_connect("localhost", port, NULL, 0, &never), GENTCP_TIMEOUT);
}

static void connecting_with_a_negative_timeout_is_badarg_but_infinity(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port), socket;

    (void)state;
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, -3, &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, INT64_MIN, &socket), GENTCP_BADARG);
    assert_ok(gentcp_connect("127.0.0.1", port, NULL, GENTCP_INFINITY, &socket));
    (void)listener;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_read_and_written_as_text),
        TEST(both_ends_agree_on_their_addresses),
        TEST(a_listener_has_a_name_but_no_peer),
        TEST(a_listener_listens_where_ip_and_family_say),
        TEST(ipv6_works_as_ipv4_does),
        TEST(without_v6only_an_ipv6_listener_takes_ipv4_too),
        TEST(a_connection_comes_from_where_ip_and_port_say),
        TEST(a_name_is_looked_up_and_all_its_addresses_are_tried),
        TEST(an_unknown_name_is_nxdomain),
        TEST(what_can_be_no_name_is_badarg),
        TEST(an_address_of_another_family_is_nxdomain),
        TEST(a_port_without_a_listener_is_econnrefused),
        TEST(a_port_in_use_is_eaddrinuse),
        TEST(a_listener_can_take_the_port_that_it_asks_for),
        TEST(connecting_ends_with_its_timeout),
        TEST(connecting_with_timeout_0_is_timeout),
        TEST(connecting_with_a_negative_timeout_is_badarg_but_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
