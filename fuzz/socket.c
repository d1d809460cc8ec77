/* SPDX-License-Identifier: Apache-2.0 */
/* The whole socket: any calls in any order, against any peer, on a system that fails where the input says. What must
 * hold stands in socket_model.c. An input is a list of steps: a byte that says which, and what the step reads. */
#include <errno.h>

#include "fuzz/socket_model.h"

enum { STEPS_MAX = 300, RUNS_MAX = 20000, PARTS_MAX = 70, FLUSH_MS = 200 * 1000 };

static uint8_t bytes_to_send[96 * 1024];

/* Runs both pollers until neither has anything to tell. It must come to rest. */
static void settle(void) {
    int runs = 0;
    int reported;

    do {
        reported = 0;
        for (int i = 0; i < 2; i++) {
            int answer = gt_poller_run(model_pollers[i], 0, 16);
            CHECK(answer >= 0);
            reported += answer;
        }
        model_check();
        CHECK(++runs < RUNS_MAX);
    } while (reported > 0);
    model_check_quiet();
}

static end *some_end(input *in) {
    int wanted = take_byte(in) % ENDS;

    for (int i = 0; i < ENDS; i++) {
        end *e = model_ends[(wanted + i) % ENDS];
        if (e != NULL && e->held)
            return e;
    }
    return NULL;
}

static sim_file *file_of(const end *e) {
    return e->fd >= SIM_FD ? sim_file_of(e->fd) : NULL;
}

/* Lengths of interest: small, around the engine's limits, any. */
static size_t length(input *in) {
    static const uint32_t limits[] = {1,     2,     255,   256,   2047,      2048,     2049,       8191,
                                      8192,  8193,  16383, 16384, 16385,     32768,    65535,      65536,
                                      65537, 70000, 90000, 4,     64u << 20, 3u << 20, 200 * 1024, 127};
    uint8_t kind = take_byte(in);

    if (kind < 128)
        return kind;
    if (kind < 128 + sizeof limits / sizeof limits[0])
        return limits[kind - 128];
    return take_number(in, 2);
}

/* ---- opening ---- */

static const gt_option *opening(input *in, end *e, gt_option list[3], int *count) {
    uint8_t choices = take_byte(in);

    list[0] = (gt_option){.name = GT_OPT_ACTIVE, .number = choices & 3, .extra = 3};
    list[1] = (gt_option){.name = GT_OPT_PACKET, .number = take_byte(in) % GT_PACKET_TYPES};
    list[2] = (gt_option){.name = GT_OPT_INET_BACKEND, .number = choices >> 2 & 1};
    *count = 3;
    e->active = choices & 3;
    e->count = 3;
    return list;
}

static void do_connect(input *in) {
    static const gt_address to = {.size = sizeof to.in, .in = {.sin_family = AF_INET}};
    gt_option list[3];
    uint8_t how = take_byte(in);
    end *e = model_new_end(model_pollers[how & 1]);
    call *c;
    int answer, count;

    if (e == NULL)
        return;
    c = model_new_call(e, GT_OP_CONNECT);
    if (c == NULL)
        return;
    sim_set_connect((how & 2) != 0 ? SIM_CONNECT_LATER : SIM_CONNECT_AT_ONCE);
    c->caller_dead = (how & 4) != 0;
    (void)opening(in, e, list, &count);
    e->fd = 0; /* a descriptor may be opened and closed within the call */
    answer = gt_connect(&e->socket, list, count, &to, &c->op);
    model_answered(c, answer);
    if (e->socket.watch.fd >= 0) {
        model_opened(e);
        sim_file_of(e->fd)->out_limit = (how & 8) != 0 ? 1000 : SIM_STREAM;
    } else if (e->closed_calls == 0) {
        e->fd = -1;
    }
    if (answer < 0)
        CHECK(e->socket.state == GT_SHUT);
}

static void do_listen(input *in) {
    static const gt_address at = {.size = sizeof at.in, .in = {.sin_family = AF_INET}};
    gt_option list[3];
    end *e = model_new_end(model_pollers[take_byte(in) & 1]);
    int answer, count;

    if (e == NULL)
        return;
    (void)opening(in, e, list, &count);
    answer = gt_listen(&e->socket, list, count, &at);
    CHECK(answer == 0 ? e->socket.state == GT_LISTENING : e->socket.state == GT_SHUT);
    e->fd = answer == 0 ? e->socket.watch.fd : e->closed_calls == 0 ? -1 : 0;
}

