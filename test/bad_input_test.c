/* SPDX-License-Identifier: Apache-2.0 */
/* What callers and peers get wrong: every call says so by an error, at once, and without memory spent. */
#include "test/connection.h"

/* ---- memory, as asked for by the library ---- */

static atomic_size_t held;    /* bytes */
static atomic_size_t largest; /* request so far */

enum { HEAD = 16 }; /* in front of each block: its size */

static void *counted(void *head, size_t size) {
    if (head == NULL)
        return NULL;
    memcpy(head, &size, sizeof size);
    atomic_fetch_add(&held, size);
    if (size > atomic_load(&largest))
        atomic_store(&largest, size);
    return (char *)head + HEAD;
}

static void *uncounted(void *memory) {
    size_t size;

    if (memory == NULL)
        return NULL;
    memcpy(&size, (char *)memory - HEAD, sizeof size);
    atomic_fetch_sub(&held, size);
    return (char *)memory - HEAD;
}

static void *allocate(size_t size) {
    return size > SIZE_MAX - HEAD ? NULL : counted(malloc(size + HEAD), size);
}

static void *resize(void *memory, size_t size) {
    size_t old = atomic_load(&held);
    void *head = uncounted(memory);
    void *moved = size > SIZE_MAX - HEAD ? NULL : realloc(head, size + HEAD);

    if (moved == NULL && head != NULL)
        atomic_store(&held, old);
    return counted(moved, size);
}

static void release(void *memory) {
    free(uncounted(memory));
}

/* ---- handles ---- */

enum { NEVER_EXISTED, STALE };

static gentcp_socket some_socket;
static gentcp_pid some_pid;

static int call_accept(gentcp_socket s) {
    gentcp_socket accepted;
    return gentcp_accept(s, 0, &accepted);
}

static int call_shutdown(gentcp_socket s) {
    return gentcp_shutdown(s, SHUT_WR);
}

static int call_send(gentcp_socket s) {
    return gentcp_send(s, "x", 1);
}

static int call_sendv(gentcp_socket s) {
    return gentcp_sendv(s, NULL, 0);
}

static int call_send_ref(gentcp_socket s) {
    return gentcp_send_ref(s, "x", 1, NULL, NULL);
}

static int call_recv(gentcp_socket s) {
    return recv_status(s, 0, 0);
}

static int call_recv_into(gentcp_socket s) {
    char byte;
    return gentcp_recv_into(s, &byte, 1, 0);
}

static int call_unrecv(gentcp_socket s) {
    return gentcp_unrecv(s, "x", 1);
}

static int call_controlling_process(gentcp_socket s) {
    return gentcp_controlling_process(s, some_pid);
}

static int call_receive_from(gentcp_socket s) {
    gentcp_message message;
    return gentcp_receive_from(s, &message, 0);
}

static int call_setopts(gentcp_socket s) {
    return gentcp_setopts(s, JUST_PASSIVE);
}

static int call_getopts(gentcp_socket s) {
    gentcp_option wanted[] = {GENTCP_ACTIVE(0), GENTCP_END};
    return gentcp_getopts(s, wanted);
}

static int call_getopt(gentcp_socket s) {
    int64_t number;
    return gentcp_getopt(s, GENTCP_OPT_ACTIVE, &number);
}

static int call_sockname(gentcp_socket s) {
    gentcp_address address;
    return gentcp_sockname(s, &address);
}

static int call_peername(gentcp_socket s) {
    gentcp_address address;
    return gentcp_peername(s, &address);
}

static int call_port(gentcp_socket s) {
    uint16_t port;
    return gentcp_port(s, &port);
}

static const struct {
    const char *name;
    int (*make)(gentcp_socket socket);
    int if_stale;
} calls[] = {{"accept", call_accept, GENTCP_CLOSED},
             {"shutdown", call_shutdown, GENTCP_CLOSED},
             {"send", call_send, GENTCP_CLOSED},
             {"sendv", call_sendv, GENTCP_CLOSED},
             {"send_ref", call_send_ref, GENTCP_CLOSED},
             {"recv", call_recv, GENTCP_CLOSED},
             {"recv_into", call_recv_into, GENTCP_CLOSED},
             {"unrecv", call_unrecv, GENTCP_CLOSED},
             {"controlling_process", call_controlling_process, GENTCP_CLOSED},
             {"receive_from", call_receive_from, GENTCP_CLOSED},
             {"setopts", call_setopts, -EINVAL},
             {"getopts", call_getopts, -EINVAL},
             {"getopt", call_getopt, -EINVAL},
             {"sockname", call_sockname, -EINVAL},
             {"peername", call_peername, -EINVAL},
             {"port", call_port, -EINVAL},
             {"socket_fd", gentcp_socket_fd, -EINVAL},
             {"close", gentcp_close, 0}};
