/* SPDX-License-Identifier: Apache-2.0 */
/* A host for the engine on the simulated system that knows what must come: for each socket what its peer has sent and
 * nobody has got yet, what was sent to the peer, what its owner may still be told; for each call, that it is answered
 * once.
 *
 * The letters are those of the contracts: O order and accounting, Q back-pressure, L life. */
#ifndef GT_FUZZ_SOCKET_MODEL_H
#define GT_FUZZ_SOCKET_MODEL_H

#include "engine/socket.h"
#include "fuzz/input.h"
#include "fuzz/sys_simulated.h"

enum { ENDS = 12, CALLS = 96, UNRECV_ROOM = 64 * 1024 };

/* A socket and what must come of it. */
typedef struct end {
    gt_socket socket;
    int index;
    int references;
    int fd; /* as long as the world lasts; -1: never opened */
    int closed_calls;
    bool owner_dead;
    bool death_known; /* deliver has told the engine */
    bool held;        /* the host has its own reference */

    size_t from, to; /* of `stream`: what nobody has got yet */
    uint8_t active;  /* gt_active, as the owner knows it */
    int count;
    /* The framing was changed under a packet that is here in part: it is looked at again when more comes, as OTP does.
     */
    bool reframed;
    bool passive_due; /* tcp_passive must be the next message */
    bool error_told, closed_told;
    bool reads_on;     /* recv was called after the end: what comes then may be told, but no second end */
    bool connected;    /* and somebody knows it */
    bool paused;       /* no message may come */
    bool going_on;     /* what was held back may come, whatever the owner has set meanwhile */
    bool close_called; /* by the host: no tcp_closed need come */

    size_t sent_size; /* of `sent`: what gt_send has agreed to */
} end;

typedef struct call {
    gt_op op;
    end *on; /* NULL: not in use */
    int completions;
    bool pending; /* the engine has answered GT_PENDING */
    bool cancelled;
    bool caller_dead;
    int status;
    unsigned long number; /* calls are answered in this order */
} call;

/* What doesn't go with a socket's memory, so that it isn't cleared for each input. */
typedef struct lane {
    uint8_t stream[UNRECV_ROOM + SIM_STREAM];
    uint8_t sent[SIM_STREAM];
} lane;

extern end *model_ends[ENDS];
extern lane model_lanes[ENDS];
extern call model_calls[CALLS];
extern gt_poller *model_pollers[2];

void model_begin(bool strict, bool zero_watermark_drains);
/* Everything is closed, answered and freed. */
void model_finish(void);
/* A new socket, or NULL: there are enough. */
end *model_new_end(gt_poller *poller);
/* A new call, or NULL. */
call *model_new_call(end *e, enum gt_op_kind kind);
/* What the answer of a call that takes an op must have done with the op. */
void model_answered(call *c, int answer);
/* The descriptor is open: what the peer sends from now on is awaited. */
void model_opened(end *e);
void model_drop(end *e);
/* A reference more, and one less. */
void model_keep(end *e);
void model_let_go(end *e);
/* Messages may come again: before gt_resume, and when an owner is found. */
void model_goes_on(end *e);
/* The peer has sent so much more. */
void model_peer_sent(end *e, size_t size);
/* Bytes that unrecv puts back, and takes away again if it failed. */
void model_put_back(end *e, const uint8_t *bytes, size_t size);
void model_take_back(end *e, size_t size);
/* Does a send now become a part of the stream? */
bool model_takes_data(const gt_socket *socket);
/* What send is going to add to the stream: before the call. Returns how much, its header included; 0: nothing. */
size_t model_sending(end *e, const struct iovec *parts, int count);
/* After each step. */
void model_check(void);
/* When the pollers have nothing more to report. */
void model_check_quiet(void);

#endif
