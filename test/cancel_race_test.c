/* SPDX-License-Identifier: Apache-2.0 */
/* An op is completed or cancelled, exactly one of both, however closely the two are raced; and no byte is lost or
 * doubled on the way. Each race has a caller, who gives up after a moment, and another thread, which brings what the
 * caller waits for. The moment adjusts itself so that each of them wins about half of the races. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/internal.h"
#include "test/host_memory.h"
#include "test/scale.h"
#include "test/thread_assert.h"

/* ---- a host that has no more than races need ---- */

enum call_state { IDLE, WAITING, COMPLETED, CANCELLED };

typedef struct call {
    gt_op op;
    enum call_state state;
    int status;
    uint8_t bytes[8];
    size_t size;
} call;

static gt_poller *poller;
static gt_poller_user user;
static atomic_int live_sockets;
static atomic_int completed_twice; /* or after they had been cancelled */

typedef struct counted {
    gt_socket socket;
    atomic_int references;
} counted;

static void keep(gt_socket *socket) {
    ((counted *)socket)->references++;
}

static void let_go(gt_socket *socket) {
    if (--((counted *)socket)->references > 0)
        return;
    gt_socket_fini(socket);
    free(socket);
    live_sockets--;
}

static bool complete(gt_socket *socket, gt_op *op, const gt_result *result) {
    call *c = (call *)op;

    (void)socket;
    if (c->state != WAITING)
        completed_twice++;
    c->state = COMPLETED;
    c->status = result->status;
    if (result->data.bytes != NULL) {
        thread_assert(result->data.size <= sizeof c->bytes);
        memcpy(c->bytes, result->data.bytes, result->data.size);
        c->size = result->data.size;
    }
    return true;
}

static bool abandoned(gt_socket *socket, gt_op *op) {
    (void)socket, (void)op;
    return false;
}

static int deliver(gt_socket *socket, const gt_message *message) {
    (void)socket, (void)message;
    thread_fail("a passive socket delivers nothing");
    return 0;
}

static int reown(gt_socket *socket, const void *from, const void *to) {
    (void)socket, (void)from, (void)to;
    return GT_NOT_OWNER;
}

static void closed(gt_socket *socket) {
    (void)socket;
}

static const gt_host host = {
    .name = "race",
    .complete = complete,
    .abandoned = abandoned,
    .deliver = deliver,
    .reown = reown,
    .keep = keep,
    .let_go = let_go,
    .closed = closed,
    HOST_MEMORY,
    .zero_watermark_drains = true,
};

static int setup(void **state) {
    const char *name = getenv("GENTCP_POLLER");
    bool poll = name != NULL && strcmp(name, "poll") == 0;

    (void)state;
    completed_twice = live_sockets = 0;
    gt_poller_user_init(&user, malloc, free);
    return gt_poller_open(&poller, poll ? &gt_backend_poll : &gt_backend_epoll, &user);
}

static int teardown(void **state) {
    (void)state;
    (void)gt_poller_run(poller, 0, 128);
    gt_poller_close(poller);
    assert_int_equal(live_sockets, 0);
    assert_int_equal(host_buffers, 0);
    assert_int_equal(host_segments, 0);
    return 0;
}

static gt_socket *new_socket(void) {
    counted *made = calloc(1, sizeof *made);

    assert_non_null(made);
    gt_socket_init(&made->socket, &host, poller);
    made->references = 1;
    live_sockets++;
    return &made->socket;
}

static void finish(gt_socket *socket) {
    assert_int_equal(gt_close(socket, NULL), 0);
    let_go(socket);
}

/* A passive connection; its peer is a plain descriptor. Not over TCP, whose timers would set the pace of the races. */
static gt_socket *connection(int *peer) {
    gt_socket *socket = new_socket();
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    gt_lock_take(&socket->lock);
    gt_opened(socket, AF_INET, ends[0]);
    assert_int_equal(gt_watch_start(socket), 0);
    socket->settings.active = GT_PASSIVE;
    socket->settings.high = 0;
    socket->state = GT_CONNECTED;
    gt_lock_drop(&socket->lock);
    *peer = ends[1];
    return socket;
}

