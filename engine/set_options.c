/* SPDX-License-Identifier: Apache-2.0 */
/* Options of one socket: applying a checked option, and reading it back; and reading its counters. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "engine/internal.h"

#ifdef IP_PKTOPTIONS
enum { GT_IP_PKTOPTIONS = IP_PKTOPTIONS };
#else
enum { GT_IP_PKTOPTIONS = -1 };
#endif
#ifdef IPV6_2292PKTOPTIONS
enum { GT_IPV6_PKTOPTIONS = IPV6_2292PKTOPTIONS };
#else
enum { GT_IPV6_PKTOPTIONS = -1 };
#endif

enum { LINE_SIZE_DEFAULT = GENTCP_LINE_MAX };

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static void set_buffer(gt_settings *settings, uint32_t size, bool by_user) {
    settings->buffer = size;
    settings->buffer_set = by_user;
    settings->framing.line_size = by_user ? size : LINE_SIZE_DEFAULT;
}

static int set_active(gt_socket *s, const gt_option *option) {
    gt_settings *settings = &s->settings;
    int64_t count;

    if (option->number != GT_ACTIVE_COUNT) {
        settings->active = (uint8_t)option->number;
        return 0;
    }
    count = option->extra + (settings->active == GT_ACTIVE_COUNT ? settings->count : 0);
    if (count > GT_ACTIVE_COUNT_MAX)
        return -EINVAL;
    if (count > 0) {
        settings->active = GT_ACTIVE_COUNT;
        settings->count = (uint16_t)count;
        return 0;
    }
    settings->active = GT_PASSIVE;
    if (!gt_tell(s, GT_TCP_PASSIVE, 0))
        gt_begin_close(s);
    return 0;
}

/* Kept for who asks; what it does is done when the descriptor is made. */
static int set_netns(gt_socket *s, const gt_option *option) {
    gt_buffer *name = s->host->buffer_new(option->size + 1);

    if (name == NULL)
        return -ENOMEM;
    memcpy(name->bytes, option->bytes, option->size);
    name->bytes[option->size] = 0;
    if (s->netns != NULL)
        s->host->buffer_free(s->netns);
    s->netns = name;
    return 0;
}

static int set_rare(gt_socket *s, const gt_option *option) {
    gt_settings *settings = &s->settings;

    switch (option->name) {
    case GT_OPT_DELAY_SEND:
        settings->delay_send = option->number != 0;
        break;
    case GT_OPT_EXCLUSIVEADDRUSE:
        settings->exclusiveaddruse = option->number != 0;
        break;
    case GT_OPT_DEBUG:
        settings->debug = option->number != 0;
        break;
    case GT_OPT_HIGH_MSGQ_WATERMARK:
        settings->msgq_high = (uint32_t)option->number;
        settings->msgq_low = smaller(settings->msgq_low, settings->msgq_high);
        break;
    case GT_OPT_LOW_MSGQ_WATERMARK:
        settings->msgq_low = (uint32_t)option->number;
        if (settings->msgq_high < settings->msgq_low)
            settings->msgq_high = settings->msgq_low;
        break;
    case GT_OPT_NETNS:
        return option->bytes != NULL ? set_netns(s, option) : 0; /* NULL: the default */
    default: /* fd is read from the list when the socket is opened */
        break;
    }
    return 0;
}

static int set_of_engine(gt_socket *s, const gt_option *option) {
    gt_settings *settings = &s->settings;

    switch (option->name) {
    case GT_OPT_ACTIVE:
        return set_active(s, option);
    case GT_OPT_PACKET:
        settings->framing.type = (uint8_t)option->number;
        break;
    case GT_OPT_PACKET_SIZE:
        settings->framing.max_size = (uint32_t)option->number;
        break;
    case GT_OPT_LINE_DELIMITER:
        settings->framing.delimiter = (uint8_t)option->number;
        break;
    case GT_OPT_BUFFER:
        set_buffer(settings, (uint32_t)option->number, true);
        break;
    case GT_OPT_HIGH_WATERMARK:
        settings->high = (uint32_t)option->number;
        settings->low = smaller(settings->low, settings->high);
        break;
    case GT_OPT_LOW_WATERMARK:
        settings->low = (uint32_t)option->number;
        if (settings->high < settings->low)
            settings->high = settings->low;
        break;
    case GT_OPT_SEND_TIMEOUT:
        __atomic_store_n(&settings->send_timeout, (int32_t)option->number, __ATOMIC_RELAXED);
        break;
    case GT_OPT_SEND_TIMEOUT_CLOSE:
        settings->send_timeout_close = option->number != 0;
        break;
    case GT_OPT_EXIT_ON_CLOSE:
        settings->exit_on_close = option->number != 0;
        break;
    case GT_OPT_SHOW_ECONNRESET:
        settings->show_econnreset = option->number != 0;
        break;
    case GT_OPT_TIMEOUT:
        __atomic_store_n(&settings->timeout, (int32_t)option->number, __ATOMIC_RELAXED);
        break;
    case GT_OPT_INET_BACKEND:
        settings->backend = (uint8_t)option->number;
        break;
    case GT_OPT_LINGER:
        settings->linger_on = option->number != 0;
        settings->linger = (uint16_t)option->extra;
        break;
    default: /* family, ip, port and backlog are read from the list when the socket is opened */
        return GENTCP_WITH_RARE_OPTIONS ? set_rare(s, option) : 0;
    }
    return 0;
}

