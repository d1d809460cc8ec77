/* SPDX-License-Identifier: Apache-2.0 */
/* A poller that one thread runs while others use it. Each test holds whether the run sleeps already or not yet; where
 * it matters the other thread waits until it does. */
#define _GNU_SOURCE /* gettid */
#include "test/poller_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sys.h"

/* A sleep that nobody ends lasts PATIENCE; whoever returns before HASTE was woken. */
enum { PATIENCE = 8000, HASTE = 4000, CROWD = 100 };

/* What another thread does as soon as the first one sleeps in its run. */
typedef struct helper {
    pthread_t thread;
    pid_t sleeper;
    gt_poller *poller;
    end *end;
    end *crowd[CROWD];
    timer timer;
    void (*act)(struct helper *helper);
    bool peer_saw_end;
} helper;

static bool is_asleep(pid_t thread) {
    char path[64], line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[size] = '\0';
    const char *after_name = strrchr(line, ')');
    return after_name != NULL && strncmp(after_name, ") S", 3) == 0;
}

static void *act_when_asleep(void *argument) {
    helper *self = argument;
    int64_t limit = gt_sys_now() + 2000;
    while (!is_asleep(self->sleeper) && gt_sys_now() < limit)
        (void)sched_yield();
    self->act(self);
    return NULL;
}

static void start(helper *self, void (*act)(helper *)) {
    self->act = act;
    self->sleeper = gettid();
    assert_int_equal(pthread_create(&self->thread, NULL, act_when_asleep, self), 0);
}

static void join(helper *self) {
    assert_int_equal(pthread_join(self->thread, NULL), 0);
}

/* Runs until something is reported, and holds that it didn't take the whole patience. */
static void run_until_report(gt_poller *poller) {
    int64_t begin = gt_sys_now();
    while (report_count == 0 && gt_sys_now() - begin < HASTE)
        assert_true(gt_poller_run(poller, PATIENCE, 10) >= 0);
    assert_true(gt_sys_now() - begin < HASTE);
}

static void want_and_write(helper *self) {
    gt_poller_want(&self->end->watch, GT_READABLE);
    (void)!write(self->end->peer, "x", 1);
}

static void what_another_thread_wants_is_reported_to_a_sleeping_run(void **state) {
    (void)state;
    int forgotten = 0;
    helper other = {.poller = open_poller()};
    other.end = open_end(other.poller, &forgotten);
    char byte;
    write_peer(other.end, "x");
    settle(other.poller);
    assert_int_equal(read(other.end->watch.fd, &byte, 1), 1);
    start(&other, want_and_write);
    run_until_report(other.poller);
    join(&other);
    assert_ptr_equal(reports[0].who, other.end);
    assert_true(reports[0].readiness & GT_READABLE);
    close_end(other.end);
    close_poller(other.poller);
}

static void add(helper *self) {
    (void)gt_poller_add(self->poller, &self->end->watch);
}

static void what_another_thread_adds_is_reported_to_a_sleeping_run(void **state) {
    (void)state;
    int forgotten = 0;
    helper other = {.poller = open_poller(), .end = make_end(&forgotten)};
    start(&other, add);
    run_until_report(other.poller);
    join(&other);
    assert_ptr_equal(reports[0].who, other.end);
    close_end(other.end);
    close_poller(other.poller);
}

static void ask_again(helper *self) {
    gt_poller_again(&self->end->watch);
}

static void a_turn_that_another_thread_asks_for_ends_the_sleep(void **state) {
    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        int forgotten = 0;
        helper other = {.poller = open_poller()};
        if (nested)
            (void)gt_poller_fd(other.poller);
        other.end = open_end(other.poller, &forgotten);
        start(&other, ask_again);
        run_until_report(other.poller);
        join(&other);
        assert_ptr_equal(reports[0].who, other.end);
        assert_int_equal(reports[0].readiness, 0);
        close_end(other.end);
        close_poller(other.poller);
    }
}

static void set_deadline(helper *self) {
    gt_poller_set_deadline(self->poller, &self->timer.deadline, gt_sys_now() + 20);
}