/* ---- races ---- */

/* A row of sockets, on each of which an op waits. The caller gives up one op after the other, while another thread
 * goes along the same row and brings what they wait for. Ops that were given up aren't used again before the row is
 * over, so that a completion that comes too late is seen. */
enum { ROW = 128 };

typedef struct race {
    gt_socket *sockets[ROW];
    int peers[ROW];
    call calls[ROW];
    uint32_t number; /* what each socket is to receive in this row */
    int patience;    /* how long the caller waits at an op before it gives it up, */
    int most;        /* and at most */
    int completed, cancelled;
    int turns; /* how often the winner was another one than in the race before */

    void (*bring)(struct race *race, int i);
    pthread_t thread;
    atomic_int begun, ended;  /* rows, by the caller and by the other thread */
    atomic_int caller, other; /* the op at which each stands */
    atomic_bool stop;
} race;

/* In rounds of spin. The longest patience is longer than what is waited for takes: within the program, or by way of the
 * kernel. */
enum { SHORT = 2000, LONG = 200000, MEETING = 1000 };

static void spin(int rounds) {
    for (int i = 0; i < rounds; i++)
        atomic_signal_fence(memory_order_seq_cst);
}

/* Waits until the other one has come to that op, too; but hardly if it wasn't met before: it may not run just now.
 * Four times in a row the patient one waits until the other is done with the op, so that each is first at times,
 * wherever they run. */
static void meet(race *r, atomic_int *mine, const atomic_int *other, int i, bool patient, bool *met) {
    bool yields = patient && i % (ROW / 4) == 0;
    int most = *met ? MEETING : MEETING / 100;

    *mine = i;
    for (int waited = 0; *other < i + yields && (yields || waited < most); waited++) {
        if (r->ended == r->begun || r->stop)
            return;
        spin(1);
        if (waited > MEETING) /* it may need this processor */
            (void)sched_yield();
    }
    *met = *other >= i;
}

/* Gives a pending op up, and says what has become of it. */
static enum call_state give_up(race *r, gt_socket *socket, call *c) {
    int step = 1 + r->patience / 16;

    spin(r->patience);
    if (!gt_cancel(socket, &c->op)) {
        assert_int_equal(c->state, COMPLETED);
        r->completed++;
        r->patience -= r->patience > step ? step : r->patience;
        return COMPLETED;
    }
    assert_int_equal(c->state, WAITING);
    c->state = CANCELLED;
    r->cancelled++;
    r->patience += r->patience < r->most ? step : 0;
    return CANCELLED;
}

/* Both must have happened often, else it was no race. */
static void assert_raced(const race *r) {
    int races = r->completed + r->cancelled;

    print_message("%d races: %d completed, %d cancelled, %d turns\n", races, r->completed, r->cancelled, r->turns);
    assert_true(r->completed > races / 100);
    assert_true(r->cancelled > races / 100);
    assert_int_equal(completed_twice, 0);
}

static void wait_for(const atomic_int *number, int value, const atomic_bool *stop) {
    for (int waited = 0; *number != value && !*stop; waited++) {
        spin(10);
        if (waited > 1000) /* the other one may need this processor */
            (void)sched_yield();
    }
}

static void *bring_along_the_row(void *argument) {
    race *r = argument;

    for (;;) {
        bool met = true;
        wait_for(&r->begun, r->ended + 1, &r->stop);
        if (r->stop)
            return NULL;
        for (int i = 0; i < ROW; i++) {
            meet(r, &r->other, &r->caller, i, r->begun % 2 == 1, &met);
            r->bring(r, i);
        }
        r->other = -1;
        r->ended++;
    }
}

static void race_start(race *r, void (*bring)(race *, int)) {
    r->bring = bring;
    r->other = -1;
    assert_int_equal(pthread_create(&r->thread, NULL, bring_along_the_row, r), 0);
}

static void race_stop(race *r) {
    r->stop = true;
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    assert_raced(r);
}

