/* SPDX-License-Identifier: Apache-2.0 */
/* The OTP host: what its C files share.
 *
 * One shared object is a NIF library (nif.c: every call of gen_tcp) and a driver (driver.c: the emulator's poll set
 * watches our poller through one port, whose owner runs it). outbox.c keeps messages in order, open.c has the calls
 * that open a socket, host.c is the engine's view of Erlang, data.c its memory, hosts/erlang its terms; inspect.c tells
 * what can be known of sockets, monitor.c tells those who have asked that one is closed. */
#ifndef GENTCP_OTP_H
#define GENTCP_OTP_H

#include <erl_nif.h>

#include "engine/socket.h"
#include "hosts/erlang/terms.h"

/* ---- driver.c: pollers ---- */

/* Makes the driver known to the emulator, once; it stays known for ever, as this library stays in memory (-z nodelete).
 * Returns the name by which a port of it is opened: another one for each copy of this library, so that no copy ever
 * meets the sockets of another. */
const char *otp_driver_start(void);

/* A poller and the port that runs it. Lives until the port has stopped and no socket refers to it. */
typedef struct otp_poller otp_poller;

/* The running poller, for a new socket, with a reference for the caller; NULL: no port is open, or its owner is dead */
otp_poller *otp_poller_take(void);
void otp_poller_keep(otp_poller *poller);
void otp_poller_drop(otp_poller *poller);
gt_poller *otp_poller_of(const otp_poller *poller);
/* The one in which a socket is, was, or will be watched. */
otp_poller *otp_poller_that_watches(const gt_socket *socket);
/* One run of the running poller, by its runner: the process that first calls this, and no other one. False: it isn't.
 */
bool otp_poller_run(ErlNifEnv *env);
/* Makes the runner run soon. False: there is none. Any lock may be held. */
bool otp_poller_ask(void);
/* Setting linger, of all pollers: microseconds, 0: none. Any thread. */
void otp_poller_linger(int64_t microseconds);
/* Has its port stopped? Nothing will be reported any more then. */
bool otp_poller_stopped(otp_poller *poller);

typedef struct otp_socket otp_socket;

/* Of a socket's messages to its owner: see outbox.c. */
enum otp_sender { OTP_UNDECIDED, OTP_RUNNER, OTP_NOBODY };

/* The open sockets. They are closed when the port stops. Any lock may be held; delist: the socket's is. */
void otp_poller_enlist(otp_socket *socket);
void otp_poller_delist(otp_socket *socket);

/* What has gone through the sockets that are closed by now: see gt_stats; and how often pollers have run. */
typedef struct otp_totals {
    uint64_t sockets, recv_oct, recv_cnt, send_oct, send_cnt, runs;
} otp_totals;

otp_totals otp_poller_totals(void);
/* Closes all of them, without flushing. */
void otp_poller_close_all(void);
/* All of them, each with a reference: at most `room`; returns how many there are. */
size_t otp_poller_list(otp_socket **out, size_t room);

/* Will a recv have to wait, while the poller lingers for few sockets? No lock may be held, as for the next. */
bool otp_poller_may_look(otp_socket *socket);
/* Then runs its poller, in a process's call, until there is something: for some 50 us at most. */
void otp_poller_look(ErlNifEnv *env, otp_socket *socket);

/* ---- host.c: sockets and ops ---- */

struct otp_socket {
    gt_socket socket; /* first: the engine's pointers are ours */
    otp_shape shape;  /* this and what follows: guarded by socket.lock */
    enum otp_sender sender : 2;
    bool monitored : 1;    /* monitor watches owner */
    uint8_t fragments : 3; /* data.c's, as are the next: messages that lie beside the receiver's heap */
    bool litters;          /* its receiver should collect. Atomic */
    uint16_t read_at;      /* how much had been received when it last was, by all sockets: see otp_note_read */
    uint8_t unmeasured;    /* so many more calls of recv, until one is to count its mailbox. Atomic */
    ErlNifPid owner;
    ErlNifMonitor monitor;
    struct otp_monitor *monitors; /* guarded by monitor.c's lock */
    otp_socket *next;             /* otp_poller's list; guarded by its lock */
    otp_socket **previous;        /* what points here; NULL: not on the list */
};

