/* SPDX-License-Identifier: Apache-2.0 */
/* An echo server on the C host: one process with all connections, active. Prints its port, ends with its standard
 * input. A thread accepts and hands over, for accept waits. */
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static gentcp_pid echoer;
static gentcp_socket listener;

static void check(int error, const char *what) {
    if (error == 0)
        return;
    fprintf(stderr, "gentcp_echo: %s: %s\n", what, gentcp_error_name(error));
    exit(1);
}

static void *accept_all(void *unused) {
    gentcp_socket socket;

    while (gentcp_accept(listener, GENTCP_INFINITY, &socket) == 0)
        check(gentcp_controlling_process(socket, echoer), "controlling_process");
    return unused;
}

static void *await_input_end(void *unused) {
    char byte;

    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    _exit(0);
    return unused;
}

int main(void) {
    gentcp_message message;
    pthread_t thread;
    uint16_t port;

    check(gentcp_self(&echoer), "self");
    check(gentcp_listen(0, gentcp_options(GENTCP_BACKLOG(4096), GENTCP_NODELAY(true)), &listener), "listen");
    check(gentcp_port(listener, &port), "port");
    printf("port %u\n", port);
    fflush(stdout);
    check(-pthread_create(&thread, NULL, accept_all, NULL), "pthread_create");
    check(-pthread_create(&thread, NULL, await_input_end, NULL), "pthread_create");
    for (;;) {
        check(gentcp_receive(&message, GENTCP_INFINITY), "receive");
        if (message.kind == GENTCP_TCP)
            (void)gentcp_send(message.socket, message.data.bytes, message.data.size);
        gentcp_data_release(&message.data);
    }
}
