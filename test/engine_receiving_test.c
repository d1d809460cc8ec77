/* SPDX-License-Identifier: Apache-2.0 */
/* What is received goes to whoever is to have it, whole, in order and once; callers can die and memory can run out. */
#include <sys/ioctl.h>

#include "sys/sys.h"
#include "test/engine_fixture.h"

static void a_recv_is_completed_at_once_or_later_but_once(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call later = new_call(GT_OP_RECV, 3);
    call at_once = new_call(GT_OP_RECV, 2);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &later.op), GT_PENDING);
    put(peer, "ab");
    settle();
    assert_int_equal(later.completions, 0);
    put(peer, "cde");
    run_while(&later.completions, 0);
    assert_memory_equal(later.data, "abc", 3);
    assert_int_equal(gt_recv(&o->socket, &at_once.op), 0);
    assert_memory_equal(at_once.data, "de", 2);
    assert_false(gt_cancel(&o->socket, &at_once.op));
    free(later.data);
    free(at_once.data);
    finish(o);
    close(peer);
}

static void a_cancelled_recv_leaves_its_bytes(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call given_up = new_call(GT_OP_RECV, 10);
    call next = new_call(GT_OP_RECV, 0);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &given_up.op), GT_PENDING);
    put(peer, "abc");
    settle();
    assert_true(gt_cancel(&o->socket, &given_up.op));
    assert_int_equal(given_up.completions, 0);
    assert_int_equal(gt_recv(&o->socket, &next.op), 0);
    assert_int_equal(next.data_size, 3);
    free(next.data);
    finish(o);
    close(peer);
}

static void bytes_that_a_dead_caller_was_to_get_go_to_the_next(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call dead = new_call(GT_OP_RECV, 3);
    call next = new_call(GT_OP_RECV, 4);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    put(peer, "abcd");
    run_while(&dead.completions, 0);
    assert_int_equal(gt_recv(&o->socket, &next.op), 0);
    assert_memory_equal(next.data, "abcd", 4);
    free(next.data);
    finish(o);
    close(peer);
}

static void a_new_recv_replaces_a_dead_caller_but_not_a_live_one(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call first = new_call(GT_OP_RECV, 1);
    call second = new_call(GT_OP_RECV, 1);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &first.op), GT_PENDING);
    assert_int_equal(gt_recv(&o->socket, &second.op), -EALREADY);
    first.caller_dead = true;
    assert_int_equal(gt_recv(&o->socket, &second.op), GT_PENDING);
    assert_int_equal(first.completions, 1);
    put(peer, "x");
    run_while(&second.completions, 0);
    assert_int_equal(second.data_size, 1);
    free(second.data);
    finish(o);
    close(peer);
}

static void out_of_memory_for_a_message_ends_with_an_error_not_with_a_gap(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    o->no_memory = true;
    put(peer, "abc");
    run_while(&o->closed_calls, 0);
    assert_int_equal(o->event_count, 2);
    assert_string_equal(o->events[0], "error");
    assert_int_equal(o->reason, -ENOMEM);
    assert_string_equal(o->events[1], "closed");
    let_go(&o->socket);
    close(peer);
}

static void out_of_buffers_ends_with_an_error(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call recv = new_call(GT_OP_RECV, 2);

    (void)state;
    refused = HOST_BUFFER;
    assert_int_equal(gt_recv(&o->socket, &recv.op), GT_PENDING);
    put(peer, "abc");
    run_while(&recv.completions, 0);
    assert_int_equal(recv.status, 0); /* its own two bytes were whole */
    recv.completions = 0;
    assert_int_equal(gt_recv(&o->socket, &recv.op), -ENOMEM);
    assert_int_equal(gt_recv(&o->socket, &recv.op), -ENOTCONN);
    free(recv.data);
    finish(o);
    close(peer);
}

static void a_promised_length_allocates_nothing(void **state) {
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_PACKET, .number = GT_PACKET_4}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call recv = new_call(GT_OP_RECV, 0);

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &recv.op), GT_PENDING);
    assert_int_equal(write(peer, "\x05\xf5\xe1\x00", 4), 4); /* 100,000,000 bytes to come */
    settle();
    assert_int_equal(recv.completions, 0);
    assert_true(o->socket.input->size <= 65 * 1024 + 4);
    assert_true(gt_cancel(&o->socket, &recv.op));
    finish(o);
    close(peer);
}

static void an_idle_socket_holds_no_buffer(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    run_while(&o->event_count, 0);
    settle();
    assert_null(o->socket.input);
    assert_int_equal(host_buffers, 0);
    finish(o);
    close(peer);
}

