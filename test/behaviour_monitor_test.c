/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp_monitor and gentcp_demonitor: as OTP's inet:monitor on a port, but that demonitor takes the message, too. */
#include "test/connection.h"
#include "test/scale.h"

static gentcp_ref monitor(gentcp_socket socket) {
    gentcp_ref ref;

    assert_ok(gentcp_monitor(socket, &ref));
    return ref;
}

/* The next message says that it is down; why. */
static int assert_down(gentcp_ref ref, gentcp_socket socket) {
    gentcp_message message;

    assert_ok(gentcp_receive(&message, SOON));
    assert_int_equal(message.kind, GENTCP_DOWN);
    assert_int_equal(message.ref.id, ref.id);
    assert_int_equal(message.socket.id, socket.id);
    assert_int_equal(message.data.size, 0);
    return message.reason;
}

static void assert_no_message(void) {
    gentcp_message message;

    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
}

static void own_close_is_told_once_for_each_monitor_in_order(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref first = monitor(socket), second = monitor(socket);

    (void)state;
    assert_int_not_equal(first.id, second.id);
    assert_no_message();
    assert_ok(gentcp_close(socket));
    assert_int_equal(assert_down(first, socket), 0);
    assert_int_equal(assert_down(second, socket), 0);
    assert_no_message();
    close(peer);
}

static void a_listener_is_monitored_too(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);
    gentcp_ref ref = monitor(listener);

    (void)state;
    assert_ok(gentcp_close(listener));
    assert_int_equal(assert_down(ref, listener), 0);
}

static void the_peers_end_of_an_active_socket_is_told_after_tcp_closed(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    gentcp_ref ref = monitor(socket);

    (void)state;
    close(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(assert_down(ref, socket), 0);
}

static void an_ended_passive_socket_is_down_when_it_is_closed(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref ref = monitor(socket);

    (void)state;
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_no_message();
    assert_ok(gentcp_close(socket));
    assert_int_equal(assert_down(ref, socket), 0);
}

static void the_reason_is_that_of_tcp_error(void **state) {
    gentcp_socket socket, other;
    int peer = connect_plain(gentcp_options(GENTCP_SHOW_ECONNRESET(true)), &socket);
    gentcp_ref ref = monitor(socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(assert_down(ref, socket), -ECONNRESET);
    peer = connect_plain(gentcp_options(GENTCP_PACKET(4), GENTCP_PACKET_SIZE(10)), &other);
    ref = monitor(other);
    plain_send(peer, "\0\0\1\0", 4);
    assert_int_equal(assert_told(other, GENTCP_TCP_ERROR), -EMSGSIZE);
    assert_told(other, GENTCP_TCP_CLOSED);
    assert_int_equal(assert_down(ref, other), -EMSGSIZE);
    close(peer);
}

static void a_socket_that_is_closed_already_is_down_at_once(void **state) {
    gentcp_socket socket, none = {0};
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref ref;

    (void)state;
    assert_ok(gentcp_close(socket));
    ref = monitor(socket);
    assert_int_equal(assert_down(ref, socket), GENTCP_CLOSED);
    assert_int_equal(gentcp_demonitor(ref), 0);
    assert_int_equal(gentcp_monitor(none, &ref), GENTCP_BADARG);
    assert_int_equal(gentcp_monitor(socket, NULL), GENTCP_BADARG);
    close(peer);
}

/* The socket's messages come before it, and a wait for that socket's gets it. */
static void receive_from_takes_it_after_the_sockets_messages(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    gentcp_message message;
    gentcp_pid self;

    (void)state;
    (void)monitor(socket);
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_post(self, NULL));
    plain_say(peer, "last");
    close(peer);
    assert_tcp(socket, "last");
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_ok(gentcp_receive_from(socket, &message, SOON));
    assert_int_equal(message.kind, GENTCP_DOWN);
    assert_int_equal(gentcp_receive_from(socket, &message, SOON), GENTCP_CLOSED);
    assert_ok(gentcp_receive(&message, 0));
    assert_int_equal(message.kind, GENTCP_USER);
}

/* ---- other processes ---- */

/* Another process that monitors a socket, and waits for its end; or owns it until it is told to end. */
static int monitor_and_wait(call *c) {
    gentcp_message message = {0};
    gentcp_ref ref;
    int status = gentcp_monitor(c->socket, &ref);

    if (status == 0)
        status = gentcp_receive_from(c->socket, &message, c->timeout);
    if (status == 0 && (message.kind != GENTCP_DOWN || message.ref.id != ref.id))
        status = -EBADMSG;
    return status == 0 ? message.reason : status;
}

static void any_process_may_monitor_any_socket(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    call watchers[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        watchers[i] = (call){.make = monitor_and_wait, .socket = socket, .timeout = SOON, .status = 1};
        start(&watchers[i]);
        assert_true(waits(&watchers[i]));
    }
    assert_ok(gentcp_close(socket));
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(&watchers[i]), 0);
    close(peer);
}

