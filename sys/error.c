/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/error.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sys/config.h"

static const int16_t errors[] = {
#define GT_ERROR_ROW(part, error, name) GT_IF(part, (error), )
#include "sys/error_table.h"
#undef GT_ERROR_ROW
};

/* In the same order, without pointers to them, which would cost more than they do. */
static const char names[] = ""
#define GT_ERROR_ROW(part, error, name) GT_IF(part, name "\0")
#include "sys/error_table.h"
#undef GT_ERROR_ROW
    ;

const char *gt_error_name(int error) {
    const char *name = names;

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++, name += strlen(name) + 1)
        if (errors[i] == error)
            return name;
    return "unknown";
}