static void a_large_packet_arrives_in_one_buffer_of_its_own(void **state) {
    enum { BODY = 300000 };
    const gt_option options[] = {active(GT_ACTIVE_TRUE, 0), {.name = GT_OPT_PACKET, .number = GT_PACKET_4}};
    int peer;
    owned *o = connection(options, 2, &peer);
    uint8_t *bytes = calloc(1, BODY + 4);
    size_t sent = 0;

    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, "\x00\x04\x93\xe0", 4);
    bytes[BODY + 3] = 7;
    while (sent < BODY + 4) {
        ssize_t n = send(peer, bytes + sent, BODY + 4 - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        (void)gt_poller_run(poller, 0, 16);
    }
    run_while(&o->event_count, 0);
    assert_int_equal(o->data_size, BODY);
    assert_int_equal(o->data[BODY - 1], 7);
    assert_int_equal(o->gave_buffers, 1);
    free(bytes);
    finish(o);
    close(peer);
}

static void active_n_counts_messages_and_ends_with_tcp_passive(void **state) {
    const gt_option options[] = {active(GT_ACTIVE_COUNT, 2), {.name = GT_OPT_PACKET, .number = GT_PACKET_LINE}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call recv = new_call(GT_OP_RECV, 0);

    (void)state;
    put(peer, "a\nb\nc\n");
    run_while(&o->event_count, 0);
    settle();
    assert_int_equal(o->event_count, 3);
    assert_string_equal(o->events[2], "passive");
    assert_memory_equal(o->data, "a\nb\n", 4);
    assert_int_equal(gt_recv(&o->socket, &recv.op), 0);
    assert_memory_equal(recv.data, "c\n", 2);
    free(recv.data);
    finish(o);
    close(peer);
}

static void nothing_follows_tcp_closed(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    close(peer);
    run_while(&o->closed_calls, 0);
    settle();
    assert_string_equal(o->events[o->event_count - 1], "closed");
    assert_int_equal(o->data_size, 3);
    assert_int_equal(o->closed_calls, 1);
    let_go(&o->socket);
}

/* A poller owes no report for what the socket itself has done. */
static void shutdown_of_reading_needs_no_report_of_the_poller(void **state) {
    int peer, active_peer;
    owned *o = connection(PASSIVE, 1, &peer);
    owned *told = connection(NULL, 0, &active_peer);
    call waiting = new_call(GT_OP_RECV, 10), piece = new_call(GT_OP_RECV, 2), after = new_call(GT_OP_RECV, 0);

    (void)state;
    settle();
    assert_int_equal(gt_shutdown(&told->socket, SHUT_RD), 0);
    assert_int_equal(told->event_count, 1);
    assert_string_equal(told->events[0], "closed");
    assert_int_equal(gt_recv(&o->socket, &waiting.op), GT_PENDING);
    assert_int_equal(gt_shutdown(&o->socket, SHUT_RD), 0);
    assert_int_equal(waiting.completions, 1);
    assert_int_equal(waiting.status, GT_CLOSED);
    finish(o);
    close(peer);
    o = connection(PASSIVE, 1, &peer);
    put(peer, "ab");
    settle();
    assert_int_equal(gt_shutdown(&o->socket, SHUT_RD), 0);
    assert_int_equal(gt_recv(&o->socket, &piece.op), 0);
    assert_memory_equal(piece.data, "ab", 2);
    assert_int_equal(gt_recv(&o->socket, &after.op), 0);
    assert_int_equal(after.status, GT_CLOSED);
    free(piece.data);
    finish(o);
    finish(told);
    close(peer);
    close(active_peer);
}

static void a_flooding_socket_takes_bounded_turns(void **state) {
    static const uint8_t block[1 << 20];
    int noisy_peer, quiet_peer;
    owned *noisy = connection(NULL, 0, &noisy_peer);
    owned *quiet = connection(NULL, 0, &quiet_peer);
    int turns = 0;

    (void)state;
    while (send(noisy_peer, block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    put(quiet_peer, "x");
    while (quiet->event_count == 0 && turns++ < 10)
        (void)gt_poller_run(poller, 1000, 16);
    assert_int_equal(quiet->event_count, 1);
    assert_true(noisy->data_size <= (size_t)turns * 2 * 65536);
    finish(noisy);
    finish(quiet);
    close(noisy_peer);
    close(quiet_peer);
}

/* Alone, and by a host that lets a run go on. */
static void a_flooding_socket_that_is_alone_takes_several_turns_at_once(void **state) {
    static const uint8_t block[1 << 20];
    int noisy_peer, quiet_peer;
    owned *noisy = connection(NULL, 0, &noisy_peer);
    owned *quiet = connection(NULL, 0, &quiet_peer);
    struct pollfd full = {.fd = noisy_peer, .events = POLLOUT};

    (void)state;
    settle();
    while (send(noisy_peer, block, sizeof block, MSG_DONTWAIT) > 0 || poll(&full, 1, 10) == 1) {
    }
    assert_true(gt_poller_run_on(poller, 16) > 0);
    assert_in_range(noisy->data_size, 2 * 66560 + 1, 6 * 65536);
    assert_int_equal(quiet->event_count, 0);
    finish(noisy);
    finish(quiet);
    close(noisy_peer);
    close(quiet_peer);
}

/* Returns when it can be read, all of it. */
static void feed(const owned *o, int peer, size_t size) {
    static const uint8_t block[128 * 1024];
    int64_t end = gt_sys_now() + 5000;
    int there = 0;

    for (size_t sent = 0; (size_t)there < size; assert_true(gt_sys_now() < end)) {
        ssize_t n = send(peer, block, size - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        assert_int_equal(ioctl(o->socket.watch.fd, FIONREAD, &there), 0);
    }
}

/* Receives what is there; *waited: not before the poller had told of it. */
static size_t receive(owned *o, bool *waited) {
    call recv = new_call(GT_OP_RECV, 0);

    *waited = gt_recv(&o->socket, &recv.op) == GT_PENDING;
    run_while(&recv.completions, 0);
    free(recv.data);
    return recv.data_size;
}

enum { MESSAGE = 64 * 1024, STREAM = 100 * 1024 };

/* A connection that has brought so many messages of 64 KiB that it expects them. */
static owned *connection_of_messages(int *peer) {
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_RECBUF, .number = 1 << 20}};
    owned *o = connection(options, 2, peer);
    bool waited;

    for (int i = 0; i < 10; i++) {
        feed(o, *peer, MESSAGE);
        for (size_t got = 0; got < MESSAGE;)
            got += receive(o, &waited);
    }
    return o;
}

/* Receives what has been fed of STREAM. */
static void receive_stream(owned *o) {
    bool waited;
    size_t first = receive(o, &waited);

    assert_in_range(first, MESSAGE + 1, STREAM - 1);
    assert_int_equal(receive(o, &waited), STREAM - first);
}

static void assert_waits_for_a_report(owned *o, int peer, size_t size, bool expected) {
    bool waited;

    feed(o, peer, size);
    assert_int_equal(receive(o, &waited), size);
    assert_int_equal(waited, expected);
}

static void a_stream_is_read_on_before_the_poller_tells_of_more(void **state) {
    int peer;
    owned *o = connection_of_messages(&peer);

    (void)state;
    assert_waits_for_a_report(o, peer, MESSAGE, true); /* it may be all */
    feed(o, peer, STREAM);
    receive_stream(o);
    assert_waits_for_a_report(o, peer, 1, false);
    assert_waits_for_a_report(o, peer, 1, true);
    finish(o);
    close(peer);
}

static void a_stream_among_many_waits_for_the_poller(void **state) {
    enum { OTHERS = 3 };
    int peer, other_peers[OTHERS];
    owned *o = connection_of_messages(&peer), *others[OTHERS];

    (void)state;
    for (int i = 0; i < OTHERS; i++)
        others[i] = connection(NULL, 0, &other_peers[i]);
    settle();
    feed(o, peer, STREAM);
    for (int i = 0; i < OTHERS; i++) {
        gt_lock_take(&others[i]->socket.lock);
        gt_poller_again(&others[i]->socket.watch);
        gt_lock_drop(&others[i]->socket.lock);
    }
    settle();
    gt_ready(&o->socket, GT_READABLE);
    receive_stream(o);
    assert_waits_for_a_report(o, peer, 1, true);
    for (int i = 0; i < OTHERS; i++) {
        finish(others[i]);
        close(other_peers[i]);
    }
    finish(o);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_recv_is_completed_at_once_or_later_but_once),
        ENGINE_TEST(a_cancelled_recv_leaves_its_bytes),
        ENGINE_TEST(bytes_that_a_dead_caller_was_to_get_go_to_the_next),
        ENGINE_TEST(a_new_recv_replaces_a_dead_caller_but_not_a_live_one),
        ENGINE_TEST(out_of_memory_for_a_message_ends_with_an_error_not_with_a_gap),
        ENGINE_TEST(out_of_buffers_ends_with_an_error),
        ENGINE_TEST(a_promised_length_allocates_nothing),
        ENGINE_TEST(an_idle_socket_holds_no_buffer),
        ENGINE_TEST(a_large_packet_arrives_in_one_buffer_of_its_own),
        ENGINE_TEST(active_n_counts_messages_and_ends_with_tcp_passive),
        ENGINE_TEST(nothing_follows_tcp_closed),
        ENGINE_TEST(shutdown_of_reading_needs_no_report_of_the_poller),
        ENGINE_TEST(a_flooding_socket_takes_bounded_turns),
        ENGINE_TEST(a_flooding_socket_that_is_alone_takes_several_turns_at_once),
        ENGINE_TEST(a_stream_is_read_on_before_the_poller_tells_of_more),
        ENGINE_TEST(a_stream_among_many_waits_for_the_poller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
