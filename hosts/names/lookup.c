/* SPDX-License-Identifier: Apache-2.0 */
/*            a thread takes it       answered
 *   QUEUED ──────────────────▶ RUNNING ──────▶ ANSWERED     freed by gt_lookup_end
 *      │ ended                     │ ended
 *      ▼                           ▼
 *   freed                      ABANDONED                    freed by the thread, once getaddrinfo returns */
#include "hosts/names/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "sys/error.h"

enum {
    THREADS_MAX = 16,        /* lookups at a time; more of them queue */
    STACK_SIZE = 256 * 1024, /* name service modules keep buffers of 64 KiB on the stack */
    ADDRESSES_MAX = 256,     /* of one name; the rest is ignored */
};

struct gt_lookup {
    gt_lookup *next; /* while QUEUED */
    enum { QUEUED, RUNNING, ANSWERED, ABANDONED } state;
    const gt_lookup_user *user;
    void *asker;             /* there until the lookup is ended */
    int error;               /* ANSWERED: this, */
    gt_addresses *addresses; /* or these */
    uint16_t port;
    int family;
    char name[];
};

static struct {
    pthread_mutex_t lock; /* guards all here, and each lookup's state; what `answered` locks is locked inside it */
    gt_lookup *first;
    gt_lookup **end;
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

bool gt_address_of(const struct sockaddr *from, size_t size, uint16_t port, gt_address *out) {
    *out = (gt_address){0};
    if (from->sa_family == AF_INET && size >= sizeof out->in) {
        out->size = sizeof out->in;
        memcpy(&out->in, from, sizeof out->in);
        out->in.sin_port = htons(port);
        return true;
    }
    if (from->sa_family == AF_INET6 && size >= sizeof out->in6) {
        out->size = sizeof out->in6;
        memcpy(&out->in6, from, sizeof out->in6);
        out->in6.sin6_port = htons(port);
        return true;
    }
    return false;
}

static int collect(const gt_lookup_user *user, const struct addrinfo *found, uint16_t port, gt_addresses **out) {
    gt_addresses *addresses;
    size_t count = 0;

    for (const struct addrinfo *info = found; info != NULL && count < ADDRESSES_MAX; info = info->ai_next)
        count++;
    addresses = user->allocate(sizeof *addresses + count * sizeof addresses->list[0]);
    if (addresses == NULL)
        return -ENOMEM;
    addresses->count = 0;
    for (const struct addrinfo *info = found; info != NULL && count-- > 0; info = info->ai_next) {
        if (gt_address_of(info->ai_addr, info->ai_addrlen, port, &addresses->list[addresses->count]))
            addresses->count++;
    }
    if (addresses->count == 0) {
        user->release(addresses);
        return GT_NXDOMAIN;
    }
    *out = addresses;
    return 0;
}

static int ask(const gt_lookup_user *user, const char *name, uint16_t port, int family, int flags, gt_addresses **out) {
    struct addrinfo hints = {.ai_flags = flags, .ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int code = getaddrinfo(name, NULL, &hints, &found);
    int error;

    if (code != 0)
        return error_of(code);
    error = collect(user, found, port, out);
    freeaddrinfo(found);
    return error;
}

static void forget(gt_lookup *this) {
    this->user->release(this->addresses);
    this->user->release(this);
}

/* ---- the threads ---- */

static void answer(gt_lookup *this) {
    if (this->state == ABANDONED) {
        forget(this);
        return;
    }
    this->state = ANSWERED;
    this->user->answered(this->asker);
}

static void *run(void *unused) {
    gt_lookup *this;

    pthread_mutex_lock(&resolver.lock);
    while ((this = resolver.first) != NULL) {
        resolver.first = this->next;
        if (resolver.first == NULL)
            resolver.end = &resolver.first;
        this->state = RUNNING;
        pthread_mutex_unlock(&resolver.lock);
        this->error = ask(this->user, this->name, this->port, this->family, 0, &this->addresses);
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

static void take_from_queue(gt_lookup *this) {
    gt_lookup **place = &resolver.first;

    while (*place != this)
        place = &(*place)->next;
    *place = this->next;
    if (this->next == NULL)
        resolver.end = place;
}

static int enqueue(gt_lookup *this) {
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

bool gt_may_be_name(const char *name) {
    if (*name == 0)
        return false;
    for (; *name != 0; name++) {
        if ((unsigned char)*name <= ' ' || *name == 0x7f)
            return false;
    }
    return true;
}

int gt_lookup_numeric(const gt_lookup_user *user, const char *name, uint16_t port, int family, gt_addresses **out) {
    return ask(user, name, port, family, AI_NUMERICHOST, out);
}

int gt_lookup_start(const gt_lookup_user *user, const char *name, uint16_t port, int family, void *asker,
                    gt_lookup **out) {
    size_t length = strlen(name) + 1;
    gt_lookup *this;
    int error;

    if (!GENTCP_WITH_NAMES)
        return GT_NXDOMAIN;
    this = user->allocate(sizeof *this + length);
    if (this == NULL)
        return -ENOMEM;
    *this = (gt_lookup){.state = QUEUED, .user = user, .asker = asker, .port = port, .family = family};
    memcpy(this->name, name, length);
    error = enqueue(this);
    if (error != 0)
        user->release(this);
    else
        *out = this;
    return error;
}

int gt_lookup_end(gt_lookup *this, gt_addresses **out) {
    int error = GT_TIMEOUT;

    if (!GENTCP_WITH_NAMES)
        return GT_NXDOMAIN;
    pthread_mutex_lock(&resolver.lock);
    if (this->state == QUEUED)
        take_from_queue(this);
    if (this->state == ANSWERED) {
        error = this->error;
        *out = this->addresses;
        this->addresses = NULL;
    }
    if (this->state == RUNNING)
        this->state = ABANDONED;
    else
        forget(this);
    pthread_mutex_unlock(&resolver.lock);
    return error;
}
