/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, as text and as numbers. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "hosts/c/options.h"
#include "hosts/names/lookup.h"
#include "sys/error.h"

_Static_assert(sizeof(gentcp_address) == sizeof(gt_address) &&
                   offsetof(gentcp_address, any) == offsetof(gt_address, any),
               "the public address is the engine's");

gt_address gt_any_address(int family, uint16_t port) {
    if (family == AF_UNIX)
        return (gt_address){.size = offsetof(struct sockaddr_un, sun_path), .un = {.sun_family = AF_UNIX}};
    if (family == AF_INET6)
        return (gt_address){.size = sizeof(struct sockaddr_in6),
                            .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any}};
    return (gt_address){.size = sizeof(struct sockaddr_in), .in = {.sin_family = AF_INET, .sin_port = htons(port)}};
}

gt_address gt_loopback_address(int family) {
    gt_address address = gt_any_address(family, 0);

    if (family == AF_INET6)
        address.in6.sin6_addr = in6addr_loopback;
    else
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool gt_address_take(const gentcp_address *from, gt_address *out) {
    socklen_t size;

    if (from == NULL)
        return false;
    size = from->size;
    memcpy(out, from, sizeof *out);
    if (from->any.sa_family == AF_INET)
        return size == sizeof out->in;
    if (from->any.sa_family == AF_INET6)
        return size == sizeof out->in6;
    return from->any.sa_family == AF_UNIX && size >= offsetof(struct sockaddr_un, sun_path) && size <= sizeof out->un;
}

int gentcp_address_local(const void *name, size_t size, gentcp_address *out) {
    const char *bytes = name;
    gt_address address = {.un = {.sun_family = AF_UNIX}};

    if (name == NULL || out == NULL || size == 0 || size > sizeof address.un.sun_path)
        return GT_BADARG;
    if (bytes[0] != 0 && (size > GT_LOCAL_PATH_MAX || memchr(bytes, 0, size) != NULL))
        return GT_BADARG;
    address.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    memcpy(address.un.sun_path, bytes, size);
    memcpy(out, &address, sizeof *out);
    return 0;
}

static bool parse_local(const char *text, gt_address *out) {
    gentcp_address address;

    if (gentcp_address_local(text, strlen(text), &address) != 0)
        return false;
    if (text[0] == '@')
        address.un.sun_path[0] = 0;
    return gt_address_take(&address, out);
}

/* getaddrinfo(3) knows the short forms and IPv6 scopes; with AI_NUMERICHOST it asks nobody. */
bool gt_address_parse(const char *text, int family, uint16_t port, gt_address *out) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    bool known;

    if (family == AF_UNIX || (family == AF_UNSPEC && (text[0] == '@' || strchr(text, '/') != NULL)))
        return port == 0 && parse_local(text, out);
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    known = gt_address_of(found->ai_addr, found->ai_addrlen, port, out);
    freeaddrinfo(found);
    return known;
}

uint16_t gentcp_address_port(const gentcp_address *address) {
    if (address == NULL)
        return 0;
    if (address->any.sa_family == AF_INET)
        return ntohs(address->in.sin_port);
    return address->any.sa_family == AF_INET6 ? ntohs(address->in6.sin6_port) : 0;
}

int gentcp_address_parse(const char *text, uint16_t port, gentcp_address *out) {
    gt_address address;

    if (text == NULL || out == NULL || !gt_address_parse(text, AF_UNSPEC, port, &address))
        return GT_BADARG;
    memcpy(out, &address, sizeof *out);
    return 0;
}

static void format_local(const gt_address *address, char text[GENTCP_ADDRESS_TEXT]) {
    size_t size = gt_address_name_size(address);

    memcpy(text, address->un.sun_path, size);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 0)
            text[i] = '@';
    }
    text[size] = 0;
}

int gentcp_address_format(const gentcp_address *address, char *text, size_t size) {
    char buffer[GENTCP_ADDRESS_TEXT];
    size_t length;

    if (address == NULL || text == NULL)
        return GT_BADARG;
    if (address->any.sa_family == AF_UNIX) {
        gt_address local;
        if (!gt_address_take(address, &local))
            return GT_BADARG;
        format_local(&local, buffer);
    } else if (address->any.sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &address->in.sin_addr, buffer, sizeof buffer);
    else if (address->any.sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &address->in6.sin6_addr, buffer, sizeof buffer);
    else
        return GT_BADARG;
    length = strlen(buffer);
    if (address->any.sa_family == AF_INET6 && address->in6.sin6_scope_id != 0) { /* %interface, or %number */
        char name[IF_NAMESIZE];
        unsigned scope = address->in6.sin6_scope_id;
        if (if_indextoname(scope, name) != NULL)
            length += (size_t)snprintf(buffer + length, sizeof buffer - length, "%%%s", name);
        else
            length += (size_t)snprintf(buffer + length, sizeof buffer - length, "%%%u", scope);
    }
    if (length >= size)
        return -ENOSPC;
    memcpy(text, buffer, length + 1);
    return 0;
}
