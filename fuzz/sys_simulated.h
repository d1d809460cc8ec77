/* SPDX-License-Identifier: Apache-2.0 */
/* A system in memory: sys/sys.h and a poller's backend without one real descriptor (but the poller's own wake). Time
 * stands still until it is moved. A fault happens at the call for which it was set.
 *
 * Readiness is told as reluctantly as pollers/poller.h allows: once an edge, and (sim_strict) only if it was wanted. */
#ifndef GT_FUZZ_SYS_SIMULATED_H
#define GT_FUZZ_SYS_SIMULATED_H

#include "pollers/backend.h"
#include "sys/sys.h"

enum { SIM_FD = 1000, SIM_FILES = 24, SIM_STREAM = 256 * 1024 };
enum { SIM_DISK_FILE = 999, SIM_DISK_SIZE = 64 * 1024 }; /* for gt_sys_sendfile */

enum sim_fault {
    SIM_RECV_SHORT,
    SIM_RECV_AGAIN,
    SIM_RECV_RESET,
    SIM_RECV_NOMEM,
    SIM_SEND_SHORT,
    SIM_SEND_AGAIN,
    SIM_SEND_RESET,
    SIM_SEND_NOBUFS,
    SIM_SOCKET,
    SIM_CONNECT,
    SIM_BIND,
    SIM_LISTEN,
    SIM_ACCEPT,
    SIM_SETSOCKOPT,
    SIM_ADD, /* to the poller */
    /* These are for the host: sim_fails. */
    SIM_BUFFER,
    SIM_RESIZE,
    SIM_SCRATCH,
    SIM_SEGMENT,
    SIM_CREATE,
    SIM_DELIVER,
    SIM_FAULTS
};

enum sim_connect { SIM_CONNECT_AT_ONCE, SIM_CONNECT_LATER };

/* A descriptor, from its opening on; never used again in the same world. */
typedef struct sim_file {
    bool open, listening;
    bool connected, connecting;
    bool fin, reset;            /* what the peer did */
    bool read_shut, write_shut; /* what we did */
    bool reset_told;            /* ECONNRESET was answered once */
    bool no_space;              /* a send came back short: room will be told */
    int error;                  /* SO_ERROR */
    int pending;                /* LISTENING: connections to be accepted */
    size_t early;               /* bytes that each of those has sent before it is accepted */
    size_t in_size, in_read;    /* of in: what the peer has sent, what was read */
    size_t out_size, out_limit; /* of out: what was written, how much there is room for */
    gt_watch *watch;
    int edges;
    uint8_t in[SIM_STREAM], out[SIM_STREAM];
} sim_file;

extern const gt_backend sim_backend;

/* A new world: nothing open, no faults, time 1000 s. */
void sim_begin(bool strict);
/* How many descriptors are open. */
int sim_open_files(void);
sim_file *sim_file_of(int fd);
/* The fault happens at the n-th such call from now (1: the next). 0: never. */
void sim_set_fault(enum sim_fault fault, uint8_t n);
void sim_clear_faults(void);
/* Counts one such call. True: it must fail. */
bool sim_fails(enum sim_fault fault);
void sim_set_connect(enum sim_connect how);
void sim_advance(int64_t ms);

/* The other side. */
size_t sim_peer_send(sim_file *file, const uint8_t *bytes, size_t size);
void sim_peer_read(sim_file *file, size_t size);
void sim_peer_fin(sim_file *file);
void sim_peer_reset(sim_file *file);
/* What a connect that is under way comes to: 0 or a negative errno. */
void sim_peer_decide(sim_file *file, int error);
void sim_peer_connect(sim_file *listener, size_t early);
/* What the peer of the simulation sends as its n-th byte when it says nothing of its own, and the n-th byte of the file
 * on its disk. */
uint8_t sim_pattern(size_t n);

#endif
