/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target is made of: its entry, checks, and choices read from the input. */
#ifndef GT_FUZZ_INPUT_H
#define GT_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target: called by libFuzzer, or by replay.c for each file of a corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* What is left of the input, eaten from the front; when it is used up, every choice is 0. */
typedef struct input {
    const uint8_t *bytes;
    size_t size;
} input;

static inline uint8_t take_byte(input *in) {
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->bytes++;
}

static inline uint32_t take_number(input *in, int width) {
    uint32_t result = 0;

    while (width-- > 0)
        result = result << 8 | take_byte(in);
    return result;
}

/* A copy of just that size, so that a read outside is seen by the address sanitizer. */
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size != 0 ? size : 1);

    CHECK(copy != NULL);
    if (size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

#endif
