/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's view of Erlang: results and messages become terms and are sent, owners are monitored.
 *
 * Messages are built in the runner's heap, or in the thread's own environment, and copied from there at their exact
 * size. Who sends those to owners is decided in outbox.c. */
#include <string.h>

#include "hosts/otp/otp.h"

enum {
    SPARES = 64,        /* ops that a thread keeps: 4 KB */
    RUNNER_DATA = 2048, /* bytes of a message that is built in the runner's heap; a list takes sixteen times as much */
};

ErlNifResourceType *otp_socket_type;

static otp_socket *of(gt_socket *socket) {
    return (otp_socket *)socket;
}

static bool same(const ErlNifPid *a, const ErlNifPid *b) {
    return enif_compare_pids(a, b) == 0;
}

/* ---- tags ---- */

bool otp_is_tag(ErlNifEnv *env, ERL_NIF_TERM term) {
    ErlNifSInt64 number;

    return enif_get_int64(env, term, &number) || enif_is_ref(env, term);
}

/* Only an environment can keep a term, and one takes 2.5 KB: mostly, callers take a number. */
static bool keep_tag(ErlNifEnv *env, otp_tag *out, ERL_NIF_TERM term) {
    if (enif_get_int64(env, term, &out->number))
        return true;
    out->env = enif_alloc_env();
    if (out->env == NULL)
        return false;
    out->ref = enif_make_copy(out->env, term);
    return true;
}

static bool same_tag(ErlNifEnv *env, const otp_tag *tag, ERL_NIF_TERM term) {
    ErlNifSInt64 number;

    if (tag->env != NULL)
        return enif_compare(tag->ref, term) == 0;
    return enif_get_int64(env, term, &number) && number == tag->number;
}

static ERL_NIF_TERM tag_term(ErlNifEnv *env, const otp_tag *tag) {
    return tag->env != NULL ? enif_make_copy(env, tag->ref) : enif_make_int64(env, tag->number);
}

/* ---- ops ---- */

otp_op *otp_op_new(ErlNifEnv *env, uint8_t kind, ERL_NIF_TERM tag) {
    otp_thread *thread = otp_this_thread();
    otp_op *op = thread->spares;

    if (op != NULL) {
        thread->spares = (otp_op *)op->op.next;
        thread->spare_count--;
    } else {
        op = enif_alloc(sizeof *op);
    }
    if (op == NULL)
        return NULL;
    *op = (otp_op){.op = {.kind = kind}};
    if (!keep_tag(env, &op->tag, tag)) {
        enif_free(op);
        return NULL;
    }
    (void)enif_self(env, &op->caller);
    return op;
}

static void free_file(gt_file *file) {
    if (file == NULL)
        return;
    if (file->fd >= 0)
        gt_sys_close(file->fd);
    enif_free(file);
}

void otp_op_free(otp_op *op) {
    otp_thread *thread = otp_this_thread();

    if (op->tag.env != NULL)
        enif_free_env(op->tag.env);
    if (op->op.kind == GT_OP_SENDFILE)
        free_file(op->op.file);
    if (thread->spare_count < SPARES) {
        op->op.next = (gt_op *)thread->spares;
        thread->spares = op;
        thread->spare_count++;
    } else {
        enif_free(op);
    }
}

void otp_call_begin(ErlNifEnv *env, const otp_op *op) {
    otp_thread *thread = otp_this_thread();

    thread->call_op = op;
    thread->call_env = env;
    thread->call_result = otp_atom.cancelled;
}

ERL_NIF_TERM otp_call_answer(ErlNifEnv *env, otp_op *op, int status) {
    otp_thread *thread = otp_this_thread();

    thread->call_op = NULL;
    if (status == 0)
        return thread->call_result;
    if (status == GT_PENDING)
        return otp_atom.wait;
    otp_op_free(op);
    return otp_error(env, status);
}

static otp_op *find_op(ErlNifEnv *env, const gt_op_list *list, ERL_NIF_TERM tag) {
    gt_op *op = list->first;

    while (op != NULL && !same_tag(env, &((otp_op *)op)->tag, tag))
        op = op->next;
    return (otp_op *)op;
}

