/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "tools/gentcp/tool.h"

static const struct {
    const char *name;
    char *full_name; /* for argp's messages */
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *description;
} commands[] = {
    {"listen", "gentcp listen", command_listen, "PORT",
     "wait for a connection and talk to it, or echo what connections send"},
    {"connect", "gentcp connect", command_connect, "HOST PORT", "connect and talk"},
    {"load", "gentcp load", command_load, "HOST PORT", "measure an echo server: throughput and latency"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *to) {
    fprintf(to, "Usage: gentcp COMMAND [OPTION...] ARGUMENT...\n"
                "TCP by hand, with the packet types, active modes and options of Erlang's gen_tcp.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  gentcp %-8s %-10s %s\n", commands[i].name, commands[i].arguments, commands[i].description);
    fprintf(to, "\ngentcp COMMAND --help tells more; so does gentcp(1).\n");
}

void take_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

int main(int argc, char **argv) {
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version = "gentcp " GENTCP_VERSION;
    for (size_t i = 0; i < COMMANDS && argc > 1; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            argv[1] = commands[i].full_name;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts(argp_program_version);
        return 0;
    }
    usage(stderr);
    return EXIT_USAGE;
}