static void an_earlier_deadline_that_another_thread_sets_shortens_the_sleep(void **state) {
    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        helper other = {.poller = open_poller()};
        if (nested)
            (void)gt_poller_fd(other.poller);
        timer late = {0};
        gt_poller_set_deadline(other.poller, &late.deadline, gt_sys_now() + PATIENCE);
        start(&other, set_deadline);
        run_until_report(other.poller);
        join(&other);
        assert_int_equal(report_count, 1);
        assert_ptr_equal(reports[0].who, &other.timer);
        gt_poller_clear_deadline(other.poller, &late.deadline);
        close_poller(other.poller);
    }
}

static void wake(helper *self) {
    gt_poller_wake(self->poller);
}

static void a_wake_ends_the_sleep(void **state) {
    (void)state;
    helper other = {.poller = open_poller()};
    int64_t begin = gt_sys_now();
    start(&other, wake);
    assert_int_equal(gt_poller_run(other.poller, PATIENCE, 10), 0);
    assert_true(gt_sys_now() - begin < HASTE);
    join(&other);
    close_poller(other.poller);
}

/* A poll(2) under way would keep the connection open. */
static void remove_and_close(helper *self) {
    struct pollfd ask = {.fd = self->end->peer, .events = POLLIN};
    int fd = self->end->watch.fd;
    gt_poller_remove(&self->end->watch);
    gt_sys_close(fd);
    self->peer_saw_end = poll(&ask, 1, HASTE) == 1;
    gt_sys_close(ask.fd);
    gt_poller_wake(self->poller);
}

static void the_peer_sees_the_end_of_what_is_removed_and_closed_while_the_run_sleeps(void **state) {
    (void)state;
    int forgotten = 0;
    helper other = {.poller = open_poller()};
    other.end = open_end(other.poller, &forgotten);
    start(&other, remove_and_close);
    assert_int_equal(gt_poller_run(other.poller, PATIENCE, 10), 0);
    join(&other);
    assert_true(other.peer_saw_end);
    assert_int_equal(gt_poller_run(other.poller, 0, 10), 0);
    assert_int_equal(forgotten, 1);
    close_poller(other.poller);
}

static void close_crowd(helper *self) {
    for (int i = 0; i < CROWD; i++)
        close_end(self->crowd[i]);
}

static void a_run_does_not_sleep_on_while_the_removed_pile_up(void **state) {
    (void)state;
    int forgotten = 0;
    helper other = {.poller = open_poller()};
    for (int i = 0; i < CROWD; i++)
        other.crowd[i] = open_end(other.poller, &forgotten);
    int64_t begin = gt_sys_now();
    start(&other, close_crowd);
    assert_int_equal(gt_poller_run(other.poller, PATIENCE, 10), 0);
    assert_true(gt_sys_now() - begin < HASTE);
    join(&other);
    assert_int_equal(gt_poller_run(other.poller, 0, 10), 0);
    assert_int_equal(forgotten, CROWD);
    close_poller(other.poller);
}

/* The crowd: threads that add, use and remove busy watches, as sockets are used: with a lock of their own, held while
 * the poller is called, and taken by the reports. */

enum { THREADS = 4, ROUNDS = 4000, STEPS = 6 };

typedef struct busy {
    gt_watch watch;
    gt_deadline deadline;
    pthread_mutex_t lock;
    int peer;
    bool removed; /* under the lock */
    atomic_int forgotten;
    atomic_int references; /* one is the poller's, one the thread's */
} busy;

static gt_poller *shared;
static atomic_int live, all_forgotten, all_reports, mistakes, working;

static void let_go(busy *b) {
    if (--b->references > 0)
        return;
    (void)pthread_mutex_destroy(&b->lock);
    memset(b, 0xdd, sizeof *b);
    free(b);
    live--;
}

/* With the lock. */
static void take_out(busy *b) {
    int fd = b->watch.fd;
    b->removed = true;
    gt_poller_clear_deadline(shared, &b->deadline);
    gt_poller_remove(&b->watch);
    gt_sys_close(fd);
    gt_sys_close(b->peer);
}

static void busy_forgotten(gt_watch *watch) {
    busy *b = (busy *)watch;
    if (++b->forgotten != 1)
        mistakes++;
    all_forgotten++;
    let_go(b);
}

