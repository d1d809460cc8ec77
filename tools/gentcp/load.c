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

enum { KEY_JSON = 0x100, KEY_PID, KEY_BUSY };

static const char *const kinds[] = {
    [LOAD_ECHO] = "echo", [LOAD_UPLOAD] = "upload", [LOAD_DOWNLOAD] = "download", [LOAD_CONNECT] = "connect"};

static enum load_kind kind_argument(const struct argp_state *state, const char *text) {
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i], text) == 0)
            return (enum load_kind)i;
    }
    argp_error(state, "--kind is echo, upload, download or connect, not %s", text);
    return LOAD_ECHO;
}

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
    if (settings.kind == LOAD_CONNECT) /* a thread opens one at a time */
        settings.threads = settings.connections < THREADS_MAX ? settings.connections : THREADS_MAX;
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
    case KEY_BUSY:
        settings.busy = true;
        break;
    case 'k':
        settings.kind = kind_argument(state, argument);
        break;
    case KEY_PID:
        settings.pid = number_argument(state, "--pid", argument, 1, INT32_MAX);
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
    {"warmup", 'w', "SECONDS", 0, "Before it, once each connection has had a reply (0)", 0},
    {"rate", 'r', "N", 0, "Messages a second in all. Without it: as many as come back", 0},
    {"threads", 't', "N", 0, "Threads that share the connections (1)", 0},
    {"kind", 'k', "KIND", 0,
     "echo (the default); upload: send to a server that only reads; download: receive from one that only sends; "
     "connect: open and close connections",
     0},
    {"busy", KEY_BUSY, NULL, 0, "Poll without sleeping until messages come", 0},
    {"pid", KEY_PID, "PID", 0, "The server's: tell what CPU time it uses, and its context switches", 0},
    {"json", KEY_JSON, "FILE", 0, "Write a report (-: to the standard output, instead of the text)", 0},
    {"quiet", 'q', NULL, 0, "No progress", 0},
    {0},
};
static const struct argp_child children[] = {{&socket_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    options,
    parse,
    "HOST PORT",
    "Sends messages to an echo server, waits for each to come back, and tells how many did and how long it took; or "
    "loads a server in one of the other kinds."
    "\vWith --rate, latency counts from the moment at which a message was due, whenever it could be sent. "
    "Replies that come after the end, or not within a second, count in the latencies, too. Exit status: "
    "0; 1: connections failed or were lost; 2: bad arguments; 130: interrupted, after the report of what was measured.",
    children,
    NULL,
    NULL};

/* ---- the report ---- */

typedef struct report {
    const histogram *latency;
    uint64_t messages, unfinished;
    unsigned connected, lost;
    double ready; /* seconds until all had connected, and had a first reply */
    double seconds;
    load_usage begin, end; /* of the server */
    bool usage;            /* they are known */
    int error;
} report;

static double per_second(const report *r) {
    return r->seconds > 0 ? (double)r->messages / r->seconds : 0;
}

static double microseconds(uint64_t nanoseconds) {
    return (double)nanoseconds / 1000;
}

static double cpu_a_message(const report *r) {
    return r->messages != 0 ? (r->end.cpu - r->begin.cpu) * 1e6 / (double)r->messages : 0;
}

static double switches_a_message(const report *r) {
    return r->messages != 0 ? (double)(r->end.switches - r->begin.switches) / (double)r->messages : 0;
}

static const struct {
    const char *name;
    double part;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static void print_text(const report *r) {
    printf("%llu messages of %zu bytes in %.2f s: %.0f a second, %.2f MB/s each way\n", (unsigned long long)r->messages,
           settings.size, r->seconds, per_second(r), per_second(r) * (double)settings.size / 1e6);
    printf("%u connections, ready after %.3f s, %u lost", r->connected, r->ready, r->lost);
    if (r->error != 0)
        printf(" (%s)", gentcp_error_name(r->error));
    printf("; %llu messages without a reply\n", (unsigned long long)r->unfinished);
    if (r->usage)
        printf("the server, for a message: %.2f us of CPU, %.3f context switches\n", cpu_a_message(r),
               switches_a_message(r));
    if (r->latency->count == 0)
        return;
    printf("latency, us:");
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
    json_t *json = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:s, s:f, s:f, s:f, s:I, s:f, s:i, s:i, s:I, s:s, s:o}", "kind",
        kinds[settings.kind], "host", settings.host, "port", (int)settings.port, "connections",
        (int)settings.connections, "threads", (int)settings.threads, "pipeline", (int)settings.pipeline, "size",
        (json_int_t)settings.size, "packet", packet_name(settings.socket.packet), "rate", settings.rate,
        "ready_seconds", r->ready, "seconds", r->seconds, "messages", (json_int_t)r->messages, "messages_per_second",
        per_second(r), "connected", (int)r->connected, "lost", (int)r->lost, "unfinished", (json_int_t)r->unfinished,
        "error", r->error != 0 ? gentcp_error_name(r->error) : "", "latency_us", latency_json(r->latency));
    bool written = false;

    if (r->usage) {
        json_object_set_new(json, "server_cpu_us_per_message", json_real(cpu_a_message(r)));
        json_object_set_new(json, "server_context_switches_per_message", json_real(switches_a_message(r)));
    }
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

static struct {
    load_counts counts;
    load_gate gate;
    atomic_bool stop;
    atomic_uint running; /* threads */
    histogram latency;
} run = {.gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER}};

