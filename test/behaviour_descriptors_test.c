/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that exist already: gentcp_fdopen, which takes them over, and option fd, to which they are lent; and raw
 * options, which reach what else a descriptor has. */
#include <arpa/inet.h>
#include <fcntl.h>

#include "test/connection.h"

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static void assert_made_ours(int fd) {
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static int fresh(int type) {
    int fd = socket(AF_INET, type, 0);

    assert_true(fd >= 0);
    return fd;
}

static int plain_connection(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = fresh(SOCK_STREAM);

    assert_ok(connect(fd, (struct sockaddr *)&to, sizeof to));
    return fd;
}

/* Two ends of a TCP connection. */
static void plain_pair(int ends[2]) {
    uint16_t port;
    int listener = plain_listener(&port, 1);

    ends[0] = plain_connection(port);
    ends[1] = accept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
    close(listener);
}

static void an_end_of_a_socketpair_becomes_a_socket_and_is_closed_with_it(void **state) {
    gentcp_socket socket;
    int ends[2];

    (void)state;
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    plain_say(ends[1], "before");
    assert_ok(gentcp_fdopen(ends[0], JUST_PASSIVE, &socket));
    assert_made_ours(ends[0]);
    assert_int_equal(gentcp_socket_fd(socket), ends[0]);
    assert_recv(socket, 6, "before");
    assert_ok(gentcp_send(socket, "after", 5));
    assert_plain_reads(ends[1], "after");
    assert_ok(gentcp_close(socket));
    assert_false(is_open(ends[0]));
    assert_int_equal(plain_end(ends[1]), 0);
    close(ends[1]);
}

static void an_inherited_connection_becomes_an_active_socket(void **state) {
    gentcp_address name;
    gentcp_socket socket;
    int ends[2];

    (void)state;
    plain_pair(ends);
    plain_send(ends[1], "\0\5first\0\6second", 15);
    assert_ok(gentcp_fdopen(ends[0], gentcp_options(GENTCP_PACKET(2), GENTCP_NODELAY(true)), &socket));
    assert_tcp(socket, "first");
    assert_tcp(socket, "second");
    assert_int_equal(option_of(socket, GENTCP_OPT_NODELAY), 1);
    assert_ok(gentcp_peername(socket, &name));
    assert_int_equal(name.any.sa_family, AF_INET);
    close(ends[1]);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_false(is_open(ends[0]));
}

static void a_connection_whose_peer_has_gone_tells_its_end(void **state) {
    gentcp_socket socket;
    int ends[2];

    (void)state;
    plain_pair(ends);
    close(ends[1]);
    assert_ok(gentcp_fdopen(ends[0], NULL, &socket));
    assert_told(socket, GENTCP_TCP_CLOSED);
}

static void a_connection_that_was_reset_is_that_error(void **state) {
    struct pollfd reset = {.events = 0};
    gentcp_socket socket;
    int ends[2];

    (void)state;
    plain_pair(ends);
    plain_reset(ends[1]);
    reset.fd = ends[0];
    assert_int_equal(poll(&reset, 1, SOON), 1);
    assert_int_equal(gentcp_fdopen(ends[0], NULL, &socket), -ECONNRESET);
    assert_true(is_open(ends[0]));
    close(ends[0]);
}

static void an_inherited_listener_accepts(void **state) {
    gentcp_socket listener, accepted;
    uint16_t port, found;
    int fd = plain_listener(&port, 5);
    int peer = plain_connection(port);

    (void)state;
    assert_ok(gentcp_fdopen(fd, PASSIVE(GENTCP_PACKET(1)), &listener));
    assert_ok(gentcp_port(listener, &found));
    assert_int_equal(found, port);
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    plain_send(peer, "\2hi", 3);
    assert_recv(accepted, 0, "hi");
    assert_ok(gentcp_close(listener));
    assert_false(is_open(fd));
    close(peer);
}

static void a_fresh_descriptor_has_options_and_a_name_and_is_not_connected(void **state) {
    int fd = fresh(SOCK_STREAM);
    gentcp_socket socket, accepted;
    gentcp_address name;

    (void)state;
    assert_ok(gentcp_fdopen(fd, NULL, &socket));
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_KEEPALIVE(true), GENTCP_ACTIVE(false))));
    assert_int_equal(option_of(socket, GENTCP_OPT_KEEPALIVE), 1);
    assert_ok(gentcp_sockname(socket, &name));
    assert_int_equal(gentcp_peername(socket, &name), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(gentcp_shutdown(socket, SHUT_WR), -ENOTCONN);
    assert_int_equal(gentcp_accept(socket, SOON, &accepted), -EINVAL);
    assert_ok(gentcp_close(socket));
    assert_false(is_open(fd));
}

