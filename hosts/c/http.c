/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/http.h"

#include <string.h>

_Static_assert((int)GENTCP_HTTP_REQUEST == (int)GT_HTTP_REQUEST && (int)GENTCP_HTTP_RESPONSE == (int)GT_HTTP_RESPONSE &&
                   (int)GENTCP_HTTP_HEADER == (int)GT_HTTP_HEADER && (int)GENTCP_HTTP_END == (int)GT_HTTP_END &&
                   (int)GENTCP_HTTP_ERROR == (int)GT_HTTP_ERROR,
               "gentcp_http_kind");

size_t gt_http_room(const gt_http *http) {
    size_t texts = http->kind == GT_HTTP_ERROR ? 0 : http->text.size + 1; /* the line in error is the data */

    /* Each is a part of a line, or of a name of at most that size: no overflow. */
    return sizeof(gentcp_http) + texts + http->name.size + 1 + http->sent.size + 1 + http->host.size + 1;
}

static gentcp_text copy(gt_text text, char **at) {
    gentcp_text copied = {.bytes = *at, .size = text.size};

    if (text.size > 0)
        memcpy(*at, text.bytes, text.size);
    (*at)[text.size] = 0;
    *at += text.size + 1;
    return copied;
}

static void write_uri(const gt_http *http, gentcp_http *out, char **at) {
    static const enum gentcp_uri kinds[] = {
        [GT_HTTP_URI_STAR] = GENTCP_URI_STAR,     [GT_HTTP_URI_PATH] = GENTCP_URI_PATH,
        [GT_HTTP_URI_HTTP] = GENTCP_URI_ABSOLUTE, [GT_HTTP_URI_HTTPS] = GENTCP_URI_ABSOLUTE,
        [GT_HTTP_URI_SCHEME] = GENTCP_URI_SCHEME, [GT_HTTP_URI_OTHER] = GENTCP_URI_OTHER,
    };

    out->uri = kinds[http->uri];
    out->path = copy(http->text, at);
    if (http->uri == GT_HTTP_URI_SCHEME) { /* the engine keeps it in host */
        out->scheme = copy(http->host, at);
    } else if (out->uri == GENTCP_URI_ABSOLUTE) {
        bool secure = http->uri == GT_HTTP_URI_HTTPS;
        out->scheme = secure ? (gentcp_text){"https", 5} : (gentcp_text){"http", 4};
        out->host = copy(http->host, at);
        out->port = http->port;
    }
}

const gentcp_http *gt_http_write(const gt_http *http, void *room) {
    static const gentcp_text none = {"", 0};
    gentcp_http *out = room;
    char *at = (char *)(out + 1);

    *out = (gentcp_http){.kind = (enum gentcp_http_kind)http->kind,
                         .major = http->major,
                         .minor = http->minor,
                         .status = http->status,
                         .method = none,
                         .scheme = none,
                         .host = none,
                         .path = none,
                         .phrase = none,
                         .name = none,
                         .sent = none,
                         .value = none};
    switch (http->kind) {
    case GT_HTTP_REQUEST:
        out->method = copy(http->name, &at);
        write_uri(http, out, &at);
        break;
    case GT_HTTP_RESPONSE:
        out->phrase = copy(http->text, &at);
        break;
    case GT_HTTP_HEADER:
        out->name = copy(http->name, &at);
        out->sent = copy(http->sent, &at);
        out->value = copy(http->text, &at);
        break;
    default:
        break;
    }
    return out;
}
