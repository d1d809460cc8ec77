/* SPDX-License-Identifier: Apache-2.0 */
/* Pollers, run by one thread: how watches and pollers come and go, waking, and pollers within other loops. */
#define _GNU_SOURCE
#include "test/poller_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sys.h"

static bool can_nest(void) {
    return backend == &gt_backend_epoll;
}

/* Removal */

static void a_watch_removed_between_runs_is_forgotten_at_once(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    gt_poller_want(&a->watch, GT_READABLE);
    write_peer(a, "x");
    gt_poller_again(&a->watch);
    close_end(a);
    assert_int_equal(forgotten, 1);
    assert_int_equal(gt_poller_next_timeout(poller), -1);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    assert_int_equal(forgotten, 1);
    close_poller(poller);
}

static end *doomed[3];
static int doomed_forgotten;

static void close_all(end *ready, int readiness) {
    (void)ready, (void)readiness;
    for (int i = 0; i < 3; i++)
        close_end(doomed[i]);
    assert_int_equal(doomed_forgotten, 0);
}

static void open_doomed(gt_poller *poller) {
    doomed_forgotten = 0;
    for (int i = 0; i < 3; i++) {
        doomed[i] = open_end(poller, &doomed_forgotten);
        doomed[i]->on_ready = close_all;
        gt_poller_want(&doomed[i]->watch, GT_READABLE);
    }
}

static void what_a_report_removes_is_not_reported_and_forgotten_at_the_end_of_the_run(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    open_doomed(poller);
    for (int i = 0; i < 3; i++)
        write_peer(doomed[i], "x");
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_int_equal(report_count, 1);
    assert_int_equal(doomed_forgotten, 3);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_poller(poller);
}

static void what_a_report_removes_has_no_turn_any_more(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    open_doomed(poller);
    for (int i = 0; i < 3; i++)
        gt_poller_again(&doomed[i]->watch);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_int_equal(doomed_forgotten, 3);
    assert_int_equal(gt_poller_next_timeout(poller), -1);
    close_poller(poller);
}

static void close_all_at_expiry(timer *expired) {
    (void)expired;
    close_all(NULL, 0);
}

static void what_an_expiry_removes_is_not_reported(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    open_doomed(poller);
    timer due = {.on_expired = close_all_at_expiry};
    write_peer(doomed[0], "x");
    gt_poller_again(&doomed[1]->watch);
    gt_poller_set_deadline(poller, &due.deadline, 1);
    assert_int_equal(gt_poller_run(poller, -1, 10), 1);
    assert_ptr_equal(reports[0].who, &due);
    assert_int_equal(doomed_forgotten, 3);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_poller(poller);
}

static void the_others_go_on_when_one_is_removed(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *ends[40];
    for (int i = 0; i < 40; i++)
        ends[i] = open_end(poller, &forgotten);
    for (int i = 0; i < 40; i += 2)
        close_end(ends[i]);
    for (int i = 1; i < 40; i += 2) {
        gt_poller_want(&ends[i]->watch, GT_READABLE);
        write_peer(ends[i], "x");
        assert_int_equal(gt_poller_run(poller, -1, 40), 1);
        assert_ptr_equal(reports[report_count - 1].who, ends[i]);
    }
    for (int i = 1; i < 40; i += 2)
        close_end(ends[i]);
    assert_int_equal(forgotten, 40);
    close_poller(poller);
}

static void a_detached_watch_is_reported_by_its_next_poller_what_is_ready_included(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *from = open_poller(), *to = open_poller();
    end *a = open_end(from, &forgotten);
    gt_poller_want(&a->watch, GT_READABLE);
    write_peer(a, "x");
    gt_poller_again(&a->watch);
    gt_poller_detach(&a->watch);
    assert_int_equal(forgotten, 0);
    assert_int_equal(gt_poller_add(to, &a->watch), 0);
    assert_int_equal(gt_poller_run(from, 0, 10), 0);
    assert_int_equal(gt_poller_run(to, -1, 10), 1);
    assert_true(reports[0].readiness & GT_READABLE);
    assert_int_equal(gt_poller_run(to, 0, 10), 0);
    close_end(a);
    gt_poller_close(from);
    close_poller(to);
}

/* Waking */

static void a_wake_ends_the_next_wait_and_many_are_one(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    for (int i = 0; i < 5; i++)
        gt_poller_wake(poller);
    assert_int_equal(gt_poller_run(poller, -1, 10), 0);
    int64_t before = gt_sys_now();
    assert_int_equal(gt_poller_run(poller, 20, 10), 0);
    assert_true(gt_sys_now() - before >= 20);
    close_poller(poller);
}

