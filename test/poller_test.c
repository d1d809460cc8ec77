/* SPDX-License-Identifier: Apache-2.0 */
/* Pollers, run by one thread: what is reported, when, and how often. */
#include "test/poller_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sys.h"

static void assert_report(int index, const void *who) {
    assert_in_range(index, 0, report_count - 1);
    assert_ptr_equal(reports[index].who, who);
}

static void drain(int fd) {
    static char bytes[65536];
    ssize_t got = 1;
    while (got > 0)
        got = read(fd, bytes, sizeof bytes);
}

static void ask_again(end *ready, int readiness) {
    (void)readiness;
    gt_poller_again(&ready->watch);
}

static void read_all_and_want_more(end *ready, int readiness) {
    if (readiness & GT_READABLE)
        drain(ready->watch.fd);
    gt_poller_want(&ready->watch, GT_READABLE);
}

/* Readiness */

static void what_is_ready_already_is_reported_after_add(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = make_end(&forgotten);
    write_peer(a, "x");
    assert_int_equal(gt_poller_add(poller, &a->watch), 0);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_report(0, a);
    assert_int_equal(reports[0].readiness, GT_READABLE | GT_WRITABLE);
    close_end(a);
    close_poller(poller);
}

static void bytes_are_reported_once_until_more_are_wanted_and_arrive(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    for (int i = 0; i < 3; i++) {
        clear_reports();
        gt_poller_want(&a->watch, GT_READABLE);
        assert_int_equal(gt_poller_run(poller, 0, 10), 0);
        write_peer(a, "x");
        assert_int_equal(gt_poller_run(poller, -1, 10), 1);
        assert_true(reports[0].readiness & GT_READABLE);
        assert_int_equal(gt_poller_run(poller, 0, 10), 0);
        char byte;
        assert_int_equal(read(a->watch.fd, &byte, 1), 1);
    }
    close_end(a);
    close_poller(poller);
}

static void bytes_left_unread_are_not_reported_again_unasked(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    gt_poller_want(&a->watch, GT_READABLE);
    write_peer(a, "xyz");
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_end(a);
    close_poller(poller);
}

static void room_to_write_is_reported_when_it_appears(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    static char bytes[65536];
    ssize_t put = 1;
    while (put > 0)
        put = write(a->watch.fd, bytes, sizeof bytes);
    assert_int_equal(errno, EAGAIN);
    gt_poller_want(&a->watch, GT_WRITABLE);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    drain(a->peer);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_true(reports[0].readiness & GT_WRITABLE);
    close_end(a);
    close_poller(poller);
}

static void the_peers_end_is_readable_and_a_hangup(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    gt_poller_want(&a->watch, GT_READABLE);
    assert_int_equal(shutdown(a->peer, SHUT_WR), 0);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_int_equal(reports[0].readiness & (GT_READABLE | GT_HANGUP), GT_READABLE | GT_HANGUP);
    close_end(a);
    close_poller(poller);
}

/* Whoever waits to write must hear of it too. */
static void a_broken_connection_is_reported_as_everything(void **state) {
    (void)state;
    for (int wanted = GT_READABLE; wanted <= GT_WRITABLE; wanted++) {
        int forgotten = 0;
        gt_poller *poller = open_poller();
        end *a = open_end(poller, &forgotten);
        gt_poller_want(&a->watch, wanted);
        settle(poller);
        gt_poller_want(&a->watch, wanted);
        assert_int_equal(close(a->peer), 0);
        a->peer = -1;
        assert_int_equal(gt_poller_run(poller, -1, 10), 1);
        assert_int_equal(reports[0].readiness, ALL);
        close_end(a);
        close_poller(poller);
    }
}

static void a_hangup_does_not_make_it_spin(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    assert_int_equal(close(a->peer), 0);
    a->peer = -1;
    settle(poller);
    assert_int_equal(gt_poller_run(poller, 20, 10), 0);
    close_end(a);
    close_poller(poller);
}

