/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a process keeps of what it has received. */
#include "hosts/c/block.h"
#include "hosts/c/memory.h"
#include "hosts/c/process.h"
#include "test/connection.h"

/* The caller's, whose memory is kept even if the address sanitizer is here. */
static gt_process *keeper(void) {
    gt_process *self = NULL;

    assert_ok(gt_process_self(&self));
    self->keeps_blocks = true;
    return self;
}

static void what_was_released_comes_again(void **state) {
    static const size_t sizes[] = {1, 100, 200, 1024, 2000, GT_READ_BYTES + GT_READ_BYTES / 64};

    (void)state;
    (void)keeper();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *memory = gt_block_new(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (2 * sizeof(void *)), 0);
        memset(memory, 'x', sizes[i]);
        gt_block_free(memory);
        assert_ptr_equal(gt_block_new(sizes[i]), memory);
        gt_block_free(memory);
    }
}

static void a_process_keeps_no_more_than_its_bound(void **state) {
    enum { COUNT = 400, SIZE = 1000 };
    gt_process *self = keeper();
    void *all[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        all[i] = gt_block_new(SIZE);
        assert_non_null(all[i]);
    }
    for (int i = 0; i < COUNT; i++)
        gt_block_free(all[i]);
    assert_true(self->blocks.size > GT_BLOCKS_SMALL / 2);
    assert_true(self->blocks.size <= GT_BLOCKS_SMALL);
}

static void a_process_keeps_nothing_after_its_end(void **state) {
    (void)state;
    (void)keeper();
    gt_block_free(gt_block_new(1000));
    assert_int_not_equal(keeper()->blocks.size, 0);
    gentcp_exit();
    assert_int_equal(keeper()->blocks.size, 0);
}

static void the_program_keeps_few_large_buffers(void **state) {
    enum { COUNT = 2 * GT_BLOCKS_LARGE, SIZE = GT_READ_BYTES };
    void *all[COUNT], *again[COUNT];
    int kept = 0;

    (void)state;
    (void)keeper();
    for (int i = 0; i < COUNT; i++) {
        all[i] = gt_block_new(SIZE);
        assert_non_null(all[i]);
    }
    for (int i = 0; i < COUNT; i++)
        gt_block_free(all[i]);
    for (int i = 0; i < GT_BLOCKS_LARGE; i++) {
        again[i] = gt_block_new(SIZE);
        for (int j = 0; j < GT_BLOCKS_LARGE; j++)
            kept += again[i] == all[j];
    }
    assert_int_equal(kept, GT_BLOCKS_LARGE);
    for (int i = 0; i < GT_BLOCKS_LARGE; i++)
        gt_block_free(again[i]);
}

static void resizing_keeps_the_bytes(void **state) {
    char *memory;

    (void)state;
    (void)keeper();
    memory = gt_block_new(10);
    assert_non_null(memory);
    strcpy(memory, "123456789");
    memory = gt_block_resize(memory, 100000);
    assert_non_null(memory);
    memory[99999] = 'x';
    assert_string_equal(memory, "123456789");
    assert_null(gt_block_resize(memory, SIZE_MAX - 1));
    gt_block_free(memory);
    assert_null(gt_block_new(SIZE_MAX - 1));
    gt_block_free(NULL);
}

static void *release(void *memory) {
    gt_block_free(memory);
    return NULL;
}

static void a_thread_that_is_no_process_keeps_nothing(void **state) {
    gt_process *self = keeper();
    pthread_t thread;
    void *memory = gt_block_new(100);

    (void)state;
    assert_ok(pthread_create(&thread, NULL, release, memory));
    pthread_join(thread, NULL);
    assert_int_equal(self->blocks.size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_released_comes_again),
        TEST(a_process_keeps_no_more_than_its_bound),
        TEST(a_process_keeps_nothing_after_its_end),
        TEST(the_program_keeps_few_large_buffers),
        TEST(resizing_keeps_the_bytes),
        TEST(a_thread_that_is_no_process_keeps_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
