/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp: TCP with the behaviour of Erlang's gen_tcp, for C and C++.
 *
 *     gentcp_socket listener, peer;
 *     gentcp_data line;
 *     int error = gentcp_listen(4000, gentcp_options(GENTCP_PACKET(GENTCP_LINE), GENTCP_ACTIVE(false)), &listener);
 *     ...
 *     error = gentcp_accept(listener, GENTCP_INFINITY, &peer);
 *     error = gentcp_recv(peer, 0, 5000, &line);
 *     error = gentcp_send(peer, line.bytes, line.size);
 *     gentcp_data_release(&line);
 *     error = gentcp_close(peer);
 *
 * The norm is the manual of OTP's gen_tcp(3) and inet(3); what is said here is how it looks from C, and where it
 * differs.
 *
 * Results. Functions return 0 (or a count, where said so) or a negative error: one of enum gentcp_error, or a negative
 * errno value such as -ECONNREFUSED. Results come last, through pointers, and are written on success only. A NULL
 * result pointer, NULL bytes with a size above 0, and a handle that never existed are GENTCP_BADARG.
 *
 * Time. Timeouts are in milliseconds; GENTCP_INFINITY waits for ever, 0 doesn't wait. A negative timeout means
 * GENTCP_INFINITY, but for gentcp_connect, where only GENTCP_INFINITY itself does, and GENTCP_DEFAULT_TIMEOUT, see
 * there.
 *
 * Processes. A thread that uses gentcp is a process: it has a mailbox, and it is the owner of the sockets that it
 * connects, accepts and listens on, until it gives them away with gentcp_controlling_process. Active sockets (option
 * active, the default) put what they receive into their owner's mailbox, where gentcp_receive takes it out. A process
 * begins with the thread's first call that needs one, and ends with the thread or with gentcp_exit; its sockets are
 * then closed. Returning from main ends no thread: call gentcp_exit before it.
 *
 * Threads. gentcp starts none (but for looking up names): all that has to be done in the background, such as filling
 * the mailbox or sending what is queued, is done while its process is inside a gentcp call that waits, or in
 * gentcp_receive. Any thread may call any function on any socket. A thread that is inside gentcp must not be cancelled
 * (pthread_cancel), and no function may be called from a signal handler. After fork(2) the child may only exec: it
 * shares its parent's connections.
 *
 * Environment. GENTCP_POLLER=epoll or =poll chooses how to wait for descriptors, unless gentcp_configure does. */
#ifndef GENTCP_H
#define GENTCP_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

#define GENTCP_API __attribute__((visibility("default")))

/* ---- Basics ---- */

/* A socket: a value, which may be copied, kept and compared by its id. Once the socket is closed, and whatever is
 * opened later, calls that use the stream answer GENTCP_CLOSED, those about options and addresses -EINVAL, and
 * gentcp_close 0. {0} is never a socket. */
typedef struct gentcp_socket {
    uint64_t id;
} gentcp_socket;

/* A process: likewise a value. {0} is never a process. */
typedef struct gentcp_pid {
    uint64_t id;
} gentcp_pid;

/* A monitor of a socket: likewise. */
typedef struct gentcp_ref {
    uint64_t id;
} gentcp_ref;

/* Errors of gentcp's own, beside the negative errno values. */
enum gentcp_error {
    GENTCP_CLOSED = -1001,    /* closed: the socket is, by the peer or by this side */
    GENTCP_TIMEOUT = -1002,   /* timeout: the given time has passed */
    GENTCP_NOT_OWNER = -1003, /* not_owner: only the socket's owner may do this */
    GENTCP_BADARG = -1004,    /* badarg: an argument that could never be right */
    GENTCP_NXDOMAIN = -1005,  /* nxdomain: no such host name */
};

#define GENTCP_INFINITY ((int64_t)-1)
/* As a timeout of gentcp_connect, gentcp_accept and of gentcp_recv in its forms: what option timeout says. */
#define GENTCP_DEFAULT_TIMEOUT ((int64_t)-2)

/* The name of an error as gen_tcp spells it ("econnrefused", "closed", "nxdomain"); "unknown" for a number that is
 * none. Never NULL; static storage. */
GENTCP_API const char *gentcp_error_name(int error);

typedef struct gentcp_http gentcp_http;

/* Received bytes. bytes is never NULL, and bytes[size] is 0, so that a received line is a string. They belong to
 * whoever got them, who may change them, and gives them back with gentcp_data_release. */
typedef struct gentcp_data {
    uint8_t *bytes;
    size_t size;
    const gentcp_http *http; /* packet types http and httph: what the line says, and lives as long as it; else NULL */
    void *memory;            /* gentcp's: what there is to release */
} gentcp_data;

/* Releases the bytes, and http; *data is empty then. From any thread. Harmless on {0}, on NULL, and when repeated. */
GENTCP_API void gentcp_data_release(gentcp_data *data);

/* An address and a port, or a local name (AF_UNIX): sockaddr_in, sockaddr_in6 or sockaddr_un, by any.sa_family; size
 * bytes of it count. Of a local name these are the family and the name's own bytes, without a 0 at its end. */
typedef struct gentcp_address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
} gentcp_address;

/* The port of an address, in the host's byte order; 0 of a local name. */
GENTCP_API uint16_t gentcp_address_port(const gentcp_address *address);
/* Reads a numeric address ("127.0.0.1", "::1", "fe80::1%eth0"), or, with a '/' in it, the path of a local name
 * ("/run/x.sock", "./x.sock"), or, with '@' in front, an abstract one ("@x": Linux), whose port must be 0. 0 or
 * GENTCP_BADARG. */
GENTCP_API int gentcp_address_parse(const char *text, uint16_t port, gentcp_address *out);
/* Makes a local name of its bytes: a path; or 0 and then up to 107 bytes of any value: a name in Linux's abstract
 * namespace. 0; GENTCP_BADARG: none at all, more than 107 bytes of a path, or a 0 in it. */
