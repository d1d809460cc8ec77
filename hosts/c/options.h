/* SPDX-License-Identifier: Apache-2.0 */
/* The public options and addresses in the engine's form. */
#ifndef GT_C_OPTIONS_H
#define GT_C_OPTIONS_H

#include "engine/options.h"
#include "gentcp.h"

typedef struct gt_option_list {
    int count;
    int family; /* what options family and ip ask for; AF_UNSPEC: neither was given */
    gt_option items[GENTCP_OPTIONS_MAX];
} gt_option_list;

/* A public address, if it can be one. */
bool gt_address_take(const gentcp_address *from, gt_address *out);
/* Is it one that has a meaning for Erlang only? */
bool gt_option_of_erlang(int name);
/* Converts a list (NULL: none). False: one that can't be right, or too many. */
bool gt_options_read(const gentcp_option *options, gt_option_list *out);
/* The engine's answer for option getopts. */
void gt_option_write(const gt_option *option, gentcp_option *out);

/* The address of all interfaces, or of loopback. */
gt_address gt_any_address(int family, uint16_t port);
gt_address gt_loopback_address(int family);
/* A numeric address of that family (AF_UNSPEC: any). False: it is none. */
bool gt_address_parse(const char *text, int family, uint16_t port, gt_address *out);

#endif