static void do_accept(input *in) {
    end *e = some_end(in);
    call *c = e != NULL ? model_new_call(e, GT_OP_ACCEPT) : NULL;

    if (c == NULL)
        return;
    c->caller_dead = (take_byte(in) & 7) == 7;
    model_answered(c, gt_accept(&e->socket, &c->op));
}

/* ---- receiving and sending ---- */

static void do_recv(input *in) {
    end *e = some_end(in);
    call *c = e != NULL ? model_new_call(e, GT_OP_RECV) : NULL;
    uint8_t how;

    if (c == NULL)
        return;
    c->op.length = length(in);
    how = take_byte(in);
    c->op.at_most = c->op.length > 0 && (how & 1) != 0;
    c->caller_dead = how > 250;
    e->reads_on |= e->socket.read_ended;
    model_answered(c, gt_recv(&e->socket, &c->op));
}

static void do_unrecv(input *in) {
    end *e = some_end(in);
    size_t size = length(in);
    size_t first = take_byte(in);
    int answer;

    if (e == NULL || size > e->from || size > sizeof bytes_to_send - 256)
        return;
    model_put_back(e, bytes_to_send + first, size);
    answer = gt_unrecv(&e->socket, bytes_to_send + first, size);
    if (answer != 0)
        model_take_back(e, size);
}

static void do_send(input *in) {
    struct iovec parts[PARTS_MAX];
    end *e = some_end(in);
    size_t size = length(in);
    uint8_t shape = take_byte(in);
    int count = shape < 128 ? 1 : shape % PARTS_MAX;
    size_t part, added;
    call *c;
    int answer;

    if (e == NULL || size > sizeof bytes_to_send - 256)
        return;
    c = model_new_call(e, GT_OP_SEND);
    if (c == NULL)
        return;
    part = count > 0 ? size / (size_t)count : 0;
    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){.iov_base = bytes_to_send + shape + part * (size_t)i, .iov_len = part};
    added = model_sending(e, parts, count);
    if (added == 0 && model_takes_data(&e->socket) && part * (size_t)count > 0) {
        c->on = NULL; /* emsgsize, or more than the simulation keeps */
        return;
    }
    answer = gt_send(&e->socket, parts, count, NULL, &c->op);
    model_answered(c, answer);
    if (answer < 0 && model_takes_data(&e->socket))
        e->sent_size -= added;
    if (answer == GT_PENDING)
        CHECK(e->socket.output != NULL);
}

/* ---- options ---- */

static void do_active(input *in) {
    end *e = some_end(in);
    gt_option o = {.name = GT_OPT_ACTIVE, .number = take_byte(in) & 3};
    int64_t sum;

    o.extra = (int8_t)take_byte(in) / 8;
    if (e == NULL || e->socket.state == GT_CLOSING || e->socket.state == GT_SHUT || e->owner_dead)
        return;
    sum = o.extra + (e->active == GT_ACTIVE_COUNT ? e->count : 0);
    e->active = (uint8_t)o.number;
    if (o.number == GT_ACTIVE_COUNT && sum <= 0) {
        e->active = GT_PASSIVE;
        e->passive_due = true;
    }
    e->count = (int)sum;
    CHECK(gt_set_options(&e->socket, &o, 1) == 0);
}

static void do_option(input *in) {
    static const uint16_t names[] = {
        GT_OPT_PACKET,         GT_OPT_PACKET_SIZE,        GT_OPT_LINE_DELIMITER, GT_OPT_BUFFER,
        GT_OPT_HIGH_WATERMARK, GT_OPT_LOW_WATERMARK,      GT_OPT_EXIT_ON_CLOSE,  GT_OPT_SHOW_ECONNRESET,
        GT_OPT_LINGER,         GT_OPT_SEND_TIMEOUT_CLOSE, GT_OPT_RECBUF,         GT_OPT_NODELAY};
    end *e = some_end(in);
    gt_option o = {.name = names[take_byte(in) % (sizeof names / sizeof names[0])]};

    o.number = (int64_t)length(in);
    if (gt_option_rows[o.name].type == GT_TYPE_BOOL || gt_option_rows[o.name].type == GT_TYPE_LINGER) {
        o.extra = o.number >> 1 & 3;
        o.number &= 1;
    }
    if (o.name == GT_OPT_PACKET)
        o.number %= GT_PACKET_TYPES;
    if (e == NULL)
        return;
    e->reframed |= gt_option_rows[o.name].owner == GT_OF_ENGINE;
    (void)gt_set_options(&e->socket, &o, 1);
}

