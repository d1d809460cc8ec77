/* SPDX-License-Identifier: Apache-2.0 */
/* controlling_process on an active socket, in the C host: process A hands its socket to process B while the peer sends,
 * a foreign thread delivers, and B may die. Names are those of engine/socket.h, engine/host.h and pollers/poller.h.
 *
 * Locks, outermost first: gt_socket.lock; the poller's (its functions are atomic here); the processes', A's before B's,
 * for two are taken in the order of their addresses; where only one is held, for a moment, it is held within an atomic.
 * A user's message stands for whatever else wakes a process.
 *
 * BREAK_… switches put one mistake each into the model; model/check sees to it that every one is found. */
#define N 3            /* messages GT_TCP that the peer causes: 1, 2, 3, */
#define TCP_CLOSED 4   /* then the end of the stream */
#define USER 5         /* gentcp_post */
#define A 0
#define B 1
#define NOWHERE 2

mtype = { GT_CONNECTED, GT_SHUT }; /* gt_state */
mtype = { OK, GT_CLOSED, GT_BADARG };

mtype state = GT_CONNECTED;
bool socket_lock, process_lock[2];
byte owner = A, poller = A;              /* the host's owner; gt_socket.poller, or NOWHERE: the watch is in none */
chan kernel = [N] of { byte }; bool fin; /* the system's receive buffer and the end behind it (it can be read again) */
chan input = [N] of { byte };            /* gt_socket.input: read, and left over for the next turn */
chan mailbox[2] = [N + 2] of { byte };
bool listed[2], dead[2];                 /* the socket is in the process's list; gentcp_exit was called */
bool sleeps[2], woken[2];                /* the process is in gt_poller_run with nothing to do; its eventfd */
bool edge[3], again[3];                  /* what its poller will report: readiness, a turn asked for */
byte sent, next = 1, b; bool ended, drained; /* b, ended: scratch under the socket's lock */
bool b_received;

inline take(lock) { atomic { !lock -> lock = true } }
inline drop(lock) { lock = false }