static int monitor_and_end(call *c) {
    gentcp_ref ref;

    return gentcp_monitor(c->socket, &ref);
}

static void a_process_that_ends_takes_its_monitors_with_it(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    for (int i = 0; i < 3; i++) {
        call watcher = {.make = monitor_and_end, .socket = socket};
        start(&watcher);
        assert_ok(finish(&watcher));
    }
    (void)monitor(socket);
    assert_ok(gentcp_close(socket));
    gentcp_exit(); /* with its message in the mailbox */
    close(peer);
}

typedef struct owner {
    call call;
    gentcp_pid pid;
    _Atomic bool ready;
} owner;

/* Its process ends when it is told to. */
static int own_until_told(call *c) {
    owner *o = (owner *)(void *)c;
    gentcp_message message;
    int status = gentcp_self(&o->pid);

    atomic_store(&o->ready, true);
    return status == 0 ? gentcp_receive(&message, SOON) : status;
}

static void a_hand_over_leaves_the_monitor_where_it_is_and_the_owners_death_is_told(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    owner other = {.call.make = own_until_told};
    gentcp_socket gone;
    int second = connect_plain(JUST_PASSIVE, &gone);
    gentcp_ref early = monitor(gone), ref = monitor(socket);

    (void)state;
    assert_ok(gentcp_close(gone)); /* a letter in the mailbox */
    start(&other.call);
    assert_true(atomic_load(&other.ready));
    assert_ok(gentcp_controlling_process(socket, other.pid));
    assert_int_equal(assert_down(early, gone), 0);
    assert_no_message();
    assert_ok(gentcp_post(other.pid, NULL));
    assert_int_equal(assert_down(ref, socket), 0);
    assert_ok(finish(&other.call));
    close(peer);
    close(second);
}

/* ---- demonitor ---- */

static void demonitor_ends_one_monitor_and_no_other(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref first = monitor(socket), second = monitor(socket), third = monitor(socket);

    (void)state;
    assert_int_equal(gentcp_demonitor(second), 1);
    assert_int_equal(gentcp_demonitor(second), 0);
    assert_ok(gentcp_close(socket));
    assert_int_equal(assert_down(first, socket), 0);
    assert_int_equal(assert_down(third, socket), 0);
    assert_no_message();
    assert_int_equal(gentcp_demonitor(first), 0);
    close(peer);
}

static void demonitor_takes_the_message_that_has_come(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref first = monitor(socket), second = monitor(socket), third = monitor(socket);

    (void)state;
    assert_ok(gentcp_close(socket));
    assert_int_equal(gentcp_demonitor(second), 0);
    assert_int_equal(gentcp_demonitor(third), 0);
    assert_int_equal(assert_down(first, socket), 0);
    assert_no_message();
    close(peer);
}

static int demonitor_elsewhere(call *c) {
    return gentcp_demonitor((gentcp_ref){(uint64_t)c->length});
}

static void only_its_own_process_ends_a_monitor(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref ref = monitor(socket), none = {0}, made_up = {UINT64_MAX};
    call other = {.make = demonitor_elsewhere, .length = (size_t)ref.id, .status = 7};

    (void)state;
    start(&other);
    assert_int_equal(finish(&other), 0);
    assert_int_equal(gentcp_demonitor(none), GENTCP_BADARG);
    assert_int_equal(gentcp_demonitor(made_up), GENTCP_BADARG);
    assert_ok(gentcp_close(socket));
    assert_int_equal(assert_down(ref, socket), 0);
    close(peer);
}

/* ---- races ---- */

/* Another process, which closes the sockets that it is given, one after the other, and monitors each before. */
typedef struct closer {
    call call;
    int rounds;
    _Atomic uint64_t given; /* 0: closed */
} closer;

/* Both wait so for each other: sleeping would make all races alike. */
static bool await_given(closer *c, bool any) {
    for (long tries = 0; tries < 100000000; tries++) {
        if ((atomic_load(&c->given) != 0) == any)
            return true;
        if (tries > 100)
            sched_yield();
    }
    return false;
}

