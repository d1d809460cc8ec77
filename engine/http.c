/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/http.h"

#include <string.h>
#include <strings.h>

const char *const gt_http_methods[] = {"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", NULL};

const char *const gt_http_fields[] = {"Cache-Control",
                                      "Connection",
                                      "Date",
                                      "Pragma",
                                      "Transfer-Encoding",
                                      "Upgrade",
                                      "Via",
                                      "Accept",
                                      "Accept-Charset",
                                      "Accept-Encoding",
                                      "Accept-Language",
                                      "Authorization",
                                      "From",
                                      "Host",
                                      "If-Modified-Since",
                                      "If-Match",
                                      "If-None-Match",
                                      "If-Range",
                                      "If-Unmodified-Since",
                                      "Max-Forwards",
                                      "Proxy-Authorization",
                                      "Range",
                                      "Referer",
                                      "User-Agent",
                                      "Age",
                                      "Location",
                                      "Proxy-Authenticate",
                                      "Public",
                                      "Retry-After",
                                      "Server",
                                      "Vary",
                                      "Warning",
                                      "Www-Authenticate",
                                      "Allow",
                                      "Content-Base",
                                      "Content-Encoding",
                                      "Content-Language",
                                      "Content-Length",
                                      "Content-Location",
                                      "Content-Md5",
                                      "Content-Range",
                                      "Content-Type",
                                      "Etag",
                                      "Expires",
                                      "Last-Modified",
                                      "Accept-Ranges",
                                      "Set-Cookie",
                                      "Set-Cookie2",
                                      "X-Forwarded-For",
                                      "Cookie",
                                      "Keep-Alive",
                                      "Proxy-Connection",
                                      NULL};

/* What is left of the line, eaten from the front. */
typedef gt_text rest;

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t';
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* A character of a token: no control, no space, none of RFC 2068's separators. */
static bool is_token(uint8_t c) {
    switch (c) { /* a few bits to look up, where strchr would be a call a character */
    case '(':
    case ')':
    case '<':
    case '>':
    case '@':
    case ',':
    case ';':
    case ':':
    case '\\':
    case '"':
    case '/':
    case '[':
    case ']':
    case '?':
    case '=':
    case '{':
    case '}':
        return false;
    default:
        return c > 32 && c < 128;
    }
}

static void eat(rest *r, size_t count) {
    r->bytes += count;
    r->size -= count;
}

static gt_text take_while(rest *r, bool (*good)(uint8_t)) {
    gt_text taken = {.bytes = r->bytes};

    while (taken.size < r->size && good(r->bytes[taken.size]))
        taken.size++;
    eat(r, taken.size);
    return taken;
}

static bool is_not_space(uint8_t c) {
    return !is_space(c);
}

/* Digits as a number; more of them than an int holds stay at its largest. False: there are none. */
static bool take_number(rest *r, int *out) {
    gt_text digits = take_while(r, is_digit);

    *out = 0;
    for (size_t i = 0; i < digits.size; i++)
        *out = *out > (INT32_MAX - 9) / 10 ? INT32_MAX : *out * 10 + (digits.bytes[i] - '0');
    return digits.size > 0;
}

static bool begins_with(gt_text text, const char *prefix) {
    return text.size >= strlen(prefix) && memcmp(text.bytes, prefix, strlen(prefix)) == 0;
}

static int index_of(const char *const *names, gt_text name) {
    if (name.size == 0)
        return -1;
    for (int i = 0; names[i] != NULL; i++) {
        if (names[i][0] == (char)name.bytes[0] && strlen(names[i]) == name.size &&
            memcmp(names[i], name.bytes, name.size) == 0)
            return i;
    }
    return -1;
}

size_t gt_http_line(const uint8_t *bytes, size_t size, bool in_headers) {
    const uint8_t *from = bytes;

    if ((size == 1 && bytes[0] == '\n') || (size == 2 && bytes[0] == '\r' && bytes[1] == '\n'))
        return size;
    for (;;) {
        const uint8_t *end = memchr(from, '\n', size - (size_t)(from - bytes));
        size_t length;
        if (end == NULL)
            return 0;
        length = (size_t)(end - bytes) + 1;
        if (!in_headers)
            return length;
        if (length == size)
            return 0;
        if (length <= 2 || !is_space(bytes[length]))
            return length;
        from = bytes + length;
    }
}

/* "HTTP/1.1", less the name. */
static bool take_version(rest *r, gt_http *out) {
    if (!begins_with(*r, "HTTP/"))
        return false;
    eat(r, 5);
    if (!take_number(r, &out->major) || r->size == 0 || r->bytes[0] != '.')
        return false;
    eat(r, 1);
    return take_number(r, &out->minor);
}