static void show_progress(double elapsed, uint64_t *last, bool terminal) {
    uint64_t messages = atomic_load(&run.counts.messages);

    fprintf(stderr, "%s%6.1f s  %u of %u connections  %llu messages  %llu/s%s", terminal ? "\r\033[K" : "", elapsed,
            atomic_load(&run.counts.connected) - atomic_load(&run.counts.lost), settings.connections,
            (unsigned long long)messages, (unsigned long long)(messages - *last), terminal ? "" : "\n");
    *last = messages;
}

/* Once all threads have arrived, lets them go. Returns when the measurement begins; 0: not yet. */
static uint64_t open_gate(uint32_t threads) {
    uint64_t begin;

    pthread_mutex_lock(&run.gate.lock);
    if (run.gate.arrived == threads && run.gate.begin == 0) {
        run.gate.begin = load_now() + (uint64_t)(settings.warmup * 1e9);
        pthread_cond_broadcast(&run.gate.opened);
    }
    begin = run.gate.begin;
    pthread_mutex_unlock(&run.gate.lock);
    return begin;
}

static void measure_usage(report *r, load_usage *out) {
    if (settings.pid != 0 && !load_usage_of(settings.pid, out)) {
        fprintf(stderr, "gentcp: no usage of process %ld\n", settings.pid);
        settings.pid = 0;
    }
    r->usage = settings.pid != 0;
}

static bool all_finished(uint32_t threads) {
    bool all;

    pthread_mutex_lock(&run.gate.lock);
    all = run.gate.finished == threads;
    pthread_mutex_unlock(&run.gate.lock);
    return all;
}

static void let_close(void) {
    pthread_mutex_lock(&run.gate.lock);
    run.gate.measured = true;
    pthread_cond_broadcast(&run.gate.opened);
    pthread_mutex_unlock(&run.gate.lock);
}

/* Waits for a signal: SIGUSR1 is a thread's. True: the user's. */
static bool wait_until(const sigset_t *signals, uint64_t moment) {
    uint64_t at = load_now(), left = moment > at ? moment - at : 0;
    struct timespec time = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    int signal = sigtimedwait(signals, NULL, &time);

    return signal == SIGINT || signal == SIGTERM;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return b != 0 && b < a ? b : a;
}

