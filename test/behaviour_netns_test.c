/* SPDX-License-Identifier: Apache-2.0 */
/* Option netns: sockets in another network namespace, made by a child that waits in it; there, IPv6 addresses with a
 * scope as well, for it can be given some. */
#define _GNU_SOURCE /* unshare */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "test/connection.h"

static char path[32]; /* of the namespace; empty: it can't be made here */
static pid_t child;

static int loopback_up(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return ioctl(fd, SIOCSIFFLAGS, &lo);
}

/* The kernel takes a moment until it lets it be used, and doesn't tell. */
static int add_link_local(void) {
    struct in6_ifreq address = {.ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex("lo")};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex("lo")};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bound = -1;

    (void)inet_pton(AF_INET6, "fe80::1", &at.sin6_addr);
    address.ifr6_addr = at.sin6_addr;
    if (ioctl(fd, SIOCSIFADDR, &address) != 0)
        return -1;
    for (int i = 0; i < SOON && bound != 0; i++) {
        bound = bind(fd, (struct sockaddr *)&at, sizeof at);
        if (bound != 0)
            (void)poll(NULL, 0, 1);
    }
    return bound;
}

/* Says 'y' when the namespace is there, 'a' when it has the address too, 'n' when it can't be, and lives on in it. */
static void live_in_a_namespace(int out) {
    char answer = 'n';

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) == 0 && loopback_up() == 0)
        answer = add_link_local() == 0 ? 'a' : 'y';
    (void)!write(out, &answer, 1);
    for (;;)
        pause();
}

static bool with_address;

static int make_namespace(void **state) {
    char answer = 'n';
    int fds[2], own;

    (void)state;
    if (pipe(fds) != 0)
        return -1;
    child = fork();
    if (child < 0)
        return -1;
    if (child == 0)
        live_in_a_namespace(fds[1]);
    if (read(fds[0], &answer, 1) != 1)
        return -1;
    close(fds[0]);
    close(fds[1]);
    with_address = answer == 'a';
    own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (answer == 'n' || own < 0 || setns(own, CLONE_NEWNET) != 0)
        print_message("NOT ALLOWED: network namespaces; their tests are skipped\n");
    else
        (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)child);
    close(own);
    return 0;
}

static int end_namespace(void **state) {
    (void)state;
    (void)kill(child, SIGKILL);
    return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void own_namespace(char name[64]) {
    ssize_t size = readlink("/proc/thread-self/ns/net", name, 63);

    assert_true(size > 0);
    name[size] = 0;
}

static void sockets_live_where_netns_says_and_the_thread_where_it_was(void **state) {
    gentcp_socket listener, socket, accepted;
    char before[64], after[64];
    uint16_t port;

    (void)state;
    if (path[0] == 0)
        skip();
    own_namespace(before);
    listener = listen_on_loopback(gentcp_options(GENTCP_NETNS(path), GENTCP_ACTIVE(false)), &port);
    own_namespace(after);
    assert_string_equal(before, after);
    assert_int_equal(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &socket), -ECONNREFUSED);
    assert_ok(gentcp_connect("127.0.0.1", port, PASSIVE(GENTCP_NETNS(path)), SOON, &socket));
    own_namespace(after);
    assert_string_equal(before, after);
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_send(socket, "there", 5));
    assert_recv(accepted, 5, "there");
}

static void netns_is_read_back_where_it_was_given(void **state) {
    static const char own[] = "/proc/self/ns/net";
    gentcp_socket listener, socket, accepted;
    char text[64], small[6];
    gentcp_option wanted[] = {GENTCP_READ_TEXT(GENTCP_OPT_NETNS, text, sizeof text), GENTCP_END};
    gentcp_option cut[] = {GENTCP_READ_TEXT(GENTCP_OPT_NETNS, small, sizeof small), GENTCP_END};
    gentcp_option absent[] = {GENTCP_READ_TEXT(GENTCP_OPT_NETNS, text, sizeof text), GENTCP_END};
    gentcp_option nowhere[] = {GENTCP_READ_TEXT(GENTCP_OPT_NETNS, NULL, 0), GENTCP_END};
    uint16_t port;

    (void)state;
    if (path[0] == 0)
        skip();
    listener = listen_on_loopback(gentcp_options(GENTCP_NETNS("/first"), GENTCP_NETNS(own)), &port);
    assert_ok(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &socket));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_getopts(listener, wanted));
    assert_string_equal(text, own);
    assert_int_equal(wanted->size, strlen(own));
    assert_ok(gentcp_getopts(listener, cut));
    assert_string_equal(small, "/proc");
    assert_ok(gentcp_getopts(accepted, absent));
    assert_int_equal(absent->name, GENTCP_OPT_ABSENT);
    assert_int_equal(gentcp_getopts(listener, nowhere), -EINVAL);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_NETNS("/is/only/kept"))));
    wanted->size = sizeof text;
    assert_ok(gentcp_getopts(socket, wanted));
    assert_string_equal(text, "/is/only/kept");
}

static void a_path_that_is_no_namespace_is_the_systems_error(void **state) {
    static char long_path[5000];
    gentcp_socket never;

    (void)state;
    memset(long_path, 'x', sizeof long_path - 1);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS("/no/such/file")), &never), -ENOENT);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS("")), &never), -ENOENT);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS(long_path)), &never), -ENAMETOOLONG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS(NULL)), &never), GENTCP_BADARG);
    if (path[0] == 0)
        skip();
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS("/tmp")), &never), -EINVAL);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_NETNS("/proc/self/ns/uts")), &never), -EINVAL);
}

static void a_link_local_address_is_reached_by_its_scopes_name(void **state) {
    gentcp_socket listener, socket, accepted;
    gentcp_address at;
    uint16_t port;
    char text[GENTCP_ADDRESS_TEXT];

    (void)state;
    if (path[0] == 0 || !with_address)
        skip();
    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_NETNS(path), GENTCP_IP("fe80::1%lo")), &listener));
    assert_ok(gentcp_port(listener, &port));
    assert_ok(gentcp_connect("fe80::1%lo", port, PASSIVE(GENTCP_NETNS(path)), SOON, &socket));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_peername(socket, &at));
    assert_ok(gentcp_address_format(&at, text, sizeof text));
    assert_string_equal(text, "fe80::1%lo");
    assert_ok(gentcp_connect_address(&at, PASSIVE(GENTCP_NETNS(path)), SOON, &socket));
    at.in6.sin6_scope_id = 0;
    assert_int_equal(gentcp_connect_address(&at, PASSIVE(GENTCP_NETNS(path)), SOON, &socket), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sockets_live_where_netns_says_and_the_thread_where_it_was),
        TEST(netns_is_read_back_where_it_was_given),
        TEST(a_path_that_is_no_namespace_is_the_systems_error),
        TEST(a_link_local_address_is_reached_by_its_scopes_name),
    };

    return cmocka_run_group_tests(tests, make_namespace, end_namespace);
}