static void what_is_no_stream_socket_is_refused_and_stays_the_callers(void **state) {
    int file = open("/dev/null", O_RDONLY), udp = fresh(SOCK_DGRAM);
    gentcp_socket never;
    int mine[2], gone;

    (void)state;
    assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, mine));
    (void)listen_on_loopback(NULL, &(uint16_t){0}); /* the process has its own descriptors by now */
    gone = 1000;
    close(gone);
    for (int way = 0; way < 3; way++) {
        struct {
            int fd, error;
        } rows[] = {{gone, -EBADF}, {INT32_MAX, -EBADF}, {file, -ENOTSOCK}, {udp, -EOPNOTSUPP}, {mine[0], -EOPNOTSUPP}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            int fd = rows[i].fd;
            int answer = way == 0   ? gentcp_fdopen(fd, NULL, &never)
                         : way == 1 ? gentcp_connect("127.0.0.1", 9, gentcp_options(GENTCP_FD(fd)), SOON, &never)
                                    : gentcp_listen(0, gentcp_options(GENTCP_FD(fd)), &never);
            assert_int_equal(answer, rows[i].error);
        }
    }
    assert_true(is_open(file) && is_open(udp) && is_open(mine[0]));
    assert_int_equal(fcntl(udp, F_GETFL) & O_NONBLOCK, 0);
    close(file);
    close(udp);
    close(mine[0]);
    close(mine[1]);
}

