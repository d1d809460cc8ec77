/* SPDX-License-Identifier: Apache-2.0 */
/* Sends back whatever it receives, in the way that the client asks for: exchange_server PORT (0: any that is free).
 *
 * A client's first packet has a length of 4 bytes and says how the server shall receive what follows: "passive",
 * "active" or "once", raw; or "packet4", in packets of that same kind. */
#include <err.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gentcp_socket listener;

static void must(int error, const char *what) {
    if (error)
        errx(1, "%s: %s", what, gentcp_error_name(error));
}

static int send_back(gentcp_socket client, gentcp_data *data) {
    int error = gentcp_send(client, data->bytes, data->size);
    gentcp_data_release(data);
    return error;
}

static void echo_passive(gentcp_socket client) {
    gentcp_data data;
    while (gentcp_recv(client, 0, GENTCP_INFINITY, &data) == 0 && send_back(client, &data) == 0)
        ;
}

static void echo_active(gentcp_socket client, enum gentcp_active active) {
    gentcp_message message;
    int error = gentcp_setopts(client, gentcp_options(GENTCP_ACTIVE(active)));
    while (error == 0 && gentcp_receive_from(client, &message, GENTCP_INFINITY) == 0 && message.kind == GENTCP_TCP) {
        error = send_back(client, &message.data);
        if (error == 0 && active == GENTCP_ONCE)
            error = gentcp_setopts(client, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE)));
    }
}

static void serve(gentcp_socket client) {
    gentcp_data mode;
    if (gentcp_recv(client, 0, GENTCP_INFINITY, &mode) != 0)
        return;
    const char *name = (const char *)mode.bytes;
    bool packets = strcmp(name, "packet4") == 0;
    if (packets || gentcp_setopts(client, gentcp_options(GENTCP_PACKET(GENTCP_RAW))) == 0) {
        if (packets || strcmp(name, "passive") == 0)
            echo_passive(client);
        else if (strcmp(name, "active") == 0)
            echo_active(client, GENTCP_TRUE);
        else if (strcmp(name, "once") == 0)
            echo_active(client, GENTCP_ONCE);
    }
    gentcp_data_release(&mode);
}

/* Accepts a client, leaves the accepting of the next one to another process, and serves this one: so each client's
 * owner is the process that serves it, whose end closes the connection. */
static void *accept_and_serve(void *unused) {
    gentcp_socket client;
    pthread_t next;
    while (gentcp_accept(listener, GENTCP_INFINITY, &client) != 0)
        sleep(1); /* after emfile, which passes when clients leave */
    must(-pthread_create(&next, NULL, accept_and_serve, NULL), "pthread_create");
    pthread_detach(next);
    serve(client);
    return unused;
}

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 0);
    gentcp_message none;

    must(gentcp_listen(port, gentcp_options(GENTCP_PACKET(4), GENTCP_ACTIVE(false)), &listener), "listen");
    must(gentcp_port(listener, &port), "port");
    printf("listening on %d\n", port);
    fflush(stdout);
    accept_and_serve(NULL);
    must(gentcp_receive(&none, GENTCP_INFINITY), "receive"); /* the listener lives as long as this process */
}
