/* SPDX-License-Identifier: Apache-2.0 */
/* A poller under test, on the backend that GENTCP_POLLER or the program's argument names, and a user of it that
 * writes down what it is told. */
#ifndef POLLER_FIXTURE_H
#define POLLER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pollers/poller.h"

enum { LOG_MAX = 1024, ALL = GT_READABLE | GT_WRITABLE | GT_HANGUP };

/* One end of a pair of connected sockets, watched; its memory is overwritten and freed when it is forgotten. */
typedef struct end {
    gt_watch watch;
    int peer; /* the other end */
    int *forgotten;
    void (*on_ready)(struct end *end, int readiness);
} end;

typedef struct timer {
    gt_deadline deadline;
    void (*on_expired)(struct timer *timer);
} timer;

/* What was reported, in order: an end with its readiness, or a timer. */
typedef struct report {
    const void *who;
    int readiness;
} report;

extern const gt_backend *backend;
extern const gt_poller_user recorder;
extern report reports[LOG_MAX];
extern int report_count;
extern int allocations;      /* that are still held */
extern int allocations_left; /* that succeed before one fails; -1: all do */

int choose_backend(int argc, char **argv);
gt_poller *open_poller(void);
void close_poller(gt_poller *poller);
/* Adds an end and takes the report of what it is ready for from the start. */
end *open_end(gt_poller *poller, int *forgotten);
/* The same, not added. */
end *make_end(int *forgotten);
/* Removes it and closes both descriptors. */
void close_end(end *open);
void write_peer(end *open, const char *text);
/* Runs until nothing is reported any more. */
void settle(gt_poller *poller);
/* Forgets what was reported. */
void clear_reports(void);
bool is_readable(int fd);

#endif
