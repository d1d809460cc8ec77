/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a socket: who it is, and what goes with the socket to another. */
#include "test/connection.h"

#define SET(socket, ...) assert_ok(gentcp_setopts((socket), gentcp_options(__VA_ARGS__)))

static int64_t count_left(gentcp_socket socket) {
    gentcp_option active[] = {GENTCP_ACTIVE(0), GENTCP_END};

    assert_ok(gentcp_getopts(socket, active));
    return active->number == GENTCP_ACTIVE_COUNT ? active->extra : -1;
}

/* Another process. It writes down what it is told until that ends, or it is told to stop. */
typedef struct other {
    call call;
    gentcp_pid test, self;
    char log[256];
} other;

static int be_other(call *c) {
    other *o = (other *)c;
    gentcp_message message;
    int status = gentcp_self(&o->self);

    if (status == 0)
        status = gentcp_post(o->test, o);
    while (status == 0 && (status = gentcp_receive(&message, SOON)) == 0) {
        size_t have = strlen(o->log), room = sizeof o->log - have;
        if (message.kind == GENTCP_USER)
            return 0;
        if (message.kind == GENTCP_TCP)
            snprintf(o->log + have, room, "%s", (char *)message.data.bytes);
        else if (message.kind == GENTCP_TCP_PASSIVE)
            snprintf(o->log + have, room, "<passive>");
        else if (message.kind == GENTCP_TCP_ERROR)
            snprintf(o->log + have, room, "<%s>", gentcp_error_name(message.reason));
        else
            snprintf(o->log + have, room, "<closed>");
        gentcp_data_release(&message.data);
        if (message.kind == GENTCP_TCP_CLOSED)
            return 0;
    }
    return status;
}

static void start_other(other *o) {
    gentcp_message message;

    *o = (other){.call = {.make = be_other}};
    assert_ok(gentcp_self(&o->test));
    start(&o->call);
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, o);
}

static void stop_other(other *o) {
    (void)gentcp_post(o->self, NULL);
    assert_ok(finish(&o->call));
}

static void an_active_socket_is_handed_over_with_what_was_not_received_yet(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &socket);
    other o;

    (void)state;
    start_other(&o);
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_silence(socket);
    plain_say(peer, "4\n");
    close(peer);
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "2\n3\n4\n<closed>");
}

static void a_passive_socket_is_handed_over_with_what_it_has_read_ahead(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);
    other o;

    (void)state;
    start_other(&o);
    plain_say(peer, "1\n2\n3\n");
    assert_recv(socket, 0, "1\n");
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_recv(socket, 0, "2\n"); /* receiving isn't only the owner's */
    SET(socket, GENTCP_ACTIVE(true));
    close(peer);
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "3\n<closed>");
}

static void a_once_active_socket_is_handed_over_in_its_mode(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE), GENTCP_PACKET(GENTCP_LINE)), &socket);
    other o;

    (void)state;
    start_other(&o);
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_ONCE);
    plain_say(peer, "1\n2\n");
    close(peer);
    while (option_of(socket, GENTCP_OPT_ACTIVE) == GENTCP_ONCE)
        sched_yield();
    assert_recv(socket, 0, "2\n");
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "1\n<closed>");
}

static void a_count_is_kept_when_handed_over(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(5), GENTCP_PACKET(GENTCP_LINE)), &socket);
    other o;

    (void)state;
    start_other(&o);
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_int_equal(count_left(socket), 2);
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_int_equal(count_left(socket), 2);
    plain_say(peer, "4\n5\n");
    while (option_of(socket, GENTCP_OPT_ACTIVE) != GENTCP_PASSIVE)
        sched_yield();
    SET(socket, GENTCP_ACTIVE(GENTCP_TRUE));
    close(peer);
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "2\n3\n4\n5\n<passive><closed>");
}

static void errors_the_end_and_tcp_passive_are_handed_over_too(void **state) {
    const gentcp_option *options =
        PASSIVE(GENTCP_EXIT_ON_CLOSE(false), GENTCP_PACKET(GENTCP_PACKET_1), GENTCP_PACKET_SIZE(2));
    gentcp_socket socket;
    int peer = connect_plain(options, &socket);
    other o;

    (void)state;
    start_other(&o);
    plain_send(peer, "\001a\001b\003cde", 8);
    SET(socket, GENTCP_ACTIVE_N(0));
    SET(socket, GENTCP_ACTIVE(true));
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_silence(socket);
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "<passive>ab<emsgsize><closed>");
    close(peer);
}

static void only_the_owner_hands_over(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    other o;

    (void)state;
    start_other(&o);
    assert_ok(gentcp_controlling_process(socket, o.test)); /* to itself */
    assert_ok(gentcp_controlling_process(socket, o.self));
    assert_int_equal(gentcp_controlling_process(socket, o.test), GENTCP_NOT_OWNER);
    assert_ok(gentcp_controlling_process(socket, o.self)); /* by anyone, if the owner is it already */
    plain_say(peer, "still the other's");
    close(peer);
    assert_ok(finish(&o.call));
    assert_string_equal(o.log, "still the other's<closed>");
}