_Static_assert(GT_OPTIONS <= 64, "gt_listening.system_options has a bit for each");

/* inet says einval of an option that the socket can't have. */
static int refused(int error) {
    return error == -ENOPROTOOPT || error == -EOPNOTSUPP || error == -ENODEV ? -EINVAL : error;
}

int gt_set_number(int fd, int name, int value) {
    const gt_option_row *row = &gt_option_rows[name];
    socklen_t size = sizeof value;
    int priority, error;
    bool kept;

    if (!GENTCP_WITH_RARE_OPTIONS || name != GT_OPT_TOS)
        return gt_sys_setsockopt(fd, row->level, row->option, &value, size);
    kept = gt_sys_getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, &size) == 0;
    error = gt_sys_setsockopt(fd, row->level, row->option, &value, sizeof value);
    if (error == 0 && kept)
        (void)gt_sys_setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, size);
    return error;
}

/* Whose failures inet tells of; for the others its setopts is always ok. */
static bool failure_is_told(const gt_option_row *row) {
    if (row->type == GT_TYPE_RAW)
        return false;
    return row->level == IPPROTO_IP || row->level == IPPROTO_IPV6 || row->option == SO_PRIORITY ||
           row->type == GT_TYPE_BYTES;
}

static int set_of_system(gt_socket *s, const gt_option *option) {
    const gt_option_row *row = &gt_option_rows[option->name];
    int value = (int)option->number;
    int error;

    if (option->name == GT_OPT_RECBUF && !s->settings.buffer_set && value > (int)s->settings.buffer) /* as inet */
        set_buffer(&s->settings, smaller((uint32_t)value, GT_BUFFER_MAX), false);
    if (s->watch.fd < 0)
        return s->state == GT_ENDED && !failure_is_told(row) ? 0 : -EINVAL;
    if (GENTCP_WITH_RARE_OPTIONS && row->type == GT_TYPE_RAW) { /* inet says ok whatever the system does */
        (void)gt_sys_setsockopt(s->watch.fd, (int)option->number, (int)option->extra, option->bytes,
                                (socklen_t)option->size);
        return 0;
    }
    if (option->name == GT_OPT_NODELAY && gt_is_local(s->settings.family)) /* as inet: there is no delay */
        return 0;
    if (GENTCP_WITH_RARE_OPTIONS && row->type == GT_TYPE_BYTES)
        return refused(gt_sys_setsockopt(s->watch.fd, row->level, row->option, option->bytes, (socklen_t)option->size));
    error = refused(gt_set_number(s->watch.fd, option->name, value));
    if (s->state == GT_LISTENING && (row->where & GT_INHERITED) != 0)
        s->listening.system_options |= (uint64_t)1 << option->name;
    return error;
}

int gt_apply_option(gt_socket *s, const gt_option *option) {
    switch (gt_option_rows[option->name].owner) {
    case GT_OF_ENGINE:
        return set_of_engine(s, option);
    case GT_OF_SYSTEM:
        return set_of_system(s, option);
    default:
        return s->host->set_option != NULL ? s->host->set_option(s, option) : -EINVAL;
    }
}

/* What setting options means for those who wait, and for what is there to read. */
static void after_setting(gt_socket *s) {
    if (s->settings.active == GT_PASSIVE)
        return;
    if (s->state == GT_ENDED) {
        int reason = s->owe_recv == -ECONNRESET ? -ECONNRESET : GT_CLOSED;
        if (reason == -ECONNRESET) /* told now */
            s->owe_recv = GT_CLOSED;
        if (!gt_tell_end(s, reason) || s->settings.exit_on_close)
            gt_shut(s);
        return;
    }
    if (s->state != GT_CONNECTED)
        return;
    gt_answer_all(s, &s->readers, -EINVAL);
    if (!s->end_told)
        gt_read_again(s);
    gt_pump_input(s);
}

