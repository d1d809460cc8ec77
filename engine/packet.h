/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: bytes in, packets out. Pure: no I/O, no allocation, no state but the arguments.
 *
 * Types and their meaning: option packet in OTP's inet:setopts/2. To add one, see CONTRIBUTING.md. */
#ifndef GT_PACKET_H
#define GT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/config.h"

/* Types: GT_PACKET_RAW (no framing: whatever is there is a packet), GT_PACKET_1, … in the order of the table. */
enum gt_packet_type {
#define GT_PACKET_ROW(part, upper, c, name, width, reader) GT_PACKET_##upper,
#include "engine/packet_table.h"
#undef GT_PACKET_ROW
    GT_PACKET_TYPES
};

/* Those that are compiled in, a bit each. */
enum {
    GT_PACKETS_IN = 0
#define GT_PACKET_ROW(part, upper, c, name, width, reader) GT_IF(part, | 1 << GT_PACKET_##upper)
#include "engine/packet_table.h"
#undef GT_PACKET_ROW
};

/* A packet that takes more of the stream than this is refused, its header included: OTP keeps lengths in an int. */
#define GT_PACKET_MAX ((uint64_t)INT32_MAX)

typedef struct gt_framing {
    uint8_t type;       /* gt_packet_type */
    uint8_t delimiter;  /* of GT_PACKET_LINE */
    bool in_headers;    /* of GT_PACKET_HTTP: header fields are expected; from gt_http.in_headers of the line before */
    uint32_t max_size;  /* option packet_size: a longer packet is an error; 0: GT_PACKET_MAX */
    uint32_t line_size; /* a line without a delimiter so far is delivered in pieces of this size; not 0 */
} gt_framing;

enum gt_packet_result {
    GT_PACKET_DONE,       /* a packet: see the other fields */
    GT_PACKET_INCOMPLETE, /* more bytes are needed: total of them, if it is known already, else total is 0 */
    GT_PACKET_TOO_LARGE,  /* longer than max_size (or than GT_PACKET_MAX): emsgsize */
};

typedef struct gt_packet {
    size_t start; /* the packet's bytes begin here, */
    size_t size;  /* are so many, */
    size_t total; /* and with framing take this much of the stream */
} gt_packet;

static inline bool gt_packet_is_http(uint8_t type) {
    return type >= GT_PACKET_HTTP && type <= GT_PACKET_HTTPH_BIN;
}

/* Whether the next line is a header field: http once its first line was read, httph always. */
static inline bool gt_packet_in_headers(const gt_framing *framing) {
    return framing->in_headers || framing->type == GT_PACKET_HTTPH || framing->type == GT_PACKET_HTTPH_BIN;
}

/* Looks for the first packet in bytes[0..size). GT_PACKET_RAW: all that is there, incomplete if nothing is. */
static inline enum gt_packet_result gt_packet_next(const gt_framing *framing, const uint8_t *bytes, size_t size,
                                                   gt_packet *out);
/* The same, but for raw and for no bytes at all. */
enum gt_packet_result gt_packet_framed(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out);

static inline enum gt_packet_result gt_packet_next(const gt_framing *framing, const uint8_t *bytes, size_t size,
                                                   gt_packet *out) {
    *out = (gt_packet){0};
    if (size == 0)
        return GT_PACKET_INCOMPLETE;
    if (framing->type != GT_PACKET_RAW)
        return gt_packet_framed(framing, bytes, size, out);
    out->size = size;
    out->total = size;
    return GT_PACKET_DONE;
}

enum { GT_PACKET_HEADER_MAX = 4 };
/* Writes the header that goes before a packet of that size: its length (0 for raw and line) or -EMSGSIZE when the
 * header can't tell such a length. */
int gt_packet_header(uint8_t type, size_t size, uint8_t header[GT_PACKET_HEADER_MAX]);

#endif