enum { CALLS = sizeof calls / sizeof *calls };

static void assert_every_call(gentcp_socket socket, int kind) {
    for (int i = 0; i < CALLS; i++) {
        int expected = kind == STALE ? calls[i].if_stale : GENTCP_BADARG;
        int status = calls[i].make(socket);
        if (status != expected)
            fail_msg("%s of %llx is %d, %s", calls[i].name, (unsigned long long)socket.id, status,
                     gentcp_error_name(status));
    }
}

static void a_handle_that_never_existed_is_badarg_everywhere(void **state) {
    static const uint64_t made_up[] = {0,         1,          0xffffffff,         (uint64_t)1 << 32,
                                       INT64_MAX, UINT64_MAX, 0x123456789abcdef0, 0xdeadbeefdeadbeef};
    int peer = connect_plain(NULL, &some_socket);

    (void)state;
    assert_ok(gentcp_self(&some_pid));
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        if (made_up[i] != some_socket.id)
            assert_every_call((gentcp_socket){made_up[i]}, NEVER_EXISTED);
    }
    for (int bit = 33; bit < 64; bit++) { /* of times to come */
        gentcp_socket other = {some_socket.id | (uint64_t)1 << bit};
        if (other.id != some_socket.id)
            assert_every_call(other, NEVER_EXISTED);
    }
    assert_ok(gentcp_send(some_socket, "unharmed", 8));
    assert_plain_reads(peer, "unharmed");
    close(peer);
}

static void a_stale_handle_is_closed_or_einval_everywhere_whatever_was_opened_since(void **state) {
    enum { GENERATIONS = 100 };
    gentcp_socket old[GENERATIONS], live;
    int peer;

    (void)state;
    assert_ok(gentcp_self(&some_pid));
    for (int i = 0; i < GENERATIONS; i++) {
        close(connect_plain(NULL, &old[i]));
        assert_ok(gentcp_close(old[i]));
        for (int j = 0; j < i; j++)
            assert_int_not_equal(old[i].id, old[j].id);
    }
    peer = connect_plain(NULL, &live); /* in the place of one of them */
    for (int i = 0; i < GENERATIONS; i++)
        assert_every_call(old[i], STALE);
    assert_ok(gentcp_send(live, "unharmed", 8));
    assert_plain_reads(peer, "unharmed");
    assert_int_equal(option_of(live, GENTCP_OPT_ACTIVE), GENTCP_TRUE);
    close(peer);
    assert_every_call((gentcp_socket){old[GENERATIONS - 1].id + ((uint64_t)7 << 40)}, NEVER_EXISTED);
}

static void a_process_that_never_existed_is_badarg(void **state) {
    static const uint64_t made_up[] = {0, 0xffffffff, INT64_MAX, UINT64_MAX, 0xdeadbeefdeadbeef};
    int peer = connect_plain(NULL, &some_socket);

    (void)state;
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        assert_int_equal(gentcp_post((gentcp_pid){made_up[i]}, NULL), GENTCP_BADARG);
        assert_int_equal(gentcp_controlling_process(some_socket, (gentcp_pid){made_up[i]}), GENTCP_BADARG);
    }
    plain_say(peer, "still mine");
    assert_tcp(some_socket, "still mine");
    close(peer);
}

/* ---- pointers, sizes, numbers ---- */

