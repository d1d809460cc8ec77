/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/options.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>

/* FreeBSD's; Linux balances with SO_REUSEPORT itself. */
#ifdef SO_REUSEPORT_LB
#define GT_SO_REUSEPORT_LB SO_REUSEPORT_LB
#else
#define GT_SO_REUSEPORT_LB SO_REUSEPORT
#endif

const gt_option_row gt_option_rows[GT_OPTIONS] = {
#define GT_OPTION_ROW(part, upper, text, kind, least, most, preset, places, whose, at_level, at_option)                \
    GT_IF(part,                                                                                                        \
          [GT_OPT_##upper] = {.name = text, /* NOLINT(bugprone-macro-parentheses) */                                   \
                              .type = GT_TYPE_##kind,                                                                  \
                              .where = (places),                                                                       \
                              .owner = GT_OF_##whose,                                                                  \
                              .low = (least),                                                                          \
                              .high = (most),                                                                          \
                              .fallback = (preset),                                                                    \
                              .level = (at_level),                                                                     \
                              .option = (at_option)}, )
#include "engine/options_table.h"
#undef GT_OPTION_ROW
};

const gt_option_row *gt_option_find(const char *name) {
    for (int i = 0; i < GT_OPTIONS; i++) {
        if (gt_option_rows[i].where != 0 && strcmp(gt_option_rows[i].name, name) == 0)
            return &gt_option_rows[i];
    }
    return NULL;
}

static bool within(int64_t number, int64_t low, int64_t high) {
    return number >= low && number <= high;
}

int gt_option_check(const gt_option *option, int where) {
    const gt_option_row *row;
    bool good;

    if (option->name >= GT_OPTIONS)
        return -EINVAL;
    row = &gt_option_rows[option->name];
    if ((row->where & where) == 0)
        return -EINVAL;
    switch (row->type) {
    case GT_TYPE_TIMEOUT:
        good = option->number == GT_INFINITY || within(option->number, row->low, row->high);
        break;
    case GT_TYPE_ACTIVE:
        good =
            within(option->number, row->low, row->high) &&
            (option->number != GT_ACTIVE_COUNT || within(option->extra, -GT_ACTIVE_COUNT_MAX - 1, GT_ACTIVE_COUNT_MAX));
        break;
    case GT_TYPE_PACKET:
        good = within(option->number, row->low, row->high) && (GT_PACKETS_IN >> option->number & 1) != 0;
        break;
    case GT_TYPE_FAMILY:
        good = within(option->number, 0, INT_MAX) && gt_knows_family((int)option->number);
        break;
    case GT_TYPE_LINGER:
        good = within(option->number, row->low, row->high) && within(option->extra, 0, UINT16_MAX);
        break;
    case GT_TYPE_ADDRESS:
        good = option->address.size != 0 && gt_knows_family(option->address.any.sa_family);
        break;
    case GT_TYPE_PATH:
        good = option->size <= (uint64_t)row->high && option->bytes != NULL &&
               memchr(option->bytes, 0, option->size) == NULL;
        break;
    case GT_TYPE_BYTES:
        good = option->size <= (uint64_t)row->high && (option->bytes != NULL || option->size == 0);
        break;
    case GT_TYPE_RAW:
        good = within(option->number, INT32_MIN, INT32_MAX) && within(option->extra, INT32_MIN, INT32_MAX) &&
               option->size <= (uint64_t)row->high && (option->bytes != NULL || option->size == 0);
        break;
    default:
        good = within(option->number, row->low, row->high);
        break;
    }
    return good ? 0 : -EINVAL;
}
