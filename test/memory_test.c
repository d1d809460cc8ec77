/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of connections, opened and closed in every way, leave neither memory nor a descriptor behind. What is
 * kept for reuse is made in a first, smaller round of the same. */
#include <stddef.h>

#include "test/connection.h"
#include "test/scale.h"

enum { WARM_UP = 64, MANY = 2000 };

/* ---- what is held ---- */

static atomic_long blocks, bytes;

/* Each block remembers its size in front of itself. */
typedef union head {
    size_t size;
    max_align_t align;
} head;

static void *counting_resize(void *memory, size_t size) {
    head *before = memory != NULL ? (head *)memory - 1 : NULL;
    size_t old = before != NULL ? before->size : 0;
    head *block = realloc(before, sizeof *block + size);

    if (block == NULL)
        return NULL;
    blocks += before == NULL;
    bytes += (long)size - (long)old;
    block->size = size;
    return block + 1;
}

static void *counting_allocate(size_t size) {
    return counting_resize(NULL, size);
}

static void counting_release(void *memory) {
    head *block;

    if (memory == NULL)
        return;
    block = (head *)memory - 1;
    blocks--;
    bytes -= (long)block->size;
    free(block);
}

/* Each round is a process, from its beginning to its end. */
static void run_round(void (*make)(int times), int times) {
    make(times);
    gentcp_exit();
}

static void assert_leaves_nothing(void (*make)(int times)) {
    long blocks_before, bytes_before;
    int descriptors_before;

    run_round(make, WARM_UP);
    blocks_before = blocks;
    bytes_before = bytes;
    descriptors_before = descriptors();
    run_round(make, scaled(MANY));
    assert_int_equal(descriptors(), descriptors_before);
    assert_int_equal(blocks, blocks_before);
    assert_int_equal(bytes, bytes_before);
    assert_true(blocks > 0);
}

/* ---- ways to come and go ---- */

static gentcp_socket listen_widely(uint16_t *port) {
    return listen_on_loopback(gentcp_options(GENTCP_BACKLOG(100)), port);
}

/* With a reset, so that the system keeps nothing of the connection, either. */
static const gentcp_option *with_reset(void) {
    static gentcp_option options[] = {{.name = GENTCP_OPT_LINGER, .number = 1, .extra = 0},
                                      {.name = GENTCP_OPT_ACTIVE, .number = GENTCP_PASSIVE},
                                      {.name = GENTCP_OPT_END}};

    return options;
}

static void open_transfer_close(int times) {
    uint16_t port;
    gentcp_socket listener = listen_widely(&port), here, there;

    for (int i = 0; i < times; i++) {
        assert_ok(gentcp_connect("127.0.0.1", port, with_reset(), SOON, &here));
        assert_ok(gentcp_accept(listener, SOON, &there)); /* active */
        assert_ok(gentcp_send(here, "there", 5));
        assert_tcp(there, "there");
        assert_ok(gentcp_send(there, "and back", 8));
        assert_recv(here, 8, "and back");
        assert_ok(gentcp_close(here));
        assert_told(there, GENTCP_TCP_CLOSED);
    }
    assert_ok(gentcp_close(listener));
}

/* Bytes in the kernel, in the socket, in the mailbox, in the queue to be sent; ops that wait. */
static void close_with_something_on_every_way(int times) {
    static char block[512 * 1024];
    uint16_t port;
    gentcp_socket listener = listen_widely(&port), here, there;

    for (int i = 0; i < times; i++) {
        gentcp_message message;
        gentcp_data data;
        assert_ok(gentcp_connect("127.0.0.1", port, with_reset(), SOON, &here));
        assert_ok(gentcp_accept(listener, SOON, &there));
        assert_ok(gentcp_setopts(here, gentcp_options(GENTCP_HIGH_WATERMARK(1 << 20), GENTCP_LOW_WATERMARK(1 << 20))));
        assert_ok(gentcp_send(there, "abc", 3));
        assert_recv(here, 1, "a");
        assert_int_equal(gentcp_recv(here, 10, 0, &data), GENTCP_TIMEOUT);
        assert_ok(gentcp_unrecv(here, "more", 4));
        for (int j = 0; j < 3; j++)
            assert_ok(gentcp_send(here, block, i % 16 == 0 ? sizeof block : 100));
        assert_ok(gentcp_receive_from(there, &message, SOON));
        gentcp_data_release(&message.data);
        if (i % 2 == 0)
            assert_ok(gentcp_close(here));
        assert_ok(gentcp_close(there));
        if (i % 2 != 0)
            assert_ok(gentcp_close(here));
    }
    assert_ok(gentcp_close(listener)); /* what is in the mailbox ends with the process */
}

