/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP socket with gen_tcp's behaviour: the state machine, and the calls that hosts make.
 *
 * Every call may be made from any thread, with a reference to the socket held by the caller, and without its lock.
 * A call that takes an op returns
 *   0            the op is finished: host->complete was called for it before this returned;
 *   GT_PENDING   host->complete will be called for it later, unless gt_cancel gets there first;
 *   an error     the op was not used; host->complete is not called.
 */
#ifndef GT_SOCKET_H
#define GT_SOCKET_H

#include <errno.h>

#include "engine/host.h"
#include "engine/stats.h"
#include "pollers/poller.h"
#include "sys/error.h"
#include "sys/lock.h"

enum { GT_PENDING = 1 };

/*            connect                decided
 *   NEW ───────────────▶ CONNECTING ───────▶ CONNECTED ──────────▶ ENDED      the peer's end or an error, passive,
 *    │                        │                  │                 │          exit_on_close: descriptor closed
 *    │ listen                 │                  │ close, or the   │ close
 *    ├────────▶ LISTENING     │                  ▼ owner's death   ▼
 *    └──────────────┴─────────┴──────────────▶ CLOSING ─────────▶ SHUT
 *                    (nothing queued: at once)   flushes the queue within a bound
 *
 * Active sockets go from CONNECTED to SHUT when the stream ends: tcp_closed was the last that their owner heard. */
enum gt_state { GT_NEW, GT_CONNECTING, GT_CONNECTED, GT_LISTENING, GT_ENDED, GT_CLOSING, GT_SHUT };

typedef struct gt_op_list {
    gt_op *first;
} gt_op_list;

typedef struct gt_listening {
    uint64_t system_options; /* those inherited ones of the system that were set: a bit each (1 << gt_option_name) */
    int parked_fd;           /* accepted, but the caller was gone: for the next one; -1: none */
} gt_listening;

typedef struct gt_closing {
    gt_deadline deadline; /* gives up flushing at this moment, unless there is progress, */
    int64_t limit;        /* and at this one in any case */
} gt_closing;

/* Many of them are idle at once, so it is kept small: bench/idle_memory.c. */
struct gt_socket {
    gt_lock lock;
    int16_t owe_recv; /* ENDED: what the next recv answers, once; 0: nothing is owed */
    int16_t owe_send; /* ENDED: likewise for send */
    const gt_host *host;
    gt_watch watch; /* its descriptor; watch.poller is where it is, was, or will be watched */
    gt_settings settings;
    /* Of the tcp_error that its owner was told, or is to be (held_messages); 0: of none. What a monitor tells of the
     * end, once host->closed is called. */
    int16_t end_reason;
    uint8_t held_messages; /* paused: what the owner is still to be told, a bit each (1 << gt_message_kind) */
    uint8_t state;         /* gt_state */
    uint8_t read_shift;    /* adaptive size of a read: 1 << read_shift */
    bool watched : 1;      /* the poller has the watch */
    bool paused : 1;       /* between gt_pause and gt_resume or gt_reown */
    bool drained : 1;      /* the last read came back short, and no edge since */
    bool streams : 1;      /* one read has brought more than 64 KiB, and none since was small: see learn */
    bool hung_up : 1;      /* GT_HANGUP was seen: never skip a read any more */
    bool read_ended : 1;   /* the end was read; the socket lives on (exit_on_close false) */
    bool end_told : 1;     /* the owner has got tcp_closed */
    bool write_ended : 1;  /* shutdown(write) was asked for: once the queue is empty it is done */
    bool end_late : 1;     /* while there was a queue: no send has been ok since, not even of nothing */
    bool end_both : 1;     /* and of reading: done with it, because the end of reading would drop the queue */
    bool congested : 1;    /* senders wait until the queue is down to low_watermark */
    bool open : 1;         /* the engine holds its reference of an open socket */
    bool lent : 1;         /* the descriptor is somebody else's, to close when the socket no longer uses it */
    gt_op_list readers;    /* GT_OP_CONNECT, or GT_OP_RECV (one), or GT_OP_ACCEPT (in order) */
    gt_op_list writers;    /* GT_OP_SENDFILE, then GT_OP_SEND, each in order; GT_OP_CLOSE while CLOSING */
    gt_buffer *netns;      /* option netns, ended by 0; NULL: not given */
    gt_buffer *input;      /* what was received, and not yet asked for; NULL: nothing */
    gt_segment *output;    /* to be sent, in order */
    size_t output_size;    /* bytes in all of it */
    gt_counters counters;
    union {
        gt_sizes sizes;         /* NEW to ENDED, but for LISTENING */
        gt_listening listening; /* LISTENING */
        gt_closing closing;     /* CLOSING */
    };
};

