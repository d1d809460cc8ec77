/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine needs of its host: memory for what is received, and somewhere to deliver it.
 *
 * Unless a line says otherwise, callbacks are made with the socket locked, from whichever thread called the engine
 * or runs the poller: they must not block, and must not call the engine. */
#ifndef GT_HOST_H
#define GT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/http.h"
#include "engine/options.h"

typedef struct gt_socket gt_socket;
typedef struct gt_op gt_op;

/* Memory to receive into, made by the host, which may put its own fields behind these. */
typedef struct gt_buffer {
    uint8_t *bytes;
    size_t size;
    size_t from, to; /* the engine's: bytes[from..to) were received and not yet asked for */
} gt_buffer;

/* Received bytes on their way to the host. */
typedef struct gt_data {
    const uint8_t *bytes;
    size_t size;
    /* NULL: the bytes are lent until the callback returns: copy them. Otherwise they lie in this buffer and fill at
     * least half of it; a callback that returns success takes it over. */
    gt_buffer *buffer;
    const gt_http *http; /* packet types http…: what the line says; lent as well. Else NULL */
} gt_data;

/* Bytes in the send queue. The host puts its own fields behind these. */
typedef struct gt_segment {
    struct gt_segment *next;
    struct gt_segment *last; /* the engine's: of the first in the queue, the last */
    const uint8_t *bytes;
    size_t size;
} gt_segment;

enum gt_op_kind { GT_OP_CONNECT, GT_OP_ACCEPT, GT_OP_RECV, GT_OP_SEND, GT_OP_SENDFILE, GT_OP_CLOSE };

/* A part of a file on its way out. The host fills in fd, offset and left; until the op is finished or cancelled it only
 * reads `sent`. */
typedef struct gt_file {
    int fd;
    int64_t offset; /* of the next byte */
    uint64_t left;  /* so many bytes are to go, unless the file ends before; given 0: up to its end */
    uint64_t sent;  /* so many have gone */
    size_t before;  /* so much of the socket's queue goes out first, counted from the file in front of this one */
} gt_file;

/* A call that couldn't be finished at once, or may turn out so. Embedded in the host's own struct, zeroed before
 * use; the host's again once complete was called for it, or gt_cancel has returned true. */
struct gt_op {
    gt_op *next;     /* NULL: the last */
    gt_op *previous; /* of the first: the last */
    uint8_t kind;
    bool at_most; /* recv: up to `length` (not 0) bytes of raw data; of packets, one of any size */
    bool waiting; /* on one of the socket's lists. This and the next: guarded by the socket's lock */
    bool pinned;  /* the host's own: it frees the op elsewhere than in complete */
    union {
        size_t length; /* recv: exactly so many bytes; 0: what is there */
        gt_file *file; /* sendfile: the host's memory */
    };
};

typedef struct gt_result {
    int status;          /* 0 or a negative error */
    gt_data data;        /* recv */
    gt_socket *accepted; /* accept: the connection; locked, as the listener is */
} gt_result;

enum gt_message_kind { GT_TCP, GT_TCP_CLOSED, GT_TCP_ERROR, GT_TCP_PASSIVE };

typedef struct gt_message {
    enum gt_message_kind kind;
    int reason;   /* GT_TCP_ERROR: a negative error */
    gt_data data; /* GT_TCP */
} gt_message;

typedef struct gt_host {
    const char *name;
    /* Where this host's defaults differ from the table's. */
    const gt_option *defaults;
    int default_count;

    /* An op is finished, with its result: exactly once, unless gt_cancel came first. False: its caller is gone;
     * bytes and connection stay with the engine, for the next who asks. */
    bool (*complete)(gt_socket *socket, gt_op *op, const gt_result *result);
    /* Is the caller that waits on op gone? (True only if it is certain.) A new recv then takes its place. */
    bool (*abandoned)(gt_socket *socket, gt_op *op);
    /* A message for the owner. 0; GT_CLOSED: the owner is dead, and the engine closes the socket; -ENOMEM: not
     * taken. Only GT_TCP may fail with -ENOMEM: the socket then ends with tcp_error enomem and tcp_closed. */
    int (*deliver)(gt_socket *socket, const gt_message *message);
    /* Changes the owner, together with all that was delivered to the old one and not yet seen: 0; GT_NOT_OWNER;
     * GT_BADARG: `to` is dead, nothing has changed. from and to are gt_reown's. */
    int (*reown)(gt_socket *socket, const void *from, const void *to);

    /* A socket for a connection that op (GT_OP_ACCEPT) takes from listener: memory, gt_socket_init, and the host's
     * own options handed down. It comes with a reference for the engine, dropped by let_go once complete was called:
     * to keep the connection, complete takes one of its own. NULL: no memory. */
    gt_socket *(*create)(gt_socket *listener, gt_op *op);
    /* The engine takes, and drops, a reference to the socket: one while it is open, one while it is watched. With or
     * without the lock; only a let_go without it may drop the last one. */
    void (*keep)(gt_socket *socket);
    void (*let_go)(gt_socket *socket);
    /* The socket has become SHUT, in whatever way: from now on every call answers GT_CLOSED. Once; not for a socket
     * that was never opened. */
    void (*closed)(gt_socket *socket);

    /* Options that are the host's (GT_OF_HOST), checked already. May be NULL if there are none. */
    int (*set_option)(gt_socket *socket, const gt_option *option);
    int (*get_option)(gt_socket *socket, gt_option *option);

    /* Buffers. buffer_resize keeps the bytes; NULL from either: no memory (and the old one is as it was). */
    gt_buffer *(*buffer_new)(size_t size);
    gt_buffer *(*buffer_resize)(gt_buffer *buffer, size_t size);
    void (*buffer_free)(gt_buffer *buffer);
    /* Memory of this thread to read small packets through, the same at each call. NULL: no memory. Any lock. */
    uint8_t *(*scratch)(size_t *size);

    /* Keeps what the kernel didn't take of a send: parts[0..count) without the first `skip` bytes, as a chain of
     * segments, by reference where source allows it, else copied. These are gt_send's own parts and source; the header
     * of a packet comes by itself, with source NULL. NULL: no memory. */
    gt_segment *(*hold)(void *source, const struct iovec *parts, int count, size_t skip);
    void (*segment_free)(gt_segment *segment);

    /* True: with high_watermark 0, send returns when the kernel has taken all (a host without threads of its own). */
    bool zero_watermark_drains;
} gt_host;

#endif