static void do_look(input *in) {
    end *e = some_end(in);
    gt_option o = {.name = take_byte(in) % GT_OPTIONS};
    gt_address name;

    if (e == NULL)
        return;
    (void)gt_get_option(&e->socket, &o);
    (void)gt_sockname(&e->socket, &name);
    (void)gt_peername(&e->socket, &name);
}

/* ---- ending ---- */

static void do_cancel(input *in) {
    call *c = &model_calls[take_byte(in) % CALLS];
    end *e = c->on;
    bool waiting;

    if (e == NULL || !c->pending || c->cancelled || c->completions > 0)
        return;
    model_keep(e); /* as whoever waits does, though others have closed the socket and forgotten it */
    waiting = gt_cancel(&e->socket, &c->op);
    model_let_go(e);
    CHECK(waiting); /* it has not been completed */
    c->cancelled = true;
}

static void do_close(input *in) {
    end *e = some_end(in);
    uint8_t how = take_byte(in);
    call *c = e != NULL && (how & 1) != 0 ? model_new_call(e, GT_OP_CLOSE) : NULL;
    int answer;

    if (e == NULL)
        return;
    e->close_called = true;
    answer = gt_close(&e->socket, c != NULL ? &c->op : NULL);
    if (c != NULL)
        model_answered(c, answer);
    else
        CHECK(answer == 0);
    CHECK(e->socket.state == GT_SHUT || e->socket.state == GT_CLOSING);
    if ((how & 2) != 0) /* whoever has closed a socket forgets it */
        model_drop(e);
}

static void do_abort(input *in) {
    end *e = some_end(in);

    if (e != NULL)
        gt_abort(&e->socket);
}

static void do_shutdown(input *in) {
    end *e = some_end(in);
    int how = take_byte(in) % 3;

    if (e != NULL)
        (void)gt_shutdown(&e->socket, how);
}

static void do_reown(input *in) {
    static const int owners[2];
    end *e = some_end(in);
    uint8_t how = take_byte(in);
    const int *from = (how & 14) == 2 ? NULL : &owners[0];
    const int *to = (how & 14) == 4 ? NULL : &owners[1];
    int answer, wanted = from == NULL ? GT_NOT_OWNER : to == NULL ? GT_BADARG : 0;

    if (e == NULL)
        return;
    if (e->socket.state == GT_CLOSING || e->socket.state == GT_SHUT)
        wanted = GT_CLOSED;
    answer = gt_reown(&e->socket, from, to, model_pollers[how & 1]);
    CHECK(answer == wanted);
    if (answer == 0 && e->socket.watched)
        CHECK(e->socket.watch.poller == model_pollers[how & 1]);
    e->going_on = false;
}

static void do_pause(input *in) {
    end *e = some_end(in);
    bool gone;

    if (e == NULL)
        return;
    if ((take_byte(in) & 1) != 0) {
        model_goes_on(e);
        gt_resume(&e->socket);
        e->going_on = false;
        return;
    }
    gone = e->socket.state == GT_CLOSING || e->socket.state == GT_SHUT;
    CHECK(gt_pause(&e->socket) == (gone ? GT_CLOSED : 0));
    e->paused |= !gone;
}

/* ---- the other side ---- */

static void do_peer_send(input *in, bool own_words) {
    end *e = some_end(in);
    size_t size = own_words ? take_byte(in) & 63 : length(in);
    sim_file *file = e != NULL ? file_of(e) : NULL;

    if (own_words && size > in->size)
        size = in->size;
    if (file != NULL && file->open)
        model_peer_sent(e, sim_peer_send(file, own_words ? in->bytes : NULL, size));
    if (own_words) {
        in->bytes += size;
        in->size -= size;
    }
}