static void handing_over_to_a_dead_process_is_badarg_and_changes_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &socket);
    other o;

    (void)state;
    start_other(&o);
    stop_other(&o);
    plain_say(peer, "1\n2\n");
    assert_tcp(socket, "1\n");
    assert_int_equal(gentcp_controlling_process(socket, o.self), GENTCP_BADARG);
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_TRUE);
    assert_tcp(socket, "2\n");
    plain_say(peer, "3\n");
    assert_tcp(socket, "3\n");
    close(peer);
}

static void the_sockets_of_a_thread_that_ends_are_closed(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    other o;

    (void)state;
    start_other(&o);
    assert_ok(gentcp_controlling_process(socket, o.self));
    stop_other(&o);
    assert_ok(plain_end(peer));
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    close(peer);
}

/* One of two processes that toss a socket to each other, each after every third line. */
enum { TOSSED_LINES = 3000 };

typedef struct tosser {
    call call;
    gentcp_pid self;
    struct tosser *partner;
    int *next; /* the line that comes next */
} tosser;

static int toss(tosser *t, gentcp_socket socket) {
    gentcp_message message;
    int status = 0;

    while (status == 0 && (status = gentcp_receive(&message, SOON)) == 0) {
        if (message.kind != GENTCP_TCP)
            return message.kind == GENTCP_USER ? 0 : -1;
        if (atoi((char *)message.data.bytes) != *t->next)
            status = -2;
        gentcp_data_release(&message.data);
        if (++*t->next == TOSSED_LINES)
            return gentcp_post(t->partner->self, NULL);
        if (status == 0 && *t->next % 3 == 0)
            status = gentcp_controlling_process(socket, t->partner->self);
    }
    return status;
}

static int be_tosser(call *c) {
    tosser *t = (tosser *)c;
    int status = gentcp_self(&t->self);

    return status == 0 && (status = gentcp_post(t->partner->self, t)) == 0 ? toss(t, c->socket) : status;
}

static int make_lines(call *c) {
    char line[16];
    bool sent = true;

    for (int i = 0; i < TOSSED_LINES && sent; i++) {
        int size = snprintf(line, sizeof line, "%d\n", i);
        sent = send((int)c->length, line, (size_t)size, MSG_NOSIGNAL) == size;
    }
    return sent ? 0 : -1;
}

static void handing_over_amid_a_stream_loses_doubles_and_reorders_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &socket);
    int next = 0;
    tosser here = {.next = &next};
    tosser there = {.call = {.make = be_tosser, .socket = socket}, .partner = &here, .next = &next};
    call writer = {.make = make_lines, .length = (size_t)peer};
    gentcp_message message;

    (void)state;
    here.partner = &there;
    assert_ok(gentcp_self(&here.self));
    start(&there.call);
    assert_ok(gentcp_receive(&message, SOON));
    assert_int_equal(message.kind, GENTCP_USER);
    start(&writer);
    assert_ok(toss(&here, socket));
    assert_ok(finish(&there.call));
    assert_ok(finish(&writer));
    assert_int_equal(next, TOSSED_LINES);
    close(peer);
}

static void receive_from_takes_only_that_sockets_messages(void **state) {
    gentcp_socket first, second;
    int first_peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &first);
    int second_peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_LINE)), &second);
    gentcp_pid self;
    gentcp_message message;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_post(self, &self));
    plain_say(first_peer, "1\n2\n");
    plain_say(second_peer, "a\n");
    assert_tcp(second, "a\n");
    assert_tcp(first, "1\n");
    assert_tcp(first, "2\n");
    assert_silence(first);
    assert_ok(gentcp_receive(&message, 0));
    assert_int_equal(message.kind, GENTCP_USER);
    assert_ptr_equal(message.user, &self);
    close(first_peer);
    close(second_peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_active_socket_is_handed_over_with_what_was_not_received_yet),
        TEST(a_passive_socket_is_handed_over_with_what_it_has_read_ahead),
        TEST(a_once_active_socket_is_handed_over_in_its_mode),
        TEST(a_count_is_kept_when_handed_over),
        TEST(errors_the_end_and_tcp_passive_are_handed_over_too),
        TEST(only_the_owner_hands_over),
        TEST(handing_over_to_a_dead_process_is_badarg_and_changes_nothing),
        TEST(the_sockets_of_a_thread_that_ends_are_closed),
        TEST(handing_over_amid_a_stream_loses_doubles_and_reorders_nothing),
        TEST(receive_from_takes_only_that_sockets_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
