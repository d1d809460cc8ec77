/* SPDX-License-Identifier: Apache-2.0 */
/* The C host with an allocator of the program's own, which counts what is out and fails when it is told to. */
#include "test/connection.h"

static atomic_int live;             /* allocations that weren't released */
static atomic_int left = INT32_MAX; /* so many more succeed, then none does, */
static atomic_bool once;            /* or just that one fails */
static _Atomic uint64_t allocate_calls;

static bool granted(void) {
    int before = atomic_fetch_sub(&left, 1);

    atomic_fetch_add(&allocate_calls, 1);
    if (before > 0)
        return true;
    if (atomic_load(&once) && before < 0)
        return true;
    return false;
}

static void *counting_allocate(size_t size) {
    void *memory = granted() ? malloc(size) : NULL;

    if (memory != NULL)
        atomic_fetch_add(&live, 1);
    return memory;
}

static void *counting_resize(void *memory, size_t size) {
    return granted() ? realloc(memory, size) : NULL;
}

static pthread_mutex_t release_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

static void counting_release(void *memory) {
    free(memory);
    pthread_mutex_lock(&release_lock);
    atomic_fetch_sub(&live, 1);
    pthread_cond_signal(&released);
    pthread_mutex_unlock(&release_lock);
}

/* A lookup that its caller gave up is released by the thread that looks it up, once the name service has answered. */
static void await_live(int expected) {
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += SOON / 1000;
    pthread_mutex_lock(&release_lock);
    while (atomic_load(&live) > expected && pthread_cond_timedwait(&released, &release_lock, &end) == 0)
        ;
    pthread_mutex_unlock(&release_lock);
    assert_int_equal(atomic_load(&live), expected);
}

static void fail_after(int successes, bool only_one) {
    atomic_store(&once, only_one);
    atomic_store(&left, successes);
}

static void fail_no_more(void) {
    fail_after(INT32_MAX, false);
}

/* ---- a bit of everything, any step of which may fail for lack of memory ---- */

static int receive_kind(gentcp_socket socket, enum gentcp_message_kind kind) {
    gentcp_message message;
    int status = gentcp_receive_from(socket, &message, SOON);

    if (status != 0)
        return status;
    gentcp_data_release(&message.data);
    return message.kind == kind ? 0 : message.kind == GENTCP_TCP_ERROR ? message.reason : GENTCP_CLOSED;
}

static int receive_size(gentcp_socket socket, size_t length, size_t expected) {
    gentcp_data data;
    int status = gentcp_recv(socket, length, SOON, &data);

    if (status != 0)
        return status;
    status = data.size == expected ? 0 : 1;
    gentcp_data_release(&data);
    return status;
}

static int transfer_http(gentcp_socket here, gentcp_socket there) {
    int status = gentcp_setopts(there, gentcp_options(GENTCP_PACKET(GENTCP_HTTP)));

    if (status == 0)
        status = gentcp_send(here, "GET / HTTP/1.1\nHost: me\n\n", 25);
    if (status == 0)
        status = receive_size(there, 0, 15);
    if (status == 0)
        status = gentcp_setopts(there, gentcp_options(GENTCP_ACTIVE_N(2)));
    if (status == 0)
        status = receive_kind(there, GENTCP_HTTP_LINE);
    if (status == 0)
        status = receive_kind(there, GENTCP_HTTP_LINE);
    if (status == 0)
        status = receive_kind(there, GENTCP_TCP_PASSIVE);
    return status != 0 ? status : gentcp_setopts(there, gentcp_options(GENTCP_PACKET(GENTCP_RAW)));
}

