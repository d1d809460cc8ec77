/* SPDX-License-Identifier: Apache-2.0 */
/* One process that sends messages on its connections, and waits for each to come back.
 *
 * Before the measurement, each connection has had a message back: one that the server hasn't accepted yet would be
 * waited for all the time, and measured never. After it, no more is sent, and the replies that are still to come count
 * with the time that they took: those that take longest are the last to come.
 *
 * Without a rate, every connection keeps `pipeline` messages under way. With one, messages have moments at which they
 * are due, and the time to the reply counts from there, whenever the message could be sent: a server that stalls is not
 * spared the requests that it would have got meanwhile. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/gentcp/load.h"

enum { TURN_MS = 50, SECOND = 1000000000, FIRST_REPLIES_S = 10, LAST_REPLIES_S = 1 };

typedef struct connection {
    gentcp_socket socket;
    size_t received;   /* bytes of the reply that is coming in; raw only */
    uint32_t head;     /* of times: when the oldest message under way was due */
    uint32_t underway; /* how many are */
    uint64_t *times;
} connection;

typedef struct load {
    load_worker *worker;
    const load_settings *settings;
    connection *connections;
    uint64_t *times; /* all connections' */
    uint32_t *slots; /* index of a connection by its socket's id, plus 1; 0: empty */
    uint32_t slot_mask;
    uint32_t open, next;
    uint64_t underway; /* messages, on all connections */
    uint8_t *message;
    uint64_t begin, end; /* of the measurement */
    uint64_t due;        /* when the next message is, with a rate */
    double interval;     /* nanoseconds between messages; 0: no rate */
} load;

uint64_t load_now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint32_t *slot_of(const load *l, gentcp_socket socket) {
    uint32_t at = (uint32_t)((socket.id * 0x9e3779b97f4a7c15) >> 32) & l->slot_mask;

    while (l->slots[at] != 0 && l->connections[l->slots[at] - 1].socket.id != socket.id)
        at = (at + 1) & l->slot_mask;
    return &l->slots[at];
}

static void blame(load *l, int error) {
    int none = 0;

    (void)atomic_compare_exchange_strong(&l->worker->error, &none, error);
}

static void lose(load *l, connection *c, int error) {
    blame(l, error);
    l->worker->unfinished += c->underway;
    l->underway -= c->underway;
    c->underway = 0;
    c->times = NULL;
    l->open--;
    atomic_fetch_add(&l->worker->counts->lost, 1);
    (void)gentcp_close(c->socket);
}

static void send_one(load *l, connection *c, uint64_t due) {
    uint32_t at = c->head + c->underway;
    int error;

    c->times[at < l->settings->pipeline ? at : at - l->settings->pipeline] = due;
    c->underway++;
    l->underway++;
    error = gentcp_send(c->socket, l->message, l->settings->size);
    if (error != 0)
        lose(l, c, error);
}

/* Of what ends, or is given up, once the measurement has begun. */
static void count_latency(load *l, uint64_t due, uint64_t at) {
    if (at >= l->begin && l->begin != 0)
        histogram_add(&l->worker->latency, at > due ? at - due : 0);
}

/* Takes the oldest message under way off. */
static void end_one(load *l, connection *c, uint64_t at) {
    uint64_t due = c->times[c->head];

    if (++c->head == l->settings->pipeline)
        c->head = 0;
    c->underway--;
    l->underway--;
    count_latency(l, due, at);
}

static void replied(load *l, connection *c, uint64_t at) {
    end_one(l, c, at);
    if (at >= l->begin && at < l->end)
        atomic_fetch_add_explicit(&l->worker->counts->messages, 1, memory_order_relaxed);
    if (l->interval == 0 && at < l->end)
        send_one(l, c, at);
}

/* Whole messages of a stream that nobody asked for, or that nobody answers. */
static void count_bytes(load *l, connection *c, size_t size) {
    uint64_t at = load_now();

    c->received += size;
    if (at >= l->begin && at < l->end)
        atomic_fetch_add_explicit(&l->worker->counts->messages, c->received / l->settings->size, memory_order_relaxed);
    c->received %= l->settings->size;
}

static void received(load *l, connection *c, size_t size) {
    uint64_t at = load_now();

    if (l->settings->kind == LOAD_DOWNLOAD) {
        count_bytes(l, c, size);
        return;
    }
    if (l->settings->socket.packet != GENTCP_RAW) {
        if (c->underway != 0)
            replied(l, c, at);
        return;
    }
    c->received += size;
    while (c->received >= l->settings->size && c->underway != 0) {
        c->received -= l->settings->size;
        replied(l, c, at);
    }
}

