/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: when it returns, what is queued, and what becomes of it. */
#include "test/connection.h"

enum { BIG = 2 * 1024 * 1024 };

/* Bytes that differ from their neighbours at every distance that matters. */
static char *pattern(size_t size) {
    char *bytes = malloc(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 131 >> 4);
    return bytes;
}

/* The peer reads what fills the kernel, and then these bytes; meanwhile the test's process is inside gentcp. */
static void assert_arrives(gentcp_socket socket, int peer, size_t full, const char *bytes, size_t size) {
    char *all = calloc(1, full + size);
    call reader = {.make = make_read, .peer = peer, .length = full + size, .bytes = all};

    assert_non_null(all);
    memcpy(all + full, bytes, size);
    start(&reader);
    assert_recv(socket, 4, "read");
    assert_ok(finish(&reader));
    free(all);
}

static void send_returns_when_the_kernel_has_taken_all_by_default(void **state) {
    char *bytes = pattern(BIG);
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(JUST_PASSIVE, &socket, &full);
    call sender = {.make = make_send, .socket = socket, .bytes = bytes, .length = BIG};
    char *got = malloc(full + BIG);

    (void)state;
    assert_non_null(got);
    start(&sender);
    assert_true(waits(&sender));
    assert_int_equal(plain_read(peer, got, full, SOON), full);
    assert_int_equal(plain_read(peer, got, BIG, SOON), BIG);
    assert_memory_equal(got, bytes, BIG);
    assert_ok(finish(&sender));
    free(got);
    free(bytes);
    close(peer);
}

static void a_send_that_finds_the_queue_empty_queues_all_and_returns(void **state) {
    const gentcp_option *options = PASSIVE(GENTCP_HIGH_WATERMARK(10), GENTCP_SEND_TIMEOUT(0));
    char *bytes = pattern(BIG);
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(options, &socket, &full);

    (void)state;
    assert_ok(gentcp_send(socket, bytes, BIG));
    assert_arrives(socket, peer, full, bytes, BIG);
    free(bytes);
    close(peer);
}

static void a_send_that_brings_the_queue_to_high_watermark_waits_as_does_every_later_one(void **state) {
    const gentcp_option *options = PASSIVE(GENTCP_HIGH_WATERMARK(1000), GENTCP_SEND_TIMEOUT(0));
    char *bytes = pattern(1002);
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(options, &socket, &full);

    (void)state;
    assert_ok(gentcp_send(socket, bytes, 500));
    assert_ok(gentcp_send(socket, bytes + 500, 499));
    assert_int_equal(gentcp_send(socket, bytes + 999, 1), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_send(socket, bytes + 1000, 1), GENTCP_TIMEOUT);
    /* Those who no longer wait keep nobody waiting. */
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_HIGH_WATERMARK(1000000))));
    assert_ok(gentcp_send(socket, bytes + 1001, 1));
    assert_arrives(socket, peer, full, bytes, 1002); /* those that timed out, too */
    assert_ok(gentcp_send(socket, "again", 5));
    assert_plain_reads(peer, "again");
    free(bytes);
    close(peer);
}

/* How much of the queue and of 1 byte more has reached the kernel when the send of that byte returns. */
static size_t sent_at_return(uint32_t low, uint32_t queued) {
    const gentcp_option *options =
        PASSIVE(GENTCP_HIGH_WATERMARK(queued), GENTCP_LOW_WATERMARK(low), GENTCP_SEND_TIMEOUT(SOON));
    char *bytes = calloc(1, queued), block[8192];
    size_t full, have = 0;
    gentcp_socket socket;
    int peer = connect_full(options, &socket, &full);
    call sender = {.make = make_send, .socket = socket, .bytes = "x", .length = 1};

    assert_non_null(bytes);
    assert_ok(gentcp_send(socket, bytes, queued));
    start(&sender);
    assert_true(waits(&sender));
    while (waits(&sender))
        have += plain_read(peer, block, sizeof block, BRIEFLY);
    assert_ok(finish(&sender));
    for (size_t more = sizeof block; more == sizeof block; have += more)
        more = plain_read(peer, block, sizeof block, 200);
    free(bytes);
    close(peer);
    return have - full;
}

static void a_waiting_send_returns_when_the_queue_is_down_to_low_watermark(void **state) {
    (void)state;
    assert_int_equal(sent_at_return(0, BIG), BIG + 1);
    /* A turn of writing may go further by 1 MiB, and the kernel takes some. */
    assert_in_range(sent_at_return(BIG, 2 * BIG), BIG + 1, 2 * BIG - BIG / 4);
}