inline post(to, message) { /* with the process locked */
    atomic { mailbox[to]!message; if :: sleeps[to] -> woken[to] = true :: else fi }
}
inline shut() { /* the descriptor is closed; a turn of the poller may still be on its way */
    atomic { state = GT_SHUT; edge[poller] = false; again[poller] = false; poller = NOWHERE;
        do :: input?b :: kernel?b :: empty(input) && empty(kernel) -> b = 0; break od }
}
inline deliver(message) { /* host->deliver, and what the engine does if the owner is dead */
#ifndef BREAK_OWNER_EARLY
    to = owner;
#endif
    atomic { take(process_lock[to]);
        if
        :: dead[to] -> drop(process_lock[to]); to = 0; shut()
        :: !dead[to] -> post(to, message); drop(process_lock[to]); to = 0
        fi
    }
}
inline gt_ready() { /* one turn: reads what is there, delivers one message, asks for another turn if there is more */
#ifdef BREAK_OWNER_EARLY
    to = owner;
#endif
    take(socket_lock);
    if
#ifdef BREAK_AFTER_CLOSED
    :: true ->
#else
    :: state == GT_CONNECTED ->
#endif
        atomic { drained = drained && !report; report = false;
            if
            :: empty(input) && !drained -> do :: kernel?b -> input!b :: empty(kernel) -> b = 0; break od;
                ended = empty(input) && fin;
                drained = !fin /* a short read, and not hung_up */
            :: nempty(input) || drained
            fi
        }
        if
        :: atomic { nempty(input) -> input?message }; deliver(message); message = 0;
#ifdef BREAK_UNREAD
            atomic { if :: state == GT_CONNECTED && nempty(input) -> again[poller] = true :: state == GT_SHUT || empty(input) fi }
#else
            atomic {
                if
                :: state == GT_CONNECTED && (nempty(input) || !drained) -> again[poller] = true
                :: state == GT_SHUT || (empty(input) && drained)
                fi
            }
#endif
        :: empty(input) && ended -> ended = false; deliver(TCP_CLOSED); shut()
        :: empty(input) && !ended /* EAGAIN */
        fi
    :: state == GT_SHUT
    fi;
    drop(socket_lock)
}
inline move_messages() { /* those of this socket, in order; what is left stays in order too */
    d_step {
        n = len(mailbox[A]);
        do
        :: n > 0 -> mailbox[A]?message; n--;
            if :: message == USER -> mailbox[A]!message :: else -> mailbox[B]!message fi
        :: n == 0 -> message = 0; break
        od
    }
}
inline reown(answer) { /* host->reown */
    take(process_lock[A]); take(process_lock[B]);
    if
#ifndef BREAK_DEAD_UNCHECKED
    :: dead[B] -> answer = GT_BADARG
#endif
    :: !dead[B] ->
#ifndef BREAK_MOVE_LATE
        move_messages();
#endif
        owner = B; listed[A] = false; listed[B] = true;
#ifndef BREAK_REOWN_SILENT
        if :: sleeps[B] -> woken[B] = true :: else fi;
#endif
        answer = OK
    fi;
    drop(process_lock[B]); drop(process_lock[A])
}
inline gt_reown(answer) {
    take(socket_lock);
    if
    :: state == GT_SHUT -> answer = GT_CLOSED
    :: state == GT_CONNECTED -> reown(answer);
        if
        :: answer == OK ->
            atomic { edge[A] = false; again[A] = false; poller = NOWHERE }; /* gt_poller_detach: A isn't in a run */
            atomic { poller = B;                                            /* gt_poller_add tells what is ready now, */
#ifndef BREAK_ADD_SILENT
                edge[B] = nempty(kernel) || fin;
#endif
#ifndef BREAK_TURN_LOST
                again[B] = nempty(input)                                    /* but knows nothing of what was read */
#endif
            }
        :: else
        fi
    fi;
    drop(socket_lock)
#ifdef BREAK_MOVE_LATE
    ; take(process_lock[A]); take(process_lock[B]);
    if :: answer == OK -> move_messages(); if :: sleeps[B] -> woken[B] = true :: else fi :: else fi;
    drop(process_lock[B]); drop(process_lock[A])
#endif
}
inline gentcp_receive(me) { /* one message, or one run of the poller */
    if
    :: atomic { !process_lock[me] && nempty(mailbox[me]) ->
            mailbox[me]?message;
            if
            :: message == USER -> user = true
            :: else -> assert(message == next); next++; assert(me == B || !b_received); b_received = (me == B);
                closed = (message == TCP_CLOSED)
            fi; message = 0
        }
#ifdef BREAK_SLEEP_LATE
    :: !process_lock[me] && empty(mailbox[me]) -> sleeps[me] = true;
#else
    :: atomic { !process_lock[me] && empty(mailbox[me]) -> sleeps[me] = true };
#endif
        atomic { edge[me] || again[me] || woken[me] ->
            turn = edge[me] || again[me]; report = edge[me]; woken[me] = false; edge[me] = false; again[me] = false };
        atomic { !process_lock[me] -> sleeps[me] = false };
        if :: turn -> turn = false; gt_ready() :: else fi
    fi
}
proctype process_a() {
    bool asked, user, closed, turn, report; byte message, to, n; mtype answer;
    do
    :: user && (closed || answer == OK) -> break
    :: !asked -> asked = true; gt_reown(answer)
    :: !(user && (closed || answer == OK)) -> gentcp_receive(A)
    od;
    atomic { !process_lock[B] -> if :: !dead[B] && answer != OK -> post(B, USER) :: else fi }
}
proctype process_b() {
    bool user, closed, turn, report; byte message, to;
    /* B hands another socket to A: no more of it than the two locks */
#ifdef BREAK_LOCK_ORDER
    take(process_lock[B]); take(process_lock[A]); drop(process_lock[A]); drop(process_lock[B]);
#else
    take(process_lock[A]); take(process_lock[B]); drop(process_lock[B]); drop(process_lock[A]);
#endif
    do
    :: user || closed -> break
    :: !(user || closed) -> gentcp_receive(B)
    :: true -> /* gentcp_exit, then gt_close for each socket on its list */
#ifdef BREAK_LIST_BEFORE_DEAD
        turn = listed[B];
#endif
#ifdef BREAK_LIST_BEFORE_DEAD
        atomic { !process_lock[B] -> dead[B] = true };
#else
        atomic { !process_lock[B] -> dead[B] = true; turn = listed[B] };
#endif
        if
        :: turn -> take(socket_lock); if :: state == GT_CONNECTED -> shut() :: else fi; drop(socket_lock)
        :: else
        fi;
        assert(poller != B); /* the process's poller can be closed */
        break
    od
}
proctype foreign() { /* waits on the socket with poll(2), on gt_waits_for's descriptor; any thread may */
    byte message, to; bool report = true;
    gt_ready();
    atomic { !process_lock[A] -> post(A, USER) }; /* gentcp_post */
    report = true; gt_ready()
}
init { /* the peer */
    atomic { listed[A] = true; run process_a(); run process_b(); run foreign() };
    do
    :: sent < N && state == GT_CONNECTED -> atomic { sent++; kernel!sent; edge[poller] = (poller != NOWHERE) }
    :: else -> break
    od;
    if :: true -> (next == sent + 1 || state == GT_SHUT) /* it waits until all it sent was answered */ :: true fi;
    atomic { fin = true; edge[poller] = (poller != NOWHERE) };
    (_nr_pr == 1); /* nobody waits for ever; and then: */
    assert(next == TCP_CLOSED + 1 || (dead[B] && owner == B)); /* all was received, or B took it to its grave */
    assert(state == GT_SHUT && poller == NOWHERE)
}
