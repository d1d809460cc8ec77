/* SPDX-License-Identifier: Apache-2.0 */
/* What is received goes to whoever is to have it, whole, in order and once; callers can die and memory can run out. */
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
