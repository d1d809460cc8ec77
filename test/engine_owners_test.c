/* SPDX-License-Identifier: Apache-2.0 */
/* Connections find those who accept them, and sockets end with their owners or move to others. */
#include "test/engine_fixture.h"

static void a_connection_whose_accepter_died_goes_to_the_next(void **state) {
    gt_address at;
    owned *listener = listening(PASSIVE, 1, &at);
    call dead = new_call(GT_OP_ACCEPT, 0);
    call next = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    assert_int_equal(gt_accept(&listener->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    run_while(&dead.completions, 0);
    assert_int_equal(gt_accept(&listener->socket, &next.op), 0);
    assert_non_null(next.accepted);
    finish(next.accepted);
    assert_int_equal(read(peer, &byte, 1), 0);
    finish(listener);
    close(peer);
}

static void a_parked_connection_goes_with_its_listener(void **state) {
    gt_address at;
    owned *listener = listening(NULL, 0, &at);
    call dead = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    assert_int_equal(gt_accept(&listener->socket, &dead.op), GT_PENDING);
    dead.caller_dead = true;
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    run_while(&dead.completions, 0);
    finish(listener);
    assert_int_equal(read(peer, &byte, 1), 0);
    close(peer);
}

static void accepters_are_served_in_order(void **state) {
    enum { N = 3 };
    gt_address at;
    owned *listener = listening(PASSIVE, 1, &at);
    call calls[N];
    int peers[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        calls[i] = new_call(GT_OP_ACCEPT, 0);
        assert_int_equal(gt_accept(&listener->socket, &calls[i].op), GT_PENDING);
    }
    for (int i = 0; i < N; i++) {
        peers[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(peers[i], &at.any, at.size), 0);
        run_while(&calls[i].completions, 0);
        for (int j = i + 1; j < N; j++)
            assert_int_equal(calls[j].completions, 0);
    }
    for (int i = 0; i < N; i++) {
        finish(calls[i].accepted);
        close(peers[i]);
    }
    finish(listener);
}

static void what_came_before_an_accept_is_told_by_the_poller(void **state) {
    gt_address at;
    owned *listener = listening(NULL, 0, &at);
    call accepts = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    put(peer, "abc");
    assert_int_equal(gt_accept(&listener->socket, &accepts.op), 0);
    assert_int_equal(accepts.accepted->event_count, 0);
    run_while(&accepts.accepted->event_count, 0);
    assert_memory_equal(accepts.accepted->data, "abc", 3);
    finish(accepts.accepted);
    finish(listener);
    close(peer);
}

static void a_dead_owner_closes_its_socket(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);
    char byte;

    (void)state;
    o->owner_dead = true;
    put(peer, "abc");
    run_while(&o->closed_calls, 0);
    assert_int_equal(o->event_count, 0);
    assert_true(read(peer, &byte, 1) <= 0);
    let_go(&o->socket);
    close(peer);
}

static void a_large_packet_for_a_dead_owner_is_freed(void **state) {
    static const uint8_t packet[4 + 50000] = {0, 0, 50000 >> 8, 50000 & 0xff};
    const gt_option options[] = {active(GT_ACTIVE_TRUE, 0), {.name = GT_OPT_PACKET, .number = GT_PACKET_4}};
    int peer;
    owned *o = connection(options, 2, &peer);

    (void)state;
    o->owner_dead = true;
    assert_int_equal(write(peer, packet, sizeof packet), sizeof packet);
    run_while(&o->closed_calls, 0);
    let_go(&o->socket);
    close(peer);
}

static void an_owner_that_dies_before_tcp_passive_closes_its_socket(void **state) {
    const gt_option one = active(GT_ACTIVE_COUNT, 1), none = active(GT_ACTIVE_COUNT, 0);
    int peer;
    owned *o = connection(&one, 1, &peer);

    (void)state;
    o->last_event = 1;
    put(peer, "abc");
    run_while(&o->closed_calls, 0);
    assert_int_equal(o->event_count, 1);
    let_go(&o->socket);
    close(peer);
    o = connection(PASSIVE, 1, &peer);
    o->owner_dead = true;
    assert_int_equal(gt_set_options(&o->socket, &none, 1), 0);
    assert_int_equal(o->closed_calls, 1);
    let_go(&o->socket);
    close(peer);
}

static void a_dead_owner_who_is_to_hear_of_an_earlier_end_closes_its_socket(void **state) {
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_EXIT_ON_CLOSE, .number = 0}};
    const gt_option yes = active(GT_ACTIVE_TRUE, 0);
    call receives = new_call(GT_OP_RECV, 0);
    int peer;
    owned *o = connection(options, 2, &peer);

    (void)state;
    close(peer);
    assert_true(gt_recv(&o->socket, &receives.op) >= 0);
    run_while(&receives.completions, 0);
    assert_int_equal(o->socket.state, GT_CONNECTED);
    o->owner_dead = true;
    assert_int_equal(gt_set_options(&o->socket, &yes, 1), 0);
    assert_int_equal(o->closed_calls, 1);
    let_go(&o->socket);
}

