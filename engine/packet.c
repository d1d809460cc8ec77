/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/packet.h"

#include <errno.h>
#include <string.h>

static enum gt_packet_result after_header(size_t header, uint64_t length, const gt_framing *framing, size_t size,
                                          gt_packet *out) {
    if (length > GT_PACKET_MAX || (framing->max_size != 0 && length > framing->max_size))
        return GT_PACKET_TOO_LARGE;
    out->start = header;
    out->size = (size_t)length;
    out->total = header + (size_t)length;
    return size < out->total ? GT_PACKET_INCOMPLETE : GT_PACKET_DONE;
}

static enum gt_packet_result line(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out) {
    const uint8_t *end = memchr(bytes, framing->delimiter, size);
    size_t length = end != NULL ? (size_t)(end - bytes) + 1 : size;

    /* The smaller limit decides, so that the result doesn't depend on how much of the line is here already. */
    if (framing->max_size != 0 && framing->max_size < framing->line_size && length > framing->max_size)
        return GT_PACKET_TOO_LARGE;
    if (end == NULL && length < framing->line_size)
        return GT_PACKET_INCOMPLETE;
    if (length > framing->line_size)
        length = framing->line_size;
    out->size = length;
    out->total = length;
    return GT_PACKET_DONE;
}

enum gt_packet_result gt_packet_next(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out) {
    *out = (gt_packet){0};
    if (size == 0)
        return GT_PACKET_INCOMPLETE;
    switch (framing->type) {
    case GT_PACKET_1:
        return after_header(1, bytes[0], framing, size, out);
    case GT_PACKET_2:
        if (size < 2)
            return GT_PACKET_INCOMPLETE;
        return after_header(2, (uint64_t)bytes[0] << 8 | bytes[1], framing, size, out);
    case GT_PACKET_4:
        if (size < 4)
            return GT_PACKET_INCOMPLETE;
        return after_header(4, (uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 | bytes[3],
                            framing, size, out);
    case GT_PACKET_LINE:
        return line(framing, bytes, size, out);
    default:
        out->size = size;
        out->total = size;
        return GT_PACKET_DONE;
    }
}

int gt_packet_header(uint8_t type, size_t size, uint8_t header[GT_PACKET_HEADER_MAX]) {
    int length = type == GT_PACKET_1 ? 1 : type == GT_PACKET_2 ? 2 : type == GT_PACKET_4 ? 4 : 0;

    if (length > 0 && (uint64_t)size >> (8 * length) != 0)
        return -EMSGSIZE;
    for (int i = 0; i < length; i++)
        header[i] = (uint8_t)(size >> (8 * (length - 1 - i)));
    return length;
}
