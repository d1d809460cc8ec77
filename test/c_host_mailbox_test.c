/* SPDX-License-Identifier: Apache-2.0 */
/* The C host's mailboxes, waited for in gentcp and in a loop of the caller's own. */
#include "test/connection.h"

/* ---- mailboxes ---- */

static void *post_numbers(void *to) {
    for (intptr_t i = 1; i <= 1000; i++) {
        if (gentcp_post(*(gentcp_pid *)to, (void *)i) != 0)
            break;
    }
    return NULL;
}

static void posted_messages_come_in_order(void **state) {
    gentcp_message message;
    pthread_t sender;
    gentcp_pid self;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(pthread_create(&sender, NULL, post_numbers, &self));
    for (intptr_t i = 1; i <= 1000; i++) {
        assert_ok(gentcp_receive(&message, SOON));
        assert_int_equal(message.kind, GENTCP_USER);
        assert_int_equal((intptr_t)message.user, i);
    }
    pthread_join(sender, NULL);
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
}

static int receive_one(call *c) {
    gentcp_message message;
    int status = gentcp_receive(&message, c->timeout);

    return status != 0 ? status : message.kind == GENTCP_USER && message.user == c ? 0 : 1;
}

static int tell_pid_and_receive(call *c) {
    int status = tell_pid(c);

    return status != 0 ? status : receive_one(c);
}

static void posting_wakes_a_process_that_sleeps(void **state) {
    call owner = {.make = tell_pid_and_receive, .timeout = GENTCP_INFINITY};

    (void)state;
    start(&owner);
    assert_true(waits(&owner));
    assert_ok(gentcp_post(pid_of(&owner), &owner));
    assert_int_equal(finish(&owner), 0);
    assert_int_equal(gentcp_post(pid_of(&owner), &owner), GENTCP_BADARG); /* its process has ended with it */
}

static void selective_receive_leaves_the_rest_in_order(void **state) {
    pair a = connect_pair(gentcp_options(GENTCP_PACKET(4)));
    pair b = connect_pair(gentcp_options(GENTCP_PACKET(4)));
    gentcp_message message;
    gentcp_pid self;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_setopts(a.there, gentcp_options(GENTCP_PACKET(4))));
    assert_ok(gentcp_setopts(b.there, gentcp_options(GENTCP_PACKET(4))));
    assert_ok(gentcp_post(self, &a));
    assert_ok(gentcp_send(a.there, "a1", 2));
    assert_ok(gentcp_send(a.there, "a2", 2));
    assert_ok(gentcp_send(b.there, "b1", 2));
    assert_tcp(b.here, "b1");
    assert_ok(gentcp_post(self, &b));
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, &a);
    assert_tcp(a.here, "a1");
    assert_tcp(a.here, "a2");
    assert_ok(gentcp_receive(&message, SOON));
    assert_ptr_equal(message.user, &b);
}

static int activate_once(call *c) {
    return gentcp_setopts(c->socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE)));
}

static void what_another_thread_has_received_for_its_owner_comes_first(void **state) {
    call other = {.make = activate_once};
    struct pollfd readable = {.events = POLLIN};
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(1)), &other.socket);

    (void)state;
    plain_send(peer, "\003one\003two\005three", 14);
    readable.fd = gentcp_socket_fd(other.socket);
    assert_int_equal(poll(&readable, 1, SOON), 1);
    start(&other);
    assert_ok(finish(&other));
    assert_ok(gentcp_setopts(other.socket, gentcp_options(GENTCP_ACTIVE(true))));
    assert_tcp(other.socket, "one");
    assert_tcp(other.socket, "two");
    assert_tcp(other.socket, "three");
    close(peer);
}

static _Atomic uint64_t waited_for; /* the socket of connect_and_receive_from, once that waits */

static int connect_and_receive_from(call *c) {
    gentcp_message message;
    int status = gentcp_connect("127.0.0.1", (uint16_t)c->length, NULL, SOON, &c->socket);

    atomic_store(&waited_for, c->socket.id);
    return status != 0 ? status : gentcp_receive_from(c->socket, &message, GENTCP_INFINITY);
}