GENTCP_API int gentcp_address_local(const void *name, size_t size, gentcp_address *out);
enum { GENTCP_ADDRESS_TEXT = 128 }; /* large enough for every address's text, and its 0 */
/* Writes an address without its port, as text ended by 0, that gentcp_address_parse reads. Of an abstract name each 0
 * is an '@'; the address of a local socket that has no name is "". 0, GENTCP_BADARG, or -ENOSPC: more than size bytes.
 */
GENTCP_API int gentcp_address_format(const gentcp_address *address, char *text, size_t size);

/* ---- Configuration ---- */

enum gentcp_poller {
    GENTCP_POLLER_ANY,   /* as GENTCP_POLLER in the environment says, else the best there is */
    GENTCP_POLLER_EPOLL, /* epoll(7) */
    GENTCP_POLLER_POLL,  /* poll(2) */
};

/* What can be chosen for the whole program. A member that is 0 or NULL stands for the default. */
typedef struct gentcp_config {
    /* Where all memory comes from: all three, or none for malloc, realloc and free. They work as those do, must be safe
     * to call from several threads, and must not call gentcp. Without them, part of what is released is kept for what
     * is received next: up to 128 KiB by each process, until it ends, and four buffers of 66 KiB by the program; not so
     * in a program with the address sanitizer, which so sees what is used after its release (for other tools, give
     * malloc, realloc and free themselves). */
    void *(*allocate)(size_t size);
    void *(*resize)(void *memory, size_t size);
    void (*release)(void *memory);
    enum gentcp_poller poller;
} gentcp_config;

/* Configures the library, for the whole program. Optional; before any other function but gentcp_error_name and those on
 * addresses. 0; -EALREADY: it is in use, or configured, already; GENTCP_BADARG. */
GENTCP_API int gentcp_configure(const gentcp_config *config);

/* ---- Options ---- */

/* The names of options. Their meaning is that of inet:setopts/2 and of gen_tcp's connect and listen options. */
enum gentcp_option_name {
    GENTCP_OPT_ABSENT = -2, /* getopts: the socket has no such option (one of IPv6 on an IPv4 socket) */
    GENTCP_OPT_END = -1,    /* ends every list */
    GENTCP_OPT_ACTIVE = 0,
    GENTCP_OPT_MODE, /* list or binary, on hosts that have lists; here GENTCP_BADARG or -EINVAL */
    GENTCP_OPT_PACKET,
    GENTCP_OPT_PACKET_SIZE,
    GENTCP_OPT_BUFFER,
    GENTCP_OPT_HIGH_WATERMARK,
    GENTCP_OPT_LOW_WATERMARK,
    GENTCP_OPT_SEND_TIMEOUT,
    GENTCP_OPT_SEND_TIMEOUT_CLOSE,
    GENTCP_OPT_EXIT_ON_CLOSE,
    GENTCP_OPT_SHOW_ECONNRESET,
    GENTCP_OPT_INET_BACKEND,
    GENTCP_OPT_LINGER,
    GENTCP_OPT_FAMILY,
    GENTCP_OPT_IP,
    GENTCP_OPT_PORT,
    GENTCP_OPT_BACKLOG,
    GENTCP_OPT_TIMEOUT,
    GENTCP_OPT_NODELAY,
    GENTCP_OPT_KEEPALIVE,
    GENTCP_OPT_REUSEADDR,
    GENTCP_OPT_RECBUF,
    GENTCP_OPT_SNDBUF,
    GENTCP_OPT_LINE_DELIMITER,
    GENTCP_OPT_IPV6_V6ONLY,
    GENTCP_OPT_PRIORITY,
    GENTCP_OPT_TOS,
    GENTCP_OPT_TCLASS,
    GENTCP_OPT_TTL,
    GENTCP_OPT_RECVTOS,
    GENTCP_OPT_RECVTCLASS,
    GENTCP_OPT_RECVTTL,
    GENTCP_OPT_KEEPIDLE,
    GENTCP_OPT_KEEPINTVL,
    GENTCP_OPT_KEEPCNT,
    GENTCP_OPT_REUSEPORT,
    GENTCP_OPT_REUSEPORT_LB,
    GENTCP_OPT_EXCLUSIVEADDRUSE,
    GENTCP_OPT_DONTROUTE,
    GENTCP_OPT_DEBUG,
    GENTCP_OPT_HIGH_MSGQ_WATERMARK,
    GENTCP_OPT_LOW_MSGQ_WATERMARK,
    GENTCP_OPT_DELAY_SEND,
    GENTCP_OPT_BIND_TO_DEVICE,
    GENTCP_OPT_FD,
    GENTCP_OPT_NETNS,
    GENTCP_OPT_PKTOPTIONS,
    GENTCP_OPT_RAW,
    GENTCP_OPT_HEADER, /* these two: on hosts of Erlang */
    GENTCP_OPT_DELIVER,
};

/* Values of GENTCP_ACTIVE; false and true serve for the first two. */
enum gentcp_active {
    GENTCP_PASSIVE,      /* received data waits for gentcp_recv */
    GENTCP_TRUE,         /* received data comes as messages */
    GENTCP_ONCE,         /* one message, then passive */
    GENTCP_ACTIVE_COUNT, /* what getopts says of GENTCP_ACTIVE_N; the rest of the count is in extra */
};

/* Values of GENTCP_PACKET. */
enum gentcp_packet {
    GENTCP_RAW = 0,      /* no framing */
    GENTCP_PACKET_1 = 1, /* each packet has a header of 1, 2 or 4 bytes, big-endian, with the length of the rest */
    GENTCP_PACKET_2 = 2,
    GENTCP_PACKET_4 = 4,
    GENTCP_LINE = 16, /* received data is split after each line's delimiter, which stays */
    /* These have a header of their own, which tells their length: received whole, with it; sent as they are. */
    GENTCP_ASN1,  /* ASN.1 BER */
    GENTCP_SUNRM, /* Sun RPC record marking */
    GENTCP_CDR,   /* CORBA GIOP 1.1 */
    GENTCP_FCGI,  /* FastCGI; received without their padding */
    GENTCP_TPKT,  /* TPKT (RFC 1006) */
    /* HTTP/1, a line at a time, and what it says: see gentcp_http. Sent as it is. */
    GENTCP_HTTP,                   /* a request or status line, header fields, their end, and then the next such line */
    GENTCP_HTTPH,                  /* header fields and their end only: trailers, parts of a multipart body */
    GENTCP_HTTP_BIN = GENTCP_HTTP, /* there are two of each in Erlang, for two kinds of strings */
    GENTCP_HTTPH_BIN = GENTCP_HTTPH,
};

