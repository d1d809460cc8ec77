/* SPDX-License-Identifier: Apache-2.0 */
/* gentcp connect and gentcp listen: the standard input goes out, what comes in is shown; or echoed.
 *
 * Each direction has an end of its own (exit_on_close is false, unless the user says otherwise): what is still to be
 * sent when the peer has ended goes out.
 *
 * The connection belongs to the thread that receives. Another reads the standard input, and a third waits for SIGINT
 * and SIGTERM, upon which it closes the sockets, so that the others' calls end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/gentcp/tool.h"

enum { INPUT_SIZE = 64 * 1024, ACCEPT_AGAIN_MS = 100 };

static struct {
    socket_arguments socket;
    char *host; /* connect */
    uint16_t port;
    bool echo, quiet;
    enum display display;
    long timeout;
} settings = {.timeout = GENTCP_INFINITY};

static struct {
    atomic_bool interrupted;
    _Atomic uint64_t socket, listener; /* ids; what an interruption closes */
    _Atomic uint64_t owner; /* id of the process that talks: told of an interruption, and of the input's end */
    atomic_ullong received, received_bytes, sent, sent_bytes, connections;
    atomic_int failure; /* the first error */
} state;

/* ---- arguments ---- */

enum { KEY_ECHO = 0x100, KEY_TIMEOUT };

static enum display read_display(const struct argp_state *parser, const char *text) {
    static const char *const names[] = {[DISPLAY_RAW] = "raw", [DISPLAY_TEXT] = "text", [DISPLAY_HEX] = "hex"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0)
            return (enum display)i;
    }
    argp_error(parser, "--show is raw, text or hex, not %s", text);
    return DISPLAY_RAW;
}

