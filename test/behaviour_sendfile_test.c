/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_sendfile: as OTP's file:sendfile on a socket of gen_tcp, but that a file which can't be sent doesn't cost the
 * connection, and that send_timeout, shutdown and close know of it. */
#include <fcntl.h>

#include "test/connection.h"

enum { LARGE = 1024 * 1024 };

#define QUEUEING GENTCP_HIGH_WATERMARK(1 << 20), GENTCP_LOW_WATERMARK(1 << 20)

static uint8_t pattern[LARGE];

/* A file that is gone when it is closed, of so many bytes of the pattern. */
static int file_of(size_t size) {
    char path[] = "/tmp/gentcp_sendfile_XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_ok(unlink(path));
    assert_int_equal(write(fd, pattern, size), (ssize_t)size);
    return fd;
}

/* A connection with little room in the kernel, so that a large file waits for its peer. */
static int connect_narrow(const gentcp_option *options, gentcp_socket *out) {
    static const int small = 64 * 1024;
    uint16_t port;
    int listener = plain_listener(&port, 1);
    int peer;

    assert_ok(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
    peer = connect_to(listener, port, options, out);
    assert_ok(gentcp_setopts(*out, gentcp_options(GENTCP_SNDBUF(small))));
    return peer;
}

/* gentcp_sendfile in a thread of its own. */
typedef struct file_call {
    call call;
    int fd;
    int64_t offset;
    uint64_t size;
    uint64_t sent;
} file_call;

static int make_sendfile(call *c) {
    file_call *f = (file_call *)(void *)c;

    return gentcp_sendfile(c->socket, f->fd, f->offset, f->size, &f->sent);
}

#define SENDING_FILE(on, from) ((file_call){.call = {.make = make_sendfile, .socket = (on)}, .fd = (from), .sent = 1})

static void assert_plain_reads_pattern(int peer, size_t from, size_t size) {
    uint8_t *got = malloc(size + 1);

    assert_non_null(got);
    assert_int_equal(plain_read(peer, got, size, SOON), size);
    assert_memory_equal(got, pattern + from, size);
    free(got);
}

static void plain_skip(int peer, size_t size) {
    uint8_t *got = malloc(size + 1);

    assert_non_null(got);
    assert_int_equal(plain_read(peer, got, size, SOON), size);
    free(got);
}

/* The stream ends, and nothing comes before that. */
static void assert_plain_end(int peer) {
    char byte;

    assert_int_equal(plain_read(peer, &byte, 1, SOON), 0);
    assert_int_equal(plain_end(peer), 0);
}

static int sendfile_status(gentcp_socket socket, int fd) {
    uint64_t sent = 1;
    int status = gentcp_sendfile(socket, fd, 0, 0, &sent);

    assert_int_equal(sent, 0);
    return status;
}

/* ---- what is sent ---- */

static void the_asked_part_of_a_file_is_sent_and_counted(void **state) {
    static const struct {
        int64_t offset;
        uint64_t size, sent;
    } parts[] = {
        {0, 0, 1000},  {0, 10, 10},           {990, 0, 10}, {990, 10, 10},
        {990, 11, 10}, {0, UINT64_MAX, 1000}, {1000, 0, 0}, {5000, 7, 0},
    };
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = file_of(1000);

    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t sent = 77;
        assert_ok(gentcp_sendfile(socket, fd, parts[i].offset, parts[i].size, &sent));
        assert_int_equal(sent, parts[i].sent);
        if (sent > 0)
            assert_plain_reads_pattern(peer, (size_t)parts[i].offset, sent);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000); /* where writing has left it */
    assert_ok(gentcp_sendfile(socket, fd, 0, 3, NULL));
    assert_ok(gentcp_send(socket, "end", 3));
    assert_plain_reads_pattern(peer, 0, 3);
    assert_plain_reads(peer, "end");
    close(fd);
    close(peer);
}

static void a_file_gets_no_packet_header(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(4)), &socket);
    int fd = file_of(100);

    (void)state;
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, NULL));
    assert_ok(gentcp_send(socket, "x", 1));
    assert_plain_reads_pattern(peer, 0, 100);
    plain_skip(peer, 4);
    assert_plain_reads(peer, "x");
    close(fd);
    close(peer);
}

static void an_active_socket_goes_on_receiving(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(NULL, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    plain_say(peer, "meanwhile");
    assert_tcp(socket, "meanwhile");
    assert_plain_reads_pattern(peer, 0, LARGE);
    assert_ok(finish(&sending.call));
    assert_int_equal(sending.sent, LARGE);
    assert_silence(socket);
    close(sending.fd);
    close(peer);
}

static void a_large_file_waits_for_its_peer(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(JUST_PASSIVE, &socket);
    call reading = {.make = make_read, .peer = peer, .length = LARGE, .bytes = pattern};
    int fd = file_of(LARGE);
    uint64_t sent;

    (void)state;
    start(&reading);
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, &sent));
    assert_int_equal(sent, LARGE);
    assert_ok(finish(&reading));
    assert_recv(socket, 4, "read");
    close(fd);
    close(peer);
}