static void take(load *l, gentcp_message *message) {
    const gentcp_option again[] = {l->settings->socket.active, GENTCP_END};
    uint32_t index = *slot_of(l, message->socket);
    connection *c = index != 0 ? &l->connections[index - 1] : NULL;

    if (c == NULL || c->times == NULL) { /* lost already */
        gentcp_data_release(&message->data);
        return;
    }
    switch (message->kind) {
    case GENTCP_TCP:
        received(l, c, message->data.size);
        gentcp_data_release(&message->data);
        if (l->settings->socket.active.number == GENTCP_ONCE)
            (void)gentcp_setopts(message->socket, again);
        break;
    case GENTCP_TCP_PASSIVE:
        (void)gentcp_setopts(message->socket, again);
        break;
    case GENTCP_TCP_ERROR:
        blame(l, message->reason);
        break;
    default:
        lose(l, c, GENTCP_CLOSED);
        break;
    }
}

static bool due_before(const load *l, uint64_t moment) {
    return l->interval != 0 && l->due < moment;
}

/* Sends what is due, as far as connections have room for it; the rest is sent late. */
static void send_due(load *l, uint64_t at) {
    while (l->due <= at && due_before(l, l->end)) {
        connection *c = NULL;
        for (uint32_t tried = 0; tried < l->worker->connections && c == NULL; tried++) {
            connection *candidate = &l->connections[l->next];
            l->next = (l->next + 1) % l->worker->connections;
            if (candidate->times != NULL && candidate->underway < l->settings->pipeline)
                c = candidate;
        }
        if (c == NULL)
            return;
        send_one(l, c, l->due);
        l->due = (uint64_t)((double)l->due + l->interval);
    }
}

static void receive_for(load *l, int64_t timeout_ms) {
    gentcp_message message;
    int error = gentcp_receive(&message, l->settings->busy ? 0 : timeout_ms);

    if (error == 0)
        take(l, &message);
    else if (error != GENTCP_TIMEOUT) {
        blame(l, error);
        atomic_store(l->worker->stop, true);
    }
}

static bool stopped(const load *l) {
    return atomic_load_explicit(l->worker->stop, memory_order_relaxed);
}

/* Until the end of the measurement, or an end before. */
static bool goes_on(const load *l, uint64_t at) {
    return at < l->end && l->open != 0 && !stopped(l);
}

static void await_first_replies(load *l) {
    uint64_t at = load_now();
    uint64_t last = at + (uint64_t)FIRST_REPLIES_S * SECOND;

    for (uint32_t i = 0; i < l->worker->connections; i++)
        send_one(l, &l->connections[i], at);
    for (; at < last && l->underway != 0 && !stopped(l); at = load_now())
        receive_for(l, TURN_MS);
}

static void exchange(load *l) {
    uint64_t at = load_now();

    for (uint32_t i = 0; i < l->worker->connections && l->interval == 0; i++) {
        connection *c = &l->connections[i];
        while (c->times != NULL && c->underway < l->settings->pipeline)
            send_one(l, c, load_now());
    }
    for (; goes_on(l, at); at = load_now()) {
        int64_t wait = TURN_MS;
        if (l->interval != 0) {
            send_due(l, at);
            if (l->due > at && (l->due - at) / 1000000 < TURN_MS)
                wait = (int64_t)((l->due - at) / 1000000);
        }
        receive_for(l, wait);
    }
}

/* Those that don't come, and messages that were due and couldn't be sent, count with the time that was waited. */
static void await_last_replies(load *l) {
    uint64_t at = load_now();
    uint64_t last = at + (uint64_t)LAST_REPLIES_S * SECOND;

    if (at < l->end)
        l->end = at;
    for (; at < last && l->open != 0 && (l->underway != 0 || due_before(l, l->end)); at = load_now()) {
        send_due(l, at);
        receive_for(l, TURN_MS);
    }
    for (uint32_t i = 0; i < l->worker->connections; i++) {
        connection *c = &l->connections[i];
        for (; c->underway != 0; l->worker->unfinished++)
            end_one(l, c, at);
    }
    for (; due_before(l, l->end); l->worker->unfinished++) {
        count_latency(l, l->due, at);
        l->due = (uint64_t)((double)l->due + l->interval);
    }
}

static void upload(load *l) {
    for (uint64_t at = load_now(); goes_on(l, at); at = load_now()) {
        connection *c = &l->connections[l->next];
        int error;
        l->next = (l->next + 1) % l->worker->connections;
        if (c->times == NULL)
            continue;
        error = gentcp_send(c->socket, l->message, l->settings->size);
        if (error == 0)
            count_bytes(l, c, l->settings->size);
        else
            lose(l, c, error);
    }
}

