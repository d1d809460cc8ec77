/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/options.md from engine/options_table.h: `cmake --build build --target options_doc` writes it. */
#include <inttypes.h>
#include <stdio.h>

#include "hosts/c/socket.h"

static const char *type_text(const gt_option_row *row) {
    switch ((enum gt_option_type)row->type) {
    case GT_TYPE_BOOL:
        return "boolean";
    case GT_TYPE_INT:
        return "integer";
    case GT_TYPE_TIMEOUT:
        return "milliseconds, `infinity`";
    case GT_TYPE_ACTIVE:
        return "`false`, `true`, `once`, integer";
    case GT_TYPE_MODE:
        return "`list`, `binary`";
    case GT_TYPE_PACKET:
        return "packet type";
    case GT_TYPE_FAMILY:
        return "`inet`, `inet6`, `local`";
    case GT_TYPE_BACKEND:
        return "`inet`, `socket`";
    case GT_TYPE_LINGER:
        return "{boolean, seconds}";
    case GT_TYPE_ADDRESS:
        return "address";
    case GT_TYPE_BYTES:
        return "binary";
    case GT_TYPE_PATH:
        return "string or binary";
    case GT_TYPE_RECEIVED:
        return "list of `tos`, `ttl`, `tclass`";
    case GT_TYPE_RAW:
        return "level, name, binary";
    case GT_TYPE_DELIVER:
        return "`term`, `port`";
    }
    return "";
}

static void print_range(const gt_option_row *row) {
    switch (row->type) {
    case GT_TYPE_INT:
    case GT_TYPE_TIMEOUT:
        printf("%" PRId32 "..%" PRIu32, row->low, row->high);
        break;
    case GT_TYPE_ACTIVE:
        printf("%d..%d", -GT_ACTIVE_COUNT_MAX - 1, GT_ACTIVE_COUNT_MAX);
        break;
    case GT_TYPE_LINGER:
        printf("0..%d", (int)UINT16_MAX);
        break;
    case GT_TYPE_BYTES:
    case GT_TYPE_PATH:
    case GT_TYPE_RAW:
        printf("up to %" PRIu32 " bytes", row->high);
        break;
    default:
        break;
    }
}

static void print_value(const gt_option_row *row, int64_t number) {
    switch (row->type) {
    case GT_TYPE_BOOL:
    case GT_TYPE_ACTIVE:
        printf("%s", number != 0 ? "true" : "false");
        break;
    case GT_TYPE_MODE: /* the first of each */
        printf("list");
        break;
    case GT_TYPE_PACKET:
        printf("raw");
        break;
    case GT_TYPE_BACKEND:
    case GT_TYPE_FAMILY:
        printf("inet");
        break;
    case GT_TYPE_LINGER:
        printf("{false, 0}");
        break;
    case GT_TYPE_DELIVER:
        printf("term");
        break;
    case GT_TYPE_TIMEOUT:
        if (number == GT_INFINITY)
            printf("infinity");
        else
            printf("%" PRId64, number);
        break;
    case GT_TYPE_ADDRESS:
        printf("any");
        break;
    case GT_TYPE_PATH:
        printf("none");
        break;
    default:
        printf("%" PRId64, number);
        break;
    }
}

/* What the C host says, where it is something else. */
static const gt_option *c_default(int name) {
    for (int i = 0; i < gt_host_c.default_count; i++) {
        if (gt_host_c.defaults[i].name == name)
            return &gt_host_c.defaults[i];
    }
    return NULL;
}

static void print_row(int name) {
    static const char *const owners[] = {
        [GT_OF_ENGINE] = "engine", [GT_OF_SYSTEM] = "system", [GT_OF_HOST] = "host (Erlang)"};
    const gt_option_row *row = &gt_option_rows[name];
    const gt_option *c = c_default(name);

    printf("| `%s` | %s | ", row->name, type_text(row));
    print_range(row);
    printf(" | ");
    if (row->owner == GT_OF_SYSTEM)
        printf("the system's");
    else
        print_value(row, row->fallback);
    if (c != NULL) {
        printf("; C: ");
        print_value(row, c->number);
    }
    printf(" | %s%s%s%s | %s | %s |\n", (row->where & GT_AT_CONNECT) != 0 ? "connect " : "",
           (row->where & GT_AT_LISTEN) != 0 ? "listen " : "", (row->where & GT_AT_SET) != 0 ? "setopts " : "",
           (row->where & GT_AT_GET) != 0 ? "getopts" : "", (row->where & GT_INHERITED) != 0 ? "yes" : "",
           owners[row->owner]);
}

int main(void) {
    printf(
        "# Options\n\n"
        "Made from [engine/options_table.h](../engine/options_table.h) by the target `options_doc`: don't edit.\n\n"
        "Their meaning is that of OTP's `inet:setopts/2` and of gen_tcp's option types; what C programs write is in\n"
        "[include/gentcp.h](../include/gentcp.h). *Inherited* ones go from a listener to what it accepts, as they\n"
        "are then. *Whose*: kept by the engine, given to the system, or a matter of Erlang's terms (in C they are an\n"
        "error).\n\n"
        "- `high_msgq_watermark`, `low_msgq_watermark`, `debug` and, but for Windows, `exclusiveaddruse` are kept\n"
        "  and read back, and do nothing: gentcp has no port with a queue of callers in front of it, nor its traces.\n"
        "- `timeout` is the Timeout of `connect/3`, `accept/1` and `recv/2` of module `gentcp`; a Timeout that is\n"
        "  given, `infinity` too, wins. In C: of calls with `GENTCP_DEFAULT_TIMEOUT`.\n"
        "- An option that the socket can't have (`tclass` on IPv4) is `einval` when set, and left out when read.\n"
        "- `fd` lends a descriptor that exists: it is used, and never closed. A negative one is none.\n"
        "- `netns` is the path of a network namespace to open the socket in (Linux); set later it is only kept.\n"
        "- `pktoptions`: what came last, as far as `recvtos`, `recvttl` and `recvtclass` ask for it.\n"
        "\n"
        "| name | type | range | default | where | inherited | whose |\n"
        "|---|---|---|---|---|---|---|\n");
    for (int name = 0; name < GT_OPTIONS; name++)
        print_row(name);
    return 0;
}