static void a_result_pointer_of_null_is_badarg(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port), socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(gentcp_connect("127.0.0.1", port, NULL, SOON, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, NULL, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_accept(listener, 0, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_recv(socket, 0, 0, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_recv_into(socket, NULL, 1, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_receive(NULL, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_receive_from(socket, NULL, 0), GENTCP_BADARG);
    assert_int_equal(gentcp_self(NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_sockname(socket, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_peername(socket, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_port(socket, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_getopts(socket, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_getopt(socket, GENTCP_OPT_ACTIVE, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_configure(NULL), GENTCP_BADARG);
    close(peer);
}

static void text_and_bytes_of_null_are_badarg(void **state) {
    gentcp_address address;
    gentcp_socket socket;
    char text[8];
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    assert_int_equal(gentcp_connect(NULL, 1, NULL, SOON, &some_socket), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP(NULL)), &some_socket), GENTCP_BADARG);
    assert_int_equal(gentcp_send(socket, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(socket, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(socket, (struct iovec[]){{(char[]){"a"}, 1}, {NULL, 1}}, 2), GENTCP_BADARG);
    assert_int_equal(gentcp_send_ref(socket, NULL, 1, NULL, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_unrecv(socket, NULL, 1), GENTCP_BADARG);
    assert_int_equal(gentcp_address_parse(NULL, 1, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_parse("::1", 1, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_address_format(NULL, text, sizeof text), GENTCP_BADARG);
    assert_ok(gentcp_address_parse("127.0.0.1", 1, &address));
    assert_int_equal(gentcp_address_format(&address, NULL, 8), GENTCP_BADARG);
    assert_int_equal(gentcp_address_format(&address, text, sizeof text), -ENOSPC);
    assert_int_equal(gentcp_address_format(&(gentcp_address){0}, text, sizeof text), GENTCP_BADARG);
    gentcp_data_release(NULL);
    gentcp_data_release(&(gentcp_data){0});
    close(peer);
}

static void sizes_and_counts_out_of_range_are_refused(void **state) {
    static const size_t far_too_large[] = {(size_t)1 << 32, ((size_t)1 << 32) + 1, SIZE_MAX / 2};
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_4)), &socket);
    struct iovec parts[1025] = {{0}};
    int status;

    (void)state;
    for (size_t i = 0; i < sizeof far_too_large / sizeof *far_too_large; i++)
        assert_int_equal(gentcp_send(socket, "x", far_too_large[i]), -EMSGSIZE);
    assert_int_equal(gentcp_sendv(socket, parts, -1), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(socket, parts, INT32_MIN), GENTCP_BADARG);
    assert_int_equal(gentcp_sendv(socket, parts, 1025), GENTCP_BADARG);
    assert_ok(gentcp_sendv(socket, parts, 1024));
    parts[0] = parts[1] = (struct iovec){(char[]){"x"}, SIZE_MAX / 2 + 1};
    status = gentcp_sendv(socket, parts, 2); /* more than a size_t can tell */
    assert_true(status == -EINVAL || status == GENTCP_BADARG || status == -EMSGSIZE);
    assert_int_equal(gentcp_recv_into(socket, parts, 0, 0), GENTCP_BADARG);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_RAW))));
    status = gentcp_unrecv(socket, "x", SIZE_MAX);
    assert_int_equal(status, -ENOMEM);
    plain_say(peer, "unharmed");
    assert_recv(socket, 0, "unharmed");
    close(peer);
}

static void the_longest_timeouts_wait(void **state) {
    static const int64_t timeouts[] = {INT64_MAX, INT64_MAX - 1, (int64_t)1 << 32, (int64_t)1 << 31, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int peer = connect_plain(JUST_PASSIVE, &some_socket);
        call receiver = {.make = make_recv, .socket = some_socket, .timeout = timeouts[i]};
        start(&receiver);
        assert_true(waits(&receiver));
        plain_say(peer, "in time");
        assert_ok(finish(&receiver));
        assert_text(&receiver.data, "in time");
        close(peer);
    }
}

/* ---- from the network ---- */

static void what_a_header_promises_costs_no_memory(void **state) {
    static const struct {
        uint8_t header[4];
        int status;
    } rows[] = {{{0x80, 0, 0, 0}, -EMSGSIZE},
                {{0xff, 0xff, 0xff, 0xff}, -EMSGSIZE},
                {{0x05, 0xf5, 0xe1, 0x00}, GENTCP_TIMEOUT},  /* 100,000,000 */
                {{0x7f, 0xff, 0xff, 0xfb}, GENTCP_TIMEOUT}}; /* the most that is allowed */

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_4)), &some_socket);
        size_t before = atomic_load(&held);
        plain_send(peer, rows[i].header, 4);
        plain_say(peer, "and so on");
        atomic_store(&largest, 0);
        assert_int_equal(recv_status(some_socket, 0, BRIEFLY), rows[i].status);
        if (rows[i].status == GENTCP_TIMEOUT) { /* now that the length is known */
            plain_say(peer, "and on");
            assert_int_equal(recv_status(some_socket, 0, BRIEFLY), GENTCP_TIMEOUT);
        }
        assert_in_range(atomic_load(&largest), 0, 128 * 1024);
        assert_true(atomic_load(&held) <= before + 128 * 1024);
        close(peer);
        assert_ok(gentcp_close(some_socket));
    }
}

static void a_long_recv_costs_no_memory_before_its_bytes_have_come(void **state) {
    int peer = connect_plain(JUST_PASSIVE, &some_socket);

    (void)state;
    atomic_store(&largest, 0);
    for (int i = 0; i < 2; i++) {
        plain_say(peer, "and so on");
        assert_int_equal(recv_status(some_socket, 64 * 1024 * 1024, BRIEFLY), GENTCP_TIMEOUT);
    }
    assert_in_range(atomic_load(&largest), 0, 128 * 1024);
    close(peer);
}

static void a_line_without_an_end_costs_no_more_than_its_pieces(void **state) {
    enum { BLOCK = 64 * 1024, BLOCKS = 64 };
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &some_socket);
    char *block = malloc(BLOCK);
    size_t received = 0;

    (void)state;
    assert_non_null(block);
    memset(block, 'x', BLOCK);
    atomic_store(&largest, 0);
    for (int i = 0; i < BLOCKS; i++) {
        plain_send(peer, block, BLOCK);
        while (received < (size_t)(i + 1) * BLOCK) {
            gentcp_data data;
            assert_ok(gentcp_recv(some_socket, 0, SOON, &data));
            received += data.size;
            gentcp_data_release(&data);
        }
    }
    assert_in_range(atomic_load(&largest), 1, 4 * BLOCK);
    free(block);
    close(peer);
}

static void all_memory_is_given_back(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) { /* what is kept for ever, is there after the first round */
        pair p = connect_pair(NULL);
        gentcp_message message;
        size_t before = atomic_load(&held);
        for (int j = 0; j < 50; j++) {
            pair more = connect_pair(NULL);
            assert_ok(gentcp_send(more.here, "to be read", 10));
            assert_ok(gentcp_send(more.there, "to be dropped", 13));
            assert_recv(more.there, 4, "to b");
            assert_ok(gentcp_close(more.there));
            assert_tcp(more.here, "to be dropped");
            assert_told(more.here, GENTCP_TCP_CLOSED);
        }
        assert_int_equal(gentcp_receive(&message, 0), GENTCP_TIMEOUT);
        assert_true(i == 0 || atomic_load(&held) <= before + 4096);
        (void)p;
        gentcp_exit();
    }
}

