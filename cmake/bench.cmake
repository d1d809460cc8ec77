# SPDX-License-Identifier: Apache-2.0
# The servers in C that bench/run measures beside those in Erlang: bench_servers.
add_custom_target(bench_servers)

# bench_server(NAME LIBRARY...)
function(bench_server name)
    add_executable(bench_${name} bench/${name}.c)
    set_target_properties(bench_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    target_link_libraries(bench_${name} PRIVATE gentcp_flags ${ARGN})
    add_dependencies(bench_servers bench_${name})
endfunction()

bench_server(epoll_echo)
bench_server(gentcp_echo gentcp_static)
gentcp_find(UV libuv)
if(TARGET PkgConfig::UV)
    bench_server(uv_echo PkgConfig::UV)
else()
    message(STATUS "Benchmark server uv_echo: skipped, no libuv (Debian: libuv1-dev)")
endif()
