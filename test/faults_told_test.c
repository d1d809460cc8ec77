/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that fail where no exchange leads: what must be told then, and to whom. */
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

#include "sys/sys.h"
#include "test/faults/exchanges.h"
#include "test/faults/inject.h"

typedef struct receiver {
    gentcp_pid pid;
    gentcp_socket given;
    int (*look)(gentcp_socket);
    int status;
    sem_t ready, gone;
} receiver;

static void *look_at_what_is_given(void *arg) {
    receiver *self = arg;

    self->status = gentcp_self(&self->pid);
    sem_post(&self->ready);
    sem_wait(&self->gone);
    if (self->status == 0)
        self->status = self->look(self->given);
    return NULL;
}

/* Gives a socket to a process whose poller can't take it; look is called there, and its status returned. */
static int give_in_vain(gentcp_socket given, int (*look)(gentcp_socket)) {
    const char *poller = getenv("GENTCP_POLLER");
    receiver to = {.given = given, .look = look};
    pthread_t thread;

    assert_ok(sem_init(&to.ready, 0, 0));
    assert_ok(sem_init(&to.gone, 0, 0));
    assert_ok(pthread_create(&thread, NULL, look_at_what_is_given, &to));
    assert_ok(sem_wait(&to.ready));
    fault_arm(poller != NULL && strcmp(poller, "poll") == 0 ? FAULT_ALLOCATE : FAULT_EPOLL_ADD, 1, ENOMEM);
    assert_ok(gentcp_controlling_process(given, to.pid));
    assert_true(fault_disarm());
    assert_ok(sem_post(&to.gone));
    assert_ok(pthread_join(thread, NULL));
    sem_destroy(&to.ready);
    sem_destroy(&to.gone);
    return to.status;
}

static int look_at_passive(gentcp_socket socket) {
    gentcp_data none;

    if (gentcp_recv(socket, 0, SOON, &none) != -ENOMEM)
        return __LINE__;
    if (gentcp_recv(socket, 0, SOON, &none) != -ENOTCONN || gentcp_send(socket, "", 1) != -ENOTCONN)
        return __LINE__;
    return gentcp_close(socket);
}

static int look_at_active(gentcp_socket socket) {
    side given = {.socket = socket};

    if (take_message(&given, GENTCP_TCP, NULL, SOON) != -ENOMEM)
        return __LINE__;
    if (take_message(&given, GENTCP_TCP_CLOSED, NULL, SOON) != 0 || given.ends != 1)
        return __LINE__;
    return take_message(&given, GENTCP_TCP, NULL, 0) == GENTCP_CLOSED ? 0 : __LINE__;
}

static int look_at_listener(gentcp_socket socket) {
    side given = {.socket = socket};

    if (take_message(&given, GENTCP_TCP, NULL, 0) != GENTCP_CLOSED)
        return __LINE__;
    return gentcp_accept(socket, SOON, &given.socket) == GENTCP_CLOSED ? 0 : __LINE__;
}

static void a_passive_socket_that_no_poller_takes_tells_why_once(void **state) {
    gentcp_socket given;
    int peer = connect_plain(JUST_PASSIVE, &given);

    (void)state;
    assert_int_equal(give_in_vain(given, look_at_passive), 0);
    assert_int_equal(plain_end(peer), 0);
    close(peer);
}

static void an_active_socket_that_no_poller_takes_tells_its_new_owner(void **state) {
    gentcp_socket given;
    int peer = connect_plain(NULL, &given);

    (void)state;
    assert_int_equal(give_in_vain(given, look_at_active), 0);
    assert_int_equal(plain_end(peer), 0);
    close(peer);
}

static void a_listener_that_no_poller_takes_is_closed_without_a_message(void **state) {
    uint16_t port;

    (void)state;
    assert_int_equal(give_in_vain(listen_on_loopback(NULL, &port), look_at_listener), 0);
}

static void a_name_that_no_thread_can_look_up_is_an_error_once(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port), socket;

    (void)state;
    fault_arm(FAULT_THREAD, 1, EAGAIN);
    assert_int_equal(gentcp_connect("localhost", port, NULL, SOON, &socket), -EAGAIN);
    assert_true(fault_disarm());
    assert_ok(gentcp_connect("localhost", port, NULL, SOON, &socket));
    assert_ok(gentcp_close(socket));
    assert_ok(gentcp_close(listener));
}

/* The header is queued already when there is no memory for the body. */
static void a_packet_that_can_not_be_queued_leaves_nothing_in_the_queue(void **state) {
    static char block[64 * 1024];
    gentcp_socket socket;
    size_t full;
    int peer = connect_full(PASSIVE(GENTCP_PACKET(4), GENTCP_HIGH_WATERMARK(1 << 20)), &socket, &full);

    (void)state;
    fault_arm(FAULT_ALLOCATE, 2, ENOMEM);
    assert_int_equal(gentcp_send(socket, "lost", 4), -ENOMEM);
    assert_true(fault_disarm());
    assert_ok(gentcp_send(socket, "kept", 4));
    for (size_t part; full > 0; full -= part) {
        part = full < sizeof block ? full : sizeof block;
        assert_int_equal(plain_read(peer, block, part, SOON), part);
    }
    assert_ok(gentcp_close(socket));
    assert_int_equal(plain_read(peer, block, sizeof block, SOON), 8);
    assert_memory_equal(block, "\0\0\0\4kept", 8);
    close(peer);
}