/* Values of GENTCP_INET_BACKEND. */
enum gentcp_inet_backend {
    GENTCP_INET,   /* send returns at once and queues what the kernel doesn't take, up to the watermarks */
    GENTCP_SOCKET, /* send returns when the kernel has taken all */
};

/* An option and its value. Made by the macros below; getopts fills in the values. */
typedef struct gentcp_option {
    int name;         /* enum gentcp_option_name */
    int64_t number;   /* the value; a boolean is 0 or 1 */
    int64_t extra;    /* the count of GENTCP_ACTIVE_N, the seconds of GENTCP_LINGER */
    const char *text; /* of GENTCP_IP, GENTCP_BIND_TO_DEVICE and GENTCP_NETNS; must last until the call returns, */
    void *bytes;      /* as must these, of GENTCP_RAW_OPTION, GENTCP_IFADDR and GENTCP_READ_TEXT */
    size_t size;      /* of bytes; getopts: then of what it has filled in */
} gentcp_option;

static inline gentcp_option gentcp_option_make(int name, int64_t number, int64_t extra, const char *text) {
    gentcp_option option;
    option.name = name;
    option.number = number;
    option.extra = extra;
    option.text = text;
    option.bytes = NULL;
    option.size = 0;
    return option;
}

static inline gentcp_option gentcp_option_bytes(int name, int64_t number, int64_t extra, const void *bytes,
                                                size_t size) {
    gentcp_option option = gentcp_option_make(name, number, extra, NULL);
    option.bytes = (void *)(uintptr_t)bytes; /* only getopts writes there */
    option.size = size;
    return option;
}

static inline gentcp_option gentcp_option_room(int name, void *room, size_t size) {
    gentcp_option option = gentcp_option_make(name, 0, 0, NULL);
    option.bytes = room;
    option.size = size;
    return option;
}

/* A list of options, for the calls that take one: gentcp_options(GENTCP_PACKET(4), GENTCP_NODELAY(true)). At least one;
 * no option at all is NULL. The list lives until the end of the enclosing block (in C++: of the full expression). At
 * most GENTCP_OPTIONS_MAX of them. The same option twice: the later one counts. */
#ifdef __cplusplus
#define gentcp_options(...) (std::initializer_list<gentcp_option>{__VA_ARGS__, GENTCP_END}.begin())
#else
#define gentcp_options(...) ((gentcp_option[]){__VA_ARGS__, GENTCP_END})
#endif
enum { GENTCP_OPTIONS_MAX = 64 };
#define GENTCP_END gentcp_option_make(GENTCP_OPT_END, 0, 0, NULL)
/* Any option, with its number; what getopts starts from. */
#define GENTCP_OPTION(name, number) gentcp_option_make((name), (number), 0, NULL)

/* Where each may be given: connect, listen and setopts unless a line says otherwise; getopts reads the same ones, but
 * for line_delimiter and those that are for connect or listen only. "Inherited" ones go from a listener to what it
 * accepts. A value out of its range is GENTCP_BADARG in connect and listen, -EINVAL in setopts. */

/* enum gentcp_active, false or true. Default: true. Inherited. */
#define GENTCP_ACTIVE(value) GENTCP_OPTION(GENTCP_OPT_ACTIVE, (value))
/* So many more messages (-32768..32767, added to those that are left), then passive and a GENTCP_TCP_PASSIVE. */
#define GENTCP_ACTIVE_N(count) gentcp_option_make(GENTCP_OPT_ACTIVE, GENTCP_ACTIVE_COUNT, (count), NULL)
/* enum gentcp_packet. Default: GENTCP_RAW. Inherited. */
#define GENTCP_PACKET(type) GENTCP_OPTION(GENTCP_OPT_PACKET, (type))
/* The largest packet to receive, in bytes; a larger one is -EMSGSIZE. 0, the default: no limit but 2 GiB, and for a
 * line of HTTP option buffer, if it was set, else 64 KiB. Inherited. */
#define GENTCP_PACKET_SIZE(bytes) GENTCP_OPTION(GENTCP_OPT_PACKET_SIZE, (bytes))
/* The last byte of a line, 0..255. Default: '\n'. Inherited. */
#define GENTCP_LINE_DELIMITER(byte) GENTCP_OPTION(GENTCP_OPT_LINE_DELIMITER, (byte))
/* The largest piece of raw data, and of a line, in bytes: 1..64 MiB. Inherited. */
#define GENTCP_BUFFER(bytes) GENTCP_OPTION(GENTCP_OPT_BUFFER, (bytes))
/* How many queued bytes make send wait, and down to how many it waits. Default: 0 and 0: send returns when the kernel
 * has taken all, because queued bytes are only sent while their process is inside gentcp. Inherited. */
#define GENTCP_HIGH_WATERMARK(bytes) GENTCP_OPTION(GENTCP_OPT_HIGH_WATERMARK, (bytes))
#define GENTCP_LOW_WATERMARK(bytes)  GENTCP_OPTION(GENTCP_OPT_LOW_WATERMARK, (bytes))
/* How long send waits, in milliseconds, or GENTCP_INFINITY, the default; then it is GENTCP_TIMEOUT, and the bytes that
 * were queued will still be sent. Inherited. */
