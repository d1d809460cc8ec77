/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a long loop a test runs: GENTCP_TEST_SCALE percent of it (default: 100), so that it can be run under
 * tools that make everything slower. */
#ifndef TEST_SCALE_H
#define TEST_SCALE_H

#include <stdlib.h>

static inline int scale_percent(void) {
    const char *percent = getenv("GENTCP_TEST_SCALE");
    int number = percent == NULL ? 100 : atoi(percent);

    return number > 0 ? number : 100;
}

/* At least 1. */
static inline int scaled(int full) {
    long long part = (long long)full * scale_percent() / 100;

    return part > 1 ? (int)part : 1;
}

#endif