static void a_run_reports_at_most_max_events_and_the_next_the_others(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *ends[10];
    for (int i = 0; i < 10; i++) {
        ends[i] = open_end(poller, &forgotten);
        gt_poller_want(&ends[i]->watch, GT_READABLE);
    }
    for (int i = 0; i < 10; i++)
        write_peer(ends[i], "x");
    assert_int_equal(gt_poller_run(poller, 0, 3), 3);
    assert_int_equal(gt_poller_run(poller, 0, 3), 3);
    assert_int_equal(gt_poller_run(poller, 0, 3), 3);
    assert_int_equal(gt_poller_run(poller, 0, 3), 1);
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(reports[i].who, reports[j].who);
    for (int i = 0; i < 10; i++)
        close_end(ends[i]);
    close_poller(poller);
}

static void spend_much(end *ready, int readiness) {
    (void)readiness;
    gt_poller_spent(&ready->watch, (size_t)64 * 1024);
}

static void runs_that_read_much_report_fewer_until_they_read_little_again(void **state) {
    (void)state;
    enum { ENDS = 12, FEW = 4 }; /* 256 KiB a run */
    int forgotten = 0;
    end *ends[ENDS];
    gt_poller *poller = open_poller();
    for (int i = 0; i < ENDS; i++) {
        ends[i] = open_end(poller, &forgotten);
        ends[i]->on_ready = spend_much;
    }
    for (int i = 0; i < ENDS; i++)
        gt_poller_again(&ends[i]->watch);
    assert_int_equal(gt_poller_run(poller, 0, 100), ENDS); /* nothing was known of them yet */
    for (int i = 0; i < ENDS; i++)
        gt_poller_again(&ends[i]->watch);
    for (int run = 0; run < ENDS / FEW; run++)
        assert_int_equal(gt_poller_run(poller, 0, 100), FEW);
    for (int i = 0; i < ENDS; i++) {
        ends[i]->on_ready = NULL;
        gt_poller_again(&ends[i]->watch);
    }
    assert_int_equal(gt_poller_run(poller, 0, 100), FEW);
    assert_int_equal(gt_poller_run(poller, 0, 100), ENDS - FEW);
    for (int i = 0; i < ENDS; i++)
        close_end(ends[i]);
    close_poller(poller);
}

static end *to_wake;

static void spend_much_and_ask_for_more(end *ready, int readiness) {
    spend_much(ready, readiness);
    gt_poller_again(&ready->watch);
    if (to_wake != NULL)
        write_peer(to_wake, "x");
    to_wake = NULL;
}

static void a_run_that_goes_on_gives_who_is_alone_four_turns_of_64_KiB(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    a->on_ready = spend_much_and_ask_for_more;
    gt_poller_again(&a->watch);
    assert_int_equal(gt_poller_run_on(poller, 100), 1);
    assert_int_equal(report_count, 4);
    assert_int_equal(gt_poller_run(poller, 0, 100), 1);
    assert_int_equal(report_count, 5);
    close_end(a);
    close_poller(poller);
}

static void a_run_that_goes_on_reports_between_two_turns_what_has_become_ready(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    end *b = open_end(poller, &forgotten);
    to_wake = b;
    gt_poller_want(&b->watch, GT_READABLE);
    a->on_ready = spend_much_and_ask_for_more;
    gt_poller_again(&a->watch);
    assert_int_equal(gt_poller_run_on(poller, 100), 2);
    assert_ptr_equal(reports[0].who, a);
    assert_true(reports[1].who == b || reports[2].who == b); /* before or after a's second turn, by turns */
    close_end(a);
    close_end(b);
    close_poller(poller);
}

static void ask_for_more(end *ready, int readiness) {
    (void)readiness;
    gt_poller_again(&ready->watch);
}

static void a_run_goes_on_only_with_those_who_read_much(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    assert_int_equal(gt_poller_run_on(poller, 100), 0);
    a->on_ready = ask_for_more;
    gt_poller_again(&a->watch);
    assert_int_equal(gt_poller_run_on(poller, 100), 1);
    assert_int_equal(report_count, 1);
    a->on_ready = spend_much;
    assert_int_equal(gt_poller_run_on(poller, 100), 1);
    assert_int_equal(report_count, 2);
    close_end(a);
    close_poller(poller);
}

