/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of one process don't starve each other, and a peer that doesn't read holds up its sender alone. What is
 * measured is how much of a flood is received before something else, not time. */
#include "test/connection.h"
#include "test/scale.h"

enum {
    TURN = 64 * 1024,  /* what a flooding socket is read in one turn, before the others get theirs */
    READ = 65 * 1024,  /* and the last read of a turn may go so much beyond */
    BLOCK = 64 * 1024, /* written at once by those who flood */
};

/* What may come of each flood between something else becoming readable and its receipt: what was in the mailbox by
 * then, from the turn before, and one turn that was under way. */
static const size_t BOUND = 3 * (TURN + READ);

/* ---- floods ---- */

/* A block of packets of that size; of raw bytes, if it is 0. Returns how much of the block is used. */
static size_t fill_block(uint8_t block[BLOCK], size_t packet) {
    size_t used = 0;

    memset(block, 0, BLOCK);
    if (packet == 0)
        return BLOCK;
    for (; used + 4 + packet <= BLOCK; used += 4 + packet)
        block[used + 3] = (uint8_t)packet;
    return used;
}

/* Writes whole blocks until the kernel takes no more, or `most` bytes have gone; the rest of the last one is kept for
 * the next time. */
typedef struct flood {
    gentcp_socket socket;
    int peer;
    size_t packet, used, at;
    uint8_t block[BLOCK];
} flood;

static void flood_start(flood *f, size_t packet) {
    f->packet = packet;
    f->used = fill_block(f->block, packet);
    f->at = 0;
    f->peer = connect_plain(gentcp_options(GENTCP_PACKET(packet == 0 ? GENTCP_RAW : GENTCP_PACKET_4)), &f->socket);
}