/* Prepares zeroed memory; no system call. poller: where it will be watched. */
void gt_socket_init(gt_socket *socket, const gt_host *host, gt_poller *poller);
/* Frees what the socket holds, when the host's last reference goes; it must be NEW or SHUT. */
void gt_socket_fini(gt_socket *socket);

/* Connects to an address (a host tries the addresses of a name with a socket each). Options are checked first; a bad
 * one is GT_BADARG and nothing has happened. op: GT_OP_CONNECT. After a failure the socket is SHUT.
 *
 * With option fd it is that descriptor which connects (or listens), and which stays its maker's: neither a failure nor
 * the socket's end closes it, as with OTP's inet. Until then nobody else may use it. */
int gt_connect(gt_socket *socket, const gt_option *options, int count, const gt_address *to, gt_op *op);
/* Listens on an address (its port; option ip, if given, replaces the rest of it). 0 or an error, GT_BADARG as above. A
 * descriptor of option fd is only bound if option ip or a port is given (at may be of AF_UNSPEC: of its family); a
 * local address (AF_UNIX) without a name likewise only by option ip, which then makes an abstract one. */
int gt_listen(gt_socket *socket, const gt_option *options, int count, const gt_address *at);
/* A descriptor becomes a socket: CONNECTED or LISTENING, as it is, or NEW (a fresh one, for options and names only). It
 * is made non-blocking and close-on-exec. family: what it must be of, or AF_UNSPEC. lent: it stays its maker's, as with
 * option fd; else the socket closes it at its end. After a failure it is its maker's in either case, and the socket
 * SHUT. Options are set as by gt_set_options. -EINVAL: an option, or another family; and gt_sys_adopt's errors. */
int gt_fdopen(gt_socket *socket, int fd, int family, bool lent, const gt_option *options, int count);
/* Takes a connection. op: GT_OP_ACCEPT. */
int gt_accept(gt_socket *listener, gt_op *op);
/* Receives: op->length bytes, or a packet. op: GT_OP_RECV. */
int gt_recv(gt_socket *socket, gt_op *op);
/* Puts bytes back, to be read again first. They are copied. */
int gt_unrecv(gt_socket *socket, const void *bytes, size_t size);
/* Sends the parts, any number of them, as one packet. op: GT_OP_SEND; it waits from the high watermark to the low one
 * (see ARCHITECTURE.md, "A byte's way out"). When it is cancelled, its bytes stay queued. source is handed to
 * host->hold. op NULL: -EAGAIN instead of waiting, and nothing has happened; 0: sent or queued. (A socket whose sends
 * return when the kernel has taken all always waits.) */
int gt_send(gt_socket *socket, const struct iovec *parts, int count, void *source, gt_op *op);
/* Sends bytes of a file, without a packet's header; file->sent says how many, also after a failure or gt_cancel.
 * op: GT_OP_SENDFILE; it takes its place in the queue: what was sent before goes out first, what is sent later after
 * it. *file, and its fd, must stay until the op is finished or cancelled. What it costs to read from the disk is
 * waited for, by this call and by the poller's thread, 256 KiB a turn. A file that can't be sent (-EBADF, -ESPIPE: a
 * pipe, -EINVAL: no regular file, -EISDIR, -EIO, -EOVERFLOW) leaves the socket as it was if none of it has gone out;
 * afterwards the stream can't be continued, and the socket ends. -EINVAL also: offset below 0. Otherwise as gt_send;
 * but an ended stream is -ENOTCONN here, and what the next send is owed stays owed. gt_close, and an owner's death,
 * don't wait for a file: the op is answered GT_CLOSED, and of the queue goes out what was before it. */
#if GENTCP_WITH_SENDFILE
int gt_sendfile(gt_socket *socket, gt_file *file, gt_op *op);
#else
static inline int gt_sendfile(gt_socket *socket, gt_file *file, gt_op *op) {
    (void)socket, (void)file, (void)op;
    return -EOPNOTSUPP;
}
#endif
/* how: SHUT_RD, SHUT_WR or SHUT_RDWR. Returns at once; the end of writing, or of both, follows what is queued. */
int gt_shutdown(gt_socket *socket, int how);
/* Closes: everybody who waits is told GT_CLOSED, the queue is flushed within its bound, the descriptor closed, and
 * then op (GT_OP_CLOSE) is finished. op may be NULL (owner death). 0, too, if it was closed before. While an op waits
 * for the flush, options can still be set, and what is sent goes out behind the rest, within the same bound. */