int gt_set_options(gt_socket *s, const gt_option *options, int count) {
    bool was_passive;
    uint8_t old_packet;
    int error = 0;

    gt_lock_take(&s->lock);
    if (gt_is_closed(s))
        error = -EINVAL;
    for (int i = 0; i < count && error == 0; i++)
        error = gt_option_check(&options[i], GT_AT_SET);
    if (error != 0) {
        gt_lock_drop(&s->lock);
        return error;
    }
    was_passive = s->settings.active == GT_PASSIVE;
    old_packet = s->settings.framing.type;
    for (int i = 0; i < count && error == 0; i++) {
        error = gt_apply_option(s, &options[i]);
        if (s->state == GT_ENDED && was_passive && s->settings.active != GT_PASSIVE && s->settings.exit_on_close)
            break; /* the owner hears of the end, and the socket is gone before the other options */
    }
    if (was_passive || old_packet != s->settings.framing.type)
        after_setting(s);
    gt_lock_drop(&s->lock);
    return error;
}

/* Of a control message; the system uses one byte or four. */
static int value_of(const struct cmsghdr *message) {
    int value;

    if (message->cmsg_len < CMSG_LEN(sizeof value))
        return *CMSG_DATA(message);
    memcpy(&value, CMSG_DATA(message), sizeof value);
    return value;
}

/* What the packet that came last said of itself, as far as options recvtos, recvttl and recvtclass ask for it. */
static int get_received(gt_socket *s, gt_option *option) {
    union {
        struct cmsghdr first; /* for its alignment */
        uint8_t bytes[256];
    } control;
    bool six = gt_is_ipv6(s->settings.family);
    socklen_t size = sizeof control;
    struct msghdr all = {.msg_control = &control};

    if (gt_is_local(s->settings.family))
        return -EINVAL;
    if (gt_sys_getsockopt(s->watch.fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? GT_IPV6_PKTOPTIONS : GT_IP_PKTOPTIONS,
                          &control, &size) != 0)
        return -ENOPROTOOPT;
    all.msg_controllen = size;
    option->number = -1;
    option->extra = -1;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&all); each != NULL; each = CMSG_NXTHDR(&all, each)) {
        if (each->cmsg_level == (six ? IPPROTO_IPV6 : IPPROTO_IP) && each->cmsg_type == (six ? IPV6_TCLASS : IP_TOS))
            option->number = value_of(each);
        else if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_TTL)
            option->extra = value_of(each);
    }
    return 0;
}

static int get_bytes(gt_socket *s, const gt_option_row *row, gt_option *option) {
    bool raw = row->type == GT_TYPE_RAW;
    socklen_t size = (socklen_t)option->size;
    int error;

    if (option->bytes == NULL || option->size > INT32_MAX)
        return -EINVAL;
    error = gt_sys_getsockopt(s->watch.fd, raw ? (int)option->number : row->level,
                              raw ? (int)option->extra : row->option, option->bytes, &size);
    option->size = size;
    return raw && error != 0 ? -ENOPROTOOPT : error;
}

static int get_of_system(gt_socket *s, gt_option *option) {
    const gt_option_row *row = &gt_option_rows[option->name];
    int value = 0;
    socklen_t size = sizeof value;
    int error;

    if (s->watch.fd < 0) /* ENDED: left out, as options of another family are */
        return -ENOPROTOOPT;
    if (GENTCP_WITH_RARE_OPTIONS && row->type == GT_TYPE_RECEIVED)
        return get_received(s, option);
    if (GENTCP_WITH_RARE_OPTIONS && (row->type == GT_TYPE_RAW || row->type == GT_TYPE_BYTES))
        return get_bytes(s, row, option);
    error = gt_sys_getsockopt(s->watch.fd, row->level, row->option, &value, &size);
    option->number = row->type == GT_TYPE_BOOL ? value != 0 : value;
    return error;
}

/* Without a 0 at the end, and no more than there is room for, as the system does with its own. */
static int get_netns(const gt_socket *s, gt_option *option) {
    size_t size;

    if (option->bytes == NULL)
        return -EINVAL;
    if (s->netns == NULL)
        return -ENOPROTOOPT;
    size = strlen((const char *)s->netns->bytes);
    if (size < option->size)
        option->size = size;
    memcpy(option->bytes, s->netns->bytes, option->size);
    return 0;
}

