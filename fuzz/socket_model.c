/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/socket_model.h"

#include <errno.h>

#include "test/host_memory.h"

end *model_ends[ENDS];
lane model_lanes[ENDS];
call model_calls[CALLS];
gt_poller *model_pollers[2];

static gt_poller_user user;
static gt_host host;
static unsigned long calls_made;
static int ends_made;

static end *of(gt_socket *socket) {
    return (end *)socket;
}

/* ---- the model ---- */

static bool drains(const end *e) {
    return e->socket.settings.backend == GT_SEND_DRAINS || (e->socket.settings.high == 0 && host.zero_watermark_drains);
}

/* The next packet of all that the peer has sent. */
static enum gt_packet_result next_packet(const end *e, gt_packet *out) {
    return gt_packet_next(&e->socket.settings.framing, model_lanes[e->index].stream + e->from, e->to - e->from, out);
}

/* O: these bytes are the next of the stream, cut as the framing says. Returns how much of the stream they take. */
static size_t check_data(const end *e, const gt_data *data, const gt_op *op) {
    const uint8_t *next = model_lanes[e->index].stream + e->from;
    gt_packet packet = {.size = data->size, .total = data->size};

    CHECK(data->size > 0 || e->socket.settings.framing.type != GT_PACKET_RAW);
    CHECK((data->http != NULL) == gt_packet_is_http(e->socket.settings.framing.type));
    if (e->socket.settings.framing.type != GT_PACKET_RAW)
        CHECK(next_packet(e, &packet) == GT_PACKET_DONE);
    else if (op != NULL && op->length > 0 && !op->at_most)
        CHECK(data->size == op->length);
    else if (e->socket.settings.buffer_set)
        CHECK(data->size <= e->socket.settings.buffer);
    if (op != NULL && op->at_most && e->socket.settings.framing.type == GT_PACKET_RAW)
        CHECK(data->size <= op->length);
    CHECK(packet.total <= e->to - e->from && data->size == packet.size);
    if (data->size > 0)
        CHECK(memcmp(data->bytes, next + packet.start, data->size) == 0);
    if (data->buffer != NULL)
        CHECK(data->bytes >= data->buffer->bytes &&
              data->bytes + data->size <= data->buffer->bytes + data->buffer->size &&
              data->size >= data->buffer->size / 2);
    return packet.total;
}

void model_opened(end *e) {
    const sim_file *file;

    e->fd = e->socket.watch.fd;
    if (e->fd < 0)
        return;
    file = sim_file_of(e->fd);
    memcpy(model_lanes[e->index].stream + e->to, file->in, file->in_size);
    e->to += file->in_size;
}

void model_peer_sent(end *e, size_t size) {
    const sim_file *file = sim_file_of(e->fd);

    memcpy(model_lanes[e->index].stream + e->to, file->in + file->in_size - size, size);
    e->to += size;
    e->reframed &= size == 0;
}

void model_put_back(end *e, const uint8_t *bytes, size_t size) {
    CHECK(size <= e->from);
    e->from -= size;
    memcpy(model_lanes[e->index].stream + e->from, bytes, size);
}

void model_take_back(end *e, size_t size) {
    e->from += size;
}

bool model_takes_data(const gt_socket *s) {
    return s->state == GT_CONNECTED || (s->state == GT_CLOSING && s->writers.first != NULL && !s->write_ended);
}

size_t model_sending(end *e, const struct iovec *parts, int count) {
    uint8_t *to = model_lanes[e->index].sent;
    uint8_t header[GT_PACKET_HEADER_MAX];
    size_t total = 0, start = e->sent_size;
    int length;

    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    length = gt_packet_header(e->socket.settings.framing.type, total, header);
    if (length < 0 || !model_takes_data(&e->socket) || total + (size_t)length > SIM_STREAM - e->sent_size)
        return 0;
    memcpy(to + e->sent_size, header, (size_t)length);
    e->sent_size += (size_t)length;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(to + e->sent_size, parts[i].iov_base, parts[i].iov_len);
        e->sent_size += parts[i].iov_len;
    }
    return e->sent_size - start;
}

/* ---- the host ---- */