#define GENTCP_SEND_TIMEOUT(ms) GENTCP_OPTION(GENTCP_OPT_SEND_TIMEOUT, (ms))
/* Close the connection when send_timeout has passed. Default: false. Inherited. */
#define GENTCP_SEND_TIMEOUT_CLOSE(value) GENTCP_OPTION(GENTCP_OPT_SEND_TIMEOUT_CLOSE, (value))
/* The peer's end ends the whole connection (default: true), or only reading. Inherited. */
#define GENTCP_EXIT_ON_CLOSE(value) GENTCP_OPTION(GENTCP_OPT_EXIT_ON_CLOSE, (value))
/* Tell the peer's reset (RST) as -ECONNRESET instead of GENTCP_CLOSED. Default: false. Inherited. */
#define GENTCP_SHOW_ECONNRESET(value) GENTCP_OPTION(GENTCP_OPT_SHOW_ECONNRESET, (value))
/* enum gentcp_inet_backend; connect and listen only. With GENTCP_INET the watermarks' default of 0 still means that
 * send waits for the kernel. Inherited. */
#define GENTCP_INET_BACKEND(value) GENTCP_OPTION(GENTCP_OPT_INET_BACKEND, (value))
/* Whether, and how many seconds (0..65535), close waits for what is queued. (true, 0): it doesn't, and the peer gets a
 * reset. Default, or false: up to 5 seconds without progress, and 180 in all. Inherited. */
#define GENTCP_LINGER(value, seconds) gentcp_option_make(GENTCP_OPT_LINGER, (value), (seconds), NULL)
/* AF_INET, AF_INET6 or AF_UNIX; connect and listen only. Default: both IPv4 and IPv6, for gentcp_connect; that of the
 * local address, else AF_INET, for listen. */
#define GENTCP_FAMILY(family) GENTCP_OPTION(GENTCP_OPT_FAMILY, (family))
/* The local address, as text: what gentcp_address_parse reads, "any" or "loopback" (of the family, else IPv4); connect
 * and listen only. With GENTCP_FAMILY(AF_UNIX) any text is a path, but for an '@' in front. A path is made by
 * listening, and is the program's to remove. */
#define GENTCP_IP(address) gentcp_option_make(GENTCP_OPT_IP, 0, 0, (address))
/* The same as a const gentcp_address *. Its port, unless that is 0, counts instead of what else says the port. */
#define GENTCP_IFADDR(address) gentcp_option_bytes(GENTCP_OPT_IP, 0, 0, (address), sizeof(gentcp_address))
/* A descriptor to connect or listen with, instead of a new one; negative: none. It may be bound, connected (then
 * connect is -EISCONN) or listening already, and is bound if a local address or port is given. It is made non-blocking
 * and close-on-exec, and stays the caller's: neither a failure nor gentcp_close closes it (as with OTP's {fd, N}), but
 * until then nobody else may use it. Compare gentcp_fdopen, which has the errors as well. connect and listen only. */
#define GENTCP_FD(fd) GENTCP_OPTION(GENTCP_OPT_FD, (fd))
/* The network namespace to open the socket in, as the path of its file ("/run/netns/blue"). Linux. connect and listen
 * are the errors of open(2) and setns(2), such as -ENOENT, -EPERM, and -EINVAL: no such file. Set later it is kept, and
 * does nothing. getopts: with GENTCP_READ_TEXT; absent if it wasn't given. */
#define GENTCP_NETNS(path) gentcp_option_make(GENTCP_OPT_NETNS, 0, 0, (path))
/* Any option of setsockopt(2). As with inet, what the system says to it when it is set isn't told. getopts: reads up to
 * size bytes into bytes; absent if the system refuses. */
#define GENTCP_RAW_OPTION(level, name, bytes, size)                                                                    \
    gentcp_option_bytes(GENTCP_OPT_RAW, (level), (name), (bytes), (size))
/* getopts only: room for the text of bind_to_device or netns, which is ended by 0 and cut short if it doesn't fit; size
 * is then its length. */
#define GENTCP_READ_TEXT(name, room, size) gentcp_option_room((name), (room), (size))
/* getopts only: what the packets that came last said: number is their tos, or tclass on IPv6, and extra their ttl on
 * IPv4, as far as GENTCP_RECVTOS, GENTCP_RECVTCLASS and GENTCP_RECVTTL ask for it; else -1. */
#define GENTCP_PKTOPTIONS GENTCP_OPTION(GENTCP_OPT_PKTOPTIONS, -1)
/* The local port of a connection, 0..65535; connect only. Default: 0: any. */
#define GENTCP_PORT(port) GENTCP_OPTION(GENTCP_OPT_PORT, (port))
/* How many connections may wait to be accepted, 0..65535; listen only. Default: 5. */
#define GENTCP_BACKLOG(count) GENTCP_OPTION(GENTCP_OPT_BACKLOG, (count))
/* Those of the system; see tcp(7), socket(7) and ipv6(7). Defaults are the system's. */
#define GENTCP_NODELAY(value)     GENTCP_OPTION(GENTCP_OPT_NODELAY, (value))     /* bool; inherited */
#define GENTCP_KEEPALIVE(value)   GENTCP_OPTION(GENTCP_OPT_KEEPALIVE, (value))   /* bool; inherited */
#define GENTCP_REUSEADDR(value)   GENTCP_OPTION(GENTCP_OPT_REUSEADDR, (value))   /* bool */
#define GENTCP_RECBUF(bytes)      GENTCP_OPTION(GENTCP_OPT_RECBUF, (bytes))      /* SO_RCVBUF */
#define GENTCP_SNDBUF(bytes)      GENTCP_OPTION(GENTCP_OPT_SNDBUF, (bytes))      /* SO_SNDBUF */
#define GENTCP_PRIORITY(value)    GENTCP_OPTION(GENTCP_OPT_PRIORITY, (value))    /* SO_PRIORITY; inherited */
#define GENTCP_IPV6_V6ONLY(value) GENTCP_OPTION(GENTCP_OPT_IPV6_V6ONLY, (value)) /* bool */

/* The time that GENTCP_DEFAULT_TIMEOUT stands for, in milliseconds or GENTCP_INFINITY, the default. Inherited. */
#define GENTCP_OPTION_TIMEOUT(ms) GENTCP_OPTION(GENTCP_OPT_TIMEOUT, (ms))
/* Send nothing at once: what is sent until the process next waits in gentcp goes out together. Default: false.
 * Inherited. (While send waits for the kernel, see GENTCP_HIGH_WATERMARK, that is at once.) */
