/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting by name. getaddrinfo(3) is this file's for names under .test, so that the answers are known and can be
 * late; for all else it is the system's. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>

#include "test/connection.h"

enum { LOOKUPS_AT_ONCE = 16 };

static char made_here[] = "";

/* ---- late answers ---- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int at_gate, most_at_gate;

static void pass_gate(void) {
    pthread_mutex_lock(&gate_lock);
    if (++at_gate > most_at_gate)
        most_at_gate = at_gate;
    pthread_cond_broadcast(&gate_changed);
    while (!gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    at_gate--;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void set_gate(bool open) {
    pthread_mutex_lock(&gate_lock);
    gate_open = open;
    most_at_gate = at_gate;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static void await_at_gate(int count) {
    pthread_mutex_lock(&gate_lock);
    while (at_gate != count)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static bool anybody_at_gate(void) {
    bool anybody;

    pthread_mutex_lock(&gate_lock);
    anybody = at_gate > 0;
    pthread_mutex_unlock(&gate_lock);
    return anybody;
}

/* ---- the names ---- */

static struct addrinfo *info_of(const char *address) {
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in6));
    struct sockaddr_in *in;
    struct sockaddr_in6 *in6;

    if (info == NULL)
        abort();
    in = (struct sockaddr_in *)(void *)(info + 1);
    in6 = (struct sockaddr_in6 *)(void *)(info + 1);
    info->ai_canonname = made_here;
    info->ai_addr = (struct sockaddr *)(info + 1);
    if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
        info->ai_family = in->sin_family = AF_INET;
        info->ai_addrlen = sizeof *in;
    } else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
        info->ai_family = in6->sin6_family = AF_INET6;
        info->ai_addrlen = sizeof *in6;
    }
    return info;
}

static int answer(const char *first, const char *second, int family, struct addrinfo **out) {
    const char *addresses[] = {first, second};
    struct addrinfo **end = out;

    *out = NULL;
    for (int i = 0; i < 2; i++) {
        struct addrinfo *info = info_of(addresses[i]);
        if (family != AF_UNSPEC && family != info->ai_family) {
            free(info);
            continue;
        }
        *end = info;
        end = &info->ai_next;
    }
    return 0;
}

static int of_this_file(const char *name, int family, struct addrinfo **out) {
    if (strcmp(name, "second.test") == 0)
        return answer("127.0.0.2", "127.0.0.1", family, out);
    if (strcmp(name, "first.test") == 0)
        return answer("127.0.0.1", "127.0.0.2", family, out);
    if (strcmp(name, "dual.test") == 0)
        return answer("::1", "127.0.0.1", family, out);
    if (strcmp(name, "unreachable.test") == 0)
        return answer("127.0.0.1", "2001:db8::1", family, out);
    if (strcmp(name, "again.test") == 0)
        return EAI_AGAIN;
    if (strcmp(name, "memory.test") == 0)
        return EAI_MEMORY;
    if (strcmp(name, "slow.test") != 0)
        return EAI_NONAME;
    pass_gate();
    return answer("127.0.0.1", "127.0.0.1", family, out);
}

/* glibc's names of the parameters aren't ours to use. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    size_t length = strlen(name);

    if ((hints->ai_flags & AI_NUMERICHOST) == 0 && length > 5 && strcmp(name + length - 5, ".test") == 0)
        return of_this_file(name, hints->ai_family, out);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, out);
}

void freeaddrinfo(struct addrinfo *info) {
    void (*real)(struct addrinfo *);

    if (info == NULL || info->ai_canonname != made_here) {
        *(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
        real(info);
        return;
    }
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* ---- tests ---- */

static int connect_status(const char *host, uint16_t port, const gentcp_option *options, int64_t timeout) {
    gentcp_socket socket;
    int status = gentcp_connect(host, port, options, timeout, &socket);

    if (status == 0)
        assert_ok(gentcp_close(socket));
    return status;
}

static void names_and_numeric_addresses_connect(void **state) {
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(gentcp_options(GENTCP_BACKLOG(16)), &port);
    assert_ok(connect_status("localhost", port, NULL, SOON));
    assert_ok(connect_status("127.0.0.1", port, NULL, SOON));
    assert_ok(connect_status("127.1", port, NULL, SOON));
    assert_ok(connect_status("localhost", port, gentcp_options(GENTCP_FAMILY(AF_INET)), GENTCP_INFINITY));
}

static void unknown_names_are_nxdomain(void **state) {
    static char endless[3000];

    (void)state;
    memset(endless, 'a', sizeof endless - 1);
    assert_int_equal(connect_status("unknown.test", 1, NULL, SOON), GENTCP_NXDOMAIN);
    assert_int_equal(connect_status("again.test", 1, NULL, SOON), GENTCP_NXDOMAIN);
    assert_int_equal(connect_status(endless, 1, NULL, SOON), GENTCP_NXDOMAIN);
    assert_int_equal(connect_status("::1", 1, gentcp_options(GENTCP_FAMILY(AF_INET)), SOON), GENTCP_NXDOMAIN);
    assert_int_equal(connect_status("::1", 1, gentcp_options(GENTCP_IP("127.0.0.1")), SOON), GENTCP_NXDOMAIN);
    assert_int_equal(connect_status("memory.test", 1, NULL, SOON), -ENOMEM);
}

