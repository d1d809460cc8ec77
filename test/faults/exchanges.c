/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* ppoll */
#include "test/faults/exchanges.h"

#include <poll.h>
#include <semaphore.h>

static void is_wrong(run *r, int status, int line) {
    if (r->wrong != 0)
        return;
    r->wrong = line;
    r->wrong_status = status;
}

/* A status that isn't 0 must be the fault's own error. */
static bool opens(run *r, int status, int line) {
    if (status == 0)
        return true;
    r->failures++;
    if (r->error == 0 || status != -r->error)
        is_wrong(r, status, line);
    return false;
}

static bool is_end(int status) {
    return status == GENTCP_CLOSED || status == -ENOTCONN;
}

/* Once there is a connection, its end is a right answer, too. */
static bool passes(run *r, int status, int line) {
    if (r->error != 0 && is_end(status)) {
        r->failures++;
        return false;
    }
    return opens(r, status, line);
}

static bool succeeds(run *r, int status, int line) {
    if (status != 0)
        is_wrong(r, status, line);
    return status == 0;
}

/* What fails leaves no trace: made again, it succeeds. */
#define TWICE(it) (opens(r, (it), __LINE__) || succeeds(r, (it), __LINE__))
/* The exchange is over when this fails. */
#define DO(it)                                                                                                         \
    do {                                                                                                               \
        if (!passes(r, (it), __LINE__))                                                                                \
            return;                                                                                                    \
    } while (0)

uint8_t pattern[LARGE];

static int receive_bytes(gentcp_socket socket, size_t length, size_t from, size_t size) {
    gentcp_data data;
    int status = gentcp_recv(socket, length, SOON, &data);

    if (status != 0)
        return status;
    if (data.size != size || memcmp(data.bytes, pattern + from, size) != 0)
        status = -EILSEQ;
    gentcp_data_release(&data);
    return status;
}

/* Raw data, in whatever pieces it comes. */
static int receive_pieces(gentcp_socket socket, size_t size) {
    for (size_t have = 0; have < size;) {
        gentcp_data data;
        int status = gentcp_recv(socket, 0, SOON, &data);
        if (status != 0)
            return status;
        if (data.size > size - have || memcmp(data.bytes, pattern + have, data.size) != 0)
            status = -EILSEQ;
        have += data.size;
        gentcp_data_release(&data);
        if (status != 0)
            return status;
    }
    return 0;
}

int take_message(side *from, enum gentcp_message_kind kind, size_t *size, int64_t timeout) {
    gentcp_message message;
    int status = gentcp_receive_from(from->socket, &message, timeout);

    if (status != 0)
        return status;
    if (from->ends > 0)
        status = -EPROTO; /* something follows the end */
    if (message.kind == GENTCP_TCP_CLOSED)
        from->ends++;
    if (status == 0 && message.kind == GENTCP_TCP && size != NULL) {
        if (*size + message.data.size > LARGE || memcmp(message.data.bytes, pattern + *size, message.data.size) != 0)
            status = -EILSEQ;
        *size += message.data.size;
    }
    gentcp_data_release(&message.data);
    if (status != 0 || message.kind == kind)
        return status;
    return message.kind == GENTCP_TCP_ERROR    ? message.reason
           : message.kind == GENTCP_TCP_CLOSED ? GENTCP_CLOSED
                                               : -EBADMSG;
}

/* Raw data as messages. */
static int take_bytes(side *from, size_t size) {
    size_t have = 0;
    int status = 0;

    while (have < size && status == 0)
        status = take_message(from, GENTCP_TCP, &have, SOON);
    return status;
}

/* ---- beginning and end of a connection ---- */

static int try_open(run *r, const gentcp_option *listening, const gentcp_option *connecting) {
    uint16_t port;
    int status = gentcp_listen(0, listening, &r->listener);

    if (status != 0)
        return status;
    status = gentcp_port(r->listener, &port);
    if (status == 0)
        status = gentcp_connect("127.0.0.1", port, connecting, SOON, &r->here.socket);
    if (status != 0) {
        int closed = gentcp_close(r->listener);
        r->listener = (gentcp_socket){0};
        return closed != 0 ? closed : status;
    }
    return 0;
}