static bool memory_fails(enum host_memory kind) {
    static const enum sim_fault faults[] = {[HOST_BUFFER] = SIM_BUFFER,
                                            [HOST_RESIZE] = SIM_RESIZE,
                                            [HOST_SCRATCH] = SIM_SCRATCH,
                                            [HOST_SEGMENT] = SIM_SEGMENT};

    return sim_fails(faults[kind]);
}

static void keep(gt_socket *socket) {
    of(socket)->references++;
}

static void let_go(gt_socket *socket) {
    end *e = of(socket);

    CHECK(e->references > 0);
    if (--e->references > 0)
        return;
    CHECK(socket->state == GT_NEW || socket->state == GT_SHUT); /* L: what is open keeps itself alive */
    CHECK(e->closed_calls == (e->fd >= 0));
    for (int i = 0; i < CALLS; i++)
        CHECK(model_calls[i].on != e || !model_calls[i].op.waiting);
    gt_socket_fini(socket);
    model_ends[e->index] = NULL;
    free(e);
}

static void closed(gt_socket *socket) {
    CHECK(socket->state == GT_SHUT);
    CHECK(++of(socket)->closed_calls == 1);
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    end *e;

    (void)op;
    e = sim_fails(SIM_CREATE) ? NULL : model_new_end(listener->watch.poller);
    if (e == NULL)
        return NULL;
    e->held = false; /* the one reference is the engine's */
    e->fd = 0;       /* it will be opened, whoever gets it */
    return &e->socket;
}

/* O, Q: answered in order. */
static void check_first(const call *c) {
    for (int i = 0; i < CALLS; i++) {
        const call *other = &model_calls[i];
        if (other->on == c->on && other->op.kind == c->op.kind && other->op.waiting)
            CHECK(other->number > c->number);
    }
}

static void check_sent(const call *c) {
    const gt_socket *s = &c->on->socket;

    if (c->status != 0)
        return;
    if (c->pending)
        CHECK(s->output_size <= (drains(c->on) ? 0 : s->settings.low));
    else
        CHECK(s->output == NULL || (!s->congested && !drains(c->on)));
}

static bool complete(gt_socket *socket, gt_op *op, const gt_result *result) {
    call *c = (call *)op;
    end *e = of(socket);

    CHECK(c->on == e && c->completions == 0 && !c->cancelled && !op->waiting);
    CHECK(result->status <= 0 && (result->status != -ECANCELED || c->caller_dead));
    c->completions++;
    c->status = result->status;
    if (op->kind == GT_OP_SEND || op->kind == GT_OP_ACCEPT)
        check_first(c);
    if (op->kind == GT_OP_SEND)
        check_sent(c);
    if (op->kind == GT_OP_CLOSE)
        CHECK(result->status == 0 && socket->state == GT_SHUT);
    if (op->kind == GT_OP_RECV && result->status == 0) {
        size_t taken = check_data(e, &result->data, op);
        CHECK(e->active == GT_PASSIVE);
        if (!c->caller_dead)
            e->from += taken;
    }
    if (c->caller_dead)
        return false;
    if (op->kind == GT_OP_CONNECT && result->status == 0)
        e->connected = true;
    if (result->data.buffer != NULL)
        host_buffer_free(result->data.buffer);
    if (result->accepted != NULL) {
        end *accepted = of(result->accepted);
        CHECK(op->kind == GT_OP_ACCEPT && result->status == 0);
        accepted->active = e->active;
        accepted->count = e->count;
        accepted->held = true;
        accepted->connected = true;
        keep(&accepted->socket);
        model_opened(accepted);
    }
    return true;
}

static bool abandoned(gt_socket *socket, gt_op *op) {
    (void)socket;
    return ((call *)op)->caller_dead;
}

/* O: {active, once} and {active, N} count messages. */
static void count_message(end *e) {
    if (e->active == GT_ACTIVE_ONCE) {
        e->active = GT_PASSIVE;
    } else if (e->active == GT_ACTIVE_COUNT && --e->count == 0) {
        e->active = GT_PASSIVE;
        e->passive_due = true;
    }
}

