/* SPDX-License-Identifier: Apache-2.0 */
/* From options and an address to a connection or a listener. */
#include <errno.h>

#include "engine/internal.h"

/* In network order; a local address has none. */
static uint16_t port_of(const gt_address *address) {
    if (address->any.sa_family == AF_INET)
        return address->in.sin_port;
    return gt_is_ipv6(address->any.sa_family) ? address->in6.sin6_port : 0;
}

/* Unless it has one of its own. */
static void complete_port(gt_address *address, uint16_t port_in_network_order) {
    if (port_of(address) != 0)
        return;
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = port_in_network_order;
    else if (gt_is_ipv6(address->any.sa_family))
        address->in6.sin6_port = port_in_network_order;
}

static gt_address wildcard(int family) {
    gt_address any = {.size = sizeof any.in, .in = {.sin_family = AF_INET}};

    if (gt_is_ipv6(family))
        any = (gt_address){.size = sizeof any.in6, .in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}};
    return any;
}

static int check_all(const gt_option *options, int count, int where) {
    for (int i = 0; i < count; i++) {
        if (gt_option_check(&options[i], where) != 0)
            return GT_BADARG;
    }
    return 0;
}

/* The last option of that name, or NULL. */
static const gt_option *given(const gt_option *options, int count, enum gt_option_name name) {
    while (count-- > 0) {
        if (options[count].name == name)
            return &options[count];
    }
    return NULL;
}

/* Of each name only the last, which in OTP's connect and listen has replaced the others (but each raw option may be
 * another), and, as in OTP, the last of all first. */
static int apply_all(gt_socket *s, const gt_option *options, int count) {
    int error = 0;

    for (int i = count - 1; i >= 0 && error == 0; i--) {
        if (options[i].name == GT_OPT_RAW || given(options, count, options[i].name) == &options[i])
            error = gt_apply_option(s, &options[i]);
    }
    return error;
}

/* Until the socket is established, the descriptor is lent in any case: after a failure it is its maker's. */
static int adopt(gt_socket *s, int fd, int family, gt_existing *is) {
    int error = gt_sys_adopt(fd, family, is);

    if (error != 0)
        return error;
    s->lent = true;
    gt_opened(s, is->family, fd);
    return 0;
}

/* The descriptor that option fd gives, or -1. */
static int existing_descriptor(const gt_option *options, int count) {
    const gt_option *fd = GENTCP_WITH_RARE_OPTIONS ? given(options, count, GT_OPT_FD) : NULL;

    return fd != NULL && fd->number >= 0 ? (int)fd->number : -1;
}

static int open_descriptor(gt_socket *s, int family, const gt_option *options, int count) {
    const gt_option *netns = GENTCP_WITH_RARE_OPTIONS ? given(options, count, GT_OPT_NETNS) : NULL;
    int fd = existing_descriptor(options, count);
    gt_existing is;

    if (fd >= 0)
        return adopt(s, fd, family, &is);
    if (netns != NULL) {
        int error = gt_apply_option(s, netns);
        if (error != 0)
            return error;
    }
    fd = gt_sys_socket(family, s->netns != NULL ? (const char *)s->netns->bytes : NULL);
    if (fd < 0)
        return fd;
    gt_opened(s, family, fd);
    return 0;
}

/* Opens the descriptor and applies the options, in order. */
static int open_with(gt_socket *s, int family, const gt_option *options, int count) {
    int error = open_descriptor(s, family, options, count);

    return error != 0 ? error : apply_all(s, options, count);
}

/* Where a connection is to come from: what options ip and port say. 0 too if they say nothing. */
static int bind_source(gt_socket *s, int family, const gt_option *options, int count) {
    const gt_option *ip = given(options, count, GT_OPT_IP);
    const gt_option *port = given(options, count, GT_OPT_PORT);
    gt_address source = ip != NULL ? ip->address : wildcard(family);

    if (ip == NULL && port == NULL)
        return 0;
    if (gt_is_local(family) && port != NULL && port->number != 0)
        return -EINVAL;
    if (gt_is_local(family) && ip == NULL)
        return 0;
    if (source.any.sa_family != family)
        return -EAFNOSUPPORT;
    if (port != NULL)
        complete_port(&source, htons((uint16_t)port->number));
    return gt_sys_bind(s->watch.fd, &source);
}

static void connected(gt_socket *s) {
    s->state = GT_CONNECTED;
    /* Nobody waits any more if the op was cancelled; the host then closes the socket. */
    if (s->readers.first != NULL && !gt_answer(s, &s->readers, s->readers.first, 0))
        gt_begin_close(s);
    else
        gt_pump_input(s);
}

void gt_connect_decided(gt_socket *s) {
    int error = gt_sys_pending_error(s->watch.fd);
    gt_address peer;

    if (error == 0 && gt_sys_peername(s->watch.fd, &peer) == -ENOTCONN) {
        gt_poller_want(&s->watch, GT_WRITABLE); /* the report was early: still connecting */
        return;
    }
    if (error == 0) {
        connected(s);
        return;
    }
    if (s->readers.first != NULL)
        (void)gt_answer(s, &s->readers, s->readers.first, error);
    gt_shut(s);
}

