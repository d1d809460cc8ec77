/* SPDX-License-Identifier: Apache-2.0 */
/* Answers HTTP/1.1 by the request's body, or hello: http_server PORT (0: any that is free). Try: curl localhost:PORT */
#include <err.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORKERS = 64, LARGEST_BODY = 1000000, IDLE_MS = 10000, MOST_LEFT = 1000 };

/* What a line adds to a request. The status to be answered, once it is known; else 0. */
static int read_line(const gentcp_http *line, bool *head_only, bool *last, long *size) {
    const char *name = line->name.bytes, *value = line->value.bytes;
    if (line->kind == GENTCP_HTTP_REQUEST) {
        *head_only = strcmp(line->method.bytes, "HEAD") == 0;
        *last = line->major != 1 || line->minor == 0;
    } else if (line->kind != GENTCP_HTTP_HEADER) {
        return line->kind == GENTCP_HTTP_END ? 200 : 400;
    } else if (strcmp(name, "Content-Length") == 0) {
        bool good = *size < 0 && value[0] != 0 && value[strspn(value, "0123456789")] == 0;
        return !good ? 400 : (*size = strtol(value, NULL, 10)) > LARGEST_BODY ? 413 : 0;
    } else if (strcmp(name, "Transfer-Encoding") == 0)
        return 501;
    else if (strcmp(name, "Connection") == 0 && strncasecmp(value, "close", 5) == 0)
        *last = true;
    return 0;
}

static bool serve_request(gentcp_socket client) {
    bool head_only = false, last = false;
    char head[128];
    struct iovec parts[] = {{head, 0}, {"hello\n", 6}};
    gentcp_data line, body = {0};
    long size = -1, status = 0;
    for (; status == 0 && gentcp_recv(client, 0, IDLE_MS, &line) == 0; gentcp_data_release(&line))
        status = read_line(line.http, &head_only, &last, &size);
    if (status == 200 && size > 0) {
        gentcp_setopts(client, gentcp_options(GENTCP_PACKET(GENTCP_RAW)));
        if (gentcp_recv(client, (size_t)size, IDLE_MS, &body))
            return false;
        gentcp_setopts(client, gentcp_options(GENTCP_PACKET(GENTCP_HTTP)));
        parts[1] = (struct iovec){body.bytes, body.size};
    }
    last |= status != 200;
    parts[0].iov_len = (size_t)snprintf(head, sizeof head, "HTTP/1.1 %ld -\r\nContent-Length: %zu\r\n%s\r\n",
                                        status ? status : 408, parts[1].iov_len, last ? "Connection: close\r\n" : "");
    last |= gentcp_sendv(client, parts, head_only ? 1 : 2) != 0;
    gentcp_data_release(&body);
    return !last;
}

static void *work(void *listener) {
    gentcp_socket client;
    while (gentcp_accept(*(gentcp_socket *)listener, GENTCP_INFINITY, &client) == 0) {
        while (serve_request(client)) {
        }
        /* To close with something unread would take back what was sent: a refused body is read, too. */
        gentcp_shutdown(client, SHUT_WR);
        gentcp_setopts(client, gentcp_options(GENTCP_PACKET(GENTCP_RAW)));
        for (int i = 0; i < MOST_LEFT && gentcp_recv_into(client, (char[4096]){0}, 4096, IDLE_MS) > 0; i++) {
        }
        gentcp_close(client);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const gentcp_option *http = gentcp_options(GENTCP_PACKET(GENTCP_HTTP), GENTCP_PACKET_SIZE(8192),
                                               GENTCP_ACTIVE(false), GENTCP_REUSEADDR(true));
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 8080);
    gentcp_socket listener;
    pthread_t thread;
    if (gentcp_listen(port, http, &listener) || gentcp_port(listener, &port))
        errx(1, "can't listen on port %d", port);
    for (int i = 1; i < WORKERS; i++)
        pthread_create(&thread, NULL, work, &listener); /* with fewer it works too */
    dprintf(1, "listening on %d\n", port);
    work(&listener);
}