static void either_watermark_drags_the_other(void **state) {
    pair p = connect_pair(gentcp_options(GENTCP_LOW_WATERMARK(100)));

    (void)state;
    assert_int_equal(option_of(p.here, GENTCP_OPT_HIGH_WATERMARK), 100);
    assert_ok(gentcp_setopts(p.here, gentcp_options(GENTCP_HIGH_WATERMARK(5000))));
    assert_int_equal(option_of(p.here, GENTCP_OPT_LOW_WATERMARK), 100);
    assert_ok(gentcp_setopts(p.here, gentcp_options(GENTCP_HIGH_WATERMARK(10))));
    assert_int_equal(option_of(p.here, GENTCP_OPT_LOW_WATERMARK), 10);
    assert_ok(gentcp_setopts(p.here, gentcp_options(GENTCP_LOW_WATERMARK(70))));
    assert_int_equal(option_of(p.here, GENTCP_OPT_HIGH_WATERMARK), 70);
}

static void with_backend_socket_send_waits_for_the_kernel_whatever_the_watermarks(void **state) {
    static const struct {
        int backend;
        uint32_t high;
        int answer;
    } rows[] = {{GENTCP_SOCKET, BIG, GENTCP_TIMEOUT},
                {GENTCP_SOCKET, 0, GENTCP_TIMEOUT},
                {GENTCP_INET, BIG, 0},
                {GENTCP_INET, 0, GENTCP_TIMEOUT}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gentcp_option *options = PASSIVE(GENTCP_INET_BACKEND(rows[i].backend),
                                               GENTCP_HIGH_WATERMARK(rows[i].high), GENTCP_SEND_TIMEOUT(BRIEFLY));
        size_t full;
        gentcp_socket socket;
        int peer = connect_full(options, &socket, &full);
        assert_int_equal(gentcp_send(socket, "x", 1), rows[i].answer);
        assert_arrives(socket, peer, full, "x", 1);
        close(peer);
    }
}

static void senders_that_wait_are_served_in_order(void **state) {
    enum { THREADS = 4 };
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(JUST_PASSIVE, &socket, &full);
    call senders[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (call){.make = make_send, .socket = socket, .bytes = &"abcd"[i], .length = 1};
        start(&senders[i]);
        assert_true(waits(&senders[i]));
    }
    assert_arrives(socket, peer, full, "abcd", 4);
    for (int i = 0; i < THREADS; i++)
        assert_ok(finish(&senders[i]));
    close(peer);
}

enum { SENDERS = 4, PACKETS = 150 };

static size_t packet_size(int i) {
    return (size_t)i * 7919 % 5000 + 1;
}

static int make_packets(call *c) {
    char bytes[5001];
    int status = 0;

    memset(bytes, (int)c->length, sizeof bytes);
    for (int i = 0; i < PACKETS && status == 0; i++)
        status = gentcp_send(c->socket, bytes, packet_size(i));
    return status;
}

static void packets_of_several_threads_do_not_mix(void **state) {
    pair p = connect_pair(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_2), GENTCP_SNDBUF(10000)));
    call senders[SENDERS];
    int next[SENDERS] = {0};

    (void)state;
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(GENTCP_PACKET_2))));
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (call){.make = make_packets, .socket = p.here, .length = (size_t)i};
        start(&senders[i]);
    }
    for (int i = 0; i < SENDERS * PACKETS; i++) {
        gentcp_data data;
        assert_ok(gentcp_recv(p.there, 0, SOON, &data));
        assert_in_range(data.bytes[0], 0, SENDERS - 1);
        assert_int_equal(data.size, packet_size(next[data.bytes[0]]++));
        for (size_t j = 1; j < data.size; j++)
            assert_int_equal(data.bytes[j], data.bytes[0]);
        gentcp_data_release(&data);
    }
    for (int i = 0; i < SENDERS; i++)
        assert_ok(finish(&senders[i]));
}

static void after_the_peer_closed_send_is_ok_then_closed_then_enotconn(void **state) {
    static const int shown[] = {GENTCP_CLOSED, -ECONNRESET};

    (void)state;
    for (int show = 0; show < 2; show++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(show)), &socket);
        close(peer);
        assert_ok(gentcp_send(socket, "x", 1));
        await_reset(socket);
        assert_int_equal(gentcp_send(socket, "x", 1), shown[show]);
        assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
        assert_int_equal(recv_status(socket, 0, SOON), shown[show]);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    }
}

