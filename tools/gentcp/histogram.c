/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets as in Gil Tene's HdrHistogram: linear within each power of two. */
#include "tools/gentcp/tool.h"

enum { SUB_BITS = 7 };

static unsigned bucket_of(uint64_t value) {
    unsigned shift;

    if (value < 1U << SUB_BITS)
        return (unsigned)value;
    shift = 63U - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return ((shift + 1) << SUB_BITS) + (unsigned)((value >> shift) - (1U << SUB_BITS));
}

static uint64_t upper_end(unsigned bucket) {
    unsigned shift = bucket >> SUB_BITS;
    uint64_t within = bucket & ((1U << SUB_BITS) - 1);

    if (shift == 0)
        return within;
    return (((within + (1U << SUB_BITS) + 1) << (shift - 1)) - 1);
}

void histogram_add(histogram *h, uint64_t value) {
    h->counts[bucket_of(value)]++;
    h->min = h->count == 0 || value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->count++;
    h->sum += value;
}

void histogram_merge(histogram *h, const histogram *other) {
    if (other->count == 0)
        return;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->counts[i] += other->counts[i];
    h->min = h->count == 0 || other->min < h->min ? other->min : h->min;
    h->max = other->max > h->max ? other->max : h->max;
    h->count += other->count;
    h->sum += other->sum;
}

uint64_t histogram_quantile(const histogram *h, double part) {
    double wanted = part * (double)h->count;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen != 0 && (double)seen >= wanted)
            return upper_end(i) < h->max ? upper_end(i) : h->max;
    }
    return h->max;
}
