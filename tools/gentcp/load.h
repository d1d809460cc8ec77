/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENTCP_TOOL_LOAD_H
#define GENTCP_TOOL_LOAD_H

#include <stdbool.h>

#include "tools/gentcp/tool.h"

typedef struct load_settings {
    socket_arguments socket;
    const char *host;
    const char *json; /* file for the report, "-": the standard output; NULL: none */
    uint16_t port;
    uint32_t connections, threads, pipeline;
    size_t size;
    double rate; /* messages a second in all; 0: as many as come back */
    double seconds, warmup;
    bool quiet;
} load_settings;

/* What the threads count while they run; read by others at any time. */
typedef struct load_counts {
    atomic_ullong messages; /* sent, and back, after the warm-up */
    atomic_uint connected, lost;
} load_counts;

/* One thread's part: a process that owns its connections. */
typedef struct load_worker {
    const load_settings *settings;
    load_counts *counts;
    uint32_t connections;
    double rate;
    atomic_bool *stop;
    atomic_int error; /* why the first of its connections was lost, or the others can't go on; 0 */
    uint64_t unfinished;
    double measured; /* seconds between the end of the warm-up and the last moment of sending */
    histogram latency;
} load_worker;

/* The thread's main function; its argument is a load_worker, whose results it fills in. */
void *load_work(void *worker);

#endif