static void flood_fill(flood *f) {
    ssize_t went;

    while ((went = send(f->peer, f->block + f->at, f->used - f->at, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        f->at = (f->at + (size_t)went) % f->used;
    assert_int_equal(errno, EAGAIN);
}

static void flood_stop(flood *f) {
    assert_ok(gentcp_close(f->socket));
    close(f->peer);
}

/* ---- receiving beside a flood ---- */

/* Receives until `wanted` has got something; what of the floods came before, in bytes of their streams. */
static size_t flooded_before(gentcp_socket wanted, size_t header, size_t most) {
    gentcp_message message;
    size_t before = 0;

    for (;;) {
        assert_ok(gentcp_receive(&message, SOON));
        assert_int_equal(message.kind, GENTCP_TCP);
        if (message.socket.id == wanted.id)
            break;
        before += header + message.data.size;
        assert_true(before <= most);
        gentcp_data_release(&message.data);
    }
    gentcp_data_release(&message.data);
    return before;
}

/* Pings another socket again and again, while there is always more of the floods to be read. */
static void ping_beside(int floods, size_t packet, int rounds) {
    flood *f = calloc((size_t)floods, sizeof *f);
    size_t header = packet == 0 ? 0 : 4, worst = 0;
    gentcp_socket quiet;
    int peer = connect_plain(NULL, &quiet);

    assert_non_null(f);
    for (int i = 0; i < floods; i++)
        flood_start(&f[i], packet);
    for (int i = 0; i < rounds; i++) {
        size_t before;
        for (int j = 0; j < floods; j++)
            flood_fill(&f[j]);
        plain_say(peer, "ping");
        before = flooded_before(quiet, header, (size_t)floods * BOUND);
        worst = before > worst ? before : worst;
        assert_ok(gentcp_send(quiet, "pong", 4));
        assert_plain_reads(peer, "pong");
    }
    print_message("%d floods: at most %zu KiB of them before a ping\n", floods, worst / 1024);
    for (int i = 0; i < floods; i++)
        flood_stop(&f[i]);
    free(f);
    assert_ok(gentcp_close(quiet));
    close(peer);
}

static void a_raw_flood_does_not_delay_another_socket(void **state) {
    (void)state;
    ping_beside(1, 0, scaled(200));
}

static void a_flood_of_small_packets_does_not_delay_another_socket(void **state) {
    (void)state;
    ping_beside(1, 12, scaled(200));
}

static void many_floods_delay_another_socket_by_a_turn_each(void **state) {
    (void)state;
    ping_beside(20, 0, scaled(40));
}

/* While one socket floods its owner without an end, thousands of round trips are made on another. */
static atomic_bool enough;

static void *flood_without_end(void *argument) {
    flood *f = argument;
    struct pollfd writable = {.fd = f->peer, .events = POLLOUT};

    while (!enough) {
        flood_fill(f);
        (void)poll(&writable, 1, BRIEFLY);
    }
    return NULL;
}

typedef struct pinger {
    int peer, rounds;
    atomic_size_t *flooded;    /* what has been received of the flood */
    _Atomic uint64_t readable; /* round << 32 | KiB of it when that round's ping could be read */
    bool failed;
} pinger;

static void *ping_and_wait_for_pong(void *argument) {
    pinger *p = argument;
    char pong[4];

    for (int i = 1; i <= p->rounds && !p->failed; i++) {
        p->failed = send(p->peer, "ping", 4, MSG_NOSIGNAL) != 4;
        p->readable = (uint64_t)i << 32 | *p->flooded / 1024;
        p->failed = p->failed || plain_read(p->peer, pong, 4, SOON) != 4;
    }
    return NULL;
}

static void round_trips_go_on_beside_a_flood(void **state) {
    static flood f;
    atomic_size_t flooded = 0;
    pinger p = {.rounds = scaled(5000), .flooded = &flooded};
    pthread_t flooding, pinging;
    gentcp_socket quiet;
    uint64_t worst = 0;
    int pings = 0;

    (void)state;
    enough = false;
    flood_start(&f, 60);
    p.peer = connect_plain(NULL, &quiet);
    assert_ok(pthread_create(&flooding, NULL, flood_without_end, &f));
    assert_ok(pthread_create(&pinging, NULL, ping_and_wait_for_pong, &p));
    while (pings < p.rounds && worst * 1024 <= BOUND) {
        gentcp_message message;
        uint64_t readable = p.readable;
        assert_ok(gentcp_receive(&message, SOON));
        assert_int_equal(message.kind, GENTCP_TCP);
        /* The next ping can be read already, and has been waiting so long. */
        if (readable >> 32 == (uint64_t)pings + 1 && flooded / 1024 - (uint32_t)readable > worst)
            worst = flooded / 1024 - (uint32_t)readable;
        if (message.socket.id == quiet.id) {
            pings++;
            assert_ok(gentcp_send(quiet, "pong", 4));
        } else {
            flooded += 4 + message.data.size;
        }
        gentcp_data_release(&message.data);
    }
    enough = true;
    assert_ok(gentcp_close(quiet)); /* ends the wait for a pong */
    assert_ok(pthread_join(pinging, NULL));
    assert_ok(pthread_join(flooding, NULL));
    flood_stop(&f);
    close(p.peer);
    print_message("%d round trips; at most %d KiB of %zu before a ping\n", pings, (int)worst, flooded / 1024);
    assert_int_equal(pings, p.rounds);
    assert_false(p.failed);
    assert_true(worst * 1024 <= BOUND);
    assert_true(flooded > 0);
}

/* A process that posts to itself whatever it takes out. */
static void a_mailbox_that_is_never_empty_does_not_delay_a_socket(void **state) {
    enum { POSTS = 10, MOST = 1000 };
    gentcp_message message;
    gentcp_socket quiet;
    gentcp_pid self;
    int peer = connect_plain(NULL, &quiet);

    (void)state;
    assert_ok(gentcp_self(&self));
    for (int i = 0; i < POSTS; i++)
        assert_ok(gentcp_post(self, NULL));
    for (int i = 0; i < scaled(100); i++) {
        int posts = 0;
        plain_say(peer, "ping");
        for (;;) {
            assert_ok(gentcp_receive(&message, SOON));
            if (message.kind == GENTCP_TCP)
                break;
            assert_ok(gentcp_post(self, NULL));
            assert_in_range(++posts, 1, MOST);
        }
        gentcp_data_release(&message.data);
    }
    assert_ok(gentcp_close(quiet));
    close(peer);
}

/* ---- peers that don't read ---- */

enum { BLOCKED = 3 };

static void a_peer_that_does_not_read_holds_up_only_its_sender(void **state) {
    static char bytes[1 << 20];
    call stuck[BLOCKED], going = {.make = make_send, .bytes = bytes, .length = sizeof bytes};
    call reading = {.make = make_read, .bytes = bytes, .length = sizeof bytes};
    size_t full;
    char answer[4];

    (void)state;
    for (int i = 0; i < BLOCKED; i++) {
        stuck[i] = (call){.make = make_send, .bytes = bytes, .length = sizeof bytes};
        stuck[i].peer = connect_full(JUST_PASSIVE, &stuck[i].socket, &full);
        start(&stuck[i]);
        assert_true(waits(&stuck[i]));
    }
    reading.peer = connect_plain(JUST_PASSIVE, &going.socket);
    start(&reading);
    start(&going);
    assert_ok(finish(&going));
    assert_ok(finish(&reading));
    assert_int_equal(gentcp_recv_into(going.socket, answer, sizeof answer, SOON), sizeof answer);
    for (int i = 0; i < BLOCKED; i++) {
        assert_true(waits(&stuck[i]));
        plain_reset(stuck[i].peer);
        assert_int_equal(finish(&stuck[i]), GENTCP_CLOSED);
        assert_ok(gentcp_close(stuck[i].socket));
    }
    assert_ok(gentcp_close(going.socket));
    close(reading.peer);
}

/* A process that waits in a send, and owns more than that socket. */
static struct busy {
    gentcp_socket stuck, told, other; /* told is active */
    int stuck_peer, told_peer, other_peer;
    atomic_bool set_up;
} busy;

/* Its send's status; unless it was told something meanwhile, and hasn't got that. */
static int make_busy(call *c) {
    gentcp_message message;
    size_t full;
    int status;

    (void)c;
    busy.told_peer = connect_plain(NULL, &busy.told);
    busy.other_peer = connect_plain(JUST_PASSIVE, &busy.other);
    busy.stuck_peer = connect_full(JUST_PASSIVE, &busy.stuck, &full);
    busy.set_up = true;
    status = gentcp_send(busy.stuck, "x", 1);
    if (gentcp_receive(&message, 0) != 0)
        return status;
    if (message.socket.id != busy.told.id || message.kind != GENTCP_TCP)
        return -1;
    gentcp_data_release(&message.data);
    return status == GENTCP_CLOSED ? 0 : status;
}

static void start_busy(call *c) {
    *c = (call){.make = make_busy};
    busy.set_up = false;
    start(c);
    assert_true(busy.set_up);
    assert_true(waits(c));
}

static int finish_busy(call *c) {
    assert_true(waits(c));
    plain_reset(busy.stuck_peer);
    (void)finish(c);
    close(busy.told_peer);
    close(busy.other_peer);
    return c->status;
}

static void a_sender_that_waits_still_gets_its_messages(void **state) {
    call sender;
    int unread = 1, unacknowledged = 1;

    (void)state;
    start_busy(&sender);
    plain_say(busy.told_peer, "while its owner sends");
    for (int tries = 0; unread + unacknowledged > 0; tries++) {
        assert_in_range(tries, 0, 1000000);
        (void)sched_yield();
        assert_ok(ioctl(busy.told_peer, SIOCOUTQ, &unacknowledged));
        assert_ok(ioctl(gentcp_socket_fd(busy.told), FIONREAD, &unread));
    }
    assert_ok(finish_busy(&sender));
}

static void a_socket_whose_owner_waits_in_a_send_serves_other_threads(void **state) {
    call sender;

    (void)state;
    start_busy(&sender);
    for (int i = 0; i < 100; i++) {
        assert_ok(gentcp_send(busy.other, "ping", 4));
        assert_plain_reads(busy.other_peer, "ping");
        plain_say(busy.other_peer, "pong");
        assert_recv(busy.other, 4, "pong");
    }
    assert_int_equal(finish_busy(&sender), GENTCP_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_raw_flood_does_not_delay_another_socket),
        TEST(a_flood_of_small_packets_does_not_delay_another_socket),
        TEST(many_floods_delay_another_socket_by_a_turn_each),
        TEST(round_trips_go_on_beside_a_flood),
        TEST(a_mailbox_that_is_never_empty_does_not_delay_a_socket),
        TEST(a_peer_that_does_not_read_holds_up_only_its_sender),
        TEST(a_sender_that_waits_still_gets_its_messages),
        TEST(a_socket_whose_owner_waits_in_a_send_serves_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
