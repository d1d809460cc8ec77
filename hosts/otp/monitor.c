/* SPDX-License-Identifier: Apache-2.0 */
/* Monitors of sockets. A monitor is a resource, and so a reference in Erlang by itself: the message can be made, and
 * the monitor be found and taken back, without keeping a term. */
#include <errno.h>

#include "hosts/otp/otp.h"

typedef struct otp_monitor {
    otp_socket *socket; /* with a reference; NULL: no longer on its list. This and what follows: guarded by `lock` */
    struct otp_monitor *next;
    struct otp_monitor **previous; /* what points here */
    ErlNifPid watcher;
    ErlNifMonitor death; /* the watcher's */
} otp_monitor;

static ErlNifResourceType *monitor_type;

/* Taken inside a socket's lock, and nothing is called while it is held. */
static gt_lock lock = GT_LOCK_INIT;

/* Takes a monitor off its socket's list, with that list's reference to it. Returns the socket, with the monitor's
 * reference; NULL: it was off already. */
static otp_socket *unlink_monitor(otp_monitor *m) {
    otp_socket *s = m->socket;

    if (s == NULL)
        return NULL;
    *m->previous = m->next;
    if (m->next != NULL)
        m->next->previous = m->previous;
    m->socket = NULL;
    return s;
}

/* Takes a monitor off without a message. False: it was off already. */
static bool forget(otp_monitor *m) {
    otp_socket *s;

    gt_lock_take(&lock);
    s = unlink_monitor(m);
    gt_lock_drop(&lock);
    if (s == NULL)
        return false;
    enif_release_resource(s);
    enif_release_resource(m);
    return true;
}

static void watcher_down(ErlNifEnv *env, void *monitor, ErlNifPid *watcher, ErlNifMonitor *death) {
    (void)env;
    (void)watcher;
    (void)death;
    (void)forget(monitor);
}

static void gone(ErlNifEnv *env, void *monitor) {
    (void)env;
    (void)monitor;
}

bool otp_monitors_start(ErlNifEnv *env) {
    ErlNifResourceTypeInit callbacks = {.dtor = gone, .down = watcher_down};
    ErlNifResourceType *type =
        enif_open_resource_type_x(env, "gentcp_monitor", &callbacks, ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER, NULL);

    if (type == NULL)
        return false;
    monitor_type = type;
    return true;
}

static void send_down(otp_monitor *m, otp_socket *s, ERL_NIF_TERM reason) {
    ErlNifEnv *env = otp_this_thread()->env;

    (void)enif_send(NULL, &m->watcher, NULL,
                    enif_make_tuple5(env, otp_atom.down, enif_make_resource(env, m), otp_atom.socket,
                                     otp_socket_term(env, s), reason));
    enif_clear_env(env);
}

void otp_monitors_down(otp_socket *s) {
    for (;;) {
        otp_monitor *m;

        gt_lock_take(&lock);
        m = s->monitors;
        if (m != NULL)
            (void)unlink_monitor(m);
        gt_lock_drop(&lock);
        if (m == NULL)
            return;
        (void)enif_demonitor_process(NULL, m, &m->death);
        send_down(m, s, otp_atom.closed);
        enif_release_resource(s);
        enif_release_resource(m);
    }
}

/* Puts a monitor on the list. False: the socket is closed. */
static bool enlist(otp_monitor *m, otp_socket *s) {
    bool open;

    gt_lock_take(&s->socket.lock);
    open = s->socket.state != GT_SHUT;
    if (open) {
        gt_lock_take(&lock);
        enif_keep_resource(s);
        enif_keep_resource(m);
        m->socket = s;
        m->next = s->monitors;
        m->previous = &s->monitors;
        if (m->next != NULL)
            m->next->previous = &m->next;
        s->monitors = m;
        gt_lock_drop(&lock);
    }
    gt_lock_drop(&s->socket.lock);
    return open;
}

ERL_NIF_TERM otp_monitor_new(ErlNifEnv *env, otp_socket *s) {
    otp_monitor *m = enif_alloc_resource(monitor_type, sizeof *m);
    ERL_NIF_TERM reference;

    if (m == NULL)
        return otp_error(env, -ENOMEM);
    *m = (otp_monitor){0};
    (void)enif_self(env, &m->watcher);
    /* Before it can be found: nobody writes `death` any more then. If the watcher dies now, it is on no list yet. */
    if (enif_monitor_process(env, m, &m->watcher, &m->death) == 0 && !enlist(m, s)) {
        (void)enif_demonitor_process(env, m, &m->death);
        send_down(m, s, otp_atom.nosock);
    }
    reference = enif_make_resource(env, m);
    enif_release_resource(m);
    return reference;
}

int otp_monitor_cancel(ErlNifEnv *env, ERL_NIF_TERM reference) {
    otp_monitor *m;
    ErlNifPid self;
    void *found;

    if (!enif_get_resource(env, reference, monitor_type, &found))
        return 0;
    m = found;
    if (enif_compare_pids(enif_self(env, &self), &m->watcher) != 0)
        return GT_NOT_OWNER;
    if (!forget(m))
        return 0;
    (void)enif_demonitor_process(env, m, &m->death);
    return 1;
}