static void do_peer(input *in, uint8_t what) {
    end *e = some_end(in);
    sim_file *file = e != NULL ? file_of(e) : NULL;
    uint8_t how = take_byte(in);

    if (file == NULL || !file->open)
        return;
    switch (what) {
    case 0:
        sim_peer_read(file, how < 128 ? how : (size_t)(how - 127) * 512);
        break;
    case 1:
        sim_peer_fin(file);
        break;
    case 2:
        sim_peer_reset(file);
        break;
    case 3:
        sim_peer_decide(file, how < 128 ? 0 : -ECONNREFUSED);
        break;
    case 4:
        sim_peer_connect(file, how & 1 ? how : 0);
        break;
    default:
        if (file->watch != NULL)
            gt_ready(&e->socket, how & 7); /* somebody else has waited for it; a report is a hint */
        break;
    }
}

static void do_fault(input *in) {
    uint8_t fault = take_byte(in) % SIM_FAULTS;

    sim_set_fault((enum sim_fault)fault, take_byte(in) & 31);
}

static void do_death(input *in) {
    uint8_t who = take_byte(in);
    end *e = some_end(in);

    if ((who & 1) != 0)
        model_calls[(who >> 1) % CALLS].caller_dead = true;
    else if (e != NULL)
        e->owner_dead = true;
}

static void step(input *in) {
    uint8_t what = take_byte(in) % 32;

    switch (what) {
    case 0:
        do_connect(in);
        break;
    case 1:
        do_listen(in);
        break;
    case 2:
        do_accept(in);
        break;
    case 3:
    case 4:
        do_recv(in);
        break;
    case 5:
        do_unrecv(in);
        break;
    case 6:
    case 7:
        do_send(in);
        break;
    case 8:
    case 9:
        do_active(in);
        break;
    case 10:
    case 11:
        do_option(in);
        break;
    case 12:
        do_look(in);
        break;
    case 13:
        do_cancel(in);
        break;
    case 14:
        do_close(in);
        break;
    case 15:
        do_abort(in);
        break;
    case 16:
        do_shutdown(in);
        break;
    case 17:
        do_reown(in);
        break;
    case 18:
        do_pause(in);
        break;
    case 19:
        do_peer_send(in, true);
        break;
    case 20:
        do_peer_send(in, false);
        break;
    case 21:
    case 22:
    case 23:
    case 24:
    case 25:
    case 26:
        do_peer(in, what - 21);
        break;
    case 27:
        (void)gt_poller_run(model_pollers[take_byte(in) & 1], 0, 1 + (take_byte(in) & 3));
        break;
    case 28:
        settle();
        break;
    case 29:
        do_fault(in);
        break;
    case 30:
        sim_advance((int64_t)take_byte(in) * 100);
        break;
    default:
        do_death(in);
        break;
    }
    model_check();
}

/* L: everything is closed; with peers that read, what was queued arrives; without, time ends it. */
static void end_of_world(bool peers_read) {
    bool promised[ENDS] = {false};
    size_t sent[ENDS] = {0};
    int fds[ENDS] = {0};

    sim_clear_faults();
    for (int i = 0; i < ENDS; i++) {
        end *e = model_ends[i];
        if (e == NULL)
            continue;
        e->close_called = true;
        (void)gt_close(&e->socket, NULL);
        fds[i] = e->fd;
        sent[i] = e->sent_size;
        promised[i] =
            peers_read && e->socket.state == GT_CLOSING && !file_of(e)->reset && gt_sys_now() < e->socket.closing.limit;
        if (peers_read && file_of(e) != NULL)
            sim_peer_read(file_of(e), SIM_STREAM);
    }
    settle();
    for (int i = 0; i < ENDS; i++) {
        if (promised[i])
            CHECK(sim_file_of(fds[i])->out_size == sent[i]);
        if (promised[i] && model_ends[i] != NULL)
            CHECK(model_ends[i]->socket.state == GT_SHUT);
    }
    sim_advance(FLUSH_MS);
    settle();
    for (int i = 0; i < ENDS; i++)
        CHECK(model_ends[i] == NULL || model_ends[i]->socket.state == GT_SHUT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    input in = {bytes, size};
    uint8_t world = take_byte(&in);

    if (bytes_to_send[1] == 0) {
        for (size_t i = 0; i < sizeof bytes_to_send; i++)
            bytes_to_send[i] = (uint8_t)(sim_pattern(i * 3) | 1);
    }
    model_begin((world & 1) != 0, (world & 2) != 0);
    for (int i = 0; i < STEPS_MAX && in.size > 0; i++)
        step(&in);
    end_of_world((world & 4) != 0);
    model_finish();
    return 0;
}