/* Not NEW because a fresh descriptor was given to it. */
static bool is_new(const gt_socket *s) {
    return s->state == GT_NEW && !s->open;
}

int gt_connect(gt_socket *s, const gt_option *options, int count, const gt_address *to, gt_op *op) {
    int family = to->any.sa_family;
    gt_address peer;
    int error;

    gt_lock_take(&s->lock);
    error = is_new(s) ? check_all(options, count, GT_AT_CONNECT) : GT_CLOSED;
    if (error != 0)
        goto out;
    error = open_with(s, family, options, count);
    if (error == 0)
        error = bind_source(s, family, options, count);
    /* The system says so only the second time, if it was connected without blocking. */
    if (error == 0 && s->lent && gt_sys_peername(s->watch.fd, &peer) == 0)
        error = -EISCONN;
    if (error == 0) {
        error = gt_sys_connect(s->watch.fd, to);
        s->state = GT_CONNECTING;
        if (error == -EINPROGRESS)
            error = GT_PENDING;
    }
    /* Watched only now: a socket that isn't connecting yet reports a hang-up. */
    if (error == 0 || error == GT_PENDING) {
        int failed = gt_watch_start(s);
        if (failed != 0)
            error = failed;
    }
    if (error < 0) {
        gt_shut(s);
        goto out;
    }
    gt_op_append(&s->readers, op);
    if (error == 0)
        connected(s);
    else
        gt_poller_want(&s->watch, GT_WRITABLE);
out:
    gt_lock_drop(&s->lock);
    return error;
}

static int64_t default_backlog(void) {
    return gt_option_rows[GT_OPT_BACKLOG].fallback;
}

/* Before options are applied: a listener keeps what its connections inherit. */
static void become_listener(gt_socket *s) {
    s->state = GT_LISTENING;
    s->listening = (gt_listening){.parked_fd = -1};
}

int gt_listen(gt_socket *s, const gt_option *options, int count, const gt_address *at) {
    const gt_option *ip = given(options, count, GT_OPT_IP);
    const gt_option *backlog = given(options, count, GT_OPT_BACKLOG);
    gt_address address = ip != NULL ? ip->address : *at;
    bool unbound;
    int error;

    complete_port(&address, port_of(at));
    unbound = ip == NULL && (gt_is_local(address.any.sa_family) ||
                             (existing_descriptor(options, count) >= 0 && port_of(&address) == 0));
    gt_lock_take(&s->lock);
    error = is_new(s) ? check_all(options, count, GT_AT_LISTEN) : GT_CLOSED;
    if (error != 0)
        goto out;
    become_listener(s);
    error = open_with(s, address.any.sa_family, options, count);
    if (error == 0 && !unbound)
        error = gt_sys_bind(s->watch.fd, &address);
    if (error == 0)
        error = gt_sys_listen(s->watch.fd, (int)(backlog != NULL ? backlog->number : default_backlog()));
    if (error == 0)
        error = gt_watch_start(s);
    if (error != 0)
        gt_shut(s);
out:
    gt_lock_drop(&s->lock);
    return error;
}

int gt_fdopen(gt_socket *s, int fd, int family, bool lent, const gt_option *options, int count) {
    gt_existing is;
    int error;

    gt_lock_take(&s->lock);
    error = is_new(s) ? check_all(options, count, GT_AT_SET) : GT_CLOSED;
    if (error != 0)
        goto out;
    error = adopt(s, fd, family, &is);
    if (error == 0 && is.listening)
        become_listener(s);
    if (error == 0)
        error = apply_all(s, options, count);
    /* A fresh one isn't watched: it would report a hang-up all the time. */
    if (error == 0 && (is.listening || is.connected))
        error = gt_watch_start(s);
    if (error != 0) {
        gt_shut(s);
        goto out;
    }
    s->lent = lent;
    if (is.connected)
        connected(s);
out:
    gt_lock_drop(&s->lock);
    return error == GT_BADARG ? -EINVAL : error;
}

/* Without a descriptor there is nothing to name: einval, or what inet answers once the stream has ended. */
static int name_of(gt_socket *s, int (*name)(int, gt_address *), int ended, gt_address *out) {
    int error;

    gt_lock_take(&s->lock);
    if (s->state == GT_ENDED)
        error = ended;
    else if (s->watch.fd < 0 || gt_is_closed(s))
        error = -EINVAL;
    else
        error = name(s->watch.fd, out);
    gt_lock_drop(&s->lock);
    return error;
}

int gt_sockname(gt_socket *s, gt_address *out) {
    return name_of(s, gt_sys_sockname, -EBADF, out);
}

int gt_peername(gt_socket *s, gt_address *out) {
    return name_of(s, gt_sys_peername, -ENOTCONN, out);
}
