# SPDX-License-Identifier: Apache-2.0
# Each test/*_test.c is a cmocka program and runs on both pollers, named by GENTCP_POLLER in its environment, unless it
# is one of these, which use no poller. Other test/*.c are linked into all of them.
set(tests_without_poller packet_test sys_test)

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
endif()
if(NOT TARGET PkgConfig::CMOCKA)
    message(STATUS "Tests: skipped, no cmocka (Debian: libcmocka-dev pkg-config)")
    return()
endif()

set(GENTCP_TEST_LAUNCHER "" CACHE STRING "What to run the tests under, e.g. valgrind;--leak-check=full")
set(GENTCP_TEST_TIMEOUT 60 CACHE STRING "Seconds after which a test program has failed")

file(GLOB test_sources CONFIGURE_DEPENDS test/*_test.c)
file(GLOB test_support CONFIGURE_DEPENDS test/*.c)
foreach(source IN LISTS test_sources)
    list(REMOVE_ITEM test_support ${source})
endforeach()

add_library(test_support OBJECT ${test_support})
target_link_libraries(test_support PRIVATE gentcp_internal gentcp_flags PkgConfig::CMOCKA)
target_compile_options(test_support PRIVATE -UNDEBUG)

# gentcp_test(NAME PROGRAM [VARIABLE=VALUE])
function(gentcp_test name program)
    add_test(NAME ${name} COMMAND ${GENTCP_TEST_LAUNCHER} $<TARGET_FILE:${program}>)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${GENTCP_TEST_TIMEOUT} ENVIRONMENT "${ARGN}")
endfunction()

foreach(source IN LISTS test_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source} $<TARGET_OBJECTS:test_support>)
    target_link_libraries(${name} PRIVATE gentcp_internal gentcp_flags PkgConfig::CMOCKA)
    target_compile_options(${name} PRIVATE -UNDEBUG)
    if(name IN_LIST tests_without_poller)
        gentcp_test(${name} ${name})
    else()
        gentcp_test(${name}.epoll ${name} GENTCP_POLLER=epoll)
        gentcp_test(${name}.poll ${name} GENTCP_POLLER=poll)
    endif()
endforeach()

# faults_test makes these fail: test/faults/inject.c stands between them and the libraries, whose code is as everywhere.
set(faulty_functions
    socket connect bind listen accept4 recv sendmsg shutdown getsockopt setsockopt getsockname getpeername
    epoll_create1 epoll_ctl epoll_wait poll __poll_chk eventfd timerfd_create pthread_create)
list(TRANSFORM faulty_functions PREPEND -Wl,--wrap=)
target_sources(faults_test PRIVATE test/faults/inject.c)
target_link_options(faults_test PRIVATE ${faulty_functions})

# Programs that test/syscalls_test.sh compares.
file(GLOB echo_sources CONFIGURE_DEPENDS test/echo/*.c)
foreach(source IN LISTS echo_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(echo_${name} ${source})
    set_target_properties(echo_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/echo)
    target_link_libraries(echo_${name} PRIVATE gentcp_static gentcp_flags)
endforeach()
# The framing alone, for test/decode_packet_test.sh.
add_executable(decode_packet test/decode/decode_packet.c)
set_target_properties(decode_packet PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/decode)
target_link_libraries(decode_packet PRIVATE gentcp_internal gentcp_flags)
# Writes docs/options.md; test/options_doc_test.sh compares.
add_executable(options_table tools/options_table.c)
target_link_libraries(options_table PRIVATE gentcp_internal gentcp_flags)
add_custom_target(options_doc COMMAND options_table > ${PROJECT_SOURCE_DIR}/docs/options.md VERBATIM)