static void configuring_twice_or_wrongly_is_refused(void **state) {
    gentcp_config config = {.allocate = allocate, .resize = resize, .release = release};

    (void)state;
    assert_int_equal(gentcp_configure(&config), -EALREADY);
}

int main(void) {
    const gentcp_config wrong[] = {{.allocate = allocate},
                                   {.allocate = allocate, .resize = resize},
                                   {.release = release},
                                   {.poller = (enum gentcp_poller)3}};
    const gentcp_config config = {.allocate = allocate, .resize = resize, .release = release};
    const struct CMUnitTest tests[] = {
        TEST(configuring_twice_or_wrongly_is_refused),
        TEST(a_handle_that_never_existed_is_badarg_everywhere),
        TEST(a_stale_handle_is_closed_or_einval_everywhere_whatever_was_opened_since),
        TEST(a_process_that_never_existed_is_badarg),
        TEST(a_result_pointer_of_null_is_badarg),
        TEST(text_and_bytes_of_null_are_badarg),
        TEST(sizes_and_counts_out_of_range_are_refused),
        TEST(the_longest_timeouts_wait),
        TEST(what_a_header_promises_costs_no_memory),
        TEST(a_long_recv_costs_no_memory_before_its_bytes_have_come),
        TEST(a_line_without_an_end_costs_no_more_than_its_pieces),
        TEST(all_memory_is_given_back),
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (gentcp_configure(&wrong[i]) != GENTCP_BADARG) {
            fprintf(stderr, "a wrong configuration was accepted\n");
            return 1;
        }
    }
    if (gentcp_configure(&config) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
