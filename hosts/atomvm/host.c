/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's view of AtomVM: results and messages become terms, sockets are resources. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/atomvm/avm.h"

static ErlNifResourceType *socket_type;
static term socket_tag;

static avm_socket *of(gt_socket *socket) {
    return (avm_socket *)socket;
}

/* ---- sockets ---- */

/* When AtomVM ends it frees all resources and binaries, in an order of its own: buffers may have gone before. */
static void socket_gone(ErlNifEnv *env, void *resource) {
    avm_socket *s = resource;

    (void)env;
    if (!avm_vm->scheduler_stop_all)
        gt_socket_fini(&s->socket);
}

bool avm_sockets_start(ErlNifEnv *env) {
    ErlNifResourceTypeInit callbacks = {.members = 1, .dtor = socket_gone};

    socket_tag = enif_make_atom(env, "$avm_gen_tcp");
    socket_type = enif_init_resource_type(env, "gentcp_socket", &callbacks, ERL_NIF_RT_CREATE, NULL);
    return socket_type != NULL && avm_owners_start(env);
}

static avm_socket *new_socket(void) {
    avm_socket *s = enif_alloc_resource(socket_type, sizeof *s);

    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    gt_socket_init(&s->socket, &avm_host, avm_poller());
    return s;
}

avm_socket *avm_socket_new(int32_t owner) {
    avm_socket *s = new_socket();
    int status;

    if (s == NULL)
        return NULL;
    gt_lock_take(&s->socket.lock);
    status = avm_set_owner(s, owner);
    gt_lock_drop(&s->socket.lock);
    if (status == 0)
        return s;
    enif_release_resource(s);
    return NULL;
}

avm_socket *avm_socket_of(ErlNifEnv *env, term handle) {
    void *socket;

    return enif_get_resource(env, handle, socket_type, &socket) ? socket : NULL;
}

term avm_handle_term(ErlNifEnv *env, avm_socket *s) {
    if (!avm_room(env, TERM_BOXED_REFERENCE_RESOURCE_SIZE))
        abort();
    return term_from_resource(s, &env->heap);
}

term avm_socket_term(ErlNifEnv *env, avm_socket *s) {
    return enif_make_tuple3(env, socket_tag, avm_handle_term(env, s), otp_atom.module);
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    avm_socket *l = of(listener);
    avm_socket *s = new_socket();

    (void)op;
    if (s == NULL)
        return NULL;
    s->shape = l->shape;
    return &s->socket;
}

static void keep(gt_socket *socket) {
    enif_keep_resource(of(socket));
}

static void let_go(gt_socket *socket) {
    enif_release_resource(of(socket));
}

static void closed(gt_socket *socket) {
    avm_forget_owner(of(socket));
}

static int set_option(gt_socket *socket, const gt_option *option) {
    return otp_shape_set(&of(socket)->shape, option);
}

static int get_option(gt_socket *socket, gt_option *option) {
    return otp_shape_get(&of(socket)->shape, option);
}

/* ---- ops ---- */

/* The call that this thread is in. */
static _Thread_local struct {
    const avm_op *op; /* NULL: none, or none that could be answered directly */
    Context *ctx;
    term answer;
} this_call;

avm_op *avm_op_new(Context *ctx, uint8_t kind, term ref) {
    avm_op *op = malloc(sizeof *op);

    if (op != NULL)
        *op = (avm_op){.op = {.kind = kind}, .ref = term_to_ref_ticks(ref), .caller = ctx->process_id};
    return op;
}

void avm_call_begin(Context *ctx, const avm_op *op) {
    this_call.op = op;
    this_call.ctx = ctx;
}

term avm_call_answer(Context *ctx, avm_op *op, int status) {
    this_call.op = NULL;
    if (status == 0)
        return this_call.answer;
    if (status == GT_PENDING)
        return otp_atom.wait;
    free(op);
    return otp_error(erl_nif_env_from_context(ctx), status);
}

static avm_op *find_op(const gt_op_list *list, uint64_t ref) {
    gt_op *op = list->first;

    while (op != NULL && ((avm_op *)op)->ref != ref)
        op = op->next;
    return (avm_op *)op;
}