static bool parse_response(rest r, gt_http *out) {
    bool separated;

    if (!take_version(&r, out) || take_while(&r, is_space).size == 0)
        return false;
    (void)take_number(&r, &out->status);
    separated = take_while(&r, is_space).size > 0;
    out->kind = GT_HTTP_RESPONSE;
    out->text = r;
    return separated || r.size == 0;
}

/* host[:port][/path] */
static void parse_authority(rest r, gt_http *out) {
    const uint8_t *slash = memchr(r.bytes, '/', r.size);
    const uint8_t *colon;
    int port;

    out->text = (gt_text){.bytes = (const uint8_t *)"/", .size = 1};
    if (slash != NULL) {
        out->text = (gt_text){.bytes = slash, .size = r.size - (size_t)(slash - r.bytes)};
        r.size = (size_t)(slash - r.bytes);
    }
    out->host = r;
    colon = memchr(r.bytes, ':', r.size);
    if (colon == NULL)
        return;
    out->host.size = (size_t)(colon - r.bytes);
    eat(&r, out->host.size + 1);
    if (take_number(&r, &port) && r.size == 0)
        out->port = (uint32_t)port;
}

static bool has_scheme(gt_text uri, const char *scheme) {
    return uri.size >= strlen(scheme) && strncasecmp((const char *)uri.bytes, scheme, strlen(scheme)) == 0;
}

static void parse_uri(gt_text uri, gt_http *out) {
    const uint8_t *colon = memchr(uri.bytes, ':', uri.size);

    out->text = uri;
    if (uri.size == 1 && uri.bytes[0] == '*') {
        out->uri = GT_HTTP_URI_STAR;
    } else if (uri.size == 1 || uri.bytes[0] == '/') {
        out->uri = GT_HTTP_URI_PATH;
    } else if (has_scheme(uri, "http://")) {
        out->uri = GT_HTTP_URI_HTTP;
        eat(&uri, 7);
        parse_authority(uri, out);
    } else if (has_scheme(uri, "https://")) {
        out->uri = GT_HTTP_URI_HTTPS;
        eat(&uri, 8);
        parse_authority(uri, out);
    } else if (colon != NULL) {
        out->uri = GT_HTTP_URI_SCHEME;
        out->host = (gt_text){.bytes = uri.bytes, .size = (size_t)(colon - uri.bytes)};
        eat(&uri, out->host.size + 1);
        out->text = uri;
    } else {
        out->uri = GT_HTTP_URI_OTHER;
    }
}

static bool parse_request(rest r, gt_http *out) {
    gt_text uri;

    out->name = take_while(&r, is_token);
    if (out->name.size == 0 || take_while(&r, is_space).size == 0)
        return false;
    uri = take_while(&r, is_not_space);
    if (uri.size == 0)
        return false;
    (void)take_while(&r, is_space);
    out->major = 0;
    out->minor = 9;
    if (r.size > 0 && (r.size < 8 || !take_version(&r, out)))
        return false;
    out->kind = GT_HTTP_REQUEST;
    out->known = index_of(gt_http_methods, out->name);
    parse_uri(uri, out);
    return true;
}

/* The name with the usual capitals: at its beginning and after each hyphen. */
static void spell(gt_http *out) {
    bool capital = true;

    out->name = out->sent;
    if (out->sent.size > GT_HTTP_NAME_MAX)
        return;
    for (size_t i = 0; i < out->sent.size; i++) {
        uint8_t c = out->sent.bytes[i];
        if (capital) {
            out->spelled[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
            capital = false;
        } else {
            out->spelled[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
            capital = c == '-';
        }
    }
    out->name.bytes = out->spelled;
    out->known = index_of(gt_http_fields, out->name);
}

static bool parse_header(rest r, gt_http *out) {
    out->sent = take_while(&r, is_token);
    if (r.size == 0 || r.bytes[0] != ':')
        return false;
    eat(&r, 1);
    (void)take_while(&r, is_space);
    spell(out);
    out->text = r;
    out->kind = GT_HTTP_HEADER;
    return true;
}

void gt_http_parse(const uint8_t *line, size_t size, bool in_headers, gt_http *out) {
    rest r = {.bytes = line, .size = size};
    bool good;

    memset(out, 0, sizeof *out);
    out->known = -1;
    out->in_headers = in_headers;
    if (size >= 2 && line[size - 2] == '\r')
        r.size -= 2;
    else if (size >= 1 && line[size - 1] == '\n')
        r.size -= 1;
    if (in_headers && r.size == 0) {
        out->kind = GT_HTTP_END;
        out->in_headers = false;
        return;
    }
    if (in_headers)
        good = parse_header(r, out);
    else
        good = begins_with(r, "HTTP/") ? parse_response(r, out) : parse_request(r, out);
    if (good)
        out->in_headers = true;
    else
        *out = (gt_http){.kind = GT_HTTP_ERROR, .known = -1, .in_headers = in_headers, .text = {line, size}};
}
