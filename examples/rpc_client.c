/* SPDX-License-Identifier: Apache-2.0 */
/* Asks rpc_server, and prints its answers: rpc_client HOST PORT REQUEST...
 * Try: rpc_client localhost PORT 'reverse hello' 'sum 1 2 3' */
#include <gentcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 5000 };

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s HOST PORT REQUEST...\n", argv[0]);
        return 2;
    }
    const gentcp_option *options = gentcp_options(GENTCP_PACKET(4), GENTCP_ACTIVE(false), GENTCP_NODELAY(true));
    gentcp_socket server;
    gentcp_data reply;

    int error = gentcp_connect(argv[1], (uint16_t)strtol(argv[2], NULL, 10), options, PATIENCE_MS, &server);
    for (int i = 3; i < argc && error == 0; i++) {
        if ((error = gentcp_send(server, argv[i], strlen(argv[i]))) == 0 &&
            (error = gentcp_recv(server, 0, PATIENCE_MS, &reply)) == 0) {
            printf("%s\n", (char *)reply.bytes);
            gentcp_data_release(&reply);
        }
    }
    if (error)
        fprintf(stderr, "%s %s: %s\n", argv[1], argv[2], gentcp_error_name(error));
    gentcp_exit();
    return error ? 1 : 0;
}
