/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram of the program gentcp, against the sorted values themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/gentcp/tool.h"

enum { VALUES = 20000 };
static uint64_t values[VALUES];
static histogram all, half[2];

/* Numbers of all magnitudes: xorshift, cut to a random length. */
static uint64_t random_value(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> (*seed % 64);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static int fill(void **state) {
    uint64_t seed = 0x9e3779b97f4a7c15;

    (void)state;
    for (int i = 0; i < VALUES; i++) {
        values[i] = random_value(&seed);
        histogram_add(&all, values[i]);
        histogram_add(&half[i % 2], values[i]);
    }
    qsort(values, VALUES, sizeof values[0], compare);
    return 0;
}

static void quantiles_are_right_within_a_bucket(void **state) {
    (void)state;
    for (int thousandth = 1; thousandth <= 1000; thousandth++) {
        double part = thousandth / 1000.0;
        int rank = (int)(part * VALUES);
        uint64_t exact = values[rank < part * VALUES ? rank : rank - 1];
        uint64_t got = histogram_quantile(&all, part);
        assert_true(got >= exact);
        assert_true(got - exact <= exact / 128);
    }
}

static void the_extremes_are_exact(void **state) {
    (void)state;
    assert_int_equal(all.min, values[0]);
    assert_int_equal(all.max, values[VALUES - 1]);
    assert_int_equal(histogram_quantile(&all, 1), values[VALUES - 1]);
    assert_int_equal(all.count, VALUES);
}

static void one_value_in_a_million_is_not_lost(void **state) {
    static histogram h;

    (void)state;
    for (int i = 0; i < 999999; i++)
        histogram_add(&h, 1000);
    histogram_add(&h, UINT64_MAX);
    assert_in_range(histogram_quantile(&h, 0.999), 1000, 1008);
    assert_int_equal(histogram_quantile(&h, 1), UINT64_MAX);
}

static void parts_make_the_same_whole(void **state) {
    static histogram merged;

    (void)state;
    histogram_merge(&merged, &half[0]);
    histogram_merge(&merged, &half[1]);
    assert_memory_equal(&merged, &all, sizeof all);
}

static void nothing_has_no_quantiles(void **state) {
    static histogram empty, merged;

    (void)state;
    assert_int_equal(histogram_quantile(&empty, 0.5), 0);
    histogram_merge(&merged, &empty);
    assert_memory_equal(&merged, &empty, sizeof empty);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_right_within_a_bucket),
        cmocka_unit_test(the_extremes_are_exact),
        cmocka_unit_test(one_value_in_a_million_is_not_lost),
        cmocka_unit_test(parts_make_the_same_whole),
        cmocka_unit_test(nothing_has_no_quantiles),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
