/* SPDX-License-Identifier: Apache-2.0 */
/* Sends back whatever it receives: echo_server PORT (0: any that is free). Try: nc localhost PORT
 *
 * Each connection has a process of its own, on its own thread. When that ends, so does the connection. */
#include <err.h>
#include <errno.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct session {
    gentcp_socket socket;
    gentcp_pid acceptor;
    gentcp_pid process;
} session;

static void must(int error, const char *what) {
    if (error)
        errx(1, "%s: %s", what, gentcp_error_name(error));
}

static void *echo(void *argument) {
    session *it = argument;
    gentcp_message go;
    gentcp_data data;
    int error = 0;

    must(gentcp_self(&it->process), "self");
    must(gentcp_post(it->acceptor, it), "post");
    must(gentcp_receive(&go, GENTCP_INFINITY), "receive"); /* from here on the socket is ours */
    while (error == 0 && (error = gentcp_recv(it->socket, 0, GENTCP_INFINITY, &data)) == 0) {
        error = gentcp_send(it->socket, data.bytes, data.size);
        gentcp_data_release(&data);
    }
    printf("ended: %s\n", gentcp_error_name(error));
    fflush(stdout);
    free(it);
    return NULL; /* the process ends with its thread, and its socket is closed */
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 4000);
    gentcp_socket listener;
    gentcp_message ready;
    gentcp_pid self;
    pthread_t thread;

    must(gentcp_self(&self), "self");
    must(gentcp_listen(port, gentcp_options(GENTCP_ACTIVE(false), GENTCP_REUSEADDR(true)), &listener), "listen");
    must(gentcp_port(listener, &port), "port");
    printf("listening on %d\n", port);
    fflush(stdout);
    for (;;) {
        session *it = calloc(1, sizeof *it);
        must(it ? 0 : -ENOMEM, "calloc");
        it->acceptor = self;
        while (gentcp_accept(listener, GENTCP_INFINITY, &it->socket) != 0)
            sleep(1); /* after emfile, which passes when clients leave */
        must(-pthread_create(&thread, NULL, echo, it), "pthread_create");
        pthread_detach(thread);
        must(gentcp_receive(&ready, GENTCP_INFINITY), "receive");
        must(gentcp_controlling_process(it->socket, it->process), "controlling_process");
        must(gentcp_post(it->process, it), "post");
    }
}