static void a_run_is_crowded_if_it_reports_more_than_two(void **state) {
    (void)state;
    enum { ENDS = 3 };
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *ends[ENDS];
    for (int i = 0; i < ENDS; i++)
        ends[i] = open_end(poller, &forgotten);
    for (int i = 0; i < ENDS; i++)
        gt_poller_again(&ends[i]->watch);
    assert_int_equal(gt_poller_run(poller, 0, 100), ENDS);
    assert_true(gt_poller_crowded(poller));
    assert_int_equal(gt_poller_run(poller, 0, 100), 0); /* tells nothing new */
    assert_true(gt_poller_crowded(poller));
    for (int i = 0; i < ENDS - 1; i++)
        gt_poller_again(&ends[i]->watch);
    assert_int_equal(gt_poller_run(poller, 0, 100), ENDS - 1);
    assert_false(gt_poller_crowded(poller));
    for (int i = 0; i < ENDS; i++)
        close_end(ends[i]);
    close_poller(poller);
}

static void a_max_events_out_of_range_is_brought_into_it(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *ends[200];
    for (int i = 0; i < 200; i++) {
        ends[i] = make_end(&forgotten);
        assert_int_equal(gt_poller_add(poller, &ends[i]->watch), 0);
    }
    assert_int_equal(gt_poller_run(poller, 0, 0), 1);
    assert_int_equal(gt_poller_run(poller, 0, 1000), 128);
    assert_int_equal(gt_poller_run(poller, 0, 1000), 71);
    for (int i = 0; i < 200; i++)
        close_end(ends[i]);
    assert_int_equal(forgotten, 200);
    close_poller(poller);
}

static void one_event_a_run_serves_all_who_are_ready_all_the_time(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *ends[5];
    for (int i = 0; i < 5; i++) {
        ends[i] = open_end(poller, &forgotten);
        ends[i]->on_ready = read_all_and_want_more;
        gt_poller_want(&ends[i]->watch, GT_READABLE);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 5; i++)
            write_peer(ends[i], "x");
        assert_int_equal(gt_poller_run(poller, 0, 1), 1);
    }
    for (int i = 0; i < 5; i++) {
        int seen = 0;
        for (int j = 0; j < report_count; j++)
            seen += reports[j].who == ends[i];
        assert_int_equal(seen, 2);
    }
    for (int i = 0; i < 5; i++)
        close_end(ends[i]);
    close_poller(poller);
}

/* Turns */

static void turns_come_in_the_order_in_which_they_were_asked_for(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten), *b = open_end(poller, &forgotten), *c = open_end(poller, &forgotten);
    gt_poller_again(&b->watch);
    gt_poller_again(&c->watch);
    gt_poller_again(&a->watch);
    gt_poller_again(&b->watch); /* has its turn already */
    assert_int_equal(gt_poller_next_timeout(poller), 0);
    assert_int_equal(gt_poller_run(poller, -1, 2), 2);
    assert_int_equal(gt_poller_next_timeout(poller), 0);
    assert_int_equal(gt_poller_run(poller, -1, 2), 1);
    assert_int_equal(gt_poller_next_timeout(poller), -1);
    assert_report(0, b);
    assert_report(1, c);
    assert_report(2, a);
    for (int i = 0; i < 3; i++)
        assert_int_equal(reports[i].readiness, 0);
    close_end(a);
    close_end(b);
    close_end(c);
    close_poller(poller);
}

