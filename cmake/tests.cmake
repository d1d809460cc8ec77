# SPDX-License-Identifier: Apache-2.0
# Each program of tests_of_... is test/NAME.c, a cmocka program; it runs on both pollers, named by GENTCP_POLLER in its
# environment, or once if it uses none.
set(tests_of_c_host
    bad_input_test
    bad_options_test
    behaviour_active_test
    behaviour_addresses_test
    behaviour_closing_test
    behaviour_descriptors_test
    behaviour_getstat_test
    behaviour_http_test
    behaviour_info_test
    behaviour_local_test
    behaviour_monitor_test
    behaviour_netns_test
    behaviour_options_test
    behaviour_owner_test
    behaviour_packets_test
    behaviour_protocols_test
    behaviour_receiving_test
    behaviour_sendfile_test
    behaviour_sending_test
    behaviour_shutdown_test
    behaviour_split_test
    c_host_handles_test
    c_host_inspection_test
    c_host_mailbox_test
    c_host_memory_test
    c_host_process_test
    c_host_resolve_test
    c_host_send_test
    fairness_test
    handover_test
    memory_test)
set(tests_of_engine engine_owners_test engine_pause_test engine_receiving_test engine_sendfile_test engine_sending_test)
set(tests_of_faults faults_test faults_told_test)
set(tests_of_races cancel_race_test)
set(tests_of_pollers poller_life_test poller_test poller_threads_test)
set(tests_of_tool histogram_test)
set(tests_without_poller c_host_block_test packet_test sys_test)
set(tests_on_simulation engine_time_test) # see fuzz.cmake
set(tests_of_smallest left_out_test) # see smallest.cmake

# gentcp_test(NAME PROGRAM [VARIABLE=VALUE])
function(gentcp_test name program)
    add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/test/launch $<TARGET_FILE:${program}>)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "${ARGN}")
endfunction()

# What several programs have in common is compiled, and looked at by linters, once.
function(gentcp_test_support name)
    add_library(${name} OBJECT ${ARGN})
    target_link_libraries(${name} PRIVATE gentcp_internal gentcp_flags PkgConfig::CMOCKA)
    target_compile_options(${name} PRIVATE -UNDEBUG)
endfunction()
gentcp_test_support(test_engine_fixture test/engine_fixture.c)
gentcp_test_support(test_host_memory test/host_memory.c)
gentcp_test_support(test_faults test/faults/exchanges.c test/faults/inject.c)
gentcp_test_support(test_poller_fixture test/poller_fixture.c)
gentcp_test_support(test_histogram tools/gentcp/histogram.c)
set_target_properties(test_histogram PROPERTIES EXPORT_COMPILE_COMMANDS OFF)

# gentcp_test_programs(LIST SUPPORT...): the list's programs, each with the objects of these.
function(gentcp_test_programs list)
    foreach(name IN LISTS ${list})
        add_executable(${name} test/${name}.c)
        foreach(support IN LISTS ARGN)
            target_sources(${name} PRIVATE $<TARGET_OBJECTS:${support}>)
        endforeach()
        target_link_libraries(${name} PRIVATE gentcp_internal gentcp_flags PkgConfig::CMOCKA)
        target_compile_options(${name} PRIVATE -UNDEBUG)
        if("${list}" MATCHES "tests_(of_tool|without_poller)")
            gentcp_test(${name} ${name})
        else()
            gentcp_test(${name}.epoll ${name} GENTCP_POLLER=epoll)
            gentcp_test(${name}.poll ${name} GENTCP_POLLER=poll)
        endif()
    endforeach()
endfunction()

gentcp_test_programs(tests_of_c_host)
gentcp_test_programs(tests_of_engine test_engine_fixture test_host_memory)
gentcp_test_programs(tests_of_races test_host_memory)
gentcp_test_programs(tests_of_faults test_faults)
gentcp_test_programs(tests_of_pollers test_poller_fixture)
gentcp_test_programs(tests_of_tool test_histogram)
gentcp_test_programs(tests_without_poller)

set(test_sources ${tests_of_c_host} ${tests_of_engine} ${tests_of_races} ${tests_of_faults} ${tests_of_pollers}
    ${tests_of_tool} ${tests_without_poller} ${tests_on_simulation} ${tests_of_smallest})
list(TRANSFORM test_sources REPLACE "(.+)" "test/\\1.c")
gentcp_all_listed(test_sources test/*_test.c)

# These can be made to fail: test/faults/inject.c stands between them and the libraries, whose code is as everywhere.
set(faulty_functions
    socket connect bind listen accept4 recv send sendmsg sendfile64 shutdown getsockopt setsockopt getsockname getpeername fcntl open setns
    syscall epoll_create1 epoll_ctl epoll_wait poll __poll_chk eventfd timerfd_create pthread_create)
list(TRANSFORM faulty_functions PREPEND -Wl,--wrap=)
foreach(name IN LISTS tests_of_faults)
    target_link_options(${name} PRIVATE ${faulty_functions})
endforeach()

target_link_options(sys_test PRIVATE -Wl,--wrap=syscall)

# Programs that test/syscalls_test.sh compares.
foreach(name IN LISTS echo_programs)
    add_executable(echo_${name} test/echo/${name}.c)
    set_target_properties(echo_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/echo)
    target_link_libraries(echo_${name} PRIVATE gentcp_static gentcp_flags)
endforeach()
# What an idle connection costs: `make bench-memory`; with few connections it is a test.
add_executable(idle_memory bench/idle_memory.c)
set_target_properties(idle_memory PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
target_link_libraries(idle_memory PRIVATE gentcp_internal gentcp_flags)
foreach(poller epoll poll)
    add_test(NAME idle_memory.${poller} COMMAND ${GENTCP_TEST_LAUNCHER} $<TARGET_FILE:idle_memory> 200)
    set_tests_properties(idle_memory.${poller} PROPERTIES ENVIRONMENT GENTCP_POLLER=${poller})
endforeach()
# The framing alone, for test/decode_packet_test.sh.
add_executable(decode_packet test/decode/decode_packet.c)
set_target_properties(decode_packet PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/decode)
target_link_libraries(decode_packet PRIVATE gentcp_internal gentcp_flags)
# Writes docs/options.md; test/options_doc_test.sh compares.
add_executable(options_table tools/options_table.c)
target_link_libraries(options_table PRIVATE gentcp_internal gentcp_flags)
add_custom_target(options_doc COMMAND options_table > ${PROJECT_SOURCE_DIR}/docs/options.md VERBATIM)
