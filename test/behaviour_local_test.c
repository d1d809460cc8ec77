/* SPDX-License-Identifier: Apache-2.0 */
/* Local sockets (AF_UNIX): their names, and what differs on them. */
#include <sys/stat.h>

#include "test/connection.h"

/* A path that is nobody else's, and doesn't exist yet. */
static const char *new_path(void) {
    static char path[64];
    static int count;

    (void)snprintf(path, sizeof path, "/tmp/gentcp-local-%d-%d", (int)getpid(), count++);
    (void)unlink(path);
    return path;
}

/* An abstract name that no other process has: its text, good until three more were asked for. */
static const char *own(const char *name) {
    static char text[4][64];
    static int next;
    char *this = text[next++ % 4];

    (void)snprintf(this, sizeof text[0], "@gentcp-%d-%s", (int)getpid(), name);
    return this;
}

static gentcp_address address_of(const char *text) {
    gentcp_address address;

    assert_ok(gentcp_address_parse(text, 0, &address));
    return address;
}

static gentcp_address name_of(gentcp_socket socket, int (*name)(gentcp_socket, gentcp_address *)) {
    gentcp_address address;

    assert_ok(name(socket, &address));
    return address;
}

static void assert_name(gentcp_socket socket, int (*name)(gentcp_socket, gentcp_address *), const char *text) {
    gentcp_address address = name_of(socket, name);
    char got[GENTCP_ADDRESS_TEXT];

    assert_int_equal(address.any.sa_family, AF_UNIX);
    assert_ok(gentcp_address_format(&address, got, sizeof got));
    assert_string_equal(got, text);
    assert_int_equal(gentcp_address_port(&address), 0);
}

static pair connect_local(const char *name, const gentcp_option *options) {
    gentcp_address at = address_of(name);
    gentcp_socket listener;
    pair p;

    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_IP(name)), &listener));
    assert_ok(gentcp_connect_address(&at, options, SOON, &p.here));
    assert_ok(gentcp_accept(listener, SOON, &p.there));
    assert_ok(gentcp_close(listener));
    return p;
}

static void local_addresses_are_read_and_written_as_text(void **state) {
    static const char *const good[] = {"/run/x.sock", "./x", "@x", "a/b", "/with a blank", "@with/a/slash"};
    static const char *const bad[] = {"x.sock", ""};
    gentcp_address address;
    char text[GENTCP_ADDRESS_TEXT], small[4];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(gentcp_address_parse(good[i], 0, &address));
        assert_int_equal(address.any.sa_family, AF_UNIX);
        assert_int_equal(gentcp_address_port(&address), 0);
        assert_ok(gentcp_address_format(&address, text, sizeof text));
        assert_string_equal(text, good[i]);
        assert_int_equal(gentcp_address_parse(good[i], 1, &address), GENTCP_BADARG);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gentcp_address_parse(bad[i], 0, &address), GENTCP_BADARG);
    address = address_of("/run/x.sock");
    assert_int_equal(gentcp_address_format(&address, small, sizeof small), -ENOSPC);
    address.size = sizeof address;
    assert_int_equal(gentcp_address_format(&address, text, sizeof text), GENTCP_BADARG);
}

