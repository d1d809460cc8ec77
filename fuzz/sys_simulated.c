/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/sys_simulated.h"

#include <errno.h>
#include <unistd.h>

#include "fuzz/input.h"

enum { ALL = GT_READABLE | GT_WRITABLE | GT_HANGUP };

static sim_file files[SIM_FILES];
static int opened;
static uint8_t faults[SIM_FAULTS];
static enum sim_connect connect_how;
static int64_t now;
static bool strict;

void sim_begin(bool be_strict) {
    for (int i = 0; i < opened; i++)
        memset(&files[i], 0, offsetof(sim_file, in));
    opened = 0;
    sim_clear_faults();
    connect_how = SIM_CONNECT_AT_ONCE;
    now = 1000000;
    strict = be_strict;
}

int sim_open_files(void) {
    int count = 0;

    for (int i = 0; i < opened; i++)
        count += files[i].open;
    return count;
}

sim_file *sim_file_of(int fd) {
    CHECK(fd >= SIM_FD && fd < SIM_FD + opened);
    return &files[fd - SIM_FD];
}

/* Of a call by the engine: it has no business with a closed one. */
static sim_file *open_file(int fd) {
    sim_file *file = sim_file_of(fd);

    CHECK(file->open);
    return file;
}

void sim_set_fault(enum sim_fault fault, uint8_t n) {
    faults[fault] = n;
}

void sim_clear_faults(void) {
    memset(faults, 0, sizeof faults);
}

bool sim_fails(enum sim_fault fault) {
    return faults[fault] != 0 && --faults[fault] == 0;
}

void sim_set_connect(enum sim_connect how) {
    connect_how = how;
}

void sim_advance(int64_t ms) {
    now += ms;
}

uint8_t sim_pattern(size_t n) {
    return (uint8_t)(n ^ (n >> 8) * 31 ^ (n >> 16) * 7);
}

/* ---- readiness ---- */

static int readiness(const sim_file *file) {
    int ready = 0;

    if (file->listening)
        return file->pending > 0 ? GT_READABLE : 0;
    if (file->connecting)
        return 0;
    if (file->in_read < file->in_size || file->fin || file->reset || file->read_shut || file->error != 0)
        ready |= GT_READABLE;
    if (file->out_size < file->out_limit || file->reset || file->write_shut || file->error != 0)
        ready |= GT_WRITABLE;
    if (file->fin || file->reset || file->read_shut || file->error != 0)
        ready |= GT_HANGUP;
    return ready;
}

static void edge(sim_file *file, int what) {
    file->edges |= what;
}

static int backend_open(gt_poller *poller) {
    (void)poller;
    return 0;
}

static void backend_close(gt_poller *poller) {
    for (int i = 0; i < opened; i++)
        CHECK(files[i].watch == NULL || files[i].watch->poller != poller);
}

static int backend_add(gt_poller *poller, gt_watch *watch) {
    sim_file *file = open_file(watch->fd);

    (void)poller;
    if (sim_fails(SIM_ADD))
        return -ENOMEM;
    CHECK(file->watch == NULL);
    file->watch = watch;
    file->edges = readiness(file);
    watch->interest = ALL;
    return 0;
}

static void backend_remove(gt_poller *poller, gt_watch *watch) {
    sim_file *file = open_file(watch->fd);

    (void)poller;
    CHECK(file->watch == watch);
    file->watch = NULL;
    file->edges = 0;
}

static void backend_want(gt_poller *poller, gt_watch *watch, int what) {
    (void)poller;
    watch->interest |= (unsigned)what & ALL;
}

/* An edge whose cause is gone by now isn't told; one that nobody wants waits. */
static int backend_wait(gt_poller *poller, gt_event *events, int room, int timeout_ms) {
    int found = 0;

    (void)timeout_ms;
    for (int i = 0; i < opened && found < room; i++) {
        sim_file *file = &files[i];
        int report;
        if (file->watch == NULL || file->watch->poller != poller)
            continue;
        file->edges &= readiness(file);
        report = file->edges;
        if (strict && (file->watch->interest & (GT_READABLE | GT_WRITABLE)) == 0)
            report = 0;
        else if (strict)
            report &= file->watch->interest | GT_HANGUP;
        if (report == 0)
            continue;
        file->edges &= ~report;
        file->watch->interest &= ~(unsigned)report & ALL;
        events[found++] = (gt_event){.watch = file->watch, .readiness = report};
    }
    return found;
}

static int backend_fd(gt_poller *poller) {
    (void)poller;
    return -EOPNOTSUPP;
}

