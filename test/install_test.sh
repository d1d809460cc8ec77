#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An installed library can be found and used by programs outside of this project: install_test.sh BUILD-DIRECTORY
set -u

build=$(cd "$1" && pwd)
. "$(dirname "$0")/check.sh"

# Installed, then moved: nothing may remember where it was.
installs() { cmake --install "$build" --prefix "$work/first" && mv "$work/first" "$work/prefix"; }

cat >"$work/program.c" <<'END'
#include <gentcp.h>

int main(void) {
    gentcp_socket listener;
    int status = gentcp_listen(0, NULL, &listener);
    return status < 0 ? 1 : gentcp_close(listener) < 0;
}
END
cp "$work/program.c" "$work/program.cc"

cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(outside C CXX)
find_package(gentcp 0.1 REQUIRED)
add_executable(shared program.c)
target_link_libraries(shared gentcp::gentcp)
add_executable(static program.c)
target_link_libraries(static gentcp::gentcp_static)
add_executable(cxx program.cc)
target_link_libraries(cxx gentcp::gentcp)
target_compile_options(cxx PRIVATE -Wall -Wextra -pedantic -Werror)
END
find_package() {
    cmake -S "$work" -B "$work/outside" -DCMAKE_PREFIX_PATH="$work/prefix" && cmake --build "$work/outside"
}

pkg_config() { PKG_CONFIG_PATH="$(dirname "$(find "$work/prefix" -name gentcp.pc)")" pkg-config "$@" gentcp; }
library_path() { cd "$(pkg_config --variable=libdir)" && pwd; }
with_pkg_config() {
    cc -o "$work/by_pkg_config" "$work/program.c" $(pkg_config --cflags --libs) &&
        LD_LIBRARY_PATH=$(library_path) "$work/by_pkg_config"
}
with_pkg_config_static() {
    cc -o "$work/static_by_pkg_config" "$work/program.c" -static $(pkg_config --static --cflags --libs) &&
        "$work/static_by_pkg_config"
}
# A C programmer's strictest compiler may read the header.
header_alone() {
    printf '#include <gentcp.h>\n' >"$work/alone.c"
    cc -std=c11 -Wall -Wextra -pedantic -Werror $(pkg_config --cflags) -c -o "$work/alone.o" "$work/alone.c"
}
exports_only_gentcp() {
    nm -P -g --defined-only "$@" >"$work/symbols" && ! grep -E '^[^ ]+ [A-Z] ' "$work/symbols" | grep -v '^gentcp_' &&
        grep -q '^gentcp_' "$work/symbols"
}

# Without cmocka, jansson and libuv: what needs them is left out.
configures_alone() {
    PKG_CONFIG_LIBDIR=$work cmake -S "$(dirname "$0")/.." -B "$work/alone" &&
        cmake --build "$work/alone" -t help | grep examples_echo_server
}

check "installs" installs
check "installs the manual" test -s "$work/prefix/share/man/man3/gentcp_connect.3"
check "find_package finds both libraries" find_package
check "a program runs with the shared library" "$work/outside/shared"
check "a program runs with the static library" "$work/outside/static"
check "a C++ program runs" "$work/outside/cxx"
check "pkg-config serves the shared library" with_pkg_config
check "pkg-config serves a static program" with_pkg_config_static
check "the header is strict C11" header_alone
check "what needs other libraries is left out without them" configures_alone
check "the shared library exports gentcp_ only" exports_only_gentcp -D "$work/prefix"/lib*/libgentcp.so
check "the static library exports gentcp_ only" exports_only_gentcp "$work/prefix"/lib*/libgentcp.a
exit $failed
