/* SPDX-License-Identifier: Apache-2.0 */
/* Option lists of any content, given to real sockets in each state: all are checked before one is applied, and what was
 * set is read back. */
#define _GNU_SOURCE /* pipe2 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engine/socket.h"
#include "fuzz/input.h"
#include "test/host_memory.h"

enum { LIST_MAX = 12 };

typedef struct owned {
    gt_socket socket;
    int references;
    int messages;
    int host_options;
    int64_t values[GT_OPTIONS]; /* of the host's own options */
} owned;

static owned *of(gt_socket *socket) {
    return (owned *)socket;
}

static bool complete(gt_socket *s, gt_op *op, const gt_result *result) {
    (void)s, (void)op;
    if (result->data.buffer != NULL)
        host_buffer_free(result->data.buffer);
    return true;
}

static bool abandoned(gt_socket *s, gt_op *op) {
    (void)s, (void)op;
    return false;
}

static int deliver(gt_socket *s, const gt_message *message) {
    of(s)->messages++;
    if (message->data.buffer != NULL)
        host_buffer_free(message->data.buffer);
    return 0;
}

static int reown(gt_socket *s, const void *from, const void *to) {
    (void)s, (void)from, (void)to;
    return 0;
}

static gt_socket *create(gt_socket *listener, gt_op *op) {
    (void)listener, (void)op;
    return NULL;
}

static void keep(gt_socket *s) {
    of(s)->references++;
}

static void let_go(gt_socket *s) {
    CHECK(of(s)->references > 0);
    if (--of(s)->references > 0)
        return;
    gt_socket_fini(s);
    free(of(s));
}

static void closed(gt_socket *s) {
    CHECK(s->state == GT_SHUT);
}

static int set_option(gt_socket *s, const gt_option *option) {
    CHECK(gt_option_rows[option->name].owner == GT_OF_HOST);
    of(s)->host_options++;
    of(s)->values[option->name] = option->number;
    return 0;
}

static int get_option(gt_socket *s, gt_option *option) {
    option->number = of(s)->values[option->name];
    return 0;
}

static const gt_host host = {
    .name = "options",
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
    HOST_MEMORY,
};

static gt_poller_user user;
static gt_poller *poller;
static int peer_listener;
static gt_address peer_address;

/* What option fd may name: no socket of this program's own, but one made for it. */
enum { NO_FD, BAD_FD, PIPE_FD, UDP_FD, FRESH_FD, FDS };
static int given_fds[FDS] = {-1, 1 << 20, -1, -1, -1};

static void prepare(void) {
    int pipe_ends[2];

    if (poller != NULL)
        return;
    gt_poller_user_init(&user, malloc, free);
    CHECK(gt_poller_open(&poller, &gt_backend_epoll, &user) == 0);
    peer_address = (gt_address){.size = sizeof(struct sockaddr_in),
                                .in = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}}};
    CHECK(pipe2(pipe_ends, O_CLOEXEC) == 0);
    given_fds[PIPE_FD] = pipe_ends[0];
    given_fds[UDP_FD] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(given_fds[UDP_FD] >= 0);
    peer_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(peer_listener >= 0 && bind(peer_listener, &peer_address.any, peer_address.size) == 0);
    CHECK(listen(peer_listener, 128) == 0);
    CHECK(getsockname(peer_listener, &peer_address.any, &peer_address.size) == 0);
}

static int64_t number(input *in, const gt_option_row *row) {
    switch (take_byte(in) % 7) {
    case 0:
        return take_byte(in) & 3;
    case 1:
        return (int8_t)take_byte(in);
    case 2:
        return (int32_t)take_number(in, 4);
    case 3:
        return (int64_t)((uint64_t)take_number(in, 4) << 32 | take_number(in, 4));
    case 4:
        return row != NULL ? (int64_t)row->low - (take_byte(in) & 1) : 0;
    case 5:
        return row != NULL ? (int64_t)row->high + (take_byte(in) & 1) : 0;
    default:
        return (int64_t)take_number(in, 2);
    }
}

static void give_descriptor(input *in, gt_option *o) {
    int which = take_byte(in) % (FDS + 1);

    if (which == FRESH_FD && given_fds[FRESH_FD] < 0)
        given_fds[FRESH_FD] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    o->number = which < FDS ? given_fds[which] : INT64_MAX;
}

static void give_path(input *in, gt_option *o) {
    static char paths[][24] = {"/proc/self/ns/net", "/nowhere", "/tmp", ""};
    uint8_t which = take_byte(in);

    o->bytes = (which & 4) != 0 ? NULL : paths[which & 3];
    o->size = strlen(paths[which & 3]) + ((which & 8) != 0); /* with a 0 in it */
}

