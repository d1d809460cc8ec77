/* SPDX-License-Identifier: Apache-2.0 */
/* Echoes with the system calls that are needed, and no more: what gentcp is measured by. epoll_server CONNECTIONS
 *
 * Prints its port, accepts so many connections, and ends with the last of them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128 };

static int check(int status, const char *what) {
    if (status < 0) {
        perror(what);
        exit(1);
    }
    return status;
}

static int open_listener(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

    check(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
    check(listen(fd, 1000), "listen");
    check(getsockname(fd, (struct sockaddr *)&at, &size), "getsockname");
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

/* False: the connection has ended. */
static int echo(int fd) {
    char bytes[4096];
    ssize_t came = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (came > 0)
        return send(fd, bytes, (size_t)came, MSG_NOSIGNAL | MSG_DONTWAIT) == came;
    return 0;
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    int left = argc > 1 ? atoi(argv[1]) : 1;
    int poller = check(epoll_create1(0), "epoll_create1");
    int listener = open_listener();

    for (int i = 0; i < left; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = check(accept(listener, NULL, NULL), "accept")};
        check(epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
    }
    while (left > 0) {
        int found = check(epoll_wait(poller, events, EVENTS, -1), "epoll_wait");
        for (int i = 0; i < found; i++) {
            if (!echo(events[i].data.fd)) {
                close(events[i].data.fd);
                left--;
            }
        }
    }
    return 0;
}
