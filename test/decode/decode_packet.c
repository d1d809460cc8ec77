/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's framing as a filter, for compare.escript: a request a packet on standard input (its length in 4
 * bytes, then type, delimiter, packet_size, line_length (4 bytes each, big-endian), the bytes), a line of text on
 * standard output:
 *
 *     more TOTAL                       TOTAL 0: unknown
 *     error
 *     ok START SIZE TOTAL
 *     http TOTAL KIND FIELD...         texts in hexadecimal
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/http.h"
#include "engine/packet.h"

enum { REQUEST_MAX = 1 << 20, HEAD = 10 };

static uint32_t number(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void print_text(gt_text text) {
    putchar(' ');
    for (size_t i = 0; i < text.size; i++)
        printf("%02x", text.bytes[i]);
    putchar('.');
}

static void print_http(const gt_http *http) {
    static const char *const uris[] = {"star", "path", "http", "https", "scheme", "other"};

    switch (http->kind) {
    case GT_HTTP_REQUEST:
        printf(" request %s %d %d %u", uris[http->uri], http->major, http->minor, http->port);
        print_text(http->name);
        print_text(http->host);
        print_text(http->text);
        break;
    case GT_HTTP_RESPONSE:
        printf(" response %d %d %d", http->major, http->minor, http->status);
        print_text(http->text);
        break;
    case GT_HTTP_HEADER:
        printf(" header");
        print_text(http->name);
        print_text(http->sent);
        print_text(http->text);
        break;
    case GT_HTTP_END:
        printf(" end");
        break;
    default:
        printf(" error");
        print_text(http->text);
        break;
    }
}

static void answer(const uint8_t *request, size_t size) {
    gt_framing framing = {
        .type = request[0], .delimiter = request[1], .max_size = number(request + 2), .line_size = number(request + 6)};
    const uint8_t *bytes = request + HEAD;
    gt_packet packet;

    switch (gt_packet_next(&framing, bytes, size - HEAD, &packet)) {
    case GT_PACKET_INCOMPLETE:
        printf("more %zu\n", packet.total);
        break;
    case GT_PACKET_TOO_LARGE:
        printf("error\n");
        break;
    default:
        if (gt_packet_is_http(framing.type)) {
            gt_http http;
            gt_http_parse(bytes, packet.size, gt_packet_in_headers(&framing), &http);
            printf("http %zu", packet.total);
            print_http(&http);
            printf("\n");
        } else {
            printf("ok %zu %zu %zu\n", packet.start, packet.size, packet.total);
        }
    }
    fflush(stdout);
}

int main(void) {
    uint8_t head[4];

    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t size = number(head);
        uint8_t *request; /* of its exact size, so that a sanitizer sees a step beyond it */
        if (size < HEAD || size > REQUEST_MAX || (request = malloc(size)) == NULL)
            return 1;
        if (fread(request, 1, size, stdin) != size)
            return 1;
        answer(request, size);
        free(request);
    }
    return 0;
}
