/* SPDX-License-Identifier: Apache-2.0 */
/* Options, addresses, counters and the descriptor of a socket. */
#include <errno.h>
#include <string.h>

#include "hosts/c/options.h"
#include "hosts/c/socket.h"

const char *gentcp_error_name(int error) {
    return gt_error_name(error);
}

/* For these calls inet answers einval where the stream's calls answer closed. */
static int get(gentcp_socket handle, gt_csocket **out) {
    int error = gt_csocket_get(handle, out);

    return error == GT_CLOSED ? -EINVAL : error;
}

int gentcp_setopts(gentcp_socket handle, const gentcp_option *options) {
    gt_option_list list;
    gt_csocket *socket;
    int error = get(handle, &socket);

    if (error != 0)
        return error;
    if (gt_options_read(options, &list))
        error = gt_set_options(&socket->engine, list.items, list.count);
    else
        error = -EINVAL;
    gt_csocket_drop(socket);
    return error;
}

static int get_one(gt_csocket *socket, gentcp_option *option) {
    gt_option one = {.name = (uint16_t)option->name};
    size_t room = option->size;
    bool text;
    int error, type;

    if (option->name < 0 || option->name >= GT_OPTIONS || gt_option_of_erlang(option->name))
        return -EINVAL;
    type = gt_option_rows[one.name].type;
    text = type == GT_TYPE_BYTES || type == GT_TYPE_PATH;
    if (text && (option->bytes == NULL || option->size == 0))
        return -EINVAL;
    if (type == GT_TYPE_RAW) {
        one.number = option->number;
        one.extra = option->extra;
    }
    if (text || type == GT_TYPE_RAW) {
        one.bytes = option->bytes;
        one.size = option->size;
    }
    error = gt_get_option(&socket->engine, &one);
    if (error == 0 && (text || type == GT_TYPE_RAW))
        option->size = one.size;
    else if (error == 0)
        gt_option_write(&one, option);
    if (error == 0 && text) {
        ((char *)option->bytes)[one.size < room ? one.size : room - 1] = 0;
        option->size = strlen(option->bytes); /* the system may have counted a 0 of its own */
    }
    return error == -EOPNOTSUPP ? -ENOPROTOOPT : error;
}

int gentcp_getopts(gentcp_socket handle, gentcp_option *options) {
    gt_csocket *socket;
    int error;

    if (options == NULL)
        return GENTCP_BADARG;
    error = get(handle, &socket);
    if (error != 0)
        return error;
    for (int i = 0; options[i].name != GENTCP_OPT_END && error == 0; i++) {
        error = i < GENTCP_OPTIONS_MAX ? get_one(socket, &options[i]) : -EINVAL;
        if (error == -ENOPROTOOPT) {
            options[i].name = GENTCP_OPT_ABSENT;
            error = 0;
        }
    }
    gt_csocket_drop(socket);
    return error;
}

int gentcp_getopt(gentcp_socket handle, enum gentcp_option_name name, int64_t *number) {
    gentcp_option option = {.name = (int)name};
    gt_csocket *socket;
    int error;

    if (number == NULL)
        return GENTCP_BADARG;
    error = get(handle, &socket);
    if (error != 0)
        return error;
    error = get_one(socket, &option);
    gt_csocket_drop(socket);
    if (error == 0)
        *number = option.number;
    return error;
}

static int name_of(gentcp_socket handle, int (*name)(gt_socket *, gt_address *), gentcp_address *out) {
    gt_csocket *socket;
    gt_address address;
    int error;

    if (out == NULL)
        return GENTCP_BADARG;
    error = get(handle, &socket);
    if (error != 0)
        return error;
    error = name(&socket->engine, &address);
    gt_csocket_drop(socket);
    if (error == 0)
        memcpy(out, &address, sizeof *out); /* the same struct: see address.c */
    return error;
}

int gentcp_sockname(gentcp_socket socket, gentcp_address *out) {
    return name_of(socket, gt_sockname, out);
}

int gentcp_peername(gentcp_socket socket, gentcp_address *out) {
    return name_of(socket, gt_peername, out);
}

int gentcp_port(gentcp_socket socket, uint16_t *out) {
    gentcp_address address;
    int error = out != NULL ? gentcp_sockname(socket, &address) : GENTCP_BADARG;

    if (error == 0)
        *out = gentcp_address_port(&address);
    return error;
}

static gentcp_stat stat_of(const gt_stats *stats) {
    return (gentcp_stat){.recv_oct = stats->recv_oct,
                         .recv_cnt = stats->recv_cnt,
                         .recv_max = stats->recv_max,
                         .recv_avg = stats->recv_avg,
                         .recv_dvi = stats->recv_dvi,
                         .send_oct = stats->send_oct,
                         .send_cnt = stats->send_cnt,
                         .send_max = stats->send_max,
                         .send_avg = stats->send_avg,
                         .send_pend = stats->send_pend};
}

int gentcp_getstat(gentcp_socket handle, gentcp_stat *out) {
    gt_csocket *socket;
    gt_stats stats;
    int error;

    if (out == NULL)
        return GENTCP_BADARG;
    error = get(handle, &socket);
    if (error != 0)
        return error;
    error = gt_getstat(&socket->engine, &stats);
    gt_csocket_drop(socket);
    if (error == 0)
        *out = stat_of(&stats);
    return error;
}

static enum gentcp_state state_of(enum gt_state state) {
    static const enum gentcp_state states[] = {
        [GT_NEW] = GENTCP_IS_CLOSED,          [GT_CONNECTING] = GENTCP_IS_CONNECTING, [GT_CONNECTED] = GENTCP_IS_OPEN,
        [GT_LISTENING] = GENTCP_IS_LISTENING, [GT_ENDED] = GENTCP_IS_ENDED,           [GT_CLOSING] = GENTCP_IS_CLOSING,
        [GT_SHUT] = GENTCP_IS_CLOSED,
    };

    return states[state];
}

int gentcp_info(gentcp_socket handle, gentcp_socket_info *out) {
    gt_csocket *socket;
    gt_info info;
    int error = out != NULL ? gt_csocket_get(handle, &socket) : GENTCP_BADARG;

    if (error == GT_BADARG)
        return error;
    *out = (gentcp_socket_info){.state = GENTCP_IS_CLOSED};
    if (error != 0)
        return 0;
    gt_get_info(&socket->engine, &info);
    if (state_of(info.state) != GENTCP_IS_CLOSED) {
        *out = (gentcp_socket_info){.state = state_of(info.state),
                                    .family = info.family,
                                    .active = (enum gentcp_active)info.active,
                                    .active_count = info.active_count,
                                    .input = info.input,
                                    .output = info.output,
                                    .readers = info.readers,
                                    .senders = info.senders + info.files,
                                    .busy = info.congested,
                                    .read_ended = info.read_ended,
                                    .write_ended = info.write_ended,
                                    .stat = stat_of(&info.stats)};
        gt_lock_take(&socket->engine.lock); /* the owner, and with it its slot, can't change meanwhile */
        out->owner.id = gt_slot_id(&gt_csocket_owner(socket)->slot);
        gt_lock_drop(&socket->engine.lock);
    }
    gt_csocket_drop(socket);
    return 0;
}

int gentcp_socket_fd(gentcp_socket handle) {
    gt_csocket *socket;
    int fd = get(handle, &socket);

    if (fd != 0)
        return fd;
    gt_lock_take(&socket->engine.lock);
    fd = socket->engine.watch.fd;
    gt_lock_drop(&socket->engine.lock);
    gt_csocket_drop(socket);
    return fd >= 0 ? fd : -EINVAL;
}