static void a_cancelled_accept_leaves_the_others_their_turns(void **state) {
    gt_address at;
    owned *listener = listening(PASSIVE, 1, &at);
    call calls[3];
    int peers[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        calls[i] = new_call(GT_OP_ACCEPT, 0);
        assert_int_equal(gt_accept(&listener->socket, &calls[i].op), GT_PENDING);
    }
    assert_true(gt_cancel(&listener->socket, &calls[1].op));
    for (int i = 0; i < 3; i += 2) {
        peers[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(peers[i], &at.any, at.size), 0);
        run_while(&calls[i].completions, 0);
        finish(calls[i].accepted);
        close(peers[i]);
    }
    assert_int_equal(calls[1].completions, 0);
    finish(listener);
}

static void closing_answers_everybody_who_waits(void **state) {
    gt_address at;
    owned *listener = listening(NULL, 0, &at);
    call accepts = new_call(GT_OP_ACCEPT, 0);
    call receives = new_call(GT_OP_RECV, 0);
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);

    (void)state;
    assert_int_equal(gt_accept(&listener->socket, &accepts.op), GT_PENDING);
    assert_int_equal(gt_recv(&o->socket, &receives.op), GT_PENDING);
    finish(listener);
    finish(o);
    assert_int_equal(accepts.completions, 1);
    assert_int_equal(accepts.status, GT_CLOSED);
    assert_int_equal(receives.completions, 1);
    assert_int_equal(receives.status, GT_CLOSED);
    close(peer);
}

static void ownership_changes_only_by_the_owner_and_to_a_living_one(void **state) {
    int peer, someone;
    owned *o = connection(PASSIVE, 1, &peer);

    (void)state;
    assert_int_equal(gt_reown(&o->socket, NULL, &someone, poller), GT_NOT_OWNER);
    assert_int_equal(gt_reown(&o->socket, &someone, NULL, poller), GT_BADARG);
    assert_int_equal(gt_reown(&o->socket, &someone, &someone, poller), 0);
    finish(o);
    close(peer);
}

static void a_socket_that_has_ended_moves_too(void **state) {
    int peer, someone;
    owned *o = connection(PASSIVE, 1, &peer);
    call receives = new_call(GT_OP_RECV, 0);
    gt_poller *other;

    (void)state;
    close(peer);
    assert_true(gt_recv(&o->socket, &receives.op) >= 0);
    run_while(&receives.completions, 0);
    assert_int_equal(gt_poller_open(&other, backend, &user), 0);
    assert_int_equal(gt_reown(&o->socket, &someone, &someone, other), 0);
    assert_ptr_equal(o->socket.watch.poller, other);
    finish(o);
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(other);
}

static void a_socket_without_a_descriptor_has_no_name(void **state) {
    owned *o = new_socket();
    call receives = new_call(GT_OP_RECV, 0);
    gt_address name;
    int peer;

    (void)state;
    assert_int_equal(gt_sockname(&o->socket, &name), -EINVAL);
    assert_int_equal(gt_peername(&o->socket, &name), -EINVAL);
    finish(o);
    o = connection(PASSIVE, 1, &peer);
    close(peer);
    assert_true(gt_recv(&o->socket, &receives.op) >= 0);
    run_while(&receives.completions, 0);
    assert_int_equal(gt_sockname(&o->socket, &name), -EBADF);
    assert_int_equal(gt_peername(&o->socket, &name), -ENOTCONN);
    finish(o);
}

static void a_socket_moves_to_another_poller_with_what_is_ready(void **state) {
    int peer, someone;
    owned *o = connection(NULL, 0, &peer);
    gt_poller *first = poller;

    (void)state;
    put(peer, "abc");
    assert_int_equal(gt_poller_open(&poller, backend, &user), 0);
    assert_int_equal(gt_reown(&o->socket, &someone, &someone, poller), 0);
    run_while(&o->event_count, 0);
    assert_int_equal(o->data_size, 3);
    finish(o);
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(poller);
    poller = first;
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_connection_whose_accepter_died_goes_to_the_next),
        ENGINE_TEST(a_parked_connection_goes_with_its_listener),
        ENGINE_TEST(accepters_are_served_in_order),
        ENGINE_TEST(what_came_before_an_accept_is_told_by_the_poller),
        ENGINE_TEST(a_dead_owner_closes_its_socket),
        ENGINE_TEST(a_large_packet_for_a_dead_owner_is_freed),
        ENGINE_TEST(an_owner_that_dies_before_tcp_passive_closes_its_socket),
        ENGINE_TEST(a_dead_owner_who_is_to_hear_of_an_earlier_end_closes_its_socket),
        ENGINE_TEST(a_cancelled_accept_leaves_the_others_their_turns),
        ENGINE_TEST(closing_answers_everybody_who_waits),
        ENGINE_TEST(ownership_changes_only_by_the_owner_and_to_a_living_one),
        ENGINE_TEST(a_socket_that_has_ended_moves_too),
        ENGINE_TEST(a_socket_without_a_descriptor_has_no_name),
        ENGINE_TEST(a_socket_moves_to_another_poller_with_what_is_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