static void receive_from_ends_when_another_thread_closes_the_socket(void **state) {
    call receiver = {.make = connect_and_receive_from};
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(NULL, &port);
    receiver.length = port;
    start(&receiver);
    assert_true(waits(&receiver));
    assert_ok(gentcp_close((gentcp_socket){atomic_load(&waited_for)}));
    assert_int_equal(finish(&receiver), GENTCP_CLOSED);
}

static void a_full_mailbox_does_not_keep_sockets_from_being_served(void **state) {
    gentcp_message message = {.kind = GENTCP_USER};
    pair ends = connect_pair(NULL);
    gentcp_pid self;
    int received = 0;

    (void)state;
    assert_ok(gentcp_self(&self));
    assert_ok(gentcp_send(ends.there, "here", 4));
    do {
        assert_ok(gentcp_post(self, &self)); /* never empty */
        assert_ok(gentcp_post(self, &self));
        assert_ok(gentcp_receive(&message, 0));
    } while (message.kind == GENTCP_USER && ++received < 10000);
    assert_int_equal(message.kind, GENTCP_TCP);
    assert_text(&message.data, "here");
}

/* ---- the caller's own loop ---- */

/* Whether the loop would find something to do, waiting at most so long. A descriptor of gentcp's shows all there is;
 * several do together with gentcp_next_timeout. */
static bool loop_ready(int patience) {
    struct pollfd fds[16];
    int count = gentcp_pollfds(fds, 16);

    if (count == -EOPNOTSUPP) {
        fds[0] = (struct pollfd){.fd = gentcp_fd(), .events = POLLIN};
        count = 1;
    } else {
        int timeout = gentcp_next_timeout();
        assert_int_equal(gentcp_fd(), -EOPNOTSUPP);
        if (timeout >= 0 && timeout < patience)
            patience = timeout;
        if (timeout == 0)
            return true;
    }
    assert_in_range(count, 1, 16);
    return poll(fds, (nfds_t)count, patience) > 0;
}

/* Goes round the loop until there is a message. */
static void loop_receive(gentcp_message *message) {
    for (int i = 0; i < 100; i++) {
        assert_true(loop_ready(SOON));
        if (gentcp_receive(message, 0) == 0)
            return;
    }
    fail_msg("ready again and again, but no message");
}

static void the_callers_own_loop_is_told_of_every_message(void **state) {
    call sender = {.make = make_send, .bytes = "data", .length = 4};
    gentcp_message message;
    gentcp_pid self;
    pair ends;

    (void)state;
    assert_ok(gentcp_self(&self));
    ends = connect_pair(NULL);
    while (loop_ready(0)) /* whatever connecting has left to do */
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);

    assert_ok(gentcp_post(self, &ends)); /* by its own thread, */
    loop_receive(&message);
    assert_ptr_equal(message.user, &ends);
    sender.socket = ends.there;
    start(&sender); /* from the network, */
    loop_receive(&message);
    assert_int_equal(message.kind, GENTCP_TCP);
    assert_text(&message.data, "data");
    assert_int_equal(finish(&sender), 0);
    assert_ok(gentcp_post(self, &ends));
    assert_ok(gentcp_post(self, &self));
    loop_receive(&message); /* one of two is left */
    loop_receive(&message);
    assert_ptr_equal(message.user, &self);
    while (loop_ready(0))
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    assert_false(loop_ready(BRIEFLY));
}

static int loop_until_told(call *c) {
    struct pollfd fds[4];
    gentcp_message message;
    int status = tell_pid(c);
    int count = gentcp_pollfds(fds, 4);

    if (count == -EOPNOTSUPP) {
        fds[0] = (struct pollfd){.fd = gentcp_fd(), .events = POLLIN};
        count = 1;
    }
    if (status == 0)
        status = poll(fds, (nfds_t)count, SOON) > 0 ? 0 : GENTCP_TIMEOUT;
    return status != 0 ? status : gentcp_receive(&message, 0) != 0 || message.user != c;
}

