/* SPDX-License-Identifier: Apache-2.0 */
/* What an idle connection costs: idle_memory [--json] [CONNECTIONS]
 *
 * One process connects to itself, so each connection has two ends, and each end is a socket of gentcp's: what is told,
 * and must not be above LIMIT, is the memory of one end. Half of the ends are active, half passive; each has sent and
 * received before it is left idle. Counted is all memory that gentcp has allocated, as malloc_usable_size sees it: the
 * table of sockets, the engine's part, the poller's arrays. What a thread has once (scratch memory to read through, the
 * poller itself) is told apart: it is what there is with the first connection. The kernel's memory isn't counted. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <gentcp.h>

#include "hosts/c/socket.h"

enum {
    LIMIT = 300,
    CONNECTIONS = 10000,
    CONNECTIONS_MAX = 400000,
    ADDRESSES = 16, /* of loopback, so that no pair of addresses runs out of ports */
    SPARE_FDS = 16,
    SOON = 10000,
};

static atomic_size_t held;

static void *allocate(size_t size) {
    void *memory = malloc(size);

    atomic_fetch_add(&held, malloc_usable_size(memory));
    return memory;
}

static void release(void *memory) {
    atomic_fetch_sub(&held, malloc_usable_size(memory));
    free(memory);
}

static void *resize(void *memory, size_t size) {
    size_t before = malloc_usable_size(memory);
    void *now = realloc(memory, size);

    if (now != NULL) {
        atomic_fetch_add(&held, malloc_usable_size(now));
        atomic_fetch_sub(&held, before);
    }
    return now;
}

static void must(int status, const char *what) {
    if (status >= 0)
        return;
    fprintf(stderr, "idle_memory: %s: %s\n", what, gentcp_error_name(status));
    exit(2);
}

/* How many connections there can be: two descriptors each, if the system allows so many. */
static int allowed_connections(int wanted) {
    rlim_t needed = 2 * (rlim_t)wanted + SPARE_FDS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return wanted;
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = needed, .rlim_max = needed}) == 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return wanted;
    fprintf(stderr, "idle_memory: NOT ALL %d CONNECTIONS: they take %ju descriptors, and %ju are allowed\n", wanted,
            (uintmax_t)needed, (uintmax_t)limit.rlim_cur);
    return limit.rlim_cur > SPARE_FDS ? (int)(limit.rlim_cur - SPARE_FDS) / 2 : 0;
}

/* Some bytes each way. */
static void use(gentcp_socket active, gentcp_socket passive) {
    static const char question[] = "what is the time?", answer[] = "time to sleep";
    gentcp_message message;
    gentcp_data data;

    must(gentcp_send(active, question, sizeof question), "send");
    must(gentcp_recv(passive, sizeof question, SOON, &data), "recv");
    gentcp_data_release(&data);
    must(gentcp_send(passive, answer, sizeof answer), "send");
    must(gentcp_receive_from(active, &message, SOON), "receive");
    gentcp_data_release(&message.data);
}

static void connect_and_use(gentcp_socket listener, uint16_t port, int number) {
    gentcp_socket active, passive;
    char host[32];

    snprintf(host, sizeof host, "127.0.0.%d", 1 + number % ADDRESSES);
    must(gentcp_connect(host, port, NULL, SOON, &active), "connect");
    must(gentcp_accept(listener, SOON, &passive), "accept");
    use(active, passive);
}

static void tell(bool json, int connections, size_t once, size_t all, double each) {
    static const struct {
        const char *name;
        size_t size;
    } parts[] = {
        {"gt_csocket", sizeof(gt_csocket)},   {"gt_slot", sizeof(gt_slot)},         {"gt_letter", sizeof(gt_letter)},
        {"gt_socket", sizeof(gt_socket)},     {"gt_lock", sizeof(gt_lock)},         {"gt_watch", sizeof(gt_watch)},
        {"gt_settings", sizeof(gt_settings)}, {"gt_counters", sizeof(gt_counters)},
    };
    enum { PARTS = sizeof parts / sizeof parts[0] };

    if (json) {
        printf("{\"connections\": %d, \"ends\": %d, \"bytes_once\": %zu, \"bytes\": %zu, \"bytes_an_end\": %.1f, "
               "\"limit\": %d, \"sizes\": {",
               connections, 2 * connections, once, all, each, LIMIT);
        for (size_t i = 0; i < PARTS; i++)
            printf("\"%s\": %zu%s", parts[i].name, parts[i].size, i + 1 < PARTS ? ", " : "}}\n");
        return;
    }
    printf("%d idle connections, which are %d ends (sockets): %.1f bytes an end, of at most %d\n", connections,
           2 * connections, each, LIMIT);
    printf("%zu bytes in all; %zu of them are there once, with the first connection\n", all, once);
    for (size_t i = 0; i < PARTS; i++)
        printf("%14s %4zu\n", parts[i].name, parts[i].size);
}

int main(int argc, char **argv) {
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    const char *number = argc > 1 + json ? argv[1 + json] : NULL;
    long connections = number != NULL ? strtol(number, NULL, 10) : CONNECTIONS;
    gentcp_socket listener;
    size_t once, all;
    uint16_t port;
    double each;

    if (argc > 2 + json || connections < 2 || connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: idle_memory [--json] [CONNECTIONS, at least 2]\n");
        return 2;
    }
    connections = allowed_connections((int)connections);
    if (connections < 2)
        return 2;
    must(gentcp_configure(&(gentcp_config){.allocate = allocate, .resize = resize, .release = release}), "configure");
    must(gentcp_listen(0, gentcp_options(GENTCP_ACTIVE(false)), &listener), "listen");
    must(gentcp_port(listener, &port), "port");
    connect_and_use(listener, port, 0);
    once = atomic_load(&held);
    for (int i = 1; i < connections; i++)
        connect_and_use(listener, port, i);
    all = atomic_load(&held);
    each = (double)(all - once) / (2 * ((double)connections - 1));
    tell(json, (int)connections, once, all, each);
    gentcp_exit();
    return each <= LIMIT ? 0 : 1;
}