#define GENTCP_DELAY_SEND(value)   GENTCP_OPTION(GENTCP_OPT_DELAY_SEND, (value))
#define GENTCP_TOS(value)          GENTCP_OPTION(GENTCP_OPT_TOS, (value))         /* IP_TOS, 0..255; inherited */
#define GENTCP_TCLASS(value)       GENTCP_OPTION(GENTCP_OPT_TCLASS, (value))      /* IPV6_TCLASS, -1..255; inherited */
#define GENTCP_TTL(value)          GENTCP_OPTION(GENTCP_OPT_TTL, (value))         /* IP_TTL, 1..255, -1; inherited */
#define GENTCP_RECVTOS(value)      GENTCP_OPTION(GENTCP_OPT_RECVTOS, (value))     /* bool; these three: IP_RECVTOS… */
#define GENTCP_RECVTCLASS(value)   GENTCP_OPTION(GENTCP_OPT_RECVTCLASS, (value))  /* bool */
#define GENTCP_RECVTTL(value)      GENTCP_OPTION(GENTCP_OPT_RECVTTL, (value))     /* bool */
#define GENTCP_KEEPIDLE(seconds)   GENTCP_OPTION(GENTCP_OPT_KEEPIDLE, (seconds))  /* 1..32767; inherited */
#define GENTCP_KEEPINTVL(seconds)  GENTCP_OPTION(GENTCP_OPT_KEEPINTVL, (seconds)) /* 1..32767; inherited */
#define GENTCP_KEEPCNT(count)      GENTCP_OPTION(GENTCP_OPT_KEEPCNT, (count))     /* 1..127; inherited */
#define GENTCP_REUSEPORT(value)    GENTCP_OPTION(GENTCP_OPT_REUSEPORT, (value))   /* bool */
#define GENTCP_REUSEPORT_LB(value) GENTCP_OPTION(GENTCP_OPT_REUSEPORT_LB, (value)) /* bool; on Linux the same */
#define GENTCP_DONTROUTE(value)    GENTCP_OPTION(GENTCP_OPT_DONTROUTE, (value))    /* bool */
/* The name of the network device to use, "" for any: SO_BINDTODEVICE. getopts: with GENTCP_READ_TEXT. */
#define GENTCP_BIND_TO_DEVICE(device) gentcp_option_make(GENTCP_OPT_BIND_TO_DEVICE, 0, 0, (device))
/* Kept and read back, without any effect here: exclusiveaddruse is of Windows, debug traces OTP's driver, and the msgq
 * watermarks bound the queue of callers in front of an OTP port, which gentcp hasn't got. */
#define GENTCP_EXCLUSIVEADDRUSE(value)    GENTCP_OPTION(GENTCP_OPT_EXCLUSIVEADDRUSE, (value))    /* bool; inherited */
#define GENTCP_DEBUG(value)               GENTCP_OPTION(GENTCP_OPT_DEBUG, (value))               /* bool; inherited */
#define GENTCP_HIGH_MSGQ_WATERMARK(bytes) GENTCP_OPTION(GENTCP_OPT_HIGH_MSGQ_WATERMARK, (bytes)) /* inherited */
#define GENTCP_LOW_MSGQ_WATERMARK(bytes)  GENTCP_OPTION(GENTCP_OPT_LOW_MSGQ_WATERMARK, (bytes))  /* inherited */

/* Sets options (inet:setopts/2): all are checked first, then applied in order, up to the first failure. -EINVAL: one is
 * bad and none was applied, or the socket is closed. */
GENTCP_API int gentcp_setopts(gentcp_socket socket, const gentcp_option *options);
/* Reads options (inet:getopts/2): fills in the values of a list whose names are set, up to its GENTCP_OPT_END. An
 * option of another family becomes GENTCP_OPT_ABSENT. The list is an array of the caller's, such as
 *
 *     gentcp_option wanted[] = {GENTCP_LINGER(0, 0), GENTCP_NODELAY(0), GENTCP_END};
 *
 * -EINVAL: one can't be read, or the socket is closed; values are undefined. */
GENTCP_API int gentcp_getopts(gentcp_socket socket, gentcp_option *options);
/* Reads the number of one option. -EINVAL: it can't be read, or the socket is closed; -ENOPROTOOPT: the socket has no
 * such option. */
GENTCP_API int gentcp_getopt(gentcp_socket socket, enum gentcp_option_name name, int64_t *number);

/* ---- Opening and closing ---- */

/* Connects to a host, by name or numeric address, and port (gen_tcp:connect/4). All addresses of a name are tried, IPv6
 * and IPv4, in the order of getaddrinfo(3), each after the one before has failed; options family and ip choose. The
 * timeout covers the looking up of the name and all attempts. The caller is the owner. GENTCP_TIMEOUT (always so for
 * 0); GENTCP_NXDOMAIN; GENTCP_BADARG: host, an option or the timeout (below -1); -ECONNREFUSED and the other errors of
 * connect(2), socket(2) and bind(2), as met last; -ENOMEM. */
GENTCP_API int gentcp_connect(const char *host, uint16_t port, const gentcp_option *options, int64_t timeout_ms,
                              gentcp_socket *out);
/* Connects to one address (gen_tcp:connect/3 with a sockaddr, or with {local, Path} and port 0), as gentcp_connect does
 * to each of a name's. GENTCP_BADARG, too: the address isn't one, or of another family than an option. Local names:
 * -ENOENT, -ECONNREFUSED, -EINVAL: no name, -EAGAIN: the listener's backlog is full. */
GENTCP_API int gentcp_connect_address(const gentcp_address *to, const gentcp_option *options, int64_t timeout_ms,
                                      gentcp_socket *out);
