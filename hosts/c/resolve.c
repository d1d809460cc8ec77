/* SPDX-License-Identifier: Apache-2.0 */
/* getaddrinfo(3) blocks, and is the one way to ask all that a system is configured to ask: so it runs in threads of its
 * own, made when there is something to look up and ended when there isn't.
 *
 *            a thread takes it       answered
 *   QUEUED ──────────────────▶ RUNNING ──────▶ ANSWERED     freed by who asked
 *      │ given up                  │ given up
 *      ▼                           ▼
 *   freed by who asked         ABANDONED                    freed by the thread, once getaddrinfo returns */
#include "hosts/c/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>

#include "hosts/c/memory.h"
#include "hosts/c/options.h"
#include "hosts/c/wait.h"

enum {
    THREADS_MAX = 16,        /* lookups at a time; more of them queue */
    STACK_SIZE = 256 * 1024, /* name service modules keep buffers of 64 KiB on the stack */
    ADDRESSES_MAX = 256,     /* of one name; the rest is ignored */
    NAME_MAX_LENGTH = 1024,  /* NI_MAXHOST, less its 0 */
};

typedef struct lookup {
    struct lookup *next; /* while QUEUED */
    enum { QUEUED, RUNNING, ANSWERED, ABANDONED } state;
    bool answered;           /* the same as ANSWERED, guarded by the asker's lock */
    gt_process *asker;       /* there until the lookup is answered or given up */
    int error;               /* ANSWERED: this, */
    gt_addresses *addresses; /* or these */
    uint16_t port;
    int family;
    char name[];
} lookup;

static struct {
    pthread_mutex_t lock; /* guards all here, and each lookup's state; a process is locked inside it */
    lookup *first;
    lookup **end;
    int threads;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .end = &resolver.first};

/* OTP's inet answers nxdomain whatever the name service's trouble is. */
static int error_of(int code) {
    switch (code) {
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : GT_NXDOMAIN;
    default:
        return GT_NXDOMAIN;
    }
}

static int collect(const struct addrinfo *found, uint16_t port, gt_addresses **out) {
    gt_addresses *addresses;
    size_t count = 0;

    for (const struct addrinfo *info = found; info != NULL && count < ADDRESSES_MAX; info = info->ai_next)
        count++;
    addresses = gt_allocate(sizeof *addresses + count * sizeof addresses->list[0]);
    if (addresses == NULL)
        return -ENOMEM;
    addresses->count = 0;
    for (const struct addrinfo *info = found; info != NULL && count-- > 0; info = info->ai_next) {
        if (gt_address_of(info->ai_addr, info->ai_addrlen, port, &addresses->list[addresses->count]))
            addresses->count++;
    }
    if (addresses->count == 0) {
        gt_release(addresses);
        return GT_NXDOMAIN;
    }
    *out = addresses;
    return 0;
}

static int ask(const char *name, uint16_t port, int family, int flags, gt_addresses **out) {
    struct addrinfo hints = {.ai_flags = flags, .ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int code = getaddrinfo(name, NULL, &hints, &found);
    int error;

    if (code != 0)
        return error_of(code);
    error = collect(found, port, out);
    freeaddrinfo(found);
    return error;
}

static void forget(lookup *this) {
    gt_release(this->addresses);
    gt_release(this);
}

/* ---- the threads ---- */

static void answer(lookup *this) {
    if (this->state == ABANDONED) {
        forget(this);
        return;
    }
    this->state = ANSWERED;
    pthread_mutex_lock(&this->asker->lock);
    this->answered = true;
    gt_process_notify(this->asker);
    pthread_mutex_unlock(&this->asker->lock);
}

static void *run(void *unused) {
    lookup *this;

    pthread_mutex_lock(&resolver.lock);
    while ((this = resolver.first) != NULL) {
        resolver.first = this->next;
        if (resolver.first == NULL)
            resolver.end = &resolver.first;
        this->state = RUNNING;
        pthread_mutex_unlock(&resolver.lock);
        this->error = ask(this->name, this->port, this->family, 0, &this->addresses);
        pthread_mutex_lock(&resolver.lock);
        answer(this);
    }
    resolver.threads--;
    pthread_mutex_unlock(&resolver.lock);
    return unused;
}

/* Signals are the program's: none is handled on this thread. */
static int start_thread(void) {
    sigset_t all, old;
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return error;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* ---- who asks ---- */

static void take_from_queue(lookup *this) {
    lookup **place = &resolver.first;

    while (*place != this)
        place = &(*place)->next;
    *place = this->next;
    if (this->next == NULL)
        resolver.end = place;
}

static int enqueue(lookup *this) {
    int error = 0;

    pthread_mutex_lock(&resolver.lock);
    *resolver.end = this;
    resolver.end = &this->next;
    if (resolver.threads < THREADS_MAX) {
        error = start_thread();
        if (error == 0)
            resolver.threads++;
        else if (resolver.threads > 0) /* those that run will come to it */
            error = 0;
        else
            take_from_queue(this);
    }
    pthread_mutex_unlock(&resolver.lock);
    return -error;
}

static void give_up(lookup *this) {
    pthread_mutex_lock(&resolver.lock);
    if (this->state == QUEUED)
        take_from_queue(this);
    if (this->state == RUNNING)
        this->state = ABANDONED;
    else
        forget(this);
    pthread_mutex_unlock(&resolver.lock);
}

static int await_answer(gt_process *self, lookup *this, int64_t deadline) {
    int error = 0;

    pthread_mutex_lock(&self->lock);
    while (!this->answered && error == 0) {
        int64_t left = gt_time_left(deadline);
        error = left != 0 ? gt_process_pause(self, left) : GT_TIMEOUT;
    }
    gt_process_leave(self);
    pthread_mutex_unlock(&self->lock);
    return error;
}

static lookup *lookup_new(gt_process *self, const char *host, uint16_t port, int family) {
    size_t length = strlen(host) + 1;
    lookup *this = gt_allocate(sizeof *this + length);

    if (this == NULL)
        return NULL;
    *this = (lookup){.state = QUEUED, .asker = self, .port = port, .family = family};
    memcpy(this->name, host, length);
    return this;
}

/* As inet: what is empty or has blanks and the like in it is no name. */
static bool may_be_name(const char *host) {
    if (*host == 0)
        return false;
    for (; *host != 0; host++) {
        if ((unsigned char)*host <= ' ' || *host == 0x7f)
            return false;
    }
    return true;
}

int gt_resolve(gt_process *self, const char *host, uint16_t port, int family, int64_t deadline, gt_addresses **out) {
    lookup *this;
    int error;

    if (!may_be_name(host))
        return GT_BADARG;
    if (strlen(host) > NAME_MAX_LENGTH)
        return GT_NXDOMAIN;
    error = ask(host, port, family, AI_NUMERICHOST, out);
    if (!GENTCP_WITH_NAMES || error != GT_NXDOMAIN)
        return error;
    this = lookup_new(self, host, port, family);
    if (this == NULL)
        return -ENOMEM;
    error = enqueue(this);
    if (error != 0) {
        forget(this);
        return error;
    }
    error = await_answer(self, this, deadline);
    if (error == 0) {
        error = this->error;
        if (error == 0)
            *out = this->addresses;
        this->addresses = error == 0 ? NULL : this->addresses;
    }
    give_up(this);
    return error;
}