static void download(load *l) {
    for (uint64_t at = load_now(); goes_on(l, at); at = load_now())
        receive_for(l, TURN_MS);
}

static int connect_one(load *l, connection *c) {
    socket_arguments with = l->settings->socket;

    socket_arguments_add(&with, with.active);
    if (l->settings->kind == LOAD_UPLOAD) /* a server that only reads may say so */
        socket_arguments_add(&with, GENTCP_EXIT_ON_CLOSE(false));
    if (l->settings->kind == LOAD_CONNECT) {
        socket_arguments_add(&with, GENTCP_ACTIVE(false)); /* nobody would receive the messages */
        socket_arguments_add(&with, GENTCP_LINGER(true, 0));
    }
    return gentcp_connect(l->settings->host, l->settings->port, with.options, GENTCP_DEFAULT_TIMEOUT, &c->socket);
}

static void connect_again_and_again(load *l) {
    connection *c = &l->connections[0];

    for (uint64_t at = load_now(); goes_on(l, at);) {
        uint64_t before = at;
        int error;
        (void)gentcp_close(c->socket);
        error = connect_one(l, c);
        at = load_now();
        if (error != 0) {
            lose(l, c, error);
        } else if (at >= l->begin && at < l->end) {
            histogram_add(&l->worker->latency, at - before);
            atomic_fetch_add_explicit(&l->worker->counts->messages, 1, memory_order_relaxed);
        }
    }
}

static void run(load *l) {
    uint64_t at;

    switch (l->settings->kind) {
    case LOAD_ECHO:
        exchange(l);
        break;
    case LOAD_UPLOAD:
        upload(l);
        break;
    case LOAD_DOWNLOAD:
        download(l);
        break;
    case LOAD_CONNECT:
        connect_again_and_again(l);
        break;
    }
    at = load_now();
    l->worker->measured = at > l->begin ? (double)((at < l->end ? at : l->end) - l->begin) / SECOND : 0;
    if (l->settings->kind == LOAD_ECHO)
        await_last_replies(l);
}

static bool connect_all(load *l) {
    load_worker *worker = l->worker;

    for (uint32_t i = 0; i < worker->connections && !atomic_load(worker->stop); i++) {
        connection *c = &l->connections[i];
        int error = connect_one(l, c);
        if (error != 0) {
            blame(l, error);
            return false;
        }
        c->times = &l->times[(size_t)i * l->settings->pipeline];
        *slot_of(l, c->socket) = i + 1;
        l->open++;
        atomic_fetch_add(&worker->counts->connected, 1);
    }
    return l->open == worker->connections;
}

static bool prepare(load *l) {
    size_t count = l->worker->connections;

    l->slot_mask = 15;
    while (l->slot_mask < 2 * count)
        l->slot_mask = 2 * l->slot_mask + 1;
    l->connections = calloc(count, sizeof *l->connections);
    l->times = calloc(count * l->settings->pipeline, sizeof *l->times);
    l->slots = calloc((size_t)l->slot_mask + 1, sizeof *l->slots);
    l->message = malloc(l->settings->size);
    if (l->connections == NULL || l->times == NULL || l->slots == NULL || l->message == NULL) {
        blame(l, -ENOMEM);
        return false;
    }
    memset(l->message, 'x', l->settings->size);
    if (l->settings->socket.packet == GENTCP_LINE)
        l->message[l->settings->size - 1] = '\n';
    return true;
}

/* Waits until all have connected. Returns when the measurement begins. */
static uint64_t pass_gate(load_gate *gate) {
    uint64_t begin;

    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    kill(getpid(), SIGUSR1); /* every thread blocks it: it is for sigtimedwait */
    while (gate->begin == 0)
        pthread_cond_wait(&gate->opened, &gate->lock);
    begin = gate->begin;
    pthread_mutex_unlock(&gate->lock);
    return begin;
}

static void await_measurement(load_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->finished++;
    kill(getpid(), SIGUSR1);
    while (!gate->measured)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void *load_work(void *worker) {
    load l = {.worker = worker};
    bool ready;

    l.settings = l.worker->settings;
    ready = prepare(&l) && connect_all(&l);
    if (ready && l.settings->kind == LOAD_ECHO)
        await_first_replies(&l);
    l.begin = pass_gate(l.worker->gate);
    if (ready) {
        l.end = l.begin + (uint64_t)(l.settings->seconds * SECOND);
        l.interval = l.worker->rate > 0 ? SECOND / l.worker->rate : 0;
        l.due = load_now();
        run(&l);
    }
    await_measurement(l.worker->gate);
    gentcp_exit();
    free(l.message);
    free(l.slots);
    free(l.times);
    free(l.connections);
    return NULL;
}