bool otp_cancel(ErlNifEnv *env, otp_socket *s, ERL_NIF_TERM tag) {
    otp_op *op;
    bool cancelled;

    gt_lock_take(&s->socket.lock);
    op = find_op(env, &s->socket.readers, tag);
    if (op == NULL)
        op = find_op(env, &s->socket.writers, tag);
    if (op != NULL)
        op->op.pinned = true;
    gt_lock_drop(&s->socket.lock);
    if (op == NULL)
        return false;
    /* What has arrived is in time, though the poller hasn't reported it yet: a timeout of 0 asks for just that. */
    if (op->op.kind == GT_OP_RECV || op->op.kind == GT_OP_ACCEPT)
        gt_ready(&s->socket, GT_READABLE);
    cancelled = gt_cancel(&s->socket, &op->op);
    otp_op_free(op);
    return cancelled;
}

/* ---- owners ---- */

static void forget_owner(otp_socket *s) {
    if (s->monitored)
        (void)enif_demonitor_process(NULL, s, &s->monitor);
    s->monitored = false;
}

/* Makes a process the owner of a socket that has none. False: it is dead. */
static bool adopt(otp_socket *s, const ErlNifPid *owner) {
    s->owner = *owner;
    s->monitored = enif_monitor_process(NULL, s, owner, &s->monitor) == 0;
    return s->monitored;
}

/* What gt_reown passes as `to`. */
typedef struct new_owner {
    ErlNifPid pid;
    ErlNifEnv *env;
    ERL_NIF_TERM messages; /* a list */
} new_owner;

static void send_all(otp_socket *s, const ErlNifPid *to, ErlNifEnv *env, ERL_NIF_TERM messages) {
    ERL_NIF_TERM message;

    while (enif_get_list_cell(env, messages, &message, &messages))
        (void)otp_send_ordered(s, to, NULL, message);
}

/* The owner, its monitor and its messages change together, so that a death before or after finds nothing half done. */
static int reown(gt_socket *socket, const void *from, const void *to) {
    otp_socket *s = of(socket);
    const new_owner *owner = to;
    ErlNifMonitor monitor;

    if (!same(from, &s->owner))
        return GT_NOT_OWNER;
    if (enif_monitor_process(NULL, s, &owner->pid, &monitor) != 0)
        return GT_BADARG;
    forget_owner(s);
    s->owner = owner->pid;
    s->monitor = monitor;
    s->monitored = true;
    send_all(s, &owner->pid, owner->env, owner->messages);
    return 0;
}

void otp_owner_down(ErlNifEnv *env, void *socket, ErlNifPid *owner, ErlNifMonitor *monitor) {
    otp_socket *s = socket;
    bool orphaned;

    (void)env;
    (void)monitor;
    gt_lock_take(&s->socket.lock);
    orphaned = s->monitored && same(owner, &s->owner);
    if (orphaned)
        s->monitored = false;
    gt_lock_drop(&s->socket.lock);
    if (orphaned)
        (void)gt_close(&s->socket, NULL);
}

int otp_hand_over(otp_socket *s, const ErlNifPid *from, const ErlNifPid *to) {
    bool open, owned, unchanged;
    int error;

    gt_lock_take(&s->socket.lock);
    open = s->socket.state != GT_CLOSING && s->socket.state != GT_SHUT;
    owned = same(from, &s->owner);
    unchanged = same(to, &s->owner);
    gt_lock_drop(&s->socket.lock);
    if (!open)
        return GT_CLOSED;
    if (unchanged)
        return 0;
    if (!owned)
        return GT_NOT_OWNER;
    if (!enif_is_process_alive(NULL, (ErlNifPid *)to))
        return GT_BADARG;
    error = gt_pause(&s->socket);
    return error != 0 ? error : GT_PENDING;
}

int otp_pass_on(otp_socket *s, ErlNifEnv *env, const ErlNifPid *from, const ErlNifPid *to, ERL_NIF_TERM messages) {
    new_owner owner = {.pid = *to, .env = env, .messages = messages};
    int error = gt_reown(&s->socket, from, &owner, s->socket.watch.poller);

    if (error != 0) {
        send_all(s, from, env, messages);
        gt_resume(&s->socket);
    }
    return error;
}

/* ---- sockets ---- */

ERL_NIF_TERM otp_socket_term(ErlNifEnv *env, otp_socket *socket) {
    return enif_make_tuple3(env, otp_atom.inet_tag, otp_atom.module, enif_make_resource(env, socket));
}

static otp_socket *new_socket(otp_poller *poller) {
    otp_socket *s = enif_alloc_resource(otp_socket_type, sizeof *s);

    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    gt_socket_init(&s->socket, &otp_host, otp_poller_of(poller));
    return s;
}

