/* SPDX-License-Identifier: Apache-2.0 */
/* Active sockets: what their owner is told, how often, and who the owner is. */
#include "test/connection.h"

#define SET(socket, ...) assert_ok(gentcp_setopts((socket), gentcp_options(__VA_ARGS__)))

static int64_t count_left(gentcp_socket socket) {
    gentcp_option active[] = {GENTCP_ACTIVE(0), GENTCP_END};

    assert_ok(gentcp_getopts(socket, active));
    return active->number == GENTCP_ACTIVE_COUNT ? active->extra : -1;
}

static void what_is_received_comes_as_messages_by_default(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    plain_say(peer, "one");
    assert_tcp(socket, "one");
    plain_say(peer, "two");
    assert_tcp(socket, "two");
    assert_silence(socket);
    close(peer);
}

static void the_end_is_told_once_and_nothing_follows(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    gentcp_message message;

    (void)state;
    plain_say(peer, "last");
    close(peer);
    assert_tcp(socket, "last");
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_int_equal(gentcp_receive_from(socket, &message, SOON), GENTCP_CLOSED);
    assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_CLOSED);
}

static void a_reset_is_told_as_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    plain_reset(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void with_show_econnreset_a_reset_is_an_error_and_then_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_SHOW_ECONNRESET(true)), &socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void a_framing_error_is_told_and_then_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_PACKET_1), GENTCP_PACKET_SIZE(2)), &socket);

    (void)state;
    plain_send(peer, "\001a\003bcd", 6);
    assert_tcp(socket, "a");
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -EMSGSIZE);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    close(peer);
}

static void active_once_gives_one_message_and_is_passive_then(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE), GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_silence(socket);
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    assert_tcp(socket, "2\n");
    assert_silence(socket);
    assert_recv(socket, 0, "3\n");
    close(peer);
}

static void active_n_counts_messages_and_ends_with_tcp_passive(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(2), GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    assert_int_equal(count_left(socket), 2);
    plain_say(peer, "1\n2\n3\n");
    assert_tcp(socket, "1\n");
    assert_tcp(socket, "2\n");
    assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    assert_silence(socket);
    assert_recv(socket, 0, "3\n");
    close(peer);
}

static void active_n_adds_to_a_count_that_runs_and_replaces_true_and_once(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(10)), &socket);

    (void)state;
    SET(socket, GENTCP_ACTIVE_N(5));
    assert_int_equal(count_left(socket), 15);
    SET(socket, GENTCP_ACTIVE_N(-12));
    assert_int_equal(count_left(socket), 3);
    SET(socket, GENTCP_ACTIVE(true));
    SET(socket, GENTCP_ACTIVE_N(7));
    assert_int_equal(count_left(socket), 7);
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    SET(socket, GENTCP_ACTIVE_N(8));
    assert_int_equal(count_left(socket), 8);
    SET(socket, GENTCP_ACTIVE(false));
    SET(socket, GENTCP_ACTIVE_N(9));
    assert_int_equal(count_left(socket), 9);
    assert_silence(socket);
    close(peer);
}

static void a_count_above_32767_is_einval_and_changes_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(32767)), &socket);

    (void)state;
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(1))), -EINVAL);
    assert_int_equal(count_left(socket), 32767);
    SET(socket, GENTCP_ACTIVE_N(-1));
    SET(socket, GENTCP_ACTIVE_N(1));
    assert_int_equal(count_left(socket), 32767);
    close(peer);
}

static void a_count_of_0_or_less_makes_passive_and_tells_so(void **state) {
    static const int64_t counts[] = {0, -1, -32768};
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        SET(socket, GENTCP_ACTIVE_N(counts[i])); /* passive already */
        assert_told(socket, GENTCP_TCP_PASSIVE);
        SET(socket, GENTCP_ACTIVE(true));
        SET(socket, GENTCP_ACTIVE_N(counts[i]));
        assert_told(socket, GENTCP_TCP_PASSIVE);
        assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), GENTCP_PASSIVE);
    }
    SET(socket, GENTCP_ACTIVE_N(3));
    SET(socket, GENTCP_ACTIVE_N(-3));
    assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_silence(socket);
    assert_int_equal(recv_status(socket, 0, 0), GENTCP_TIMEOUT);
    close(peer);
}

