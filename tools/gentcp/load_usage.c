/* SPDX-License-Identifier: Apache-2.0 */
/* What a process uses, by proc(5). schedstat counts nanoseconds, where stat counts hundredths of a second. A thread
 * that ends between two looks takes its part with it: the servers measured keep theirs. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tools/gentcp/load.h"

enum { PATH_SIZE = 64 };

static bool add_cpu(long pid, long thread, load_usage *to) {
    unsigned long long nanoseconds;
    char path[PATH_SIZE];
    FILE *file;
    bool good;

    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/schedstat", pid, thread);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    good = fscanf(file, "%llu", &nanoseconds) == 1; // NOLINT(cert-err34-c): the kernel's own number
    (void)fclose(file);
    if (good)
        to->cpu += (double)nanoseconds / 1e9;
    return good;
}

static void add_switches(long pid, long thread, load_usage *to) {
    char path[PATH_SIZE], line[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/status", pid, thread);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *number = strstr(line, "ctxt_switches:"); /* voluntary_ and nonvoluntary_ */
        if (number != NULL)
            to->switches += strtoull(number + strlen("ctxt_switches:"), NULL, 10);
    }
    (void)fclose(file);
}

bool load_usage_of(long pid, load_usage *out) {
    char path[PATH_SIZE];
    const struct dirent *entry;
    bool known = false;
    DIR *threads;

    *out = (load_usage){0};
    (void)snprintf(path, sizeof path, "/proc/%ld/task", pid);
    threads = opendir(path);
    if (threads == NULL)
        return false;
    while ((entry = readdir(threads)) != NULL) {
        long thread = strtol(entry->d_name, NULL, 10);
        if (thread > 0 && add_cpu(pid, thread, out)) {
            add_switches(pid, thread, out);
            known = true;
        }
    }
    (void)closedir(threads);
    return known;
}
