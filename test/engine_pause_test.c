/* SPDX-License-Identifier: Apache-2.0 */
/* gt_pause, gt_resume and gt_reown: between one owner and the next nothing is told to anybody, and nothing is lost. */
#include <sys/ioctl.h>

#include "test/engine_fixture.h"

static const char here, there; /* processes: only their addresses count */

static void assert_told(const owned *o, int count, const char *const events[], const void *owner) {
    assert_int_equal(o->event_count, count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(o->events[i], events[i]);
        assert_ptr_equal(o->told[i], owner);
    }
}
#define ASSERT_TOLD(o, owner, ...)                                                                                     \
    do {                                                                                                               \
        const char *const list[] = {__VA_ARGS__};                                                                      \
        assert_told(o, sizeof list / sizeof list[0], list, owner);                                                     \
    } while (0)

static owned *paused(const gt_option *options, int count, int *peer) {
    owned *o = connection(options, count, peer);

    assert_int_equal(gt_pause(&o->socket), 0);
    return o;
}

static void set(owned *o, gt_option option) {
    assert_int_equal(gt_set_options(&o->socket, &option, 1), 0);
}

/* The next send will meet a reset. */
static void reset(int peer) {
    const struct linger abortive = {.l_onoff = 1};

    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive), 0);
    close(peer);
}

static int send_one_byte(owned *o) {
    struct iovec part = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
    call send = new_call(GT_OP_SEND, 0);

    return gt_send(&o->socket, &part, 1, NULL, &send.op);
}

static void what_comes_during_a_pause_stays_in_the_system(void **state) {
    int peer, unread;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    settle();
    assert_int_equal(o->event_count, 0);
    assert_int_equal(ioctl(o->socket.watch.fd, FIONREAD, &unread), 0);
    assert_int_equal(unread, 3);
    finish(o);
    close(peer);
}

static void resume_delivers_what_has_come_and_goes_on(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    settle();
    gt_resume(&o->socket);
    ASSERT_TOLD(o, NULL, "data");
    put(peer, "d");
    run_while(&o->event_count, 1);
    assert_memory_equal(o->data, "abcd", 4);
    finish(o);
    close(peer);
}

static void packets_read_before_the_pause_wait_for_its_end(void **state) {
    const gt_option options[] = {active(GT_ACTIVE_ONCE, 0), {.name = GT_OPT_PACKET, .number = GT_PACKET_1}};
    int peer;
    owned *o = connection(options, 2, &peer);

    (void)state;
    put(peer, "\1a\1b\1c");
    run_while(&o->event_count, 0);
    assert_int_equal(gt_pause(&o->socket), 0);
    set(o, active(GT_ACTIVE_TRUE, 0));
    assert_int_equal(o->event_count, 1);
    gt_resume(&o->socket);
    ASSERT_TOLD(o, NULL, "data", "data", "data");
    assert_memory_equal(o->data, "abc", 3);
    finish(o);
    close(peer);
}

static void the_new_owner_gets_what_was_held_back_then_what_has_come(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    settle();
    set(o, active(GT_ACTIVE_COUNT, -1)); /* N of a socket that isn't counting: tcp_passive */
    set(o, active(GT_ACTIVE_COUNT, 1));
    assert_int_equal(o->event_count, 0);
    assert_int_equal(gt_reown(&o->socket, &here, &there, poller), 0);
    ASSERT_TOLD(o, &there, "passive", "data", "passive");
    assert_int_equal(gt_pause(&o->socket), 0);
    gt_resume(&o->socket);
    assert_int_equal(o->event_count, 3);
    finish(o);
    close(peer);
}

static void a_refused_hand_over_stays_paused_until_resume_tells_the_old_owner(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    settle();
    assert_int_equal(gt_reown(&o->socket, NULL, &there, poller), GT_NOT_OWNER);
    assert_int_equal(gt_reown(&o->socket, &here, NULL, poller), GT_BADARG);
    settle();
    assert_int_equal(o->event_count, 0);
    gt_resume(&o->socket);
    ASSERT_TOLD(o, NULL, "data");
    finish(o);
    close(peer);
}

static void a_paused_socket_moves_to_another_poller_with_what_has_come(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);
    gt_poller *first = poller;

    (void)state;
    put(peer, "abc");
    settle();
    assert_int_equal(gt_poller_open(&poller, backend, &user), 0);
    assert_int_equal(gt_reown(&o->socket, &here, &there, poller), 0);
    ASSERT_TOLD(o, &there, "data");
    put(peer, "d");
    run_while(&o->event_count, 1);
    finish(o);
    (void)gt_poller_run(poller, 0, 16);
    gt_poller_close(poller);
    poller = first;
    close(peer);
}

static void an_end_that_a_send_meets_is_told_when_the_pause_ends(void **state) {
    const gt_option show[] = {active(GT_ACTIVE_TRUE, 0), {.name = GT_OPT_SHOW_ECONNRESET, .number = 1}};
    int peer;
    owned *o = paused(show, 2, &peer);

    (void)state;
    reset(peer);
    assert_int_equal(send_one_byte(o), -ECONNRESET);
    assert_int_equal(o->event_count, 0);
    assert_int_equal(gt_reown(&o->socket, &here, &there, poller), GT_CLOSED);
    assert_int_equal(o->event_count, 0);
    gt_resume(&o->socket);
    ASSERT_TOLD(o, NULL, "error", "closed");
    assert_int_equal(o->reason, -ECONNRESET);
    gt_resume(&o->socket);
    assert_int_equal(o->event_count, 2);
    finish(o);
}

