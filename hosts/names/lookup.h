/* SPDX-License-Identifier: Apache-2.0 */
/* Names and their addresses, for every host. getaddrinfo(3) blocks, and is the one way to ask all that a system is
 * configured to ask: so it runs in threads of its own, made when there is something to look up and ended when there
 * isn't. */
#ifndef GT_NAMES_LOOKUP_H
#define GT_NAMES_LOOKUP_H

#include "sys/sys.h"

/* An internet address, and a port for it. False: of another family. */
bool gt_address_of(const struct sockaddr *from, size_t size, uint16_t port, gt_address *out);

/* All addresses of a name, in the order to try them. */
typedef struct gt_addresses {
    int count;
    gt_address list[];
} gt_addresses;

typedef struct gt_lookup gt_lookup;

/* What a lookup needs of its host. */
typedef struct gt_lookup_user {
    void *(*allocate)(size_t size);
    void (*release)(void *memory); /* also of NULL */
    /* The lookup has an answer. On a thread of ours, with its lock held; not after gt_lookup_end. It must not block,
     * nor call what is declared here. */
    void (*answered)(void *asker);
} gt_lookup_user;

/* A numeric address, or a name: true unless it is empty or has blanks and the like in it, as inet has it. */
bool gt_may_be_name(const char *name);
/* The address of a numeric one, at once: 0 and a list to be released with release; GT_NXDOMAIN: it isn't numeric, or of
 * another family; -ENOMEM. */
int gt_lookup_numeric(const gt_lookup_user *user, const char *name, uint16_t port, int family, gt_addresses **out);
/* Looks up a name (or numeric address) of that family (AF_UNSPEC: any), with that port for each address. 0 and a lookup
 * to be ended; GT_NXDOMAIN: names are left out (GENTCP_WITH_NAMES); -ENOMEM, -EAGAIN: no thread could be started. */
int gt_lookup_start(const gt_lookup_user *user, const char *name, uint16_t port, int family, void *asker,
                    gt_lookup **out);
/* Ends it, answered or not; asker is not told any more. If it was answered: 0 and the addresses, to be released with
 * release; GT_NXDOMAIN, or another error. Before: GT_TIMEOUT. */
int gt_lookup_end(gt_lookup *this, gt_addresses **out);

#endif
