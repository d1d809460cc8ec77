/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/block.h"

#include <stdint.h>

#include "hosts/c/memory.h"
#include "hosts/c/process.h"

enum {
    NOT_KEPT = 0, /* kinds: this, small ones by their size in steps, and */
    LARGE = GT_BLOCK_KINDS + 1,
    LARGE_MIN = GT_READ_BYTES, /* without their heads, the buffers of full reads have a little more than this, */
    LARGE_SIZE = GT_READ_BYTES + GT_READ_BYTES / 32, /* and with them at most this */
};

/* In front of the memory that is handed out. */
struct gt_block {
    gt_block *next; /* while it is kept */
    size_t kind;
};

_Static_assert(sizeof(gt_block) % (2 * sizeof(void *)) == 0,
               "what follows a block's head is aligned as malloc's memory");

static struct {
    gt_lock lock;
    gt_block *first;
    int count;
} large = {.lock = GT_LOCK_INIT};

static gt_block *block_of(void *memory) {
    return (gt_block *)memory - 1;
}

static void *begin(gt_block *block, size_t kind) {
    if (block == NULL)
        return NULL;
    block->kind = kind;
    return block + 1;
}

static void *new_large(void) {
    gt_block *block;

    gt_lock_take(&large.lock);
    block = large.first;
    if (block != NULL) {
        large.first = block->next;
        large.count--;
    }
    gt_lock_drop(&large.lock);
    return begin(block != NULL ? block : gt_allocate(LARGE_SIZE), LARGE);
}

static void free_large(gt_block *block) {
    bool keep;

    gt_lock_take(&large.lock);
    keep = large.count < GT_BLOCKS_LARGE;
    if (keep) {
        block->next = large.first;
        large.first = block;
        large.count++;
    }
    gt_lock_drop(&large.lock);
    if (!keep)
        gt_release(block);
}

void *gt_block_new(size_t size) {
    gt_process *self = gt_process_current();
    size_t whole = sizeof(gt_block) + size;
    size_t kind = (whole + GT_BLOCK_STEP - 1) / GT_BLOCK_STEP;
    gt_block *block;

    if (size > SIZE_MAX / 2)
        return NULL;
    if (self != NULL && self->keeps_blocks && kind <= GT_BLOCK_KINDS) {
        block = self->blocks.small[kind - 1];
        if (block == NULL)
            return begin(gt_allocate(kind * GT_BLOCK_STEP), kind);
        self->blocks.small[kind - 1] = block->next;
        self->blocks.size -= kind * GT_BLOCK_STEP;
        return block + 1;
    }
    if (self != NULL && self->keeps_blocks && whole > LARGE_MIN && whole <= LARGE_SIZE)
        return new_large();
    return begin(gt_allocate(whole), NOT_KEPT);
}

void *gt_block_resize(void *memory, size_t size) {
    return size <= SIZE_MAX / 2 ? begin(gt_resize(block_of(memory), sizeof(gt_block) + size), NOT_KEPT) : NULL;
}

void gt_block_free(void *memory) {
    gt_process *self = gt_process_current();
    gt_block *block;
    size_t size;

    if (memory == NULL)
        return;
    block = block_of(memory);
    size = block->kind * GT_BLOCK_STEP;
    if (self != NULL && block->kind == LARGE) {
        free_large(block);
    } else if (self != NULL && block->kind != NOT_KEPT && self->blocks.size + size <= GT_BLOCKS_SMALL) {
        block->next = self->blocks.small[block->kind - 1];
        self->blocks.small[block->kind - 1] = block;
        self->blocks.size += size;
    } else {
        gt_release(block);
    }
}

void gt_blocks_drop(gt_blocks *blocks) {
    for (int i = 0; i < GT_BLOCK_KINDS; i++) {
        while (blocks->small[i] != NULL) {
            gt_block *block = blocks->small[i];
            blocks->small[i] = block->next;
            gt_release(block);
        }
    }
    blocks->size = 0;
}
