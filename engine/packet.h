/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: bytes in, packets out. Pure: no I/O, no allocation, no state but the arguments.
 *
 * Types and their meaning: option packet in OTP's inet:setopts/2. */
#ifndef GT_PACKET_H
#define GT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gt_packet_type {
    GT_PACKET_RAW, /* no framing: whatever is there is a packet */
    GT_PACKET_1,   /* a header of 1, 2 or 4 bytes, big-endian, holds the length of what follows */
    GT_PACKET_2,
    GT_PACKET_4,
    GT_PACKET_LINE,  /* up to and with the delimiter */
    GT_PACKET_ASN1,  /* ASN.1 BER; these five: packets that tell their own length, delivered with their header */
    GT_PACKET_SUNRM, /* Sun RPC record marking */
    GT_PACKET_CDR,   /* CORBA GIOP 1.1 */
    GT_PACKET_FCGI,  /* FastCGI */
    GT_PACKET_TPKT,  /* RFC 1006 */
    GT_PACKET_HTTP,  /* a line of HTTP/1 at a time, read by engine/http.h; _BIN: its strings are binaries, for hosts */
    GT_PACKET_HTTPH, /* header fields only */
    GT_PACKET_HTTP_BIN,
    GT_PACKET_HTTPH_BIN,
    GT_PACKET_TYPES
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
enum gt_packet_result gt_packet_next(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out);

enum { GT_PACKET_HEADER_MAX = 4 };
/* Writes the header that goes before a packet of that size: its length (0 for raw and line) or -EMSGSIZE when the
 * header can't tell such a length. */
int gt_packet_header(uint8_t type, size_t size, uint8_t header[GT_PACKET_HEADER_MAX]);

#endif