otp_socket *otp_socket_new(const ErlNifPid *owner) {
    otp_poller *poller = otp_poller_take();
    otp_socket *s;

    if (poller == NULL)
        return NULL;
    s = new_socket(poller);
    if (s == NULL)
        otp_poller_drop(poller);
    else
        (void)adopt(s, owner);
    return s;
}

void otp_socket_gone(ErlNifEnv *env, void *socket) {
    otp_socket *s = socket;

    (void)env;
    gt_socket_fini(&s->socket);
    otp_poller_drop(otp_poller_that_watches(&s->socket));
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    otp_socket *l = of(listener);
    otp_poller *poller = otp_poller_that_watches(listener);
    otp_socket *s = new_socket(poller);

    (void)op;
    if (s == NULL)
        return NULL;
    otp_poller_keep(poller);
    s->shape = l->shape;
    return &s->socket;
}

static void keep(gt_socket *socket) {
    enif_keep_resource(of(socket));
    otp_poller_enlist(of(socket));
}

static void let_go(gt_socket *socket) {
    enif_release_resource(of(socket));
}

static void closed(gt_socket *socket) {
    forget_owner(of(socket));
    otp_poller_delist(of(socket));
    otp_monitors_down(of(socket));
}

static int set_option(gt_socket *socket, const gt_option *option) {
    return otp_shape_set(&of(socket)->shape, option);
}

static int get_option(gt_socket *socket, gt_option *option) {
    return otp_shape_get(&of(socket)->shape, option);
}

/* ---- results and messages ---- */

static bool abandoned(gt_socket *socket, gt_op *op) {
    (void)socket;
    return !enif_is_process_alive(NULL, &((otp_op *)op)->caller);
}

static ERL_NIF_TERM http_term(ErlNifEnv *env, const otp_socket *s, const gt_http *http) {
    uint8_t type = s->socket.settings.framing.type;

    return otp_http_term(env, http, type == GT_PACKET_HTTP_BIN || type == GT_PACKET_HTTPH_BIN);
}

/* Option header: [Byte, Byte, … | Binary], of a binary that is at least so long; else all of it as a list. */
static ERL_NIF_TERM with_header(ErlNifEnv *env, ERL_NIF_TERM binary, const gt_data *data, size_t header) {
    ERL_NIF_TERM list;

    if (header == 0)
        return binary;
    if (header > data->size)
        return enif_make_string_len(env, (const char *)data->bytes, data->size, ERL_NIF_LATIN1);
    list = enif_make_sub_binary(env, binary, header, data->size - header);
    while (header-- > 0)
        list = enif_make_list_cell(env, enif_make_uint(env, data->bytes[header]), list);
    return list;
}

/* {list, Binary} tells the caller to make a list of it: that takes time, and the caller's BIF can be preempted.
 * {Header, Binary}: likewise of its beginning. */
static ERL_NIF_TERM received(ErlNifEnv *env, otp_socket *s, const gt_data *data, ERL_NIF_TERM *binary) {
    *binary = otp_atom.ok;
    if (data->http != NULL)
        return enif_make_tuple2(env, otp_atom.ok, http_term(env, s, data->http));
    *binary = otp_data_binary(env, data);
    if (data->buffer != NULL)
        (void)otp_note_read(s, data);
    if (s->shape.mode == GT_MODE_LIST)
        return enif_make_tuple2(env, otp_atom.list, *binary);
    return enif_make_tuple2(env, s->shape.header == 0 ? otp_atom.ok : enif_make_uint(env, s->shape.header), *binary);
}

/* Where a message with so much data is built. In the heap of the runner, while it runs the poller: there it costs no
 * allocation, and its garbage collection, which finds next to nothing alive, frees hundreds at once. Large data would
 * stay in memory until then, so it goes through the thread's environment, which build_end clears at once. */
static ErlNifEnv *build_begin(size_t size) {
    otp_thread *thread = otp_this_thread();

    return thread->run_env != NULL && size <= RUNNER_DATA ? thread->run_env : thread->env;
}

static void build_end(ErlNifEnv *env) {
    if (env == otp_this_thread()->env)
        enif_clear_env(env);
}

