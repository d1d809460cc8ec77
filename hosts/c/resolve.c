/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts/c/resolve.h"

#include <string.h>

#include "hosts/c/memory.h"
#include "hosts/c/wait.h"

enum { NAME_MAX_LENGTH = 1024 }; /* NI_MAXHOST, less its 0 */

/* Who waits for a lookup. */
typedef struct asker {
    gt_process *process;
    bool answered; /* guarded by the process's lock */
} asker;

static void answered(void *arg) {
    asker *this = arg;

    gt_lock_take(&this->process->lock);
    this->answered = true;
    gt_process_notify(this->process);
    gt_lock_drop(&this->process->lock);
}

static const gt_lookup_user user = {.allocate = gt_allocate, .release = gt_release, .answered = answered};

static int await_answer(asker *this, int64_t deadline) {
    gt_process *self = this->process;
    int error = 0;

    gt_lock_take(&self->lock);
    while (!this->answered && error == 0) {
        int64_t left = gt_time_left(deadline);
        error = left != 0 ? gt_process_pause(self, left) : GT_TIMEOUT;
    }
    gt_process_leave(self);
    gt_lock_drop(&self->lock);
    return error;
}

int gt_resolve(gt_process *self, const char *host, uint16_t port, int family, int64_t deadline, gt_addresses **out) {
    asker this = {.process = self};
    gt_addresses *found = NULL;
    gt_lookup *lookup;
    int error, ended;

    if (!gt_may_be_name(host))
        return GT_BADARG;
    if (strlen(host) > NAME_MAX_LENGTH)
        return GT_NXDOMAIN;
    error = gt_lookup_numeric(&user, host, port, family, out);
    if (error != GT_NXDOMAIN)
        return error;
    error = gt_lookup_start(&user, host, port, family, &this, &lookup);
    if (error != 0)
        return error;
    error = await_answer(&this, deadline);
    ended = gt_lookup_end(lookup, &found);
    if (error == 0)
        error = ended;
    if (error == 0)
        *out = found;
    else
        gt_release(found);
    return error;
}