/* What it has queued is given up: nobody would send it. */
static void a_process_ends_even_if_its_poller_can_not_run(void **state) {
    const char *poller = getenv("GENTCP_POLLER");
    int live, fds, peer;
    gentcp_socket socket;
    size_t full;

    (void)state;
    gentcp_exit();
    live = fault_live_memory();
    fds = descriptors();
    peer = connect_full(PASSIVE(GENTCP_HIGH_WATERMARK(1 << 20)), &socket, &full);
    assert_ok(gentcp_send(socket, pattern, LARGE));
    fault_arm(poller != NULL && strcmp(poller, "poll") == 0 ? FAULT_POLL : FAULT_EPOLL_WAIT, 1, ENOMEM);
    gentcp_exit();
    assert_true(fault_disarm());
    assert_int_equal(gentcp_close(socket), 0);
    close(peer);
    assert_int_equal(fault_live_memory(), live);
    assert_int_equal(descriptors(), fds);
}

/* ---- descriptors of others ---- */

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_descriptor_that_can_not_become_a_socket_is_left_open(void **state) {
    static const struct {
        enum fault_call call;
        int k;
    } faults[] = {{FAULT_GETSOCKNAME, 1}, {FAULT_GETSOCKOPT, 1}, {FAULT_GETSOCKOPT, 2}, {FAULT_FCNTL, 1},
                  {FAULT_FCNTL, 2},       {FAULT_FCNTL, 3},      {FAULT_SETSOCKOPT, 1}};
    gentcp_socket socket;
    uint16_t port;
    int ends[2];

    (void)state;
    (void)listen_on_loopback(JUST_PASSIVE, &port); /* the process has all that it needs */
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const gentcp_option *options = PASSIVE(GENTCP_KEEPALIVE(true));
        fault_arm(faults[i].call, faults[i].k, ENOMEM);
        if (gentcp_fdopen(ends[0], options, &socket) != -ENOMEM)
            fail_msg("fault %zu", i);
        assert_true(fault_disarm());
        assert_true(is_open(ends[0]));
    }
    close(ends[0]);
    close(ends[1]);
}

static void a_descriptor_that_no_poller_takes_is_left_open(void **state) {
    const char *poller = getenv("GENTCP_POLLER");
    gentcp_socket socket;
    uint16_t port;
    int ends[2];

    (void)state;
    if (poller != NULL && strcmp(poller, "poll") == 0)
        skip(); /* it has no call for this that could fail */
    (void)listen_on_loopback(JUST_PASSIVE, &port);
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    fault_arm(FAULT_EPOLL_ADD, 1, ENOSPC);
    assert_int_equal(gentcp_fdopen(ends[0], JUST_PASSIVE, &socket), -ENOSPC);
    assert_true(fault_disarm());
    assert_ok(gentcp_fdopen(ends[0], JUST_PASSIVE, &socket));
    assert_ok(gentcp_close(socket));
    assert_false(is_open(ends[0]));
    close(ends[1]);
}

/* ---- another network ---- */

static const char own_network[] = "/proc/self/ns/net";

static bool may_change_networks(void) {
    int fd = gt_sys_socket(AF_INET, own_network);

    if (fd >= 0)
        close(fd);
    else
        print_message("NOT ALLOWED: network namespaces\n");
    return fd >= 0;
}

static void a_network_that_can_not_be_entered_is_that_error(void **state) {
    static const struct {
        enum fault_call call;
        int k;
    } faults[] = {{FAULT_OPEN, 1}, {FAULT_OPEN, 2}, {FAULT_SETNS, 1}, {FAULT_SETNS, 2}, {FAULT_SOCKET, 1}};
    gentcp_socket never;
    uint16_t port;

    (void)state;
    if (!may_change_networks())
        skip();
    (void)listen_on_loopback(NULL, &port);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int fds = descriptors();
        fault_arm(faults[i].call, faults[i].k, EMFILE);
        assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS(own_network)), &never), -EMFILE);
        assert_true(fault_disarm());
        assert_int_equal(descriptors(), fds);
    }
}

/* What this thread did later would be in the wrong network. */
static void a_network_that_can_not_be_left_aborts(void **state) {
    pid_t child;
    int status;

    (void)state;
    if (!may_change_networks())
        skip();
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        fault_arm(FAULT_SETNS, 3, ENOMEM);
        (void)gt_sys_socket(AF_INET, own_network);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void netns_that_can_not_be_kept_is_enomem(void **state) {
    gentcp_socket socket;
    uint16_t port;

    (void)state;
    socket = listen_on_loopback(NULL, &port);
    fault_arm(FAULT_ALLOCATE, 1, ENOMEM);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_NETNS(own_network))), -ENOMEM);
    assert_true(fault_disarm());
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_NETNS(own_network))));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_passive_socket_that_no_poller_takes_tells_why_once),
        TEST(an_active_socket_that_no_poller_takes_tells_its_new_owner),
        TEST(a_listener_that_no_poller_takes_is_closed_without_a_message),
        TEST(a_name_that_no_thread_can_look_up_is_an_error_once),
        TEST(a_packet_that_can_not_be_queued_leaves_nothing_in_the_queue),
        TEST(a_process_ends_even_if_its_poller_can_not_run),
        TEST(a_descriptor_that_can_not_become_a_socket_is_left_open),
        TEST(a_descriptor_that_no_poller_takes_is_left_open),
        TEST(a_network_that_can_not_be_entered_is_that_error),
        TEST(a_network_that_can_not_be_left_aborts),
        TEST(netns_that_can_not_be_kept_is_enomem),
    };

    make_pattern();
    if (gentcp_configure(&fault_memory) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