/* Makes a socket of a descriptor that exists (gen_tcp:fdopen/2): of one end of socketpair(2), of an inherited
 * connection or listener; of a fresh one, which then can't be used but for its options and names. Options as in
 * setopts. The caller is the owner. It is made non-blocking and close-on-exec (non-blocking is for all who share it),
 * and it is gentcp's on success, closed with the socket; after a failure it is the caller's. GENTCP_BADARG: negative;
 * -EBADF; -ENOTSOCK; -EOPNOTSUPP: not a stream socket; -EAFNOSUPPORT: neither IPv4, IPv6 nor local; -EINVAL: an option;
 * -EEXIST: it is a socket of this process already (poll(2) does not notice); -ECONNRESET and such: a connection that
 * has failed; -ENOMEM. */
GENTCP_API int gentcp_fdopen(int fd, const gentcp_option *options, gentcp_socket *out);
/* Listens on a port, 0: any that is free, and 0 for a local name (gen_tcp:listen/2). The caller is the owner.
 * GENTCP_BADARG: an option, or a port with a local name; -EINVAL: AF_UNIX without a name;
 * -EADDRINUSE and the other errors of bind(2), listen(2) and socket(2). */
GENTCP_API int gentcp_listen(uint16_t port, const gentcp_option *options, gentcp_socket *out);
/* Takes a connection (gen_tcp:accept/2), whose owner is the caller. Any number of threads may wait; they are served in
 * order. GENTCP_TIMEOUT; GENTCP_CLOSED: the listener is; -EINVAL: it is none; -EMFILE and the other errors of
 * accept(2). */
GENTCP_API int gentcp_accept(gentcp_socket listener, int64_t timeout_ms, gentcp_socket *out);
/* Ends one direction or both: SHUT_RD, SHUT_WR or SHUT_RDWR (gen_tcp:shutdown/2). Returns at once; the end follows what
 * is queued, with SHUT_RDWR that of reading, too. GENTCP_BADARG: how; GENTCP_CLOSED; -ENOTCONN. */
GENTCP_API int gentcp_shutdown(gentcp_socket socket, int how);
/* Closes a socket (gen_tcp:close/1): whoever waits on the socket is told GENTCP_CLOSED; waits until what is queued has
 * been sent, within the time of option linger. 0, too, if it was closed before. Messages already in the mailbox stay
 * there.
 */
GENTCP_API int gentcp_close(gentcp_socket socket);

/* ---- Sending ---- */

/* Sends bytes, as one packet (gen_tcp:send/2). By default it returns when the kernel has taken all; see
 * GENTCP_HIGH_WATERMARK. Bytes are copied only if they are queued. Safe from several threads at once: packets don't
 * mix. GENTCP_TIMEOUT: see GENTCP_SEND_TIMEOUT; GENTCP_CLOSED; -ENOTCONN; -EMSGSIZE: the packet's header can't tell
 * such a size; -ENOMEM. */
GENTCP_API int gentcp_send(gentcp_socket socket, const void *bytes, size_t size);
/* The same for bytes in several places (0..1024 of them), which make one packet. GENTCP_BADARG: count. */
GENTCP_API int gentcp_sendv(gentcp_socket socket, const struct iovec *parts, int count);
/* The same without a copy: bytes must stay as they are until release(arg) is called, which is once, whatever the
 * result, and before gentcp_send_ref returns or later, by any thread that is inside gentcp. release must not wait, and
 * must not call gentcp. NULL: nothing to call, the bytes stay for ever. */
GENTCP_API int gentcp_send_ref(gentcp_socket socket, const void *bytes, size_t size, void (*release)(void *arg),
                               void *arg);
/* Sends bytes of a file, read by the kernel, without a packet's header (file:sendfile/5): size of them from that offset
 * on, 0: up to the file's end; fewer if the file is shorter. Returns when the kernel has taken all. *sent, unless that
 * is NULL, is how many have gone out: after a failure, too. Bytes that were sent before go out first, those that other
 * threads send meanwhile after it, and gentcp_shutdown's end after both. The file's own position isn't used or moved.
 * GENTCP_TIMEOUT: none of it has gone out for as long as GENTCP_SEND_TIMEOUT says; the rest won't. GENTCP_CLOSED: also
 * if the socket is closed meanwhile, for close doesn't wait for files; -ENOTCONN; -EBADF; -EINVAL: offset is below 0,
 * or it is no file that the kernel can send; -ESPIPE: it is a pipe, -EISDIR. After one of the last four, and after -EIO
 * and -EOVERFLOW, the connection is as it was if *sent is 0; otherwise it has ended, because nobody could tell where
 * the file was cut. */
GENTCP_API int gentcp_sendfile(gentcp_socket socket, int fd, int64_t offset, uint64_t size, uint64_t *sent);

/* ---- Receiving, passive ---- */

/* Receives from a passive socket (gen_tcp:recv/3): raw data, exactly length bytes, or what is there if length is 0;
 * with a packet type, one packet, and length must be 0. Bytes that came before a timeout are kept for the next call.
 * GENTCP_TIMEOUT; GENTCP_CLOSED: at the stream's end, then -ENOTCONN; -EINVAL: active, or a length with a packet type;
 * -EALREADY: another thread is receiving; -EMSGSIZE: a packet above option packet_size, or with a header that can't be
 * right, then -ENOTCONN; -ENOMEM: also for more than 64 MiB. */
GENTCP_API int gentcp_recv(gentcp_socket socket, size_t length, int64_t timeout_ms, gentcp_data *out);
/* Receives into the caller's memory, without an allocation for it: raw data, what is there up to size bytes; with a
 * packet type, one packet (of HTTP, the line alone). Returns the number of bytes. -EMSGSIZE: the packet is larger than
 * size, and is kept for the next call; GENTCP_BADARG: size is 0; the others as gentcp_recv. */
GENTCP_API int gentcp_recv_into(gentcp_socket socket, void *buffer, size_t size, int64_t timeout_ms);
/* Puts bytes back, to be received first (gen_tcp:unrecv/2). They are copied. */
GENTCP_API int gentcp_unrecv(gentcp_socket socket, const void *bytes, size_t size);

