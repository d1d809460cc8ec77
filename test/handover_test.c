/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-overs under traffic: whoever owns a socket sees its stream go on exactly where the owner before has left it, in
 * active mode true, once and N; nothing is lost, doubled or reordered, and the end is told once. */
#include <semaphore.h>

#include "test/connection.h"
#include "test/scale.h"
#include "test/thread_assert.h"

enum {
    PROCESSES = 4,
    STREAMS = 6,       /* each mode, as packets and as raw bytes */
    CONNECTION = 2000, /* packets, at most, before a stream goes on over another connection */
    AHEAD = 64,        /* packets that a peer sends ahead of their receipt */
    COUNT = 7,         /* N of mode {active, N} */
    RAW_UNIT = 16,     /* bytes that make one "packet" of a raw stream */
};

enum mode { MODE_TRUE, MODE_ONCE, MODE_N };

/* Numbers that come over one connection after another. What isn't atomic is touched only by whoever has received the
 * last message of the stream: no lock is needed if hand-overs keep their promises, and the thread sanitizer looks on.
 */
typedef struct stream {
    enum mode mode;
    bool raw;
    uint16_t port;           /* where its peer accepts */
    _Atomic uint64_t socket; /* the present connection */
    uint64_t next;           /* the number expected next, or place in the stream of raw bytes */
    int messages;            /* left of N; of once: 1 while it is armed */
    bool passive_due;        /* N has come to 0 */
    _Atomic uint64_t sent;   /* over this connection, set at its end */
    sem_t credits;           /* packets that may be sent */
    int listener;
    pthread_t peer;
} stream;

static stream streams[STREAMS];
static gentcp_pid pids[PROCESSES];
static int wanted; /* hand-overs */
static atomic_int handed_over, came_too_late, streams_ended, connections;

static unsigned pick(unsigned *seed, unsigned below) {
    *seed = *seed * 1664525 + 1013904223;
    return (unsigned)((uint64_t)*seed * below >> 32);
}

/* ---- the peer of a stream: a plain socket that sends numbers ---- */

static uint8_t byte_at(uint64_t place) {
    return (uint8_t)(place * 7 ^ place >> 8);
}

/* One packet, in two pieces at times. */
static void send_one(int fd, const stream *s, uint64_t number, unsigned *seed) {
    uint8_t packet[4 + 8 + 24] = {0};
    size_t size = 12 + pick(seed, 25), cut;

    if (s->raw) {
        size = RAW_UNIT;
        for (size_t i = 0; i < size; i++)
            packet[i] = byte_at(number * RAW_UNIT + i);
    } else {
        packet[3] = (uint8_t)(size - 4);
        memcpy(packet + 4, &number, sizeof number);
    }
    cut = pick(seed, (unsigned)size * 2);
    if (cut > 0 && cut < size) {
        plain_send(fd, packet, cut);
        plain_send(fd, packet + cut, size - cut);
    } else {
        plain_send(fd, packet, size);
    }
}

static void *run_peer(void *argument) {
    stream *s = argument;
    unsigned seed = (unsigned)(s - streams) + 1;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        uint64_t length = CONNECTION / 4 + pick(&seed, CONNECTION * 3 / 4), number = 0;
        for (; number < length && handed_over < wanted; number++) {
            while (sem_wait(&s->credits) != 0) {
            }
            send_one(fd, s, number, &seed);
        }
        s->sent = number;
        close(fd);
    }
    return NULL;
}

/* ---- a process: owner of some of the streams ---- */

static gentcp_socket socket_of(const stream *s) {
    return (gentcp_socket){.id = s->socket};
}

static void arm(stream *s) {
    const gentcp_option once[] = {GENTCP_ACTIVE(GENTCP_ONCE), GENTCP_END};
    const gentcp_option count[] = {GENTCP_ACTIVE_N(COUNT), GENTCP_END};
    gentcp_socket socket = socket_of(s);
    int error;

    s->messages = s->mode == MODE_ONCE ? 1 : COUNT;
    error = gentcp_setopts(socket, s->mode == MODE_ONCE ? once : count);
    thread_assert(error == 0); /* passive sockets don't end by themselves */
}

