/* SPDX-License-Identifier: Apache-2.0 */
/* Options that are out of range, out of place, or none: an error, and nothing has changed. */
#include "test/connection.h"

#include "engine/options.h"

static gentcp_socket some_socket;

static void assert_option(gentcp_socket socket, int name, int64_t number, int64_t extra, bool good) {
    gentcp_option list[] = {gentcp_option_make(name, number, extra, NULL), GENTCP_END};
    int status = gentcp_setopts(socket, list);

    if (good && status == -EPERM) /* priorities above 6 are root's */
        status = 0;
    if (status != (good ? 0 : -EINVAL))
        fail_msg("%s %lld %lld is %s", gt_option_rows[name].name, (long long)number, (long long)extra,
                 gentcp_error_name(status));
    if (!good) {
        assert_int_equal(gentcp_listen(0, list, &some_socket), GENTCP_BADARG);
        assert_int_equal(gentcp_connect("127.0.0.1", 1, list, 1, &some_socket), GENTCP_BADARG);
    }
}

static void every_option_takes_its_range_and_nothing_outside(void **state) {
    int peer = connect_plain(JUST_PASSIVE, &some_socket);
    gentcp_socket socket = some_socket;

    (void)state;
    for (int name = 0; name < GT_OPTIONS; name++) {
        const gt_option_row *row = &gt_option_rows[name];
        bool numeric = row->owner != GT_OF_HOST &&
                       (row->type == GT_TYPE_BOOL || row->type == GT_TYPE_INT || row->type == GT_TYPE_TIMEOUT);
        if ((row->where & GT_AT_SET) == 0 || (row->owner == GT_OF_SYSTEM && row->level == IPPROTO_IPV6) ||
            name == GENTCP_OPT_BIND_TO_DEVICE)
            continue;
        assert_option(socket, name, INT64_MIN, 0, false);
        assert_option(socket, name, INT64_MAX, 0, false);
        assert_option(socket, name, (int64_t)1 << 32, 0, false);
        assert_option(socket, name, -((int64_t)1 << 32), 0, false);
        if (!numeric)
            continue;
        assert_option(socket, name, (int64_t)row->low - (row->type == GT_TYPE_TIMEOUT ? 2 : 1), 0, false);
        assert_option(socket, name, row->low, 0, true);
        assert_option(socket, name, row->high, 0, true);
        assert_option(socket, name, (int64_t)row->high + 1, 0, false);
    }
    assert_option(socket, GENTCP_OPT_SEND_TIMEOUT, GENTCP_INFINITY, 0, true);
    close(peer);
}

static void options_of_several_numbers_take_their_ranges(void **state) {
    static const struct {
        int name;
        int64_t number, extra;
        bool good;
    } rows[] = {
        {GENTCP_OPT_ACTIVE, -1, 0, false},
        {GENTCP_OPT_ACTIVE, GENTCP_PASSIVE, 0, true},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, 32767, true},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, -32768, true},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, 32768, false},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, -32769, false},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, ((int64_t)1 << 32) + 1, false},
        {GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT + 1, 0, false},
        {GENTCP_OPT_MODE, 0, 0, false},
        {GENTCP_OPT_MODE, 1, 0, false},
        {GENTCP_OPT_PACKET, -1, 0, false},
        {GENTCP_OPT_PACKET, 0, 0, true},
        {GENTCP_OPT_PACKET, 1, 0, true},
        {GENTCP_OPT_PACKET, 2, 0, true},
        {GENTCP_OPT_PACKET, 3, 0, false},
        {GENTCP_OPT_PACKET, 4, 0, true},
        {GENTCP_OPT_PACKET, 5, 0, false},
        {GENTCP_OPT_PACKET, 15, 0, false},
        {GENTCP_OPT_PACKET, GENTCP_LINE, 0, true},
        {GENTCP_OPT_PACKET, GENTCP_HTTPH, 0, true},
        {GENTCP_OPT_PACKET, 99, 0, false},
        {GENTCP_OPT_PACKET, 256, 0, false},
        {GENTCP_OPT_LINGER, -1, 0, false},
        {GENTCP_OPT_LINGER, 0, 0, true},
        {GENTCP_OPT_LINGER, 1, 65535, true},
        {GENTCP_OPT_LINGER, 2, 0, false},
        {GENTCP_OPT_LINGER, 1, -1, false},
        {GENTCP_OPT_LINGER, 1, 65536, false},
        {GENTCP_OPT_LINGER, 1, 0, true},
    };
    int peer = connect_plain(JUST_PASSIVE, &some_socket);
    gentcp_socket socket = some_socket;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_option(socket, rows[i].name, rows[i].number, rows[i].extra, rows[i].good);
    for (int name = GT_OPTIONS; name < GT_OPTIONS + 9; name++)
        assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_OPTION(name, 0))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_OPTION(65536, 0))), -EINVAL);
    assert_int_equal(gentcp_setopts(socket, gentcp_options(GENTCP_OPTION(GENTCP_OPT_ABSENT, 0))), -EINVAL);
    close(peer);
}