/* ---- HTTP ----
 *
 * With packet types http and httph, gentcp_recv and a message GENTCP_HTTP_LINE give a line at a time: bytes are the
 * line as it came, http is what it says. A body follows the end of the header fields; to receive it, set GENTCP_PACKET
 * to GENTCP_RAW there, and back afterwards. In active mode that is in time only if nothing is received meanwhile: so
 * use GENTCP_ONCE. How lines are read is erlang:decode_packet/3's affair; RFC 9112 is stricter in places. */

enum gentcp_http_kind {
    GENTCP_HTTP_REQUEST = 1, /* method, uri and its parts, major, minor */
    GENTCP_HTTP_RESPONSE,    /* major, minor, status, phrase */
    GENTCP_HTTP_HEADER,      /* name, sent, value */
    GENTCP_HTTP_END,         /* the empty line after the header fields */
    GENTCP_HTTP_ERROR,       /* a line that is none of these; what follows is read as if it hadn't been there */
};

enum gentcp_uri {
    GENTCP_URI_STAR,     /* "*" */
    GENTCP_URI_PATH,     /* "/index.html": path */
    GENTCP_URI_ABSOLUTE, /* "http://host:80/index.html", or https: scheme, host, port, path */
    GENTCP_URI_SCHEME,   /* "mailto:me": scheme, and the rest in path. CONNECT's "host:80" looks the same */
    GENTCP_URI_OTHER,    /* something else: path */
};

/* A text: bytes is never NULL, and bytes[size] is 0. What comes from a peer may contain other zeros before that: where
 * this matters, compare with size. */
typedef struct gentcp_text {
    const char *bytes;
    size_t size;
} gentcp_text;

/* What a line of HTTP says. Texts that its kind doesn't have are empty, numbers 0. */
struct gentcp_http {
    enum gentcp_http_kind kind;
    enum gentcp_uri uri;
    int major, minor; /* the version: 1 and 1 for HTTP/1.1; 0 and 9 for a request without one */
    int status;
    uint32_t port;      /* 0: the URI has none. Not checked: up to INT32_MAX */
    gentcp_text method; /* "GET": as it came */
    gentcp_text scheme; /* "http", "https", or as it came */
    gentcp_text host;
    gentcp_text path;   /* with its query; "/" for an absolute URI without one */
    gentcp_text phrase; /* "Not Found" */
    gentcp_text name;   /* "Content-Length": with the usual capitals, if it has at most 50 bytes */
    gentcp_text sent;   /* "content-length": as it came */
    gentcp_text value;  /* without space before it; with the line ends in it, if it goes on in further lines */
};

/* ---- Messages ---- */

enum gentcp_message_kind {
    GENTCP_TCP = 1,     /* {tcp, Socket, Data}: data */
    GENTCP_HTTP_LINE,   /* {http, Socket, Packet}: data, and what it says in data.http */
    GENTCP_TCP_CLOSED,  /* {tcp_closed, Socket}: the stream has ended; nothing of this socket follows */
    GENTCP_TCP_ERROR,   /* {tcp_error, Socket, Reason}: reason; GENTCP_TCP_CLOSED follows */
    GENTCP_TCP_PASSIVE, /* {tcp_passive, Socket}: the count of GENTCP_ACTIVE_N has come to 0 */
    GENTCP_USER,        /* from gentcp_post: user */
    GENTCP_DOWN,        /* {'DOWN', Ref, port, Socket, Reason}: ref, reason; see gentcp_monitor */
};

/* A message, as gentcp_receive takes it out of the mailbox. */
typedef struct gentcp_message {
    enum gentcp_message_kind kind;
    int reason;           /* GENTCP_TCP_ERROR: a negative error; GENTCP_DOWN: the same, or 0 */
    gentcp_socket socket; /* all but GENTCP_USER */
    gentcp_data data;     /* GENTCP_TCP, GENTCP_HTTP_LINE; the receiver's, to be released. Else empty */
    void *user;           /* GENTCP_USER */
    gentcp_ref ref;       /* GENTCP_DOWN */
} gentcp_message;

/* Takes the oldest message out of the caller's mailbox, waiting for one. Messages of one socket are in the stream's
 * order, those of one sender in the order in which they were posted. GENTCP_TIMEOUT: none has come. */
GENTCP_API int gentcp_receive(gentcp_message *out, int64_t timeout_ms);
/* The same, of one socket only; all others stay where they are. GENTCP_CLOSED: there is none, and the socket is closed,
 * so that none will come (a wait for messages of a socket that isn't the caller's own does not end with it);
 * GENTCP_BADARG: there is none, and no such socket ever was. */
GENTCP_API int gentcp_receive_from(gentcp_socket socket, gentcp_message *out, int64_t timeout_ms);
/* Puts a pointer into a mailbox. From any thread, process or not. Never waits; mailboxes have no bound. What isn't
 * received when the process ends is dropped; the pointer's target is the callers' affair. GENTCP_BADARG: no such
 * process, or it has ended; -ENOMEM. */
GENTCP_API int gentcp_post(gentcp_pid to, void *user);

/* ---- Monitors ---- */

/* Asks for a message GENTCP_DOWN to the caller when the socket is closed, by whomever and in whatever way
 * (inet:monitor/1); at once, if it is closed already. Any process may monitor any socket, several times; a passive
 * socket whose stream has ended isn't closed yet. The message follows the socket's others, and needs no memory any
 * more. Its reason: 0: closed by either side, or its owner has ended; the reason of the GENTCP_TCP_ERROR, if its owner
 * was told one; GENTCP_CLOSED: it was closed before. It goes with the caller, not with the socket, when that is handed
 * over. GENTCP_BADARG: no such socket ever was; -ENOMEM; -EMFILE, -ENFILE as gentcp_self. */
GENTCP_API int gentcp_monitor(gentcp_socket socket, gentcp_ref *out);
/* Ends a monitor of the caller's: no GENTCP_DOWN of it will be received any more, not even one that is in the mailbox
 * already (which inet:cancel_monitor/1 leaves there). Returns 1, or 0: the socket was closed already, or the monitor is
 * another process's, which goes on. GENTCP_BADARG: no such monitor ever was. */
GENTCP_API int gentcp_demonitor(gentcp_ref ref);

/* ---- Processes ---- */