static void a_bad_argument_of_fdopen_leaves_the_descriptor(void **state) {
    int fd = fresh(SOCK_STREAM);
    gentcp_socket never;

    (void)state;
    assert_int_equal(gentcp_fdopen(-1, NULL, &never), GENTCP_BADARG);
    assert_int_equal(gentcp_fdopen(fd, NULL, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_fdopen(fd, gentcp_options(GENTCP_PACKET(3)), &never), -EINVAL);
    assert_int_equal(gentcp_fdopen(fd, gentcp_options(GENTCP_IP("127.0.0.1")), &never), -EINVAL);
    assert_int_equal(gentcp_fdopen(fd, gentcp_options(GENTCP_TTL(0)), &never), -EINVAL);
    assert_true(is_open(fd));
    close(fd);
}

static void a_descriptor_can_be_a_socket_of_one_process_only_once(void **state) {
    gentcp_socket socket, again;
    int ends[2];

    (void)state;
    if (gentcp_fd() == -EOPNOTSUPP)
        skip(); /* poll(2) doesn't mind */
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_ok(gentcp_fdopen(ends[0], JUST_PASSIVE, &socket));
    assert_int_equal(gentcp_fdopen(ends[0], JUST_PASSIVE, &again), -EEXIST);
    plain_say(ends[1], "still");
    assert_recv(socket, 5, "still");
    close(ends[1]);
}

static void connect_uses_a_lent_descriptor_and_leaves_it_open(void **state) {
    int fd = fresh(SOCK_STREAM), peer;
    gentcp_socket socket;
    uint16_t port;
    int listener = plain_listener(&port, 1);

    (void)state;
    assert_ok(gentcp_connect("127.0.0.1", port, PASSIVE(GENTCP_FD(fd)), SOON, &socket));
    assert_int_equal(gentcp_socket_fd(socket), fd);
    assert_made_ours(fd);
    peer = accept(listener, NULL, NULL);
    plain_say(peer, "one");
    assert_recv(socket, 3, "one");
    assert_ok(gentcp_close(socket));
    assert_true(is_open(fd));
    plain_send(fd, "mine", 4);
    assert_plain_reads(peer, "mine");
    close(fd);
    assert_int_equal(plain_end(peer), 0);
    close(peer);
    close(listener);
}

static void a_lent_descriptor_survives_its_socket_in_every_way(void **state) {
    gentcp_socket socket;

    (void)state;
    for (int i = 0; i < 3; i++) {
        uint16_t port;
        int listener = plain_listener(&port, 1), fd = fresh(SOCK_STREAM), peer;
        assert_ok(gentcp_connect("127.0.0.1", port, PASSIVE(GENTCP_FD(fd), GENTCP_LINGER(i == 0, 0)), SOON, &socket));
        peer = accept(listener, NULL, NULL);
        close(listener);
        if (i == 0) { /* a close that would reset */
            assert_ok(gentcp_close(socket));
            plain_send(fd, "no reset", 8);
            assert_plain_reads(peer, "no reset");
        } else if (i == 1) { /* the peer's end */
            assert_ok(shutdown(peer, SHUT_WR));
            assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        } else {
            gentcp_exit();
        }
        assert_true(is_open(fd));
        close(fd);
        close(peer);
    }
}

static void a_lent_listener_can_be_listened_on_again_and_again(void **state) {
    uint16_t port, found;
    int fd = plain_listener(&port, 5);

    (void)state;
    for (int i = 0; i < 3; i++) {
        gentcp_socket listener, accepted;
        int peer = plain_connection(port);
        assert_ok(gentcp_listen(0, PASSIVE(GENTCP_FD(fd)), &listener));
        assert_ok(gentcp_port(listener, &found));
        assert_int_equal(found, port);
        assert_ok(gentcp_accept(listener, SOON, &accepted));
        assert_ok(gentcp_close(listener));
        assert_true(is_open(fd));
        close(peer);
    }
    close(fd);
}

static void a_lent_descriptor_is_bound_if_an_address_or_a_port_is_given(void **state) {
    int fds[2] = {fresh(SOCK_STREAM), fresh(SOCK_STREAM)};
    gentcp_socket listener, other, socket, accepted;
    gentcp_address name;
    uint16_t port;
    char text[GENTCP_ADDRESS_TEXT];

    (void)state;
    assert_ok(gentcp_listen(0, gentcp_options(GENTCP_FD(fds[0]), GENTCP_IP("127.0.0.1")), &listener));
    assert_ok(gentcp_port(listener, &port));
    assert_int_equal(gentcp_listen(port, gentcp_options(GENTCP_FD(fds[1])), &other), -EADDRINUSE);
    assert_ok(
        gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_FD(fds[1]), GENTCP_IP("127.0.0.3")), SOON, &socket));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_peername(accepted, &name));
    assert_ok(gentcp_address_format(&name, text, sizeof text));
    assert_string_equal(text, "127.0.0.3");
    gentcp_exit();
    close(fds[0]);
    close(fds[1]);
}

static void a_lent_descriptor_that_is_something_else_already(void **state) {
    uint16_t port;
    int listening = plain_listener(&port, 5), connected = plain_connection(port), fd = fresh(SOCK_STREAM);
    int soon_connected = fresh(SOCK_STREAM | SOCK_NONBLOCK);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd ready = {.fd = soon_connected, .events = POLLOUT};
    gentcp_socket never;

    (void)state;
    (void)connect(soon_connected, (struct sockaddr *)&to, sizeof to);
    assert_int_equal(poll(&ready, 1, SOON), 1);
    assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_FD(connected)), SOON, &never), -EISCONN);
    assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_FD(soon_connected)), SOON, &never),
                     -EISCONN);
    close(soon_connected);
    assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_FD(listening)), SOON, &never), -EISCONN);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FD(connected)), &never), -EINVAL);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FD(fd), GENTCP_IP("::1")), &never), -EINVAL);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FD(fd), GENTCP_FAMILY(AF_UNIX)), &never), -EINVAL);
    assert_true(is_open(listening) && is_open(connected) && is_open(fd));
    close(listening);
    close(connected);
    close(fd);
}

