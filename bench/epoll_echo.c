/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: an echo server with epoll and nothing else. Prints its port, ends with its standard input. "busy" as its
 * argument: never sleeps. */
#define _GNU_SOURCE // NOLINT(bugprone-reserved-identifier): accept4
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, BACKLOG = 4096, SIZE = 64 * 1024 };

static int check(int status, const char *what) {
    if (status < 0) {
        perror(what);
        exit(1);
    }
    return status;
}

static int open_listener(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t size = sizeof at;
    int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");

    check(bind(fd, (struct sockaddr *)&at, sizeof at), "bind");
    check(listen(fd, BACKLOG), "listen");
    check(getsockname(fd, (struct sockaddr *)&at, &size), "getsockname");
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static int send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            (void)poll(&room, 1, -1);
        } else {
            return 0;
        }
    }
    return 1;
}

/* False: the connection has ended. */
static int echo(int fd) {
    static char bytes[SIZE];
    ssize_t came = recv(fd, bytes, sizeof bytes, 0);

    if (came > 0)
        return send_all(fd, bytes, (size_t)came);
    return came < 0 && errno == EAGAIN;
}

static void watch(int poller, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

int main(int argc, char **argv) {
    int timeout = argc > 1 && strcmp(argv[1], "busy") == 0 ? 0 : -1;
    struct epoll_event events[EVENTS];
    int poller = check(epoll_create1(0), "epoll_create1");
    int listener = open_listener();

    watch(poller, listener);
    watch(poller, STDIN_FILENO);
    for (;;) {
        int found = epoll_wait(poller, events, EVENTS, timeout);
        if (found < 0 && errno != EINTR) /* which strace(1) makes when it comes */
            check(found, "epoll_wait");
        for (int i = 0; i < found; i++) {
            int fd = events[i].data.fd, one = 1;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener) {
                int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (accepted >= 0) {
                    (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(poller, accepted);
                }
            } else if (!echo(fd)) {
                close(fd);
            }
        }
    }
}