/* The caller's process. -ENOMEM, -EMFILE, -ENFILE: there was none yet, and it can't be made. */
GENTCP_API int gentcp_self(gentcp_pid *out);
/* Ends the caller's process: its sockets are closed, waiting as gentcp_close does until what they have queued was sent;
 * its mailbox is dropped. What the thread calls later makes a new process. Threads that end do this by themselves. */
GENTCP_API void gentcp_exit(void);
/* Makes another process the owner of a socket (gen_tcp:controlling_process/2). Messages of the socket that the old
 * owner hasn't received yet go with it, in order. GENTCP_NOT_OWNER: the caller isn't the owner (but 0 if `owner` is it
 * already); GENTCP_BADARG: no such process, or it has ended: the socket is as it was; GENTCP_CLOSED. */
GENTCP_API int gentcp_controlling_process(gentcp_socket socket, gentcp_pid owner);

/* ---- What a socket is ---- */

/* A socket's own address, its peer's, and its own port (0: it is local). -EINVAL: closed; -ENOTCONN: it has
 * no peer (any more); -EBADF: a passive socket whose stream has ended has no address. */
GENTCP_API int gentcp_sockname(gentcp_socket socket, gentcp_address *out);
GENTCP_API int gentcp_peername(gentcp_socket socket, gentcp_address *out);
GENTCP_API int gentcp_port(gentcp_socket socket, uint16_t *out);
/* What has gone through a socket (inet:getstat/1). A packet is what one recv or message gave, and what one send was
 * given; its size is what it takes of the stream, the headers of packet types included. */
typedef struct gentcp_stat {
    uint64_t recv_oct; /* bytes received; those put back with gentcp_unrecv are counted each time */
    uint64_t recv_cnt; /* packets received */
    uint64_t recv_max; /* the largest of them, in bytes */
    uint64_t recv_avg; /* their average size */
    uint64_t recv_dvi; /* by how much they were larger, or smaller, than the average up to each, on average */
    uint64_t send_oct; /* likewise; sends that failed, and what is queued, are counted too */
    uint64_t send_cnt;
    uint64_t send_max;
    uint64_t send_avg;
    uint64_t send_pend; /* bytes that are queued, and not yet given to the kernel */
} gentcp_stat;

/* Reads the counters of a socket. -EINVAL: closed. */
GENTCP_API int gentcp_getstat(gentcp_socket socket, gentcp_stat *out);

/* Of a socket's life, the part that it is in. */
enum gentcp_state {
    GENTCP_IS_CLOSED,     /* by its owner, by gentcp_exit, or because its stream has ended */
    GENTCP_IS_CONNECTING, /* in another thread's gentcp_connect */
    GENTCP_IS_OPEN,       /* connected */
    GENTCP_IS_LISTENING,
    GENTCP_IS_ENDED,   /* passive, its stream has ended: still to be closed */
    GENTCP_IS_CLOSING, /* gentcp_close sends what is queued */
};

/* What a socket is at this moment (inet:info/1). */
typedef struct gentcp_socket_info {
    enum gentcp_state state; /* GENTCP_IS_CLOSED: all that follows is 0 */
    gentcp_pid owner;
    int family; /* AF_INET or AF_INET6; its type is SOCK_STREAM */
    enum gentcp_active active;
    int active_count; /* what is left of GENTCP_ACTIVE_N */
    size_t input;     /* bytes received, and not yet asked for */
    size_t output;    /* bytes sent, and not yet given to the kernel */
    size_t readers;   /* how many threads wait: in gentcp_accept, in gentcp_recv, or in gentcp_connect */
    size_t senders;   /* and in gentcp_send or gentcp_sendfile */
    bool busy;        /* output has reached high_watermark, and not yet come down to low_watermark */
    bool read_ended;  /* the peer's end was read; GENTCP_EXIT_ON_CLOSE(false) */
    bool write_ended; /* gentcp_shutdown of writing was asked for */
    gentcp_stat stat;
} gentcp_socket_info;

/* Tells what a socket is: also of one that is closed, which is no error. 0; GENTCP_BADARG: no such socket ever was. */
GENTCP_API int gentcp_info(gentcp_socket socket, gentcp_socket_info *out);
/* Returns the descriptor, for what gentcp has no option for, or for a TLS library that reads and writes by itself: then
 * make the socket passive and GENTCP_RAW, take what gentcp has read ahead by gentcp_recv with a length and a timeout of
 * 0, until that is GENTCP_TIMEOUT, and don't receive or send on it any more. The descriptor is non-blocking and stays
 * gentcp's: it is valid until the socket is closed or, exit_on_close, gentcp_recv or an active socket has read the
 * peer's end. To keep it longer, dup(2) it. -EINVAL: closed. */
GENTCP_API int gentcp_socket_fd(gentcp_socket socket);

/* ---- The caller's own loop ----
 *
 * A program with an event loop of its own watches gentcp_fd for POLLIN in it, with gentcp_next_timeout as the limit of
 * its wait, and then calls gentcp_receive(&message, 0) until that is GENTCP_TIMEOUT. Where gentcp_fd isn't supported
 * (poll(2)), it watches gentcp_pollfds, asked for anew before each wait. These belong to the caller's process: each
 * thread has its own, and its loop must run on that thread. */

/* A descriptor that is readable while gentcp_receive has something to do. -EOPNOTSUPP with GENTCP_POLLER_POLL; -ENOMEM,
 * -EMFILE, -ENFILE as gentcp_self. */
GENTCP_API int gentcp_fd(void);
/* Fills in at most n of what poll(2) shall watch, and returns how many there are (if more than n, n were filled in).
 * -EOPNOTSUPP with GENTCP_POLLER_EPOLL; -ENOMEM, -EMFILE, -ENFILE as gentcp_self. */
GENTCP_API int gentcp_pollfds(struct pollfd *fds, int n);
/* After how many milliseconds gentcp_receive has something to do without any of these being ready. 0: now; -1: never.
 */
GENTCP_API int gentcp_next_timeout(void);

#ifdef __cplusplus
}
#endif

#endif
