/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exchanges in which the first, the second, … the last call of each kind fails, in each way that it can. Each
 * must be completed, or both sides must be told why not: once, soon, and with nothing left behind. */
#include <time.h>

#include "test/faults/exchanges.h"
#include "test/faults/inject.h"
#include "test/scale.h"

enum { RUN_MS = 4000 }; /* what a run may take at most: it takes one or two */

static const struct fault_kind {
    const char *name;
    enum fault_call call;
    bool hidden; /* nobody may notice */
    int errors[8];
} kinds[] = {
    {"memory", FAULT_ALLOCATE, false, {ENOMEM}},
    {"socket", FAULT_SOCKET, false, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {"connect", FAULT_CONNECT, true, {EINTR}},
    {"connect", FAULT_CONNECT, false, {ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL, ENOBUFS}},
    {"bind", FAULT_BIND, false, {EADDRINUSE, ENOBUFS}},
    {"listen", FAULT_LISTEN, false, {EADDRINUSE}},
    {"accept", FAULT_ACCEPT, true, {EINTR, EAGAIN, ECONNABORTED, EPROTO}},
    {"accept", FAULT_ACCEPT, false, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {"recv", FAULT_RECV, true, {EINTR, EAGAIN, FAULT_SHORT}},
    {"recv", FAULT_RECV, false, {ENOBUFS, ENOMEM, ECONNRESET, ETIMEDOUT}},
    {"sendmsg", FAULT_SEND, true, {EINTR, EAGAIN, FAULT_SHORT}},
    {"sendmsg", FAULT_SEND, false, {ENOBUFS, ENOMEM, ECONNRESET, ETIMEDOUT, EPIPE}},
    {"sendfile", FAULT_SENDFILE, true, {EINTR, EAGAIN, FAULT_SHORT}},
    {"sendfile", FAULT_SENDFILE, false, {EIO, EINVAL, EBADF, ENOBUFS, ENOMEM, ECONNRESET, ETIMEDOUT}},
    {"shutdown", FAULT_SHUTDOWN, false, {ENOTCONN, ENOBUFS}},
    {"getsockopt", FAULT_GETSOCKOPT, false, {ENOBUFS}},
    {"setsockopt", FAULT_SETSOCKOPT, false, {ENOBUFS, ENOMEM}},
    {"getsockname", FAULT_GETSOCKNAME, false, {ENOBUFS}},
    {"getpeername", FAULT_GETPEERNAME, false, {ENOBUFS, ENOTCONN}},
    {"epoll_create1", FAULT_EPOLL_CREATE, false, {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl ADD", FAULT_EPOLL_ADD, false, {ENOMEM, ENOSPC}},
    {"epoll_ctl MOD", FAULT_EPOLL_MOD, true, {ENOMEM}},
    {"epoll_wait", FAULT_EPOLL_WAIT, true, {EINTR}},
    {"poll", FAULT_POLL, true, {EINTR}},
    {"poll", FAULT_POLL, false, {ENOMEM}},
    {"eventfd", FAULT_EVENTFD, false, {EMFILE, ENFILE, ENOMEM}},
    {"timerfd_create", FAULT_TIMERFD, false, {EMFILE, ENFILE, ENOMEM}},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* How the faults of each kind have ended. */
static int completed[KINDS], told[KINDS];

typedef struct task {
    const exchange *exchange;
    run run;
} task;

static void *run_exchange(void *arg) {
    task *t = arg;

    t->exchange->make(&t->run);
    end_pair(&t->run);
    return NULL;
}

/* In a thread of its own: a process that ends with it. */
static run make_run(const exchange *of, int error, bool there_first) {
    task t = {.exchange = of, .run = {.error = error, .there_first = there_first}};
    pthread_t thread;

    assert_ok(pthread_create(&thread, NULL, run_exchange, &t));
    assert_ok(pthread_join(thread, NULL));
    return t.run;
}

static int64_t now_ms(void) {
    struct timespec now;

    assert_ok(clock_gettime(CLOCK_MONOTONIC, &now));
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void check(const exchange *of, const char *kind, int k, int error, const run *r, int64_t took) {
    if (r->wrong != 0)
        fail_msg("%s, %s number %d fails with %s: line %d: %s (%d)", of->name, kind, k,
                 error == FAULT_SHORT ? "a short transfer" : strerror(error), r->wrong,
                 gentcp_error_name(r->wrong_status), r->wrong_status);
    if (took > RUN_MS)
        fail_msg("%s, %s number %d fails with %s: took %d ms", of->name, kind, k,
                 error == FAULT_SHORT ? "a short transfer" : strerror(error), (int)took);
}

/* With a smaller scale, some of them only; which ones, is the same each time. */
static bool chosen(void) {
    static long long number;

    number++;
    return number * scale_percent() / 100 != (number - 1) * scale_percent() / 100;
}

static void fail_one(const exchange *of, int which, int k, int error, int live, int fds) {
    const struct fault_kind *kind = &kinds[which];
    int64_t begin = now_ms();
    run r;

    fault_arm(kind->call, k, error);
    r = make_run(of, kind->hidden ? 0 : error, k % 2 == 0);
    if (fault_disarm())
        (r.failures > 0 ? told : completed)[which]++;
    check(of, kind->name, k, error, &r, now_ms() - begin);
    assert_int_equal(fault_live_memory(), live);
    assert_int_equal(descriptors(), fds);
}

static void fail_all(const exchange *of) {
    int counts[FAULT_CALLS];
    int live, fds;
    run r;

    for (int round = 0; round < 2; round++) { /* what is made once, is made in the first round; the second counts */
        for (int i = 0; i < FAULT_CALLS; i++)
            counts[i] = fault_count((enum fault_call)i);
        r = make_run(of, 0, false);
        check(of, "nothing", 0, 0, &r, 0);
        for (int i = 0; i < FAULT_CALLS; i++)
            counts[i] = fault_count((enum fault_call)i) - counts[i];
    }
    live = fault_live_memory();
    fds = descriptors();
    for (int which = 0; which < KINDS; which++) {
        for (const int *error = kinds[which].errors; *error != 0; error++) {
            for (int k = 1; k <= counts[kinds[which].call]; k++) {
                if (chosen())
                    fail_one(of, which, k, *error, live, fds);
            }
        }
    }
}

static void print_outcomes(void) {
    for (int i = 0; i < KINDS; i++) {
        if (completed[i] + told[i] > 0)
            print_message("%-16s %-10s %4d completed %4d told\n", kinds[i].name,
                          kinds[i].hidden ? "hidden" : "an error", completed[i], told[i]);
    }
}

/* Each exchange is a test of its own, with its place in the table as state. */
static void any_one_fault(void **state) {
    fail_all(*state);
}

int main(void) {
    struct CMUnitTest tests[EXCHANGES];
    int failed;

    for (int i = 0; i < EXCHANGES; i++)
        tests[i] = (struct CMUnitTest){
            .name = exchanges[i].name, .test_func = any_one_fault, .initial_state = (void *)(uintptr_t)&exchanges[i]};
    make_pattern();
    if (gentcp_configure(&fault_memory) != 0)
        return 1;
    failed = cmocka_run_group_tests_name("any one fault in", tests, NULL, NULL);
    print_outcomes();
    return failed;
}