static void all_addresses_of_a_name_are_tried_in_both_families(void **state) {
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(gentcp_options(GENTCP_BACKLOG(16)), &port);
    assert_ok(connect_status("second.test", port, NULL, SOON));
    assert_ok(connect_status("dual.test", port, NULL, SOON));
    assert_ok(connect_status("dual.test", port, gentcp_options(GENTCP_FAMILY(AF_INET)), SOON));
    assert_ok(connect_status("dual.test", port, gentcp_options(GENTCP_IP("127.0.0.1")), SOON));
    assert_true(connect_status("dual.test", port, gentcp_options(GENTCP_FAMILY(AF_INET6)), SOON) < 0);
}

static void an_unreachable_address_does_not_hide_what_another_has_said(void **state) {
    uint16_t port;
    gentcp_socket listener = listen_on_loopback(NULL, &port);

    (void)state;
    assert_ok(gentcp_close(listener));
    assert_int_equal(connect_status("unreachable.test", port, NULL, SOON), -ECONNREFUSED);
}

static void a_timeout_of_0_is_timeout_after_the_options_were_checked(void **state) {
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(NULL, &port);
    assert_int_equal(connect_status("127.0.0.1", port, NULL, 0), GENTCP_TIMEOUT);
    assert_int_equal(connect_status("127.0.0.1", port, gentcp_options(GENTCP_BUFFER(-1)), 0), GENTCP_BADARG);
    assert_int_equal(connect_status("slow.test", port, gentcp_options(GENTCP_BUFFER(-1)), SOON), GENTCP_BADARG);
}

static void the_timeout_covers_the_lookup(void **state) {
    (void)state;
    set_gate(false);
    do /* the first may be given up before any thread has taken it */
        assert_int_equal(connect_status("slow.test", 1, NULL, BRIEFLY), GENTCP_TIMEOUT);
    while (!anybody_at_gate());
    set_gate(true);
    await_at_gate(0);
}

/* Linux drops what doesn't fit a listener's queue: its connect hangs. */
static void the_first_timeout_ends_the_loop_over_addresses(void **state) {
    enum { MANY = 16 };
    gentcp_socket waiting[MANY];
    uint16_t port;
    int deaf = plain_listener(&port, 0);
    gentcp_socket second;
    int n = 0;

    (void)state;
    assert_ok(gentcp_listen(port, gentcp_options(GENTCP_IP("127.0.0.2")), &second));
    while (n < MANY && gentcp_connect("127.0.0.1", port, NULL, 5 * BRIEFLY, &waiting[n]) == 0)
        n++;
    assert_true(n < MANY);
    assert_ok(connect_status("127.0.0.2", port, NULL, SOON));
    assert_int_equal(connect_status("first.test", port, NULL, 5 * BRIEFLY), GENTCP_TIMEOUT);
    close(deaf);
}

static int connect_slowly(call *c) {
    return gentcp_connect("slow.test", (uint16_t)c->length, NULL, c->timeout, &c->accepted);
}

static void lookups_queue_when_there_are_many_and_all_are_answered(void **state) {
    call calls[LOOKUPS_AT_ONCE + 8];
    enum { CALLS = sizeof calls / sizeof *calls };
    uint16_t port;

    (void)state;
    (void)listen_on_loopback(gentcp_options(GENTCP_BACKLOG(CALLS)), &port);
    set_gate(false);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (call){.make = connect_slowly, .length = port, .timeout = SOON};
        start(&calls[i]);
        assert_true(waits(&calls[i]));
    }
    await_at_gate(LOOKUPS_AT_ONCE);
    assert_int_equal(connect_status("slow.test", port, NULL, BRIEFLY), GENTCP_TIMEOUT); /* given up in the queue */
    assert_ok(connect_status("127.0.0.1", port, NULL, SOON));                           /* nothing to look up */
    set_gate(true);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(finish(&calls[i]), 0);
    assert_in_range(most_at_gate, 1, LOOKUPS_AT_ONCE);
}

static int queue_and_connect_slowly(call *c) {
    const gentcp_option *options =
        gentcp_options(GENTCP_SNDBUF(16 * 1024), GENTCP_HIGH_WATERMARK(1 << 30), GENTCP_LOW_WATERMARK(1 << 30));
    gentcp_socket socket;
    int status = gentcp_connect("127.0.0.1", (uint16_t)c->timeout, options, SOON, &socket);

    if (status == 0)
        status = gentcp_send(socket, c->bytes, c->length);
    return status != 0 ? status : gentcp_connect("slow.test", (uint16_t)c->timeout, NULL, SOON, &socket);
}

static void a_process_that_looks_up_a_name_serves_its_sockets_meanwhile(void **state) {
    enum { SIZE = 4 * 1024 * 1024 };
    char *bytes = calloc(1, SIZE), *got = calloc(1, SIZE);
    call caller = {.make = queue_and_connect_slowly, .bytes = bytes, .length = SIZE};
    uint16_t port;
    int listener = plain_listener(&port, 4);
    int peer;

    (void)state;
    assert_true(bytes != NULL && got != NULL);
    set_gate(false);
    caller.timeout = port;
    start(&caller);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(plain_read(peer, got, SIZE, SOON), SIZE);
    assert_true(waits(&caller));
    set_gate(true);
    assert_int_equal(finish(&caller), 0);
    close(peer);
    close(listener);
    free(bytes);
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_and_numeric_addresses_connect),
        TEST(unknown_names_are_nxdomain),
        TEST(all_addresses_of_a_name_are_tried_in_both_families),
        TEST(an_unreachable_address_does_not_hide_what_another_has_said),
        TEST(a_timeout_of_0_is_timeout_after_the_options_were_checked),
        TEST(the_timeout_covers_the_lookup),
        TEST(the_first_timeout_ends_the_loop_over_addresses),
        TEST(lookups_queue_when_there_are_many_and_all_are_answered),
        TEST(a_process_that_looks_up_a_name_serves_its_sockets_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