static gt_option option(input *in) {
    gt_option o = {.name = take_byte(in) % (GT_OPTIONS + 2)};
    const gt_option_row *row = o.name < GT_OPTIONS ? &gt_option_rows[o.name] : NULL;

    if (o.name == GT_OPTIONS + 1)
        o.name = UINT16_MAX;
    o.number = number(in, row);
    if (row != NULL && row->type == GT_TYPE_FAMILY && (o.number & 1) != 0)
        o.number = (o.number & 2) != 0 ? AF_INET6 : (o.number & 4) != 0 ? AF_UNIX : AF_INET;
    if (o.name == GT_OPT_FD)
        give_descriptor(in, &o);
    if (row != NULL && row->type == GT_TYPE_PATH)
        give_path(in, &o);
    if (row != NULL && (row->type == GT_TYPE_ACTIVE || row->type == GT_TYPE_LINGER))
        o.extra = number(in, NULL);
    if (row != NULL && row->type == GT_TYPE_ADDRESS) {
        uint8_t shape = take_byte(in);
        o.address.size = (shape & 1) != 0 ? sizeof o.address.in : 0;
        o.address.any.sa_family = (shape & 2) != 0 ? AF_INET6 : (shape & 4) != 0 ? AF_INET : take_byte(in);
        if (o.address.any.sa_family == AF_UNIX &&
            o.address.size != 0) /* an abstract name: one byte of it is nobody's */
            o.address.size = (shape & 8) != 0    ? GT_ADDRESS_TOO_LONG
                             : (shape & 16) != 0 ? (socklen_t)offsetof(struct sockaddr_un, sun_path)
                                                 : (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
        if (o.address.size != 0 && o.address.any.sa_family == AF_INET6)
            o.address.size = sizeof o.address.in6;
    }
    return o;
}

static bool all_good(const gt_option *list, int count, int where) {
    for (int i = 0; i < count; i++) {
        if (gt_option_check(&list[i], where) != 0)
            return false;
    }
    return true;
}

typedef struct picture {
    int answers[GT_OPTIONS];
    gt_option values[GT_OPTIONS];
} picture;

static void look(gt_socket *s, picture *out) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < GT_OPTIONS; i++) {
        out->values[i].name = (uint16_t)i;
        out->answers[i] = gt_get_option(s, &out->values[i]);
    }
}

static bool same_picture(const picture *a, const picture *b) {
    for (int i = 0; i < GT_OPTIONS; i++) {
        if (a->answers[i] != b->answers[i] || a->values[i].number != b->values[i].number ||
            a->values[i].extra != b->values[i].extra)
            return false;
    }
    return true;
}

/* What the list makes of what was there before. */
static void apply(picture *p, const gt_option *list, int count) {
    for (int i = 0; i < count; i++) {
        gt_option *to = &p->values[list[i].name];
        int64_t sum;
        switch (list[i].name) {
        case GT_OPT_ACTIVE:
            sum = list[i].extra + (to->number == GT_ACTIVE_COUNT ? to->extra : 0);
            *to = (gt_option){.number = list[i].number};
            if (list[i].number == GT_ACTIVE_COUNT && sum > 0)
                to->extra = sum;
            else if (list[i].number == GT_ACTIVE_COUNT)
                to->number = GT_PASSIVE;
            break;
        case GT_OPT_HIGH_WATERMARK:
            to->number = list[i].number;
            if (p->values[GT_OPT_LOW_WATERMARK].number > to->number)
                p->values[GT_OPT_LOW_WATERMARK].number = to->number;
            break;
        case GT_OPT_LOW_WATERMARK:
            to->number = list[i].number;
            if (p->values[GT_OPT_HIGH_WATERMARK].number < to->number)
                p->values[GT_OPT_HIGH_WATERMARK].number = to->number;
            break;
        case GT_OPT_HIGH_MSGQ_WATERMARK:
            to->number = list[i].number;
            if (p->values[GT_OPT_LOW_MSGQ_WATERMARK].number > to->number)
                p->values[GT_OPT_LOW_MSGQ_WATERMARK].number = to->number;
            break;
        case GT_OPT_LOW_MSGQ_WATERMARK:
            to->number = list[i].number;
            if (p->values[GT_OPT_HIGH_MSGQ_WATERMARK].number < to->number)
                p->values[GT_OPT_HIGH_MSGQ_WATERMARK].number = to->number;
            break;
        case GT_OPT_LINGER:
            to->number = list[i].number;
            to->extra = list[i].number != 0 ? list[i].extra : 0;
            break;
        case GT_OPT_BUFFER:
            to->extra = 1; /* by the user: recbuf leaves it alone */
            to->number = list[i].number;
            break;
        default:
            to->number = list[i].number;
            break;
        }
    }
}

