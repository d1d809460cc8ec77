/* SPDX-License-Identifier: Apache-2.0 */
#include "test/poller_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const gt_backend *backend = &gt_backend_epoll;
report reports[LOG_MAX];
int report_count;
int allocations;
int allocations_left = -1;

static void record(const void *who, int readiness) {
    assert_in_range(report_count, 0, LOG_MAX - 1);
    reports[report_count++] = (report){who, readiness};
}

static void on_ready(gt_watch *watch, int readiness) {
    end *ready = (end *)watch;
    record(ready, readiness);
    if (ready->on_ready != NULL)
        ready->on_ready(ready, readiness);
}

static void on_expired(gt_deadline *deadline) {
    timer *expired = (timer *)deadline;
    record(expired, 0);
    if (expired->on_expired != NULL)
        expired->on_expired(expired);
}

static void on_forgotten(gt_watch *watch) {
    end *forgotten = (end *)watch;
    (void)__atomic_add_fetch(forgotten->forgotten, 1, __ATOMIC_RELAXED);
    memset(forgotten, 0xdd, sizeof *forgotten);
    free(forgotten);
}

static void *allocate(size_t size) {
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    allocations++;
    return malloc(size);
}

static void release(void *memory) {
    assert_non_null(memory);
    allocations--;
    free(memory);
}

const gt_poller_user recorder = {on_ready, on_expired, on_forgotten, allocate, release};

int choose_backend(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : getenv("GENTCP_POLLER");
    if (name == NULL || strcmp(name, "epoll") == 0) {
        backend = &gt_backend_epoll;
    } else if (strcmp(name, "poll") == 0) {
        backend = &gt_backend_poll;
    } else {
        (void)fprintf(stderr, "no such poller: %s\n", name);
        return -1;
    }
    return 0;
}

gt_poller *open_poller(void) {
    gt_poller *poller = NULL;
    assert_int_equal(gt_poller_open(&poller, backend, &recorder), 0);
    clear_reports();
    return poller;
}

void close_poller(gt_poller *poller) {
    gt_poller_close(poller);
    assert_int_equal(allocations, 0);
}

end *make_end(int *forgotten) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    end *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->watch.fd = fds[0];
    made->peer = fds[1];
    made->forgotten = forgotten;
    return made;
}

end *open_end(gt_poller *poller, int *forgotten) {
    end *opened = make_end(forgotten);
    assert_int_equal(gt_poller_add(poller, &opened->watch), 0);
    settle(poller);
    return opened;
}

void close_end(end *open) {
    int fd = open->watch.fd;
    int peer = open->peer;
    gt_poller_remove(&open->watch);
    assert_int_equal(close(fd), 0);
    if (peer >= 0)
        assert_int_equal(close(peer), 0);
}

void write_peer(end *open, const char *text) {
    assert_int_equal(write(open->peer, text, strlen(text)), strlen(text));
}

void settle(gt_poller *poller) {
    int tries = 0;
    while (gt_poller_run(poller, 0, LOG_MAX) > 0)
        assert_in_range(++tries, 1, 100);
    clear_reports();
}

void clear_reports(void) {
    report_count = 0;
}

bool is_readable(int fd) {
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    return poll(&ask, 1, 0) == 1;
}
