# SPDX-License-Identifier: Apache-2.0
# Each target in fuzz/ twice: fuzz_NAME_replay gives its corpus to it, as one of the tests; with GENTCP_FUZZ (clang, and
# GENTCP_SANITIZE=fuzzer-no-link,address,undefined) fuzz_NAME is the fuzzer. See docs/reliability.md.
option(GENTCP_FUZZ "Build the fuzzers (clang)" OFF)

# The engine on the simulated system instead of the system calls.
set(fuzz_engine_sources ${engine_sources})
list(REMOVE_ITEM fuzz_engine_sources sys/posix.c sys/sendfile.c pollers/epoll.c pollers/poll.c)
add_library(fuzz_engine STATIC ${fuzz_engine_sources} fuzz/socket_model.c fuzz/sys_simulated.c test/host_memory.c)
target_include_directories(fuzz_engine PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(fuzz_engine PUBLIC gentcp_flags Threads::Threads)

# gentcp_fuzz_target(NAME LIBRARY [SOURCE...])
function(gentcp_fuzz_target name library)
    add_executable(fuzz_${name}_replay fuzz/${name}.c fuzz/replay.c ${ARGN})
    target_link_libraries(fuzz_${name}_replay PRIVATE ${library} gentcp_flags)
    add_test(NAME fuzz.${name} COMMAND ${GENTCP_TEST_LAUNCHER} $<TARGET_FILE:fuzz_${name}_replay>
        ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT ${GENTCP_TEST_TIMEOUT})
    if(GENTCP_FUZZ)
        add_executable(fuzz_${name} fuzz/${name}.c ${ARGN})
        target_link_libraries(fuzz_${name} PRIVATE ${library} gentcp_flags)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()

gentcp_fuzz_target(framing gentcp_internal)
gentcp_fuzz_target(http gentcp_internal)
gentcp_fuzz_target(options gentcp_internal test/host_memory.c)
gentcp_fuzz_target(socket fuzz_engine)