static int backend_fds(gt_poller *poller, struct pollfd *fds, int n) {
    (void)poller, (void)fds, (void)n;
    return 0;
}

const gt_backend sim_backend = {
    .size = sizeof(gt_poller),
    .open = backend_open,
    .close = backend_close,
    .add = backend_add,
    .remove = backend_remove,
    .want = backend_want,
    .wait = backend_wait,
    .fd = backend_fd,
    .fds = backend_fds,
};

/* ---- the other side ---- */

size_t sim_peer_send(sim_file *file, const uint8_t *bytes, size_t size) {
    if (!file->connected || file->fin || file->reset)
        return 0;
    if (size > SIM_STREAM - file->in_size)
        size = SIM_STREAM - file->in_size;
    for (size_t i = 0; i < size; i++)
        file->in[file->in_size + i] = bytes != NULL ? bytes[i] : sim_pattern(file->in_size + i);
    file->in_size += size;
    if (size > 0)
        edge(file, GT_READABLE);
    return size;
}

void sim_peer_read(sim_file *file, size_t size) {
    file->out_limit = size < SIM_STREAM - file->out_limit ? file->out_limit + size : SIM_STREAM;
    if (file->no_space && file->out_size < file->out_limit) {
        file->no_space = false;
        edge(file, GT_WRITABLE);
    }
}

void sim_peer_fin(sim_file *file) {
    if (!file->connected || file->fin || file->reset)
        return;
    file->fin = true;
    edge(file, GT_READABLE | GT_HANGUP);
}

void sim_peer_reset(sim_file *file) {
    if (!file->connected || file->reset)
        return;
    file->reset = true;
    edge(file, ALL);
}

void sim_peer_decide(sim_file *file, int error) {
    if (!file->connecting)
        return;
    file->connecting = false;
    file->connected = error == 0;
    file->error = error;
    edge(file, error == 0 ? GT_WRITABLE : ALL);
}

void sim_peer_connect(sim_file *listener, size_t early) {
    if (!listener->listening || !listener->open)
        return;
    listener->pending++;
    listener->early = early;
    edge(listener, GT_READABLE);
}

/* ---- sys/sys.h ---- */

static int open_new(void) {
    if (opened == SIM_FILES)
        return -EMFILE;
    files[opened].open = true;
    return SIM_FD + opened++;
}

int gt_sys_socket(int family, const char *netns) {
    (void)family, (void)netns;
    return sim_fails(SIM_SOCKET) ? -EMFILE : open_new();
}

/* Nobody else makes descriptors here. */
int gt_sys_adopt(int fd, int family, gt_existing *out) {
    (void)fd, (void)family, (void)out;
    return -EBADF;
}

int gt_sys_connect(int fd, const gt_address *to) {
    sim_file *file = open_file(fd);

    (void)to;
    if (sim_fails(SIM_CONNECT))
        return -ECONNREFUSED;
    file->connected = connect_how == SIM_CONNECT_AT_ONCE;
    file->connecting = !file->connected;
    return file->connected ? 0 : -EINPROGRESS;
}

int gt_sys_bind(int fd, const gt_address *at) {
    (void)open_file(fd), (void)at;
    return sim_fails(SIM_BIND) ? -EADDRINUSE : 0;
}

int gt_sys_listen(int fd, int backlog) {
    (void)backlog;
    if (sim_fails(SIM_LISTEN))
        return -EADDRINUSE;
    open_file(fd)->listening = true;
    return 0;
}

int gt_sys_accept(int fd) {
    sim_file *listener = open_file(fd);
    int taken;

    CHECK(listener->listening);
    if (listener->pending == 0)
        return -EAGAIN;
    /* The connection stays with the kernel. */
    taken = sim_fails(SIM_ACCEPT) ? -EMFILE : open_new();
    if (taken < 0)
        return taken;
    listener->pending--;
    sim_file_of(taken)->connected = true;
    (void)sim_peer_send(sim_file_of(taken), NULL, listener->early);
    return taken;
}

static ssize_t reset_answer(sim_file *file, int after) {
    if (file->reset_told)
        return after;
    file->reset_told = true;
    return -ECONNRESET;
}