bool avm_cancel(avm_socket *s, uint64_t ref) {
    avm_op *op;
    bool cancelled;

    gt_lock_take(&s->socket.lock);
    op = find_op(&s->socket.readers, ref);
    if (op == NULL)
        op = find_op(&s->socket.writers, ref);
    if (op != NULL)
        op->op.pinned = true;
    gt_lock_drop(&s->socket.lock);
    if (op == NULL)
        return false;
    /* What has arrived is in time, though the poller hasn't reported it yet: a timeout of 0 asks for just that. */
    if (op->op.kind == GT_OP_RECV || op->op.kind == GT_OP_ACCEPT)
        gt_ready(&s->socket, GT_READABLE);
    cancelled = gt_cancel(&s->socket, &op->op);
    free(op);
    return cancelled;
}

static bool abandoned(gt_socket *socket, gt_op *op) {
    (void)socket;
    return !globalcontext_process_exists(avm_vm, ((avm_op *)op)->caller);
}

/* ---- results ---- */

enum {
    ERROR_WORDS = TUPLE_SIZE(2),
    REPLY_WORDS = TUPLE_SIZE(3) + REF_SIZE,
    OK_WORDS = TUPLE_SIZE(2) + BOXED_INT64_SIZE, /* and room for a number */
};

/* The words that `answer` takes; 0: not known. */
static size_t answer_words(const avm_socket *s, const gt_op *op, const gt_result *result) {
    size_t words;

    if (op->kind == GT_OP_ACCEPT)
        return OK_WORDS + TERM_BOXED_REFERENCE_RESOURCE_SIZE;
    if (op->kind != GT_OP_RECV)
        return OK_WORDS;
    words = avm_data_words(s, &result->data, result->data.http != NULL);
    return words == 0 || words == SIZE_MAX ? words : words + OK_WORDS;
}

/* An invalid term: no memory. */
static term answer(ErlNifEnv *env, avm_socket *s, const gt_op *op, const gt_result *result) {
    term value;

    switch (op->kind) {
    case GT_OP_RECV:
        value = avm_data_term(env, s, &result->data, result->data.http != NULL);
        break;
    case GT_OP_ACCEPT:
        value = avm_handle_term(env, of(result->accepted));
        break;
    default:
        return otp_atom.ok;
    }
    return term_is_invalid_term(value) ? value : enif_make_tuple2(env, otp_atom.ok, value);
}

/* The caller is in this thread's call: it gets the answer from avm_call_answer. */
static bool answer_directly(avm_socket *s, const avm_op *op, const gt_result *result, int status) {
    ErlNifEnv *env = erl_nif_env_from_context(this_call.ctx);
    size_t words = status == 0 ? answer_words(s, &op->op, result) : ERROR_WORDS;
    term value = term_invalid_term();

    if (avm_room(env, words))
        value = status == 0 ? answer(env, s, &op->op, result) : otp_error(env, status);
    this_call.answer = term_is_invalid_term(value) ? otp_error(env, -ENOMEM) : value;
    return !term_is_invalid_term(value);
}

static term reply(ErlNifEnv *env, const avm_op *op, term value) {
    return enif_make_tuple3(env, otp_atom.reply, term_from_ref_ticks(op->ref, &env->heap), value);
}

/* The caller waits for a message. 0, or what avm_letter_send returns. */
static int answer_by_letter(avm_socket *s, const avm_op *op, const gt_result *result, int status) {
    size_t words = status == 0 ? answer_words(s, &op->op, result) : ERROR_WORDS;
    avm_letter letter;
    term value;

    if (!avm_letter_begin(&letter, words == 0 || words == SIZE_MAX ? words : words + REPLY_WORDS))
        return -ENOMEM;
    value = status == 0 ? answer(&letter.env, s, &op->op, result) : otp_error(&letter.env, status);
    if (term_is_invalid_term(value) || !avm_room(&letter.env, REPLY_WORDS)) {
        avm_letter_drop(&letter);
        return -ENOMEM;
    }
    return avm_letter_send(&letter, op->caller, reply(&letter.env, op, value));
}

static bool complete(gt_socket *socket, gt_op *base, const gt_result *result) {
    avm_op *op = (avm_op *)base;
    bool taken = true;
    int status = result->status;

    if (status == 0 && base->kind == GT_OP_ACCEPT) {
        int adopted = avm_set_owner(of(result->accepted), op->caller);
        taken = adopted == 0;
        status = adopted == GT_BADARG ? GT_CLOSED : adopted;
    }
    if (this_call.op == op) {
        taken = answer_directly(of(socket), op, result, status) && taken;
    } else {
        int sent = answer_by_letter(of(socket), op, result, status);
        if (sent == -ENOMEM && status == 0) /* an error is small */
            (void)answer_by_letter(of(socket), op, result, -ENOMEM);
        taken = sent == 0 && taken;
    }
    if (status == 0 && taken && base->kind == GT_OP_RECV)
        avm_data_taken(&result->data);
    if (!op->op.pinned)
        free(op);
    return taken;
}