static bool open_connection(run *r, const gentcp_option *listening, const gentcp_option *connecting) {
    return TWICE(try_open(r, listening, connecting));
}

static bool open_pair(run *r, const gentcp_option *listening, const gentcp_option *connecting) {
    return open_connection(r, listening, connecting) && TWICE(gentcp_accept(r->listener, SOON, &r->there.socket));
}

/* Nothing follows the end, and no call tells of it as if it were new. */
static void empty_mailbox(run *r, side *from) {
    int status, ends;

    do {
        ends = from->ends;
        status = take_message(from, GENTCP_TCP, NULL, 0);
        if (status != GENTCP_TIMEOUT)
            (void)(is_end(status) || passes(r, status, __LINE__));
    } while (status != GENTCP_TIMEOUT && (status != GENTCP_CLOSED || ends != from->ends) && r->wrong == 0);
}

/* Takes what comes until the end, which is told once. */
static void drain(run *r, side *from) {
    int status = 0;

    for (int i = 0; !is_end(status) && r->wrong == 0; i++) {
        gentcp_data data;
        status = i < 10000 ? gentcp_recv(from->socket, 0, SOON, &data) : -ELOOP;
        if (status == 0)
            gentcp_data_release(&data);
        else if (status == -EINVAL) /* it is active */
            status = take_message(from, GENTCP_TCP, NULL, SOON);
        if (!is_end(status))
            (void)passes(r, status, __LINE__);
    }
    empty_mailbox(r, from);
    status = gentcp_recv(from->socket, 0, SOON, &(gentcp_data){0});
    if (!is_end(status))
        is_wrong(r, status, __LINE__);
}

static void end_socket(run *r, gentcp_socket socket) {
    if (socket.id != 0)
        (void)passes(r, gentcp_close(socket), __LINE__);
}

void end_pair(run *r) {
    side *first = r->there_first ? &r->there : &r->here;
    side *second = r->there_first ? &r->here : &r->there;

    end_socket(r, first->socket);
    if (first->socket.id != 0 && second->socket.id != 0)
        drain(r, second);
    end_socket(r, second->socket);
    end_socket(r, r->listener);
}

/* ---- the exchanges ---- */

#define ON_LOOPBACK         GENTCP_IP("127.0.0.1")
#define LISTEN_PASSIVE(...) gentcp_options(ON_LOOPBACK, GENTCP_ACTIVE(false), __VA_ARGS__)
#define QUEUEING            GENTCP_HIGH_WATERMARK(1 << 20), GENTCP_LOW_WATERMARK(1 << 20), GENTCP_SNDBUF(16 * 1024)

static void small_and_passive(run *r) {
    gentcp_address address;
    int64_t number;

    if (!open_pair(r, LISTEN_PASSIVE(GENTCP_NODELAY(true), GENTCP_KEEPALIVE(true)), JUST_PASSIVE))
        return;
    if (!TWICE(gentcp_peername(r->there.socket, &address)) ||
        !TWICE(gentcp_setopts(r->here.socket, gentcp_options(GENTCP_NODELAY(true)))) ||
        !TWICE(gentcp_getopt(r->here.socket, GENTCP_OPT_NODELAY, &number)))
        return;
    DO(gentcp_send(r->here.socket, pattern, 10));
    DO(receive_bytes(r->there.socket, 4, 0, 4));
    DO(gentcp_unrecv(r->there.socket, pattern + 2, 2));
    DO(receive_bytes(r->there.socket, 0, 2, 8));
    DO(gentcp_send(r->there.socket, pattern, 10));
    DO(receive_bytes(r->here.socket, 10, 0, 10));
    DO(gentcp_shutdown(r->here.socket, SHUT_WR));
    DO(gentcp_send(r->there.socket, pattern, 3));
    DO(receive_bytes(r->here.socket, 3, 0, 3));
}

