/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions for threads other than the test's own, where cmocka's end the program without a word. */
#ifndef TEST_THREAD_ASSERT_H
#define TEST_THREAD_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define thread_assert(it) ((it) ? (void)0 : thread_assert_failed(#it, __FILE__, __LINE__))

/* Something has happened that must not. */
#define thread_fail(what) thread_assert_failed((what), __FILE__, __LINE__)

static inline _Noreturn void thread_assert_failed(const char *what, const char *file, int line) {
    (void)fprintf(stderr, "%s:%d: in a thread: not so: %s\n", file, line, what);
    abort();
}

#endif
