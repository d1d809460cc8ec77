/* SPDX-License-Identifier: Apache-2.0 */
/* Socket options: one table, from which come validation, setting, reading, inheritance and the docs.
 *
 * To add an option: one row in options_table.h, its name at the same place in include/gentcp.h (the compiler compares),
 * a value in test/behaviour_options_test.c (which complains of a row without one), and the target options_doc. If the
 * engine keeps it, its place in gt_settings and in set_options.c, too. */
#ifndef GT_OPTIONS_H
#define GT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/packet.h"
#include "sys/sys.h"

/* Names: GT_OPT_ACTIVE, GT_OPT_BUFFER, … in the order of the table. */
enum gt_option_name {
#define GT_OPTION_ROW(part, upper, name, type, low, high, fallback, where, owner, level, option) GT_OPT_##upper,
#include "engine/options_table.h"
#undef GT_OPTION_ROW
};

/* GT_OPTIONS: one more than the last that is compiled in. Below it may be gaps, which are allowed nowhere. */
enum {
#define GT_OPTION_ROW(part, upper, name, type, low, high, fallback, where, owner, level, option)                       \
    GT_IF(part, GT_HAS_OPT_##upper = GT_OPT_##upper, )
#include "engine/options_table.h"
#undef GT_OPTION_ROW
    GT_OPTIONS
};

enum gt_option_type {
    GT_TYPE_BOOL,     /* number: 0 or 1 */
    GT_TYPE_INT,      /* number: low..high */
    GT_TYPE_TIMEOUT,  /* number: milliseconds 0..high, or GT_INFINITY */
    GT_TYPE_ACTIVE,   /* number: gt_active; extra: the count of GT_ACTIVE_COUNT, -32768..32767 */
    GT_TYPE_MODE,     /* number: gt_mode */
    GT_TYPE_PACKET,   /* number: gt_packet_type */
    GT_TYPE_FAMILY,   /* number: AF_INET, AF_INET6 or AF_UNIX */
    GT_TYPE_BACKEND,  /* number: gt_send_backend */
    GT_TYPE_LINGER,   /* number: 0 or 1; extra: seconds 0..65535 */
    GT_TYPE_ADDRESS,  /* address: its port, unless that is 0, counts instead of the one given elsewhere */
    GT_TYPE_BYTES,    /* bytes[0..size), at most high of them. Reading: bytes has room for size of them; size is set */
    GT_TYPE_PATH,     /* as BYTES, without a 0 in it, nor at its end */
    GT_TYPE_RAW,      /* number, extra: level and name of setsockopt(2), 32 bits each; bytes, size: as above */
    GT_TYPE_DELIVER,  /* number: gt_deliver */
    GT_TYPE_RECEIVED, /* number: tos or, on IPv6, tclass; extra: ttl; of what came last, -1: not known. Read only */
};

#define GT_INFINITY ((int64_t)-1)

/* The shape of received data, where a host has two. */
enum gt_mode { GT_MODE_LIST, GT_MODE_BINARY };

/* The shape of messages with received data, where a host has two: {tcp, S, D} or {S, {data, D}}. */
enum gt_deliver { GT_DELIVER_TERM, GT_DELIVER_PORT };

enum gt_active { GT_PASSIVE, GT_ACTIVE_TRUE, GT_ACTIVE_ONCE, GT_ACTIVE_COUNT };
enum { GT_ACTIVE_COUNT_MAX = 32767 };
enum { GT_BUFFER_MAX = GENTCP_RECV_MAX }; /* as much as one recv may ask for */

/* Option inet_backend, given to gentcp: when send returns. */
enum gt_send_backend {
    GT_SEND_QUEUES, /* inet: at once, up to the watermarks */
    GT_SEND_DRAINS, /* socket: when the kernel has taken all */
};

/* Where an option may be given, whether accept hands it down, and whose it is. */
enum gt_option_where {
    GT_AT_CONNECT = 1,
    GT_AT_LISTEN = 2,
    GT_AT_SET = 4,
    GT_AT_GET = 8,
    GT_INHERITED = 16,
    GT_ANYWHERE = GT_AT_CONNECT | GT_AT_LISTEN | GT_AT_SET | GT_AT_GET,
    GT_AT_OPEN = GT_AT_CONNECT | GT_AT_LISTEN,
};

enum gt_option_owner {
    GT_OF_ENGINE, /* kept in gt_settings */
    GT_OF_SYSTEM, /* setsockopt(2), getsockopt(2) at (level, option) */
    GT_OF_HOST,   /* host->set_option, host->get_option */
};

typedef struct gt_option {
    uint16_t name; /* gt_option_name */
    int64_t number;
    int64_t extra;
    union {
        gt_address address;
        struct {
            void *bytes; /* the caller's; written to only when read */
            size_t size;
        };
    };
} gt_option;

typedef struct gt_option_row {
    char name[20]; /* as gen_tcp spells it; here, because a pointer to it would cost as much again, and a relocation */
    uint8_t type, where, owner;
    int32_t low;
    uint32_t high;
    int32_t fallback; /* the default, GT_OF_ENGINE only; a host's own: gt_host.defaults */
    int level, option;
} gt_option_row;

extern const gt_option_row gt_option_rows[GT_OPTIONS];

/* What GT_OF_ENGINE options set; a part of every socket, so kept small. */
typedef struct gt_settings {
    gt_framing framing;
    uint32_t buffer;      /* largest piece of raw data, and read-ahead */
    uint32_t high, low;   /* watermarks */
    int32_t send_timeout; /* milliseconds or -1; applied by the host, which waits. Atomic, as is the next */
    int32_t timeout;      /* milliseconds or -1; applied by the host: of calls without a timeout of their own */
    uint32_t msgq_high, msgq_low;
    uint16_t linger; /* seconds, if linger_on */
    uint16_t count;  /* what is left of GT_ACTIVE_COUNT */
    uint8_t active;  /* gt_active */
    uint8_t backend; /* gt_send_backend */
    uint8_t family;
    bool buffer_set : 1; /* by the user, not by us */
    bool linger_on : 1;
    bool exit_on_close : 1;
    bool show_econnreset : 1;
    bool send_timeout_close : 1;
    bool delay_send : 1;
    bool exclusiveaddruse : 1;
    bool debug : 1;
} gt_settings;

/* The row of that name ("nodelay"), or NULL. */
const gt_option_row *gt_option_find(const char *name);

/* Checks one option for that place (GT_AT_CONNECT, GT_AT_LISTEN, GT_AT_SET): 0 or -EINVAL. */
int gt_option_check(const gt_option *option, int where);

#endif
