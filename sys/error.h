/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: POSIX errors are negative errno values; those of our own lie below -1000.
 *
 * Every function of the engine returns 0 (or a count) or one of these. gt_error_name gives the atom that
 * gen_tcp uses for it ("econnrefused", "closed"); inet(3) "POSIX Error Codes" is the source of the names. */
#ifndef GT_ERROR_H
#define GT_ERROR_H

enum {
    GT_CLOSED = -1001,    /* the socket is closed, by the peer or by ourselves */
    GT_TIMEOUT = -1002,   /* the given time has passed */
    GT_NOT_OWNER = -1003, /* only the owner may do this */
    GT_BADARG = -1004,    /* an argument that no socket and no state could accept */
    GT_NXDOMAIN = -1005,  /* the host name is unknown */
};

/* The name of an error, as gen_tcp spells it; "unknown" for a number that is none. Never NULL; static storage. */
const char *gt_error_name(int error);

#endif
