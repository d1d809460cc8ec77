/* SPDX-License-Identifier: Apache-2.0 */
/* controlling_process on an active socket, in the OTP host: owner A pauses its socket, takes the socket's messages out of
 * its mailbox, and hands both to B, while the peer sends, a scheduler runs the poller, and another process makes a call
 * that ends the stream. A may be killed between any two of its steps, B at any time; `down` tells of a death. Names are
 * those of engine/socket.h and hosts/otp/host.c.
 *
 * BREAK_… switches put one mistake each into the model; model/check sees to it that every one is found. */
#define N 2          /* messages GT_TCP that the peer causes: 1, 2, */
#define TCP_CLOSED 3 /* then the end of the stream */
#define A 0
#define B 1

mtype = { GT_CONNECTED, GT_SHUT }; /* gt_state */
mtype = { OK, GT_CLOSED, GT_BADARG };

mtype state = GT_CONNECTED;
bool socket_lock, paused, held_closed;  /* gt_socket.held_messages */
byte owner = A;
bool dead[2], monitored[2];
chan kernel = [N] of { byte }; bool fin, edge, aborted;
chan mailbox[2] = [N + 1] of { byte };
chan collected = [N + 1] of { byte };   /* by A, in its own memory */
byte next = 1; bool closed, b_received, handed;

inline take() { atomic { !socket_lock -> socket_lock = true } }
inline drop() { socket_lock = false }
inline shut() { state = GT_SHUT; do :: kernel?m :: empty(kernel) -> m = 0; break od }
/* The rest is made with the socket locked. */
inline gt_tell_end() {
    if
    :: paused -> held_closed = true
    :: !paused -> if :: !dead[owner] -> mailbox[owner]!TCP_CLOSED :: dead[owner] fi
    fi
}
inline gt_pump_input() {
    do
#ifdef BREAK_READ_PAUSED
    :: state == GT_CONNECTED && nempty(kernel) ->
#else
    :: state == GT_CONNECTED && !paused && nempty(kernel) ->
#endif
        kernel?m;
        if :: !dead[owner] -> mailbox[owner]!m; m = 0 :: dead[owner] -> shut() fi
    :: state == GT_CONNECTED && !paused && empty(kernel) && fin -> gt_tell_end(); shut()
    :: state == GT_SHUT || (!paused && empty(kernel) && !fin) -> break
#ifdef BREAK_READ_PAUSED
    :: state == GT_CONNECTED && paused && empty(kernel) -> break
#else
    :: state == GT_CONNECTED && paused -> break
#endif
    od
}
inline resume() {
    paused = false;
#ifndef BREAK_HELD_LOST
    if :: held_closed -> held_closed = false; gt_tell_end() :: !held_closed fi;
#endif
#ifndef BREAK_NO_PUMP
    gt_pump_input()
#endif
}
inline receive(me) { /* one message, if it is allowed to come now */
    mailbox[me]?m;
    assert(!closed && (m == next || m == TCP_CLOSED) && (me == B || !b_received));
    if :: m == TCP_CLOSED -> closed = true :: else -> next++ fi;
    b_received = (me == B); m = 0
}
inline send_all(to) { do :: collected?m -> if :: !dead[to] -> mailbox[to]!m :: dead[to] fi :: empty(collected) -> m = 0; break od }

proctype process_a() {
    byte m; mtype answer;
    do :: atomic { nempty(mailbox[A]) -> receive(A) } :: true -> break od;
    /* otp_hand_over */
    atomic { take(); if :: state == GT_SHUT -> answer = GT_CLOSED :: else -> answer = OK;
#ifndef BREAK_NO_PAUSE
        paused = true
#endif
        fi; drop() };
    if
    :: answer == OK ->
        do :: atomic { mailbox[A]?m -> collected!m; m = 0 } :: empty(mailbox[A]) -> break :: true -> goto killed od;
        if :: true :: goto killed fi;
        /* otp_pass_on */
        take();
        if
        :: state == GT_SHUT -> answer = GT_CLOSED
        :: state == GT_CONNECTED && dead[B] -> answer = GT_BADARG
        :: state == GT_CONNECTED && !dead[B] -> /* enif_monitor_process and the rest, as B may die meanwhile */
            monitored[B] = true; monitored[A] = false; owner = B;
#ifdef BREAK_COLLECTED_LATE
            atomic { resume() }; send_all(B);
#else
            send_all(B); atomic { resume() };
#endif
            handed = true
        fi;
        drop();
        if
        :: answer == OK -> goto end
        :: else ->
#ifdef BREAK_BACK_LATE
            atomic { take(); if :: paused -> resume() :: !paused fi; drop() }; send_all(A)
#else
            send_all(A); atomic { take(); if :: paused -> resume() :: !paused fi; drop() }
#endif
        fi
    :: answer == GT_CLOSED
    fi;
    do :: !closed -> atomic { nempty(mailbox[A]) -> receive(A) } :: closed -> break :: true -> goto killed od;
    goto end;
killed:
    dead[A] = true;
end:
    skip
}
proctype process_b() {
    byte m;
    do
    :: atomic { nempty(mailbox[B]) -> receive(B) }
    :: closed -> break
    :: dead[A] && !handed && !socket_lock -> break
    :: true -> dead[B] = true; break
    od
}
proctype down(byte who) { /* otp_owner_down, of a process that is or was the owner */
    byte m;
    do
    :: dead[who] -> break
    :: !dead[who] && (closed || (who == A && handed) || (who == B && dead[A] && !handed)) -> goto end
    od;
#ifdef BREAK_DEATH_UNNOTICED
    if :: paused -> goto end :: else fi;
#endif
    atomic { take(); if :: owner == who && monitored[who] && state == GT_CONNECTED -> shut() :: else fi; drop() };
end:
    skip
}
proctype poller() { /* gt_ready, once an edge */
    byte m;
    do
    :: atomic { edge -> edge = false }; atomic { take(); gt_pump_input(); drop() }
    :: state == GT_SHUT -> break
    od
}
proctype other() { /* gt_send meets a reset, or doesn't happen */
    byte m;
    if
    :: true -> atomic { take(); if :: state == GT_CONNECTED -> aborted = true; gt_tell_end(); shut() :: else fi; drop() }
    :: true
    fi
}
init { /* the peer */
    byte sent;
    atomic { monitored[A] = true; run process_a(); run process_b(); run down(A); run down(B); run poller(); run other() };
    do
    :: sent < N && state == GT_CONNECTED -> atomic { sent++; kernel!sent; edge = true }
    :: else -> break
    od;
    atomic { fin = true; edge = true };
    (_nr_pr == 1); /* nobody waits for ever; and then: */
    assert(state == GT_SHUT);
    assert(dead[owner] || (closed && (aborted || next == TCP_CLOSED))) /* a living owner has got all of it */
}