/* ---- order ---- */

static void what_was_sent_before_goes_out_before_and_what_is_sent_meanwhile_after(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(QUEUEING), &socket, &full);
    file_call first = SENDING_FILE(socket, file_of(1000));
    file_call second = SENDING_FILE(socket, file_of(500));

    (void)state;
    assert_ok(gentcp_send(socket, "before", 6));
    start(&first.call);
    assert_ok(gentcp_send(socket, "between ", 8));
    assert_ok(gentcp_send(socket, "files", 5));
    start(&second.call);
    assert_ok(gentcp_send(socket, "after", 5));
    assert_true(waits(&first.call) && waits(&second.call));
    plain_skip(peer, full);
    assert_plain_reads(peer, "before");
    assert_plain_reads_pattern(peer, 0, 1000);
    assert_plain_reads(peer, "between files");
    assert_plain_reads_pattern(peer, 0, 500);
    assert_plain_reads(peer, "after");
    assert_ok(finish(&first.call));
    assert_ok(finish(&second.call));
    assert_int_equal(first.sent, 1000);
    assert_int_equal(second.sent, 500);
    close(first.fd);
    close(second.fd);
    close(peer);
}

static void delayed_sends_go_out_before(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(QUEUEING, GENTCP_DELAY_SEND(true)), &socket);
    int fd = file_of(100);

    (void)state;
    assert_ok(gentcp_send(socket, "delayed", 7));
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, NULL));
    assert_plain_reads(peer, "delayed");
    assert_plain_reads_pattern(peer, 0, 100);
    close(fd);
    close(peer);
}

static void a_send_that_waits_for_the_kernel_waits_behind_a_file(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(JUST_PASSIVE, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));
    call behind = {.make = make_send, .socket = socket, .bytes = "behind", .length = 6};

    (void)state;
    start(&sending.call);
    start(&behind);
    assert_true(waits(&sending.call) && waits(&behind));
    assert_plain_reads_pattern(peer, 0, LARGE);
    assert_plain_reads(peer, "behind");
    assert_ok(finish(&sending.call));
    assert_ok(finish(&behind));
    close(sending.fd);
    close(peer);
}

static void a_handed_over_socket_goes_on_with_a_file(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(JUST_PASSIVE, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));
    gentcp_pid self;

    (void)state;
    start(&sending.call);
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_controlling_process(socket, self));
    assert_plain_reads_pattern(peer, 0, LARGE);
    assert_ok(finish(&sending.call));
    close(sending.fd);
    close(peer);
}

/* ---- files that can't be sent ---- */

static void a_file_that_can_not_be_sent_leaves_the_connection_as_it_was(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fds[2], directory = open("/tmp", O_RDONLY | O_DIRECTORY);
    int unreadable = open("/dev/null", O_WRONLY);
    int file = file_of(1);
    int status;

    (void)state;
    assert_ok(pipe(fds));
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(sendfile_status(socket, -1), -EBADF);
    assert_int_equal(sendfile_status(socket, 1 << 20), -EBADF);
    assert_int_equal(sendfile_status(socket, unreadable), -EBADF);
    assert_int_equal(sendfile_status(socket, fds[0]), -ESPIPE);
    status = sendfile_status(socket, directory);
    assert_true(status == -EINVAL || status == -EISDIR);
    assert_int_equal(gentcp_sendfile(socket, directory, -1, 0, NULL), -EINVAL);
    assert_int_equal(gentcp_sendfile(socket, file, INT64_MAX, 0, NULL), -EOVERFLOW);
    assert_ok(gentcp_send(socket, "alive", 5));
    assert_plain_reads(peer, "alive");
    plain_say(peer, "and well");
    assert_recv(socket, 0, "and well");
    close(fds[0]);
    close(fds[1]);
    close(directory);
    close(unreadable);
    close(file);
    close(peer);
}

static void a_bad_file_in_line_is_refused_at_its_turn(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(QUEUEING), &socket, &full);
    file_call bad = SENDING_FILE(socket, -1);

    (void)state;
    assert_ok(gentcp_send(socket, "before", 6));
    start(&bad.call);
    assert_ok(gentcp_send(socket, "after", 5));
    plain_skip(peer, full);
    assert_plain_reads(peer, "beforeafter");
    assert_int_equal(finish(&bad.call), -EBADF);
    assert_int_equal(bad.sent, 0);
    close(peer);
}

/* ---- sockets that can't send ---- */