static void connect_stream(stream *s) {
    const gentcp_option *options =
        gentcp_options(GENTCP_ACTIVE(s->mode == MODE_TRUE), GENTCP_PACKET(s->raw ? GENTCP_RAW : GENTCP_PACKET_4));
    gentcp_socket socket;

    s->next = 0;
    s->passive_due = false;
    thread_assert(gentcp_connect("127.0.0.1", s->port, options, SOON, &socket) == 0);
    connections++;
    s->socket = socket.id;
    if (s->mode != MODE_TRUE)
        arm(s);
}

/* The bytes or the packet that must come next. Returns how many packets that was. */
static int check_data(stream *s, const gentcp_data *data) {
    uint64_t before = s->next / RAW_UNIT, number;

    if (s->raw) {
        for (size_t i = 0; i < data->size; i++)
            thread_assert(data->bytes[i] == byte_at(s->next++));
        return (int)(s->next / RAW_UNIT - before);
    }
    thread_assert(data->size >= sizeof number);
    memcpy(&number, data->bytes, sizeof number);
    thread_assert(number == s->next++);
    return 1;
}

static void take_data(stream *s, const gentcp_data *data) {
    thread_assert(!s->passive_due);
    if (s->mode != MODE_TRUE)
        thread_assert(s->messages-- > 0);
    s->passive_due = s->mode == MODE_N && s->messages == 0;
    for (int packets = check_data(s, data); packets > 0; packets--)
        thread_assert(sem_post(&s->credits) == 0);
}

static void take_end(stream *s) {
    thread_assert(!s->passive_due);
    thread_assert(s->mode == MODE_TRUE || s->messages > 0);
    thread_assert(s->next == (s->raw ? s->sent * RAW_UNIT : s->sent));
}

/* Gives the stream to anybody. From then on it isn't touched here any more. */
static void hand_over(gentcp_socket socket, unsigned *seed) {
    gentcp_pid self, to = pids[pick(seed, PROCESSES)];
    int error;

    thread_assert(gentcp_self(&self) == 0);
    error = gentcp_controlling_process(socket, to);
    if (error == GENTCP_CLOSED)
        came_too_late++; /* the end is in this mailbox already */
    else if (error == 0)
        handed_over += to.id != self.id;
    else
        thread_fail("handed over or too late");
}

/* What a process does with a message, and then with the stream. False: all streams have ended. */
static bool take(stream *s, gentcp_message *message, unsigned *seed) {
    gentcp_socket socket = message->socket;
    bool give = pick(seed, 2) == 0;
    bool due = false; /* to be armed */

    if (message->kind == GENTCP_TCP) {
        take_data(s, &message->data);
        gentcp_data_release(&message->data);
        due = s->mode == MODE_ONCE;
    } else if (message->kind == GENTCP_TCP_PASSIVE) {
        thread_assert(s->passive_due);
        s->passive_due = false;
        due = true;
    } else {
        thread_assert(message->kind == GENTCP_TCP_CLOSED);
        take_end(s);
        if (handed_over >= wanted)
            return ++streams_ended < STREAMS;
        connect_stream(s);
        socket = socket_of(s);
    }
    /* Any thread may arm: the owner before it gives the socket away, or whoever was the owner, after that. */
    if (due && give && pick(seed, 2) == 0) {
        hand_over(socket, seed);
        arm(s);
        return true;
    }
    if (due)
        arm(s);
    if (give)
        hand_over(socket, seed);
    return true;
}

static stream *stream_of(gentcp_socket socket) {
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].socket == socket.id)
            return &streams[i];
    }
    thread_fail("a message of a stream");
    return NULL;
}

/* The oldest message, or at times the oldest one of some stream, if it is here and has one. */
static void next_message(gentcp_message *message, unsigned *seed) {
    gentcp_socket some = socket_of(&streams[pick(seed, STREAMS)]);

    if (pick(seed, 4) > 0 || gentcp_receive_from(some, message, 0) != 0)
        thread_assert(gentcp_receive(message, SOON) == 0);
}

static pthread_barrier_t all_here;

static void *run_process(void *argument) {
    int index = (int)(intptr_t)argument;
    unsigned seed = (unsigned)index + 100;

    thread_assert(gentcp_self(&pids[index]) == 0);
    (void)pthread_barrier_wait(&all_here);
    for (int i = index; i < STREAMS; i += PROCESSES)
        connect_stream(&streams[i]);
    for (;;) {
        gentcp_message message;
        next_message(&message, &seed);
        if (message.kind == GENTCP_USER)
            return NULL;
        if (!take(stream_of(message.socket), &message, &seed)) {
            for (int i = 0; i < PROCESSES; i++)
                thread_assert(gentcp_post(pids[i], NULL) == 0);
        }
    }
}

