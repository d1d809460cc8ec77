/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exchanges of gentcp with itself, in any of which a call may fail: each says whether what came of it was right.
 */
#ifndef TEST_FAULTS_EXCHANGES_H
#define TEST_FAULTS_EXCHANGES_H

#include "test/connection.h"

enum { LARGE = 160 * 1024, EXCHANGES = 11 };

/* What is sent, where it is much. */
extern uint8_t pattern[LARGE];
void make_pattern(void);

/* One end of a connection. */
typedef struct side {
    gentcp_socket socket;
    int ends; /* how often tcp_closed was told */
} side;

typedef struct run {
    int error; /* the fault's errno; 0: nothing may fail */
    int failures;
    int wrong; /* the line of the first thing that mustn't be; 0: nothing yet */
    int wrong_status;
    bool there_first; /* which side is closed first in the end */
    gentcp_socket listener;
    side here, there;
} run;

typedef struct exchange {
    const char *name;
    void (*make)(run *);
} exchange;

extern const exchange exchanges[EXCHANGES];

/* One side is closed, and the other hears of it. */
void end_pair(run *r);
/* The next message; what it says of an end, as a status. size: NULL, or how much of the pattern has come. */
int take_message(side *from, enum gentcp_message_kind kind, size_t *size, int64_t timeout);

#endif