static void after_the_peers_reset_send_is_closed_then_enotconn(void **state) {
    static const int shown[] = {GENTCP_CLOSED, -ECONNRESET};

    (void)state;
    for (int show = 0; show < 2; show++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_SHOW_ECONNRESET(show)), &socket);
        plain_reset(peer);
        await_reset(socket);
        assert_int_equal(gentcp_send(socket, "x", 1), shown[show]);
        assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
        assert_int_equal(recv_status(socket, 0, SOON), shown[show]);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    }
}

static void a_send_that_fails_tells_the_owner_of_an_active_socket_the_end(void **state) {
    static const int shown[] = {GENTCP_CLOSED, -ECONNRESET};

    (void)state;
    for (int show = 0; show < 2; show++) {
        gentcp_socket socket;
        int peer = connect_plain(gentcp_options(GENTCP_SHOW_ECONNRESET(show)), &socket);
        int status;
        plain_reset(peer);
        await_reset(socket);
        status = gentcp_send(socket, "x", 1);
        assert_true(status == shown[show] || status == GENTCP_CLOSED); /* closed: the owner heard of it first */
        if (show)
            assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
        assert_told(socket, GENTCP_TCP_CLOSED);
        assert_silence(socket);
        assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    }
}

static void a_waiting_send_ends_when_the_peer_resets(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(JUST_PASSIVE, &socket, &full);
    call sender = {.make = make_send, .socket = socket, .bytes = "x", .length = 1};

    (void)state;
    start(&sender);
    assert_true(waits(&sender));
    plain_reset(peer);
    assert_int_equal(finish(&sender), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
}

static void a_waiting_send_ends_when_the_peer_has_ended(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(JUST_PASSIVE, &socket, &full);
    call sender = {.make = make_send, .socket = socket, .bytes = "x", .length = 1};

    (void)state;
    start(&sender);
    assert_true(waits(&sender));
    assert_ok(shutdown(peer, SHUT_WR));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(finish(&sender), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    close(peer);
}

static void a_waiting_send_outlives_the_end_without_exit_on_close(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(PASSIVE(GENTCP_EXIT_ON_CLOSE(false)), &socket, &full);
    call sender = {.make = make_send, .socket = socket, .bytes = "last", .length = 4};
    char *got = malloc(full + 4);

    (void)state;
    assert_non_null(got);
    start(&sender);
    assert_true(waits(&sender));
    assert_ok(shutdown(peer, SHUT_WR));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_true(waits(&sender));
    assert_int_equal(plain_read(peer, got, full + 4, SOON), full + 4);
    assert_memory_equal(got + full, "last", 4);
    assert_ok(finish(&sender));
    free(got);
    close(peer);
}

static void send_timeout_ends_the_wait_but_the_bytes_stay_queued(void **state) {
    static const int timeouts[] = {0, BRIEFLY};

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t full;
        gentcp_socket socket;
        int peer = connect_full(PASSIVE(GENTCP_SEND_TIMEOUT(timeouts[i])), &socket, &full);
        assert_int_equal(gentcp_send(socket, "lat", 3), GENTCP_TIMEOUT);
        assert_int_equal(gentcp_send(socket, "er", 2), GENTCP_TIMEOUT);
        assert_arrives(socket, peer, full, "later", 5);
        assert_ok(gentcp_send(socket, "in time", 7));
        assert_plain_reads(peer, "in time");
        close(peer);
    }
}

static void send_timeout_close_ends_a_passive_socket(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(PASSIVE(GENTCP_SEND_TIMEOUT(0), GENTCP_SEND_TIMEOUT_CLOSE(true)), &socket, &full);
    char *got = malloc(full);

    (void)state;
    assert_non_null(got);
    assert_int_equal(gentcp_send(socket, "never sent", 10), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_int_equal(plain_read(peer, got, full, SOON), full);
    assert_ok(plain_end(peer));
    free(got);
    close(peer);
}

static void send_timeout_close_tells_the_owner_of_an_active_socket(void **state) {
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(gentcp_options(GENTCP_SEND_TIMEOUT(0), GENTCP_SEND_TIMEOUT_CLOSE(true)), &socket, &full);

    (void)state;
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_TIMEOUT);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    close(peer);
}

static void sendv_makes_one_packet_of_its_parts(void **state) {
    enum { PARTS = 1024, PART = 300 };
    const gentcp_option *options = PASSIVE(GENTCP_PACKET(GENTCP_PACKET_4), GENTCP_SNDBUF(20000));
    pair p = connect_pair(options);
    char *bytes = pattern(PARTS * PART);
    struct iovec parts[PARTS];
    call receiver = {.make = make_recv, .socket = p.there, .timeout = SOON};

    (void)state;
    assert_ok(gentcp_setopts(p.there, options));
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){bytes + i * PART, PART};
    start(&receiver);
    assert_ok(gentcp_sendv(p.here, parts, PARTS));
    assert_ok(finish(&receiver));
    assert_int_equal(receiver.data.size, PARTS * PART);
    assert_memory_equal(receiver.data.bytes, bytes, PARTS * PART);
    gentcp_data_release(&receiver.data);
    assert_ok(gentcp_sendv(p.here, (struct iovec[]){{NULL, 0}, {bytes, 3}, {NULL, 0}}, 3));
    assert_ok(gentcp_sendv(p.here, NULL, 0));
    assert_ok(gentcp_send(p.here, NULL, 0));
    assert_ok(gentcp_recv(p.there, 0, SOON, &receiver.data));
    assert_int_equal(receiver.data.size, 3);
    assert_memory_equal(receiver.data.bytes, bytes, 3);
    gentcp_data_release(&receiver.data);
    assert_recv(p.there, 0, "");
    assert_recv(p.there, 0, "");
    free(bytes);
}

