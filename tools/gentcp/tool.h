/* SPDX-License-Identifier: Apache-2.0 */
/* The program gentcp: talk to a TCP peer by hand, or load one, with gen_tcp's packet types, active modes and options.
 *
 * argp(3), of glibc, reads the arguments; jansson writes the report. */
#ifndef GENTCP_TOOL_H
#define GENTCP_TOOL_H

#include <argp.h>
#include <gentcp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* What the program ends with, beside argp's. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* ---- main.c ---- */

/* Each takes the arguments behind the command's name (argv[0] is the name), and returns an exit code. */
int command_listen(int argc, char **argv);
int command_connect(int argc, char **argv);
int command_load(int argc, char **argv);

/* Blocks SIGINT and SIGTERM for this thread and all that it starts; they are then waited for (sigwait(3)). */
void take_signals(sigset_t *signals);

/* ---- socket_arguments.c: what all commands have in common ---- */

typedef struct socket_arguments {
    gentcp_option options[GENTCP_OPTIONS_MAX + 1]; /* ended by GENTCP_END */
    int count;
    int packet;           /* GENTCP_PACKET's value */
    gentcp_option active; /* GENTCP_ACTIVE or GENTCP_ACTIVE_N; not among the options */
} socket_arguments;

/* For argp_child; its input is a socket_arguments, made with socket_arguments_init. */
extern const struct argp socket_argp;
void socket_arguments_init(socket_arguments *arguments);
/* Another option, at the list's end. The program ends if there are too many. */
void socket_arguments_add(socket_arguments *arguments, gentcp_option option);
/* The name of a packet type as --packet takes it. */
const char *packet_name(int packet);

/* Reads a number within low..high, or ends the program with argp's message. */
long number_argument(const struct argp_state *state, const char *what, const char *text, long low, long high);

/* ---- display.c ---- */

enum display { DISPLAY_RAW, DISPLAY_TEXT, DISPLAY_HEX };

/* Writes received data to the standard output: as it came; or a line or more for each packet: HTTP as what it says,
 * readable text in quotes with C's escapes, anything else as a hex dump, and with DISPLAY_HEX all but HTTP. */
void display_data(enum display how, const gentcp_data *data);

/* ---- histogram.c ---- */

/* Counts of times in nanoseconds, in buckets as wide as 1/128 of the time: from 1 ns to 584 years, none is cut off. */
enum { HISTOGRAM_BUCKETS = (64 - 7 + 1) * 128 };
typedef struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, sum, min, max;
} histogram;

void histogram_add(histogram *h, uint64_t value);
void histogram_merge(histogram *h, const histogram *other);
/* The value that the given part (0..1) of all is not above: a bucket's upper end, and at most the largest; 0: empty. */
uint64_t histogram_quantile(const histogram *h, double part);

#endif