static void only_the_end_of_a_count_tells_tcp_passive(void **state) {
    static const int modes[] = {GENTCP_PASSIVE, GENTCP_TRUE, GENTCP_ONCE};
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        SET(socket, GENTCP_ACTIVE_N(3));
        SET(socket, GENTCP_ACTIVE(modes[i]));
        assert_silence(socket);
    }
    plain_say(peer, "x");
    assert_tcp(socket, "x");
    assert_silence(socket);
    close(peer);
}

static void the_end_and_errors_are_not_counted(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(1), GENTCP_SHOW_ECONNRESET(true)), &socket);

    (void)state;
    plain_reset(peer);
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ECONNRESET);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
    peer = connect_plain(gentcp_options(GENTCP_ACTIVE_N(2)), &socket);
    plain_say(peer, "x");
    assert_tcp(socket, "x");
    close(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_silence(socket);
}

static void without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_EXIT_ON_CLOSE(false)), &socket);

    (void)state;
    assert_ok(shutdown(peer, SHUT_WR));
    assert_told(socket, GENTCP_TCP_CLOSED);
    assert_ok(gentcp_send(socket, "answer", 6));
    assert_plain_reads(peer, "answer");
    SET(socket, GENTCP_ACTIVE(GENTCP_ONCE));
    assert_silence(socket);
    SET(socket, GENTCP_ACTIVE(false));
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    SET(socket, GENTCP_ACTIVE(true));
    assert_silence(socket);
    assert_ok(gentcp_send(socket, "more", 4));
    assert_plain_reads(peer, "more");
    assert_ok(gentcp_close(socket));
    assert_ok(plain_end(peer));
    close(peer);
}

static void a_long_stream_arrives_whole_and_in_order(void **state) {
    enum { PIECES = 64, PIECE = 16 * 1024, WORDS = PIECE / sizeof(uint32_t) };
    pair p = connect_pair(gentcp_options(GENTCP_ACTIVE(true)));
    uint32_t *piece = malloc(PIECE), *all = malloc(PIECES * PIECE);
    size_t have = 0;

    (void)state;
    assert_true(piece != NULL && all != NULL);
    for (uint32_t i = 0; i < PIECES; i++) {
        for (uint32_t j = 0; j < WORDS; j++)
            piece[j] = i * WORDS + j;
        assert_ok(gentcp_send(p.there, piece, PIECE));
    }
    while (have < PIECES * PIECE) {
        gentcp_message message;
        assert_ok(gentcp_receive_from(p.here, &message, SOON));
        assert_int_equal(message.kind, GENTCP_TCP);
        assert_true(message.data.size <= PIECES * PIECE - have);
        memcpy((uint8_t *)all + have, message.data.bytes, message.data.size);
        have += message.data.size;
        gentcp_data_release(&message.data);
    }
    for (uint32_t i = 0; i < PIECES * WORDS; i++)
        assert_int_equal(all[i], i);
    free(piece);
    free(all);
}

/* ---- owners ---- */

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
        TEST(what_is_received_comes_as_messages_by_default),
        TEST(the_end_is_told_once_and_nothing_follows),
        TEST(a_reset_is_told_as_the_end),
        TEST(with_show_econnreset_a_reset_is_an_error_and_then_the_end),
        TEST(a_framing_error_is_told_and_then_the_end),
        TEST(active_once_gives_one_message_and_is_passive_then),
        TEST(active_n_counts_messages_and_ends_with_tcp_passive),
        TEST(active_n_adds_to_a_count_that_runs_and_replaces_true_and_once),
        TEST(a_count_above_32767_is_einval_and_changes_nothing),
        TEST(a_count_of_0_or_less_makes_passive_and_tells_so),
        TEST(only_the_end_of_a_count_tells_tcp_passive),
        TEST(the_end_and_errors_are_not_counted),
        TEST(without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on),
        TEST(a_long_stream_arrives_whole_and_in_order),
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