static void only_a_connection_sends_files(void **state) {
    gentcp_socket none = {0}, socket;
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(JUST_PASSIVE, &port);
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = file_of(10);

    (void)state;
    assert_int_equal(sendfile_status(none, fd), GENTCP_BADARG);
    assert_int_equal(sendfile_status(listener, fd), -ENOTCONN);
    assert_ok(gentcp_close(socket));
    assert_int_equal(sendfile_status(socket, fd), GENTCP_CLOSED);
    close(fd);
    close(peer);
}

static void an_ended_stream_is_enotconn_and_owes_send_what_it_owed(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = file_of(10);

    (void)state;
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(sendfile_status(socket, fd), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    close(fd);
}

static void after_shutdown_of_writing_it_is_closed_and_so_is_the_socket(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = file_of(10);

    (void)state;
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_int_equal(sendfile_status(socket, fd), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    close(fd);
    close(peer);
}

static void shutdown_of_writing_follows_the_file(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(JUST_PASSIVE, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    assert_ok(gentcp_shutdown(socket, SHUT_WR));
    assert_plain_reads_pattern(peer, 0, LARGE);
    assert_plain_end(peer);
    assert_ok(finish(&sending.call));
    assert_int_equal(sending.sent, LARGE);
    close(sending.fd);
    close(peer);
}

/* ---- the end in the middle ---- */

static void a_reset_that_the_file_meets_is_closed_then_enotconn(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    int fd = file_of(10);

    (void)state;
    close(peer);
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, NULL)); /* the peer's kernel answers with a reset */
    await_reset(socket);
    assert_int_equal(sendfile_status(socket, fd), GENTCP_CLOSED); /* EPIPE, without its signal */
    assert_int_equal(sendfile_status(socket, fd), -ENOTCONN);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    close(fd);
}

static void a_peer_that_goes_away_in_the_middle_is_closed_and_the_count_is_known(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(JUST_PASSIVE, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    plain_reset(peer);
    assert_int_equal(finish(&sending.call), GENTCP_CLOSED);
    assert_in_range(sending.sent, 1, LARGE - 1);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    close(sending.fd);
}

static void with_show_econnreset_the_reset_is_told(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(true)), &socket);
    int fd = file_of(10);

    (void)state;
    close(peer);
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, NULL));
    await_reset(socket);
    assert_int_equal(sendfile_status(socket, fd), -ECONNRESET);
    assert_int_equal(recv_status(socket, 0, SOON), -ECONNRESET);
    close(fd);
}

static void the_peers_end_in_the_middle_ends_an_active_socket(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(NULL, &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    assert_ok(shutdown(peer, SHUT_WR));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(finish(&sending.call), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    close(sending.fd);
    close(peer);
}

static void without_exit_on_close_the_file_outlives_the_peers_end(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(gentcp_options(GENTCP_EXIT_ON_CLOSE(false)), &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    assert_ok(shutdown(peer, SHUT_WR));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_true(waits(&sending.call));
    assert_plain_reads_pattern(peer, 0, LARGE);
    assert_ok(finish(&sending.call));
    close(sending.fd);
    close(peer);
}

static void close_flushes_what_was_before_the_file_and_nothing_behind_it(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(QUEUEING), &socket, &full);
    file_call sending = SENDING_FILE(socket, file_of(1000));
    call closing = {.make = make_close, .socket = socket};

    (void)state;
    assert_ok(gentcp_send(socket, "before", 6));
    start(&sending.call);
    assert_ok(gentcp_send(socket, "after", 5));
    start(&closing);
    assert_true(waits(&closing));
    assert_int_equal(finish(&sending.call), GENTCP_CLOSED);
    assert_int_equal(sending.sent, 0);
    plain_skip(peer, full);
    assert_plain_reads(peer, "before");
    assert_plain_end(peer);
    assert_ok(finish(&closing));
    close(sending.fd);
    close(peer);
}

static void close_in_the_middle_of_a_file_cuts_it(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(PASSIVE(QUEUEING), &socket);
    file_call sending = SENDING_FILE(socket, file_of(LARGE));

    (void)state;
    start(&sending.call);
    assert_ok(gentcp_send(socket, "after", 5));
    assert_ok(gentcp_close(socket));
    assert_int_equal(finish(&sending.call), GENTCP_CLOSED);
    assert_in_range(sending.sent, 1, LARGE - 1);
    assert_plain_reads_pattern(peer, 0, sending.sent);
    assert_plain_end(peer);
    close(sending.fd);
    close(peer);
}

/* ---- send_timeout ---- */

static void without_progress_it_times_out_and_the_rest_is_not_sent(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(PASSIVE(QUEUEING, GENTCP_SEND_TIMEOUT(50)), &socket);
    int fd = file_of(LARGE);
    uint64_t sent;
    call closing;

    (void)state;
    assert_int_equal(gentcp_sendfile(socket, fd, 0, 0, &sent), GENTCP_TIMEOUT);
    assert_in_range(sent, 1, LARGE - 1);
    assert_ok(gentcp_send(socket, "next", 4));
    closing = (call){.make = make_close, .socket = socket}; /* which sends what is queued */
    start(&closing);
    assert_plain_reads_pattern(peer, 0, sent);
    assert_plain_reads(peer, "next");
    assert_plain_end(peer);
    assert_ok(finish(&closing));
    close(fd);
    close(peer);
}

static void a_timeout_leaves_the_files_behind_in_line(void **state) {
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(QUEUEING, GENTCP_SEND_TIMEOUT(50)), &socket, &full);
    file_call behind = SENDING_FILE(socket, file_of(300));
    int fd = file_of(200);
    uint64_t sent;

    (void)state;
    assert_ok(gentcp_send(socket, "before", 6));
    assert_int_equal(gentcp_sendfile(socket, fd, 0, 0, &sent), GENTCP_TIMEOUT);
    assert_int_equal(sent, 0);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_SEND_TIMEOUT(GENTCP_INFINITY))));
    assert_ok(gentcp_send(socket, "and ", 4));
    start(&behind.call);
    plain_skip(peer, full);
    assert_plain_reads(peer, "beforeand ");
    assert_plain_reads_pattern(peer, 0, 300);
    assert_ok(finish(&behind.call));
    close(behind.fd);
    close(fd);
    close(peer);
}