static void a_negative_descriptor_is_none(void **state) {
    gentcp_socket listener, socket;
    uint16_t port;

    (void)state;
    listener = listen_on_loopback(gentcp_options(GENTCP_FD(-1)), &port);
    assert_ok(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_FD(INT32_MIN)), SOON, &socket));
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FD((int64_t)INT32_MAX + 1)), &socket), GENTCP_BADARG);
    assert_int_equal(gentcp_setopts(listener, gentcp_options(GENTCP_FD(1))), -EINVAL);
    assert_int_equal(gentcp_getopt(listener, GENTCP_OPT_FD, &(int64_t){0}), -EINVAL);
}

static void raw_options_are_set_and_read(void **state) {
    const int on = 1;
    int value = 0, small = 0;
    gentcp_socket socket, listener;
    uint16_t port;
    int peer = connect_plain(PASSIVE(GENTCP_RAW_OPTION(IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)), &socket);
    gentcp_option wanted[] = {GENTCP_RAW_OPTION(IPPROTO_TCP, TCP_NODELAY, &value, sizeof value),
                              GENTCP_RAW_OPTION(SOL_SOCKET, SO_KEEPALIVE, &small, 1),
                              GENTCP_RAW_OPTION(12345, 6, &value, sizeof value), GENTCP_END};
    gentcp_option bad[] = {GENTCP_OPTION(GENTCP_OPT_RAW, 0), GENTCP_END};

    (void)state;
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_RAW_OPTION(SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on))));
    assert_int_equal(option_of(socket, GENTCP_OPT_KEEPALIVE), 1);
    assert_ok(gentcp_getopts(socket, wanted));
    assert_int_equal(wanted[0].size, sizeof value);
    assert_int_equal(value, 1);
    assert_int_equal(wanted[1].size, 1);
    assert_int_equal(small, 1);
    assert_int_equal(wanted[2].name, GENTCP_OPT_ABSENT);
    assert_int_equal(gentcp_getopts(socket, bad), -EINVAL);
    listener = listen_on_loopback(gentcp_options(GENTCP_RAW_OPTION(SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)), &port);
    assert_int_equal(option_of(listener, GENTCP_OPT_REUSEADDR), 1);
    /* as inet: what the system says isn't told; what no system could say, is */
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_RAW_OPTION(12345, 6, &on, sizeof on))));
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_RAW_OPTION(1, 1, NULL, 4))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_RAW_OPTION(1, 1, &on, SIZE_MAX))), -EINVAL);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_end_of_a_socketpair_becomes_a_socket_and_is_closed_with_it),
        TEST(an_inherited_connection_becomes_an_active_socket),
        TEST(a_connection_whose_peer_has_gone_tells_its_end),
        TEST(a_connection_that_was_reset_is_that_error),
        TEST(an_inherited_listener_accepts),
        TEST(a_fresh_descriptor_has_options_and_a_name_and_is_not_connected),
        TEST(what_is_no_stream_socket_is_refused_and_stays_the_callers),
        TEST(a_bad_argument_of_fdopen_leaves_the_descriptor),
        TEST(a_descriptor_can_be_a_socket_of_one_process_only_once),
        TEST(connect_uses_a_lent_descriptor_and_leaves_it_open),
        TEST(a_lent_descriptor_survives_its_socket_in_every_way),
        TEST(a_lent_listener_can_be_listened_on_again_and_again),
        TEST(a_lent_descriptor_is_bound_if_an_address_or_a_port_is_given),
        TEST(a_lent_descriptor_that_is_something_else_already),
        TEST(a_negative_descriptor_is_none),
        TEST(raw_options_are_set_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
