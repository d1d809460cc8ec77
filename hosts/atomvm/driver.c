/* SPDX-License-Identifier: Apache-2.0 */
/* What opening port "gentcp" does, the first time and again: the VM's poll watches our poller, and modules gentcp and
 * gentcp_nif get the native functions.
 *
 * AtomVM on unix loads port drivers, but no native functions. A module's calls of other modules go through its table
 * of imports, in which the VM itself puts the function it has found when a call is made for the first time, with the
 * module's lock held. We do just that, earlier: so a call of gen_tcp costs no message to a port and back. The port has
 * nothing more to do, and ends at its first message. */
#include <exportedfunction.h>
#include <generic_unix_sys.h>
#include <module.h>
#include <port.h>
#include <stdlib.h>
#include <sys.h>
#include <utils.h>

#include "hosts/atomvm/avm.h"

enum { EVENTS_A_RUN = 64 }; /* the VM's listeners are locked meanwhile */

GlobalContext *avm_vm;
static gt_poller *poller;
static gt_poller_user poller_user;

gt_poller *avm_poller(void) {
    return poller;
}

static EventListener *ready(GlobalContext *vm, EventListener *this) {
    (void)vm;
    (void)gt_poller_run(poller, 0, EVENTS_A_RUN);
    avm_lookups_answer();
    return this;
}

/* False: no memory or no descriptors. What was begun then stays, for the next who tries. */
static bool start(GlobalContext *vm) {
    EventListener *listener;
    gt_poller *opened;
    ErlNifEnv env;

    if (poller != NULL)
        return true;
    avm_vm = vm;
    erl_nif_env_partial_init_from_globalcontext(&env, vm);
    otp_terms_start(&env);
    if (GENTCP_WITH_HTTP)
        otp_http_start(&env);
    gt_poller_user_init(&poller_user, malloc, free);
    if (!avm_sockets_start(&env))
        return false;
    listener = malloc(sizeof *listener); /* the VM frees it */
    if (listener == NULL)
        return false;
    if (gt_poller_open(&opened, &gt_backend_epoll, &poller_user) != 0) {
        free(listener);
        return false;
    }
    listener->fd = gt_poller_fd(opened);
    listener->handler = ready;
    poller = opened;
    sys_register_listener(vm, listener);
    return true;
}

/* ---- native functions ---- */

/* False: it calls a function that there isn't. */
static bool bind_import(Module *module, int index, int arity) {
    const struct ExportedFunction *native;
    term of_module, function;

    module_get_imported_function_module_and_name_atoms(module, index, &of_module, &function);
    if (of_module != globalcontext_insert_atom_maybe_copy(avm_vm, (const uint8_t *)"gentcp_nif", 10, true))
        return true;
    native = avm_native(function, arity);
    if (native == NULL)
        return false;
    SMP_MODULE_LOCK(module);
    if (module->imported_funcs[index]->type == UnresolvedFunctionCall)
        free(EXPORTED_FUNCTION_TO_UNRESOLVED_FUNCTION_CALL(module->imported_funcs[index]));
    /* What was resolved before stays in memory: another scheduler may be about to call it. */
    module->imported_funcs[index] = native;
    SMP_MODULE_UNLOCK(module);
    return true;
}

static bool bind_module(term name) {
    Module *module = globalcontext_get_module(avm_vm, term_to_atom_index(name));
    const uint8_t *table;
    int count;

    if (module == NULL)
        return false;
    /* As module.c reads it: a count, and 12 bytes an import, the last 4 of them its arity. */
    table = module->import_table;
    count = (int)READ_32_UNALIGNED(table + 8);
    for (int i = 0; i < count; i++) {
        if (!bind_import(module, i, (int)READ_32_UNALIGNED(table + 12 + 12 * (size_t)i + 8)))
            return false;
    }
    return true;
}

/* ---- the port ---- */

static NativeHandlerResult end_port(Context *ctx) {
    (void)ctx;
    return NativeTerminate;
}

__attribute__((visibility("default"))) Context *gentcp_create_port(GlobalContext *vm, term options);

Context *gentcp_create_port(GlobalContext *vm, term options) {
    static gt_lock lock = GT_LOCK_INIT;
    Context *port = NULL;
    bool started;
    ErlNifEnv env;

    (void)options;
    gt_lock_take(&lock);
    erl_nif_env_partial_init_from_globalcontext(&env, vm);
    started =
        start(vm) && bind_module(enif_make_atom(&env, "gentcp")) && bind_module(enif_make_atom(&env, "gentcp_nif"));
    gt_lock_drop(&lock);
    if (started)
        port = context_new(vm);
    if (port != NULL)
        port->native_handler = end_port;
    return port;
}