static void be_refused(int times) {
    uint16_t port;
    int listener = plain_listener(&port, 1);
    gentcp_socket none;

    close(listener);
    for (int i = 0; i < times; i++)
        assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, SOON, &none), -ECONNREFUSED);
}

static void fail_before_a_connection(int times) {
    uint16_t port;
    gentcp_socket taken = listen_on_loopback(NULL, &port), none;

    for (int i = 0; i < times; i++) {
        const gentcp_option *local = gentcp_options(GENTCP_IP("127.0.0.1"), GENTCP_BACKLOG(5));
        assert_int_equal(gentcp_listen(port, local, &none), -EADDRINUSE);
        assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_BUFFER(-1)), &none), GENTCP_BADARG);
        assert_int_equal(
            gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_PORT(port), GENTCP_IP("127.0.0.1")), SOON, &none),
            -EADDRINUSE);
        assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_PACKET(99)), SOON, &none),
                         GENTCP_BADARG);
        assert_int_equal(gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_IP("::1")), SOON, &none),
                         GENTCP_NXDOMAIN);
        assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, 0, &none), GENTCP_TIMEOUT);
        assert_int_equal(gentcp_accept(taken, 0, &none), GENTCP_TIMEOUT);
    }
    assert_ok(gentcp_close(taken));
}

/* Connections that nobody accepts, and whose listener goes. */
static void close_listeners_with_a_backlog(int times) {
    for (int i = 0; i < times; i++) {
        uint16_t port;
        gentcp_socket listener = listen_widely(&port), here;
        assert_ok(gentcp_connect("127.0.0.1", port, with_reset(), SOON, &here));
        assert_ok(gentcp_close(listener));
        assert_int_equal(recv_status(here, 0, SOON), GENTCP_CLOSED);
        assert_ok(gentcp_close(here));
    }
}

/* ---- owners that end ---- */

enum { OWNED = 10 };

static void *own_and_end(void *unused) {
    uint16_t port;
    gentcp_socket listener = listen_widely(&port), here, there;

    (void)unused;
    for (int i = 0; i < OWNED / 2; i++) {
        assert_ok(gentcp_connect("127.0.0.1", port, with_reset(), SOON, &here));
        assert_ok(gentcp_accept(listener, SOON, &there));
        assert_ok(gentcp_send(here, "unread", 6));
        assert_ok(gentcp_send(there, "unread", 6));
    }
    return NULL;
}

static void end_with_open_sockets(int times) {
    for (int i = 0; i < times; i += OWNED) {
        pthread_t owner;
        assert_ok(pthread_create(&owner, NULL, own_and_end, NULL));
        assert_ok(pthread_join(owner, NULL));
    }
}

#define LEAVES_NOTHING(how)                                                                                            \
    static void how##_leaves_nothing(void **state) {                                                                   \
        (void)state;                                                                                                   \
        assert_leaves_nothing(how);                                                                                    \
    }

LEAVES_NOTHING(open_transfer_close)
LEAVES_NOTHING(close_with_something_on_every_way)
LEAVES_NOTHING(be_refused)
LEAVES_NOTHING(fail_before_a_connection)
LEAVES_NOTHING(close_listeners_with_a_backlog)
LEAVES_NOTHING(end_with_open_sockets)

int main(void) {
    const gentcp_config config = {
        .allocate = counting_allocate, .resize = counting_resize, .release = counting_release};
    const struct CMUnitTest tests[] = {
        TEST(open_transfer_close_leaves_nothing),
        TEST(close_with_something_on_every_way_leaves_nothing),
        TEST(be_refused_leaves_nothing),
        TEST(fail_before_a_connection_leaves_nothing),
        TEST(close_listeners_with_a_backlog_leaves_nothing),
        TEST(end_with_open_sockets_leaves_nothing),
    };

    if (gentcp_configure(&config) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