static int get_rare(const gt_socket *s, gt_option *option) {
    const gt_settings *settings = &s->settings;

    switch (option->name) {
    case GT_OPT_DELAY_SEND:
        option->number = settings->delay_send;
        break;
    case GT_OPT_EXCLUSIVEADDRUSE:
        option->number = settings->exclusiveaddruse;
        break;
    case GT_OPT_DEBUG:
        option->number = settings->debug;
        break;
    case GT_OPT_HIGH_MSGQ_WATERMARK:
        option->number = settings->msgq_high;
        break;
    case GT_OPT_LOW_MSGQ_WATERMARK:
        option->number = settings->msgq_low;
        break;
    case GT_OPT_NETNS:
        return get_netns(s, option);
    default:
        return -EINVAL;
    }
    return 0;
}

static int get_of_engine(const gt_socket *s, gt_option *option) {
    const gt_settings *settings = &s->settings;

    switch (option->name) {
    case GT_OPT_ACTIVE:
        option->number = settings->active;
        option->extra = settings->active == GT_ACTIVE_COUNT ? settings->count : 0;
        break;
    case GT_OPT_PACKET:
        option->number = settings->framing.type;
        break;
    case GT_OPT_PACKET_SIZE:
        option->number = settings->framing.max_size;
        break;
    case GT_OPT_BUFFER:
        option->number = settings->buffer;
        break;
    case GT_OPT_HIGH_WATERMARK:
        option->number = settings->high;
        break;
    case GT_OPT_LOW_WATERMARK:
        option->number = settings->low;
        break;
    case GT_OPT_SEND_TIMEOUT:
        option->number = settings->send_timeout;
        break;
    case GT_OPT_SEND_TIMEOUT_CLOSE:
        option->number = settings->send_timeout_close;
        break;
    case GT_OPT_EXIT_ON_CLOSE:
        option->number = settings->exit_on_close;
        break;
    case GT_OPT_SHOW_ECONNRESET:
        option->number = settings->show_econnreset;
        break;
    case GT_OPT_TIMEOUT:
        option->number = settings->timeout;
        break;
    case GT_OPT_LINGER:
        option->number = settings->linger_on;
        option->extra = settings->linger_on ? settings->linger : 0;
        break;
    default:
        return GENTCP_WITH_RARE_OPTIONS ? get_rare(s, option) : -EINVAL;
    }
    return 0;
}

int gt_get_option(gt_socket *s, gt_option *option) {
    int error;

    if (option->name >= GT_OPTIONS || (gt_option_rows[option->name].where & GT_AT_GET) == 0)
        return -EINVAL;
    gt_lock_take(&s->lock);
    if (gt_is_closed(s))
        error = -EINVAL;
    else if (option->name == GT_OPT_LINGER && s->state == GT_ENDED) /* one of the system's for inet */
        error = -ENOPROTOOPT;
    else if (gt_option_rows[option->name].owner == GT_OF_ENGINE)
        error = get_of_engine(s, option);
    else if (gt_option_rows[option->name].owner == GT_OF_SYSTEM)
        error = get_of_system(s, option);
    else
        error = s->host->get_option != NULL ? s->host->get_option(s, option) : -EINVAL;
    gt_lock_drop(&s->lock);
    return error;
}

gt_stats gt_stats_now(const gt_socket *s) {
    static const gt_sizes none;
    bool counts = s->state != GT_LISTENING && s->state != GT_CLOSING && s->state != GT_SHUT;

    return gt_stats_of(&s->counters, counts ? &s->sizes : &none, s->output_size);
}

int gt_getstat(gt_socket *s, gt_stats *out) {
    int error = 0;

    gt_lock_take(&s->lock);
    if (s->state == GT_CLOSING || s->state == GT_SHUT)
        error = -EINVAL;
    else
        *out = gt_stats_now(s);
    gt_lock_drop(&s->lock);
    return error;
}

static void preset(gt_socket *s, const gt_option *option) {
    if (option->name == GT_OPT_BUFFER) /* a default is not the user's word */
        set_buffer(&s->settings, (uint32_t)option->number, false);
    else
        (void)set_of_engine(s, option);
}

void gt_settings_init(gt_socket *s) {
    s->settings.high = UINT32_MAX; /* so that the rows' order doesn't let one watermark drag the other */
    for (int i = 0; i < GT_OPTIONS; i++) {
        if (gt_option_rows[i].where != 0 && gt_option_rows[i].owner == GT_OF_ENGINE)
            preset(s, &(gt_option){.name = (uint16_t)i, .number = gt_option_rows[i].fallback});
    }
    for (int i = 0; i < s->host->default_count; i++)
        preset(s, &s->host->defaults[i]);
}