static void a_name_is_made_of_its_bytes_if_the_system_can_have_it(void **state) {
    char name[110];
    gentcp_address address;

    (void)state;
    memset(name, 'n', sizeof name);
    assert_ok(gentcp_address_local(name, 107, &address));
    assert_int_equal(gentcp_address_local(name, 108, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_local(name, SIZE_MAX, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_local("", 0, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_local(NULL, 1, &address), GENTCP_BADARG);
    assert_int_equal(gentcp_address_local(name, 1, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_address_local("/a\0b", 4, &address), GENTCP_BADARG);
    name[0] = 0;
    name[50] = 0;
    assert_ok(gentcp_address_local(name, 108, &address));
    assert_int_equal(gentcp_address_local(name, 109, &address), GENTCP_BADARG);
}

static void a_path_and_an_abstract_name_carry_bytes_both_ways(void **state) {
    const char *names[2] = {new_path(), own("both")};

    (void)state;
    for (int i = 0; i < 2; i++) {
        pair p = connect_local(names[i], PASSIVE(GENTCP_PACKET(4)));
        assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(4))));
        assert_ok(gentcp_send(p.here, "there", 5));
        assert_recv(p.there, 0, "there");
        assert_ok(gentcp_send(p.there, "here", 4));
        assert_recv(p.here, 0, "here");
        assert_ok(gentcp_close(p.here));
        assert_int_equal(recv_status(p.there, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(recv_status(p.there, 0, SOON), -ENOTCONN);
    }
    assert_ok(unlink(names[0]));
}

static void an_active_local_socket_gets_messages_and_its_end(void **state) {
    pair p = connect_local(own("active"), NULL);

    (void)state;
    assert_ok(gentcp_send(p.there, "now", 3));
    assert_tcp(p.here, "now");
    assert_ok(gentcp_close(p.there));
    assert_told(p.here, GENTCP_TCP_CLOSED);
}

static void both_ends_know_their_names_and_unnamed_is_empty(void **state) {
    const char *path = new_path();
    pair p = connect_local(path, JUST_PASSIVE);
    uint16_t port = 1;

    (void)state;
    assert_name(p.here, gentcp_sockname, "");
    assert_name(p.here, gentcp_peername, path);
    assert_name(p.there, gentcp_sockname, path);
    assert_name(p.there, gentcp_peername, "");
    assert_ok(gentcp_port(p.there, &port));
    assert_int_equal(port, 0);
    assert_ok(unlink(path));
}

static void a_connection_comes_from_where_ip_says(void **state) {
    pair p = connect_local(own("to"), PASSIVE(GENTCP_IP(own("from")), GENTCP_FAMILY(AF_UNIX), GENTCP_PORT(0)));

    (void)state;
    assert_name(p.there, gentcp_peername, own("from"));
}

static void an_abstract_name_may_have_zeros_in_it(void **state) {
    char name[32] = "", text[32];
    int size = snprintf(name + 1, sizeof name - 1, "gentcp-%d", (int)getpid()) + 3;
    gentcp_socket listener, socket;
    gentcp_address at, found;

    (void)state;
    name[size++] = 'z'; /* after a 0 at both ends of "gentcp-…", and one more */
    (void)snprintf(text, sizeof text, "@gentcp-%d@@z", (int)getpid());
    assert_ok(gentcp_address_local(name, (size_t)size, &at));
    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_IFADDR(&at)), &listener));
    found = name_of(listener, gentcp_sockname);
    assert_int_equal(found.size, at.size);
    assert_memory_equal(&found.any, &at.any, at.size);
    assert_name(listener, gentcp_sockname, text);
    assert_ok(gentcp_connect_address(&at, JUST_PASSIVE, SOON, &socket));
}

static void with_family_local_any_text_is_a_path(void **state) {
    char directory[64];
    gentcp_socket listener;

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s", new_path());
    assert_ok(mkdir(directory, 0700));
    assert_ok(chdir(directory));
    assert_ok(gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_UNIX), GENTCP_IP("any")), &listener));
    assert_name(listener, gentcp_sockname, "any");
    assert_ok(unlink("any"));
    assert_ok(chdir("/"));
    assert_ok(rmdir(directory));
}

static void a_listener_leaves_its_path_behind(void **state) {
    const char *path = new_path();
    gentcp_socket listener, again;
    gentcp_address at = address_of(path);

    (void)state;
    assert_ok(gentcp_listen(0, gentcp_options(GENTCP_IP(path)), &listener));
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP(path)), &again), -EADDRINUSE);
    assert_ok(gentcp_close(listener));
    assert_int_equal(gentcp_connect_address(&at, NULL, SOON, &again), -ECONNREFUSED);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP(path)), &again), -EADDRINUSE);
    assert_ok(unlink(path));
    assert_int_equal(gentcp_connect_address(&at, NULL, SOON, &again), -ENOENT);
}