static void a_turn_asked_for_during_a_run_waits_for_the_next_behind_those_left(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten), *b = open_end(poller, &forgotten), *c = open_end(poller, &forgotten);
    a->on_ready = ask_again;
    gt_poller_again(&a->watch);
    gt_poller_again(&b->watch);
    gt_poller_again(&c->watch);
    assert_int_equal(gt_poller_run(poller, -1, 2), 2);
    assert_int_equal(gt_poller_run(poller, -1, 2), 2);
    assert_report(0, a);
    assert_report(1, b);
    assert_report(2, c);
    assert_report(3, a);
    close_end(a);
    close_end(b);
    close_end(c);
    close_poller(poller);
}

static void neither_events_nor_turns_starve_the_others(void **state) {
    (void)state;
    for (int most = 1; most <= 3; most++) {
        int forgotten = 0, turns = 0, events = 0;
        gt_poller *poller = open_poller();
        end *lasting[8], *busy[8];
        for (int i = 0; i < 8; i++) {
            lasting[i] = open_end(poller, &forgotten);
            lasting[i]->on_ready = ask_again;
            busy[i] = open_end(poller, &forgotten);
            busy[i]->on_ready = read_all_and_want_more;
            gt_poller_want(&busy[i]->watch, GT_READABLE);
        }
        for (int i = 0; i < 8; i++)
            gt_poller_again(&lasting[i]->watch);
        clear_reports();
        for (int round = 0; round < 40; round++) {
            for (int i = 0; i < 8; i++)
                write_peer(busy[i], "x");
            assert_int_equal(gt_poller_run(poller, 0, most), most);
        }
        for (int i = 0; i < report_count; i++)
            *(reports[i].readiness == 0 ? &turns : &events) += 1;
        assert_in_range(turns, 19 * most, 21 * most);
        assert_in_range(events, 19 * most, 21 * most);
        for (int i = 0; i < 8; i++) {
            close_end(lasting[i]);
            close_end(busy[i]);
        }
        close_poller(poller);
    }
}

/* Deadlines */

static void deadlines_expire_in_order_and_equal_ones_as_they_were_set(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    timer timers[5] = {0};
    static const int64_t at[] = {30, 10, 20, 10, 5};
    for (int i = 0; i < 5; i++)
        gt_poller_set_deadline(poller, &timers[i].deadline, at[i]);
    assert_int_equal(gt_poller_next_timeout(poller), 0);
    assert_int_equal(gt_poller_run(poller, -1, 1), 5);
    static const int order[] = {4, 1, 3, 2, 0};
    for (int i = 0; i < 5; i++) {
        assert_report(i, &timers[order[i]]);
        assert_null(timers[i].deadline.next);
    }
    assert_int_equal(gt_poller_next_timeout(poller), -1);
    close_poller(poller);
}

static void a_run_sleeps_until_the_deadline_and_not_less(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    timer soon = {0}, late = {0};
    int64_t now = gt_sys_now();
    gt_poller_set_deadline(poller, &late.deadline, now + 1000000);
    gt_poller_set_deadline(poller, &soon.deadline, now + 30);
    assert_in_range(gt_poller_next_timeout(poller), 0, 30);
    for (int tries = 0; tries < 10 && report_count == 0; tries++)
        assert_true(gt_poller_run(poller, -1, 10) >= 0);
    assert_int_equal(report_count, 1);
    assert_report(0, &soon);
    assert_true(gt_sys_now() >= now + 30);
    assert_in_range(gt_poller_next_timeout(poller), 900000, 1000000);
    gt_poller_clear_deadline(poller, &late.deadline);
    close_poller(poller);
}

static void a_cleared_deadline_does_not_expire_and_a_moved_one_does_so_once(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    timer cleared = {0}, moved = {0}, other = {0};
    gt_poller_clear_deadline(poller, &other.deadline); /* was never set */
    gt_poller_set_deadline(poller, &cleared.deadline, 1);
    gt_poller_set_deadline(poller, &moved.deadline, 2);
    gt_poller_set_deadline(poller, &other.deadline, 3);
    gt_poller_set_deadline(poller, &moved.deadline, 4);
    gt_poller_clear_deadline(poller, &cleared.deadline);
    assert_int_equal(gt_poller_run(poller, 0, 10), 2);
    assert_report(0, &other);
    assert_report(1, &moved);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_poller(poller);
}

