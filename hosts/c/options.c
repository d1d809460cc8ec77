/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/options.h"

#include <string.h>

/* A row of the engine's table without a public name, or in another order, ends here. */
#define GT_OPTION_ROW(part, upper, name, type, low, high, fallback, where, owner, level, option)                       \
    _Static_assert((int)GENTCP_OPT_##upper == (int)GT_OPT_##upper, "gentcp.h and options_table.h differ");
#include "engine/options_table.h"
#undef GT_OPTION_ROW

_Static_assert((int)GENTCP_PASSIVE == (int)GT_PASSIVE && (int)GENTCP_TRUE == (int)GT_ACTIVE_TRUE &&
                   (int)GENTCP_ONCE == (int)GT_ACTIVE_ONCE && (int)GENTCP_ACTIVE_COUNT == (int)GT_ACTIVE_COUNT,
               "gentcp_active");
_Static_assert((int)GENTCP_INET == (int)GT_SEND_QUEUES && (int)GENTCP_SOCKET == (int)GT_SEND_DRAINS,
               "gentcp_inet_backend");

/* Packet types with a length are public by its size, as in {packet, 4}. */
static const int packet_types[GT_PACKET_TYPES] = {
#define GT_PACKET_ROW(part, upper, c, name, width, reader) [GT_PACKET_##upper] = GENTCP_##c,
#include "engine/packet_table.h"
#undef GT_PACKET_ROW
};

bool gt_option_of_erlang(int name) {
    return gt_option_rows[name].owner == GT_OF_HOST;
}

static bool read_packet(gt_option *option) {
    for (int i = 0; i < GT_PACKET_TYPES; i++) {
        if (packet_types[i] == option->number) {
            option->number = i;
            return true;
        }
    }
    return false;
}

static bool read_address(const gentcp_option *from, int family, gt_address *out) {
    const char *text = from->text;

    if (text == NULL)
        return from->size == sizeof(gentcp_address) && gt_address_take(from->bytes, out);
    if (family == AF_UNIX)
        return gt_address_parse(text, family, 0, out);
    if (strcmp(text, "any") == 0)
        *out = gt_any_address(family, 0);
    else if (strcmp(text, "loopback") == 0)
        *out = gt_loopback_address(family);
    else
        return gt_address_parse(text, family, 0, out);
    return true;
}

static bool read_one(const gentcp_option *from, int family, gt_option *out) {
    if (from->name < 0 || from->name >= GT_OPTIONS || gt_option_of_erlang(from->name))
        return false;
    *out = (gt_option){.name = (uint16_t)from->name, .number = from->number, .extra = from->extra};
    if (out->name == GT_OPT_PACKET)
        return read_packet(out);
    if (out->name == GT_OPT_IP)
        return read_address(from, family, &out->address);
    if (out->name == GT_OPT_RAW) {
        out->bytes = from->bytes;
        out->size = from->size;
    }
    if (out->name == GT_OPT_BIND_TO_DEVICE || out->name == GT_OPT_NETNS) {
        out->bytes = (void *)(uintptr_t)from->text; /* it is only read */
        out->size = from->text != NULL ? strlen(from->text) : 0;
        return from->text != NULL;
    }
    return true;
}

/* Family is known first: "any" and "loopback" depend on it. */
static int family_of(const gentcp_option *options) {
    int family = AF_UNSPEC;

    for (int i = 0; i < GENTCP_OPTIONS_MAX && options[i].name != GENTCP_OPT_END; i++) {
        if (options[i].name == GENTCP_OPT_FAMILY)
            family = options[i].number == AF_INET6 || options[i].number == AF_UNIX ? (int)options[i].number : AF_INET;
    }
    return family;
}

bool gt_options_read(const gentcp_option *options, gt_option_list *out) {
    out->count = 0;
    out->family = AF_UNSPEC;
    if (options == NULL)
        return true;
    out->family = family_of(options);
    for (; options->name != GENTCP_OPT_END; options++) {
        gt_option *item = &out->items[out->count];
        if (out->count == GENTCP_OPTIONS_MAX || !read_one(options, out->family, item))
            return false;
        if (item->name == GT_OPT_IP) {
            if ((out->family == AF_UNIX) != (item->address.any.sa_family == AF_UNIX) && out->family != AF_UNSPEC)
                return false;
            out->family = item->address.any.sa_family;
        }
        out->count++;
    }
    return true;
}

void gt_option_write(const gt_option *option, gentcp_option *out) {
    out->number = option->name == GT_OPT_PACKET ? packet_types[option->number] : option->number;
    out->extra = option->extra;
}
