/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/packet.h"

#include <errno.h>
#include <string.h>

#include "engine/http.h"

/* What a header says: that it takes so many bytes, and so many follow it. header 0: it isn't whole yet. */
typedef struct announced {
    size_t header;
    uint64_t body;
    size_t padding; /* at the end of the body, and no part of the packet */
    bool malformed;
} announced;

typedef announced (*read_header)(const uint8_t *bytes, size_t size);

static uint64_t big_endian(const uint8_t *bytes, size_t size) {
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

static announced length_header(const uint8_t *bytes, size_t size, size_t width) {
    if (size < width)
        return (announced){0};
    return (announced){.header = width, .body = big_endian(bytes, width)};
}

#if GENTCP_WITH_RECORDS
/* Sun RPC's record marking: the highest bit says that this fragment is the record's last. RFC 5531, section 11. */
static announced read_sunrm(const uint8_t *bytes, size_t size) {
    announced found = length_header(bytes, size, 4);

    found.body &= 0x7fffffff;
    return found;
}

/* ASN.1 BER, definite lengths of up to 4 bytes: an identifier of one byte or more, then the length. X.690, 8.1. */
static announced read_asn1(const uint8_t *bytes, size_t size) {
    size_t at = 1;
    size_t width;

    if (size < 2)
        return (announced){0};
    if ((bytes[0] & 0x1f) == 0x1f) { /* a high tag number goes on while the highest bit is set */
        while (at < size && (bytes[at] & 0x80) != 0)
            at++;
        at++;
        if (at >= size)
            return (announced){0};
    }
    width = bytes[at] & 0x7f;
    if ((bytes[at++] & 0x80) == 0)
        return (announced){.header = at, .body = width};
    if (size - at < width)
        return (announced){0};
    if (width > 4)
        return (announced){.malformed = true};
    return (announced){.header = at + width, .body = big_endian(bytes + at, width)};
}

/* CORBA's GIOP: magic, version, flags (bit 0: little-endian), type, size. */
static announced read_cdr(const uint8_t *bytes, size_t size) {
    static const uint8_t reversed[] = {11, 10, 9, 8};
    uint8_t body[4];

    if (size < 12)
        return (announced){0};
    if (memcmp(bytes, "GIOP", 4) != 0)
        return (announced){.malformed = true};
    for (int i = 0; i < 4; i++)
        body[i] = (bytes[6] & 1) != 0 ? bytes[reversed[i]] : bytes[8 + i];
    return (announced){.header = 12, .body = big_endian(body, 4)};
}

/* FastCGI: version 1, type, request, content length, padding length, reserved. FastCGI specification 1.0, 3.3. */
static announced read_fcgi(const uint8_t *bytes, size_t size) {
    if (size < 8)
        return (announced){0};
    if (bytes[0] != 1)
        return (announced){.malformed = true};
    return (announced){.header = 8, .body = big_endian(bytes + 4, 2) + bytes[6], .padding = bytes[6]};
}

/* TPKT: version 3, reserved, length of the whole packet. RFC 1006, section 6. */
static announced read_tpkt(const uint8_t *bytes, size_t size) {
    if (size < 4)
        return (announced){0};
    if (bytes[0] != 3 || big_endian(bytes + 2, 2) < 4)
        return (announced){.malformed = true};
    return (announced){.header = 4, .body = big_endian(bytes + 2, 2) - 4};
}
#endif

static const struct packet_type {
    size_t width;
    read_header read; /* NULL: the type has no header of its own */
} types[] = {
#define GT_PACKET_ROW(part, upper, c, name, bytes, reader)                                                             \
    GT_IF(part, [GT_PACKET_##upper] = {.width = (bytes), .read = (reader)}, )
#include "engine/packet_table.h"
#undef GT_PACKET_ROW
};

static enum gt_packet_result with_header(const gt_framing *framing, const struct packet_type *type,
                                         const uint8_t *bytes, size_t size, gt_packet *out) {
    bool own = GENTCP_WITH_RECORDS && type->width == 0;
    announced found = own ? type->read(bytes, size) : length_header(bytes, size, type->width);

    if (found.malformed || found.header + found.body > GT_PACKET_MAX ||
        (framing->max_size != 0 && found.body > framing->max_size))
        return GT_PACKET_TOO_LARGE;
    if (found.header == 0)
        return GT_PACKET_INCOMPLETE;
    out->total = found.header + (size_t)found.body;
    out->start = type->width;
    out->size = out->total - out->start - found.padding;
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

#if GENTCP_WITH_HTTP
/* A line of http, as long as packet_size if that is given, else as the buffer. */
static enum gt_packet_result http(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out) {
    size_t limit = framing->max_size != 0 ? framing->max_size : framing->line_size;
    /* One byte more tells whether a header field goes on. */
    size_t length = gt_http_line(bytes, size <= limit ? size : limit + 1, gt_packet_in_headers(framing));

    if (length > limit || (length == 0 && size > limit))
        return GT_PACKET_TOO_LARGE;
    if (length == 0)
        return size == limit && bytes[size - 1] != '\n' ? GT_PACKET_TOO_LARGE : GT_PACKET_INCOMPLETE;
    out->size = length;
    out->total = length;
    return GT_PACKET_DONE;
}
#endif

enum gt_packet_result gt_packet_framed(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out) {
    if (GENTCP_WITH_LINE && framing->type == GT_PACKET_LINE)
        return line(framing, bytes, size, out);
#if GENTCP_WITH_HTTP
    if (gt_packet_is_http(framing->type))
        return http(framing, bytes, size, out);
#endif
    return with_header(framing, &types[framing->type], bytes, size, out);
}

int gt_packet_header(uint8_t type, size_t size, uint8_t header[GT_PACKET_HEADER_MAX]) {
    int length = (int)types[type].width;

    if (length > 0 && (uint64_t)size >> (8 * length) != 0)
        return -EMSGSIZE;
    for (int i = 0; i < length; i++)
        header[i] = (uint8_t)(size >> (8 * (length - 1 - i)));
    return length;
}