/* What Erlang knows a call by that waits: a number, or a reference, both made by the caller for this call alone. */
typedef struct otp_tag {
    ErlNifEnv *env; /* the reference's; NULL: it is a number */
    union {
        ErlNifSInt64 number;
        ERL_NIF_TERM ref;
    };
} otp_tag;

typedef struct otp_op {
    gt_op op; /* first */
    otp_tag tag;
    ErlNifPid caller;
} otp_op;

extern ErlNifResourceType *otp_socket_type;
extern const gt_host otp_host;

ERL_NIF_TERM otp_socket_term(ErlNifEnv *env, otp_socket *socket);
/* A socket owned by that process, in a running poller: enif_release_resource gives it back. NULL: no poller runs. */
otp_socket *otp_socket_new(const ErlNifPid *owner);
/* The resource type's callbacks. */
void otp_socket_gone(ErlNifEnv *env, void *socket);
void otp_owner_down(ErlNifEnv *env, void *socket, ErlNifPid *owner, ErlNifMonitor *monitor);

/* Is that a number or a reference? */
bool otp_is_tag(ErlNifEnv *env, ERL_NIF_TERM term);
/* An op for a call of this process, which waits for a message with that tag. NULL: no memory. */
otp_op *otp_op_new(ErlNifEnv *env, uint8_t kind, ERL_NIF_TERM tag);
/* For an op that the engine did not use. A sendfile's file goes with it: memory of enif_alloc, or NULL. */
void otp_op_free(otp_op *op);

/* An op that is completed between these, by this thread, doesn't send a message: its result becomes a term of env,
 * which otp_call_answer returns, to be returned by the NIF. status is what the engine's function returned: for
 * GT_PENDING the answer is wait, and for an error the op is freed. */
void otp_call_begin(ErlNifEnv *env, const otp_op *op);
ERL_NIF_TERM otp_call_answer(ErlNifEnv *env, otp_op *op, int status);

/* Takes back the op of that tag: true if it will not be completed, false if it was (the message was sent). */
bool otp_cancel(ErlNifEnv *env, otp_socket *socket, ERL_NIF_TERM tag);

/* The first half of controlling_process: an error, or 0 if `to` is the owner already; GT_PENDING: the socket is paused,
 * and `from` has to collect the messages of the socket that it has got, and call otp_pass_on. */
int otp_hand_over(otp_socket *socket, const ErlNifPid *from, const ErlNifPid *to);
/* The second half: `to` becomes the owner, gets `messages` (a list, in order) and all that come from now on; 0. After
 * an error it is `from` who gets them, again. */
int otp_pass_on(otp_socket *socket, ErlNifEnv *env, const ErlNifPid *from, const ErlNifPid *to, ERL_NIF_TERM messages);

/* ---- open.c: native functions that nif.c lists ---- */