static void large_and_passive(run *r) {
    if (!open_pair(r, LISTEN_PASSIVE(QUEUEING), PASSIVE(QUEUEING)))
        return;
    DO(gentcp_send(r->here.socket, pattern, LARGE));
    DO(receive_bytes(r->there.socket, LARGE, 0, LARGE));
    DO(gentcp_send(r->there.socket, pattern, LARGE));
    DO(receive_pieces(r->here.socket, LARGE));
}

static void packets(run *r) {
    if (!open_pair(r, LISTEN_PASSIVE(GENTCP_PACKET(4)), PASSIVE(GENTCP_PACKET(4), QUEUEING)))
        return;
    for (size_t i = 0; i < 3; i++)
        DO(gentcp_send(r->here.socket, pattern + i, 100));
    for (size_t i = 0; i < 3; i++)
        DO(receive_bytes(r->there.socket, 0, i, 100));
    DO(gentcp_send(r->here.socket, pattern, LARGE));
    DO(gentcp_send(r->here.socket, pattern, 5));
    DO(receive_bytes(r->there.socket, 0, 0, LARGE));
    DO(receive_bytes(r->there.socket, 0, 0, 5));
}

static void active(run *r) {
    if (!open_pair(r, gentcp_options(ON_LOOPBACK, GENTCP_PACKET(2)), gentcp_options(GENTCP_PACKET(2))))
        return;
    for (int i = 0; i < 2; i++)
        DO(gentcp_send(r->here.socket, pattern, 10));
    for (int i = 0; i < 2; i++)
        DO(take_message(&r->there, GENTCP_TCP, &(size_t){0}, SOON));
    DO(gentcp_setopts(r->there.socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
    for (int i = 0; i < 2; i++)
        DO(gentcp_send(r->here.socket, pattern, 10));
    DO(take_message(&r->there, GENTCP_TCP, &(size_t){0}, SOON));
    DO(gentcp_setopts(r->there.socket, gentcp_options(GENTCP_ACTIVE_N(2))));
    DO(gentcp_send(r->here.socket, pattern, 10));
    for (int i = 0; i < 2; i++)
        DO(take_message(&r->there, GENTCP_TCP, &(size_t){0}, SOON));
    DO(take_message(&r->there, GENTCP_TCP_PASSIVE, NULL, SOON));
    DO(gentcp_setopts(r->there.socket, gentcp_options(GENTCP_ACTIVE(true))));
}

static void active_and_large(run *r) {
    if (!open_pair(r, gentcp_options(ON_LOOPBACK, QUEUEING), gentcp_options(QUEUEING)))
        return;
    DO(gentcp_send(r->here.socket, pattern, LARGE));
    DO(take_bytes(&r->there, LARGE));
}

static int pattern_file = -1;

/* Whatever happens in the middle: how much of the file has gone is known. */
static void files(run *r) {
    uint64_t sent;
    int status;

    if (!open_pair(r, gentcp_options(ON_LOOPBACK, GENTCP_RECBUF(8 * 1024)), PASSIVE(QUEUEING)))
        return;
    DO(gentcp_send(r->here.socket, pattern, 10));
    status = gentcp_sendfile(r->here.socket, pattern_file, 10, LARGE - 20, &sent);
    if (status == 0 && sent != LARGE - 20)
        is_wrong(r, -EMSGSIZE, __LINE__);
    if (!passes(r, status, __LINE__) && sent > 0)
        return; /* it was cut */
    if (sent > 0) {
        DO(gentcp_sendfile(r->here.socket, pattern_file, LARGE - 10, 0, &sent));
        DO(take_bytes(&r->there, LARGE));
    } else {
        DO(take_bytes(&r->there, 10));
    }
}

/* Both sides are in this process: it flushes the one and receives for the other at a time. */
static void close_with_a_queue(run *r) {
    gentcp_socket closing;

    if (!open_pair(r, gentcp_options(ON_LOOPBACK, GENTCP_RECBUF(8 * 1024)), PASSIVE(QUEUEING)))
        return;
    DO(gentcp_send(r->here.socket, pattern, LARGE));
    closing = r->here.socket;
    DO(gentcp_close(closing));
    DO(take_bytes(&r->there, LARGE));
}

/* As the system's calls, but not those that fail. */
static bool wait_in_a_loop(void) {
    struct pollfd fds[16] = {{.fd = gentcp_fd(), .events = POLLIN}};
    int count = fds[0].fd < 0 ? gentcp_pollfds(fds, 16) : 1;
    int timeout = gentcp_next_timeout();
    struct timespec most = {.tv_sec = SOON / 1000};

    if (timeout >= 0)
        most = (struct timespec){.tv_sec = timeout / 1000, .tv_nsec = (timeout % 1000) * 1000000L};
    return count > 0 && (ppoll(fds, (nfds_t)count, &most, NULL) > 0 || timeout >= 0);
}

static int join_loop(void) {
    int fd = gentcp_fd();

    if (fd == -EOPNOTSUPP)
        fd = gentcp_pollfds(NULL, 0);
    return fd < 0 ? fd : 0;
}

static void in_a_loop_of_its_own(run *r) {
    size_t have = 0;

    if (!TWICE(join_loop()) ||
        !open_pair(r, gentcp_options(ON_LOOPBACK), gentcp_options(GENTCP_HIGH_WATERMARK(1 << 20))))
        return;
    DO(gentcp_send(r->here.socket, pattern, LARGE));
    while (have < LARGE) {
        int status = 0;
        if (!wait_in_a_loop()) {
            is_wrong(r, GENTCP_TIMEOUT, __LINE__);
            return;
        }
        while (status == 0)
            status = take_message(&r->there, GENTCP_TCP, &have, 0);
        if (status != GENTCP_TIMEOUT)
            DO(status);
    }
}

/* ---- with a second process ---- */

typedef struct partner {
    run run; /* what it meets; .there is what it was given */
    gentcp_socket given;
    gentcp_pid pid;
    sem_t ready;
} partner;

/* Its part is done: the other side closes; or something has failed, and the other side must hear of it. */
static void end_partner(run *r, bool done) {
    if (done)
        drain(r, &r->there);
    end_socket(r, r->there.socket);
    r->there = (side){.ends = 0};
}

static void with_partner(run *r, void *(*begin)(void *), void (*make)(run *, partner *)) {
    partner other = {.run.error = r->error, .run.listener = r->listener};
    pthread_t thread;

    if (sem_init(&other.ready, 0, 0) != 0 || pthread_create(&thread, NULL, begin, &other) != 0) {
        is_wrong(r, -errno, __LINE__);
        return;
    }
    make(r, &other);
    pthread_join(thread, NULL);
    sem_destroy(&other.ready);
    r->failures += other.run.failures;
    if (other.run.wrong != 0)
        is_wrong(r, other.run.wrong_status, other.run.wrong);
}

static void use_what_is_given(run *r) {
    DO(receive_bytes(r->there.socket, 3, 2, 3));
    DO(receive_bytes(r->there.socket, 5, 5, 5));
    DO(gentcp_send(r->there.socket, pattern, 5));
    DO(gentcp_setopts(r->there.socket, gentcp_options(GENTCP_ACTIVE(true))));
}

static void *be_given(void *arg) {
    partner *self = arg;
    run *r = &self->run;
    gentcp_message go = {0};
    bool made = TWICE(gentcp_self(&self->pid));

    sem_post(&self->ready);
    if (made && TWICE(gentcp_receive(&go, SOON)) && go.user != NULL) {
        int before = r->failures;
        r->there.socket = *(gentcp_socket *)go.user;
        use_what_is_given(r);
        end_partner(r, r->failures == before);
    }
    return NULL;
}

static void give(run *r, partner *to) {
    to->given = r->there.socket;
    sem_wait(&to->ready);
    if (!TWICE(gentcp_controlling_process(to->given, to->pid)) || !TWICE(gentcp_post(to->pid, &to->given)))
        return;
    r->there.socket = (gentcp_socket){0};
    if (passes(r, gentcp_send(r->here.socket, pattern + 5, 5), __LINE__))
        (void)passes(r, receive_bytes(r->here.socket, 5, 0, 5), __LINE__);
    end_socket(r, r->here.socket);
}

static void hand_over(run *r) {
    if (!open_pair(r, LISTEN_PASSIVE(GENTCP_BACKLOG(5)), JUST_PASSIVE))
        return;
    DO(gentcp_send(r->here.socket, pattern, 5));
    DO(receive_bytes(r->there.socket, 2, 0, 2));
    with_partner(r, be_given, give);
}

static void serve(run *r) {
    DO(receive_bytes(r->there.socket, 5, 0, 5));
    DO(gentcp_send(r->there.socket, pattern, 5));
}

/* Until the listener is closed. */
static void serve_all(run *r) {
    for (int i = 0; i < 4; i++) {
        int status = gentcp_accept(r->listener, SOON, &r->there.socket);
        int before = r->failures;
        if (status == GENTCP_CLOSED)
            return;
        if (!opens(r, status, __LINE__))
            continue;
        serve(r);
        end_partner(r, r->failures == before);
    }
    is_wrong(r, GENTCP_TIMEOUT, __LINE__);
}

static void ask(run *r) {
    DO(gentcp_send(r->here.socket, pattern, 5));
    DO(receive_bytes(r->here.socket, 5, 0, 5));
}

static void ask_and_end(run *r) {
    uint16_t port;

    if (TWICE(gentcp_port(r->listener, &port)) &&
        TWICE(gentcp_connect("127.0.0.1", port, JUST_PASSIVE, SOON, &r->here.socket))) {
        ask(r);
        end_socket(r, r->here.socket);
    }
    end_socket(r, r->listener);
    r->here.socket = r->listener = (gentcp_socket){0};
}

static void *serve_elsewhere(void *arg) {
    serve_all(&((partner *)arg)->run);
    return NULL;
}

static void *ask_elsewhere(void *arg) {
    ask_and_end(&((partner *)arg)->run);
    return NULL;
}

static void ask_from_here(run *r, partner *unused) {
    (void)unused;
    ask_and_end(r);
}

static void serve_from_here(run *r, partner *unused) {
    (void)unused;
    serve_all(r);
}

static void accept_elsewhere(run *r) {
    if (TWICE(gentcp_listen(0, LISTEN_PASSIVE(GENTCP_BACKLOG(5)), &r->listener)))
        with_partner(r, serve_elsewhere, ask_from_here);
}

static void connect_elsewhere(run *r) {
    if (TWICE(gentcp_listen(0, LISTEN_PASSIVE(GENTCP_BACKLOG(5)), &r->listener)))
        with_partner(r, ask_elsewhere, serve_from_here);
}

/* ---- all of them ---- */

const exchange exchanges[EXCHANGES] = {
    {"small_and_passive", small_and_passive},
    {"large_and_passive", large_and_passive},
    {"packets", packets},
    {"active", active},
    {"active_and_large", active_and_large},
    {"close_with_a_queue", close_with_a_queue},
    {"files", files},
    {"in_a_loop_of_its_own", in_a_loop_of_its_own},
    {"hand_over", hand_over},
    {"accept_elsewhere", accept_elsewhere},
    {"connect_elsewhere", connect_elsewhere},
};

void make_pattern(void) {
    char path[] = "/tmp/gentcp_faults_XXXXXX";

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    pattern_file = mkstemp(path);
    assert_true(pattern_file >= 0);
    assert_ok(unlink(path));
    assert_int_equal(write(pattern_file, pattern, sizeof pattern), sizeof pattern);
}
