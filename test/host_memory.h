/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a host made for tests: every piece is counted, and each kind can be made to fail. Of any thread. */
#ifndef TEST_HOST_MEMORY_H
#define TEST_HOST_MEMORY_H

#include <stdatomic.h>

#include "engine/host.h"

enum host_memory { HOST_BUFFER, HOST_RESIZE, HOST_SCRATCH, HOST_SEGMENT };

/* How many pieces are in use. */
extern atomic_int host_buffers, host_segments;
/* Whether the next piece of that kind is refused; NULL: none is. */
extern bool (*host_memory_fails)(enum host_memory kind);
/* Of the scratch memory, at most 64 KiB: that. */
extern size_t host_scratch_size;

gt_buffer *host_buffer_new(size_t size);
gt_buffer *host_buffer_resize(gt_buffer *buffer, size_t size);
void host_buffer_free(gt_buffer *buffer);
uint8_t *host_scratch(size_t *size);
gt_segment *host_hold(void *source, const struct iovec *parts, int count, size_t skip);
void host_segment_free(gt_segment *segment);

/* In a gt_host's initializer. */
#define HOST_MEMORY                                                                                                    \
    .buffer_new = host_buffer_new, .buffer_resize = host_buffer_resize, .buffer_free = host_buffer_free,               \
    .scratch = host_scratch, .hold = host_hold, .segment_free = host_segment_free

#endif