static void check_read_back(gt_socket *s, const picture *before, const gt_option *list, int count) {
    picture wanted = *before, found;

    apply(&wanted, list, count);
    look(s, &found);
    for (int i = 0; i < GT_OPTIONS; i++) {
        const gt_option_row *row = &gt_option_rows[i];
        bool exact = row->owner != GT_OF_SYSTEM; /* option raw can change any of the system's */
        if (found.answers[i] != 0 || !exact || (i == GT_OPT_BUFFER && wanted.values[i].extra == 0))
            continue;
        if (found.values[i].number != wanted.values[i].number)
            (void)fprintf(stderr, "option %s\n", row->name);
        CHECK(found.values[i].number == wanted.values[i].number);
        if (i == GT_OPT_ACTIVE || i == GT_OPT_LINGER)
            CHECK(found.values[i].extra == wanted.values[i].extra);
    }
}

static void set_and_check(gt_socket *s, const gt_option *list, int count) {
    picture before, after;
    int host_options = of(s)->host_options, messages = of(s)->messages;
    bool open = s->state != GT_CLOSING && s->state != GT_SHUT;
    bool good = all_good(list, count, GT_AT_SET);
    int answer;

    look(s, &before);
    answer = gt_set_options(s, list, count);
    CHECK(answer <= 0);
    if (!good || !open) {
        CHECK(answer == -EINVAL);
        look(s, &after);
        CHECK(same_picture(&before, &after));
        CHECK(of(s)->host_options == host_options && of(s)->messages == messages);
    } else if (answer == 0 && s->state != GT_SHUT) {
        check_read_back(s, &before, list, count);
    }
}

static owned *new_socket(void) {
    owned *o = calloc(1, sizeof *o);

    CHECK(o != NULL);
    o->references = 1;
    gt_socket_init(&o->socket, &host, poller);
    return o;
}

/* A peer that resets, so that no port stays in TIME_WAIT. */
static void close_peer(int fd) {
    static const struct linger reset = {.l_onoff = 1};

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static int connect_with(owned *o, const gt_option *list, int count) {
    gt_op connecting = {.kind = GT_OP_CONNECT};
    bool good = all_good(list, count, GT_AT_CONNECT);
    int answer = gt_connect(&o->socket, list, count, &peer_address, &connecting);

    if (!good) {
        CHECK(answer == GT_BADARG && o->socket.state == GT_NEW && o->socket.watch.fd == -1 && o->messages == 0);
        return -1;
    }
    if (answer < 0) {
        CHECK(o->socket.state == GT_SHUT);
        return -1;
    }
    for (int i = 0; i < 100 && o->socket.state == GT_CONNECTING; i++)
        (void)gt_poller_run(poller, 10, 16);
    (void)gt_cancel(&o->socket, &connecting);
    return o->socket.state == GT_CONNECTED ? accept(peer_listener, NULL, NULL) : -1;
}

static void listen_with(owned *o, const gt_option *list, int count) {
    gt_address at = {.size = sizeof(struct sockaddr_in),
                     .in = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}}};
    bool good = all_good(list, count, GT_AT_LISTEN);
    int answer = gt_listen(&o->socket, list, count, &at);

    if (!good)
        CHECK(answer == GT_BADARG && o->socket.state == GT_NEW && o->socket.watch.fd == -1 && o->messages == 0);
    else
        CHECK(answer == 0 ? o->socket.state == GT_LISTENING : o->socket.state == GT_SHUT);
}

static int list_of(input *in, gt_option list[LIST_MAX]) {
    int count = take_byte(in) % (LIST_MAX + 1);

    for (int i = 0; i < count; i++)
        list[i] = option(in);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const gt_option passive[] = {{.name = GT_OPT_ACTIVE, .number = GT_PASSIVE}};
    input in = {bytes, size};
    gt_option list[LIST_MAX];
    uint8_t way = take_byte(&in);
    int peer = -1;
    int count;
    owned *o;

    prepare();
    o = new_socket();
    count = list_of(&in, list);
    switch (way % 7) {
    case 0: /* NEW */
        break;
    case 1: /* CONNECTED, or NEW, or SHUT: with the list */
        peer = connect_with(o, list, count);
        break;
    case 2: /* LISTENING, likewise */
        listen_with(o, list, count);
        break;
    case 3: /* CONNECTED */
        peer = connect_with(o, passive, 1);
        break;
    case 4: /* LISTENING */
        listen_with(o, NULL, 0);
        break;
    case 5: /* ENDED */
        peer = connect_with(o, passive, 1);
        gt_abort(&o->socket);
        break;
    default: /* SHUT */
        (void)gt_close(&o->socket, NULL);
        break;
    }
    do {
        set_and_check(&o->socket, list, count);
        count = list_of(&in, list);
    } while (in.size > 0);
    close_peer(peer);
    close_peer(given_fds[FRESH_FD]);
    given_fds[FRESH_FD] = -1;
    (void)gt_close(&o->socket, NULL);
    CHECK(o->socket.state == GT_SHUT);
    CHECK(o->references == 1);
    let_go(&o->socket);
    return 0;
}
