/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/table.h"

#include <string.h>

#include "hosts/c/memory.h"

/* A slot that was never used. Called with the table locked. */
static gt_slot *fresh_slot(gt_table *table) {
    uint32_t index = atomic_load_explicit(&table->used, memory_order_relaxed);
    uint32_t chunk = index / GT_TABLE_CHUNK;
    gt_slot *slot;

    if (chunk == GT_TABLE_CHUNKS)
        return NULL;
    if (index % GT_TABLE_CHUNK == 0) {
        void *memory = gt_allocate(table->item_size * GT_TABLE_CHUNK);
        if (memory == NULL)
            return NULL;
        memset(memory, 0, table->item_size * GT_TABLE_CHUNK);
        atomic_store_explicit(&table->chunks[chunk], memory, memory_order_release);
    }
    slot = gt_slot_at(table, index);
    slot->index = index;
    atomic_store_explicit(&table->used, index + 1, memory_order_release);
    return slot;
}

void *gt_table_new(gt_table *table) {
    gt_slot *slot;
    uint32_t generation;

    pthread_mutex_lock(&table->lock);
    if (table->first_free != GT_NO_SLOT) {
        slot = gt_slot_at(table, table->first_free);
        table->first_free = slot->next_free;
    } else {
        slot = fresh_slot(table);
    }
    pthread_mutex_unlock(&table->lock);
    if (slot == NULL)
        return NULL;
    memset(slot + 1, 0, table->item_size - sizeof *slot);
    generation = gt_generation_of(atomic_load_explicit(&slot->word, memory_order_relaxed));
    generation = generation < UINT32_MAX ? generation + 1 : 1; /* not 0: {0} must stay a handle that never was */
    atomic_store_explicit(&slot->word, (uint64_t)generation << 32, memory_order_relaxed);
    return slot;
}

void gt_slot_enter(gt_slot *slot) {
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);

    atomic_store_explicit(&slot->word, word | 1, memory_order_release);
}

void gt_table_free(gt_table *table, gt_slot *slot) {
    pthread_mutex_lock(&table->lock);
    slot->next_free = table->first_free;
    table->first_free = slot->index;
    pthread_mutex_unlock(&table->lock);
}