static int transfer(gentcp_socket here, gentcp_socket there) {
    enum { LARGE = 400 * 1024 };
    gentcp_ref ref;
    int status = gentcp_monitor(there, &ref);

    if (status == 0)
        status = gentcp_send(here, "small", 5);

    if (status == 0)
        status = receive_size(there, 5, 5);
    if (status == 0)
        status = gentcp_unrecv(there, "again", 5);
    if (status == 0)
        status = receive_size(there, 2, 2);
    if (status == 0)
        status = receive_size(there, 3, 3);
    if (status == 0)
        status = transfer_http(here, there); /* before the slow part, which is then not repeated for it */
    if (status == 0) {
        static char bytes[LARGE];
        status = gentcp_send(here, bytes, LARGE); /* most of it is queued */
        if (status == 0 || status == GENTCP_TIMEOUT)
            status = receive_size(there, LARGE, LARGE);
    }
    if (status == 0)
        status = gentcp_setopts(there, gentcp_options(GENTCP_ACTIVE_N(1)));
    if (status == 0)
        status = gentcp_send(here, "active", 6);
    if (status == 0)
        status = receive_kind(there, GENTCP_TCP);
    if (status == 0)
        status = receive_kind(there, GENTCP_TCP_PASSIVE);
    if (status == 0)
        status = gentcp_setopts(there, gentcp_options(GENTCP_ACTIVE(true)));
    if (status == 0)
        status = gentcp_close(here);
    if (status == 0)
        status = receive_kind(there, GENTCP_TCP_CLOSED);
    return status != 0 ? status : receive_kind(there, GENTCP_DOWN);
}

static int post_to_self(void) {
    gentcp_message message;
    gentcp_pid self;
    int status = gentcp_self(&self);

    if (status == 0)
        status = gentcp_post(self, &self);
    if (status == 0)
        status = gentcp_receive(&message, SOON);
    return status;
}

static int bit_of_everything(call *c) {
    gentcp_socket listener, here = {0}, there = {0};
    uint16_t port;
    int status = post_to_self();

    (void)c;
    if (status == 0)
        status = gentcp_listen(0, gentcp_options(GENTCP_IP("loopback"), GENTCP_ACTIVE(false)), &listener);
    if (status == 0)
        status = gentcp_port(listener, &port);
    if (status == 0)
        status = gentcp_connect("localhost", port, gentcp_options(GENTCP_SEND_TIMEOUT(0), GENTCP_SNDBUF(16 * 1024)),
                                SOON, &here);
    if (status == 0)
        status = gentcp_accept(listener, SOON, &there);
    return status != 0 ? status : transfer(here, there);
}

/* The call's status, made in a thread of its own: a process that begins and ends with it. */
static int status_of(int (*make)(call *)) {
    call c = {.make = make};

    assert_ok(pthread_create(&c.thread, NULL, call_main, &c));
    return finish(&c);
}

static bool explains_lack_of_memory(int status) {
    return status == 0 || status == -ENOMEM || status == GENTCP_CLOSED || status == -ENOTCONN;
}

/* Tells how many allocations it takes until all succeed, failing one after the other. */
static int fail_each(bool only_one) {
    int before, n;

    assert_ok(status_of(bit_of_everything)); /* tables have grown, once and for all */
    before = atomic_load(&live);
    for (n = 0; n < 1000; n++) {
        int status;
        fail_after(n, only_one);
        status = status_of(bit_of_everything);
        if (atomic_load(&left) >= 0) /* nothing has failed */
            break;
        fail_no_more();
        if (!explains_lack_of_memory(status))
            fail_msg("allocation %d failed: %s (%d)", n, gentcp_error_name(status), status);
        await_live(before);
    }
    fail_no_more();
    await_live(before);
    return n;
}

static void any_one_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    assert_in_range(fail_each(true), 10, 999);
}

static void memory_may_end_at_any_moment_and_nothing_leaks(void **state) {
    (void)state;
    assert_in_range(fail_each(false), 10, 999);
}

/* ---- what must be told even so ---- */

static void errors_and_ends_are_told_without_memory(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);

    (void)state;
    fail_after(0, false);
    plain_say(peer, "data that nobody has memory for");
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -ENOMEM);
    assert_told(socket, GENTCP_TCP_CLOSED);
    fail_no_more();
    close(peer);
}

