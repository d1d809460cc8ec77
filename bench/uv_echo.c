/* SPDX-License-Identifier: Apache-2.0 */
/* An echo server with libuv: a try at once, as gentcp does, then a write request for the rest. Prints its port, ends
 * with its standard input. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BACKLOG = 4096, SIZE = 64 * 1024 };

typedef struct rest {
    uv_write_t request;
    uv_buf_t bytes;
} rest;

static char buffer[SIZE]; /* one for all: what is read is written or copied before the next read */

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void released(uv_handle_t *handle) {
    free(handle);
}

static void written(uv_write_t *request, int status) {
    rest *it = (rest *)request;

    (void)status;
    free(it->bytes.base);
    free(it);
}

static void write_rest(uv_stream_t *stream, const char *bytes, size_t size) {
    rest *it = malloc(sizeof *it);

    if (it == NULL || (it->bytes.base = malloc(size)) == NULL)
        abort();
    it->bytes.len = size;
    memcpy(it->bytes.base, bytes, size);

    (void)uv_write(&it->request, stream, &it->bytes, 1, written);
}

static void came(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf) {
    uv_buf_t out;
    int sent;

    if (size < 0) {
        uv_close((uv_handle_t *)stream, released);
        return;
    }
    if (size == 0)
        return;
    out = uv_buf_init(buf->base, (unsigned)size);
    sent = uv_try_write(stream, &out, 1);
    if (sent < 0)
        sent = 0;
    if (sent < size)
        write_rest(stream, buf->base + sent, (size_t)(size - sent));
}

static void connected(uv_stream_t *listener, int status) {
    uv_tcp_t *client = status == 0 ? malloc(sizeof *client) : NULL;

    if (client == NULL)
        return;
    (void)uv_tcp_init(listener->loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) == 0) {
        (void)uv_tcp_nodelay(client, 1);
        (void)uv_read_start((uv_stream_t *)client, lend, came);
    } else {
        uv_close((uv_handle_t *)client, released);
    }
}

static void input_ended(uv_poll_t *handle, int status, int events) {
    (void)status;
    (void)events;
    uv_stop(handle->loop);
}

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in at;
    int size = sizeof at;
    uv_tcp_t listener;
    uv_poll_t input;

    (void)uv_ip4_addr("0.0.0.0", 0, &at);
    if (uv_tcp_init(loop, &listener) != 0 || uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, BACKLOG, connected) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &size) != 0 || uv_poll_init(loop, &input, 0) != 0 ||
        uv_poll_start(&input, UV_READABLE, input_ended) != 0) {
        fprintf(stderr, "uv_echo: can't listen\n");
        return 1;
    }
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT) < 0;
}
