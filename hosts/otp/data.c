/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: what is received lands in Erlang binaries, what is sent is kept by reference, small things pass through
 * the thread's scratch. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "hosts/otp/otp.h"

enum {
    SCRATCH_SIZE = 64 * 1024,
    COPY_BELOW = 4 * 1024, /* a rest smaller than this is copied: keeping a reference costs about as much */
};

/* ---- threads ---- */

static pthread_key_t thread_end;
OTP_THREAD_LOCAL otp_thread otp_thread_state;

static void end_thread(void *arg) {
    otp_thread *thread = arg;

    if (thread->env != NULL)
        enif_free_env(thread->env);
    if (thread->scratch != NULL)
        enif_free(thread->scratch);
    while (thread->spares != NULL) {
        otp_op *op = thread->spares;
        thread->spares = (otp_op *)op->op.next;
        enif_free(op);
    }
    *thread = (otp_thread){0};
}

void otp_thread_begin(void) {
    otp_thread_state.env = enif_alloc_env();
    (void)pthread_setspecific(thread_end, &otp_thread_state); /* if it fails, a dying thread leaks this */
}

uint8_t *otp_scratch(size_t *size) {
    otp_thread *thread = otp_this_thread();

    if (thread->scratch == NULL)
        thread->scratch = enif_alloc(SCRATCH_SIZE);
    *size = SCRATCH_SIZE;
    return thread->scratch;
}

/* ---- buffers ---- */

/* The memory of a binary. Once a term has been made of it the term owns that memory; if the term then finds no
 * receiver, `kept` holds another like it, so that the bytes stay where they are. */
typedef struct buffer {
    gt_buffer base; /* first */
    ErlNifBinary binary;
    ErlNifEnv *kept; /* NULL: binary owns the memory */
} buffer;

gt_buffer *otp_buffer_new(size_t size) {
    buffer *b = enif_alloc(sizeof *b);

    if (b == NULL)
        return NULL;
    if (!enif_alloc_binary(size, &b->binary)) {
        enif_free(b);
        return NULL;
    }
    b->kept = NULL;
    b->base = (gt_buffer){.bytes = b->binary.data, .size = size};
    return &b->base;
}

gt_buffer *otp_buffer_resize(gt_buffer *base, size_t size) {
    buffer *b = (buffer *)base;

    if (b->kept != NULL) {
        gt_buffer *copy = otp_buffer_new(size);
        if (copy == NULL)
            return NULL;
        memcpy(copy->bytes, base->bytes, size < base->size ? size : base->size);
        otp_buffer_free(base);
        return copy;
    }
    if (!enif_realloc_binary(&b->binary, size))
        return NULL;
    b->base = (gt_buffer){.bytes = b->binary.data, .size = size};
    return base;
}

void otp_buffer_free(gt_buffer *base) {
    buffer *b = (buffer *)base;

    if (b->kept != NULL)
        enif_free_env(b->kept);
    else
        enif_release_binary(&b->binary);
    enif_free(b);
}

ERL_NIF_TERM otp_data_binary(ErlNifEnv *env, const gt_data *data) {
    ERL_NIF_TERM term;

    if (data->buffer == NULL || ((buffer *)data->buffer)->kept != NULL) {
        uint8_t *bytes = enif_make_new_binary(env, data->size, &term);
        memcpy(bytes, data->bytes, data->size);
        return term;
    }
    buffer *b = (buffer *)data->buffer;
    ErlNifBinary whole = b->binary;
    size_t from = (size_t)(data->bytes - b->base.bytes);
    term = enif_make_binary(env, &whole);
    if (from == 0 && data->size == b->base.size)
        return term;
    return enif_make_sub_binary(env, term, from, data->size);
}

void otp_data_taken(const gt_data *data) {
    buffer *b = (buffer *)data->buffer;

    if (b == NULL)
        return;
    if (b->kept != NULL)
        otp_buffer_free(&b->base);
    else
        enif_free(b); /* its memory is the term's */
}

void otp_data_kept(const gt_data *data, ERL_NIF_TERM binary) {
    buffer *b = (buffer *)data->buffer;

    if (b == NULL || b->kept != NULL)
        return;
    b->kept = enif_alloc_env();
    (void)enif_make_copy(b->kept, binary);
}

/* ---- garbage ---- */

/* A process keeps what it has received and dropped until it collects: of 64 KiB that is after five or six. With many
 * sockets that receive so much, each read then goes to memory that has left the processor's caches, and costs twice as
 * much. A process that collects before the next one reads leaves it the memory that is in the cache.
 *
 * The emulator collects when binaries fill a process's virtual binary heap, which it makes larger for one that goes on
 * using what it has. So such a process gets one that it doesn't keep, as large as the smallest such heap. Newer
 * emulators look at what is allocated, not at what the term says: it is there once, for all. Nobody touches its bytes:
 * it takes address space, and no memory. */
enum {
    VIRTUAL_HEAP = 46422 * 8, /* bytes: min_bin_vheap_size, by default */
    READ_UNIT = 16 * 1024,    /* bytes: what is received is large */
    /* From so many units on, read by others since the socket's last read, it is worth it. With fewer, the caches hold
     * all that the processes keep. */
    READ_BY_OTHERS = 512 * 1024 / READ_UNIT,
};