static int close_what_is_given(call *made) {
    closer *c = (closer *)(void *)made;
    int status = 0;

    for (int i = 0; i < c->rounds && status == 0; i++) {
        gentcp_message message;
        gentcp_socket socket;
        gentcp_ref ref;
        if (!await_given(c, true))
            return GENTCP_TIMEOUT;
        socket.id = atomic_load(&c->given);
        status = gentcp_monitor(socket, &ref);
        if (status == 0)
            status = gentcp_close(socket);
        if (status == 0)
            status = gentcp_receive(&message, SOON);
        if (status == 0 && (message.ref.id != ref.id || message.reason != 0))
            status = -EBADMSG;
        if (status == 0 && gentcp_receive(&message, 0) != GENTCP_TIMEOUT)
            status = -EEXIST;
        atomic_store(&c->given, 0);
    }
    return status;
}

static void spin(int turns) {
    for (volatile int i = 0; i < turns; i = i + 1)
        ;
}

/* What was monitored before is told once unless demonitored, what is monitored meanwhile once, and nothing else. The
 * moment adjusts itself so that each side wins about half of the races. */
static void close_by_another_races_with_monitor_and_demonitor(void **state) {
    closer other = {.call.make = close_what_is_given, .rounds = scaled(500)};
    int moment = 100, in_time = 0;

    (void)state;
    assert_ok(pthread_create(&other.call.thread, NULL, call_main, &other.call));
    for (int i = 0; i < other.rounds; i++) {
        uint16_t port;
        gentcp_socket socket = listen_on_loopback(NULL, &port);
        gentcp_ref ended = monitor(socket), kept = monitor(socket), late;
        bool kept_told = false, late_told = false;
        int was_open;

        atomic_store(&other.given, socket.id);
        spin(moment);
        was_open = gentcp_demonitor(ended);
        assert_in_range(was_open, 0, 1);
        late = monitor(socket);
        in_time += was_open;
        moment = was_open ? moment + 1 + moment / 8 : moment - moment / 8;
        for (int told = 0; told < 2; told++) {
            gentcp_message message;
            assert_ok(gentcp_receive(&message, SOON));
            assert_int_equal(message.kind, GENTCP_DOWN);
            assert_int_equal(message.socket.id, socket.id);
            assert_true(message.reason == 0 || (message.reason == GENTCP_CLOSED && message.ref.id == late.id));
            kept_told = kept_told || message.ref.id == kept.id;
            late_told = late_told || message.ref.id == late.id;
        }
        assert_true(kept_told && late_told);
        assert_true(await_given(&other, false));
        assert_no_message();
        assert_int_equal(gentcp_demonitor(kept), 0);
    }
    assert_ok(finish(&other.call));
    if (other.rounds >= 500) /* fewer may be too few to find the moment */
        assert_in_range(in_time, 1, other.rounds - 1);
}

static void a_watchers_end_races_with_close(void **state) {
    (void)state;
    for (int i = 0; i < scaled(100); i++) {
        uint16_t port;
        gentcp_socket socket = listen_on_loopback(NULL, &port);
        call watcher = {.make = monitor_and_end, .socket = socket};
        gentcp_ref ref = monitor(socket);
        assert_ok(pthread_create(&watcher.thread, NULL, call_main, &watcher));
        while (i % 4 != 0 && atomic_load(&watcher.id) == 0) /* else: at once */
            sched_yield();
        spin(i % 4 * 2000);
        assert_ok(gentcp_close(socket));
        assert_int_equal(assert_down(ref, socket), 0);
        assert_ok(finish(&watcher));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(own_close_is_told_once_for_each_monitor_in_order),
        TEST(a_listener_is_monitored_too),
        TEST(the_peers_end_of_an_active_socket_is_told_after_tcp_closed),
        TEST(an_ended_passive_socket_is_down_when_it_is_closed),
        TEST(the_reason_is_that_of_tcp_error),
        TEST(a_socket_that_is_closed_already_is_down_at_once),
        TEST(receive_from_takes_it_after_the_sockets_messages),
        TEST(any_process_may_monitor_any_socket),
        TEST(a_process_that_ends_takes_its_monitors_with_it),
        TEST(a_hand_over_leaves_the_monitor_where_it_is_and_the_owners_death_is_told),
        TEST(demonitor_ends_one_monitor_and_no_other),
        TEST(demonitor_takes_the_message_that_has_come),
        TEST(only_its_own_process_ends_a_monitor),
        TEST(close_by_another_races_with_monitor_and_demonitor),
        TEST(a_watchers_end_races_with_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