static void a_loop_that_begins_is_told_of_what_is_there_already(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(1)), &socket);

    (void)state;
    plain_send(peer, "\003one\003two", 8);
    assert_tcp(socket, "one");
    assert_true(loop_ready(0));
    assert_tcp(socket, "two");
    close(peer);
}

static void posting_wakes_the_callers_own_loop(void **state) {
    call looper = {.make = loop_until_told};

    (void)state;
    start(&looper);
    assert_true(waits(&looper));
    assert_ok(gentcp_post(pid_of(&looper), &looper));
    assert_int_equal(finish(&looper), 0);
}

static void the_callers_own_loop_is_told_of_what_came_during_another_call(void **state) {
    pair waiting = connect_pair(JUST_PASSIVE);
    pair active = connect_pair(NULL);
    gentcp_message message;

    (void)state;
    (void)loop_ready(0);
    assert_ok(gentcp_send(active.there, "data", 4));
    assert_int_equal(recv_status(waiting.here, 0, BRIEFLY), GENTCP_TIMEOUT);
    loop_receive(&message);
    assert_text(&message.data, "data");
}

/* So often the wake descriptor was written and not yet cleared: the process has the program's only eventfd. */
static long wakes(void) {
    long sum = 0;

    for (int fd = 0; fd < 64; fd++) {
        char path[64], line[128];
        unsigned long count;
        FILE *file;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, "eventfd-count: %lx", &count) == 1)
                sum += (long)count;
        }
        if (file != NULL)
            fclose(file);
    }
    return sum;
}

static void the_callers_own_loop_wakes_once_for_a_message(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    gentcp_message message;

    (void)state;
    while (loop_ready(0))
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    for (int i = 0; i < 20; i++) {
        plain_say(peer, "data");
        assert_true(loop_ready(SOON));
        assert_ok(gentcp_receive(&message, 0));
        assert_text(&message.data, "data");
        assert_false(loop_ready(0));
        assert_int_equal(wakes(), 0);
    }
    close(peer);
}

static void the_callers_own_loop_is_signed_to_once_for_all_that_is_left(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(1)), &socket);
    gentcp_message message;

    (void)state;
    while (loop_ready(0))
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    plain_send(peer, "\1a\1a\1a\1a\1a", 10);
    assert_true(loop_ready(SOON));
    for (int left = 5; left > 0; left--) {
        assert_ok(gentcp_receive(&message, 0));
        assert_text(&message.data, "a");
        assert_true(left == 1 || loop_ready(0));
        assert_int_equal(wakes(), 1);
    }
    assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    assert_int_equal(wakes(), 0);
    assert_false(loop_ready(0));
    close(peer);
}

static void the_callers_own_loop_is_told_of_what_came_while_a_name_was_looked_up(void **state) {
    gentcp_socket socket, none;
    int peer = connect_plain(NULL, &socket);
    gentcp_message message;

    (void)state;
    while (loop_ready(0))
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
    plain_say(peer, "data");
    assert_true(loop_ready(SOON));
    assert_int_not_equal(gentcp_connect("not..a.name", 1, NULL, SOON, &none), 0);
    assert_true(loop_ready(0));
    assert_tcp(socket, "data");
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(posted_messages_come_in_order),
        TEST(posting_wakes_a_process_that_sleeps),
        TEST(selective_receive_leaves_the_rest_in_order),
        TEST(what_another_thread_has_received_for_its_owner_comes_first),
        TEST(receive_from_ends_when_another_thread_closes_the_socket),
        TEST(a_full_mailbox_does_not_keep_sockets_from_being_served),
        TEST(the_callers_own_loop_is_told_of_every_message),
        TEST(a_loop_that_begins_is_told_of_what_is_there_already),
        TEST(posting_wakes_the_callers_own_loop),
        TEST(the_callers_own_loop_is_told_of_what_came_during_another_call),
        TEST(the_callers_own_loop_wakes_once_for_a_message),
        TEST(the_callers_own_loop_is_signed_to_once_for_all_that_is_left),
        TEST(the_callers_own_loop_is_told_of_what_came_while_a_name_was_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
