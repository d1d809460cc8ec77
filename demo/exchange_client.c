/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a file to exchange_server, and writes what comes back to another: exchange_client HOST PORT MODE FILE COPY
 * Prints how many bytes came back, and how many millions of them a second. */
#include <err.h>
#include <fcntl.h>
#include <gentcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, PACKET = 60 * 1024, HEADER = 8 };

static gentcp_socket server;
static const uint8_t *file;
static size_t file_size;
static uint8_t *copy; /* what has come back */
static size_t copy_size;

static void must(int error, const char *what) {
    if (error)
        errx(1, "%s: %s", what, gentcp_error_name(error));
}

/* Raw data begins with its length: 8 bytes, big-endian. */
static void put_length(uint8_t header[HEADER]) {
    for (int i = 0; i < HEADER; i++)
        header[i] = (uint8_t)((uint64_t)file_size >> (8 * (HEADER - 1 - i)));
}

static void *send_raw(void *unused) {
    uint8_t header[HEADER];
    put_length(header);
    struct iovec parts[] = {{header, HEADER}, {(void *)file, file_size}};
    must(gentcp_sendv(server, parts, 2), "send");
    return unused;
}

static void *send_packets(void *unused) {
    for (size_t at = 0; at < file_size; at += PACKET)
        must(gentcp_send(server, file + at, file_size - at < PACKET ? file_size - at : PACKET), "send");
    must(gentcp_send(server, NULL, 0), "send"); /* the end */
    return unused;
}

/* More than was sent must not overflow the copy; what is wrong with the bytes shows when they are compared. */
static void keep(gentcp_data *data) {
    if (data->size > file_size + HEADER - copy_size)
        errx(1, "more came back than was sent");
    memcpy(copy + copy_size, data->bytes, data->size);
    copy_size += data->size;
    gentcp_data_release(data);
}

static void receive_passive(void) {
    gentcp_data data;
    while (copy_size < file_size + HEADER) {
        must(gentcp_recv(server, 0, PATIENCE_MS, &data), "recv");
        keep(&data);
    }
}

static void receive_active(enum gentcp_active active) {
    gentcp_message message;
    must(gentcp_setopts(server, gentcp_options(GENTCP_ACTIVE(active))), "setopts");
    while (copy_size < file_size + HEADER) {
        must(gentcp_receive(&message, PATIENCE_MS), "receive");
        if (message.kind != GENTCP_TCP)
            errx(1, "the server has closed the connection");
        keep(&message.data);
        if (active == GENTCP_ONCE)
            must(gentcp_setopts(server, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))), "setopts");
    }
}

static void receive_packets(void) {
    gentcp_data data;
    bool last;
    do {
        must(gentcp_recv(server, 0, PATIENCE_MS, &data), "recv");
        last = data.size == 0;
        keep(&data);
    } while (!last);
}

static void map_file(const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        err(1, "%s", path);
    file_size = (size_t)status.st_size;
    file = file_size ? mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    copy = malloc(file_size + HEADER);
    if (file == MAP_FAILED || !copy)
        err(1, "%s", path);
    close(fd);
}

static void write_copy(const char *path, size_t from) {
    FILE *out = fopen(path, "w");
    if (!out || fwrite(copy + from, 1, copy_size - from, out) != copy_size - from || fclose(out) != 0)
        err(1, "%s", path);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 6)
        errx(2, "usage: exchange_client HOST PORT passive|active|once|packet4 FILE COPY");
    const char *mode = argv[3];
    bool packets = strcmp(mode, "packet4") == 0;
    pthread_t sender;

    map_file(argv[4]);
    must(gentcp_connect(argv[1], (uint16_t)strtol(argv[2], NULL, 10),
                        gentcp_options(GENTCP_PACKET(4), GENTCP_ACTIVE(false)), PATIENCE_MS, &server),
         "connect");
    must(gentcp_send(server, mode, strlen(mode)), "send");
    if (!packets)
        must(gentcp_setopts(server, gentcp_options(GENTCP_PACKET(GENTCP_RAW))), "setopts");

    /* The file is larger than what the kernel buffers, and the server only goes on when it gets rid of what it echoes:
     * so one thread sends while the other receives. */
    double begin = now();
    must(-pthread_create(&sender, NULL, packets ? send_packets : send_raw, NULL), "pthread_create");
    if (packets)
        receive_packets();
    else if (strcmp(mode, "passive") == 0)
        receive_passive();
    else
        receive_active(strcmp(mode, "once") == 0 ? GENTCP_ONCE : GENTCP_TRUE);
    double seconds = now() - begin;
    pthread_join(sender, NULL);

    uint8_t header[HEADER];
    put_length(header);
    if (!packets && memcmp(copy, header, HEADER) != 0)
        errx(1, "the length that came back is not the one that was sent");
    write_copy(argv[5], packets ? 0 : HEADER);
    printf("%zu %.0f\n", copy_size - (packets ? 0 : HEADER), (double)file_size / seconds / 1e6);
    gentcp_exit();
    return 0;
}
