/* SPDX-License-Identifier: Apache-2.0 */
/* Gives each file of the folders named to a fuzz target, without a fuzzer: a corpus as a test. */
#include <dirent.h>

#include "fuzz/input.h"

enum { FILE_MAX = 1 << 20 };

static int replay_file(const char *path) {
    static uint8_t bytes[FILE_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;
    uint8_t *copy;

    if (file == NULL) {
        perror(path);
        return 0;
    }
    size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    copy = exact_copy(bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 1;
}

static int replay_folder(const char *path) {
    DIR *folder = opendir(path);
    int count = 0;

    if (folder == NULL)
        return replay_file(path);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4096];
        int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof name)
            count += replay_file(name);
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;

    (void)LLVMFuzzerTestOneInput(NULL, 0);
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    if (count == 0) {
        (void)fprintf(stderr, "nothing to replay\n");
        return 1;
    }
    /* As cmocka has it, for test/run to count. */
    printf("[       OK ] %d inputs of the corpus\n", count);
    return 0;
}
