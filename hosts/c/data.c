/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/data.h"

#include "hosts/c/block.h"
#include "hosts/c/memory.h"

uint8_t gt_no_bytes[1];

/* ---- received ---- */

gentcp_data gt_data_take(const gt_data *data) {
    /* A buffer has room for this 0 behind its last byte, and what is behind the data now belongs to nobody. */
    uint8_t *bytes = data->buffer->bytes + (data->bytes - data->buffer->bytes);

    bytes[data->size] = 0;
    return (gentcp_data){.bytes = bytes, .size = data->size, .memory = data->buffer};
}

bool gt_data_copy(const gt_data *data, gentcp_data *out) {
    size_t room = gt_data_room(data);
    void *memory;

    if (data->size == 0) {
        *out = GT_NO_DATA;
        return true;
    }
    memory = room != 0 ? gt_block_new(room) : NULL;
    if (memory == NULL)
        return false;
    gt_data_write(data, memory, memory, out);
    return true;
}

void gentcp_data_release(gentcp_data *data) {
    if (data == NULL)
        return;
    gt_block_free(data->memory);
    *data = GT_NO_DATA;
}

/* A buffer is one piece of memory: its head, its bytes, and one byte more for a 0. */
static gt_buffer *buffer_in(void *memory, size_t size) {
    gt_buffer *buffer = memory;

    if (buffer == NULL)
        return NULL;
    *buffer = (gt_buffer){.bytes = (uint8_t *)(buffer + 1), .size = size};
    return buffer;
}

gt_buffer *gt_buffer_new(size_t size) {
    return size < SIZE_MAX - sizeof(gt_buffer) ? buffer_in(gt_block_new(sizeof(gt_buffer) + size + 1), size) : NULL;
}

gt_buffer *gt_buffer_resize(gt_buffer *buffer, size_t size) {
    return size < SIZE_MAX - sizeof *buffer ? buffer_in(gt_block_resize(buffer, sizeof *buffer + size + 1), size)
                                            : NULL;
}

void gt_buffer_free(gt_buffer *buffer) {
    gt_block_free(buffer);
}

/* ---- to be sent ---- */

typedef struct held {
    gt_segment segment;
    void (*release)(void *arg); /* NULL: the bytes follow, or need no release */
    void *arg;
    uint8_t bytes[];
} held;

static gt_segment *hold_copy(const struct iovec *parts, int count, size_t skip, size_t size) {
    held *copy = size <= SIZE_MAX - sizeof *copy ? gt_allocate(sizeof *copy + size) : NULL;
    size_t filled = 0;

    if (copy == NULL)
        return NULL;
    for (int i = 0; i < count; i++) {
        size_t skipped = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        skip -= skipped;
        if (parts[i].iov_len > skipped)
            memcpy(copy->bytes + filled, (const uint8_t *)parts[i].iov_base + skipped, parts[i].iov_len - skipped);
        filled += parts[i].iov_len - skipped;
    }
    copy->segment = (gt_segment){.bytes = copy->bytes, .size = size};
    copy->release = NULL;
    return &copy->segment;
}

static gt_segment *hold_reference(gt_source *source, size_t skip) {
    held *reference = gt_allocate(sizeof *reference);

    if (reference == NULL)
        return NULL;
    reference->segment = (gt_segment){.bytes = source->bytes + skip, .size = source->size - skip};
    reference->release = source->release;
    reference->arg = source->arg;
    source->held = true;
    return &reference->segment;
}

gt_segment *gt_segment_hold(void *source, const struct iovec *parts, int count, size_t skip) {
    size_t size = 0;

    if (source != NULL)
        return hold_reference(source, skip);
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return hold_copy(parts, count, skip, size - skip);
}

void gt_segment_free(gt_segment *segment) {
    held *this = (held *)(void *)segment;

    if (this->release != NULL)
        this->release(this->arg);
    gt_release(this);
}
