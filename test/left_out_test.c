/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest configuration (sys/config.h), which this program is built with: what remains works, and what is left out
 * answers as what never was. */
#include <sys/un.h>

#include "engine/options.h"
#include "sys/error.h"
#include "test/connection.h"

static void raw_data_and_packets_with_a_length_go_both_ways(void **state) {
    static const int types[] = {GENTCP_RAW, GENTCP_PACKET_1, GENTCP_PACKET_2, GENTCP_PACKET_4};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        pair p = connect_pair(PASSIVE(GENTCP_PACKET(types[i]), GENTCP_NODELAY(true)));
        assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(types[i]), GENTCP_ACTIVE(GENTCP_ONCE))));
        assert_ok(gentcp_send(p.here, "question", 8));
        assert_tcp(p.there, "question");
        assert_ok(gentcp_send(p.there, "answer", 6));
        assert_recv(p.here, 0, "answer");
        assert_ok(gentcp_close(p.here));
        assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_ACTIVE(true))));
        assert_int_equal(assert_told(p.there, GENTCP_TCP_CLOSED), 0);
    }
}

static void packet_types_that_are_left_out_are_unknown(void **state) {
    static const int types[] = {GENTCP_LINE, GENTCP_ASN1, GENTCP_SUNRM, GENTCP_CDR,      GENTCP_FCGI,
                                GENTCP_TPKT, GENTCP_HTTP, GENTCP_HTTPH, GENTCP_HTTP_BIN, GENTCP_HTTPH_BIN};
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_socket none;

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const gentcp_option *options = gentcp_options(GENTCP_PACKET(types[i]));
        assert_int_equal(gentcp_listen(0, options, &none), GENTCP_BADARG);
        assert_int_equal(gentcp_setopts(p.here, options), -EINVAL);
    }
    assert_int_equal(option_of(p.here, GENTCP_OPT_PACKET), GENTCP_RAW);
}

static void options_that_are_left_out_are_unknown(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_socket none;
    int64_t number;

    (void)state;
    assert_int_equal((int)GT_OPTIONS, (int)GENTCP_OPT_LINE_DELIMITER);
    for (int name = GENTCP_OPT_LINE_DELIMITER; name <= GENTCP_OPT_DELIVER; name++) {
        const gentcp_option *options = gentcp_options(GENTCP_OPTION(name, 1));
        assert_int_equal(gentcp_listen(0, options, &none), GENTCP_BADARG);
        assert_int_equal(gentcp_setopts(p.here, options), -EINVAL);
        assert_int_equal(gentcp_getopt(p.here, (enum gentcp_option_name)name, &number), -EINVAL);
    }
    assert_null(gt_option_find("line_delimiter"));
    assert_null(gt_option_find("tos"));
    assert_null(gt_option_find(""));
    assert_non_null(gt_option_find("sndbuf"));
}

static void addresses_of_families_that_are_left_out_are_eafnosupport(void **state) {
    gentcp_address ipv6 = {.size = sizeof ipv6.in6, .in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback}};
    gentcp_address local;
    gentcp_socket none;
    int ends[2];

    (void)state;
    ipv6.in6.sin6_port = htons(80);
    assert_ok(gentcp_address_local("/tmp/nobody", 11, &local));
    assert_int_equal(gentcp_connect_address(&ipv6, NULL, SOON, &none), -EAFNOSUPPORT);
    assert_int_equal(gentcp_connect_address(&local, NULL, SOON, &none), -EAFNOSUPPORT);
    assert_int_equal(gentcp_connect("::1", 80, NULL, SOON, &none), -EAFNOSUPPORT);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_FAMILY(AF_INET6)), &none), GENTCP_BADARG);
    assert_int_equal(gentcp_listen(0, gentcp_options(GENTCP_IP("::1")), &none), GENTCP_BADARG);
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    assert_int_equal(gentcp_fdopen(ends[0], NULL, &none), -EAFNOSUPPORT);
    close(ends[0]);
    close(ends[1]);
}

static void a_host_is_a_number_and_any_name_is_nxdomain(void **state) {
    gentcp_socket none;

    (void)state;
    assert_int_equal(gentcp_connect("localhost", 80, NULL, SOON, &none), GENTCP_NXDOMAIN);
    gentcp_close(connect_pair(NULL).here);
}

static void a_file_is_not_sent_and_the_socket_is_as_it_was(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    uint64_t sent = 1;

    (void)state;
    assert_int_equal(gentcp_sendfile(p.here, 0, 0, 1, &sent), -EOPNOTSUPP);
    assert_ok(gentcp_send(p.here, "bytes", 5));
    assert_recv(p.there, 0, "bytes");
}

static void nothing_is_counted_but_what_is_queued(void **state) {
    pair p = connect_pair(JUST_PASSIVE);
    gentcp_stat stat;

    (void)state;
    assert_ok(gentcp_send(p.here, "bytes", 5));
    assert_recv(p.there, 0, "bytes");
    assert_ok(gentcp_getstat(p.here, &stat));
    assert_int_equal(stat.send_oct + stat.send_cnt + stat.send_pend, 0);
    assert_ok(gentcp_getstat(p.there, &stat));
    assert_int_equal(stat.recv_oct + stat.recv_cnt + stat.recv_max, 0);
}

static void errors_of_tcp_have_their_names(void **state) {
    (void)state;
    assert_string_equal(gt_error_name(GT_CLOSED), "closed");
    assert_string_equal(gt_error_name(-ETIMEDOUT), "etimedout");
    assert_string_equal(gt_error_name(-EAFNOSUPPORT), "eafnosupport");
    assert_string_equal(gt_error_name(-ENOTSUP), "enotsup");
    assert_string_equal(gt_error_name(-EXDEV), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(raw_data_and_packets_with_a_length_go_both_ways),
        TEST(packet_types_that_are_left_out_are_unknown),
        TEST(options_that_are_left_out_are_unknown),
        TEST(addresses_of_families_that_are_left_out_are_eafnosupport),
        TEST(a_host_is_a_number_and_any_name_is_nxdomain),
        TEST(a_file_is_not_sent_and_the_socket_is_as_it_was),
        TEST(nothing_is_counted_but_what_is_queued),
        TEST(errors_of_tcp_have_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
