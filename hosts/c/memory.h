/* SPDX-License-Identifier: Apache-2.0 */
/* Where memory comes from, and which poller is used: what gentcp_configure has set. */
#ifndef GT_C_MEMORY_H
#define GT_C_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "pollers/poller.h"

/* As malloc, realloc and free; NULL: no memory. Any thread, any lock. */
void *gt_allocate(size_t size);
void *gt_resize(void *memory, size_t size);
void gt_release(void *memory);

/* Is memory worth keeping for reuse? Not where somebody wants to see every piece of it come and go: functions given to
 * gentcp_configure, or the address sanitizer, which couldn't tell that something was used after its release. */
bool gt_memory_is_kept(void);

/* The library is in use from here on: no more gentcp_configure. Returns the backend for all pollers. */
const gt_backend *gt_config_use(void);

#endif