static int take_message(end *e, const gt_message *message) {
    size_t taken;

    CHECK(!e->paused && !e->death_known);
    CHECK(e->passive_due == (message->kind == GT_TCP_PASSIVE));
    e->passive_due = false;
    if (message->kind == GT_TCP_PASSIVE)
        return e->owner_dead ? GT_CLOSED : 0;
    CHECK(e->active != GT_PASSIVE || (e->going_on && message->kind != GT_TCP));
    if (!e->reads_on || message->kind != GT_TCP)
        CHECK(!e->closed_told && (!e->error_told || message->kind == GT_TCP_CLOSED));
    if (message->kind == GT_TCP_ERROR)
        e->error_told = true;
    if (message->kind == GT_TCP_CLOSED)
        e->closed_told = true;
    if (message->kind != GT_TCP)
        return e->owner_dead ? GT_CLOSED : 0;
    taken = check_data(e, &message->data, NULL);
    if (e->owner_dead)
        return GT_CLOSED;
    if (sim_fails(SIM_DELIVER))
        return -ENOMEM;
    e->from += taken;
    if (message->data.buffer != NULL)
        host_buffer_free(message->data.buffer);
    count_message(e);
    return 0;
}

static int deliver(gt_socket *socket, const gt_message *message) {
    end *e = of(socket);
    int answer = take_message(e, message);

    e->death_known = answer == GT_CLOSED;
    return answer;
}

static int reown(gt_socket *socket, const void *from, const void *to) {
    if (from == NULL || to == NULL)
        return from == NULL ? GT_NOT_OWNER : GT_BADARG;
    model_goes_on(of(socket)); /* under the same lock */
    return 0;
}

void model_goes_on(end *e) {
    e->going_on = e->paused;
    e->paused = false;
}

/* ---- the world ---- */

void model_begin(bool strict, bool zero_watermark_drains) {
    host = (gt_host){.name = "model",
                     .complete = complete,
                     .abandoned = abandoned,
                     .deliver = deliver,
                     .reown = reown,
                     .create = create,
                     .keep = keep,
                     .let_go = let_go,
                     .closed = closed,
                     HOST_MEMORY,
                     .zero_watermark_drains = zero_watermark_drains};
    host_memory_fails = memory_fails;
    host_scratch_size = 8192;
    gt_poller_user_init(&user, malloc, free);
    sim_begin(strict);
    memset(model_calls, 0, sizeof model_calls);
    ends_made = 0;
    calls_made = 0;
    for (int i = 0; i < 2; i++)
        CHECK(gt_poller_open(&model_pollers[i], &sim_backend, &user) == 0);
}

end *model_new_end(gt_poller *poller) {
    end *e;

    if (ends_made == ENDS)
        return NULL;
    e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    gt_socket_init(&e->socket, &host, poller);
    e->index = ends_made++;
    e->references = 1;
    e->held = true;
    e->fd = -1;
    e->from = UNRECV_ROOM;
    e->to = UNRECV_ROOM;
    e->active = GT_ACTIVE_TRUE;
    model_ends[e->index] = e;
    return e;
}

void model_keep(end *e) {
    keep(&e->socket);
}

void model_let_go(end *e) {
    let_go(&e->socket);
}

void model_drop(end *e) {
    if (!e->held)
        return;
    e->held = false;
    let_go(&e->socket);
}

call *model_new_call(end *e, enum gt_op_kind kind) {
    if (calls_made == CALLS)
        return NULL;
    call *c = &model_calls[calls_made];
    *c = (call){.op = {.kind = (uint8_t)kind}, .on = e, .number = calls_made++};
    return c;
}

void model_answered(call *c, int answer) {
    CHECK(answer <= GT_PENDING);
    CHECK(c->completions == (answer == 0));
    CHECK(c->op.waiting == (answer == GT_PENDING));
    c->pending = answer == GT_PENDING;
}

static void check_output(const end *e) {
    const sim_file *file = sim_file_of(e->fd);

    CHECK(file->out_size <= e->sent_size);
    CHECK(memcmp(file->out, model_lanes[e->index].sent, file->out_size) == 0);
    if (e->socket.state == GT_CONNECTED)
        CHECK(file->out_size + e->socket.output_size == e->sent_size);
}

static bool opened(const end *e) {
    return e != NULL && e->fd >= SIM_FD && !sim_file_of(e->fd)->listening;
}

