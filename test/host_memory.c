/* SPDX-License-Identifier: Apache-2.0 */
#include "test/host_memory.h"

#include <stdlib.h>
#include <string.h>

#include "test/thread_assert.h"

enum { SCRATCH_MAX = 64 * 1024 };

atomic_int host_buffers, host_segments;
bool (*host_memory_fails)(enum host_memory kind);
size_t host_scratch_size = SCRATCH_MAX;

static bool fails(enum host_memory kind) {
    return host_memory_fails != NULL && host_memory_fails(kind);
}

/* Each size is an allocation of its own, so that the sanitizers see what is read or written beyond it. */
gt_buffer *host_buffer_new(size_t size) {
    gt_buffer *buffer;

    thread_assert(size > 0);
    if (fails(HOST_BUFFER))
        return NULL;
    buffer = malloc(sizeof *buffer);
    thread_assert(buffer != NULL);
    *buffer = (gt_buffer){.bytes = malloc(size), .size = size};
    thread_assert(buffer->bytes != NULL);
    host_buffers++;
    return buffer;
}

gt_buffer *host_buffer_resize(gt_buffer *buffer, size_t size) {
    uint8_t *bytes;

    if (fails(HOST_RESIZE))
        return NULL;
    bytes = realloc(buffer->bytes, size);
    thread_assert(bytes != NULL);
    *buffer = (gt_buffer){.bytes = bytes, .size = size};
    return buffer;
}

void host_buffer_free(gt_buffer *buffer) {
    host_buffers--;
    free(buffer->bytes);
    free(buffer);
}

uint8_t *host_scratch(size_t *size) {
    static _Thread_local uint8_t memory[SCRATCH_MAX];

    *size = host_scratch_size;
    return fails(HOST_SCRATCH) ? NULL : memory;
}

gt_segment *host_hold(void *source, const struct iovec *parts, int count, size_t skip) {
    gt_segment *segment;
    size_t size = 0;
    uint8_t *to;

    (void)source;
    if (fails(HOST_SEGMENT))
        return NULL;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    thread_assert(skip < size);
    segment = malloc(sizeof *segment + size);
    thread_assert(segment != NULL);
    host_segments++;
    to = (uint8_t *)(segment + 1);
    *segment = (gt_segment){.bytes = to + skip, .size = size - skip};
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    return segment;
}

void host_segment_free(gt_segment *segment) {
    host_segments--;
    free(segment);
}
