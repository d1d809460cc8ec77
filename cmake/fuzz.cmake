# SPDX-License-Identifier: Apache-2.0
# Each target in fuzz/ twice: fuzz_NAME_replay gives its corpus to it, as one of the tests; with GENTCP_FUZZ (clang, and
# GENTCP_SANITIZE=fuzzer-no-link,address,undefined) fuzz_NAME is the fuzzer. See docs/reliability.md.
option(GENTCP_FUZZ "Build the fuzzers (clang)" OFF)

# The engine on the simulated system instead of the system calls. Linters have seen these files.
set(fuzz_engine_sources ${engine_sources})
list(REMOVE_ITEM fuzz_engine_sources sys/posix.c sys/sendfile.c pollers/epoll.c pollers/poll.c)
add_library(fuzz_engine STATIC ${fuzz_engine_sources})
target_include_directories(fuzz_engine PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(fuzz_engine PUBLIC gentcp_flags Threads::Threads)
set_target_properties(fuzz_engine PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
# As an archive in front of the engine's, for they need each other.
add_library(fuzz_world STATIC fuzz/socket_model.c fuzz/sys_simulated.c $<TARGET_OBJECTS:test_host_memory>)
target_link_libraries(fuzz_world PUBLIC fuzz_engine gentcp_flags)
target_link_libraries(fuzz_engine PUBLIC fuzz_world)
add_library(fuzz_replay OBJECT fuzz/replay.c)
target_link_libraries(fuzz_replay PRIVATE gentcp_internal gentcp_flags)

# gentcp_fuzz_target(NAME LIBRARY [OBJECTS...])
function(gentcp_fuzz_target name library)
    add_library(fuzz_${name}_target OBJECT fuzz/${name}.c)
    target_link_libraries(fuzz_${name}_target PRIVATE ${library} gentcp_flags)
    set(objects $<TARGET_OBJECTS:fuzz_${name}_target>)
    foreach(support IN LISTS ARGN)
        list(APPEND objects $<TARGET_OBJECTS:${support}>)
    endforeach()
    add_executable(fuzz_${name}_replay ${objects} $<TARGET_OBJECTS:fuzz_replay>)
    target_link_libraries(fuzz_${name}_replay PRIVATE ${library} gentcp_flags)
    add_test(NAME fuzz.${name} COMMAND ${PROJECT_SOURCE_DIR}/test/launch $<TARGET_FILE:fuzz_${name}_replay>
        ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
    if(GENTCP_FUZZ)
        add_executable(fuzz_${name} ${objects})
        target_link_libraries(fuzz_${name} PRIVATE ${library} gentcp_flags)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()

gentcp_fuzz_target(framing gentcp_internal)
gentcp_fuzz_target(http gentcp_internal)
gentcp_fuzz_target(options gentcp_internal test_host_memory)
gentcp_fuzz_target(socket fuzz_world)

foreach(name IN LISTS tests_on_simulation)
    add_executable(${name} test/${name}.c)
    target_link_libraries(${name} PRIVATE fuzz_world gentcp_flags PkgConfig::CMOCKA)
    target_compile_options(${name} PRIVATE -UNDEBUG)
    gentcp_test(${name} ${name})
endforeach()
