/* SPDX-License-Identifier: Apache-2.0 */
/* Framing: reads nothing outside of its bytes, promises what it keeps, and cuts a stream at the same places however the
 * stream arrives. */
#include "engine/http.h"
#include "engine/packet.h"
#include "fuzz/input.h"

enum { STREAM_MAX = 4096, BYTEWISE_MAX = 512 };

typedef struct cut {
    size_t at, start, size;
    int result;
} cut;

typedef struct trace {
    cut cuts[STREAM_MAX + 1];
    size_t count;
} trace;

/* The first packet of bytes that lie in memory of their own. */
static enum gt_packet_result next(const gt_framing *framing, const uint8_t *bytes, size_t size, gt_packet *out) {
    uint8_t *copy = exact_copy(bytes, size);
    enum gt_packet_result result = gt_packet_next(framing, copy, size, out);

    if (result == GT_PACKET_DONE)
        CHECK(out->total > 0 && out->total <= size && out->start + out->size <= out->total);
    if (result == GT_PACKET_INCOMPLETE)
        CHECK(out->total == 0 || out->total > size);
    CHECK(out->total <= GT_PACKET_MAX);
    free(copy);
    return result;
}

static void note(trace *t, size_t at, const gt_packet *packet, int result) {
    CHECK(t->count < sizeof t->cuts / sizeof t->cuts[0]);
    t->cuts[t->count++] = (cut){.at = at, .start = packet->start, .size = packet->size, .result = result};
}

/* Cuts up what has arrived, from *from on. False: the stream is in error. */
static int cut_up(gt_framing *framing, const uint8_t *bytes, size_t *from, size_t arrived, size_t *promised, trace *t) {
    for (;;) {
        gt_packet packet;
        enum gt_packet_result result = next(framing, bytes + *from, arrived - *from, &packet);

        if (*promised != 0 && result != GT_PACKET_TOO_LARGE)
            CHECK(packet.total == *promised);
        if (result == GT_PACKET_INCOMPLETE) {
            *promised = packet.total;
            return 1;
        }
        *promised = 0;
        note(t, *from, &packet, (int)result);
        if (result == GT_PACKET_TOO_LARGE)
            return 0;
        if (gt_packet_is_http(framing->type)) {
            gt_http http;
            gt_http_parse(bytes + *from + packet.start, packet.size, gt_packet_in_headers(framing), &http);
            framing->in_headers = http.in_headers;
        }
        *from += packet.total;
    }
}

/* The stream in pieces: steps[i] bytes at a time, over and over. */
static void arrive(gt_framing framing, const uint8_t *bytes, size_t size, const uint8_t *steps, size_t step_count,
                   trace *out) {
    size_t from = 0, promised = 0;

    out->count = 0;
    for (size_t arrived = 0, i = 0; arrived < size; i++) {
        size_t step = step_count != 0 ? steps[i % step_count] + (size_t)1 : size;
        arrived += step < size - arrived ? step : size - arrived;
        if (!cut_up(&framing, bytes, &from, arrived, &promised, out))
            return;
    }
}

static void check_same(const trace *a, const trace *b) {
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CHECK(a->cuts[i].at == b->cuts[i].at && a->cuts[i].result == b->cuts[i].result);
        CHECK(a->cuts[i].start == b->cuts[i].start && a->cuts[i].size == b->cuts[i].size);
    }
}

/* What goes before a packet on its way out is what is taken off on its way in. */
static void check_header(const gt_framing *framing, const uint8_t *bytes, size_t size) {
    uint8_t wire[GT_PACKET_HEADER_MAX + STREAM_MAX];
    uint8_t header[GT_PACKET_HEADER_MAX];
    gt_framing unlimited = *framing;
    gt_packet packet;
    int length = gt_packet_header(framing->type, size, header);

    CHECK(length <= GT_PACKET_HEADER_MAX && (length >= 0 || framing->type == GT_PACKET_1));
    if (length <= 0)
        return;
    memcpy(wire, header, (size_t)length);
    if (size > 0)
        memcpy(wire + length, bytes, size);
    unlimited.max_size = 0;
    CHECK(next(&unlimited, wire, (size_t)length + size, &packet) == GT_PACKET_DONE);
    CHECK(packet.start == (size_t)length && packet.size == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const uint8_t bytewise[] = {0};
    static trace whole, split;
    input in = {bytes, size};
    gt_framing framing = {.type = take_byte(&in) % GT_PACKET_TYPES};
    uint8_t choices = take_byte(&in);
    uint8_t steps[8];
    size_t step_count = (size_t)(choices & 7) + 1;

    framing.delimiter = (choices & 8) != 0 ? take_byte(&in) : '\n';
    framing.in_headers = framing.type >= GT_PACKET_HTTP && (choices & 16) != 0;
    framing.max_size = (choices & 32) != 0 ? take_number(&in, (choices & 128) != 0 ? 4 : 1) : 0;
    framing.line_size = (choices & 64) != 0 ? take_number(&in, 1) + 1 : 64 * 1024;
    for (size_t i = 0; i < step_count; i++)
        steps[i] = take_byte(&in);
    if (in.size > STREAM_MAX)
        in.size = STREAM_MAX;

    check_header(&framing, in.bytes, in.size);
    arrive(framing, in.bytes, in.size, NULL, 0, &whole);
    if (framing.type == GT_PACKET_RAW)
        return 0;
    arrive(framing, in.bytes, in.size, steps, step_count, &split);
    check_same(&whole, &split);
    if (in.size <= BYTEWISE_MAX) {
        arrive(framing, in.bytes, in.size, bytewise, 1, &split);
        check_same(&whole, &split);
    }
    return 0;
}