static void the_end_of_a_socket_that_stays_open_goes_to_the_new_owner(void **state) {
    const gt_option stays[] = {active(GT_ACTIVE_TRUE, 0), {.name = GT_OPT_EXIT_ON_CLOSE, .number = 0}};
    int peer;
    owned *o = paused(stays, 2, &peer);

    (void)state;
    reset(peer);
    assert_int_equal(send_one_byte(o), GT_CLOSED);
    assert_int_equal(gt_reown(&o->socket, &here, &there, poller), 0);
    ASSERT_TOLD(o, &there, "closed");
    finish(o);
}

static void an_abort_during_a_pause_is_told_when_it_ends(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    gt_abort(&o->socket);
    assert_int_equal(o->event_count, 0);
    gt_resume(&o->socket);
    ASSERT_TOLD(o, NULL, "closed");
    finish(o);
    close(peer);
}

static void a_passive_socket_is_read_and_written_during_a_pause(void **state) {
    int peer;
    owned *o = paused(PASSIVE, 1, &peer);
    call receives = new_call(GT_OP_RECV, 3);
    char byte;

    (void)state;
    assert_int_equal(gt_recv(&o->socket, &receives.op), GT_PENDING);
    put(peer, "abc");
    run_while(&receives.completions, 0);
    assert_memory_equal(receives.data, "abc", 3);
    assert_int_equal(send_one_byte(o), 0);
    assert_int_equal(read(peer, &byte, 1), 1);
    free(receives.data);
    finish(o);
    close(peer);
}

static void a_paused_listener_accepts_and_its_connections_are_not_paused(void **state) {
    gt_address at;
    owned *listener = listening(NULL, 0, &at);
    call accepts = new_call(GT_OP_ACCEPT, 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(gt_pause(&listener->socket), 0);
    assert_int_equal(gt_accept(&listener->socket, &accepts.op), GT_PENDING);
    assert_int_equal(connect(peer, &at.any, at.size), 0);
    run_while(&accepts.completions, 0);
    assert_int_equal(accepts.status, 0);
    put(peer, "abc");
    run_while(&accepts.accepted->event_count, 0);
    assert_int_equal(gt_reown(&listener->socket, &here, &there, poller), 0);
    assert_int_equal(listener->event_count, 0);
    finish(accepts.accepted);
    finish(listener);
    close(peer);
}

static void a_closed_socket_is_not_paused_and_resume_without_pause_does_nothing(void **state) {
    int peer;
    owned *o = connection(NULL, 0, &peer);

    (void)state;
    gt_resume(&o->socket);
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    assert_int_equal(gt_pause(&o->socket), GT_CLOSED);
    gt_resume(&o->socket);
    assert_int_equal(o->event_count, 0);
    let_go(&o->socket);
    close(peer);
}

static void a_socket_closed_during_a_pause_tells_nothing_of_it(void **state) {
    int peer;
    owned *o = paused(NULL, 0, &peer);

    (void)state;
    put(peer, "abc");
    settle();
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    gt_resume(&o->socket);
    assert_int_equal(o->event_count, 0);
    let_go(&o->socket);
    close(peer);
}

static void an_owner_found_dead_when_the_pause_ends_closes_the_socket(void **state) {
    int peer;
    owned *o = paused(PASSIVE, 1, &peer);
    char byte;

    (void)state;
    set(o, active(GT_ACTIVE_COUNT, -1));
    o->owner_dead = true;
    gt_resume(&o->socket);
    assert_int_equal(o->socket.state, GT_SHUT);
    assert_int_equal(read(peer, &byte, 1), 0);
    finish(o);
    close(peer);
}

static void an_owner_found_dead_closes_a_socket_that_has_ended_as_well(void **state) {
    int peer;
    owned *o = paused(PASSIVE, 1, &peer);
    call receives = new_call(GT_OP_RECV, 0);

    (void)state;
    close(peer);
    assert_true(gt_recv(&o->socket, &receives.op) >= 0);
    run_while(&receives.completions, 0);
    assert_int_equal(o->socket.state, GT_ENDED);
    set(o, active(GT_ACTIVE_COUNT, -1));
    o->owner_dead = true;
    gt_resume(&o->socket);
    assert_int_equal(o->socket.state, GT_SHUT);
    assert_int_equal(o->closed_calls, 1);
    finish(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(what_comes_during_a_pause_stays_in_the_system),
        ENGINE_TEST(resume_delivers_what_has_come_and_goes_on),
        ENGINE_TEST(packets_read_before_the_pause_wait_for_its_end),
        ENGINE_TEST(the_new_owner_gets_what_was_held_back_then_what_has_come),
        ENGINE_TEST(a_refused_hand_over_stays_paused_until_resume_tells_the_old_owner),
        ENGINE_TEST(a_paused_socket_moves_to_another_poller_with_what_has_come),
        ENGINE_TEST(an_end_that_a_send_meets_is_told_when_the_pause_ends),
        ENGINE_TEST(the_end_of_a_socket_that_stays_open_goes_to_the_new_owner),
        ENGINE_TEST(an_abort_during_a_pause_is_told_when_it_ends),
        ENGINE_TEST(a_passive_socket_is_read_and_written_during_a_pause),
        ENGINE_TEST(a_paused_listener_accepts_and_its_connections_are_not_paused),
        ENGINE_TEST(a_closed_socket_is_not_paused_and_resume_without_pause_does_nothing),
        ENGINE_TEST(a_socket_closed_during_a_pause_tells_nothing_of_it),
        ENGINE_TEST(an_owner_found_dead_when_the_pause_ends_closes_the_socket),
        ENGINE_TEST(an_owner_found_dead_closes_a_socket_that_has_ended_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
