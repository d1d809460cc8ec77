/* SPDX-License-Identifier: Apache-2.0 */
/* Echoes with gentcp: gentcp_server active CONNECTIONS, or gentcp_server passive 1
 *
 * Prints its port, accepts so many connections, and ends with the last of them. */
#include <gentcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int error, const char *what) {
    if (error == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, gentcp_error_name(error));
    exit(1);
}

static void echo_active(int left) {
    gentcp_message message;

    while (left > 0) {
        check(gentcp_receive(&message, GENTCP_INFINITY), "receive");
        if (message.kind == GENTCP_TCP)
            check(gentcp_send(message.socket, message.data.bytes, message.data.size), "send");
        else
            left--;
        gentcp_data_release(&message.data);
    }
}

static void echo_passive(gentcp_socket socket) {
    gentcp_data data;

    while (gentcp_recv(socket, 0, GENTCP_INFINITY, &data) == 0) {
        check(gentcp_send(socket, data.bytes, data.size), "send");
        gentcp_data_release(&data);
    }
}

int main(int argc, char **argv) {
    bool active = argc > 1 && strcmp(argv[1], "active") == 0;
    int connections = argc > 2 ? atoi(argv[2]) : 1;
    gentcp_socket listener, socket = {0};
    uint16_t port;

    check(gentcp_listen(0, gentcp_options(GENTCP_ACTIVE(active), GENTCP_BACKLOG(1000)), &listener), "listen");
    check(gentcp_port(listener, &port), "port");
    printf("%d\n", port);
    fflush(stdout);
    for (int i = 0; i < connections; i++)
        check(gentcp_accept(listener, GENTCP_INFINITY, &socket), "accept");
    if (active)
        echo_active(connections);
    else
        echo_passive(socket);
    gentcp_exit();
    return 0;
}