/* Reads a large file in pieces, with a pause after each that is shorter than the timeout, but not all of them. */
static int read_slowly(call *c) {
    static uint8_t got[LARGE / 8];
    struct pollfd nothing = {.fd = -1};

    for (int i = 0; i < 8; i++) {
        (void)poll(&nothing, 1, 60);
        if (plain_read(c->peer, got, sizeof got, SOON) != sizeof got)
            return -1;
    }
    return 0;
}

static void a_slow_peer_that_reads_is_no_timeout(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(PASSIVE(GENTCP_SEND_TIMEOUT(300)), &socket);
    call reading = {.make = read_slowly, .peer = peer};
    int fd = file_of(LARGE);
    uint64_t sent;

    (void)state;
    start(&reading);
    assert_ok(gentcp_sendfile(socket, fd, 0, 0, &sent));
    assert_int_equal(sent, LARGE);
    assert_ok(finish(&reading));
    close(fd);
    close(peer);
}

static void send_timeout_close_closes(void **state) {
    gentcp_socket socket;
    int peer = connect_narrow(gentcp_options(GENTCP_SEND_TIMEOUT(30), GENTCP_SEND_TIMEOUT_CLOSE(true)), &socket);
    int fd = file_of(LARGE);
    uint64_t sent;

    (void)state;
    assert_int_equal(gentcp_sendfile(socket, fd, 0, 0, &sent), GENTCP_TIMEOUT);
    assert_in_range(sent, 1, LARGE - 1);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    close(fd);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_asked_part_of_a_file_is_sent_and_counted),
        TEST(a_file_gets_no_packet_header),
        TEST(an_active_socket_goes_on_receiving),
        TEST(a_large_file_waits_for_its_peer),
        TEST(what_was_sent_before_goes_out_before_and_what_is_sent_meanwhile_after),
        TEST(delayed_sends_go_out_before),
        TEST(a_send_that_waits_for_the_kernel_waits_behind_a_file),
        TEST(a_handed_over_socket_goes_on_with_a_file),
        TEST(a_file_that_can_not_be_sent_leaves_the_connection_as_it_was),
        TEST(a_bad_file_in_line_is_refused_at_its_turn),
        TEST(only_a_connection_sends_files),
        TEST(an_ended_stream_is_enotconn_and_owes_send_what_it_owed),
        TEST(after_shutdown_of_writing_it_is_closed_and_so_is_the_socket),
        TEST(shutdown_of_writing_follows_the_file),
        TEST(a_reset_that_the_file_meets_is_closed_then_enotconn),
        TEST(a_peer_that_goes_away_in_the_middle_is_closed_and_the_count_is_known),
        TEST(with_show_econnreset_the_reset_is_told),
        TEST(the_peers_end_in_the_middle_ends_an_active_socket),
        TEST(without_exit_on_close_the_file_outlives_the_peers_end),
        TEST(close_flushes_what_was_before_the_file_and_nothing_behind_it),
        TEST(close_in_the_middle_of_a_file_cuts_it),
        TEST(without_progress_it_times_out_and_the_rest_is_not_sent),
        TEST(a_timeout_leaves_the_files_behind_in_line),
        TEST(a_slow_peer_that_reads_is_no_timeout),
        TEST(send_timeout_close_closes),
    };

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
