/* SPDX-License-Identifier: Apache-2.0 */
/* What has gone through a socket: inet:getstat's counters. Called with the socket locked. */
#ifndef GT_STATS_H
#define GT_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "sys/config.h"

/* A packet is what one recv or message hands out, and what one send is given; its size is what it takes of the stream,
 * header included. Bytes that go back to the stream, by unrecv, are counted again when they are handed out again. */
typedef struct gt_stats {
    uint64_t recv_oct; /* bytes */
    uint64_t recv_cnt; /* packets */
    uint64_t recv_max; /* the largest packet, up to UINT32_MAX */
    uint64_t recv_avg; /* bytes a packet, on average */
    uint64_t recv_dvi; /* how far packets are from the average that each finds, itself included, on average; unsigned */
    uint64_t send_oct; /* likewise; what is queued, or has failed, is counted too */
    uint64_t send_cnt;
    uint64_t send_max;
    uint64_t send_avg;
    uint64_t send_pend; /* bytes in the queue */
} gt_stats;

/* What they are computed from; parts of every socket, so kept small. */
#if GENTCP_WITH_STATS
typedef struct gt_counters {
    uint64_t recv_oct, recv_cnt;
    uint64_t send_oct, send_cnt;
} gt_counters;

typedef struct gt_sizes {
    uint32_t recv_max, send_max;
    float recv_dvi; /* signed */
} gt_sizes;

static inline void gt_count_max(uint32_t *max, size_t size) {
    uint32_t limited = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;

    if (limited > *max)
        *max = limited;
}

static inline void gt_count_recv(gt_counters *counters, gt_sizes *sizes, size_t size) {
    double average, deviation = sizes->recv_dvi;

    counters->recv_oct += size;
    counters->recv_cnt++;
    gt_count_max(&sizes->recv_max, size);
    average = (double)counters->recv_oct / (double)counters->recv_cnt;
    sizes->recv_dvi = (float)(deviation + ((double)size - average - deviation) / (double)counters->recv_cnt);
}

/* sizes: NULL where the socket has none any more. */
static inline void gt_count_send(gt_counters *counters, gt_sizes *sizes, size_t size) {
    counters->send_oct += size;
    counters->send_cnt++;
    if (sizes != NULL)
        gt_count_max(&sizes->send_max, size);
}

/* pending: how many bytes are queued. */
static inline gt_stats gt_stats_of(const gt_counters *counters, const gt_sizes *sizes, size_t pending) {
    float deviation = sizes->recv_dvi < 0 ? -sizes->recv_dvi : sizes->recv_dvi;

    return (gt_stats){
        .recv_oct = counters->recv_oct,
        .recv_cnt = counters->recv_cnt,
        .recv_max = sizes->recv_max,
        .recv_avg = counters->recv_cnt != 0 ? counters->recv_oct / counters->recv_cnt : 0,
        .recv_dvi = (uint64_t)deviation,
        .send_oct = counters->send_oct,
        .send_cnt = counters->send_cnt,
        .send_max = sizes->send_max,
        .send_avg = counters->send_cnt != 0 ? counters->send_oct / counters->send_cnt : 0,
        .send_pend = pending,
    };
}

#else
typedef struct gt_counters {
} gt_counters;

typedef struct gt_sizes {
} gt_sizes;

#define gt_count_recv(counters, sizes, size)  ((void)(size))
#define gt_count_send(counters, sizes, size)  ((void)(size))
#define gt_stats_of(counters, sizes, pending) ((void)(sizes), (gt_stats){.send_pend = (pending)})
#endif

#endif
