/* SPDX-License-Identifier: Apache-2.0 */
/* The C host: sending by reference, and from many parts. */
#include "test/connection.h"

static void count_release(void *count) {
    atomic_fetch_add((atomic_int *)count, 1);
}

static void bytes_sent_by_reference_are_released_once(void **state) {
    static char bytes[4 * 1024 * 1024];
    static atomic_int released;
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_SEND_TIMEOUT(0)), &socket);
    int sent = 0;

    (void)state;
    atomic_store(&released, 0);
    assert_ok(gentcp_send_ref(socket, "", 0, count_release, &released)); /* nothing to send, */
    assert_int_equal(atomic_load(&released), 1);
    assert_ok(gentcp_send_ref(socket, bytes, 10, count_release, &released)); /* taken at once, */
    assert_int_equal(atomic_load(&released), 2);
    while (gentcp_send_ref(socket, bytes, sizeof bytes, count_release, &released) == 0 && sent < 100)
        sent++;
    assert_int_equal(atomic_load(&released), 2 + sent); /* queued, */
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_LINGER(true, 0))));
    assert_ok(gentcp_close(socket)); /* dropped, */
    assert_int_equal(atomic_load(&released), 3 + sent);
    assert_int_equal(gentcp_send_ref(socket, bytes, 1, count_release, &released), GENTCP_CLOSED); /* and refused */
    assert_int_equal(atomic_load(&released), 4 + sent);
    close(peer);
}

static void bytes_sent_by_reference_arrive_after_a_header(void **state) {
    enum { SIZE = 6 * 1024 * 1024 };
    pair ends = connect_pair(PASSIVE(GENTCP_PACKET(4)));
    char *bytes = malloc(SIZE);
    call receiver = {.make = make_recv, .socket = ends.there, .timeout = SOON};

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i / 253);
    assert_ok(gentcp_setopts(ends.there, gentcp_options(GENTCP_PACKET(4))));
    start(&receiver);
    assert_ok(gentcp_send_ref(ends.here, bytes, SIZE, NULL, NULL));
    assert_int_equal(finish(&receiver), 0);
    assert_int_equal(receiver.data.size, SIZE);
    assert_memory_equal(receiver.data.bytes, bytes, SIZE);
    gentcp_data_release(&receiver.data);
    free(bytes);
}

static void many_parts_make_one_packet(void **state) {
    pair ends = connect_pair(PASSIVE(GENTCP_PACKET(4)));
    struct iovec parts[1024];
    gentcp_data data;

    (void)state;
    assert_ok(gentcp_setopts(ends.there, gentcp_options(GENTCP_PACKET(4))));
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){.iov_base = i % 3 == 0 ? NULL : "xyz", .iov_len = (size_t)(i % 3)};
    assert_ok(gentcp_sendv(ends.here, parts, 1024));
    assert_ok(gentcp_recv(ends.there, 0, SOON, &data));
    assert_int_equal(data.size, 1023);
    gentcp_data_release(&data);
    assert_ok(gentcp_sendv(ends.here, NULL, 0));
    assert_ok(gentcp_recv(ends.there, 0, SOON, &data));
    assert_int_equal(data.size, 0);
    assert_non_null(data.bytes);
    gentcp_data_release(&data);
    gentcp_data_release(&data);
    gentcp_data_release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bytes_sent_by_reference_are_released_once),
        TEST(bytes_sent_by_reference_arrive_after_a_header),
        TEST(many_parts_make_one_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