static void a_wake_is_seen_by_whoever_waits_for_its_descriptor(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    gt_poller_clear_wake(poller);
    assert_false(is_readable(gt_poller_wake_fd(poller)));
    gt_poller_wake(poller);
    assert_true(is_readable(gt_poller_wake_fd(poller)));
    gt_poller_clear_wake(poller);
    assert_false(is_readable(gt_poller_wake_fd(poller)));
    int64_t before = gt_sys_now();
    assert_int_equal(gt_poller_run(poller, 20, 10), 0);
    assert_true(gt_sys_now() - before >= 20);
    close_poller(poller);
}

static gt_poller *signalled;

static void wake_signalled(int number) {
    (void)number;
    gt_poller_wake(signalled);
}

static void a_signal_handler_may_wake(void **state) {
    (void)state;
    gt_poller *poller = signalled = open_poller();
    struct sigaction action = {.sa_handler = wake_signalled};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    (void)alarm(1);
    assert_int_equal(gt_poller_run(poller, -1, 10), 0);
    (void)alarm(0);
    close_poller(poller);
}

/* It may arrive between a failed call and the look at its errno. */
static void a_wake_leaves_errno_alone(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    uint64_t most = UINT64_MAX - 1;
    assert_int_equal(write(gt_poller_wake_fd(poller), &most, sizeof most), sizeof most);
    errno = 4711;
    gt_poller_wake(poller);
    assert_int_equal(errno, 4711);
    close_poller(poller);
}

/* Within another loop */

static void the_descriptor_is_readable_while_an_event_is_to_be_reported(void **state) {
    (void)state;
    if (!can_nest())
        return;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    int fd = gt_poller_fd(poller);
    int outer = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, fd, &event), 0);
    end *a = open_end(poller, &forgotten);
    assert_int_equal(epoll_wait(outer, &event, 1, 0), 0);
    for (int i = 0; i < 3; i++) {
        write_peer(a, "x");
        assert_int_equal(epoll_wait(outer, &event, 1, 5000), 1);
        assert_int_equal(gt_poller_run(poller, 0, 10), 1);
        assert_int_equal(epoll_wait(outer, &event, 1, 0), 0);
    }
    gt_poller_wake(poller);
    assert_int_equal(epoll_wait(outer, &event, 1, 5000), 1);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    assert_int_equal(epoll_wait(outer, &event, 1, 0), 0);
    assert_int_equal(close(outer), 0);
    close_end(a);
    close_poller(poller);
}

static void a_poller_that_stays_ready_is_readable_with_nothing_to_do_and_reports_as_ever(void **state) {
    (void)state;
    if (!can_nest())
        return;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    gt_poller_stay_ready(poller, true); /* before anybody watches it */
    int fd = gt_poller_fd(poller);
    for (int i = 0; i < 3; i++) {
        assert_true(is_readable(fd));
        assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    }
    write_peer(a, "x");
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    assert_true(is_readable(fd));
    gt_poller_again(&a->watch);
    gt_poller_stay_ready(poller, false);
    assert_true(is_readable(fd)); /* for the turn */
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    assert_false(is_readable(fd));
    gt_poller_stay_ready(poller, true);
    assert_true(is_readable(fd));
    close_end(a);
    close_poller(poller);
}

static int turns_left;

static void ask_while_left(end *ready, int readiness) {
    (void)readiness;
    if (turns_left > 0) {
        turns_left--;
        gt_poller_again(&ready->watch);
    }
}

static void the_descriptor_is_readable_while_there_are_turns(void **state) {
    (void)state;
    if (!can_nest())
        return;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten);
    a->on_ready = ask_while_left;
    turns_left = 3;
    gt_poller_again(&a->watch);
    int fd = gt_poller_fd(poller); /* asked for when there is a turn already */
    for (int i = 0; i < 4; i++) {
        assert_true(is_readable(fd));
        assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    }
    assert_false(is_readable(fd));
    gt_poller_again(&a->watch);
    assert_true(is_readable(fd));
    assert_false(is_readable(gt_poller_wake_fd(poller)));
    close_end(a);
    assert_false(is_readable(fd));
    close_poller(poller);
}

