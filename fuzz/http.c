/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of http: every slice lies where http.h says, a line ends at the same place however much of it is seen, and what
 * was read, written again, is read as the same. */
#include "engine/http.h"
#include "fuzz/input.h"

enum { LINE_MAX_SIZE = 2048 };

static void check_slice(gt_text text, const uint8_t *line, size_t size, const gt_http *http) {
    bool in_line, spelled, root;

    if (text.size == 0)
        return;
    CHECK(text.bytes != NULL);
    in_line = text.bytes >= line && text.bytes + text.size <= line + size;
    spelled = text.bytes == http->spelled && text.size <= sizeof http->spelled;
    root = text.size == 1 && text.bytes[0] == '/';
    CHECK(in_line || spelled || root);
}

static int same(gt_text a, gt_text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static void check_same(const gt_http *a, const gt_http *b) {
    CHECK(a->kind == b->kind && a->uri == b->uri && a->in_headers == b->in_headers && a->known == b->known);
    CHECK(a->major == b->major && a->minor == b->minor && a->status == b->status && a->port == b->port);
    CHECK(same(a->name, b->name) && same(a->host, b->host) && same(a->text, b->text));
}

static size_t append(uint8_t *to, size_t at, const void *bytes, size_t size) {
    if (size > 0)
        memcpy(to + at, bytes, size);
    return at + size;
}

/* The plainest spelling of what was read; 0: of a kind that has none. */
static size_t spell(const gt_http *http, uint8_t *out) {
    char version[64];
    size_t at = 0;
    int length;

    switch (http->kind) {
    case GT_HTTP_HEADER:
        at = append(out, at, http->name.bytes, http->name.size);
        at = append(out, at, ": ", 2);
        break;
    case GT_HTTP_RESPONSE:
        length = snprintf(version, sizeof version, "HTTP/%d.%d %d ", http->major, http->minor, http->status);
        at = append(out, at, version, (size_t)length);
        break;
    case GT_HTTP_REQUEST:
        if (http->uri != GT_HTTP_URI_STAR && http->uri != GT_HTTP_URI_PATH && http->uri != GT_HTTP_URI_OTHER)
            return 0;
        at = append(out, at, http->name.bytes, http->name.size);
        at = append(out, at, " ", 1);
        at = append(out, at, http->text.bytes, http->text.size);
        length = snprintf(version, sizeof version, " HTTP/%d.%d\r\n", http->major, http->minor);
        return append(out, at, version, (size_t)length);
    default:
        return 0;
    }
    at = append(out, at, http->text.bytes, http->text.size);
    return append(out, at, "\r\n", 2);
}

static void check_line(const uint8_t *bytes, size_t size, bool in_headers) {
    uint8_t *line = exact_copy(bytes, size);
    uint8_t again[LINE_MAX_SIZE + 128];
    gt_http first, second;
    size_t length;

    gt_http_parse(line, size, in_headers, &first);
    CHECK(first.kind != GT_HTTP_NONE);
    check_slice(first.name, line, size, &first);
    check_slice(first.sent, line, size, &first);
    check_slice(first.host, line, size, &first);
    check_slice(first.text, line, size, &first);
    gt_http_parse(line, size, in_headers, &second);
    check_same(&first, &second);
    length = spell(&first, again);
    if (length > 0) {
        gt_http_parse(again, length, in_headers, &second);
        check_same(&first, &second);
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    input in = {bytes, size};
    bool in_headers = (take_byte(&in) & 1) != 0;
    size_t length;

    if (in.size > LINE_MAX_SIZE)
        in.size = LINE_MAX_SIZE;
    if (in.size == 0)
        return 0;
    length = gt_http_line(in.bytes, in.size, in_headers);
    CHECK(length <= in.size);
    for (size_t seen = 1; seen <= in.size; seen++) {
        uint8_t *part = exact_copy(in.bytes, seen);
        size_t found = gt_http_line(part, seen, in_headers);
        CHECK(found == 0 || found == length);
        CHECK(found == length || seen <= length + 1 || length == 0);
        free(part);
        if (seen > 256 && seen + 256 < in.size)
            seen = in.size - 256; /* the middle tells nothing that the ends do not */
    }
    check_line(in.bytes, length != 0 ? length : in.size, in_headers);
    check_line(in.bytes, in.size, in_headers);
    return 0;
}