/* Monitors stand in a table, which grows now and then. */
static void without_memory_there_are_no_new_monitors_and_the_others_are_told(void **state) {
    enum { MANY = 1000 };
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    gentcp_ref refs[MANY];
    int count = 0, status = 0;

    (void)state;
    fail_after(0, false);
    while (count < MANY && (status = gentcp_monitor(socket, &refs[count])) == 0)
        count++;
    assert_int_equal(status, -ENOMEM);
    assert_ok(gentcp_close(socket));
    for (int i = 0; i < count; i++) {
        gentcp_message message;
        assert_ok(gentcp_receive(&message, SOON));
        assert_int_equal(message.kind, GENTCP_DOWN);
        assert_int_equal(message.ref.id, refs[i].id);
    }
    assert_int_equal(gentcp_monitor(socket, &refs[0]), count > 0 ? 0 : -ENOMEM); /* what was freed is used again */
    fail_no_more();
    assert_ok(gentcp_monitor(socket, &refs[0]));
    close(peer);
}

static void passives_are_told_without_memory(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    fail_after(0, false);
    for (int i = 0; i < 3; i++)
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(0))));
    for (int i = 0; i < 3; i++)
        assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_silence(socket);
    fail_no_more();
    for (int i = 0; i < 3; i++)
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(0))));
    for (int i = 0; i < 3; i++)
        assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_silence(socket);
    close(peer);
}

static void recv_without_memory_keeps_the_bytes(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);

    (void)state;
    plain_say(peer, "kept");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), 0); /* the thread has its scratch memory now */
    plain_say(peer, "kept");
    fail_after(0, true);
    assert_int_equal(recv_status(socket, 4, SOON), -ENOMEM);
    fail_no_more();
    assert_recv(socket, 4, "kept");
    close(peer);
}

static void recv_without_memory_keeps_the_line(void **state) {
    gentcp_socket socket;
    gentcp_data data;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_HTTP)), &socket);

    (void)state;
    plain_say(peer, "GET / HTTP/1.1\nHost: me\n\n");
    assert_int_equal(recv_status(socket, 0, SOON), 0);
    for (int i = 0; i < 2; i++) {
        fail_after(0, true);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOMEM);
        fail_no_more();
        assert_ok(gentcp_recv(socket, 0, SOON, &data));
        assert_int_equal(data.http->kind, i == 0 ? GENTCP_HTTP_HEADER : GENTCP_HTTP_END);
        gentcp_data_release(&data);
    }
    close(peer);
}

static void count_release(void *arg) {
    ++*(int *)arg;
}

static void send_ref_without_memory_for_the_queue_is_enomem(void **state) {
    size_t full;
    gentcp_socket socket;
    int releases = 0;
    int peer = connect_full(JUST_PASSIVE, &socket, &full);

    (void)state;
    fail_after(0, false);
    assert_int_equal(gentcp_send_ref(socket, "never sent", 10, count_release, &releases), -ENOMEM);
    fail_no_more();
    assert_int_equal(releases, 1);
    close(peer);
}

static void recv_into_allocates_nothing(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(JUST_PASSIVE, &socket);
    uint64_t before = 0;
    char bytes[16];

    (void)state;
    for (int i = 0; i < 3; i++) { /* the first time the thread gets its scratch memory */
        if (i == 1)
            before = atomic_load(&allocate_calls);
        plain_say(peer, "bytes");
        assert_int_equal(gentcp_recv_into(socket, bytes, sizeof bytes, SOON), 5);
    }
    assert_true(atomic_load(&allocate_calls) == before);
    close(peer);
}

int main(void) {
    const gentcp_config config = {
        .allocate = counting_allocate, .resize = counting_resize, .release = counting_release};
    const struct CMUnitTest tests[] = {
        TEST(any_one_allocation_may_fail_and_nothing_leaks),
        TEST(memory_may_end_at_any_moment_and_nothing_leaks),
        TEST(errors_and_ends_are_told_without_memory),
        TEST(without_memory_there_are_no_new_monitors_and_the_others_are_told),
        TEST(passives_are_told_without_memory),
        TEST(recv_without_memory_keeps_the_bytes),
        TEST(recv_without_memory_keeps_the_line),
        TEST(send_ref_without_memory_for_the_queue_is_enomem),
        TEST(recv_into_allocates_nothing),
    };

    if (gentcp_configure(&config) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