/* ---- messages ---- */

static term message_term(ErlNifEnv *env, avm_socket *s, const gt_message *m, bool as_http) {
    term socket = avm_socket_term(env, s);
    term data;

    switch (m->kind) {
    case GT_TCP:
        data = avm_data_term(env, s, &m->data, as_http);
        if (term_is_invalid_term(data))
            return data;
        if (s->shape.deliver == GT_DELIVER_PORT)
            return enif_make_tuple2(env, socket, enif_make_tuple2(env, otp_atom.data, data));
        return enif_make_tuple3(env, as_http ? otp_atom.http : otp_atom.tcp, socket, data);
    case GT_TCP_CLOSED:
        return enif_make_tuple2(env, otp_atom.tcp_closed, socket);
    case GT_TCP_PASSIVE:
        return enif_make_tuple2(env, otp_atom.tcp_passive, socket);
    default:
        return enif_make_tuple3(env, otp_atom.tcp_error, socket, enif_make_atom(env, gt_error_name(m->reason)));
    }
}

static int deliver(gt_socket *socket, const gt_message *m) {
    enum { WORDS = AVM_SOCKET_WORDS + 2 * TUPLE_SIZE(2) }; /* also enough for a tuple of 3 */
    avm_socket *s = of(socket);
    /* {deliver, port}: as inet does, the line itself */
    bool as_http = m->kind == GT_TCP && m->data.http != NULL && s->shape.deliver == GT_DELIVER_TERM;
    size_t words = m->kind == GT_TCP ? avm_data_words(s, &m->data, as_http) : 1;
    avm_letter letter;
    term message;
    int status;

    if (!avm_letter_begin(&letter, words == 0 || words == SIZE_MAX ? words : words + WORDS))
        return -ENOMEM;
    message = message_term(&letter.env, s, m, as_http);
    if (term_is_invalid_term(message)) {
        avm_letter_drop(&letter);
        return -ENOMEM;
    }
    status = avm_letter_send(&letter, s->owner, message);
    if (status == 0 && m->kind == GT_TCP)
        avm_data_taken(&m->data);
    return status;
}

/* ---- hand-over ---- */

/* What gt_reown passes as `to`. */
typedef struct new_owner {
    int32_t process;
    term messages; /* a list */
} new_owner;

static void send_all(int32_t to, term messages) {
    for (; term_is_nonempty_list(messages); messages = term_get_list_tail(messages))
        (void)avm_send_copy(to, term_get_list_head(messages));
}

/* The owner, its watch and its messages change together, so that a death before or after finds nothing half done. */
static int reown(gt_socket *socket, const void *from, const void *to) {
    const new_owner *owner = to;
    int status;

    if (*(const int32_t *)from != of(socket)->owner)
        return GT_NOT_OWNER;
    status = avm_set_owner(of(socket), owner->process);
    if (status == 0)
        send_all(owner->process, owner->messages);
    return status;
}

int avm_hand_over(avm_socket *s, int32_t from, int32_t to) {
    bool open, owned, unchanged;
    int error;

    gt_lock_take(&s->socket.lock);
    open = s->socket.state != GT_CLOSING && s->socket.state != GT_SHUT;
    owned = from == s->owner;
    unchanged = to == s->owner;
    gt_lock_drop(&s->socket.lock);
    if (!open)
        return GT_CLOSED;
    if (unchanged)
        return 0;
    if (!owned)
        return GT_NOT_OWNER;
    if (!globalcontext_process_exists(avm_vm, to))
        return GT_BADARG;
    error = gt_pause(&s->socket);
    return error != 0 ? error : GT_PENDING;
}

int avm_pass_on(avm_socket *s, int32_t from, int32_t to, term messages) {
    new_owner owner = {.process = to, .messages = messages};
    int error = gt_reown(&s->socket, &from, &owner, avm_poller());

    if (error != 0) {
        send_all(from, messages);
        gt_resume(&s->socket);
    }
    return error;
}

static const gt_option defaults[] = {{.name = GT_OPT_BUFFER, .number = 512}};

const gt_host avm_host = {
    .name = "atomvm",
    .defaults = defaults,
    .default_count = sizeof defaults / sizeof defaults[0],
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
    .buffer_new = avm_buffer_new,
    .buffer_resize = avm_buffer_resize,
    .buffer_free = avm_buffer_free,
    .scratch = avm_scratch,
    .hold = avm_hold,
    .segment_free = avm_segment_free,
};
