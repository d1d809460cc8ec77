/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/http.h"
#include "engine/packet.h"

static const gt_framing RAW = {.type = GT_PACKET_RAW, .line_size = 65536};
static const gt_framing LINE = {.type = GT_PACKET_LINE, .delimiter = '\n', .line_size = 65536};
static const gt_framing FOUR = {.type = GT_PACKET_4, .line_size = 65536};

static enum gt_packet_result next(const gt_framing *framing, const char *bytes, size_t size, gt_packet *out) {
    return gt_packet_next(framing, (const uint8_t *)bytes, size, out);
}

static void raw_is_whatever_is_there(void **state) {
    gt_packet packet;

    (void)state;
    assert_int_equal(next(&RAW, "abc", 3, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 3);
    assert_int_equal(next(&RAW, "", 0, &packet), GT_PACKET_INCOMPLETE);
}

static void headers_are_big_endian_and_stripped(void **state) {
    gt_packet packet;

    (void)state;
    assert_int_equal(next(&FOUR, "\0\0\0\3abcd", 8, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.start, 4);
    assert_int_equal(packet.size, 3);
    assert_int_equal(packet.total, 7);
    assert_int_equal(next(&(gt_framing){.type = GT_PACKET_2, .line_size = 1}, "\1\0", 2, &packet),
                     GT_PACKET_INCOMPLETE);
    assert_int_equal(packet.total, 258);
    assert_int_equal(next(&(gt_framing){.type = GT_PACKET_1, .line_size = 1}, "\0", 1, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 0);
    assert_int_equal(packet.total, 1);
}

static void a_header_over_packet_size_or_2_gib_is_too_large(void **state) {
    gt_framing framing = FOUR;
    gt_packet packet;

    (void)state;
    assert_int_equal(next(&framing, "\x7f\xff\xff\xfb", 4, &packet), GT_PACKET_INCOMPLETE);
    assert_int_equal(next(&framing, "\x7f\xff\xff\xfc", 4, &packet), GT_PACKET_TOO_LARGE);
    assert_int_equal(next(&framing, "\xff\xff\xff\xff", 4, &packet), GT_PACKET_TOO_LARGE);
    framing.max_size = 10;
    assert_int_equal(next(&framing, "\0\0\0\x0a", 4, &packet), GT_PACKET_INCOMPLETE);
    assert_int_equal(next(&framing, "\0\0\0\x0b", 4, &packet), GT_PACKET_TOO_LARGE);
}

static void a_line_ends_with_its_delimiter(void **state) {
    gt_framing framing = LINE;
    gt_packet packet;

    (void)state;
    assert_int_equal(next(&framing, "ab\ncd", 5, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 3);
    assert_int_equal(next(&framing, "abcd", 4, &packet), GT_PACKET_INCOMPLETE);
    framing.delimiter = 'c';
    assert_int_equal(next(&framing, "ab\ncd", 5, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 4);
}

static void a_line_longer_than_the_buffer_comes_in_pieces(void **state) {
    gt_framing framing = LINE;
    gt_packet packet;

    (void)state;
    framing.line_size = 3;
    assert_int_equal(next(&framing, "abcd\n", 5, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 3);
    assert_int_equal(next(&framing, "abc", 3, &packet), GT_PACKET_DONE);
    assert_int_equal(packet.size, 3);
    assert_int_equal(next(&framing, "ab", 2, &packet), GT_PACKET_INCOMPLETE);
}

static void a_line_longer_than_packet_size_is_too_large(void **state) {
    gt_framing framing = LINE;
    gt_packet packet;

    (void)state;
    framing.max_size = 3;
    assert_int_equal(next(&framing, "ab\n", 3, &packet), GT_PACKET_DONE);
    assert_int_equal(next(&framing, "abc", 3, &packet), GT_PACKET_INCOMPLETE);
    assert_int_equal(next(&framing, "abcd", 4, &packet), GT_PACKET_TOO_LARGE);
    assert_int_equal(next(&framing, "abc\n", 4, &packet), GT_PACKET_TOO_LARGE);
}

static void a_header_that_cannot_tell_the_length_is_emsgsize(void **state) {
    uint8_t header[GT_PACKET_HEADER_MAX];

    (void)state;
    assert_int_equal(gt_packet_header(GT_PACKET_1, 255, header), 1);
    assert_int_equal(header[0], 255);
    assert_int_equal(gt_packet_header(GT_PACKET_1, 256, header), -EMSGSIZE);
    assert_int_equal(gt_packet_header(GT_PACKET_2, 65535, header), 2);
    assert_int_equal(gt_packet_header(GT_PACKET_2, 65536, header), -EMSGSIZE);
    assert_int_equal(gt_packet_header(GT_PACKET_4, 0x01020304, header), 4);
    assert_memory_equal(header, "\1\2\3\4", 4);
    assert_int_equal(gt_packet_header(GT_PACKET_4, (size_t)1 << 32, header), -EMSGSIZE);
    assert_int_equal(gt_packet_header(GT_PACKET_LINE, 1000, header), 0);
    assert_int_equal(gt_packet_header(GT_PACKET_RAW, 1000, header), 0);
}

/* The packets of a stream, written one after the other as length and bytes, ended by the result that stopped it. */
typedef struct trace {
    uint8_t bytes[4096];
    size_t size;
} trace;

static void note(trace *t, const uint8_t *bytes, size_t size) {
    assert_true(t->size + size + sizeof size <= sizeof t->bytes);
    memcpy(t->bytes + t->size, &size, sizeof size);
    memcpy(t->bytes + t->size + sizeof size, bytes, size);
    t->size += size + sizeof size;
}

/* Feeds the stream up to each of the given ends in turn, and takes the packets as soon as they are complete. */
static void take_packets(gt_framing framing, const uint8_t *stream, const size_t *ends, int count, trace *t) {
    size_t at = 0;
    uint8_t last = GT_PACKET_DONE;

    t->size = 0;
    for (int i = 0; i < count && last != GT_PACKET_TOO_LARGE; i++) {
        gt_packet packet;
        do {
            last = (uint8_t)gt_packet_next(&framing, stream + at, ends[i] - at, &packet);
            if (last == GT_PACKET_DONE) {
                assert_true(packet.start + packet.size <= packet.total);
                assert_true(packet.total > 0 && packet.total <= ends[i] - at);
                note(t, stream + at + packet.start, packet.size);
                at += packet.total;
            }
            if (last == GT_PACKET_DONE && gt_packet_is_http(framing.type)) {
                gt_http line;
                gt_http_parse(stream + at - packet.total, packet.size, gt_packet_in_headers(&framing), &line);
                framing.in_headers = line.in_headers;
            }
        } while (last == GT_PACKET_DONE);
    }
    note(t, &last, 1);
}

static unsigned int seed = 1;

static unsigned int below(unsigned int limit) {
    return (unsigned int)rand_r(&seed) % limit;
}

/* The beginning of a packet of each type that is followed by so many bytes; lines: some bytes that matter to them. */
static size_t head(uint8_t type, uint8_t size, uint8_t out[16]) {
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n", "HTTP/1.0 200\n", "A:\r\n", "b: c\n", " d\r\n", "\r\n", "\n"};
    const char *line = lines[below(sizeof lines / sizeof lines[0])];

    memset(out, 0, 16);
    switch (type) {
    case GT_PACKET_1:
        out[0] = size;
        return 1;
    case GT_PACKET_2:
        out[1] = size;
        return 2;
    case GT_PACKET_4:
        out[3] = size;
        return 4;
    case GT_PACKET_ASN1:
        memcpy(out, below(2) == 0 ? "\x30\x00" : "\x1f\x01", 2);
        if (out[0] == 0x30 && below(2) == 0)
            return (out[1] = size), 2;
        out[2 - (out[0] == 0x30)] = 0x82; /* the length has two bytes */
        out[4 - (out[0] == 0x30)] = size;
        return 5U - (out[0] == 0x30);
    case GT_PACKET_SUNRM:
        out[0] = below(2) == 0 ? 0x80 : 0;
        out[3] = size;
        return 4;
    case GT_PACKET_CDR:
        memcpy(out, "GIOP\1\1", 6);
        out[6] = (uint8_t)below(2); /* little-endian */
        out[out[6] == 0 ? 11 : 8] = size;
        return 12;
    case GT_PACKET_FCGI:
        out[0] = 1;
        out[6] = (uint8_t)below(size + 1U); /* padding */
        out[5] = (uint8_t)(size - out[6]);
        return 8;
    case GT_PACKET_TPKT:
        out[0] = 3;
        out[3] = (uint8_t)(size + 4);
        return 4;
    default:
        memcpy(out, line, strlen(line));
        return strlen(line);
    }
}

/* Packets of a type, one after the other; some of the bytes are wrong. */
static void make_stream(uint8_t type, uint8_t *stream, size_t size) {
    for (size_t at = 0; at < size;) {
        uint8_t begin[16], body = (uint8_t)below(below(8) == 0 ? 60 : 8);
        size_t length = head(type, body, begin);
        for (size_t i = 0; i < length + body && at < size; i++)
            stream[at++] = i < length ? begin[i] : (uint8_t)(below(3) == 0 ? '\n' : 'a' + below(26));
    }
    for (unsigned int wrong = below(4); wrong > 1; wrong--)
        stream[below((unsigned int)size)] = (uint8_t)below(256);
}

static void assert_same(const trace *a, const trace *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->bytes, b->bytes, a->size);
}

static void splitting_a_stream_anywhere_changes_no_packet(void **state) {
    enum { STREAM = 200, ROUNDS = 1000 };

    (void)state;
    for (int round = 0; round < ROUNDS * (GT_PACKET_TYPES - 1); round++) {
        uint8_t stream[STREAM];
        size_t whole = STREAM, ends[STREAM];
        trace at_once, by_bytes, by_pieces;
        int pieces = 0;
        gt_framing framing = {.type = (uint8_t)(1 + round % (GT_PACKET_TYPES - 1)), /* raw has no packets */
                              .delimiter = below(2) == 0 ? '\n' : 'a',
                              .max_size = below(2) == 0 ? 0 : below(60),
                              .line_size = below(2) == 0 ? 65536 : below(40) + 1};
        make_stream(framing.type, stream, STREAM);
        take_packets(framing, stream, &whole, 1, &at_once);
        for (size_t i = 0; i < STREAM; i++)
            ends[i] = i + 1;
        take_packets(framing, stream, ends, STREAM, &by_bytes);
        assert_same(&at_once, &by_bytes);
        for (size_t end = 0; end < STREAM;) {
            end += below(20) + 1;
            ends[pieces++] = end < STREAM ? end : STREAM;
        }
        take_packets(framing, stream, ends, pieces, &by_pieces);
        assert_same(&at_once, &by_pieces);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_is_whatever_is_there),
        cmocka_unit_test(headers_are_big_endian_and_stripped),
        cmocka_unit_test(a_header_over_packet_size_or_2_gib_is_too_large),
        cmocka_unit_test(a_line_ends_with_its_delimiter),
        cmocka_unit_test(a_line_longer_than_the_buffer_comes_in_pieces),
        cmocka_unit_test(a_line_longer_than_packet_size_is_too_large),
        cmocka_unit_test(a_header_that_cannot_tell_the_length_is_emsgsize),
        cmocka_unit_test(splitting_a_stream_anywhere_changes_no_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
