/* SPDX-License-Identifier: Apache-2.0 */
/* Makes round trips of 64 bytes over several connections: client PORT CONNECTIONS ROUNDS
 *
 * In each round it sends on all of them, and then reads all the answers; one round goes before, uncounted. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 64, CONNECTIONS_MAX = 1000 };

static int connect_to(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        perror("client: connect");
        exit(1);
    }
    return fd;
}

static void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv) {
    int fds[CONNECTIONS_MAX], connections, rounds;
    char bytes[SIZE], answer[SIZE];

    if (argc != 4 || (connections = atoi(argv[2])) < 1 || connections > CONNECTIONS_MAX)
        return 2;
    rounds = atoi(argv[3]);
    for (int i = 0; i < connections; i++)
        fds[i] = connect_to((uint16_t)atoi(argv[1]));
    for (int round = 0; round <= rounds; round++) {
        memset(bytes, round, sizeof bytes);
        for (int i = 0; i < connections; i++)
            check(send(fds[i], bytes, SIZE, MSG_NOSIGNAL) == SIZE, "client: send");
        for (int i = 0; i < connections; i++) {
            check(recv(fds[i], answer, SIZE, MSG_WAITALL) == SIZE, "client: recv");
            check(memcmp(bytes, answer, SIZE) == 0, "client: another answer");
        }
    }
    return 0;
}