static ErlNifEnv *garbage_env;
static ERL_NIF_TERM garbage;

static bool make_garbage(void) {
    ErlNifBinary binary;

    if (!enif_alloc_binary(VIRTUAL_HEAP + 8, &binary))
        return false;
    garbage_env = enif_alloc_env();
    if (garbage_env == NULL) {
        enif_release_binary(&binary);
        return false;
    }
    garbage = enif_make_binary(garbage_env, &binary);
    return true;
}

bool otp_data_start(void) {
    static bool started;

    if (!started)
        started = (garbage_env != NULL || make_garbage()) && pthread_key_create(&thread_end, end_thread) == 0;
    return started;
}

bool otp_note_read(otp_socket *s, const gt_data *data) {
    static atomic_uint total; /* bytes; it wraps round */
    uint32_t before = atomic_fetch_add_explicit(&total, (unsigned)data->size, memory_order_relaxed);
    bool litters = (uint16_t)(before / READ_UNIT - s->read_at) >= READ_BY_OTHERS;

    s->read_at = (uint16_t)((before + (uint32_t)data->size) / READ_UNIT);
    __atomic_store_n(&s->litters, litters, __ATOMIC_RELAXED);
    return litters;
}

/* What lies beside the heap makes the next one larger, if both together fill more than the heap; it is larger by a step
 * each time. The smallest heap has room for so many small messages, and what else is alive. */
enum { FRAGMENTS = 6 }; /* at most 7: they are counted in three bits */

void otp_note_fragment(otp_socket *s) {
    if (++s->fragments < FRAGMENTS)
        return;
    s->fragments = 0;
    __atomic_store_n(&s->litters, true, __ATOMIC_RELAXED);
}

void otp_collect_after_receiving(ErlNifEnv *env) {
    (void)enif_make_copy(env, garbage);
}

void otp_collect_before_waiting(ErlNifEnv *env, otp_socket *s) {
    if (!__atomic_load_n(&s->litters, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&s->litters, false, __ATOMIC_RELAXED);
    (void)enif_make_copy(env, garbage);
}

/* ---- segments ---- */

/* What was inspected with no environment holds references to its binaries. Its segments belong to one socket, whose
 * lock guards the count. */
typedef struct held {
    size_t count;
    ErlNifIOVec *parts;
} held;

typedef struct segment {
    gt_segment base; /* first */
    held *held;      /* NULL: the bytes follow */
    uint8_t bytes[];
} segment;

static size_t size_of(const struct iovec *parts, int count) {
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

static gt_segment *copy_parts(const struct iovec *parts, int count, size_t skip, size_t size) {
    segment *s = enif_alloc(sizeof *s + size);
    uint8_t *to;

    if (s == NULL)
        return NULL;
    *s = (segment){.base = {.bytes = s->bytes, .size = size}};
    to = s->bytes;
    for (int i = 0; i < count; i++) {
        size_t from = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        memcpy(to, (const uint8_t *)parts[i].iov_base + from, parts[i].iov_len - from);
        to += parts[i].iov_len - from;
        skip -= from;
    }
    return &s->base;
}

void otp_segment_free(gt_segment *base) {
    segment *s = (segment *)base;

    if (s->held != NULL && --s->held->count == 0) {
        enif_free_iovec(s->held->parts);
        enif_free(s->held);
    }
    enif_free(s);
}

static gt_segment *refer(held *h, size_t skip) {
    gt_segment *first = NULL;
    gt_segment **end = &first;

    for (int i = 0; i < h->parts->iovcnt; i++) {
        const SysIOVec *part = &h->parts->iov[i];
        size_t from = skip < part->iov_len ? skip : part->iov_len;
        segment *s;
        skip -= from;
        if (from == part->iov_len)
            continue;
        s = enif_alloc(sizeof *s);
        if (s == NULL)
            goto fail;
        *s = (segment){.base = {.bytes = (const uint8_t *)part->iov_base + from, .size = part->iov_len - from},
                       .held = h};
        h->count++;
        *end = &s->base;
        end = &s->base.next;
    }
    return first;
fail:
    h->count++; /* so that h stays ours while its segments go */
    while (first != NULL) {
        gt_segment *next = first->next;
        otp_segment_free(first);
        first = next;
    }
    h->count--;
    return NULL;
}

gt_segment *otp_hold(void *arg, const struct iovec *parts, int count, size_t skip) {
    otp_source *source = arg;
    size_t size = size_of(parts, count) - skip;
    ERL_NIF_TERM list, rest;
    gt_segment *first;
    held *h;

    if (source == NULL || size < COPY_BELOW)
        return copy_parts(parts, count, skip, size);
    h = enif_alloc(sizeof *h);
    if (h == NULL)
        return NULL;
    *h = (held){0};
    list =
        enif_is_list(source->env, source->binaries) ? source->binaries : enif_make_list1(source->env, source->binaries);
    if (!enif_inspect_iovec(NULL, SIZE_MAX, list, &rest, &h->parts)) {
        enif_free(h);
        return NULL;
    }
    first = refer(h, skip);
    if (first == NULL) {
        enif_free_iovec(h->parts);
        enif_free(h);
    }
    return first;
}
