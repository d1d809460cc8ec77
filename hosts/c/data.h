/* SPDX-License-Identifier: Apache-2.0 */
/* Received bytes, the buffers that they are received into, and bytes that wait to be sent. */
#ifndef GT_C_DATA_H
#define GT_C_DATA_H

#include <string.h>
#include <sys/uio.h>

#include "engine/host.h"
#include "gentcp.h"
#include "hosts/c/http.h"

/* What a send by reference hands to host->hold. */
typedef struct gt_source {
    const uint8_t *bytes;
    size_t size;
    void (*release)(void *arg);
    void *arg;
    bool held; /* release was handed on to a segment */
} gt_source;

extern uint8_t gt_no_bytes[1];
#define GT_NO_DATA ((gentcp_data){.bytes = gt_no_bytes})

/* The bytes in a buffer, which is taken over. */
gentcp_data gt_data_take(const gt_data *data);
/* A copy of lent data: false: no memory. */
bool gt_data_copy(const gt_data *data, gentcp_data *out);

/* How much room a copy takes; 0: more than there is. */
static inline size_t gt_data_room(const gt_data *data) {
    size_t http = data->http != NULL ? gt_http_room(data->http) : 0;

    return data->size < SIZE_MAX - http ? http + data->size + 1 : 0;
}

/* Writes a copy to a place with so much room, aligned for any pointer. memory: what is to be released. */
static inline void gt_data_write(const gt_data *data, void *room, void *memory, gentcp_data *out) {
    out->http = data->http != NULL ? gt_http_write(data->http, room) : NULL;
    out->bytes = (uint8_t *)room + (data->http != NULL ? gt_http_room(data->http) : 0);
    out->size = data->size;
    out->memory = memory;
    memcpy(out->bytes, data->bytes, data->size);
    out->bytes[data->size] = 0;
}

/* Of gt_host: */
gt_buffer *gt_buffer_new(size_t size);
gt_buffer *gt_buffer_resize(gt_buffer *buffer, size_t size);
void gt_buffer_free(gt_buffer *buffer);
gt_segment *gt_segment_hold(void *source, const struct iovec *parts, int count, size_t skip);
void gt_segment_free(gt_segment *segment);

#endif