static void busy_report(busy *b, int readiness) {
    int count = ++all_reports;
    if (b->forgotten != 0)
        mistakes++;
    (void)pthread_mutex_lock(&b->lock);
    if (b->removed) {
        /* The removal came between: nothing may be done, and nothing is. */
    } else if (count % 7 == 0) {
        take_out(b);
    } else {
        char bytes[16];
        (void)gt_sys_recv(b->watch.fd, bytes, sizeof bytes);
        gt_poller_want(&b->watch, GT_READABLE);
        if (readiness & GT_READABLE)
            gt_poller_again(&b->watch);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

static void busy_ready(gt_watch *watch, int readiness) {
    busy_report((busy *)watch, readiness);
}

static void busy_expired(gt_deadline *deadline) {
    busy_report((busy *)(void *)((char *)deadline - offsetof(busy, deadline)), 0);
}

static const gt_poller_user busy_user = {busy_ready, busy_expired, busy_forgotten, malloc, free};

static busy *busy_new(void) {
    int fds[2];
    busy *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        free(b);
        return NULL;
    }
    live++;
    b->watch.fd = fds[0];
    b->peer = fds[1];
    b->references = 2;
    (void)pthread_mutex_init(&b->lock, NULL);
    return b;
}

static void step(busy *b, unsigned kind) {
    (void)pthread_mutex_lock(&b->lock);
    if (!b->removed) {
        switch (kind) {
        case 0:
            gt_poller_again(&b->watch);
            break;
        case 1:
            gt_poller_set_deadline(shared, &b->deadline, gt_sys_now() + 1);
            break;
        case 2:
            gt_poller_clear_deadline(shared, &b->deadline);
            break;
        case 3:
            gt_poller_want(&b->watch, GT_READABLE | GT_WRITABLE);
            break;
        default:
            (void)!write(b->peer, "x", 1);
            break;
        }
    }
    (void)pthread_mutex_unlock(&b->lock);
}

static void *work(void *argument) {
    unsigned random = *(unsigned *)argument;
    for (int round = 0; round < ROUNDS; round++) {
        busy *b = busy_new();
        if (b == NULL) {
            mistakes++;
            break;
        }
        (void)pthread_mutex_lock(&b->lock);
        if (gt_poller_add(shared, &b->watch) < 0)
            mistakes++;
        (void)pthread_mutex_unlock(&b->lock);
        for (int i = 0; i < STEPS; i++) {
            random = random * 1664525U + 1013904223U;
            step(b, (random >> 16) % 6);
        }
        (void)pthread_mutex_lock(&b->lock);
        if (!b->removed)
            take_out(b);
        (void)pthread_mutex_unlock(&b->lock);
        let_go(b);
    }
    working--;
    gt_poller_wake(shared);
    return NULL;
}

static void many_threads_come_and_go_and_each_watch_is_forgotten_once(void **state) {
    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        pthread_t threads[THREADS];
        unsigned seeds[THREADS];
        assert_int_equal(gt_poller_open(&shared, backend, &busy_user), 0);
        if (nested)
            (void)gt_poller_fd(shared);
        all_forgotten = all_reports = 0;
        working = THREADS;
        for (unsigned i = 0; i < THREADS; i++) {
            seeds[i] = i + 1;
            assert_int_equal(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
        }
        int64_t limit = gt_sys_now() + 50000;
        while (working > 0 && gt_sys_now() < limit)
            if (gt_poller_run(shared, PATIENCE, 16) < 0)
                mistakes++;
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(gt_poller_run(shared, 0, 16), 0);
        assert_int_equal(mistakes, 0);
        assert_int_equal(live, 0);
        assert_int_equal(all_forgotten, THREADS * ROUNDS);
        assert_true(all_reports > 0);
        gt_poller_close(shared);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_another_thread_wants_is_reported_to_a_sleeping_run),
        cmocka_unit_test(what_another_thread_adds_is_reported_to_a_sleeping_run),
        cmocka_unit_test(a_turn_that_another_thread_asks_for_ends_the_sleep),
        cmocka_unit_test(an_earlier_deadline_that_another_thread_sets_shortens_the_sleep),
        cmocka_unit_test(a_wake_ends_the_sleep),
        cmocka_unit_test(the_peer_sees_the_end_of_what_is_removed_and_closed_while_the_run_sleeps),
        cmocka_unit_test(a_run_does_not_sleep_on_while_the_removed_pile_up),
        cmocka_unit_test(many_threads_come_and_go_and_each_watch_is_forgotten_once),
    };
    if (choose_backend(argc, argv) < 0)
        return 2;
    return cmocka_run_group_tests_name("poller threads", tests, NULL, NULL);
}
