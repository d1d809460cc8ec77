/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 lines, as packet types http and httph give them: a request or status line, header fields, and their end. Pure,
 * as packet.h is. What is accepted, and how it is cut up: erlang:decode_packet/3; RFC 9112 is stricter in places. */
#ifndef GT_HTTP_H
#define GT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gt_text {
    const uint8_t *bytes;
    size_t size;
} gt_text;

enum gt_http_kind {
    GT_HTTP_NONE, /* not http */
    GT_HTTP_REQUEST,
    GT_HTTP_RESPONSE,
    GT_HTTP_HEADER,
    GT_HTTP_END,   /* the empty line after the header fields: http_eoh */
    GT_HTTP_ERROR, /* a line that is none of these: the whole of it is in `text` */
};

enum gt_http_uri {
    GT_HTTP_URI_STAR,   /* '*' */
    GT_HTTP_URI_PATH,   /* {abs_path, text} */
    GT_HTTP_URI_HTTP,   /* {absoluteURI, http, host, port, text}: port 0: undefined */
    GT_HTTP_URI_HTTPS,  /* likewise */
    GT_HTTP_URI_SCHEME, /* {scheme, host, text}: host is the scheme */
    GT_HTTP_URI_OTHER,  /* text as it is */
};

enum { GT_HTTP_NAME_MAX = 50 }; /* a longer name of a header field is left as it came */

/* Slices lie in the line, but name, which may lie in here, and path "/". */
typedef struct gt_http {
    uint8_t kind;     /* gt_http_kind */
    uint8_t uri;      /* gt_http_uri, of a request */
    bool in_headers;  /* what follows are header fields: the argument of the next call */
    int major, minor; /* the version; 0.9 for a request without one */
    int status;
    uint32_t port;
    gt_text name; /* the method; the field's name with its usual capitals (Content-Type) */
    gt_text sent; /* the field's name as it came */
    gt_text host;
    gt_text text; /* the path, the reason phrase, the field's value, the line in error */
    int known;    /* which of gt_http_methods, or of gt_http_fields, name is; -1: none of them */
    uint8_t spelled[GT_HTTP_NAME_MAX];
} gt_http;

/* Names that OTP has atoms for; in_headers as `known` of a header field or a request. NULL-terminated. */
extern const char *const gt_http_methods[];
extern const char *const gt_http_fields[];

/* The length of the first line, with its end, in bytes[0..size): a header field goes on in lines that begin with space
 * or tab, so that the first byte after it must be known. 0: not whole yet. */
size_t gt_http_line(const uint8_t *bytes, size_t size, bool in_headers);
/* Reads one whole line. in_headers: a header field is expected (httph: always). */
void gt_http_parse(const uint8_t *line, size_t size, bool in_headers, gt_http *out);

#endif
