/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
static void take_packets(const gt_framing *framing, const uint8_t *stream, const size_t *ends, int count, trace *t) {
    size_t at = 0;
    uint8_t last = GT_PACKET_DONE;

    t->size = 0;
    for (int i = 0; i < count && last != GT_PACKET_TOO_LARGE; i++) {
        gt_packet packet;
        do {
            last = (uint8_t)gt_packet_next(framing, stream + at, ends[i] - at, &packet);
            if (last == GT_PACKET_DONE) {
                assert_true(packet.start + packet.size <= packet.total);
                assert_true(packet.total > 0 && packet.total <= ends[i] - at);
                note(t, stream + at + packet.start, packet.size);
                at += packet.total;
            }
        } while (last == GT_PACKET_DONE);
    }
    note(t, &last, 1);
}

static void splitting_a_stream_anywhere_changes_no_packet(void **state) {
    enum { STREAM = 200, ROUNDS = 3000 };
    static const uint8_t types[] = {GT_PACKET_1, GT_PACKET_2, GT_PACKET_4, GT_PACKET_LINE};
    unsigned int seed = 1;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t stream[STREAM];
        size_t whole = STREAM, ends[STREAM];
        trace at_once, by_bytes, by_pieces;
        int pieces = 0;
        gt_framing framing = {.type = types[rand_r(&seed) % 4],
                              .delimiter = '\n',
                              .max_size = rand_r(&seed) % 2 == 0 ? 0 : (uint32_t)rand_r(&seed) % 40,
                              .line_size = (uint32_t)rand_r(&seed) % 40 + 1};
        for (int i = 0; i < STREAM; i++) { /* mostly small bytes: short packets, frequent lines */
            stream[i] = (uint8_t)(rand_r(&seed) % (rand_r(&seed) % 8 == 0 ? 30 : 2));
            if (framing.type == GT_PACKET_LINE && rand_r(&seed) % 10 == 0)
                stream[i] = '\n';
        }
        take_packets(&framing, stream, &whole, 1, &at_once);
        for (size_t i = 0; i < STREAM; i++)
            ends[i] = i + 1;
        take_packets(&framing, stream, ends, STREAM, &by_bytes);
        for (size_t end = 0; end < STREAM;) {
            end += (size_t)rand_r(&seed) % 20 + 1;
            ends[pieces++] = end < STREAM ? end : STREAM;
        }
        take_packets(&framing, stream, ends, pieces, &by_pieces);
        assert_int_equal(at_once.size, by_bytes.size);
        assert_memory_equal(at_once.bytes, by_bytes.bytes, at_once.size);
        assert_int_equal(at_once.size, by_pieces.size);
        assert_memory_equal(at_once.bytes, by_pieces.bytes, at_once.size);
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
