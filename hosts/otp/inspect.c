/* SPDX-License-Identifier: Apache-2.0 */
/* What can be known of sockets, as terms. */
#include "hosts/otp/otp.h"

enum { SOCKETS_MORE = 1000 }; /* that may be opened between counting and listing them */

static ERL_NIF_TERM pair(ErlNifEnv *env, const char *name, uint64_t value) {
    return enif_make_tuple2(env, enif_make_atom(env, name), enif_make_uint64(env, value));
}

ERL_NIF_TERM otp_getstat(ErlNifEnv *env, otp_socket *s) {
    gt_stats stats;
    int status = gt_getstat(&s->socket, &stats);

    if (status < 0)
        return otp_error(env, status);
    return enif_make_tuple2(env, otp_atom.ok,
                            enif_make_list(env, 10, pair(env, "recv_oct", stats.recv_oct),
                                           pair(env, "recv_cnt", stats.recv_cnt), pair(env, "recv_max", stats.recv_max),
                                           pair(env, "recv_avg", stats.recv_avg), pair(env, "recv_dvi", stats.recv_dvi),
                                           pair(env, "send_oct", stats.send_oct), pair(env, "send_cnt", stats.send_cnt),
                                           pair(env, "send_max", stats.send_max), pair(env, "send_avg", stats.send_avg),
                                           pair(env, "send_pend", stats.send_pend)));
}

enum { KEYS_MAX = 8 };

typedef struct map {
    ERL_NIF_TERM keys[KEYS_MAX], values[KEYS_MAX];
    size_t size;
} map;

static void put(ErlNifEnv *env, map *m, const char *key, ERL_NIF_TERM value) {
    m->keys[m->size] = enif_make_atom(env, key);
    m->values[m->size++] = value;
}

static ERL_NIF_TERM map_term(ErlNifEnv *env, map *m) {
    ERL_NIF_TERM term;

    (void)enif_make_map_from_arrays(env, m->keys, m->values, m->size, &term);
    return term;
}

static const char *family_name(int family) {
    return family == AF_INET6 ? "inet6" : family == AF_UNIX ? "local" : "inet";
}

ERL_NIF_TERM otp_info(ErlNifEnv *env, otp_socket *s) {
    static const char *const states[] = {
        [GT_NEW] = "closed",          [GT_CONNECTING] = "connecting", [GT_CONNECTED] = "connected",
        [GT_LISTENING] = "listening", [GT_ENDED] = "ended",           [GT_CLOSING] = "closing",
        [GT_SHUT] = "closed",
    };
    ERL_NIF_TERM owner = enif_make_atom(env, "undefined");
    map m = {.size = 0};
    gt_info info;

    gt_get_info(&s->socket, &info);
    gt_lock_take(&s->socket.lock);
    if (s->monitored)
        owner = enif_make_pid(env, &s->owner);
    gt_lock_drop(&s->socket.lock);
    put(env, &m, "state", enif_make_atom(env, states[info.state]));
    put(env, &m, "domain", enif_make_atom(env, family_name(info.family)));
    put(env, &m, "owner", owner);
    put(env, &m, "recv_queue", enif_make_uint64(env, info.input));
    put(env, &m, "send_queue", enif_make_uint64(env, info.output));
    put(env, &m, "readers", enif_make_uint64(env, info.readers));
    put(env, &m, "writers", enif_make_uint64(env, info.senders + info.files));
    put(env, &m, "busy", otp_bool(info.congested));
    return map_term(env, &m);
}

ERL_NIF_TERM otp_totals_term(ErlNifEnv *env) {
    otp_totals totals = otp_poller_totals();
    map m = {.size = 0};

    put(env, &m, "sockets", enif_make_uint64(env, totals.sockets));
    put(env, &m, "recv_oct", enif_make_uint64(env, totals.recv_oct));
    put(env, &m, "recv_cnt", enif_make_uint64(env, totals.recv_cnt));
    put(env, &m, "send_oct", enif_make_uint64(env, totals.send_oct));
    put(env, &m, "send_cnt", enif_make_uint64(env, totals.send_cnt));
    put(env, &m, "runs", enif_make_uint64(env, totals.runs));
    return map_term(env, &m);
}

ERL_NIF_TERM otp_sockets(ErlNifEnv *env) {
    ERL_NIF_TERM list = enif_make_list(env, 0);
    size_t room = otp_poller_list(NULL, 0) + SOCKETS_MORE;
    otp_socket **sockets = enif_alloc(room * sizeof(otp_socket *));
    size_t count;

    if (sockets == NULL)
        return list;
    count = otp_poller_list(sockets, room);
    for (size_t i = 0; i < count && i < room; i++) {
        list = enif_make_list_cell(env, otp_socket_term(env, sockets[i]), list);
        enif_release_resource(sockets[i]);
    }
    enif_free(sockets);
    return list;
}