static void streams_go_on_exactly_through_ten_thousand_hand_overs(void **state) {
    pthread_t processes[PROCESSES];

    (void)state;
    wanted = scaled(10000);
    assert_ok(pthread_barrier_init(&all_here, NULL, PROCESSES));
    for (int i = 0; i < STREAMS; i++) {
        streams[i].mode = (enum mode)(i % 3);
        streams[i].raw = i >= 3;
        streams[i].listener = plain_listener(&streams[i].port, 5);
        assert_ok(sem_init(&streams[i].credits, 0, AHEAD));
        assert_ok(pthread_create(&streams[i].peer, NULL, run_peer, &streams[i]));
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_ok(pthread_create(&processes[i], NULL, run_process, (void *)(intptr_t)i));
    for (int i = 0; i < PROCESSES; i++)
        assert_ok(pthread_join(processes[i], NULL));
    for (int i = 0; i < STREAMS; i++) {
        assert_ok(shutdown(streams[i].listener, SHUT_RDWR)); /* ends its accept */
        assert_ok(pthread_join(streams[i].peer, NULL));
        close(streams[i].listener);
        assert_ok(sem_destroy(&streams[i].credits));
    }
    assert_ok(pthread_barrier_destroy(&all_here));
    print_message("%d hand-overs, %d came too late; %d connections\n", handed_over, came_too_late, connections);
    assert_true(handed_over >= wanted);
    assert_true(connections >= STREAMS);
}

/* ---- processes that end ---- */

typedef struct mortal {
    _Atomic uint64_t pid;
    int linger; /* how long it lives, in rounds of a loop */
    pthread_t thread;
} mortal;

static void *live_and_end(void *argument) {
    mortal *m = argument;
    gentcp_pid self;

    thread_assert(gentcp_self(&self) == 0);
    m->pid = self.id;
    for (int i = 0; i < m->linger; i++)
        atomic_signal_fence(memory_order_seq_cst);
    return NULL;
}

static gentcp_pid start_mortal(mortal *m) {
    assert_ok(pthread_create(&m->thread, NULL, live_and_end, m));
    while (m->pid == 0)
        (void)sched_yield();
    return (gentcp_pid){.id = m->pid};
}

static void assert_stream_ends(int peer) {
    int end = plain_end(peer);

    assert_true(end == 0 || end == -ECONNRESET);
}

static void a_hand_over_to_an_ended_process_changes_nothing(void **state) {
    static const int modes[] = {GENTCP_TRUE, GENTCP_ONCE, GENTCP_PASSIVE};
    mortal m = {.pid = 0};
    gentcp_pid dead = start_mortal(&m);

    (void)state;
    assert_ok(pthread_join(m.thread, NULL));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        gentcp_socket socket;
        int peer = connect_plain(gentcp_options(GENTCP_ACTIVE(modes[i]), GENTCP_PACKET(GENTCP_LINE)), &socket);
        plain_say(peer, "one\n");
        assert_int_equal(gentcp_controlling_process(socket, dead), GENTCP_BADARG);
        if (modes[i] == GENTCP_PASSIVE)
            assert_recv(socket, 0, "one\n");
        else
            assert_tcp(socket, "one\n");
        assert_int_equal(gentcp_controlling_process(socket, dead), GENTCP_BADARG);
        assert_int_equal(option_of(socket, GENTCP_OPT_ACTIVE), modes[i] == GENTCP_TRUE ? GENTCP_TRUE : GENTCP_PASSIVE);
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(true))));
        plain_say(peer, "two\n");
        assert_tcp(socket, "two\n");
        assert_ok(gentcp_close(socket));
        close(peer);
    }
}

/* Either the hand-over came first, and the new owner's end has closed the socket, or it is refused, and the stream goes
 * on here. */
