/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent and queued: watermarks, giving up, close, and no memory. */
#include "test/engine_fixture.h"
#include "test/fill_kernel.h"

/* The kernel's part, and all but one byte of the high watermark behind it; returns how much it is. */
static size_t fill_queue(owned *o, int peer) {
    static const uint8_t block[8191];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    size_t full = fill_kernel(o->socket.watch.fd, peer);
    call send = new_call(GT_OP_SEND, 0);

    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), 0);
    assert_int_equal(o->socket.output_size, sizeof block);
    return full + sizeof block;
}

static void senders_wait_at_the_high_and_go_on_at_the_low_watermark(void **state) {
    static const uint8_t block[9000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call waits = new_call(GT_OP_SEND, 0);
    call behind = new_call(GT_OP_SEND, 0);
    size_t total = fill_queue(o, peer);

    (void)state;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &behind.op), GT_PENDING);
    (void)drain(peer, total + 2 * sizeof block);
    settle();
    assert_int_equal(waits.completions, 1);
    assert_int_equal(behind.completions, 1);
    assert_int_equal(waits.status, 0);
    finish(o);
    close(peer);
}

static void a_file_comes_behind_the_bytes_of_a_send_that_waits(void **state) {
    static const uint8_t block[9000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    FILE *file = tmpfile();
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call waits = new_call(GT_OP_SEND, 0);
    call sends_file = new_call(GT_OP_SENDFILE, 0);
    size_t total = fill_queue(o, peer);

    (void)state;
    assert_non_null(file);
    assert_true(fputs("of the file", file) >= 0);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_int_equal(start_file(o, &sends_file, fileno(file), 0, 0), GT_PENDING);
    (void)drain(peer, total + sizeof block);
    run_while(&waits.completions, 0);
    run_while(&sends_file.completions, 0);
    assert_int_equal(sends_file.status, 0);
    assert_int_equal(sends_file.file.sent, 11);
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    let_go(&o->socket);
    (void)drain(peer, 11);
    (void)fclose(file);
    close(peer);
}

static void a_send_without_an_op_does_nothing_where_it_would_wait(void **state) {
    static const uint8_t block[4000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    gt_option drains[] = {{.name = GT_OPT_ACTIVE, .number = GT_PASSIVE},
                          {.name = GT_OPT_INET_BACKEND, .number = GT_SEND_DRAINS}};
    call waits = new_call(GT_OP_SEND, 0);
    int other_peer;
    owned *other = connection(drains, 2, &other_peer);
    size_t total;

    (void)state;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, NULL), 0);
    total = sizeof block + fill_queue(o, peer);
    while (o->socket.output_size + sizeof block < o->socket.settings.high) {
        assert_int_equal(gt_send(&o->socket, &part, 1, NULL, NULL), 0);
        total += sizeof block;
    }
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, NULL), -EAGAIN);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    total += sizeof block;
    part.iov_len = 0;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, NULL), -EAGAIN); /* behind the one that waits */
    assert_int_equal(drain(peer, total), total);
    assert_int_equal(waits.completions, 1);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, NULL), 0);
    assert_int_equal(gt_send(&other->socket, &part, 1, NULL, NULL), -EAGAIN);
    finish(o);
    finish(other);
    close(peer);
    close(other_peer);
}

static void a_cancelled_send_leaves_its_bytes_queued(void **state) {
    static const uint8_t block[9000];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call waits = new_call(GT_OP_SEND, 0);
    size_t total = fill_queue(o, peer);

    (void)state;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_true(gt_cancel(&o->socket, &waits.op));
    assert_int_equal(drain(peer, total + sizeof block), total + sizeof block);
    assert_int_equal(waits.completions, 0);
    finish(o);
    close(peer);
}

static void close_flushes_the_queue_before_it_answers(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call closing = new_call(GT_OP_CLOSE, 0);
    size_t total = fill_queue(o, peer);
    char byte;

    (void)state;
    assert_int_equal(gt_close(&o->socket, &closing.op), GT_PENDING);
    assert_int_equal(drain(peer, total), total);
    run_while(&closing.completions, 0);
    assert_int_equal(read(peer, &byte, 1), 0);
    let_go(&o->socket);
    close(peer);
}

