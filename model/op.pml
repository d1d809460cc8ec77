/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a receive op: pending, then completed, cancelled or answered by a close; one socket, two callers, one
 * poller, one closer and a peer. Names are those of engine/socket.h, engine/host.h and pollers/poller.h.
 *
 * BREAK_… switches put one mistake each into the model; model/check sees to it that every one is found.
 * POLL: readiness as gt_backend_poll tells it (level, once per want); else as gt_backend_epoll (edges). */
#define N 3   /* bytes that the peer sends: 1, 2, 3 */
#define NONE 3

mtype = { GT_CONNECTED, GT_ENDED, GT_CLOSING, GT_SHUT };        /* gt_state */
mtype = { UNUSED, PENDING, COMPLETED, REFUSED, CANCELLED };     /* what became of an op */
mtype = { GT_PENDING, OK, GT_CLOSED, EALREADY };                /* what gt_recv returns */

mtype state = GT_CONNECTED;
bool locked;                       /* gt_socket.lock */
chan kernel = [N] of { byte };     /* the system's receive buffer, */
bool fin;                          /* and the end behind it */
chan input = [N] of { byte };      /* gt_socket.input */
byte readers = NONE;               /* the op on gt_socket.readers */
bool drained, hung_up, queued;     /* gt_socket's; queued: gt_socket.output isn't empty */
bool edge, wanted;                 /* the poller will report; gt_poller_want was called */
bool running, removed, forgotten;  /* the poller is in gt_poller_run; the watch is out of it; its memory may be gone */

bool waiting[3];                   /* gt_op.waiting. Ops 0 and 1: the callers' recv; 2: the closer's GT_OP_CLOSE */
bool alive[3], gone[3];            /* the op's memory is the engine's to touch; its caller has died */
mtype outcome[3] = UNUSED;
byte sent, next = 1;               /* bytes sent; the next byte that a caller must be given */
byte who, k, b;                    /* scratch, under the lock */
bool taken;

#define length(op) (op == 0 -> 2 : 0)                          /* caller 0: recv(S, 2); caller 1: recv(S, 0) */
#ifdef BREAK_NOT_ABANDONED
#define abandoned(op) false
#else
#define abandoned(op) gone[op]                                 /* host->abandoned */
#endif
#define enough(op) (len(input) > 0 && len(input) >= length(op))
inline gt_lock_take() { atomic { !locked -> locked = true } }
inline gt_lock_drop() { /* whoever lets go leaves every byte that was sent and not received in its place */
    atomic { assert(state != GT_CONNECTED || next + len(input) + len(kernel) == sent + 1); locked = false }
}
inline want() { /* gt_poller_want */
#ifndef BREAK_NO_WANT
    wanted = true
#else
    skip
#endif
}
inline gt_poller_remove() { /* under the poller's lock: hence atomic */
#ifdef BREAK_FORGET_AT_ONCE
    atomic { assert(!removed); removed = true; edge = false; forgotten = true }
#else
    atomic { assert(!removed); removed = true; edge = false; forgotten = !running }
#endif
}
inline unlist(op) {
    atomic { assert(alive[op]); waiting[op] = false; if :: readers == op -> readers = NONE :: else fi }
}
inline complete(op) { /* host->complete: true unless the caller is gone. From here the caller may return */
    atomic {
        assert(alive[op] && outcome[op] == PENDING);
        taken = !gone[op];
        outcome[op] = (taken -> COMPLETED : REFUSED)
    }
}
inline finish(op, has_data) { /* takes op off its list and completes it; its bytes leave input when they were taken */
    atomic { who = op; k = (!has_data -> 0 : (length(op) -> length(op) : len(input))) };
#ifdef BREAK_UNLIST_LATE
    complete(who); unlist(who);
#else
    atomic { unlist(who); complete(who) };
#endif
    d_step {
        do
        :: k > 0 && taken -> input?b; assert(b == next); next++; k--
#ifdef BREAK_DROP_REFUSED
        :: k > 0 && !taken -> input?b; k--
#elif defined(BREAK_PUT_BACK_BEHIND)
        :: k > 0 && !taken -> input?b; input!b; k--
#else
        :: k > 0 && !taken -> k = 0
#endif
        :: k == 0 -> break
        od; b = 0; who = 0; taken = false
    }
}
inline receive(op) { /* reads until op can be finished or nothing is there; finishes it if it can be */
    do
    :: atomic { !enough(op) && !drained && nempty(kernel) ->
        do :: kernel?b -> input!b :: empty(kernel) -> b = 0; break od;
#ifdef BREAK_SKIP_HUNG_UP
        drained = true }
#else
        drained = !hung_up } /* a short read: the next is skipped, unless an end may lie behind it */