ERL_NIF_TERM otp_nif_connect(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM otp_nif_listen(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM otp_nif_fdopen(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]);

/* ---- data.c: buffers, what is sent, and what belongs to a thread ---- */

typedef struct otp_thread {
    ErlNifEnv *env;     /* for messages; empty between uses. NULL: it has no memory yet */
    ErlNifEnv *run_env; /* the runner's, while it runs the poller; else NULL */
    uint8_t *scratch;
    otp_op *spares; /* some ops to use again */
    int spare_count;
    const otp_op *call_op; /* otp_call_begin; NULL: no call */
    ErlNifEnv *call_env;
    ERL_NIF_TERM call_result;
} otp_thread;

/* Where the C library has room for it, at a fixed place beside the thread: most calls need it several times. */
#ifdef __GLIBC__
#define OTP_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define OTP_THREAD_LOCAL _Thread_local
#endif
extern OTP_THREAD_LOCAL otp_thread otp_thread_state;

/* What a thread needs at its first use. */
void otp_thread_begin(void);

/* This thread's. Never NULL. */
static inline otp_thread *otp_this_thread(void) {
    if (otp_thread_state.env == NULL)
        otp_thread_begin();
    return &otp_thread_state;
}

/* Before anything else of data.c; again is harmless. False: no memory. */
bool otp_data_start(void);

/* What gt_send hands to hold, as arg: where the parts come from. NULL: they can only be copied. */
typedef struct otp_source {
    ErlNifEnv *env;
    ERL_NIF_TERM binaries; /* a list of binaries, one a part; or one binary: most needn't be held, hence no list yet */
} otp_source;

gt_buffer *otp_buffer_new(size_t size);
gt_buffer *otp_buffer_resize(gt_buffer *base, size_t size);
void otp_buffer_free(gt_buffer *base);
uint8_t *otp_scratch(size_t *size);
gt_segment *otp_hold(void *arg, const struct iovec *parts, int count, size_t skip);
void otp_segment_free(gt_segment *base);

/* Received data as a binary. If it lies in a buffer of its own, the binary shares the buffer's memory, and
 * otp_data_taken or otp_data_kept must follow: kept before env is cleared. */
ERL_NIF_TERM otp_data_binary(ErlNifEnv *env, const gt_data *data);
/* The term has found its receiver: frees what is left of the buffer. */
void otp_data_taken(const gt_data *data);
/* It has not: the engine keeps the buffer, at the same address. */
void otp_data_kept(const gt_data *data, ERL_NIF_TERM binary);

/* Large data, in a buffer, is handed out. True: its receiver should collect its garbage early. */
bool otp_note_read(otp_socket *socket, const gt_data *data);
/* A small message is sent by nobody's process, and so lies beside its receiver's heap: which should collect after some
 * of them. With the socket's lock held. */
void otp_note_fragment(otp_socket *socket);
/* If that was so since the last time: makes the process collect that is about to wait for more. env is its own. */
void otp_collect_before_waiting(ErlNifEnv *env, otp_socket *socket);
/* Makes the receiver of a message collect when it has received it and calls something. env: to be sent as msg_env. */
void otp_collect_after_receiving(ErlNifEnv *env);

/* ---- outbox.c: messages to owners ---- */

/* Sends a message whose place among the others of its socket matters: at once, or by the runner, which is told. With
 * the socket's lock held. msg_env: the message's environment, to send all that is in it; or NULL. False: the receiver
 * is dead. */
bool otp_send_ordered(otp_socket *socket, const ErlNifPid *to, ErlNifEnv *msg_env, ERL_NIF_TERM message);
/* Does a message wait for the runner? */
bool otp_outbox_waits(void);
/* Sends what waits. */
void otp_outbox_flush(void);

/* ---- monitor.c: who wants to hear that a socket is closed ---- */

/* Opens the type of monitors, in load and in upgrade. False: the emulator refuses. */
bool otp_monitors_start(ErlNifEnv *env);
/* A new monitor by this process, whose reference it returns: {'DOWN', Reference, socket, Socket, closed} follows, or
 * at once, if the socket is closed already, nosock in its place. */
ERL_NIF_TERM otp_monitor_new(ErlNifEnv *env, otp_socket *socket);
/* Takes back the monitor of that reference. 1: there will be no message; 0: it was sent, or there is no such monitor;
 * GT_NOT_OWNER: it is another process's. */
int otp_monitor_cancel(ErlNifEnv *env, ERL_NIF_TERM reference);
/* The socket is closed: tells them all. With its lock held. */
void otp_monitors_down(otp_socket *socket);

/* ---- inspect.c: what can be known of sockets ---- */

ERL_NIF_TERM otp_getstat(ErlNifEnv *env, otp_socket *socket); /* {ok, all that inet:stats() names}, or an error */
ERL_NIF_TERM otp_info(ErlNifEnv *env, otp_socket *socket);    /* a map, of gentcp_nif:info/1 */
ERL_NIF_TERM otp_sockets(ErlNifEnv *env);                     /* a list of all that are open; takes its time */
ERL_NIF_TERM otp_totals_term(ErlNifEnv *env);                 /* a map, of gentcp_nif:totals/0 */

#endif
