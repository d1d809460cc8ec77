/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls as the engine relies on them, and the names of errors. */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/error.h"
#include "sys/sys.h"

/* Errors that the system calls of the same names give, one by one, before they are made. */
static const int *injected;

static bool inject(void) {
    if (injected == NULL || *injected == 0)
        return false;
    errno = *injected++;
    return true;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The same for those that are made by their numbers. */
long __wrap_syscall(long number, ...) {
    long words[6];
    va_list list;

    if ((number == SYS_recvfrom || number == SYS_sendto) && inject())
        return -1;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags) {
    return inject() ? -1 : (int)__real_syscall(SYS_accept4, fd, addr, addr_len, flags);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len) {
    return inject() ? -1 : (int)__real_syscall(SYS_connect, fd, addr, len);
}

ssize_t recv(int fd, void *buf, size_t n, int flags) {
    return inject() ? -1 : __real_syscall(SYS_recvfrom, fd, buf, n, flags, (void *)NULL, (void *)NULL);
}

ssize_t send(int fd, const void *buf, size_t n, int flags) {
    return inject() ? -1 : __real_syscall(SYS_sendto, fd, buf, n, flags, (void *)NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return inject() ? -1 : __real_syscall(SYS_sendmsg, fd, message, flags);
}

/* The name that sendfile has with large offsets. */
ssize_t sendfile64(int fd, int file, int64_t *offset, size_t size);

ssize_t sendfile64(int fd, int file, int64_t *offset, size_t size) {
    return inject() ? -1 : __real_syscall(SYS_sendfile, fd, file, offset, size);
}

static gt_address loopback(uint16_t port) {
    gt_address address;
    memset(&address, 0, sizeof address);
    address.size = sizeof address.in;
    address.in.sin_family = AF_INET;
    address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.in.sin_port = htons(port);
    return address;
}

static int listener(gt_address *at) {
    int fd = gt_sys_socket(AF_INET, NULL);
    assert_true(fd >= 0);
    *at = loopback(0);
    assert_int_equal(gt_sys_bind(fd, at), 0);
    assert_int_equal(gt_sys_listen(fd, 5), 0);
    assert_int_equal(gt_sys_sockname(fd, at), 0);
    return fd;
}

static void await(int fd, short events) {
    struct pollfd ask = {.fd = fd, .events = events};
    assert_int_equal(poll(&ask, 1, 5000), 1);
}

static void connect_pair(int *client, int *server) {
    gt_address at;
    int listening = listener(&at);
    *client = gt_sys_socket(AF_INET, NULL);
    int status = gt_sys_connect(*client, &at);
    assert_true(status == 0 || status == -EINPROGRESS);
    await(listening, POLLIN);
    *server = gt_sys_accept(listening);
    assert_true(*server >= 0);
    await(*client, POLLOUT);
    assert_int_equal(gt_sys_pending_error(*client), 0);
    gt_sys_close(listening);
}

static void assert_flags(int fd) {
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void every_descriptor_is_nonblocking_and_close_on_exec(void **state) {
    (void)state;
    int client, server;
    connect_pair(&client, &server);
    assert_flags(client);
    assert_flags(server);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void nothing_to_do_is_eagain(void **state) {
    (void)state;
    gt_address at;
    int listening = listener(&at);
    assert_int_equal(gt_sys_accept(listening), -EAGAIN);
    gt_sys_close(listening);
    int client, server;
    char byte;
    connect_pair(&client, &server);
    assert_int_equal(gt_sys_recv(client, &byte, 1), -EAGAIN);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void a_full_kernel_takes_a_part_and_then_says_eagain(void **state) {
    (void)state;
    int client, server;
    connect_pair(&client, &server);
    static char bytes[1 << 20];
    struct iovec part = {bytes, sizeof bytes};
    ssize_t sent = 0;
    for (int i = 0; i < 1000 && sent >= 0; i++)
        sent = gt_sys_send(client, &part, 1);
    assert_int_equal(sent, -EAGAIN);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void a_connection_that_was_aborted_while_queued_is_passed_over(void **state) {
    (void)state;
    static const int errors[] = {ECONNABORTED, EINTR, EPROTO, 0};
    int client, server;
    gt_address at;
    int listening = listener(&at);
    client = gt_sys_socket(AF_INET, NULL);
    int status = gt_sys_connect(client, &at);
    assert_true(status == 0 || status == -EINPROGRESS);
    await(listening, POLLIN);
    injected = errors;
    server = gt_sys_accept(listening);
    assert_true(server >= 0);
    assert_ptr_equal(injected, errors + 3);
    gt_sys_close(listening);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void a_lasting_failure_of_accept_is_told(void **state) {
    (void)state;
    static const int errors[] = {EMFILE, 0};
    injected = errors;
    assert_int_equal(gt_sys_accept(-1), -EMFILE);
}

static void an_interrupted_transfer_is_made_again(void **state) {
    (void)state;
    static const int errors[] = {EINTR, EINTR, 0};
    int client, server;
    char byte = 'x';
    struct iovec part = {&byte, 1};
    connect_pair(&client, &server);
    injected = errors;
    assert_int_equal(gt_sys_send(client, &part, 1), 1);
    assert_ptr_equal(injected, errors + 2);
    await(server, POLLIN);
    injected = errors;
    assert_int_equal(gt_sys_recv(server, &byte, 1), 1);
    assert_ptr_equal(injected, errors + 2);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void an_interrupted_connect_goes_on_by_itself(void **state) {
    (void)state;
    static const int errors[] = {EINTR, 0};
    gt_address at = loopback(1);
    injected = errors;
    assert_int_equal(gt_sys_connect(-1, &at), -EINPROGRESS);
}

static void parts_are_sent_in_order_and_the_end_reads_as_0(void **state) {
    (void)state;
    int client, server;
    connect_pair(&client, &server);
    char hello[] = "hel", lo[] = "lo";
    struct iovec parts[] = {{hello, 3}, {lo, 2}};
    assert_int_equal(gt_sys_send(client, parts, 2), 5);
    assert_int_equal(gt_sys_shutdown(client, SHUT_WR), 0);
    char got[16];
    await(server, POLLIN);
    assert_int_equal(gt_sys_recv(server, got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
    await(server, POLLIN);
    assert_int_equal(gt_sys_recv(server, got, sizeof got), 0);
    gt_sys_close(client);
    gt_sys_close(server);
}

/* The default action of SIGPIPE would end this program. */
static void sending_to_a_broken_connection_is_epipe_and_no_signal(void **state) {
    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    int client, server;
    connect_pair(&client, &server);
    assert_int_equal(gt_sys_shutdown(client, SHUT_WR), 0);
    char byte = 'x';
    struct iovec part = {&byte, 1};
    assert_int_equal(gt_sys_send(client, &part, 1), -EPIPE);
    gt_sys_close(client);
    gt_sys_close(server);
}

static int file_saying(const char *text) {
    char path[] = "/tmp/gentcp_sys_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void parts_of_a_file_are_sent_until_its_end(void **state) {
    (void)state;
    static const int interrupted[] = {EINTR, EINTR, 0};
    char got[16] = "";
    int client, server;
    int file = file_saying("0123456789");
    connect_pair(&client, &server);
    assert_int_equal(gt_sys_sendfile(client, file, 2, 3), 3);
    injected = interrupted;
    assert_int_equal(gt_sys_sendfile(client, file, 8, SIZE_MAX), 2);
    injected = NULL;
    assert_int_equal(gt_sys_sendfile(client, file, 10, 5), 0);
    assert_int_equal(gt_sys_sendfile(client, file, 0, 0), 0);
    await(server, POLLIN);
    assert_int_equal(gt_sys_recv(server, got, sizeof got), 5);
    assert_string_equal(got, "23489");
    gt_sys_close(file);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void a_full_kernel_takes_no_file(void **state) {
    (void)state;
    int client, server;
    int file = file_saying("0123456789");
    ssize_t sent;
    connect_pair(&client, &server);
    assert_int_equal(ftruncate(file, 64L << 20), 0);
    do
        sent = gt_sys_sendfile(client, file, 0, 64L << 20);
    while (sent > 0);
    assert_int_equal(sent, -EAGAIN);
    gt_sys_close(file);
    gt_sys_close(client);
    gt_sys_close(server);
}

static bool pipe_signal_is_pending(void) {
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    return sigismember(&pending, SIGPIPE) == 1;
}

/* Nor is one that the program has blocked changed by it. */
static void a_file_to_a_broken_connection_is_epipe_and_no_signal(void **state) {
    (void)state;
    int client, server;
    int file = file_saying("0123456789");
    sigset_t broken_pipe;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    connect_pair(&client, &server);
    assert_int_equal(gt_sys_shutdown(client, SHUT_WR), 0);
    assert_int_equal(gt_sys_sendfile(client, file, 0, 10), -EPIPE);

    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    assert_int_equal(sigprocmask(SIG_BLOCK, &broken_pipe, NULL), 0);
    assert_int_equal(gt_sys_sendfile(client, file, 0, 10), -EPIPE);
    assert_false(pipe_signal_is_pending());
    assert_int_equal(raise(SIGPIPE), 0);
    assert_int_equal(gt_sys_sendfile(client, file, 0, 10), -EPIPE);
    assert_true(pipe_signal_is_pending());
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &broken_pipe, NULL), 0);
    gt_sys_close(file);
    gt_sys_close(client);
    gt_sys_close(server);
}

static void a_refused_connect_is_told_at_once_or_as_the_pending_error_once(void **state) {
    (void)state;
    gt_address at;
    gt_sys_close(listener(&at));
    int fd = gt_sys_socket(AF_INET, NULL);
    int status = gt_sys_connect(fd, &at);
    if (status == -EINPROGRESS) {
        await(fd, POLLOUT);
        status = gt_sys_pending_error(fd);
    }
    assert_int_equal(status, -ECONNREFUSED);
    assert_int_equal(gt_sys_pending_error(fd), 0);
    gt_sys_close(fd);
}

static void errors_are_negative_errno_values(void **state) {
    (void)state;
    gt_address at = loopback(0), taken;
    char byte = 0;
    struct iovec part = {&byte, 1};
    int value = 1;
    socklen_t size = sizeof value;
    assert_int_equal(gt_sys_socket(-1, NULL), -EAFNOSUPPORT);
    assert_int_equal(gt_sys_connect(-1, &at), -EBADF);
    assert_int_equal(gt_sys_bind(-1, &at), -EBADF);
    assert_int_equal(gt_sys_listen(-1, 1), -EBADF);
    assert_int_equal(gt_sys_accept(-1), -EBADF);
    assert_int_equal(gt_sys_recv(-1, &byte, 1), -EBADF);
    assert_int_equal(gt_sys_send(-1, &part, 1), -EBADF);
    assert_int_equal(gt_sys_sendfile(-1, -1, 0, 1), -EBADF);
    assert_int_equal(gt_sys_shutdown(-1, SHUT_WR), -EBADF);
    assert_int_equal(gt_sys_pending_error(-1), -EBADF);
    assert_int_equal(gt_sys_setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, &value, size), -EBADF);
    assert_int_equal(gt_sys_getsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, &value, &size), -EBADF);
    assert_int_equal(gt_sys_sockname(-1, &at), -EBADF);
    assert_int_equal(gt_sys_peername(-1, &at), -EBADF);
    int listening = listener(&taken);
    int fd = gt_sys_socket(AF_INET, NULL);
    assert_int_equal(gt_sys_bind(fd, &taken), -EADDRINUSE);
    assert_int_equal(gt_sys_peername(fd, &at), -ENOTCONN);
    gt_sys_close(fd);
    gt_sys_close(listening);
}

static void options_and_addresses_are_read_back(void **state) {
    (void)state;
    int client, server;
    gt_address one, other;
    int value = 1;
    socklen_t size = sizeof value;
    connect_pair(&client, &server);
    assert_int_equal(gt_sys_setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &value, size), 0);
    value = 0;
    assert_int_equal(gt_sys_getsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_int_equal(value, 1);
    assert_int_equal(gt_sys_sockname(client, &one), 0);
    assert_int_equal(gt_sys_peername(server, &other), 0);
    assert_int_equal(one.size, sizeof one.in);
    assert_int_equal(one.in.sin_port, other.in.sin_port);
    assert_int_equal(one.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    gt_sys_close(client);
    gt_sys_close(server);
}

static gt_address local_address(const void *name, size_t size) {
    gt_address at = {.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size), .un = {.sun_family = AF_UNIX}};
    memcpy(at.un.sun_path, name, size);
    return at;
}

static void a_local_name_that_the_system_would_cut_is_einval(void **state) {
    static const char path[] = "/tmp/gentcp\0x";
    char full[sizeof((struct sockaddr_un *)NULL)->sun_path];
    gt_address zero = local_address(path, sizeof path - 1), too_long = zero, unended;
    int fd = gt_sys_socket(AF_UNIX, NULL);

    (void)state;
    too_long.size = GT_ADDRESS_TOO_LONG;
    memset(full, 'x', sizeof full);
    unended = local_address(full, sizeof full);
    assert_int_equal(gt_address_name_size(&too_long), 0);
    assert_int_equal(gt_sys_bind(fd, &zero), -EINVAL);
    assert_int_equal(gt_sys_bind(fd, &too_long), -EINVAL);
    assert_int_equal(gt_sys_bind(fd, &unended), -EINVAL);
    assert_int_equal(gt_sys_connect(fd, &zero), -EINVAL);
    assert_int_equal(gt_sys_connect(fd, &too_long), -EINVAL);
    assert_int_equal(gt_sys_connect(fd, &unended), -EINVAL);
    gt_sys_close(fd);
}

static void a_descriptor_that_is_no_stream_socket_is_refused_and_left_as_it_was(void **state) {
    int fds[2], udp = socket(AF_INET, SOCK_DGRAM, 0);
    gt_existing is;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(gt_sys_adopt(-1, AF_UNSPEC, &is), -EBADF);
    assert_int_equal(gt_sys_adopt(fds[0], AF_UNSPEC, &is), -ENOTSOCK);
    assert_int_equal(gt_sys_adopt(udp, AF_UNSPEC, &is), -EOPNOTSUPP);
    assert_int_equal(fcntl(udp, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(udp, F_GETFD) & FD_CLOEXEC, 0);
    close(udp);
    close(fds[0]);
    close(fds[1]);
}

static void a_descriptor_is_known_for_what_it_is(void **state) {
    gt_address at;
    int fresh = socket(AF_INET, SOCK_STREAM, 0), listening = listener(&at), ends[2];
    gt_existing is;

    (void)state;
    assert_int_equal(gt_sys_adopt(fresh, AF_INET6, &is), -EINVAL);
    assert_int_equal(fcntl(fresh, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(gt_sys_adopt(fresh, AF_INET, &is), 0);
    assert_true(is.family == AF_INET && !is.listening && !is.connected);
    assert_int_equal(fcntl(fresh, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fresh, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(gt_sys_adopt(listening, AF_UNSPEC, &is), 0);
    assert_true(is.family == AF_INET && is.listening && !is.connected);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(gt_sys_adopt(ends[0], AF_UNIX, &is), 0);
    assert_true(is.family == AF_UNIX && !is.listening && is.connected);
    close(fresh);
    gt_sys_close(listening);
    close(ends[0]);
    close(ends[1]);
}

static void an_abstract_name_is_read_whole(void **state) {
    (void)state;
    struct {
        sa_family_t family;
        char path[100];
    } at = {.family = AF_UNIX, .path = ""};
    memset(at.path + 1, 'x', sizeof at.path - 1); /* an abstract name: no file */
    (void)snprintf(at.path + 1, 32, "gentcp-sys-test-%d", (int)getpid());
    int fd = gt_sys_socket(AF_UNIX, NULL);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    gt_address got;
    assert_int_equal(gt_sys_sockname(fd, &got), 0);
    assert_int_equal(got.size, sizeof at);
    assert_memory_equal(got.un.sun_path, at.path, sizeof at.path);
    gt_sys_close(fd);
}

static void time_does_not_go_back(void **state) {
    (void)state;
    int64_t before = gt_sys_now();
    assert_int_equal(poll(NULL, 0, 20), 0);
    assert_true(gt_sys_now() - before >= 20);
}

static void errors_have_the_names_that_gen_tcp_gives_them(void **state) {
    (void)state;
    assert_string_equal(gt_error_name(GT_CLOSED), "closed");
    assert_string_equal(gt_error_name(GT_TIMEOUT), "timeout");
    assert_string_equal(gt_error_name(GT_NOT_OWNER), "not_owner");
    assert_string_equal(gt_error_name(GT_BADARG), "badarg");
    assert_string_equal(gt_error_name(GT_NXDOMAIN), "nxdomain");
    assert_string_equal(gt_error_name(-ECONNREFUSED), "econnrefused");
    assert_string_equal(gt_error_name(-EADDRINUSE), "eaddrinuse");
    assert_string_equal(gt_error_name(-EWOULDBLOCK), "eagain");
    assert_string_equal(gt_error_name(-ENOTSUP), "enotsup");
    assert_string_equal(gt_error_name(-ETIMEDOUT), "etimedout");
    assert_string_equal(gt_error_name(-E2BIG), "e2big");
}

static void a_number_that_is_no_error_is_unknown(void **state) {
    (void)state;
    assert_string_equal(gt_error_name(0), "unknown");
    assert_string_equal(gt_error_name(ECONNREFUSED), "unknown");
    assert_string_equal(gt_error_name(-100000), "unknown");
    assert_string_equal(gt_error_name(-1000), "unknown");
}

/* strerror knows which numbers are errors here. */
static void every_errno_of_this_system_has_a_name(void **state) {
    (void)state;
    int named = 0;
    for (int error = 1; error < 200; error++) {
        bool known = strncmp(strerror(error), "Unknown error", 13) != 0;
        assert_int_equal(known, strcmp(gt_error_name(-error), "unknown") != 0);
        named += known;
    }
    assert_true(named > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_descriptor_is_nonblocking_and_close_on_exec),
        cmocka_unit_test(nothing_to_do_is_eagain),
        cmocka_unit_test(a_full_kernel_takes_a_part_and_then_says_eagain),
        cmocka_unit_test(a_connection_that_was_aborted_while_queued_is_passed_over),
        cmocka_unit_test(a_lasting_failure_of_accept_is_told),
        cmocka_unit_test(an_interrupted_transfer_is_made_again),
        cmocka_unit_test(an_interrupted_connect_goes_on_by_itself),
        cmocka_unit_test(parts_are_sent_in_order_and_the_end_reads_as_0),
        cmocka_unit_test(sending_to_a_broken_connection_is_epipe_and_no_signal),
        cmocka_unit_test(parts_of_a_file_are_sent_until_its_end),
        cmocka_unit_test(a_full_kernel_takes_no_file),
        cmocka_unit_test(a_file_to_a_broken_connection_is_epipe_and_no_signal),
        cmocka_unit_test(a_refused_connect_is_told_at_once_or_as_the_pending_error_once),
        cmocka_unit_test(errors_are_negative_errno_values),
        cmocka_unit_test(options_and_addresses_are_read_back),
        cmocka_unit_test(a_local_name_that_the_system_would_cut_is_einval),
        cmocka_unit_test(a_descriptor_that_is_no_stream_socket_is_refused_and_left_as_it_was),
        cmocka_unit_test(a_descriptor_is_known_for_what_it_is),
        cmocka_unit_test(an_abstract_name_is_read_whole),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(errors_have_the_names_that_gen_tcp_gives_them),
        cmocka_unit_test(a_number_that_is_no_error_is_unknown),
        cmocka_unit_test(every_errno_of_this_system_has_a_name),
    };
    return cmocka_run_group_tests_name("sys", tests, NULL, NULL);
}