ssize_t gt_sys_recv(int fd, void *bytes, size_t size) {
    sim_file *file = open_file(fd);
    size_t there = file->in_size - file->in_read;

    CHECK(size > 0);
    CHECK(!file->listening && !file->connecting);
    if (sim_fails(SIM_RECV_RESET))
        sim_peer_reset(file);
    if (sim_fails(SIM_RECV_NOMEM))
        return -ENOMEM;
    if (there == 0)
        return file->reset ? reset_answer(file, 0) : file->fin || file->read_shut ? 0 : -EAGAIN;
    if (sim_fails(SIM_RECV_AGAIN)) { /* it has come just after the call */
        edge(file, GT_READABLE);
        return -EAGAIN;
    }
    if (there > size)
        there = size;
    if (there > 1 && sim_fails(SIM_RECV_SHORT)) { /* the other half has come just after */
        there /= 2;
        edge(file, GT_READABLE);
    }
    memcpy(bytes, file->in + file->in_read, there);
    file->in_read += there;
    return (ssize_t)there;
}

ssize_t gt_sys_send(int fd, const struct iovec *parts, int count) {
    sim_file *file = open_file(fd);
    size_t room, total = 0, went = 0;

    CHECK(count > 0 && count <= GT_SYS_IOV_MAX);
    CHECK(!file->listening && !file->connecting);
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    CHECK(total > 0);
    if (sim_fails(SIM_SEND_RESET))
        sim_peer_reset(file);
    if (file->reset)
        return reset_answer(file, -EPIPE);
    if (file->write_shut)
        return -EPIPE;
    if (sim_fails(SIM_SEND_NOBUFS))
        return -ENOBUFS;
    room = file->out_limit - file->out_size;
    if (room > 0 && sim_fails(SIM_SEND_AGAIN)) { /* there is room just after the call */
        edge(file, GT_WRITABLE);
        return -EAGAIN;
    }
    if (room > 1 && total > 1 && sim_fails(SIM_SEND_SHORT)) {
        room = 1 + (room < total ? room : total) / 2;
        edge(file, GT_WRITABLE);
    }
    for (int i = 0; i < count && went < room; i++) {
        size_t part = parts[i].iov_len < room - went ? parts[i].iov_len : room - went;
        if (part > 0)
            memcpy(file->out + file->out_size, parts[i].iov_base, part);
        file->out_size += part;
        went += part;
    }
    file->no_space |= went < total;
    return went > 0 ? (ssize_t)went : -EAGAIN;
}

ssize_t gt_sys_sendfile(int fd, int file, int64_t offset, size_t size) {
    uint8_t bytes[4096];
    struct iovec part = {.iov_base = bytes};

    if (file != SIM_DISK_FILE)
        return -EBADF;
    while (part.iov_len < size && part.iov_len < sizeof bytes && offset + (int64_t)part.iov_len < SIM_DISK_SIZE) {
        bytes[part.iov_len] = sim_pattern((size_t)offset + part.iov_len);
        part.iov_len++;
    }
    return part.iov_len > 0 ? gt_sys_send(fd, &part, 1) : 0;
}

int gt_sys_shutdown(int fd, int how) {
    sim_file *file = open_file(fd);

    if (!file->connected || (file->reset && file->reset_told))
        return -ENOTCONN;
    file->read_shut |= how != SHUT_WR;
    if (how != SHUT_WR) /* Linux wakes whoever polls */
        edge(file, GT_READABLE | GT_HANGUP);
    file->write_shut |= how != SHUT_RD;
    return 0;
}

/* The poller closes its wake descriptor by this, too. */
void gt_sys_close(int fd) {
    if (fd < SIM_FD) {
        close(fd);
        return;
    }
    CHECK(open_file(fd)->watch == NULL);
    open_file(fd)->open = false;
}

int gt_sys_pending_error(int fd) {
    sim_file *file = open_file(fd);
    int error = file->error;

    file->error = 0;
    return error;
}

int gt_sys_setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    (void)open_file(fd), (void)level, (void)option, (void)value, (void)size;
    return sim_fails(SIM_SETSOCKOPT) ? -ENOBUFS : 0;
}

int gt_sys_getsockopt(int fd, int level, int option, void *value, socklen_t *size) {
    (void)open_file(fd), (void)level, (void)option;
    *size = sizeof(int);
    memset(value, 0, *size);
    return 0;
}

static int name(int fd, gt_address *out) {
    const sim_file *file = open_file(fd);

    *out = (gt_address){.size = sizeof out->in, .in = {.sin_family = AF_INET}};
    return file->connected ? 0 : -ENOTCONN;
}

int gt_sys_sockname(int fd, gt_address *out) {
    (void)name(fd, out);
    return 0;
}

int gt_sys_peername(int fd, gt_address *out) {
    return name(fd, out);
}

int64_t gt_sys_now(void) {
    return now;
}
