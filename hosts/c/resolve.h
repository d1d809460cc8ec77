/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up names, without stopping anything but the thread that asks. */
#ifndef GT_C_RESOLVE_H
#define GT_C_RESOLVE_H

#include "hosts/c/process.h"
#include "hosts/names/lookup.h"

/* Looks up a name or numeric address, of that family (AF_UNSPEC: any), with that port. The caller's poller runs
 * meanwhile. 0 and a list to be released with gt_release; GT_NXDOMAIN; GT_TIMEOUT; GT_BADARG: it can't be a name;
 * -ENOMEM, -EAGAIN: no thread could be started. */
int gt_resolve(gt_process *self, const char *host, uint16_t port, int family, int64_t deadline, gt_addresses **out);

#endif
