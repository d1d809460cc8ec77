/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the socket have in common. Everything here is called with the socket locked. */
#ifndef GT_INTERNAL_H
#define GT_INTERNAL_H

#include "engine/op_list.h"

/* Reads adapt between 2 KiB and (GENTCP_READ_SHIFT) 64 KiB. */
enum { GT_READ_SHIFT_MIN = 11, GT_READ_SHIFT_MAX = GENTCP_READ_SHIFT };

/* life.c */

/* The socket has got its descriptor, and so the engine its reference. */
void gt_opened(gt_socket *socket, int family, int fd);
/* Hands the descriptor to the poller. */
int gt_watch_start(gt_socket *socket);
/* Takes it back, if the poller has it. */
void gt_watch_stop(gt_socket *socket);
/* CLOSING: some of the queue went out, so the peer is alive. */
void gt_flush_progress(gt_socket *socket);
/* Closes the descriptor; the socket is ENDED, and `recv` and `send` are what their next call answers (0: enotconn). */
void gt_end(gt_socket *socket, int recv, int send);
/* The way out of every state: descriptor closed, queues dropped, closers answered, host->closed called. */
void gt_shut(gt_socket *socket);
/* What gt_close does, but for its op. Nothing if it is CLOSING already. */
void gt_begin_close(gt_socket *socket);
/* Does somebody wait for a close that flushes? Until it is done inet's ports, and so our sockets, are open to others
 * for sending and for options. */
bool gt_close_awaited(const gt_socket *socket);
/* For others than those who receive: SHUT, or CLOSING and nobody waits for it. */
bool gt_is_closed(const gt_socket *socket);
/* Answers every op of a list with that status. */
void gt_answer_all(gt_socket *socket, gt_op_list *list, int status);
/* The stream of a passive socket has ended: the first who waits to send hears of it, the later ones enotconn, as if
 * they had called only now. */
void gt_answer_writers(gt_socket *socket, int status);
/* Takes an op off its list and completes it with that status. False: its caller is gone. */
bool gt_answer(gt_socket *socket, gt_op_list *list, gt_op *op, int status);
/* What a call other than close answers in a state that isn't CONNECTED; owed: owe_recv or owe_send, cleared, or NULL.
 */
int gt_not_connected(gt_socket *socket, int16_t *owed);

/* establish.c */

/* CONNECTING, and the descriptor reports that it is decided. */
void gt_connect_decided(gt_socket *socket);

/* receive.c */

/* Serves whoever wants input: what is buffered first, then reads, for one bounded turn. */
void gt_pump_input(gt_socket *socket);
/* Reading is over: error is GT_CLOSED at the peer's end, else why. Answers and tells everybody whom it concerns. */
void gt_input_over(gt_socket *socket, int error);
/* Tells the owner something without data. False: it is dead. */
bool gt_tell(gt_socket *socket, enum gt_message_kind kind, int reason);
/* Tells the owner that the stream has ended: tcp_error first, if reason isn't GT_CLOSED, then tcp_closed; once in the
 * socket's life. False as above. */
bool gt_tell_end(gt_socket *socket, int reason);
void gt_drop_input(gt_socket *socket);
/* CLOSING: what comes is thrown away. A peer that sends before it reads would else be stuck, and the system would make
 * a reset of the end, which takes with it what the peer hasn't read yet. */
void gt_discard_input(gt_socket *socket);
/* Without exit_on_close: the next read asks the system once more, for after shutdown(read) there may be more. */
void gt_read_again(gt_socket *socket);

/* send.c */

/* Writes what is queued until the kernel takes no more, for one bounded turn; then what waits for an empty queue. */
void gt_pump_output(gt_socket *socket);
/* Drops what is queued, but for so many bytes at the front, which are whole segments. */
void gt_cut_output(gt_socket *socket, size_t size);
void gt_drop_output(gt_socket *socket);
/* Nothing is to go out any more: what has waited for this. */
void gt_output_empty(gt_socket *socket);
/* The stream is broken for writing, and so for reading. answered: the one whose call met it hears of it by the value
 * returned, or has heard of it already. */
int gt_output_over(gt_socket *socket, int error, bool answered);

/* sendfile.c */

/* Bytes of files in one turn of one socket: few, because the thread may wait for the disk. */
enum { GT_FILE_TURN = 256 * 1024 };

/* The file whose turn comes first, or NULL. */
gt_op *gt_first_file_of(const gt_socket *socket);
/* Gives the kernel a piece of the first file, and answers its op if that was the last: a count, or a negative errno:
 * the stream can't be continued. */
ssize_t gt_write_file(gt_socket *socket, gt_op *op);
/* A file is taken off its list, cancelled: what is behind it moves up. */
void gt_remove_file(gt_socket *socket, gt_op *op);
/* CLOSING is next: files, and what is queued behind them, won't go out. */
void gt_cut_files(gt_socket *socket);

static inline gt_op *gt_first_file(const gt_socket *socket) {
    return GENTCP_WITH_SENDFILE && socket->writers.first != NULL ? gt_first_file_of(socket) : NULL;
}

/* Is anything to go out, bytes or files? */
static inline bool gt_has_output(const gt_socket *socket) {
    return socket->output != NULL || gt_first_file(socket) != NULL;
}

/* accept.c */

/* Gives connections to those who wait for one. */
void gt_pump_accept(gt_socket *listener);

/* set_options.c */

/* The settings of a new socket: the table's defaults, then the host's. */
void gt_settings_init(gt_socket *socket);
/* The counters. The sizes among them are 0 where the socket has none: LISTENING, CLOSING, SHUT. */
gt_stats gt_stats_now(const gt_socket *socket);
/* Applies one checked option. */
int gt_apply_option(gt_socket *socket, const gt_option *option);
/* Sets one of the system's options that are a number: 0 or an error. Linux derives the priority from tos; here they are
 * independent, as in OTP. */
int gt_set_number(int fd, int name, int value);

#endif