static gt_poller *callback_poller;
static timer *callback_timer;

static void set_at_once(timer *expired) {
    gt_poller_set_deadline(callback_poller, &expired->deadline, 1);
}

static void clear_other(timer *expired) {
    (void)expired;
    gt_poller_clear_deadline(callback_poller, &callback_timer->deadline);
}

static void a_deadline_set_again_from_its_own_report_waits_for_the_next_run(void **state) {
    (void)state;
    gt_poller *poller = callback_poller = open_poller();
    timer again = {.on_expired = set_at_once};
    gt_poller_set_deadline(poller, &again.deadline, 1);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    gt_poller_clear_deadline(poller, &again.deadline);
    close_poller(poller);
}

static void a_deadline_cleared_from_the_report_of_another_does_not_expire(void **state) {
    (void)state;
    gt_poller *poller = callback_poller = open_poller();
    timer first = {.on_expired = clear_other}, second = {0};
    callback_timer = &second;
    gt_poller_set_deadline(poller, &first.deadline, 1);
    gt_poller_set_deadline(poller, &second.deadline, 1);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_report(0, &first);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_poller(poller);
}

static void a_deadline_further_away_than_an_int_of_milliseconds_is_no_deadline_now(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    timer far = {0};
    gt_poller_set_deadline(poller, &far.deadline, gt_sys_now() + INT64_C(10000000000));
    assert_int_equal(gt_poller_next_timeout(poller), INT32_MAX);
    gt_poller_set_deadline(poller, &far.deadline, INT64_MAX - 1);
    assert_int_equal(gt_poller_next_timeout(poller), INT32_MAX);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    gt_poller_clear_deadline(poller, &far.deadline);
    close_poller(poller);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_already_is_reported_after_add),
        cmocka_unit_test(bytes_are_reported_once_until_more_are_wanted_and_arrive),
        cmocka_unit_test(bytes_left_unread_are_not_reported_again_unasked),
        cmocka_unit_test(room_to_write_is_reported_when_it_appears),
        cmocka_unit_test(the_peers_end_is_readable_and_a_hangup),
        cmocka_unit_test(a_broken_connection_is_reported_as_everything),
        cmocka_unit_test(a_hangup_does_not_make_it_spin),
        cmocka_unit_test(a_run_reports_at_most_max_events_and_the_next_the_others),
        cmocka_unit_test(runs_that_read_much_report_fewer_until_they_read_little_again),
        cmocka_unit_test(a_run_that_goes_on_gives_who_is_alone_four_turns_of_64_KiB),
        cmocka_unit_test(a_run_that_goes_on_reports_between_two_turns_what_has_become_ready),
        cmocka_unit_test(a_run_goes_on_only_with_those_who_read_much),
        cmocka_unit_test(a_run_is_crowded_if_it_reports_more_than_two),
        cmocka_unit_test(a_max_events_out_of_range_is_brought_into_it),
        cmocka_unit_test(one_event_a_run_serves_all_who_are_ready_all_the_time),
        cmocka_unit_test(turns_come_in_the_order_in_which_they_were_asked_for),
        cmocka_unit_test(a_turn_asked_for_during_a_run_waits_for_the_next_behind_those_left),
        cmocka_unit_test(neither_events_nor_turns_starve_the_others),
        cmocka_unit_test(deadlines_expire_in_order_and_equal_ones_as_they_were_set),
        cmocka_unit_test(a_run_sleeps_until_the_deadline_and_not_less),
        cmocka_unit_test(a_cleared_deadline_does_not_expire_and_a_moved_one_does_so_once),
        cmocka_unit_test(a_deadline_set_again_from_its_own_report_waits_for_the_next_run),
        cmocka_unit_test(a_deadline_cleared_from_the_report_of_another_does_not_expire),
        cmocka_unit_test(a_deadline_further_away_than_an_int_of_milliseconds_is_no_deadline_now),
    };
    if (choose_backend(argc, argv) < 0)
        return 2;
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
