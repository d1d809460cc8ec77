/* SPDX-License-Identifier: Apache-2.0 */
/* How long close waits for its queue: on the fuzzers' system, where time passes when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fuzz/socket_model.h"

enum { QUEUED = 100 * 1000, ROOM = 1000, STALL = 5000, TOTAL = 180 * 1000 };

static sim_file *peer; /* what the closing socket's peer sees */

static void settle(void) {
    while (gt_poller_run(model_pollers[0], 0, 16) > 0) {
    }
}

static void pass(int64_t ms) {
    sim_advance(ms);
    settle();
}

/* A socket that closes with bytes queued that its peer has no room for. */
static end *closing(const gt_option *option) {
    static const gt_address to = {.size = sizeof to.in, .in = {.sin_family = AF_INET}};
    static uint8_t bytes[QUEUED];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    end *e = model_new_end(model_pollers[0]);
    call *connects = model_new_call(e, GT_OP_CONNECT), *sends = model_new_call(e, GT_OP_SEND);

    e->fd = 0;
    model_answered(connects, gt_connect(&e->socket, option, option != NULL, &to, &connects->op));
    settle();
    model_opened(e);
    peer = sim_file_of(e->fd);
    peer->out_limit = ROOM;
    (void)model_sending(e, &part, 1);
    model_answered(sends, gt_send(&e->socket, &part, 1, NULL, &sends->op));
    e->close_called = true;
    assert_int_equal(gt_close(&e->socket, NULL), 0);
    assert_int_equal(e->socket.state, GT_CLOSING);
    return e;
}

static void a_close_without_progress_ends_after_5_seconds(void **state) {
    const end *e = closing(NULL);

    (void)state;
    pass(STALL - 1);
    assert_int_equal(e->socket.state, GT_CLOSING);
    pass(1);
    assert_int_equal(e->socket.state, GT_SHUT);
    assert_int_equal(peer->out_size, ROOM);
}

static void close_gives_up_after_180_seconds_of_slow_progress(void **state) {
    const end *e = closing(NULL);
    int64_t passed = 0;

    (void)state;
    for (; passed + STALL - 1 < TOTAL; passed += STALL - 1) {
        pass(STALL - 1);
        assert_int_equal(e->socket.state, GT_CLOSING);
        sim_peer_read(peer, 100);
        settle();
    }
    pass(TOTAL - passed - 1);
    assert_int_equal(e->socket.state, GT_CLOSING);
    pass(1);
    assert_int_equal(e->socket.state, GT_SHUT);
    assert_true(peer->out_size > ROOM && peer->out_size < QUEUED);
}

static void close_gives_up_after_the_seconds_of_linger_whatever_the_progress(void **state) {
    (void)state;
    for (size_t room = 0; room < 200; room += 100) {
        const end *e = closing(&(gt_option){.name = GT_OPT_LINGER, .number = 1, .extra = 10});
        for (int second = 0; second < 10; second++) {
            assert_int_equal(e->socket.state, GT_CLOSING);
            if (room > 0)
                sim_peer_read(peer, room);
            pass(1000);
        }
        assert_int_equal(e->socket.state, GT_SHUT);
    }
}

static void a_close_that_makes_progress_ends_with_its_queue(void **state) {
    const end *e = closing(NULL);

    (void)state;
    for (size_t sent = ROOM; sent < QUEUED; sent += ROOM * 11) {
        pass(STALL - 1);
        assert_int_equal(e->socket.state, GT_CLOSING);
        sim_peer_read(peer, ROOM * 11);
        settle();
    }
    assert_int_equal(e->socket.state, GT_SHUT);
    assert_int_equal(peer->out_size, QUEUED);
}

static int begin(void **state) {
    (void)state;
    model_begin(false, false);
    return 0;
}

static int finish(void **state) {
    (void)state;
    model_finish();
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_close_without_progress_ends_after_5_seconds),
        TEST(close_gives_up_after_180_seconds_of_slow_progress),
        TEST(close_gives_up_after_the_seconds_of_linger_whatever_the_progress),
        TEST(a_close_that_makes_progress_ends_with_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
