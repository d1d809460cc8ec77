/* SPDX-License-Identifier: Apache-2.0 */
/* The options: part, name, type, range, default, where they may be given, whose they are, and for the system's their
 * level and name in setsockopt(2). Included with GT_OPTION_ROW defined; each inclusion expands the rows.
 *
 * The first column is the part of sys/config.h to which a row belongs. Rows that can be left out stand last, so that
 * they leave no gap.
 *
 * Meaning and defaults: OTP's inet:setopts/2 and gen_tcp's option types. Where a range is ours, the reason stands
 * beside it. */
/* clang-format off */
/*            part          enum              name                  type     low  high        default           where                            whose  */
GT_OPTION_ROW(ALWAYS,       ACTIVE,           "active",             ACTIVE,  0,   GT_ACTIVE_COUNT, GT_ACTIVE_TRUE, GT_ANYWHERE | GT_INHERITED,   ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       MODE,             "mode",               MODE,    0,   GT_MODE_BINARY, GT_MODE_LIST,   GT_ANYWHERE | GT_INHERITED,     HOST,   0, 0)
GT_OPTION_ROW(ALWAYS,       PACKET,           "packet",             PACKET,  0,   GT_PACKET_TYPES - 1, GT_PACKET_RAW, GT_ANYWHERE | GT_INHERITED, ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       PACKET_SIZE,      "packet_size",        INT,     0,   UINT32_MAX, 0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       BUFFER,           "buffer",             INT,     1,   GT_BUFFER_MAX, 1460,          GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       HIGH_WATERMARK,   "high_watermark",     INT,     0,   INT32_MAX,  8192,             GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       LOW_WATERMARK,    "low_watermark",      INT,     0,   INT32_MAX,  4096,             GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       SEND_TIMEOUT,     "send_timeout",       TIMEOUT, 0,   INT32_MAX,  GT_INFINITY,      GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       SEND_TIMEOUT_CLOSE, "send_timeout_close", BOOL,  0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       EXIT_ON_CLOSE,    "exit_on_close",      BOOL,    0,   1,          1,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       SHOW_ECONNRESET,  "show_econnreset",    BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       INET_BACKEND,     "inet_backend",       BACKEND, 0,   GT_SEND_DRAINS, GT_SEND_QUEUES, GT_AT_OPEN | GT_INHERITED,     ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       LINGER,           "linger",             LINGER,  0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       FAMILY,           "family",             FAMILY,  0,   0,          AF_INET,          GT_AT_OPEN,                      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       IP,               "ip",                 ADDRESS, 0,   0,          0,                GT_AT_OPEN,                      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       PORT,             "port",               INT,     0,   65535,      0,                GT_AT_CONNECT,                   ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       BACKLOG,          "backlog",            INT,     0,   UINT16_MAX, 5,                GT_AT_LISTEN,                    ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       TIMEOUT,          "timeout",            TIMEOUT, 0,   INT32_MAX,  GT_INFINITY,      GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(ALWAYS,       NODELAY,          "nodelay",            BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_TCP, TCP_NODELAY)
GT_OPTION_ROW(ALWAYS,       KEEPALIVE,        "keepalive",          BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, SOL_SOCKET, SO_KEEPALIVE)
GT_OPTION_ROW(ALWAYS,       REUSEADDR,        "reuseaddr",          BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_REUSEADDR)
GT_OPTION_ROW(ALWAYS,       RECBUF,           "recbuf",             INT,     0,   INT32_MAX,  0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_RCVBUF)
GT_OPTION_ROW(ALWAYS,       SNDBUF,           "sndbuf",             INT,     0,   INT32_MAX,  0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_SNDBUF)
GT_OPTION_ROW(LINE,         LINE_DELIMITER,   "line_delimiter",     INT,     0,   255,        '\n',             GT_AT_OPEN | GT_AT_SET | GT_INHERITED, ENGINE, 0, 0)
GT_OPTION_ROW(IPV6,         IPV6_V6ONLY,      "ipv6_v6only",        BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, IPPROTO_IPV6, IPV6_V6ONLY)
GT_OPTION_ROW(RARE_OPTIONS, PRIORITY,         "priority",           INT,     0,   INT32_MAX,  0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, SOL_SOCKET, SO_PRIORITY)
GT_OPTION_ROW(RARE_OPTIONS, TOS,              "tos",                INT,     0,   255,        0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_IP, IP_TOS)
GT_OPTION_ROW(RARE_IPV6,    TCLASS,           "tclass",             INT,     -1,  255,        0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_IPV6, IPV6_TCLASS) /* -1: the system's default */
GT_OPTION_ROW(RARE_OPTIONS, TTL,              "ttl",                INT,     -1,  255,        0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_IP, IP_TTL) /* likewise; 0 is for the system to refuse */
GT_OPTION_ROW(RARE_OPTIONS, RECVTOS,          "recvtos",            BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, IPPROTO_IP, IP_RECVTOS)
GT_OPTION_ROW(RARE_IPV6,    RECVTCLASS,       "recvtclass",         BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, IPPROTO_IPV6, IPV6_RECVTCLASS)
GT_OPTION_ROW(RARE_OPTIONS, RECVTTL,          "recvttl",            BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, IPPROTO_IP, IP_RECVTTL)
GT_OPTION_ROW(RARE_OPTIONS, KEEPIDLE,         "keepidle",           INT,     1,   32767,      0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_TCP, TCP_KEEPIDLE) /* these three: Linux's ranges */
GT_OPTION_ROW(RARE_OPTIONS, KEEPINTVL,        "keepintvl",          INT,     1,   32767,      0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_TCP, TCP_KEEPINTVL)
GT_OPTION_ROW(RARE_OPTIONS, KEEPCNT,          "keepcnt",            INT,     1,   127,        0,                GT_ANYWHERE | GT_INHERITED,      SYSTEM, IPPROTO_TCP, TCP_KEEPCNT)
GT_OPTION_ROW(RARE_OPTIONS, REUSEPORT,        "reuseport",          BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_REUSEPORT)
GT_OPTION_ROW(RARE_OPTIONS, REUSEPORT_LB,     "reuseport_lb",       BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, GT_SO_REUSEPORT_LB)
GT_OPTION_ROW(RARE_OPTIONS, EXCLUSIVEADDRUSE, "exclusiveaddruse",   BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, DONTROUTE,        "dontroute",          BOOL,    0,   1,          0,                GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_DONTROUTE)
GT_OPTION_ROW(RARE_OPTIONS, DEBUG,            "debug",              BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, HIGH_MSGQ_WATERMARK, "high_msgq_watermark", INT, 1,   INT32_MAX,  8192,             GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, LOW_MSGQ_WATERMARK, "low_msgq_watermark", INT,   1,   INT32_MAX,  4096,             GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, DELAY_SEND,       "delay_send",         BOOL,    0,   1,          0,                GT_ANYWHERE | GT_INHERITED,      ENGINE, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, BIND_TO_DEVICE,   "bind_to_device",     BYTES,   0,   IFNAMSIZ - 1, 0,              GT_ANYWHERE,                     SYSTEM, SOL_SOCKET, SO_BINDTODEVICE)
GT_OPTION_ROW(RARE_OPTIONS, FD,               "fd",                 INT,     INT32_MIN, INT32_MAX, -1,          GT_AT_OPEN,                      ENGINE, 0, 0) /* negative: none */
GT_OPTION_ROW(RARE_OPTIONS, NETNS,            "netns",              PATH,    0,   UINT16_MAX, 0,                GT_ANYWHERE,                     ENGINE, 0, 0) /* the system has a limit of its own */
GT_OPTION_ROW(RARE_OPTIONS, PKTOPTIONS,       "pktoptions",         RECEIVED, 0,  0,          0,                GT_AT_GET,                       SYSTEM, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, RAW,              "raw",                RAW,     0,   INT32_MAX,  0,                GT_ANYWHERE,                     SYSTEM, 0, 0)
GT_OPTION_ROW(RARE_OPTIONS, HEADER,           "header",             INT,     0,   UINT16_MAX, 0,                GT_ANYWHERE | GT_INHERITED,      HOST,   0, 0)
GT_OPTION_ROW(RARE_OPTIONS, DELIVER,          "deliver",            DELIVER, 0,   GT_DELIVER_PORT, GT_DELIVER_TERM, GT_ANYWHERE | GT_INHERITED,  HOST,   0, 0)
/* clang-format on */