static bool complete(gt_socket *socket, gt_op *base, const gt_result *result) {
    otp_thread *thread = otp_this_thread();
    otp_op *op = (otp_op *)base;
    bool direct = thread->call_op == op;
    ErlNifEnv *env = direct ? thread->call_env : build_begin(result->data.size);
    bool has_data = base->kind == GT_OP_RECV && result->status == 0;
    bool has_connection = base->kind == GT_OP_ACCEPT && result->status == 0;
    int status = result->status;
    bool taken = true;
    ERL_NIF_TERM answer, binary;

    if (has_connection &&
        (otp_poller_stopped(otp_poller_that_watches(socket)) || !adopt(of(result->accepted), &op->caller))) {
        status = GT_CLOSED;
        taken = false;
    }
    if (status != 0)
        answer = otp_error(env, status);
    else if (has_data)
        answer = received(env, of(socket), &result->data, &binary);
    else if (has_connection)
        answer = enif_make_tuple2(env, otp_atom.ok, otp_socket_term(env, of(result->accepted)));
    else if (base->kind == GT_OP_SENDFILE)
        answer = enif_make_tuple2(env, otp_atom.ok, enif_make_uint64(env, base->file->sent));
    else
        answer = otp_atom.ok;
    if (direct)
        thread->call_result = answer;
    else
        taken = enif_send(thread->run_env, &op->caller, NULL,
                          enif_make_tuple3(env, otp_atom.reply, tag_term(env, &op->tag), answer)) != 0 &&
                taken;
    if (has_data && !direct && thread->run_env == NULL)
        otp_note_fragment(of(socket));
    if (has_data && taken)
        otp_data_taken(&result->data);
    else if (has_data)
        otp_data_kept(&result->data, binary);
    build_end(env);
    if (!op->op.pinned)
        otp_op_free(op);
    return taken;
}

static ERL_NIF_TERM message_term(ErlNifEnv *env, otp_socket *s, const gt_message *m, ERL_NIF_TERM data) {
    ERL_NIF_TERM socket = otp_socket_term(env, s);

    switch (m->kind) {
    case GT_TCP:
        if (s->shape.deliver == GT_DELIVER_PORT)
            return enif_make_tuple2(env, socket, enif_make_tuple2(env, otp_atom.data, data));
        return enif_make_tuple3(env, m->data.http != NULL ? otp_atom.http : otp_atom.tcp, socket, data);
    case GT_TCP_CLOSED:
        return enif_make_tuple2(env, otp_atom.tcp_closed, socket);
    case GT_TCP_PASSIVE:
        return enif_make_tuple2(env, otp_atom.tcp_passive, socket);
    default:
        return enif_make_tuple3(env, otp_atom.tcp_error, socket, enif_make_atom(env, gt_error_name(m->reason)));
    }
}

static int deliver(gt_socket *socket, const gt_message *m) {
    otp_socket *s = of(socket);
    ErlNifEnv *env = build_begin(m->data.size);
    /* {deliver, port}: as inet does, the line itself */
    bool as_http = m->kind == GT_TCP && m->data.http != NULL && s->shape.deliver == GT_DELIVER_TERM;
    bool as_list = m->kind == GT_TCP && !as_http && s->shape.mode == GT_MODE_LIST;
    bool as_binary = m->kind == GT_TCP && !as_http && s->shape.mode == GT_MODE_BINARY;
    bool collects = as_binary && m->data.buffer != NULL && otp_note_read(s, &m->data);
    ERL_NIF_TERM data = otp_atom.ok;
    ERL_NIF_TERM binary = data;
    bool taken;

    if (as_http)
        data = http_term(env, s, m->data.http);
    else if (as_list)
        data = enif_make_string_len(env, (const char *)m->data.bytes, m->data.size, ERL_NIF_LATIN1);
    else if (as_binary)
        data = with_header(env, binary = otp_data_binary(env, &m->data), &m->data, s->shape.header);
    if (collects)
        otp_collect_after_receiving(env);
    taken = otp_send_ordered(s, &s->owner, collects ? env : NULL, message_term(env, s, m, data));
    if (as_binary && taken)
        otp_data_taken(&m->data);
    else if (as_binary)
        otp_data_kept(&m->data, binary);
    else if (as_list && taken && m->data.buffer != NULL)
        otp_buffer_free(m->data.buffer);
    build_end(env);
    return taken ? 0 : GT_CLOSED;
}

const gt_host otp_host = {
    .name = "otp",
    .complete = complete,
    .abandoned = abandoned,
    .deliver = deliver,
    .reown = reown,
    .create = create,
    .keep = keep,
    .let_go = let_go,
    .closed = closed,
    .set_option = set_option,
    .get_option = get_option,
    .buffer_new = otp_buffer_new,
    .buffer_resize = otp_buffer_resize,
    .buffer_free = otp_buffer_free,
    .scratch = otp_scratch,
    .hold = otp_hold,
    .segment_free = otp_segment_free,
};
