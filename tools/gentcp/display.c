/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "tools/gentcp/tool.h"

static bool readable(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!isprint(bytes[i]) && !isspace(bytes[i]))
            return false;
    }
    return true;
}

/* In double quotes, with C's escapes. */
static void print_quoted(const uint8_t *bytes, size_t size) {
    static const char letters[] = "abtnvfr"; /* of the bytes 7 to 13 */

    putchar('"');
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] >= 7 && bytes[i] <= 13)
            printf("\\%c", letters[bytes[i] - 7]);
        else if (bytes[i] == '"' || bytes[i] == '\\')
            printf("\\%c", bytes[i]);
        else if (isprint(bytes[i]))
            putchar(bytes[i]);
        else
            printf("\\%03o", bytes[i]);
    }
    putchar('"');
}

static void print_text(const char *name, gentcp_text text) {
    printf(" %s", name);
    print_quoted((const uint8_t *)text.bytes, text.size);
}

enum { HEX_LINE = 16 };

static void print_hex_line(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < HEX_LINE; i++) {
        printf(i == HEX_LINE / 2 ? "  " : " ");
        if (i < count)
            printf("%02x", bytes[i]);
        else
            printf("  ");
    }
    printf("  |");
    for (size_t i = 0; i < count; i++)
        putchar(isprint(bytes[i]) ? bytes[i] : '.');
    printf("|\n");
}

static void print_hex(const uint8_t *bytes, size_t size) {
    for (size_t at = 0; at < size; at += HEX_LINE) {
        printf("  %08zx ", at);
        print_hex_line(bytes + at, size - at < HEX_LINE ? size - at : HEX_LINE);
    }
}

static void print_http(const gentcp_data *data) {
    const gentcp_http *http = data->http;

    switch (http->kind) {
    case GENTCP_HTTP_REQUEST:
        printf("request");
        print_text("", http->method);
        if (http->host.size != 0)
            print_text("host ", http->host);
        print_text("", http->path);
        printf(" version %d.%d\n", http->major, http->minor);
        break;
    case GENTCP_HTTP_RESPONSE:
        printf("response %d", http->status);
        print_text("", http->phrase);
        printf(" version %d.%d\n", http->major, http->minor);
        break;
    case GENTCP_HTTP_HEADER:
        printf("header");
        print_text("", http->name);
        print_text("", http->value);
        putchar('\n');
        break;
    case GENTCP_HTTP_END:
        printf("end of header\n");
        break;
    case GENTCP_HTTP_ERROR:
        printf("no http: ");
        print_quoted(data->bytes, data->size);
        putchar('\n');
        break;
    }
}

void display_data(enum display how, const gentcp_data *data) {
    if (how == DISPLAY_RAW) {
        fwrite(data->bytes, 1, data->size, stdout);
    } else if (data->http != NULL) {
        print_http(data);
    } else if (how == DISPLAY_TEXT && readable(data->bytes, data->size)) {
        printf("%zu bytes ", data->size);
        print_quoted(data->bytes, data->size);
        putchar('\n');
    } else {
        printf("%zu bytes\n", data->size);
        print_hex(data->bytes, data->size);
    }
    fflush(stdout);
}
