/* SPDX-License-Identifier: Apache-2.0 */
/* Answers requests, each in a packet with a length of 4 bytes: rpc_server PORT (0: any that is free). See rpc_client.
 *
 * A fixed number of processes wait at the same listener; each serves one client after the other. */
#include <err.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 8, LONGEST_REQUEST = 65536, IDLE_MS = 30000 };

static void must(int error, const char *what) {
    if (error)
        errx(1, "%s: %s", what, gentcp_error_name(error));
}

static void reverse(char *text, size_t size) {
    for (size_t i = 0; i < size / 2; i++) {
        char c = text[i];
        text[i] = text[size - 1 - i];
        text[size - 1 - i] = c;
    }
}

static double sum(const char *numbers) {
    double total = 0;
    for (char *end;; numbers = end) {
        double number = strtod(numbers, &end);
        if (end == numbers)
            return total;
        total += number;
    }
}

static int answer(gentcp_socket client, gentcp_data request) {
    char *text = (char *)request.bytes; /* a string: there is a 0 behind the last byte */
    char reply[64] = "error: reverse TEXT, or sum NUMBER...";
    if (strncmp(text, "reverse ", 8) == 0) {
        reverse(text + 8, request.size - 8);
        return gentcp_send(client, text + 8, request.size - 8);
    }
    if (strncmp(text, "sum ", 4) == 0)
        snprintf(reply, sizeof reply, "%.15g", sum(text + 4));
    return gentcp_send(client, reply, strlen(reply));
}

static void *work(void *argument) {
    gentcp_socket client;
    gentcp_data request;
    for (;;) {
        while (gentcp_accept(*(gentcp_socket *)argument, GENTCP_INFINITY, &client) != 0)
            sleep(1); /* after emfile, which passes */
        for (int error = 0; error == 0 && gentcp_recv(client, 0, IDLE_MS, &request) == 0;) {
            error = answer(client, request);
            gentcp_data_release(&request);
        }
        gentcp_close(client);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const gentcp_option *options = gentcp_options(GENTCP_PACKET(4), GENTCP_PACKET_SIZE(LONGEST_REQUEST),
                                                  GENTCP_ACTIVE(false), GENTCP_REUSEADDR(true));
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 4000);
    gentcp_socket listener;
    pthread_t thread;

    must(gentcp_listen(port, options, &listener), "listen");
    must(gentcp_port(listener, &port), "port");
    for (int i = 1; i < WORKERS; i++)
        must(-pthread_create(&thread, NULL, work, &listener), "pthread_create");
    printf("listening on %d\n", port);
    fflush(stdout);
    work(&listener);
}
