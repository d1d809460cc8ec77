/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for what is received: messages, and the buffers of large reads.
 *
 * A process keeps what its thread releases, within bounds, for what comes next: a message so costs no malloc, and a
 * large buffer isn't given back to the system only to be asked for again. Nothing is kept for a thread that is no
 * process, nor where gt_memory_is_kept says so. */
#ifndef GT_C_BLOCK_H
#define GT_C_BLOCK_H

#include <stddef.h>

#include "sys/config.h"

typedef struct gt_block gt_block;

enum {
    GT_BLOCK_STEP = 128,          /* small blocks are kept by their size, rounded up to a multiple of this, */
    GT_BLOCK_KINDS = 16,          /* up to so many times it, */
    GT_BLOCKS_SMALL = 128 * 1024, /* and so many bytes of them by each process; */
    GT_BLOCKS_LARGE = 4,          /* of the buffers of full reads, so many by the whole program */
    GT_READ_BYTES = 1 << GENTCP_READ_SHIFT,
};

/* What a process keeps. Its thread's own; zeroed: nothing. */
typedef struct gt_blocks {
    gt_block *small[GT_BLOCK_KINDS];
    size_t size; /* bytes in all of them */
} gt_blocks;

/* As gt_allocate, gt_resize and gt_release, of each other's memory only. From any thread, with any lock. */
void *gt_block_new(size_t size);
void *gt_block_resize(void *memory, size_t size);
void gt_block_free(void *memory);
/* Releases what a process keeps. */
void gt_blocks_drop(gt_blocks *blocks);

#endif