static error_t parse(int key, char *argument, struct argp_state *parser) {
    bool listens = parser->input == NULL;

    switch (key) {
    case ARGP_KEY_INIT:
        socket_arguments_init(&settings.socket);
        socket_arguments_add(&settings.socket, GENTCP_EXIT_ON_CLOSE(false));
        if (listens)
            socket_arguments_add(&settings.socket, GENTCP_REUSEADDR(true));
        parser->child_inputs[0] = &settings.socket;
        break;
    case KEY_ECHO:
        settings.echo = true;
        break;
    case 's':
        settings.display = read_display(parser, argument);
        break;
    case 'q':
        settings.quiet = true;
        break;
    case KEY_TIMEOUT:
        settings.timeout = number_argument(parser, "--timeout", argument, 0, INT32_MAX);
        break;
    case ARGP_KEY_ARG:
        if (!listens && parser->arg_num == 0)
            settings.host = argument;
        else if (parser->arg_num == (listens ? 0 : 1))
            settings.port = (uint16_t)number_argument(parser, "port", argument, 0, UINT16_MAX);
        else
            argp_usage(parser);
        break;
    case ARGP_KEY_END:
        if (parser->arg_num != (listens ? 1 : 2))
            argp_usage(parser);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

#define SHARED_OPTIONS                                                                                                 \
    {"echo", KEY_ECHO, NULL, 0, "Send back what comes, and leave the standard input alone", 0},                        \
        {"show",                                                                                                       \
         's',                                                                                                          \
         "HOW",                                                                                                        \
         0,                                                                                                            \
         "raw: bytes as they come; text: each packet on a line, as a hex dump if it isn't text; hex. "                 \
         "Default: text on a terminal, else raw",                                                                      \
         0},                                                                                                           \
    {                                                                                                                  \
        "quiet", 'q', NULL, 0, "Don't tell totals at the end", 0                                                       \
    }

static const struct argp_child children[] = {{&socket_argp, 0, NULL, 0}, {0}};
static const struct argp_option connect_options[] = {
    SHARED_OPTIONS, {"timeout", KEY_TIMEOUT, "MS", 0, "Give up connecting after so many milliseconds", 0}, {0}};
static const struct argp_option listen_options[] = {SHARED_OPTIONS, {0}};

#define WHAT_IS_SENT                                                                                                   \
    "\vThe standard input is sent as it comes; with packet types 1, 2 and 4 each of its lines is a packet, without "   \
    "the line's end. Its end ends the sending half of the connection. Exit status: 0; 1: an error; 2: bad "            \
    "arguments; 130: interrupted."

static const struct argp connect_argp = {
    connect_options, parse, "HOST PORT", "Connects, sends the standard input, and shows what comes." WHAT_IS_SENT,
    children,        NULL,  NULL};
static const struct argp listen_argp = {listen_options,
                                        parse,
                                        "PORT",
                                        "Waits for a connection (PORT 0: on any free port), sends it the standard "
                                        "input, and shows what comes. With --echo: "
                                        "serves any number of connections, until it is interrupted." WHAT_IS_SENT,
                                        children,
                                        NULL,
                                        NULL};

/* ---- a connection ---- */

static void failed(const char *what, int error) {
    int none = 0;

    if (atomic_load(&state.interrupted) || !atomic_compare_exchange_strong(&state.failure, &none, error))
        return;
    fprintf(stderr, "gentcp: %s: %s\n", what, gentcp_error_name(error));
}

static int send_counted(gentcp_socket socket, const void *bytes, size_t size) {
    int error = gentcp_send(socket, bytes, size);

    if (error == 0) {
        atomic_fetch_add(&state.sent, 1);
        atomic_fetch_add(&state.sent_bytes, size);
    }
    return error;
}

static void tell_owner(void) {
    (void)gentcp_post((gentcp_pid){atomic_load(&state.owner)}, NULL);
}

static bool counts_length(int packet) {
    return packet == GENTCP_PACKET_1 || packet == GENTCP_PACKET_2 || packet == GENTCP_PACKET_4;
}

static int send_lines(gentcp_socket socket) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int error = 0;

    while (error == 0 && (length = getline(&line, &room, stdin)) >= 0)
        error = send_counted(socket, line, (size_t)(length > 0 && line[length - 1] == '\n' ? length - 1 : length));
    free(line);
    return error;
}

static int send_bytes(gentcp_socket socket) {
    static char bytes[INPUT_SIZE];
    ssize_t length;
    int error = 0;

    while (error == 0 && (length = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        error = send_counted(socket, bytes, (size_t)length);
    return error;
}

static void *send_input(void *unused) {
    gentcp_socket socket = {atomic_load(&state.socket)};
    int error = counts_length(settings.socket.packet) ? send_lines(socket) : send_bytes(socket);

    if (error != 0) /* not all of it went out */
        failed("send", error);
    else
        (void)gentcp_shutdown(socket, SHUT_WR); /* unless the connection has ended */
    tell_owner();
    return unused;
}

/* The peer has ended. Nobody waits for a terminal's end. */
static void await_input_end(void) {
    gentcp_message message;

    while (!isatty(STDIN_FILENO) && gentcp_receive(&message, GENTCP_INFINITY) == 0 && message.kind != GENTCP_USER)
        gentcp_data_release(&message.data);
}

/* The next data, whatever the active mode. */
static int receive_data(gentcp_socket socket, gentcp_data *out) {
    const gentcp_option again[] = {settings.socket.active, GENTCP_END};
    gentcp_message message;

    if (settings.socket.active.number == GENTCP_PASSIVE)
        return gentcp_recv(socket, 0, GENTCP_INFINITY, out);
    for (;;) {
        int error = gentcp_receive_from(socket, &message, GENTCP_INFINITY);
        if (error != 0)
            return error;
        switch (message.kind) {
        case GENTCP_TCP_PASSIVE:
            error = gentcp_setopts(socket, again);
            if (error != 0)
                return error;
            break;
        case GENTCP_TCP_ERROR:
            return message.reason;
        case GENTCP_TCP_CLOSED:
            return GENTCP_CLOSED;
        default:
            *out = message.data;
            /* Closed meanwhile: the next call says so. */
            if (settings.socket.active.number == GENTCP_ONCE)
                (void)gentcp_setopts(socket, again);
            return 0;
        }
    }
}

static void talk(gentcp_socket socket) {
    const gentcp_option active[] = {settings.socket.active, GENTCP_END};
    gentcp_data data;
    int error = gentcp_setopts(socket, active);

    while (error == 0 && (error = receive_data(socket, &data)) == 0) {
        atomic_fetch_add(&state.received, 1);
        atomic_fetch_add(&state.received_bytes, data.size);
        if (!(settings.echo && settings.display == DISPLAY_RAW))
            display_data(settings.display, &data);
        if (settings.echo)
            error = send_counted(socket, data.bytes, data.size);
        gentcp_data_release(&data);
    }
    if (error != GENTCP_CLOSED && error != -ENOTCONN)
        failed("receive", error);
    else if (!settings.echo)
        await_input_end();
    (void)gentcp_close(socket);
}

/* ---- the threads ---- */

static bool start(void *(*run)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, argument);

    if (error != 0) {
        failed("thread", -error);
        return false;
    }
    pthread_detach(thread);
    return true;
}

static void *await_signal(void *signals) {
    int signal;

    sigwait(signals, &signal);
    atomic_store(&state.interrupted, true);
    /* A second signal, while sockets are flushed, ends the program. */
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    (void)gentcp_close((gentcp_socket){atomic_load(&state.listener)});
    (void)gentcp_close((gentcp_socket){atomic_load(&state.socket)});
    tell_owner();
    return NULL;
}

static void one_connection(gentcp_socket socket) {
    gentcp_pid self;

    if (gentcp_self(&self) == 0) /* as it has a socket, it is there */
        atomic_store(&state.owner, self.id);
    atomic_store(&state.socket, socket.id);
    atomic_fetch_add(&state.connections, 1);
    if (atomic_load(&state.interrupted)) /* before it could be closed */
        (void)gentcp_close(socket);
    if (settings.echo || start(send_input, NULL))
        talk(socket);
}

/* Takes a connection and serves it, while the next such thread waits for another one. */
static void *serve_echo(void *unused) {
    gentcp_socket socket, listener = {atomic_load(&state.listener)};
    gentcp_message none;
    int error;

    while ((error = gentcp_accept(listener, GENTCP_INFINITY, &socket)) != 0) {
        if (error == GENTCP_CLOSED)
            return unused;
        fprintf(stderr, "gentcp: accept: %s\n", gentcp_error_name(error));
        (void)gentcp_receive(&none, ACCEPT_AGAIN_MS); /* emfile passes when connections end */
    }
    atomic_fetch_add(&state.connections, 1);
    if (start(serve_echo, NULL))
        talk(socket);
    else
        (void)gentcp_close(listener);
    return unused;
}

static void tell_totals(const struct timespec *begin) {
    struct timespec end;

    if (settings.quiet)
        return;
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(stderr, "gentcp: %llu connection(s); received %llu packet(s), %llu bytes; sent %llu, %llu bytes; %.3f s\n",
            atomic_load(&state.connections), atomic_load(&state.received), atomic_load(&state.received_bytes),
            atomic_load(&state.sent), atomic_load(&state.sent_bytes),
            (double)(end.tv_sec - begin->tv_sec) + (double)(end.tv_nsec - begin->tv_nsec) / 1e9);
}

/* Runs a command between its beginnings and its end. */
static int run(void (*command)(void)) {
    static sigset_t signals;
    struct timespec begin;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    take_signals(&signals);
    /* Nothing is delivered before talk has begun. */
    socket_arguments_add(&settings.socket, GENTCP_ACTIVE(false));
    if (start(await_signal, &signals))
        command();
    gentcp_exit();
    tell_totals(&begin);
    if (atomic_load(&state.interrupted))
        return EXIT_INTERRUPTED;
    return atomic_load(&state.failure) != 0 ? EXIT_FAILED : 0;
}

/* ---- the commands ---- */

static void connect_and_talk(void) {
    gentcp_socket socket;
    int error = gentcp_connect(settings.host, settings.port, settings.socket.options, settings.timeout, &socket);

    if (error != 0)
        failed(settings.host, error);
    else
        one_connection(socket);
}

static void tell_address(gentcp_socket listener) {
    gentcp_address address;
    char text[GENTCP_ADDRESS_TEXT];

    if (gentcp_sockname(listener, &address) == 0 && gentcp_address_format(&address, text, sizeof text) == 0)
        fprintf(stderr, "gentcp: listening on %s port %u\n", text, gentcp_address_port(&address));
}

static void listen_and_talk(void) {
    gentcp_socket listener, socket;
    int error = gentcp_listen(settings.port, settings.socket.options, &listener);

    if (error != 0) {
        failed("listen", error);
        return;
    }
    atomic_store(&state.listener, listener.id);
    tell_address(listener);
    error = gentcp_accept(listener, GENTCP_INFINITY, &socket);
    if (error != 0) {
        failed("accept", error);
        return;
    }
    (void)gentcp_close(listener);
    one_connection(socket);
}

static void listen_and_echo(void) {
    gentcp_message none;
    gentcp_socket listener;
    int error = gentcp_listen(settings.port, settings.socket.options, &listener);

    if (error != 0) {
        failed("listen", error);
        return;
    }
    atomic_store(&state.listener, listener.id);
    tell_address(listener);
    if (start(serve_echo, NULL))
        (void)gentcp_receive_from(listener, &none, GENTCP_INFINITY); /* a listener tells nothing: until it is closed */
}

int command_connect(int argc, char **argv) {
    settings.display = isatty(STDOUT_FILENO) ? DISPLAY_TEXT : DISPLAY_RAW;
    argp_parse(&connect_argp, argc, argv, 0, NULL, &settings);
    return run(connect_and_talk);
}

int command_listen(int argc, char **argv) {
    settings.display = isatty(STDOUT_FILENO) ? DISPLAY_TEXT : DISPLAY_RAW;
    argp_parse(&listen_argp, argc, argv, 0, NULL, NULL);
    return run(settings.echo ? listen_and_echo : listen_and_talk);
}
