/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* secure_getenv */
#include "hosts/c/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gentcp.h"

static struct {
    pthread_mutex_t lock;
    enum { UNTOUCHED, CONFIGURED, IN_USE } state;
    gentcp_config config; /* this and the next: not changed once IN_USE, and so read without the lock */
    bool own_functions;
    const gt_backend *backend;
} global = {.lock = PTHREAD_MUTEX_INITIALIZER, .config = {.allocate = malloc, .resize = realloc, .release = free}};

void *gt_allocate(size_t size) {
    return global.config.allocate(size);
}

void *gt_resize(void *memory, size_t size) {
    return global.config.resize(memory, size);
}

void gt_release(void *memory) {
    if (memory != NULL)
        global.config.release(memory);
}

/* There in a program with the address sanitizer, whether this library was built with it or not. */
extern void __asan_init(void) __attribute__((weak)); // NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

bool gt_memory_is_kept(void) {
    return !global.own_functions && __asan_init == NULL;
}

int gentcp_configure(const gentcp_config *config) {
    int functions, error = -EALREADY;

    if (config == NULL || (unsigned)config->poller > GENTCP_POLLER_POLL)
        return GENTCP_BADARG;
    functions = (config->allocate != NULL) + (config->resize != NULL) + (config->release != NULL);
    if (functions != 0 && functions != 3)
        return GENTCP_BADARG;
#ifndef __linux__
    if (config->poller == GENTCP_POLLER_EPOLL)
        return GENTCP_BADARG;
#endif
    pthread_mutex_lock(&global.lock);
    if (global.state == UNTOUCHED) {
        global.state = CONFIGURED;
        global.config.poller = config->poller;
        if (functions == 3) {
            global.config.allocate = config->allocate;
            global.config.resize = config->resize;
            global.config.release = config->release;
            global.own_functions = true;
        }
        error = 0;
    }
    pthread_mutex_unlock(&global.lock);
    return error;
}

static const gt_backend *choose_backend(enum gentcp_poller wish) {
#ifdef __linux__
    const char *name = secure_getenv("GENTCP_POLLER");
    bool poll_by_name = name != NULL && strcmp(name, "poll") == 0;

    if (wish == GENTCP_POLLER_EPOLL || (wish == GENTCP_POLLER_ANY && !poll_by_name))
        return &gt_backend_epoll;
#else
    (void)wish;
#endif
    return &gt_backend_poll;
}

const gt_backend *gt_config_use(void) {
    const gt_backend *backend;

    pthread_mutex_lock(&global.lock);
    if (global.state != IN_USE) {
        global.state = IN_USE;
        global.backend = choose_backend(global.config.poller);
    }
    backend = global.backend;
    pthread_mutex_unlock(&global.lock);
    return backend;
}
