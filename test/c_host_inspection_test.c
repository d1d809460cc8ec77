/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket tells of itself: its names in each part of its life, and the descriptor, for as long as it says. */
#define _GNU_SOURCE /* POLLRDHUP */
#include <fcntl.h>

#include "test/connection.h"

/* ---- names ---- */

static void assert_names(gentcp_socket socket, int sockname, int peername) {
    gentcp_address address;
    uint16_t port = 0;

    assert_int_equal(gentcp_sockname(socket, &address), sockname);
    assert_int_equal(gentcp_port(socket, &port), sockname);
    assert_int_equal(gentcp_peername(socket, &address), peername);
    if (sockname == 0) {
        assert_int_not_equal(port, 0);
        assert_ok(gentcp_sockname(socket, &address));
        assert_int_equal(gentcp_address_port(&address), port);
    }
}

static void await_end(gentcp_socket socket) {
    struct pollfd ended = {.fd = gentcp_socket_fd(socket), .events = POLLRDHUP};

    assert_int_equal(poll(&ended, 1, SOON), 1);
}

static void names_stay_until_the_end_was_read(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_names(socket, 0, 0);
    close(peer);
    await_end(socket);
    assert_names(socket, 0, 0);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_names(socket, -EBADF, -ENOTCONN);
    assert_ok(gentcp_close(socket));
    assert_names(socket, -EINVAL, -EINVAL);
}

static void after_a_reset_there_is_no_peer(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_reset(peer);
    await_reset(socket);
    assert_names(socket, 0, -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_names(socket, -EBADF, -ENOTCONN);
}

static void an_active_sockets_names_end_with_it(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    close(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_names(socket, -EINVAL, -EINVAL);
}

static void names_outlive_shutdown_and_the_peers_end_without_exit_on_close(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket);

    (void)state;
    assert_ok(shutdown(peer, SHUT_WR));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_names(socket, 0, 0);
    assert_true(gentcp_socket_fd(socket) >= 0);
    close(peer);
    peer = connect_plain(JUST_PASSIVE, &socket);
    assert_ok(gentcp_shutdown(socket, SHUT_RDWR));
    assert_names(socket, 0, 0);
    close(peer);
}

static int name_elsewhere(call *c) {
    gentcp_address address;
    uint16_t port = 0;
    int status = gentcp_sockname(c->socket, &address);

    if (status == 0)
        status = gentcp_port(c->socket, &port);
    if (status == 0)
        status = gentcp_peername(c->socket, &address);
    if (status == 0 && gentcp_socket_fd(c->socket) != c->peer)
        status = -EBADF;
    return status != 0 ? status : port;
}

static void any_process_may_ask(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call other = {.make = name_elsewhere, .socket = socket, .peer = gentcp_socket_fd(socket)};
    uint16_t port;

    (void)state;
    assert_ok(gentcp_port(socket, &port));
    start(&other);
    assert_int_equal(finish(&other), port);
    close(peer);
}

/* ---- the descriptor ---- */

/* What gentcp has read ahead, as a TLS library's transport takes it out. */
static size_t drain(gentcp_socket socket, char *bytes, size_t room) {
    size_t have = 0;
    gentcp_data data;
    int status;

    while ((status = gentcp_recv(socket, 0, 0, &data)) == 0) {
        assert_true(data.size <= room - have);
        memcpy(bytes + have, data.bytes, data.size);
        have += data.size;
        gentcp_data_release(&data);
    }
    assert_int_equal(status, GENTCP_TIMEOUT);
    return have;
}

/* As STARTTLS goes: lines in active mode, and then the library's own reads and writes. */
static void a_tls_library_takes_a_passive_socket_over_where_gentcp_has_stopped_reading(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE), GENTCP_ACTIVE(GENTCP_ONCE)), &socket);
    char bytes[64] = "";
    gentcp_message message;
    size_t have;
    int fd;

    (void)state;
    plain_say(peer, "starttls\nhel");
    assert_tcp(socket, "starttls\n");
    assert_ok(gentcp_setopts(socket, PASSIVE(GENTCP_PACKET(GENTCP_RAW))));
    have = drain(socket, bytes, sizeof bytes);
    assert_int_equal(have, 3); /* what is no line yet was read with the line */
    fd = gentcp_socket_fd(socket);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    plain_say(peer, "lo");
    assert_int_equal(gentcp_receive(&message, BRIEFLY), GENTCP_TIMEOUT); /* its poller takes nothing away */
    assert_int_equal(plain_read(fd, bytes + have, 2, SOON), 2);
    assert_string_equal(bytes, "hello");
    plain_say(fd, "to you");
    assert_plain_reads(peer, "to you");
    assert_ok(shutdown(peer, SHUT_WR));
    assert_ok(plain_end(fd));
    assert_int_equal(gentcp_receive(&message, BRIEFLY), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_socket_fd(socket), fd); /* gentcp hasn't read that end */
    plain_say(fd, "bye");
    assert_plain_reads(peer, "bye");
    assert_ok(gentcp_close(socket));
    assert_ok(plain_end(peer));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close(peer);
}

static void the_descriptor_stays_through_a_reset_until_that_was_read(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = gentcp_socket_fd(socket);
    gentcp_message message;

    (void)state;
    plain_reset(peer);
    await_reset(socket);
    assert_int_equal(gentcp_receive(&message, BRIEFLY), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_socket_fd(socket), fd);
    assert_int_equal(plain_end(fd), -ECONNRESET);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_socket_fd(socket), -EINVAL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void a_duplicate_outlives_the_socket(void **state) {
    (void)state;
    for (int by_peer = 0; by_peer < 2; by_peer++) {
        gentcp_socket socket;
        int peer = connect_plain(JUST_PASSIVE, &socket);
        int copy = dup(gentcp_socket_fd(socket));
        assert_true(copy >= 0);
        if (by_peer) {
            assert_ok(shutdown(peer, SHUT_WR));
            assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        } else {
            assert_ok(gentcp_close(socket));
        }
        assert_int_equal(gentcp_socket_fd(socket), -EINVAL);
        plain_say(copy, "still here");
        assert_plain_reads(peer, "still here");
        close(copy);
        assert_ok(plain_end(peer));
        close(peer);
    }
}

static void a_listeners_descriptor_is_its_own(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    int fd = gentcp_socket_fd(listener), listens = 0;
    socklen_t size = sizeof listens;

    (void)state;
    assert_ok(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size));
    assert_true(listens);
    assert_ok(gentcp_close(listener));
    assert_int_equal(gentcp_socket_fd(listener), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_stay_until_the_end_was_read),
        TEST(after_a_reset_there_is_no_peer),
        TEST(an_active_sockets_names_end_with_it),
        TEST(names_outlive_shutdown_and_the_peers_end_without_exit_on_close),
        TEST(any_process_may_ask),
        TEST(a_tls_library_takes_a_passive_socket_over_where_gentcp_has_stopped_reading),
        TEST(the_descriptor_stays_through_a_reset_until_that_was_read),
        TEST(a_duplicate_outlives_the_socket),
        TEST(a_listeners_descriptor_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