/* ---- send_ref ---- */

static void count_release(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void send_ref_releases_once_when_the_kernel_has_taken_all(void **state) {
    atomic_int released = 0;
    size_t full;
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_ok(gentcp_send_ref(socket, "at once", 7, count_release, &released));
    assert_int_equal(released, 1);
    assert_plain_reads(peer, "at once");
    assert_ok(gentcp_send_ref(socket, "static", 6, NULL, NULL));
    assert_plain_reads(peer, "static");
    close(peer);
    peer = connect_full(PASSIVE(GENTCP_HIGH_WATERMARK(100)), &socket, &full);
    assert_ok(gentcp_send_ref(socket, "la", 2, count_release, &released));
    assert_ok(gentcp_send_ref(socket, "ter", 3, count_release, &released));
    assert_ok(gentcp_send_ref(socket, "...", 3, NULL, NULL));
    assert_int_equal(released, 1);
    assert_arrives(socket, peer, full, "later...", 8);
    assert_int_equal(released, 3);
    close(peer);
}

static void send_ref_releases_once_when_nothing_was_or_will_be_sent(void **state) {
    atomic_int released = 0;
    size_t full;
    gentcp_socket socket;
    int peer = connect_full(PASSIVE(GENTCP_HIGH_WATERMARK(100), GENTCP_LINGER(true, 0)), &socket, &full);

    (void)state;
    assert_ok(gentcp_send_ref(socket, "dropped", 7, count_release, &released));
    assert_int_equal(released, 0);
    assert_ok(gentcp_close(socket));
    assert_int_equal(released, 1);
    assert_int_equal(gentcp_send_ref(socket, "x", 1, count_release, &released), GENTCP_CLOSED);
    assert_int_equal(released, 2);
    assert_int_equal(gentcp_send_ref((gentcp_socket){0}, "x", 1, count_release, &released), GENTCP_BADARG);
    assert_int_equal(released, 3);
    close(peer);
    peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_1)), &socket);
    assert_int_equal(gentcp_send_ref(socket, &released, 256, count_release, &released), -EMSGSIZE);
    assert_int_equal(released, 4);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(send_returns_when_the_kernel_has_taken_all_by_default),
        TEST(a_send_that_finds_the_queue_empty_queues_all_and_returns),
        TEST(a_send_that_brings_the_queue_to_high_watermark_waits_as_does_every_later_one),
        TEST(a_waiting_send_returns_when_the_queue_is_down_to_low_watermark),
        TEST(either_watermark_drags_the_other),
        TEST(with_backend_socket_send_waits_for_the_kernel_whatever_the_watermarks),
        TEST(senders_that_wait_are_served_in_order),
        TEST(packets_of_several_threads_do_not_mix),
        TEST(after_the_peer_closed_send_is_ok_then_closed_then_enotconn),
        TEST(after_the_peers_reset_send_is_closed_then_enotconn),
        TEST(a_send_that_fails_tells_the_owner_of_an_active_socket_the_end),
        TEST(a_waiting_send_ends_when_the_peer_resets),
        TEST(a_waiting_send_ends_when_the_peer_has_ended),
        TEST(a_waiting_send_outlives_the_end_without_exit_on_close),
        TEST(send_timeout_ends_the_wait_but_the_bytes_stay_queued),
        TEST(send_timeout_close_ends_a_passive_socket),
        TEST(send_timeout_close_tells_the_owner_of_an_active_socket),
        TEST(sendv_makes_one_packet_of_its_parts),
        TEST(send_ref_releases_once_when_the_kernel_has_taken_all),
        TEST(send_ref_releases_once_when_nothing_was_or_will_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
