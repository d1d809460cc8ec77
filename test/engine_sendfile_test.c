/* SPDX-License-Identifier: Apache-2.0 */
/* Files on their way out, turn by turn. */
#include "test/engine_fixture.h"

/* A file of so many zeros. */
static int zeros(off_t size) {
    char path[] = "/tmp/gentcp_engine_XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static void read_exactly(int fd, const char *text) {
    size_t size = strlen(text);
    char got[64] = "";
    size_t have = 0;
    int64_t end = gt_sys_now() + 5000;

    while (have < size) {
        ssize_t n = recv(fd, got + have, size - have, MSG_DONTWAIT);
        assert_true(n != 0 && gt_sys_now() < end);
        have += n > 0 ? (size_t)n : 0;
        (void)gt_poller_run(poller, n > 0 ? 0 : 1, 16);
    }
    assert_string_equal(got, text);
}

static void a_file_takes_bounded_turns(void **state) {
    static const int large = 4 << 20;
    const gt_option options[] = {PASSIVE[0], {.name = GT_OPT_SNDBUF, .number = 4 << 20}};
    struct iovec part = {.iov_base = (void *)(uintptr_t) "behind", .iov_len = 6};
    int peer;
    owned *o = connection(options, 2, &peer);
    call sending = new_call(GT_OP_SENDFILE, 0);
    call behind = new_call(GT_OP_SEND, 0);
    int fd = zeros(large);

    (void)state;
    assert_int_equal(start_file(o, &sending, fd, 0, 0), GT_PENDING);
    assert_int_equal(sending.file.sent, 256 * 1024); /* the kernel has room for more */
    assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &behind.op), 0);
    assert_int_equal(o->socket.output_size, 6);
    assert_true(gt_poller_run(poller, 0, 1) > 0);
    assert_in_range(sending.file.sent, 256 * 1024 + 1, 512 * 1024);
    assert_int_equal(drain(peer, (size_t)large), large);
    run_while(&sending.completions, 0);
    assert_int_equal(sending.status, 0);
    assert_int_equal(sending.file.sent, large);
    read_exactly(peer, "behind");
    finish(o);
    close(fd);
    close(peer);
}

static void a_cancelled_file_says_how_much_went_and_those_behind_it_move_up(void **state) {
    struct iovec part = {.iov_base = (void *)(uintptr_t) "1234567", .iov_len = 7};
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call files[3] = {new_call(GT_OP_SENDFILE, 0), new_call(GT_OP_SENDFILE, 0), new_call(GT_OP_SENDFILE, 0)};
    call sends[2] = {new_call(GT_OP_SEND, 0), new_call(GT_OP_SEND, 0)};
    int fd = zeros(64 << 20);
    size_t went;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start_file(o, &files[i], fd, i, i == 0 ? 0 : 100), GT_PENDING);
        if (i < 2)
            assert_int_equal(gt_send(&o->socket, &part, 1, NULL, &sends[i].op), 0);
    }
    settle(); /* the kernel is full */
    assert_true(gt_cancel(&o->socket, &files[1].op));
    assert_true(gt_cancel(&o->socket, &files[0].op));
    assert_false(gt_cancel(&o->socket, &files[0].op));
    assert_int_equal(files[1].file.sent, 0);
    went = files[0].file.sent;
    assert_in_range(went, 1, 63 << 20);
    assert_int_equal(drain(peer, went), went);
    read_exactly(peer, "12345671234567");
    assert_int_equal(drain(peer, 100), 100);
    run_while(&files[2].completions, 0);
    assert_int_equal(files[2].file.sent, 100);
    assert_int_equal(files[0].completions + files[1].completions, 0);
    finish(o);
    close(fd);
    close(peer);
}

static void shutdown_of_writing_waits_for_a_file_until_it_is_cancelled(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call sending = new_call(GT_OP_SENDFILE, 0);
    int fd = zeros(64 << 20);
    char byte;

    (void)state;
    assert_int_equal(start_file(o, &sending, fd, 0, 0), GT_PENDING);
    settle();
    assert_int_equal(gt_shutdown(&o->socket, SHUT_WR), 0);
    assert_true(gt_cancel(&o->socket, &sending.op));
    assert_int_equal(drain(peer, sending.file.sent), sending.file.sent);
    assert_int_equal(read(peer, &byte, 1), 0);
    finish(o);
    close(fd);
    close(peer);
}

static void an_owners_death_answers_a_file_and_cuts_it(void **state) {
    int peer;
    owned *o = connection(PASSIVE, 1, &peer);
    call sending = new_call(GT_OP_SENDFILE, 0);
    int fd = zeros(64 << 20);

    (void)state;
    assert_int_equal(start_file(o, &sending, fd, 0, 0), GT_PENDING);
    assert_int_equal(gt_close(&o->socket, NULL), 0);
    assert_int_equal(sending.completions, 1);
    assert_int_equal(sending.status, GT_CLOSED);
    assert_int_equal(o->closed_calls, 1);
    let_go(&o->socket);
    close(fd);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_file_takes_bounded_turns),
        ENGINE_TEST(a_cancelled_file_says_how_much_went_and_those_behind_it_move_up),
        ENGINE_TEST(shutdown_of_writing_waits_for_a_file_until_it_is_cancelled),
        ENGINE_TEST(an_owners_death_answers_a_file_and_cuts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
