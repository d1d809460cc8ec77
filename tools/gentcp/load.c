/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp load: starts the threads, shows how they get on, and reports. */
#include "tools/gentcp/load.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256, CONNECTIONS_MAX = 1000000, PIPELINE_MAX = 65536, SIZE_MAX_BYTES = 64 * 1024 * 1024 };

static load_settings settings = {
    .connections = 1, .threads = 1, .pipeline = 1, .size = 64, .seconds = 10, .rate = 0, .warmup = 0};

/* ---- arguments ---- */

enum { KEY_JSON = 0x100 };

static double seconds_argument(const struct argp_state *state, const char *what, const char *text, double low) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != 0 || !isfinite(value) || value < low || value > 1e6)
        argp_error(state, "%s: %s is no number from %g to 1000000", what, text, low);
    return value;
}

static void check(const struct argp_state *state) {
    switch (settings.socket.packet) {
    case GENTCP_RAW:
    case GENTCP_PACKET_1:
    case GENTCP_PACKET_2:
    case GENTCP_PACKET_4:
    case GENTCP_LINE:
        break;
    default:
        argp_error(state, "--packet %s: only raw, 1, 2, 4 and line can be echoed", packet_name(settings.socket.packet));
    }
    if (settings.socket.active.number == GENTCP_PASSIVE)
        argp_error(state, "--active false: one process with many connections receives messages");
    if (settings.threads > settings.connections)
        settings.threads = settings.connections;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    switch (key) {
    case ARGP_KEY_INIT:
        socket_arguments_init(&settings.socket);
        state->child_inputs[0] = &settings.socket;
        break;
    case 'c':
        settings.connections = (uint32_t)number_argument(state, "--connections", argument, 1, CONNECTIONS_MAX);
        break;
    case 't':
        settings.threads = (uint32_t)number_argument(state, "--threads", argument, 1, THREADS_MAX);
        break;
    case 'P':
        settings.pipeline = (uint32_t)number_argument(state, "--pipeline", argument, 1, PIPELINE_MAX);
        break;
    case 's':
        settings.size = (size_t)number_argument(state, "--size", argument, 1, SIZE_MAX_BYTES);
        break;
    case 'd':
        settings.seconds = seconds_argument(state, "--duration", argument, 0.001);
        break;
    case 'w':
        settings.warmup = seconds_argument(state, "--warmup", argument, 0);
        break;
    case 'r':
        settings.rate = seconds_argument(state, "--rate", argument, 0.001);
        break;
    case 'q':
        settings.quiet = true;
        break;
    case KEY_JSON:
        settings.json = argument;
        break;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            settings.host = argument;
        else if (state->arg_num == 1)
            settings.port = (uint16_t)number_argument(state, "port", argument, 1, UINT16_MAX);
        else
            argp_usage(state);
        break;
    case ARGP_KEY_END:
        if (state->arg_num != 2)
            argp_usage(state);
        break;
    case ARGP_KEY_SUCCESS:
        check(state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option options[] = {
    {"connections", 'c', "N", 0, "How many, all the time (1)", 0},
    {"size", 's', "BYTES", 0, "Of a message, without its header (64)", 0},
    {"pipeline", 'P', "N", 0, "Messages under way on each connection, at most (1)", 0},
    {"duration", 'd', "SECONDS", 0, "Of the measurement (10)", 0},
    {"warmup", 'w', "SECONDS", 0, "Before it (0)", 0},
    {"rate", 'r', "N", 0, "Messages a second in all. Without it: as many as come back", 0},
    {"threads", 't', "N", 0, "Threads that share the connections (1)", 0},
    {"json", KEY_JSON, "FILE", 0, "Write a report (-: to the standard output, instead of the text)", 0},
    {"quiet", 'q', NULL, 0, "No progress", 0},
    {0},
};
static const struct argp_child children[] = {{&socket_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "HOST PORT",
    "Sends messages to an echo server, waits for each to come back, and tells how many did and how long it took."
    "\vWith --rate, latency counts from the moment at which a message was due, whenever it could be sent. Exit status: "
    "0; 1: connections failed or were lost; 2: bad arguments; 130: interrupted, after the report of what was measured.",
    children,
    NULL,
    NULL};

/* ---- the report ---- */

typedef struct report {
    const histogram *latency;
    uint64_t messages, unfinished;
    unsigned connected, lost;
    double seconds;
    int error;
} report;

static double per_second(const report *r) {
    return r->seconds > 0 ? (double)r->messages / r->seconds : 0;
}

static double microseconds(uint64_t nanoseconds) {
    return (double)nanoseconds / 1000;
}

static const struct {
    const char *name;
    double part;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static void print_text(const report *r) {
    printf("%llu messages of %zu bytes in %.2f s: %.0f a second, %.2f MB/s each way\n", (unsigned long long)r->messages,
           settings.size, r->seconds, per_second(r), per_second(r) * (double)settings.size / 1e6);
    printf("%u connections, %u lost", r->connected, r->lost);
    if (r->error != 0)
        printf(" (%s)", gentcp_error_name(r->error));
    printf("; %llu messages without a reply\nlatency, us:", (unsigned long long)r->unfinished);
    for (size_t i = 0; i < QUANTILES; i++)
        printf(" %s %.1f,", quantiles[i].name, microseconds(histogram_quantile(r->latency, quantiles[i].part)));
    printf(" max %.1f\n", microseconds(r->latency->max));
}

static json_t *latency_json(const histogram *latency) {
    double mean = latency->count != 0 ? microseconds(latency->sum) / (double)latency->count : 0;
    json_t *json = json_pack("{s:f, s:f}", "min", microseconds(latency->min), "mean", mean);

    for (size_t i = 0; i < QUANTILES; i++)
        json_object_set_new(json, quantiles[i].name,
                            json_real(microseconds(histogram_quantile(latency, quantiles[i].part))));
    json_object_set_new(json, "max", json_real(microseconds(latency->max)));
    return json;
}

static bool write_json(const report *r) {
    json_t *json =
        json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:s, s:f, s:f, s:I, s:f, s:i, s:i, s:I, s:s, s:o}", "host",
                  settings.host, "port", (int)settings.port, "connections", (int)settings.connections, "threads",
                  (int)settings.threads, "pipeline", (int)settings.pipeline, "size", (json_int_t)settings.size,
                  "packet", packet_name(settings.socket.packet), "rate", settings.rate, "seconds", r->seconds,
                  "messages", (json_int_t)r->messages, "messages_per_second", per_second(r), "connected",
                  (int)r->connected, "lost", (int)r->lost, "unfinished", (json_int_t)r->unfinished, "error",
                  r->error != 0 ? gentcp_error_name(r->error) : "", "latency_us", latency_json(r->latency));
    bool written = false;

    if (json != NULL && strcmp(settings.json, "-") == 0)
        written = json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    else if (json != NULL)
        written = json_dump_file(json, settings.json, JSON_INDENT(2)) == 0;
    json_decref(json);
    if (!written)
        fprintf(stderr, "gentcp: can't write %s\n", settings.json);
    return written;
}

/* ---- the run ---- */

static void show_progress(load_counts *counts, int elapsed, uint64_t *last, bool terminal) {
    uint64_t messages = atomic_load(&counts->messages);

    fprintf(stderr, "%s%4d s  %u of %u connections  %llu messages  %llu/s%s", terminal ? "\r\033[K" : "", elapsed,
            atomic_load(&counts->connected) - atomic_load(&counts->lost), settings.connections,
            (unsigned long long)messages, (unsigned long long)(messages - *last), terminal ? "" : "\n");
    *last = messages;
}

/* Waits until the threads have ended, with a look at the counts each second. True: interrupted. */
static bool watch(load_counts *counts, atomic_bool *stop, atomic_uint *running, const sigset_t *signals) {
    bool terminal = isatty(STDERR_FILENO) != 0;
    struct timespec second = {.tv_sec = 1};
    bool interrupted = false;
    uint64_t last = 0;

    for (int elapsed = 1; atomic_load(running) != 0; elapsed++) {
        int signal = sigtimedwait(signals, NULL, &second);
        if (signal == SIGINT || signal == SIGTERM) {
            interrupted = true;
            atomic_store(stop, true);
            break;
        }
        if (signal == SIGUSR1) /* a thread has ended */
            elapsed--;
        else if (!settings.quiet)
            show_progress(counts, elapsed, &last, terminal);
    }
    if (terminal && !settings.quiet)
        fputs("\r\033[K", stderr);
    return interrupted;
}

typedef struct load_thread {
    pthread_t thread;
    atomic_uint *running;
    load_worker worker;
} load_thread;

static void *thread_main(void *argument) {
    load_thread *it = argument;

    load_work(&it->worker);
    atomic_fetch_sub(it->running, 1);
    kill(getpid(), SIGUSR1); /* every thread blocks it: it is for sigtimedwait */
    return NULL;
}

static uint32_t share(uint32_t all, uint32_t index) {
    return all / settings.threads + (index < all % settings.threads ? 1 : 0);
}

static uint32_t start_all(load_thread *threads, load_counts *counts, atomic_bool *stop, atomic_uint *running,
                          report *r) {
    for (uint32_t i = 0; i < settings.threads; i++) {
        load_thread *it = &threads[i];
        int error;
        it->running = running;
        it->worker.settings = &settings;
        it->worker.counts = counts;
        it->worker.stop = stop;
        it->worker.connections = share(settings.connections, i);
        it->worker.rate = settings.rate * it->worker.connections / settings.connections;
        atomic_fetch_add(running, 1);
        error = pthread_create(&it->thread, NULL, thread_main, it);
        if (error != 0) {
            atomic_fetch_sub(running, 1);
            atomic_store(stop, true);
            r->error = -error;
            return i;
        }
    }
    return settings.threads;
}

static void collect(load_thread *threads, uint32_t count, histogram *latency, report *r) {
    for (uint32_t i = 0; i < count; i++) {
        load_worker *worker = &threads[i].worker;
        pthread_join(threads[i].thread, NULL);
        histogram_merge(latency, &worker->latency);
        r->unfinished += worker->unfinished;
        r->seconds = worker->measured > r->seconds ? worker->measured : r->seconds;
        if (r->error == 0)
            r->error = atomic_load(&worker->error);
    }
}

int command_load(int argc, char **argv) {
    static load_counts counts;
    static histogram latency;
    static atomic_bool stop;
    static atomic_uint running;
    report r = {.latency = &latency};
    load_thread *threads;
    sigset_t signals;
    bool interrupted, written = true;
    uint32_t started;

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    threads = calloc(settings.threads, sizeof *threads);
    if (threads == NULL) {
        fprintf(stderr, "gentcp: no memory\n");
        return EXIT_FAILED;
    }
    take_signals(&signals);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    started = start_all(threads, &counts, &stop, &running, &r);
    interrupted = watch(&counts, &stop, &running, &signals);
    collect(threads, started, &latency, &r);
    free(threads);
    r.messages = atomic_load(&counts.messages);
    r.connected = atomic_load(&counts.connected);
    r.lost = atomic_load(&counts.lost);
    if (settings.json == NULL || strcmp(settings.json, "-") != 0)
        print_text(&r);
    if (settings.json != NULL)
        written = write_json(&r);
    if (interrupted)
        return EXIT_INTERRUPTED;
    return r.error != 0 || !written ? EXIT_FAILED : 0;
}
