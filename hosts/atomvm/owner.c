/* SPDX-License-Identifier: Apache-2.0 */
/* AtomVM tells a resource of the death of a process it monitors. That resource is not the socket itself: its last
 * reference may go on one thread while `down` begins on another, and then `down` would be given freed memory. So there
 * is a watch for each monitor, which holds a reference to the socket, and which the socket points to as long as it
 * counts:
 *
 *   avm_set_owner          the owner dies: `down`
 *   ─────────────▶ WATCHING ─────────────────────▶ gone; closes the socket if that still points to this watch
 *                     │ another owner, or closed
 *                     ▼
 *                  demonitored: gone; or `down` has begun, and lets go
 *
 * enif_demonitor_process says which of the two it is, and exactly one of them happens. */
#include <errno.h>
#include <string.h>

#include "hosts/atomvm/avm.h"

struct avm_watch {
    avm_socket *socket; /* a reference; NULL: it has been given back */
    ErlNifMonitor monitor;
};

static ErlNifResourceType *watch_type;

static void end_watch(avm_watch *w) {
    avm_socket *s = w->socket;

    w->socket = NULL;
    enif_release_resource(w);
    enif_release_resource(s);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is AtomVM's */
static void owner_down(ErlNifEnv *env, void *resource, ErlNifPid *owner, ErlNifMonitor *monitor) {
    avm_watch *w = resource;
    avm_socket *s = w->socket;
    bool orphaned;

    (void)env;
    (void)owner;
    (void)monitor;
    gt_lock_take(&s->socket.lock);
    orphaned = s->watch == w;
    if (orphaned)
        s->watch = NULL;
    gt_lock_drop(&s->socket.lock);
    if (orphaned)
        (void)gt_close(&s->socket, NULL);
    end_watch(w);
}

bool avm_owners_start(ErlNifEnv *env) {
    ErlNifResourceTypeInit callbacks = {.members = 3, .down = owner_down};

    watch_type = enif_init_resource_type(env, "gentcp_watch", &callbacks, ERL_NIF_RT_CREATE, NULL);
    return watch_type != NULL;
}

static ErlNifEnv vm_env(void) {
    ErlNifEnv env;

    memset(&env, 0, sizeof env);
    erl_nif_env_partial_init_from_globalcontext(&env, avm_vm);
    return env;
}

static void unwatch(avm_watch *w) {
    ErlNifEnv env = vm_env();

    if (w != NULL && enif_demonitor_process(&env, w, &w->monitor) == 0)
        end_watch(w);
}

int avm_set_owner(avm_socket *s, int32_t owner) {
    avm_watch *w = enif_alloc_resource(watch_type, sizeof *w);
    avm_watch *old = s->watch;
    ErlNifEnv env = vm_env();
    int status;

    if (w == NULL)
        return -ENOMEM;
    enif_keep_resource(s);
    w->socket = s;
    s->watch = w; /* now, because `down` may come at once; it waits for the lock */
    status = enif_monitor_process(&env, w, &owner, &w->monitor);
    if (status != 0) {
        s->watch = old;
        end_watch(w);
        return status > 0 ? GT_BADARG : -ENOMEM;
    }
    s->owner = owner;
    unwatch(old);
    return 0;
}

void avm_forget_owner(avm_socket *s) {
    avm_watch *w = s->watch;

    s->watch = NULL;
    unwatch(w);
}