#endif
    :: atomic { !enough(op) && !drained && empty(kernel) && fin -> state = GT_ENDED; gt_poller_remove() };
        finish(op, false); break
    :: !enough(op) && !drained && empty(kernel) && !fin -> /* EAGAIN; the peer may send before the next step */
        drained = true
    :: enough(op) -> finish(op, true); break
    :: !enough(op) && drained -> want(); break
    od
}
inline gt_recv(op, answer) {
    atomic { gt_lock_take();
        if
        :: state != GT_CONNECTED -> answer = GT_CLOSED
        :: state == GT_CONNECTED && readers != NONE && !abandoned(readers) -> assert(!gone[readers]); answer = EALREADY
        :: state == GT_CONNECTED && (readers == NONE || abandoned(readers)) ->
            if :: readers != NONE -> finish(readers, false) /* a dead caller's: refused */ :: else fi;
            alive[op] = true; outcome[op] = PENDING; answer = GT_PENDING; waiting[op] = true; readers = op
        fi
    }
    if :: answer == GT_PENDING -> receive(op); if :: !waiting[op] -> answer = OK :: else fi :: else fi;
    gt_lock_drop()
}
inline gt_cancel(op, answer) {
#ifdef BREAK_CANCEL_UNLOCKED
    if
    :: waiting[op] -> gt_lock_take(); assert(outcome[op] == PENDING); outcome[op] = CANCELLED; waiting[op] = false; readers = NONE; answer = true
    :: else -> gt_lock_take(); answer = false
    fi;
#else
    atomic { gt_lock_take();
        if
        :: waiting[op] -> unlist(op); assert(outcome[op] == PENDING); outcome[op] = CANCELLED; answer = true
        :: else -> answer = false
        fi
    }
#endif
    gt_lock_drop()
}

proctype caller(byte me) {
    byte round; mtype answer; bool cancelled;
    do
    :: round < 2 - me -> gt_recv(me, answer); round++;
        if
        :: answer == GT_PENDING -> /* Timeout infinity */
            (outcome[me] != PENDING); assert(outcome[me] == COMPLETED)
        :: answer == GT_PENDING -> /* a Timeout, which may pass */
            if
            :: outcome[me] != PENDING -> assert(outcome[me] == COMPLETED)
            :: gt_cancel(me, cancelled); assert(outcome[me] == (cancelled -> CANCELLED : COMPLETED))
            fi
        :: answer == GT_PENDING -> gone[me] = true; break /* killed while it waits */
        :: answer == OK -> assert(outcome[me] == COMPLETED)
        :: answer == GT_CLOSED || answer == EALREADY
        fi;
        atomic { alive[me] = false; outcome[me] = UNUSED; answer = 0; cancelled = false } /* returns: the op is gone */
    :: else -> break
    od
}
active proctype poller() { /* gt_poller_run, again and again */
    bool hup;
end:
    do
#ifdef POLL
    :: atomic { !removed && wanted && (nempty(kernel) || fin) -> wanted = false; running = true; hup = fin };
#else
    :: atomic { edge -> edge = false; running = true; hup = fin };
#endif
#ifdef BREAK_EDGE_UNLOCKED
        drained = false; gt_lock_take(); hung_up = hung_up || hup; hup = false;
#elif defined(BREAK_READY_UNLOCKED)
        drained = false;
#else
        atomic { gt_lock_take(); drained = false; hung_up = hung_up || hup; hup = false }; /* gt_ready */
#endif
        assert(!forgotten);
        if :: state == GT_CONNECTED && readers != NONE -> receive(readers) :: else fi;
#ifndef BREAK_READY_UNLOCKED
        gt_lock_drop();
#endif
        atomic { running = false; if :: removed -> forgotten = true :: else fi }
    :: atomic { state == GT_CLOSING -> running = true }; /* gt_ready (flushed) or the deadline: the queue is gone */
        gt_lock_take();
        assert(!forgotten);
        queued = false; state = GT_SHUT; gt_poller_remove(); finish(2, false);
        gt_lock_drop();
        atomic { running = false; forgotten = true }
    :: forgotten -> break
    od
}
proctype closer() { /* gt_close */
    atomic { gt_lock_take(); alive[2] = true; outcome[2] = PENDING; waiting[2] = true };
    if
    :: state == GT_CONNECTED && queued -> state = GT_CLOSING
    :: state == GT_CONNECTED && !queued -> state = GT_SHUT; gt_poller_remove(); finish(2, false)
    :: state == GT_ENDED -> state = GT_SHUT; finish(2, false)
    fi;
#ifndef BREAK_CLOSE_FORGETS
    if :: readers != NONE -> finish(readers, false) :: else fi;
#endif
    gt_lock_drop();
    (outcome[2] != PENDING); assert(outcome[2] == COMPLETED && state == GT_SHUT);
    alive[2] = false
}
init { /* the peer; and who else is there */
    bool closes;
    atomic { run caller(0); run caller(1); if :: queued = true :: skip fi; if :: run closer(); closes = true :: skip fi };
    do
    :: sent < N -> atomic { sent++; kernel!sent; edge = !removed }
    :: sent == N -> atomic { fin = true; edge = !removed }; break
    :: closes -> break
    od
}
