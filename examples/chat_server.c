/* SPDX-License-Identifier: Apache-2.0 */
/* A chat room: chat_server PORT (0: any that is free). Try, twice or more: nc localhost PORT
 * The door accepts guests and hands them over; the room takes what they say, their leaving, and new guests out of one
 * mailbox. Who is too slow to read holds up nobody: at 64 KiB of queue the connection is closed. */
#include <err.h>
#include <errno.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct guest {
    gentcp_socket socket;
    int number;
    struct guest *next;
} guest;

static gentcp_pid room;
static void must(int error, const char *what) {
    if (error)
        errx(1, "%s: %s", what, gentcp_error_name(error));
}

static void *door(void *argument) {
    gentcp_socket *listener = argument;
    for (int number = 1;; number++) {
        guest *it = malloc(sizeof *it);
        must(it ? 0 : -ENOMEM, "malloc");
        it->number = number;
        must(gentcp_accept(*listener, GENTCP_INFINITY, &it->socket), "accept");
        must(gentcp_controlling_process(it->socket, room), "controlling_process");
        must(gentcp_post(room, it), "post");
    }
    return NULL;
}

static void tell(guest *to, const guest *from, const char *verb, void *text, size_t size) {
    char who[32];
    struct iovec parts[] = {{who, (size_t)snprintf(who, sizeof who, "guest %d%s", from->number, verb)}, {text, size}};
    for (; to; to = to->next)
        if (to != from)
            gentcp_sendv(to->socket, parts, 2); /* if that fails, the guest is about to leave */
}

int main(int argc, char **argv) {
    const gentcp_option *once = gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE));
    const gentcp_option *options =
        gentcp_options(GENTCP_PACKET(GENTCP_LINE), GENTCP_ACTIVE(false), GENTCP_REUSEADDR(true),
                       GENTCP_HIGH_WATERMARK(65536), GENTCP_SEND_TIMEOUT(0), GENTCP_SEND_TIMEOUT_CLOSE(true));
    uint16_t port = (uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 4000);
    gentcp_socket listener;
    gentcp_message message;
    pthread_t thread;
    guest *guests = NULL;
    must(gentcp_self(&room), "self");
    must(gentcp_listen(port, options, &listener), "listen");
    must(gentcp_port(listener, &port), "port");
    must(-pthread_create(&thread, NULL, door, &listener), "pthread_create");
    dprintf(1, "listening on %d\n", port);
    while (gentcp_receive(&message, GENTCP_INFINITY) == 0) {
        guest **at = &guests, *it = message.user;
        if (message.kind == GENTCP_USER) {
            it->next = guests;
            guests = it;
            tell(guests, it, " has come", "\n", 1);
        } else {
            while ((it = *at) != NULL && it->socket.id != message.socket.id)
                at = &it->next;
            if (it && message.kind == GENTCP_TCP)
                tell(guests, it, ": ", message.data.bytes, message.data.size);
        }
        if (it && (message.kind == GENTCP_TCP_CLOSED || gentcp_setopts(it->socket, once))) {
            *at = it->next;
            tell(guests, it, " has left", "\n", 1);
            free(it);
        }
        gentcp_data_release(&message.data);
    }
}