/* As on inet, whose close/1 waits with the port open. */
static void while_a_close_waits_others_can_send_and_set_options(void **state) {
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    const gt_option timeout = {.name = GT_OPT_SEND_TIMEOUT, .number = 5};
    gt_option set = {.name = GT_OPT_SEND_TIMEOUT};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call closing = new_call(GT_OP_CLOSE, 0);
    call given_up = new_call(GT_OP_SEND, 0);
    call waits = new_call(GT_OP_SEND, 0);
    size_t total = fill_queue(o, peer);
    char byte;

    (void)state;
    assert_int_equal(gt_close(&o->socket, &closing.op), GT_PENDING);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &given_up.op), GT_PENDING);
    assert_true(gt_cancel(&o->socket, &given_up.op));
    assert_int_equal(gt_set_options(&o->socket, &timeout, 1), 0);
    assert_int_equal(gt_get_option(&o->socket, &set), 0);
    assert_int_equal(set.number, 5);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    assert_int_equal(drain(peer, total + 2), total + 2);
    run_while(&closing.completions, 0);
    assert_int_equal(closing.status, 0);
    assert_int_equal(waits.completions, 1);
    assert_int_equal(waits.status, 0);
    assert_int_equal(read(peer, &byte, 1), 0);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &given_up.op), GT_CLOSED);
    assert_int_equal(gt_set_options(&o->socket, &timeout, 1), -EINVAL);
    let_go(&o->socket);
    close(peer);
}

/* Nobody waits for the close that an owner's death begins. */
static void a_flush_without_a_closer_is_closed_to_all(void **state) {
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    const gt_option timeout = {.name = GT_OPT_SEND_TIMEOUT, .number = 5};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call send = new_call(GT_OP_SEND, 0);

    (void)state;
    (void)fill_queue(o, peer);
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    assert_int_equal(o->socket.state, GT_CLOSING);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), GT_CLOSED);
    assert_int_equal(gt_set_options(&o->socket, &timeout, 1), -EINVAL);
    gt_abort(&o->socket);
    let_go(&o->socket);
    close(peer);
}

static void close_gives_up_after_the_linger_time(void **state) {
    static const uint8_t block[8 << 20];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_LINGER, .number = 1, .extra = 1}};
    int peer;
    owned *o = connection(options, 2, &peer);
    call closing = new_call(GT_OP_CLOSE, 0);
    call waits = new_call(GT_OP_SEND, 0);
    int64_t start = gt_sys_now();

    (void)state;
    (void)fill_queue(o, peer);
    assert_int_equal(gt_close(&o->socket, &closing.op), GT_PENDING);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &waits.op), GT_PENDING);
    run_while(&closing.completions, 0);
    assert_in_range(gt_sys_now() - start, 990, 4000);
    assert_int_equal(waits.completions, 1);
    assert_int_equal(waits.status, GT_CLOSED);
    let_go(&o->socket);
    close(peer);
}

static void no_memory_for_the_queue_refuses_a_packet_whole_or_ends_the_stream(void **state) {
    static const uint8_t block[8 << 20];
    struct iovec part = {.iov_base = (void *)(uintptr_t)block, .iov_len = sizeof block};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call send = new_call(GT_OP_SEND, 0);

    (void)state;
    (void)fill_queue(o, peer);
    refused = HOST_SEGMENT;
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), -ENOMEM);
    assert_int_equal(o->socket.state, GT_CONNECTED);
    finish(o);
    close(peer);
    o = connection(PASSIVE, 1, &peer);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), GT_CLOSED);
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &send.op), -ENOTCONN);
    assert_int_equal(send.completions, 0);
    finish(o);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(senders_wait_at_the_high_and_go_on_at_the_low_watermark),
        ENGINE_TEST(a_file_comes_behind_the_bytes_of_a_send_that_waits),
        ENGINE_TEST(a_send_without_an_op_does_nothing_where_it_would_wait),
        ENGINE_TEST(a_cancelled_send_leaves_its_bytes_queued),
        ENGINE_TEST(close_flushes_the_queue_before_it_answers),
        ENGINE_TEST(while_a_close_waits_others_can_send_and_set_options),
        ENGINE_TEST(a_flush_without_a_closer_is_closed_to_all),
        ENGINE_TEST(close_gives_up_after_the_linger_time),
        ENGINE_TEST(no_memory_for_the_queue_refuses_a_packet_whole_or_ends_the_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
