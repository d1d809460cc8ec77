/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENTCP_TOOL_LOAD_H
#define GENTCP_TOOL_LOAD_H

#include <pthread.h>
#include <stdbool.h>

#include "tools/gentcp/tool.h"

enum load_kind {
    LOAD_ECHO,     /* messages come back */
    LOAD_UPLOAD,   /* messages are sent as fast as they go, to a server that reads them */
    LOAD_DOWNLOAD, /* nothing is sent: the server sends by itself, and bytes are counted as messages of that size */
    LOAD_CONNECT,  /* connections are opened and closed (by a reset, to leave no TIME_WAIT), one after the other */
};

typedef struct load_settings {
    socket_arguments socket;
    const char *host;
    const char *json; /* file for the report, "-": the standard output; NULL: none */
    uint16_t port;
    enum load_kind kind;
    long pid; /* the server's, whose use of the CPU is to be told; 0: none */
    uint32_t connections, threads, pipeline;
    size_t size;
    double rate; /* messages a second in all; 0: as many as come back */
    double seconds, warmup;
    bool busy; /* threads never sleep while they wait for messages */
    bool quiet;
} load_settings;

/* All threads have connected before any begins, and stay connected until the server's usage was measured. */
typedef struct load_gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    uint32_t arrived;  /* threads that have connected, or failed to */
    uint32_t finished; /* threads that will send no more */
    uint64_t begin;    /* of the measurement, in load_now's nanoseconds; 0: still shut */
    bool measured;     /* they may close */
} load_gate;

/* What the threads count while they run; read by others at any time. */
typedef struct load_counts {
    atomic_ullong messages; /* sent, and back, after the warm-up */
    atomic_uint connected, lost;
} load_counts;

/* One thread's part: a process that owns its connections. */
typedef struct load_worker {
    const load_settings *settings;
    load_counts *counts;
    load_gate *gate;
    uint32_t connections;
    double rate;
    atomic_bool *stop;
    atomic_int error; /* why the first of its connections was lost, or the others can't go on; 0 */
    uint64_t unfinished;
    double measured; /* seconds of the measurement */
    histogram latency;
} load_worker;

/* The thread's main function; its argument is a load_worker, whose results it fills in. It sends the process SIGUSR1
 * when it has arrived at the gate, and when it has finished. */
void *load_work(void *worker);
/* Monotonic time. */
uint64_t load_now(void);

/* ---- load_usage.c ---- */

/* What all threads of a process have used so far. */
typedef struct load_usage {
    double cpu;        /* seconds, from /proc/PID/task/TID/schedstat */
    uint64_t switches; /* context switches, both kinds, from its status */
} load_usage;

/* False: there is no such process, or the system doesn't tell. */
bool load_usage_of(long pid, load_usage *out);

#endif
