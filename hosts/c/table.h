/* SPDX-License-Identifier: Apache-2.0 */
/* Handles: values that name an object without pointing to it, so that a stale or made-up one does no harm.
 *
 * An object stands in a table's slot for its life; a handle is the slot's index and the slot's generation, which grows
 * with each object. Slots lie in chunks that are never freed: looking at a slot is always safe, and a compare-and-swap
 * of (generation, references) takes a reference only if the handle's object is the one that lives there.
 *
 *            gt_table_new           gt_slot_enter          gt_slot_drop: the last one          gt_table_free
 *   FREE g, 0 ──────▶ MAKING g+1, 0 ────────▶ LIVE g+1, n ────────────────▶ DYING g+1, 0 ──────────▶ FREE g+1, 0 */
#ifndef GT_C_TABLE_H
#define GT_C_TABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/error.h"

/* The first field of every object in a table. */
typedef struct gt_slot {
    _Atomic uint64_t word; /* generation << 32 | references */
    uint32_t index;
    uint32_t next_free; /* FREE: the index of another, or GT_NO_SLOT. Guarded by the table's lock */
} gt_slot;

#define GT_NO_SLOT UINT32_MAX

enum { GT_TABLE_CHUNK = 64, GT_TABLE_CHUNKS = 16384 }; /* a million objects at most */

typedef struct gt_table {
    size_t item_size;
    pthread_mutex_t lock;
    uint32_t first_free;
    _Atomic uint32_t used; /* slots below this index exist */
    void *_Atomic chunks[GT_TABLE_CHUNKS];
} gt_table;

#define GT_TABLE_INIT(size)                                                                                            \
    { .item_size = (size), .lock = PTHREAD_MUTEX_INITIALIZER, .first_free = GT_NO_SLOT }

/* A new object, zeroed behind its slot, which no handle reaches yet. NULL: no memory, or the table is full. */
void *gt_table_new(gt_table *table);
/* The object is complete: its maker has a reference to it, and handles reach it. */
void gt_slot_enter(gt_slot *slot);
/* Frees the slot of an object that is dying, or was never complete. */
void gt_table_free(gt_table *table, gt_slot *slot);

static inline uint32_t gt_generation_of(uint64_t word) {
    return (uint32_t)(word >> 32);
}

static inline uint32_t gt_references_of(uint64_t word) {
    return (uint32_t)word;
}

static inline gt_slot *gt_slot_at(gt_table *table, uint32_t index) {
    char *chunk = atomic_load_explicit(&table->chunks[index / GT_TABLE_CHUNK], memory_order_acquire);

    return (gt_slot *)(void *)(chunk + (size_t)(index % GT_TABLE_CHUNK) * table->item_size);
}

/* Takes a reference to a handle's object. 0; GT_CLOSED: it is no more; GT_BADARG: it never was. */
static inline int gt_table_get(gt_table *table, uint64_t id, gt_slot **out) {
    uint32_t index = (uint32_t)id;
    uint32_t generation = gt_generation_of(id);
    gt_slot *slot;
    uint64_t word;

    if (generation == 0 || index >= atomic_load_explicit(&table->used, memory_order_acquire))
        return GT_BADARG;
    slot = gt_slot_at(table, index);
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (generation > gt_generation_of(word))
            return GT_BADARG;
        if (generation != gt_generation_of(word) || gt_references_of(word) == 0)
            return GT_CLOSED;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    *out = slot;
    return 0;
}

/* Another reference, by whoever has one. */
static inline void gt_slot_keep(gt_slot *slot) {
    atomic_fetch_add_explicit(&slot->word, 1, memory_order_relaxed);
}

/* Drops a reference. True: it was the last; the caller finishes the object and calls gt_table_free. */
static inline bool gt_slot_drop(gt_slot *slot) {
    return gt_references_of(atomic_fetch_sub_explicit(&slot->word, 1, memory_order_acq_rel)) == 1;
}

/* The handle of an object that the caller has a reference to. */
static inline uint64_t gt_slot_id(gt_slot *slot) {
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);

    return (uint64_t)gt_generation_of(word) << 32 | slot->index;
}

#endif