static void options_for_opening_only_take_their_ranges(void **state) {
    const struct {
        gentcp_option option;
        bool connect, listen; /* takes it */
    } rows[] = {
        {GENTCP_FAMILY(AF_INET), true, true},
        {GENTCP_FAMILY(-1), false, false},
        {GENTCP_FAMILY(AF_INET + 256), false, false},
        {GENTCP_INET_BACKEND(-1), false, false},
        {GENTCP_INET_BACKEND(GENTCP_INET), true, true},
        {GENTCP_INET_BACKEND(2), false, false},
        {GENTCP_PORT(-1), false, false},
        {GENTCP_PORT(0), true, false},
        {GENTCP_PORT(65536), false, false},
        {GENTCP_BACKLOG(-1), false, false},
        {GENTCP_BACKLOG(0), false, true},
        {GENTCP_BACKLOG(65535), false, true},
        {GENTCP_BACKLOG(65536), false, false},
        {GENTCP_IP(""), false, false},
        {GENTCP_IP("localhost"), false, false},
        {GENTCP_IP("1.2.3.4.5"), false, false},
        {GENTCP_IP("127.0.0.1"), true, true},
        {GENTCP_ACTIVE_N(32768), false, false},
        {GENTCP_LINE_DELIMITER(256), false, false},
        {GENTCP_OPTION(1000, 0), false, false},
        {GENTCP_OPTION(GENTCP_OPT_ABSENT, 0), false, false},
        {GENTCP_OPTION(GENTCP_OPT_MODE, 1), false, false},
    };
    uint16_t port;

    (void)state;
    listen_on_loopback(NULL, &port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gentcp_option *list = gentcp_options(rows[i].option);
        assert_int_equal(gentcp_connect("127.0.0.1", port, list, SOON, &some_socket),
                         rows[i].connect ? 0 : GENTCP_BADARG);
        assert_int_equal(gentcp_listen(0, list, &some_socket), rows[i].listen ? 0 : GENTCP_BADARG);
    }
}

static void a_list_of_options_without_an_end_in_sight_is_refused(void **state) {
    gentcp_option list[GENTCP_OPTIONS_MAX + 2];
    int peer = connect_plain(JUST_PASSIVE, &some_socket);
    gentcp_socket socket = some_socket;

    (void)state;
    for (int i = 0; i <= GENTCP_OPTIONS_MAX; i++)
        list[i] = GENTCP_NODELAY(true);
    list[GENTCP_OPTIONS_MAX + 1] = GENTCP_END;
    assert_int_equal(gentcp_setopts(socket, list), -EINVAL);
    assert_int_equal(gentcp_listen(0, list, &some_socket), GENTCP_BADARG);
    assert_int_equal(gentcp_connect("127.0.0.1", 1, list, SOON, &some_socket), GENTCP_BADARG);
    assert_ok(gentcp_setopts(socket, list + 1));
    assert_ok(gentcp_setopts(socket, (gentcp_option[]){GENTCP_END}));
    close(peer);
}

static void an_option_is_found_by_its_name_and_by_no_other(void **state) {
    (void)state;
    for (int name = 0; name < GT_OPTIONS; name++)
        assert_ptr_equal(gt_option_find(gt_option_rows[name].name), &gt_option_rows[name]);
    assert_null(gt_option_find(""));
    assert_null(gt_option_find("activ"));
    assert_null(gt_option_find("active "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_option_is_found_by_its_name_and_by_no_other),
        TEST(every_option_takes_its_range_and_nothing_outside),
        TEST(options_of_several_numbers_take_their_ranges),
        TEST(options_for_opening_only_take_their_ranges),
        TEST(a_list_of_options_without_an_end_in_sight_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