/* A new op that can't be finished at once. */
static void start(race *r, int i, enum gt_op_kind kind, size_t length) {
    call *c = &r->calls[i];

    *c = (call){.op = {.kind = (uint8_t)kind, .length = length}, .state = WAITING};
    assert_int_equal(kind == GT_OP_ACCEPT ? gt_accept(r->sockets[i], &c->op) : gt_recv(r->sockets[i], &c->op),
                     GT_PENDING);
}

static void run_row(race *r) {
    enum call_state winner = IDLE;
    bool met = true;

    r->caller = -1;
    r->begun++;
    for (int i = 0; i < ROW; i++) {
        enum call_state before = winner;
        meet(r, &r->caller, &r->other, i, r->begun % 2 == 0, &met);
        winner = give_up(r, r->sockets[i], &r->calls[i]);
        r->turns += winner != before;
    }
    wait_for(&r->ended, r->begun, &r->stop);
}

/* Each socket receives 0, 1, 2, ... and nothing else. */
static void race_receiving(void (*bring)(race *, int), int races, int patience) {
    race r = {.most = patience};

    for (int i = 0; i < ROW; i++)
        r.sockets[i] = connection(&r.peers[i]);
    race_start(&r, bring);
    for (; r.completed + r.cancelled < races; r.number++) {
        for (int i = 0; i < ROW; i++)
            start(&r, i, GT_OP_RECV, sizeof r.number);
        run_row(&r);
        while (gt_poller_run(poller, 0, 128) > 0) {
        }
        for (int i = 0; i < ROW; i++) {
            call *c = &r.calls[i];
            if (c->state == CANCELLED) { /* then the next recv finds it */
                *c = (call){.op = {.kind = GT_OP_RECV, .length = sizeof r.number}, .state = WAITING};
                assert_int_equal(gt_recv(r.sockets[i], &c->op), 0);
            }
            assert_int_equal(c->state, COMPLETED);
            assert_int_equal(c->status, 0);
            assert_int_equal(c->size, sizeof r.number);
            assert_memory_equal(c->bytes, &r.number, sizeof r.number);
        }
    }
    race_stop(&r);
    for (int i = 0; i < ROW; i++) {
        finish(r.sockets[i]);
        close(r.peers[i]);
    }
}

static void bring_by_unrecv(race *r, int i) {
    thread_assert(gt_unrecv(r->sockets[i], &r->number, sizeof r->number) == 0);
}

static void a_recv_given_up_while_its_bytes_are_handed_in(void **state) {
    (void)state;
    /* In full under the sanitizers, too, which run a fifth of most: races are what they look for. */
    race_receiving(bring_by_unrecv, scale_percent() >= 20 ? 1000000 : scaled(1000000), SHORT);
}