/* When reading is over, what came before is dropped, though without exit_on_close a later recv reads on: after a packet
 * that was refused, say. What is put back then stays. */
static void forget_dropped(end *e) {
    const gt_buffer *kept = e->socket.input;
    const sim_file *file;

    if (!e->socket.read_ended || !opened(e))
        return;
    file = sim_file_of(e->fd);
    e->from = e->to - (file->in_size - file->in_read) - (kept != NULL ? kept->to - kept->from : 0);
}

void model_check(void) {
    for (int i = 0; i < ENDS; i++) {
        end *e = model_ends[i];
        if (e == NULL)
            continue;
        forget_dropped(e);
        CHECK(e->socket.paused == e->paused);
        CHECK(!e->death_known || e->socket.state == GT_CLOSING || e->socket.state == GT_SHUT);
        CHECK(!e->passive_due || e->paused);
        if (e->socket.state == GT_SHUT && e->connected && e->active != GT_PASSIVE)
            CHECK(e->closed_told || e->close_called || e->owner_dead || e->paused);
        if (e->socket.output == NULL)
            CHECK(e->socket.output_size == 0);
        if (e->socket.state == GT_CONNECTED && !e->owner_dead)
            CHECK(e->socket.settings.active == e->active);
        if (e->socket.state == GT_SHUT || e->socket.state == GT_ENDED)
            CHECK(e->socket.watch.fd == -1 && e->socket.input == NULL && e->socket.output == NULL);
    }
}

static void check_quiet_input(const end *e) {
    const gt_socket *s = &e->socket;
    const sim_file *file = sim_file_of(e->fd);
    const gt_op *reader = s->readers.first;
    gt_packet packet;

    if (s->read_ended || (e->active == GT_PASSIVE ? reader == NULL : e->paused))
        return;
    CHECK(file->in_read == file->in_size);
    CHECK(!file->fin && !file->reset && !file->read_shut);
    if (e->reframed)
        return;
    if (s->settings.framing.type == GT_PACKET_RAW && reader != NULL && reader->length > 0)
        CHECK(e->to - e->from < reader->length);
    else
        CHECK(next_packet(e, &packet) == GT_PACKET_INCOMPLETE);
}

static void check_quiet_output(const end *e) {
    const gt_socket *s = &e->socket;
    const sim_file *file = sim_file_of(e->fd);

    if (s->output != NULL)
        CHECK(file->out_size == file->out_limit);
    else
        CHECK(s->writers.first == NULL);
    if (s->state == GT_CLOSING)
        CHECK(s->output != NULL);
    if (s->state == GT_CONNECTED && s->write_ended && s->output == NULL && !file->reset)
        CHECK(file->write_shut);
}

void model_check_quiet(void) {
    model_check();
    for (int i = 0; i < ENDS; i++) {
        const end *e = model_ends[i];
        if (e == NULL)
            continue;
        if (e->socket.state == GT_LISTENING && e->socket.readers.first != NULL)
            CHECK(e->socket.listening.parked_fd < 0 && sim_file_of(e->fd)->pending == 0);
        if (e->socket.state == GT_CONNECTING)
            CHECK(sim_file_of(e->fd)->connecting);
        if (opened(e))
            check_output(e);
        if (e->socket.state == GT_CONNECTED && !e->owner_dead)
            check_quiet_input(e);
        if (e->socket.state == GT_CONNECTED || e->socket.state == GT_CLOSING)
            check_quiet_output(e);
    }
}

void model_finish(void) {
    for (int i = 0; i < ENDS; i++) {
        if (model_ends[i] != NULL)
            model_drop(model_ends[i]);
    }
    for (int i = 0; i < ENDS; i++)
        CHECK(model_ends[i] == NULL);
    for (int i = 0; i < CALLS; i++) {
        const call *c = &model_calls[i];
        CHECK(!c->op.waiting && (!c->pending || c->completions + c->cancelled == 1));
    }
    for (int i = 0; i < 2; i++)
        gt_poller_close(model_pollers[i]);
    CHECK(sim_open_files() == 0);
    CHECK(host_buffers == 0 && host_segments == 0);
}