int gt_close(gt_socket *socket, gt_op *op);
/* Closes without flushing: everybody who waits is told GT_CLOSED. The owner of an active connection gets tcp_closed; a
 * passive one is ENDED, and still to be closed. */
void gt_abort(gt_socket *socket);
/* Takes back an op: true if it won't be completed, false if it was; the op must be the host's to look at in either
 * case. (A host that knows its ops by other means may search the lists under the socket's lock.) A send,
 * or sendfile, is cancelled when its send_timeout has passed: with send_timeout_close the socket is then aborted. When
 * the last send was cancelled, the next one waits only if the queue is at high_watermark. */
bool gt_cancel(gt_socket *socket, gt_op *op);

/* Options timeout and send_timeout: milliseconds or GT_INFINITY, without the lock. */
static inline int32_t gt_timeout(const gt_socket *socket) {
    return __atomic_load_n(&socket->settings.timeout, __ATOMIC_RELAXED);
}
static inline int32_t gt_send_timeout(const gt_socket *socket) {
    return __atomic_load_n(&socket->settings.send_timeout, __ATOMIC_RELAXED);
}

/* inet:setopts: all are checked (-EINVAL: nothing applied), then applied in order up to the first failure. */
int gt_set_options(gt_socket *socket, const gt_option *options, int count);
/* Reads one option: its name is set, the rest is filled in. -EINVAL: can't be read. */
int gt_get_option(gt_socket *socket, gt_option *option);
/* What a socket is at this moment. */
typedef struct gt_info {
    enum gt_state state;
    int family;       /* AF_INET, …; 0: it was never opened */
    uint8_t active;   /* gt_active */
    int active_count; /* what is left of GT_ACTIVE_COUNT */
    size_t input;     /* bytes received, and not yet asked for */
    size_t output;    /* bytes queued */
    size_t readers;   /* how many wait: in connect, in recv, or in accept */
    size_t senders;   /* in send */
    size_t files;     /* in sendfile */
    bool congested;   /* senders wait for the low watermark: what inet calls busy */
    bool read_ended;  /* the peer's end was read, and the socket lives on (exit_on_close false) */
    bool write_ended; /* shutdown(write) was asked for */
    bool paused;      /* between gt_pause and gt_resume or gt_reown */
    gt_stats stats;   /* its counters, in any state */
} gt_info;

/* inet:info, and lists of sockets. In any state. */
void gt_get_info(gt_socket *socket, gt_info *out);
/* inet:getstat: 0 or -EINVAL (closed). */
int gt_getstat(gt_socket *socket, gt_stats *out);
int gt_sockname(gt_socket *socket, gt_address *out);
int gt_peername(gt_socket *socket, gt_address *out);
/* Holds back all messages to the owner: until gt_resume, or a gt_reown that succeeds, none is delivered and nothing is
 * read for one. Options can be set and read meanwhile, as if it were not so. For a host that has to collect what the
 * owner hasn't seen before there is another owner; who may pause is for the host to see to. 0; GT_CLOSED. */
int gt_pause(gt_socket *socket);
/* Delivers what was held back, and goes on. Harmless without gt_pause. */
void gt_resume(gt_socket *socket);
/* controlling_process: host->reown under the socket's lock, and into another poller if `poller` is a different one
 * (then only by the thread that runs the present one). A paused socket goes on under the same lock, so that its next
 * message goes to the new owner; an error leaves it paused. */
int gt_reown(gt_socket *socket, const void *from, const void *to, gt_poller *poller);

/* Says that the descriptor may be ready (a set of gt_readiness), by whoever has waited for it. */
void gt_ready(gt_socket *socket, int readiness);
/* What a thread that waits outside the poller should wait for: the descriptor (-1: closed), and POLLIN or POLLOUT
 * for op. */
int gt_waits_for(gt_socket *socket, const gt_op *op, short *events);

/* What a host passes to gt_poller_open, its memory functions added. */
void gt_poller_user_init(gt_poller_user *user, void *(*allocate)(size_t), void (*release)(void *));

#endif