static void the_descriptor_becomes_readable_at_the_earliest_deadline(void **state) {
    (void)state;
    if (!can_nest())
        return;
    gt_poller *poller = open_poller();
    timer early = {0}, late = {0};
    gt_poller_set_deadline(poller, &early.deadline, 1);
    int fd = gt_poller_fd(poller); /* asked for when there is a deadline already */
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ask, 1, 5000), 1);
    gt_poller_clear_deadline(poller, &early.deadline);
    assert_false(is_readable(fd));

    int64_t now = gt_sys_now();
    gt_poller_set_deadline(poller, &late.deadline, now + 1000000);
    gt_poller_set_deadline(poller, &early.deadline, now + 30);
    assert_false(is_readable(fd));
    assert_int_equal(poll(&ask, 1, 5000), 1);
    assert_true(gt_sys_now() >= now + 30);
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    assert_ptr_equal(reports[0].who, &early);
    assert_false(is_readable(fd));
    gt_poller_set_deadline(poller, &late.deadline, -1);
    assert_int_equal(poll(&ask, 1, 5000), 1);
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    assert_false(is_readable(fd));
    close_poller(poller);
}

static void poll_is_given_the_wake_descriptor_and_what_is_wanted(void **state) {
    (void)state;
    if (can_nest())
        return;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    struct pollfd fds[4];
    end *a = open_end(poller, &forgotten), *b = open_end(poller, &forgotten), *c = open_end(poller, &forgotten);
    settle(poller);
    /* All were reported as writable, and are still wanted for reading. */
    assert_int_equal(gt_poller_fds(poller, NULL, 0), 4);
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_end(c);
    write_peer(a, "x");
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    gt_poller_want(&b->watch, GT_WRITABLE);
    assert_int_equal(gt_poller_fds(poller, fds, 4), 2);
    assert_int_equal(fds[0].fd, gt_poller_wake_fd(poller));
    assert_int_equal(fds[0].events, POLLIN);
    assert_int_equal(fds[1].fd, b->watch.fd);
    assert_int_equal(fds[1].events & (POLLIN | POLLOUT), POLLIN | POLLOUT);
    close_end(a);
    close_end(b);
    close_poller(poller);
}

/* Its picture isn't true any more. Each row is one kind of change. */
static void a_loop_that_sleeps_with_polls_descriptors_is_woken_by_changes(void **state) {
    (void)state;
    if (can_nest())
        return;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = open_end(poller, &forgotten), *added = make_end(&forgotten);
    timer soon = {0};
    struct pollfd fds[4];
    for (int change = 0; change < 5; change++) {
        settle(poller);
        (void)gt_poller_fds(poller, fds, 4);
        assert_false(is_readable(gt_poller_wake_fd(poller)));
        switch (change) {
        case 0:
            gt_poller_want(&a->watch, GT_WRITABLE);
            break;
        case 1:
            assert_int_equal(gt_poller_add(poller, &added->watch), 0);
            break;
        case 2:
            gt_poller_again(&a->watch);
            break;
        case 3:
            gt_poller_set_deadline(poller, &soon.deadline, gt_sys_now());
            break;
        default:
            close_end(added);
            break;
        }
        assert_true(is_readable(gt_poller_wake_fd(poller)));
    }
    settle(poller);
    assert_int_equal(gt_poller_next_timeout(poller), -1); /* the other half of what such a loop asks for */
    gt_poller_again(&a->watch);
    assert_true(is_readable(gt_poller_wake_fd(poller)));
    settle(poller);
    gt_poller_again(&a->watch); /* nobody sleeps */
    assert_false(is_readable(gt_poller_wake_fd(poller)));
    close_end(a);
    close_poller(poller);
}

static void each_backend_serves_an_outer_loop_in_one_of_the_two_ways(void **state) {
    (void)state;
    gt_poller *poller = open_poller();
    struct pollfd fds[4];
    if (can_nest()) {
        assert_true(gt_poller_fd(poller) >= 0);
        assert_int_equal(gt_poller_fds(poller, fds, 4), -EOPNOTSUPP);
    } else {
        assert_int_equal(gt_poller_fd(poller), -EOPNOTSUPP);
        assert_int_equal(gt_poller_fds(poller, fds, 4), 1);
    }
    close_poller(poller);
}

/* Failures */

static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void no_memory_is_told_and_nothing_is_left_behind(void **state) {
    (void)state;
    int before = open_descriptors();
    gt_poller *poller = NULL;
    allocations_left = 0;
    assert_int_equal(gt_poller_open(&poller, backend, &recorder), -ENOMEM);
    allocations_left = -1;
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(allocations, 0);
}

