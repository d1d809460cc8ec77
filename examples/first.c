/* SPDX-License-Identifier: Apache-2.0 */
#include <gentcp.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 4000);
    gentcp_socket listener, client = {0};
    gentcp_data line;
    int error = gentcp_listen(port, gentcp_options(GENTCP_PACKET(GENTCP_LINE), GENTCP_ACTIVE(false)), &listener);
    if (error == 0 && (error = gentcp_port(listener, &port)) == 0) {
        fprintf(stderr, "listening on %d\n", port);
        error = gentcp_accept(listener, GENTCP_INFINITY, &client);
    }
    while (error == 0 && (error = gentcp_recv(client, 0, GENTCP_INFINITY, &line)) == 0) {
        error = gentcp_send(client, line.bytes, line.size);
        gentcp_data_release(&line);
    }
    gentcp_exit();
    fprintf(stderr, "%s\n", gentcp_error_name(error));
    return error == GENTCP_CLOSED ? 0 : 1;
}
