/* SPDX-License-Identifier: Apache-2.0 */
/* What is compiled in: for small devices, whatever is left out here costs neither code nor memory.
 *
 * Each value is a macro of the compiler's command line; CMake has an option of the same name for each, and
 * GENTCP_SMALLEST leaves out every part that isn't asked for. All files of one program must agree on them. What is left
 * out answers as what never existed: an option or a packet type is -EINVAL (opening: GT_BADARG), an address of another
 * family -EAFNOSUPPORT, a counter 0. docs/configuration.md says what each is worth. */
#ifndef GT_CONFIG_H
#define GT_CONFIG_H

/* Parts: 1 is in, 0 is out. */
#ifndef GENTCP_WITH_LINE /* packet type line, and option line_delimiter */
#define GENTCP_WITH_LINE 1
#endif
#ifndef GENTCP_WITH_RECORDS /* packet types asn1, sunrm, cdr, fcgi, tpkt */
#define GENTCP_WITH_RECORDS 1
#endif
#ifndef GENTCP_WITH_HTTP /* packet types http, httph, http_bin, httph_bin; without it engine/http.c isn't needed */
#define GENTCP_WITH_HTTP 1
#endif
#ifndef GENTCP_WITH_IPV6
#define GENTCP_WITH_IPV6 1
#endif
#ifndef GENTCP_WITH_LOCAL /* AF_UNIX */
#define GENTCP_WITH_LOCAL 1
#endif
#ifndef GENTCP_WITH_NAMES /* hosts look up names; without it a host is a number, and any other is nxdomain */
#define GENTCP_WITH_NAMES 1
#endif
#ifndef GENTCP_WITH_SENDFILE /* without it gt_sendfile is -EOPNOTSUPP, and neither *sendfile.c is needed */
#define GENTCP_WITH_SENDFILE 1
#endif
#ifndef GENTCP_WITH_STATS /* the counters of getstat */
#define GENTCP_WITH_STATS 1
#endif
#ifndef GENTCP_WITH_RARE_OPTIONS /* the rows of engine/options_table.h that are of this part */
#define GENTCP_WITH_RARE_OPTIONS 1
#endif
#ifndef GENTCP_WITH_RARE_ERRORS /* names of errors that TCP doesn't know; without it they are "unknown" */
#define GENTCP_WITH_RARE_ERRORS 1
#endif

#define GENTCP_WITH_ALWAYS 1
#if GENTCP_WITH_RARE_OPTIONS && GENTCP_WITH_IPV6
#define GENTCP_WITH_RARE_IPV6 1
#else
#define GENTCP_WITH_RARE_IPV6 0
#endif

/* Limits. */
#ifndef GENTCP_RECV_MAX /* bytes that one recv may ask for, and the largest option buffer; OTP: TCP_MAX_PACKET_SIZE */
#define GENTCP_RECV_MAX (64 * 1024 * 1024)
#endif
#ifndef GENTCP_READ_SHIFT /* 12..24: a socket reads up to 1 << this many bytes at once, and before others get a turn   \
                           */
#define GENTCP_READ_SHIFT 16
#endif
#ifndef GENTCP_LINE_MAX /* a longer line comes in pieces, unless option buffer says else */
#define GENTCP_LINE_MAX (64 * 1024)
#endif
#ifndef GENTCP_PARTS_MAX /* 2..1024 parts of one write, of 8 or 16 bytes each on the stack */
#define GENTCP_PARTS_MAX 64
#endif
#ifndef GENTCP_EVENTS_MAX /* sockets that one run of the poller reports, of 28 bytes each on the stack */
#define GENTCP_EVENTS_MAX 128
#endif

/* Bytes are sent and received by the system calls themselves, without the C library's recv and send: those are points
 * at which a thread may be cancelled, for which nearly three in a hundred parts of an echo server's time go as soon as
 * the program has a second thread. 0 is for programs that put other functions in their place (a TCP stack in user
 * space). */
#ifndef GENTCP_DIRECT_CALLS
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define GENTCP_DIRECT_CALLS 1
#else
#define GENTCP_DIRECT_CALLS 0
#endif
#endif

/* GT_IF(PART, text): the text, if GENTCP_WITH_PART. For rows of tables; elsewhere `if (GENTCP_WITH_PART)` will do. */
#define GT_IF(part, ...)         GT_IF_VALUE(GENTCP_WITH_##part, __VA_ARGS__)
#define GT_IF_VALUE(value, ...)  GT_IF_CHOSEN(value, __VA_ARGS__)
#define GT_IF_CHOSEN(value, ...) GT_IF_##value(__VA_ARGS__)
#define GT_IF_0(...)
#define GT_IF_1(...) __VA_ARGS__

#endif
