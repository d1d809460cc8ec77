/* SPDX-License-Identifier: Apache-2.0 */
/* The AtomVM host: what its C files share.
 *
 * driver.c lets the VM's poll watch our poller and gives the native functions of nif.c to Erlang; host.c is the
 * engine's view of Erlang, owner.c notices the death of owners, data.c is memory and the terms of what is received,
 * letter.c sends messages, lookup.c looks up names. enif.c has the functions of erl_nif.h that hosts/erlang needs.
 *
 * Nothing here waits: a call that can't be finished at once is answered by a message. A thread that holds a socket's
 * lock may take AtomVM's locks of processes, monitors and binaries; AtomVM calls us with its lock of listeners held,
 * and otherwise with none. */
#ifndef GENTCP_ATOMVM_AVM_H
#define GENTCP_ATOMVM_AVM_H

#include <context.h>
#include <erl_nif.h>
#include <erl_nif_priv.h>
#include <globalcontext.h>
#include <mailbox.h>
#include <memory.h>
#include <refc_binary.h>
#include <term.h>

#include "engine/socket.h"
#include "hosts/erlang/terms.h"
#include "hosts/names/lookup.h"

/* ---- driver.c ---- */

extern GlobalContext *avm_vm; /* the VM; set once, before anything else here is called */
gt_poller *avm_poller(void);

/* ---- nif.c: the native functions ---- */

/* The native function of module gentcp_nif with that name (an atom) and arity; NULL: there is none. */
const struct ExportedFunction *avm_native(term name, int arity);

/* ---- host.c: sockets and ops ---- */

typedef struct avm_watch avm_watch;

/* A resource; its term is the handle that Erlang has. */
typedef struct avm_socket {
    gt_socket socket; /* first: the engine's pointers are ours */
    avm_watch *watch; /* the owner's; NULL: nobody's death matters. This and what follows: guarded by socket.lock */
    int32_t owner;    /* a local process id, as all here */
    otp_shape shape;
} avm_socket;

typedef struct avm_op {
    gt_op op;     /* first */
    uint64_t ref; /* what Erlang knows it by: made by its caller for this call alone */
    int32_t caller;
} avm_op;

extern const gt_host avm_host;

/* Makes the resource types. False: no memory. */
bool avm_sockets_start(ErlNifEnv *env);
/* A socket owned by that process: enif_release_resource gives it back. NULL: no memory. */
avm_socket *avm_socket_new(int32_t owner);
/* That of a handle; NULL: it is none. */
avm_socket *avm_socket_of(ErlNifEnv *env, term handle);
/* {'$avm_gen_tcp', Handle, gentcp}. */
term avm_socket_term(ErlNifEnv *env, avm_socket *socket);
term avm_handle_term(ErlNifEnv *env, avm_socket *socket);
enum { AVM_SOCKET_WORDS = TUPLE_SIZE(3) + TERM_BOXED_REFERENCE_RESOURCE_SIZE };

/* An op of that kind, whose result comes to the process of ctx as a message with ref. NULL: no memory. */
avm_op *avm_op_new(Context *ctx, uint8_t kind, term ref);
/* Between these, an op that is completed by this thread sends no message: its result becomes a term of ctx, and is what
 * avm_call_answer returns. status is what the engine's function returned: for GT_PENDING the answer is wait, and for an
 * error the op is freed. */
void avm_call_begin(Context *ctx, const avm_op *op);
term avm_call_answer(Context *ctx, avm_op *op, int status);
/* Takes back the op of that ref: true if it will not be completed, false if it was (the message was sent). */
bool avm_cancel(avm_socket *socket, uint64_t ref);

/* The first half of controlling_process: an error, or 0 if `to` is the owner already; GT_PENDING: the socket is paused,
 * and `from` has to collect the messages of the socket that it has got, and call avm_pass_on. */
int avm_hand_over(avm_socket *socket, int32_t from, int32_t to);
/* The second half: `to` becomes the owner, gets `messages` (a list, in order) and all that come from now on; 0. After
 * an error it is `from` who gets them, again. */
int avm_pass_on(avm_socket *socket, int32_t from, int32_t to, term messages);

/* ---- owner.c: the death of owners ---- */

bool avm_owners_start(ErlNifEnv *env);
/* Makes a process the owner, instead of the one before. With the socket's lock held. 0; GT_BADARG: it is dead, -ENOMEM:
 * the owner is as it was. */
int avm_set_owner(avm_socket *socket, int32_t owner);
/* Nobody's death closes the socket any more. With its lock held, and a reference to it besides the watch's. */
void avm_forget_owner(avm_socket *socket);

/* ---- letter.c: messages ---- */

/* A message to be made and sent. Its terms are made in env. */
typedef struct avm_letter {
    ErlNifEnv env;
    Message *message; /* the terms lie in it; NULL: they lie on a heap of their own */
    HeapFragment root;
} avm_letter;

/* words: room for its terms, at most so many; 0: not known, at the price of a copy. False: no memory. */
bool avm_letter_begin(avm_letter *letter, size_t words);
/* Sends it, or drops it: 0, GT_CLOSED (there is no such process), -ENOMEM. */
int avm_letter_send(avm_letter *letter, int32_t to, term message);
void avm_letter_drop(avm_letter *letter);
/* Sends a copy of a term. As above. */
int avm_send_copy(int32_t to, term message);

/* ---- data.c: buffers, what is received, what is sent ---- */

enum { AVM_WORDS_MAX = INT32_MAX / 8 }; /* more than that in one piece AtomVM can't count */

/* Makes room for so many words in env. False: no memory. */
bool avm_room(ErlNifEnv *env, size_t words);

/* The words that avm_data_term takes; 0: not known. as_http: a line of http becomes its term. */
size_t avm_data_words(const avm_socket *socket, const gt_data *data, bool as_http);
/* Received data as options mode, header and packet have it, in an env that has room. An invalid term: no memory. A
 * buffer's bytes are shared: avm_data_taken follows if the term has found its receiver. */
term avm_data_term(ErlNifEnv *env, const avm_socket *socket, const gt_data *data, bool as_http);
void avm_data_taken(const gt_data *data);

gt_buffer *avm_buffer_new(size_t size);
gt_buffer *avm_buffer_resize(gt_buffer *base, size_t size);
void avm_buffer_free(gt_buffer *base);
uint8_t *avm_scratch(size_t *size);
/* source: the term of the binary that the only part is, or NULL: the parts can only be copied. */
gt_segment *avm_hold(void *source, const struct iovec *parts, int count, size_t skip);
void avm_segment_free(gt_segment *base);

/* ---- lookup.c: names ---- */

extern const gt_lookup_user avm_lookup_user;
term avm_addresses_term(ErlNifEnv *env, const gt_addresses *addresses); /* a list, without ports */

/* Looks up the addresses of a name, of that family; the answer comes to the process as {'$gentcp', Ref, {ok, Addresses}
 * | {error, Reason}}. 0; GT_NXDOMAIN: names are left out (GENTCP_WITH_NAMES); -ENOMEM, -EAGAIN: no thread could be
 * started. */
int avm_lookup(const char *name, int family, int32_t caller, uint64_t ref);
/* True: the answer will not come; false: it was sent, or there is no such question. */
bool avm_lookup_cancel(uint64_t ref);
/* Sends the answers that there are: after each run of the poller, which they wake. */
void avm_lookups_answer(void);

#endif
