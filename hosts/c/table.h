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
/* Takes a reference to a handle's object. 0; GT_CLOSED: it is no more; GT_BADARG: it never was. */
int gt_table_get(gt_table *table, uint64_t id, gt_slot **out);
/* Frees the slot of an object that is dying, or was never complete. */
void gt_table_free(gt_table *table, gt_slot *slot);

/* Another reference, by whoever has one. */
static inline void gt_slot_keep(gt_slot *slot) {
    atomic_fetch_add_explicit(&slot->word, 1, memory_order_relaxed);
}

/* Drops a reference. True: it was the last; the caller finishes the object and calls gt_table_free. */
static inline bool gt_slot_drop(gt_slot *slot) {
    return (uint32_t)atomic_fetch_sub_explicit(&slot->word, 1, memory_order_acq_rel) == 1;
}

/* The handle of an object that the caller has a reference to. */
static inline uint64_t gt_slot_id(gt_slot *slot) {
    return atomic_load_explicit(&slot->word, memory_order_relaxed) >> 32 << 32 | slot->index;
}

#endif