static void limit_descriptors(rlim_t most) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void no_descriptors_are_told_and_nothing_is_left_behind(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int before = open_descriptors();
    int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    int failures = 0;
    for (int room = 0; room < 3; room++) {
        gt_poller *poller = NULL;
        limit_descriptors((rlim_t)lowest + (rlim_t)room);
        int error = gt_poller_open(&poller, backend, &recorder);
        int fd = error == 0 ? gt_poller_fd(poller) : -EMFILE;
        limit_descriptors(limit.rlim_cur);
        if (error == 0) {
            gt_poller_close(poller);
        } else {
            assert_int_equal(error, -EMFILE);
            failures++;
        }
        if (can_nest())
            assert_int_equal(fd, -EMFILE); /* it needs three in all */
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(allocations, 0);
    }
    assert_int_equal(failures, can_nest() ? 2 : 1);
}

static void a_watch_that_could_not_be_added_is_not_added(void **state) {
    (void)state;
    int forgotten = 0;
    gt_poller *poller = open_poller();
    if (can_nest()) {
        gt_watch bad = {.fd = -1};
        assert_int_equal(gt_poller_add(poller, &bad), -EBADF);
        assert_null(bad.poller);
    } else {
        end *a = make_end(&forgotten);
        allocations_left = 0;
        assert_int_equal(gt_poller_add(poller, &a->watch), -ENOMEM);
        assert_null(a->watch.poller);
        allocations_left = -1;
        assert_int_equal(gt_poller_add(poller, &a->watch), 0);
        close_end(a);
    }
    assert_int_equal(gt_poller_run(poller, 0, 10), 0);
    close_poller(poller);
}

static void a_run_without_memory_fails_and_the_next_with_it_works(void **state) {
    (void)state;
    if (can_nest())
        return; /* needs none */
    int forgotten = 0;
    gt_poller *poller = open_poller();
    end *a = make_end(&forgotten);
    assert_int_equal(gt_poller_add(poller, &a->watch), 0);
    allocations_left = 0;
    assert_int_equal(gt_poller_run(poller, 0, 10), -ENOMEM);
    allocations_left = -1;
    assert_int_equal(gt_poller_run(poller, 0, 10), 1);
    close_end(a);
    close_poller(poller);
}

static void its_descriptors_are_closed_on_exec_and_all_closed_at_the_end(void **state) {
    (void)state;
    bool open_before[256];
    for (int fd = 0; fd < 256; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0;
    gt_poller *poller = open_poller();
    (void)gt_poller_fd(poller);
    int made = 0;
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || open_before[fd])
            continue;
        made++;
        assert_true(flags & FD_CLOEXEC);
    }
    assert_int_equal(made, can_nest() ? 3 : 1);
    close_poller(poller);
    for (int fd = 0; fd < 256; fd++)
        assert_int_equal(fcntl(fd, F_GETFD) >= 0, open_before[fd]);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_removed_between_runs_is_forgotten_at_once),
        cmocka_unit_test(what_a_report_removes_is_not_reported_and_forgotten_at_the_end_of_the_run),
        cmocka_unit_test(what_a_report_removes_has_no_turn_any_more),
        cmocka_unit_test(what_an_expiry_removes_is_not_reported),
        cmocka_unit_test(the_others_go_on_when_one_is_removed),
        cmocka_unit_test(a_detached_watch_is_reported_by_its_next_poller_what_is_ready_included),
        cmocka_unit_test(a_wake_ends_the_next_wait_and_many_are_one),
        cmocka_unit_test(a_wake_is_seen_by_whoever_waits_for_its_descriptor),
        cmocka_unit_test(a_signal_handler_may_wake),
        cmocka_unit_test(a_wake_leaves_errno_alone),
        cmocka_unit_test(the_descriptor_is_readable_while_an_event_is_to_be_reported),
        cmocka_unit_test(a_poller_that_stays_ready_is_readable_with_nothing_to_do_and_reports_as_ever),
        cmocka_unit_test(the_descriptor_is_readable_while_there_are_turns),
        cmocka_unit_test(the_descriptor_becomes_readable_at_the_earliest_deadline),
        cmocka_unit_test(poll_is_given_the_wake_descriptor_and_what_is_wanted),
        cmocka_unit_test(a_loop_that_sleeps_with_polls_descriptors_is_woken_by_changes),
        cmocka_unit_test(each_backend_serves_an_outer_loop_in_one_of_the_two_ways),
        cmocka_unit_test(no_memory_is_told_and_nothing_is_left_behind),
        cmocka_unit_test(no_descriptors_are_told_and_nothing_is_left_behind),
        cmocka_unit_test(a_watch_that_could_not_be_added_is_not_added),
        cmocka_unit_test(a_run_without_memory_fails_and_the_next_with_it_works),
        cmocka_unit_test(its_descriptors_are_closed_on_exec_and_all_closed_at_the_end),
    };
    if (choose_backend(argc, argv) < 0)
        return 2;
    return cmocka_run_group_tests_name("poller life", tests, NULL, NULL);
}