static void what_a_local_socket_cannot_be_is_refused(void **state) {
    gentcp_address at = address_of(own("refused")), bad = at, no_name = at;
    gentcp_socket listener, never;
    char too_long[200] = "/tmp/";

    (void)state;
    memset(too_long + 5, 'x', sizeof too_long - 6);
    assert_ok(gentcp_listen(0, gentcp_options(GENTCP_IP(own("refused"))), &listener));
    assert_int_equal(gentcp_listen(5, gentcp_options(GENTCP_IP(own("port"))), &never), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP(too_long)), &never), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP("/no/such/directory")), &never), -ENOENT);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_UNIX)), &never), -EINVAL);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_INET), GENTCP_IP("@x")), &never), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IFADDR(NULL)), &never), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("localhost", 0, gentcp_options(GENTCP_FAMILY(AF_UNIX)), SOON, &never),
                     GENTCP_BADARG);
    assert_int_equal(gentcp_connect_address(&at, gentcp_options(GENTCP_FAMILY(AF_INET)), SOON, &never), GENTCP_BADARG);
    assert_int_equal(gentcp_connect_address(&at, gentcp_options(GENTCP_IP("127.0.0.1")), SOON, &never), GENTCP_BADARG);
    assert_int_equal(gentcp_connect_address(&at, gentcp_options(GENTCP_PORT(7)), SOON, &never), -EINVAL);
    assert_int_equal(gentcp_connect_address(&at, NULL, 0, &never), GENTCP_TIMEOUT);
    assert_int_equal(gentcp_connect_address(&at, NULL, -7, &never), GENTCP_BADARG);
    assert_int_equal(gentcp_connect_address(&at, NULL, SOON, NULL), GENTCP_BADARG);
    assert_int_equal(gentcp_connect_address(NULL, NULL, SOON, &never), GENTCP_BADARG);
    bad.size = sizeof bad.un + 1;
    assert_int_equal(gentcp_connect_address(&bad, NULL, SOON, &never), GENTCP_BADARG);
    bad = at;
    bad.any.sa_family = AF_PACKET;
    assert_int_equal(gentcp_connect_address(&bad, NULL, SOON, &never), GENTCP_BADARG);
    no_name.size = offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(gentcp_connect_address(&no_name, NULL, SOON, &never), -EINVAL);
}

static void a_full_backlog_is_eagain(void **state) {
    gentcp_address at = address_of(own("full"));
    gentcp_socket listener, socket;
    int answer = 0;

    (void)state;
    assert_ok(gentcp_listen(0, PASSIVE(GENTCP_IP(own("full")), GENTCP_BACKLOG(1)), &listener));
    for (int i = 0; i < 5 && answer == 0; i++)
        answer = gentcp_connect_address(&at, JUST_PASSIVE, SOON, &socket);
    assert_int_equal(answer, -EAGAIN);
    assert_ok(gentcp_accept(listener, SOON, &socket));
    assert_ok(gentcp_connect_address(&at, JUST_PASSIVE, SOON, &socket));
}

/* As inet has it: nodelay is taken and has no effect; what belongs to IP is refused, and absent. */
static void options_of_tcp_and_ip_on_a_local_socket(void **state) {
    pair p = connect_local(own("options"), PASSIVE(GENTCP_NODELAY(true), GENTCP_KEEPALIVE(true)));
    gentcp_option wanted[] = {GENTCP_NODELAY(7),     GENTCP_TOS(7),       GENTCP_TTL(7),       GENTCP_RECVTOS(7),
                              GENTCP_IPV6_V6ONLY(7), GENTCP_KEEPALIVE(7), GENTCP_OPTION(0, 0), GENTCP_END};
    const gentcp_option refused[] = {GENTCP_TOS(16),      GENTCP_TTL(5),        GENTCP_TCLASS(5),
                                     GENTCP_RECVTOS(1),   GENTCP_RECVTTL(1),    GENTCP_RECVTCLASS(1),
                                     GENTCP_KEEPIDLE(10), GENTCP_IPV6_V6ONLY(1)};
    int64_t number;

    (void)state;
    assert_ok(gentcp_setopts(p.here, gentcp_options(GENTCP_NODELAY(false), GENTCP_SNDBUF(20000), GENTCP_PRIORITY(3))));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(gentcp_setopts(p.here, gentcp_options(refused[i])), -EINVAL);
    assert_ok(gentcp_getopts(p.here, wanted));
    for (int i = 0; i < 5; i++)
        assert_int_equal(wanted[i].name, GENTCP_OPT_ABSENT);
    assert_int_equal(wanted[5].number, 1);
    assert_int_equal(gentcp_getopt(p.here, GENTCP_OPT_PKTOPTIONS, &number), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(local_addresses_are_read_and_written_as_text),
        TEST(a_name_is_made_of_its_bytes_if_the_system_can_have_it),
        TEST(a_path_and_an_abstract_name_carry_bytes_both_ways),
        TEST(an_active_local_socket_gets_messages_and_its_end),
        TEST(both_ends_know_their_names_and_unnamed_is_empty),
        TEST(a_connection_comes_from_where_ip_says),
        TEST(an_abstract_name_may_have_zeros_in_it),
        TEST(with_family_local_any_text_is_a_path),
        TEST(a_listener_leaves_its_path_behind),
        TEST(what_a_local_socket_cannot_be_is_refused),
        TEST(a_full_backlog_is_eagain),
        TEST(options_of_tcp_and_ip_on_a_local_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
