/* SPDX-License-Identifier: Apache-2.0 */
/* One process that sends messages on its connections, and waits for each to come back.
 *
 * Without a rate, every connection keeps `pipeline` messages under way. With one, messages have moments at which they
 * are due, and the time to the reply counts from there, whenever the message could be sent: a server that stalls is not
 * spared the requests that it would have got meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/gentcp/load.h"

enum { TURN_MS = 50, SECOND = 1000000000, LAST_REPLIES_MS = 1000 };

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
    uint8_t *message;
    uint64_t begin, end; /* of the measurement */
    uint64_t due;        /* when the next message is, with a rate */
    double interval;     /* nanoseconds between messages; 0: no rate */
} load;

static uint64_t now(void) {
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
    error = gentcp_send(c->socket, l->message, l->settings->size);
    if (error != 0)
        lose(l, c, error);
}

static void replied(load *l, connection *c, uint64_t at) {
    uint64_t due = c->times[c->head];

    if (++c->head == l->settings->pipeline)
        c->head = 0;
    c->underway--;
    if (at >= l->begin && at < l->end) {
        histogram_add(&l->worker->latency, at > due ? at - due : 0);
        atomic_fetch_add_explicit(&l->worker->counts->messages, 1, memory_order_relaxed);
    }
    if (l->interval == 0 && at < l->end)
        send_one(l, c, at);
}

static void received(load *l, connection *c, size_t size) {
    uint64_t at = now();

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

/* Sends what is due, as far as connections have room for it; the rest is sent late. */
static void send_due(load *l, uint64_t at) {
    while (l->due <= at && l->due < l->end) {
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

static bool replies_missing(const load *l) {
    for (uint32_t i = 0; i < l->worker->connections; i++) {
        if (l->connections[i].underway != 0)
            return true;
    }
    return false;
}

static void receive_for(load *l, int64_t timeout_ms) {
    gentcp_message message;
    int error = gentcp_receive(&message, timeout_ms);

    if (error == 0)
        take(l, &message);
    else if (error != GENTCP_TIMEOUT) {
        blame(l, error);
        atomic_store(l->worker->stop, true);
    }
}

static void run(load *l) {
    uint64_t at = now();

    for (uint32_t i = 0; i < l->worker->connections && l->interval == 0; i++) {
        connection *c = &l->connections[i];
        for (uint32_t n = 0; n < l->settings->pipeline && c->times != NULL; n++)
            send_one(l, c, now());
    }
    while (at < l->end && l->open != 0 && !atomic_load_explicit(l->worker->stop, memory_order_relaxed)) {
        int64_t wait = TURN_MS;
        if (l->interval != 0) {
            send_due(l, at);
            if (l->due > at && (l->due - at) / 1000000 < TURN_MS)
                wait = (int64_t)((l->due - at) / 1000000);
        }
        receive_for(l, wait);
        at = now();
    }
    l->worker->measured = at > l->begin ? (double)((at < l->end ? at : l->end) - l->begin) / SECOND : 0;
    l->end = 0; /* nothing is sent or counted any more */
    for (uint64_t last = at + (uint64_t)LAST_REPLIES_MS * 1000000; at < last && replies_missing(l); at = now())
        receive_for(l, TURN_MS);
    for (uint32_t i = 0; i < l->worker->connections; i++)
        l->worker->unfinished += l->connections[i].underway;
}

static bool connect_all(load *l) {
    load_worker *worker = l->worker;
    socket_arguments with = l->settings->socket;

    socket_arguments_add(&with, with.active);
    for (uint32_t i = 0; i < worker->connections && !atomic_load(worker->stop); i++) {
        connection *c = &l->connections[i];
        int error =
            gentcp_connect(l->settings->host, l->settings->port, with.options, GENTCP_DEFAULT_TIMEOUT, &c->socket);
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

void *load_work(void *worker) {
    load l = {.worker = worker};

    l.settings = l.worker->settings;
    if (prepare(&l) && connect_all(&l)) {
        uint64_t start = now();
        l.begin = start + (uint64_t)(l.settings->warmup * SECOND);
        l.end = l.begin + (uint64_t)(l.settings->seconds * SECOND);
        l.interval = l.worker->rate > 0 ? SECOND / l.worker->rate : 0;
        l.due = start;
        run(&l);
    }
    gentcp_exit();
    free(l.message);
    free(l.slots);
    free(l.times);
    free(l.connections);
    return NULL;
}