/* Sees the threads through the gate and to their end, with a look at the counts each second. True: interrupted. */
static bool watch(uint32_t threads, const sigset_t *signals, report *r) {
    bool terminal = isatty(STDERR_FILENO) != 0, interrupted = false;
    uint64_t start = load_now(), tick = start + 1000000000, last = 0;
    uint64_t begin = 0, end = 0; /* moments to come; 0: unknown, or past */
    bool opened = false;

    while (atomic_load(&run.running) != 0) {
        uint64_t at;
        if (wait_until(signals, earlier(earlier(tick, begin), end))) {
            interrupted = true;
            atomic_store(&run.stop, true);
        }
        if (!opened && (begin = open_gate(threads)) != 0) {
            opened = true;
            r->ready = (double)(load_now() - start) / 1e9;
            end = begin + (uint64_t)(settings.seconds * 1e9);
        }
        at = load_now();
        if (begin != 0 && at >= begin) {
            measure_usage(r, &r->begin);
            begin = 0;
        }
        if (end != 0 && (at >= end || interrupted || all_finished(threads))) {
            if (begin == 0)
                measure_usage(r, &r->end);
            begin = end = 0;
            let_close();
        }
        if (at >= tick) {
            tick += 1000000000;
            if (!settings.quiet)
                show_progress((double)(at - start) / 1e9, &last, terminal);
        }
    }
    if (terminal && !settings.quiet)
        fputs("\r\033[K", stderr);
    return interrupted;
}

typedef struct load_thread {
    pthread_t thread;
    load_worker worker;
} load_thread;

static void *thread_main(void *argument) {
    load_thread *it = argument;

    load_work(&it->worker);
    atomic_fetch_sub(&run.running, 1);
    kill(getpid(), SIGUSR1);
    return NULL;
}

static uint32_t share(uint32_t all, uint32_t index) {
    return all / settings.threads + (index < all % settings.threads ? 1 : 0);
}

/* Returns how many were started. */
static uint32_t start_all(load_thread *threads, report *r) {
    for (uint32_t i = 0; i < settings.threads; i++) {
        load_thread *it = &threads[i];
        int error;
        it->worker.settings = &settings;
        it->worker.counts = &run.counts;
        it->worker.gate = &run.gate;
        it->worker.stop = &run.stop;
        it->worker.connections = share(settings.connections, i);
        it->worker.rate = settings.rate * it->worker.connections / settings.connections;
        atomic_fetch_add(&run.running, 1);
        error = pthread_create(&it->thread, NULL, thread_main, it);
        if (error != 0) {
            atomic_fetch_sub(&run.running, 1);
            atomic_store(&run.stop, true);
            r->error = -error;
            return i;
        }
    }
    return settings.threads;
}

static void collect(load_thread *threads, uint32_t count, report *r) {
    for (uint32_t i = 0; i < count; i++) {
        load_worker *worker = &threads[i].worker;
        pthread_join(threads[i].thread, NULL);
        histogram_merge(&run.latency, &worker->latency);
        r->unfinished += worker->unfinished;
        r->seconds = worker->measured > r->seconds ? worker->measured : r->seconds;
        if (r->error == 0)
            r->error = atomic_load(&worker->error);
    }
    r->messages = atomic_load(&run.counts.messages);
    r->connected = atomic_load(&run.counts.connected);
    r->lost = atomic_load(&run.counts.lost);
}

int command_load(int argc, char **argv) {
    report r = {.latency = &run.latency};
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
    started = start_all(threads, &r);
    interrupted = watch(started, &signals, &r);
    collect(threads, started, &r);
    free(threads);
    if (settings.json == NULL || strcmp(settings.json, "-") != 0)
        print_text(&r);
    if (settings.json != NULL)
        written = write_json(&r);
    if (interrupted)
        return EXIT_INTERRUPTED;
    return r.error != 0 || !written ? EXIT_FAILED : 0;
}
