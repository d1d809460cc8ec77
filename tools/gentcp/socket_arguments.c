/* SPDX-License-Identifier: Apache-2.0 */
/* Any option by its name: names and types come from the engine's table. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/options.h"
#include "tools/gentcp/tool.h"

typedef struct word {
    const char *name;
    int number;
} word;

static const word packets[] = {
    {"raw", GENTCP_RAW},     {"0", GENTCP_RAW},         {"1", GENTCP_PACKET_1},      {"2", GENTCP_PACKET_2},
    {"4", GENTCP_PACKET_4},  {"line", GENTCP_LINE},     {"asn1", GENTCP_ASN1},       {"sunrm", GENTCP_SUNRM},
    {"cdr", GENTCP_CDR},     {"fcgi", GENTCP_FCGI},     {"tpkt", GENTCP_TPKT},       {"http", GENTCP_HTTP},
    {"httph", GENTCP_HTTPH}, {"http_bin", GENTCP_HTTP}, {"httph_bin", GENTCP_HTTPH}, {NULL, 0},
};
static const word booleans[] = {{"true", 1}, {"false", 0}, {NULL, 0}};
static const word actives[] = {{"true", GENTCP_TRUE}, {"false", GENTCP_PASSIVE}, {"once", GENTCP_ONCE}, {NULL, 0}};
static const word families[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {NULL, 0}};
static const word backends[] = {{"inet", GENTCP_INET}, {"socket", GENTCP_SOCKET}, {NULL, 0}};
static const word infinity[] = {{"infinity", GENTCP_INFINITY}, {NULL, 0}};

static bool read_word(const word *words, const char *text, int64_t *out) {
    for (; words->name != NULL; words++) {
        if (strcmp(words->name, text) == 0) {
            *out = words->number;
            return true;
        }
    }
    return false;
}

static bool read_number(const char *text, int64_t *out) {
    char *end;

    *out = strtoll(text, &end, 0);
    return end != text && *end == 0;
}

const char *packet_name(int packet) {
    for (const word *it = packets; it->name != NULL; it++) {
        if (it->number == packet)
            return it->name;
    }
    return "";
}

static bool read_active(const char *text, gentcp_option *out) {
    int64_t number;

    if (read_word(actives, text, &number))
        *out = GENTCP_ACTIVE((int)number);
    else if (read_number(text, &number))
        *out = GENTCP_ACTIVE_N(number);
    else
        return false;
    return true;
}

/* "true,SECONDS" or "false" */
static bool read_linger(const char *text, gentcp_option *out) {
    out->extra = 0;
    if (strncmp(text, "true,", 5) == 0) {
        out->number = 1;
        return read_number(text + 5, &out->extra);
    }
    return read_word(booleans, text, &out->number) && out->number == 0;
}

static bool read_value(const gt_option_row *row, const char *text, gentcp_option *out) {
    switch ((enum gt_option_type)row->type) {
    case GT_TYPE_BOOL:
        return read_word(booleans, text, &out->number);
    case GT_TYPE_INT:
        return read_number(text, &out->number);
    case GT_TYPE_TIMEOUT:
        return read_word(infinity, text, &out->number) || read_number(text, &out->number);
    case GT_TYPE_ACTIVE:
        return read_active(text, out);
    case GT_TYPE_PACKET:
        return read_word(packets, text, &out->number);
    case GT_TYPE_FAMILY:
        return read_word(families, text, &out->number);
    case GT_TYPE_BACKEND:
        return read_word(backends, text, &out->number);
    case GT_TYPE_LINGER:
        return read_linger(text, out);
    case GT_TYPE_ADDRESS:
    case GT_TYPE_BYTES:
        out->text = text;
        return true;
    default: /* those of Erlang's terms */
        return false;
    }
}

/* "name=value"; a boolean's name alone means true. */
static bool read_option(char *text, gentcp_option *out) {
    char *equals = strchr(text, '=');
    const gt_option_row *row;

    if (equals != NULL)
        *equals = 0;
    row = gt_option_find(text);
    if (equals != NULL)
        *equals = '=';
    if (row == NULL || (equals == NULL && row->type != GT_TYPE_BOOL))
        return false;
    *out = GENTCP_OPTION((int)(row - gt_option_rows), 0);
    return read_value(row, equals != NULL ? equals + 1 : "true", out);
}

void socket_arguments_init(socket_arguments *arguments) {
    arguments->count = 0;
    arguments->packet = GENTCP_RAW;
    arguments->active = GENTCP_ACTIVE(true);
    arguments->options[0] = GENTCP_END;
}

void socket_arguments_add(socket_arguments *arguments, gentcp_option option) {
    if (arguments->count == GENTCP_OPTIONS_MAX) {
        fprintf(stderr, "gentcp: more than %d options\n", GENTCP_OPTIONS_MAX);
        exit(EXIT_USAGE);
    }
    arguments->options[arguments->count++] = option;
    arguments->options[arguments->count] = GENTCP_END;
}

long number_argument(const struct argp_state *state, const char *what, const char *text, long low, long high) {
    int64_t number;

    if (!read_number(text, &number) || number < low || number > high)
        argp_error(state, "%s: %s is no number from %ld to %ld", what, text, low, high);
    return (long)number;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    socket_arguments *arguments = state->input;
    gentcp_option option = GENTCP_END;

    switch (key) {
    case 'p':
        option = GENTCP_PACKET(0);
        if (!read_word(packets, argument, &option.number))
            argp_error(state, "%s is no packet type", argument);
        break;
    case 'a':
        if (!read_active(argument, &option))
            argp_error(state, "--active is true, false, once or a number, not %s", argument);
        break;
    case 'o':
        if (!read_option(argument, &option))
            argp_error(state, "%s: no such option, or not such a value; see docs/options.md", argument);
        break;
    case '4':
    case '6':
        option = GENTCP_FAMILY(key == '4' ? AF_INET : AF_INET6);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (option.name == GENTCP_OPT_ACTIVE) {
        arguments->active = option;
        return 0;
    }
    if (option.name == GENTCP_OPT_PACKET)
        arguments->packet = (int)option.number;
    socket_arguments_add(arguments, option);
    return 0;
}

static const struct argp_option descriptions[] = {
    {"packet", 'p', "TYPE", 0, "raw (the default), 1, 2, 4, line, asn1, sunrm, cdr, fcgi, tpkt, http or httph", 0},
    {"active", 'a', "MODE", 0, "How data is received: true (the default), once, a number of messages, or false", 0},
    {"option", 'o', "NAME=VALUE", 0, "Any socket option, e.g. nodelay=true, linger=true,5, ip=127.0.0.2; repeatable",
     0},
    {NULL, '4', NULL, 0, "IPv4 only", 0},
    {NULL, '6', NULL, 0, "IPv6 only", 0},
    {0},
};

const struct argp socket_argp = {.options = descriptions, .parser = parse};