static bool hand_over_to_mortal(mortal *m) {
    gentcp_socket socket;
    int peer = connect_plain(NULL, &socket);
    int error;

    plain_say(peer, "before");
    error = gentcp_controlling_process(socket, start_mortal(m));
    if (error == 0) {
        assert_stream_ends(peer);
        assert_ok(pthread_join(m->thread, NULL));
        assert_silence(socket);
        assert_int_equal(gentcp_send(socket, "x", 1), GENTCP_CLOSED);
    } else {
        gentcp_message message;
        size_t came = 0;
        assert_int_equal(error, GENTCP_BADARG);
        plain_say(peer, " and after");
        while (came < strlen("before and after")) {
            assert_ok(gentcp_receive_from(socket, &message, SOON));
            assert_int_equal(message.kind, GENTCP_TCP);
            assert_memory_equal(message.data.bytes, &"before and after"[came], message.data.size);
            came += message.data.size;
            gentcp_data_release(&message.data);
        }
        assert_ok(gentcp_close(socket));
        assert_ok(pthread_join(m->thread, NULL));
    }
    close(peer);
    return error == 0;
}

static void a_hand_over_to_a_process_that_is_ending_happens_or_does_not(void **state) {
    int rounds = scale_percent() > 20 ? scaled(1000) : 200; /* fewer don't find the moment */
    int happened = 0, linger = 10000;

    (void)state;
    for (int i = 0; i < rounds; i++) {
        mortal m = {.linger = linger};
        if (hand_over_to_mortal(&m)) {
            happened++;
            linger -= linger / 8;
        } else {
            linger += linger / 8 + 8;
        }
    }
    print_message("%d of %d hand-overs came in time\n", happened, rounds);
    assert_true(happened > 0 && happened < rounds);
}

/* An owner that gives its socket to the test, is busy with something else, and ends. */
typedef struct giver {
    gentcp_pid to;
    gentcp_socket socket;
    int peer;
    sem_t given, may_end;
} giver;

static void *give_away(void *argument) {
    giver *g = argument;

    g->peer = connect_plain(NULL, &g->socket);
    thread_assert(gentcp_controlling_process(g->socket, g->to) == 0);
    thread_assert(sem_post(&g->given) == 0);
    while (sem_wait(&g->may_end) != 0) {
    }
    return NULL;
}

static void a_socket_does_not_depend_on_whom_it_belonged_to(void **state) {
    giver g;
    pthread_t thread;

    (void)state;
    assert_ok(gentcp_self(&g.to));
    assert_ok(sem_init(&g.given, 0, 0));
    assert_ok(sem_init(&g.may_end, 0, 0));
    assert_ok(pthread_create(&thread, NULL, give_away, &g));
    while (sem_wait(&g.given) != 0) {
    }
    plain_say(g.peer, "while that is busy");
    assert_tcp(g.socket, "while that is busy");
    assert_ok(sem_post(&g.may_end));
    assert_ok(pthread_join(thread, NULL));
    plain_say(g.peer, "and after its end");
    assert_tcp(g.socket, "and after its end");
    assert_ok(gentcp_send(g.socket, "too", 3));
    assert_plain_reads(g.peer, "too");
    assert_ok(sem_destroy(&g.given));
    assert_ok(sem_destroy(&g.may_end));
    close(g.peer);
}

/* An owner with a connection under traffic. */
static void *own_for_a_while(void *argument) {
    gentcp_message message;
    gentcp_socket socket;

    thread_assert(gentcp_connect("127.0.0.1", *(uint16_t *)argument, NULL, SOON, &socket) == 0);
    for (int i = 0; i < 3; i++) {
        thread_assert(gentcp_receive(&message, SOON) == 0);
        gentcp_data_release(&message.data);
    }
    return NULL;
}

static void an_owner_that_ends_under_traffic_closes_its_socket(void **state) {
    static const char block[4096];
    int rounds = scaled(200);

    (void)state;
    for (int i = 0; i < rounds; i++) {
        uint16_t port;
        int listener = plain_listener(&port, 1), peer;
        pthread_t owner;
        assert_ok(pthread_create(&owner, NULL, own_for_a_while, &port));
        peer = accept(listener, NULL, NULL);
        assert_true(peer >= 0);
        while (send(peer, block, sizeof block, MSG_NOSIGNAL) > 0) {
        }
        assert_true(errno == ECONNRESET || errno == EPIPE);
        assert_ok(pthread_join(owner, NULL));
        close(peer);
        close(listener);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(streams_go_on_exactly_through_ten_thousand_hand_overs),
        TEST(a_hand_over_to_an_ended_process_changes_nothing),
        TEST(a_hand_over_to_a_process_that_is_ending_happens_or_does_not),
        TEST(a_socket_does_not_depend_on_whom_it_belonged_to),
        TEST(an_owner_that_ends_under_traffic_closes_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
