/* SPDX-License-Identifier: Apache-2.0 */
/* What a line of HTTP says, in its public form: a gentcp_http and, behind it, its texts. They are copies, each with a 0
 * at its end, because the line itself stays as it came. */
#ifndef GT_C_HTTP_H
#define GT_C_HTTP_H

#include "engine/http.h"
#include "gentcp.h"

/* How much room that takes. */
size_t gt_http_room(const gt_http *http);
/* Writes it into so much room, at the room's beginning, which is aligned for pointers. */
const gentcp_http *gt_http_write(const gt_http *http, void *room);

#endif