static void put(int fd, const void *bytes, size_t size) {
    thread_assert(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* In two pieces at times, so that ops are given up with half of their bytes there. */
static void bring_by_poller(race *r, int i) {
    size_t first = (r->number + (uint32_t)i) % 8;

    if (first < sizeof r->number) {
        put(r->peers[i], &r->number, first);
        thread_assert(gt_poller_run(poller, 0, 16) >= 0);
    } else {
        first = 0;
    }
    put(r->peers[i], (uint8_t *)&r->number + first, sizeof r->number - first);
    thread_assert(gt_poller_run(poller, 0, 16) >= 0);
}

static void a_recv_given_up_while_the_poller_reads_its_bytes(void **state) {
    (void)state;
    race_receiving(bring_by_poller, scaled(100000), LONG);
}

static void close_it(race *r, int i) {
    thread_assert(gt_close(r->sockets[i], NULL) == 0);
}

static void assert_told_of_the_close(const call *c) {
    if (c->state == COMPLETED)
        assert_int_equal(c->status, GT_CLOSED);
    else
        assert_int_equal(c->state, CANCELLED);
}

static void an_accept_given_up_while_its_listener_is_closed(void **state) {
    int races = scaled(20000);
    gt_address at = {.size = sizeof at.in, .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    race r = {.most = LONG};

    (void)state;
    race_start(&r, close_it);
    while (r.completed + r.cancelled < races) {
        for (int i = 0; i < ROW; i++) {
            r.sockets[i] = new_socket();
            assert_int_equal(gt_listen(r.sockets[i], NULL, 0, &at), 0);
            start(&r, i, GT_OP_ACCEPT, 0);
        }
        run_row(&r);
        for (int i = 0; i < ROW; i++) {
            assert_told_of_the_close(&r.calls[i]);
            let_go(r.sockets[i]);
        }
    }
    race_stop(&r);
}

static void a_recv_given_up_while_its_socket_is_closed(void **state) {
    int races = scaled(50000);
    race r = {.most = LONG};

    (void)state;
    race_start(&r, close_it);
    while (r.completed + r.cancelled < races) {
        for (int i = 0; i < ROW; i++) {
            r.sockets[i] = connection(&r.peers[i]);
            start(&r, i, GT_OP_RECV, 1);
        }
        run_row(&r);
        for (int i = 0; i < ROW; i++) {
            assert_told_of_the_close(&r.calls[i]);
            let_go(r.sockets[i]);
            close(r.peers[i]);
        }
    }
    race_stop(&r);
}

/* A stream whose bytes tell their place in it. */
static struct stream { uint64_t sent, received; } streams[ROW];

static uint8_t byte_at(uint64_t place) {
    return (uint8_t)(place ^ place >> 8);
}

/* Reads and checks all that is there. */
static void drain(race *r, int i) {
    uint8_t bytes[8192];
    ssize_t came;

    while ((came = recv(r->peers[i], bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        for (ssize_t at = 0; at < came; at++)
            thread_assert(bytes[at] == byte_at(streams[i].received++));
    }
    thread_assert(errno == EAGAIN);
}

static void drain_and_run_poller(race *r, int i) {
    drain(r, i);
    thread_assert(gt_poller_run(poller, 0, 16) >= 0);
}

/* Sends until one has to wait. */
static void send_until_pending(race *r, int i) {
    uint8_t bytes[1000];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    int answer;

    do {
        call *c = &r->calls[i];
        *c = (call){.op = {.kind = GT_OP_SEND}, .state = WAITING};
        for (size_t at = 0; at < sizeof bytes; at++)
            bytes[at] = byte_at(streams[i].sent++);
        answer = gt_send(r->sockets[i], &part, 1, NULL, &c->op);
    } while (answer == 0);
    assert_int_equal(answer, GT_PENDING);
}

static void a_send_given_up_while_the_kernel_takes_its_bytes(void **state) {
    int races = scaled(20000);
    race r = {.most = LONG};

    (void)state;
    memset(streams, 0, sizeof streams);
    for (int i = 0; i < ROW; i++) {
        r.sockets[i] = connection(&r.peers[i]);
        assert_int_equal(setsockopt(r.sockets[i]->watch.fd, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)), 0);
    }
    race_start(&r, drain_and_run_poller);
    while (r.completed + r.cancelled < races) {
        for (int i = 0; i < ROW; i++)
            send_until_pending(&r, i);
        run_row(&r);
        for (int i = 0; i < ROW; i++)
            assert_true(r.calls[i].state == CANCELLED || r.calls[i].status == 0);
    }
    race_stop(&r);
    for (int i = 0; i < ROW; i++) {
        for (int tries = 0; streams[i].received < streams[i].sent; tries++) {
            assert_in_range(tries, 0, 100);
            drain_and_run_poller(&r, i);
        }
        assert_int_equal(streams[i].received, streams[i].sent);
        finish(r.sockets[i]);
        close(r.peers[i]);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_recv_given_up_while_its_bytes_are_handed_in),    TEST(a_recv_given_up_while_the_poller_reads_its_bytes),
        TEST(a_send_given_up_while_the_kernel_takes_its_bytes), TEST(an_accept_given_up_while_its_listener_is_closed),
        TEST(a_recv_given_up_while_its_socket_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
