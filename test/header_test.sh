#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# gentcp.h is usable from strict C and from C++, its option lists included: header_test.sh BUILD-DIRECTORY
set -u

build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

cat >"$work/program.c" <<'END'
#include <gentcp.h>
#include <string.h>

int main(void) {
    gentcp_option wanted[] = {GENTCP_ACTIVE(0), GENTCP_PACKET(0), GENTCP_LINGER(0, 0), GENTCP_END};
    gentcp_socket listener, here, there;
    gentcp_data data;
    uint16_t port;

    if (gentcp_listen(0, gentcp_options(GENTCP_IP("loopback"), GENTCP_PACKET(4), GENTCP_ACTIVE(false)), &listener) != 0)
        return 1;
    if (gentcp_port(listener, &port) != 0)
        return 2;
    if (gentcp_connect("127.0.0.1", port, gentcp_options(GENTCP_PACKET(GENTCP_PACKET_4), GENTCP_ACTIVE(GENTCP_ONCE),
                                                         GENTCP_LINGER(true, 5)),
                       5000, &here) != 0)
        return 3;
    if (gentcp_accept(listener, 5000, &there) != 0)
        return 4;
    if (gentcp_getopts(here, wanted) != 0 || wanted[0].number != GENTCP_ONCE || wanted[1].number != 4 ||
        wanted[2].extra != 5)
        return 5;
    if (gentcp_send(here, "hello", 5) != 0)
        return 6;
    if (gentcp_recv(there, 0, GENTCP_INFINITY, &data) != 0 || strcmp((const char *)data.bytes, "hello") != 0)
        return 7;
    gentcp_data_release(&data);
    gentcp_exit();
    return 0;
}
END
cp "$work/program.c" "$work/program.cc"

# compile_and_run NAME SOURCE COMPILER...: one line of result; what was printed only if it failed.
compile_and_run() {
    name=$1
    source=$2
    shift 2
    if "$@" -Wall -Wextra -pedantic -Werror -I"$root/include" "$work/$source" -L"$build" -Wl,-rpath,"$build" -lgentcp \
        -pthread -o "$work/program" >"$work/log" 2>&1 && "$work/program" >>"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/    /' "$work/log"
        failed=1
    fi
}

compile_and_run "strict C11" program.c "${CC:-cc}" -std=c11 -D_DEFAULT_SOURCE
compile_and_run "C++11" program.cc "${CXX:-c++}" -std=c++11
compile_and_run "C++20" program.cc "${CXX:-c++}" -std=c++20
exit $failed
