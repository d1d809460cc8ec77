# SPDX-License-Identifier: Apache-2.0
# The OTP host's native part: NIF and driver in one shared object.
# Not part of `all`, so that C programmers need no Erlang: cmake --build … --target gentcp_nif

find_program(GENTCP_ERL erl)
if(GENTCP_ERL AND NOT GENTCP_ERL_INCLUDE)
    execute_process(
        COMMAND ${GENTCP_ERL} -noshell -eval "io:put_chars(code:root_dir()), halt()."
        OUTPUT_VARIABLE erl_root ERROR_QUIET)
    find_path(GENTCP_ERL_INCLUDE erl_nif.h PATHS "${erl_root}/usr/include" NO_DEFAULT_PATH)
endif()

if(NOT GENTCP_ERL OR NOT GENTCP_ERL_INCLUDE)
    message(STATUS "OTP host: skipped, no erl or no erl_nif.h (Debian: erlang-base erlang-dev)")
elseif(gentcp_left_out)
    message(STATUS "OTP host: skipped, it needs every part of sys/config.h")
else()
    add_library(gentcp_nif MODULE EXCLUDE_FROM_ALL ${host_otp_sources} ${host_erlang_sources} $<TARGET_OBJECTS:gentcp_engine>)
    set_target_properties(gentcp_nif PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${GENTCP_PRIV})
    target_include_directories(gentcp_nif PRIVATE ${PROJECT_SOURCE_DIR})
    target_include_directories(gentcp_nif SYSTEM PRIVATE ${GENTCP_ERL_INCLUDE})
    target_link_libraries(gentcp_nif PRIVATE gentcp_flags Threads::Threads)
    # The driver's callbacks and thread-specific destructors may run after the module was purged.
    target_link_options(gentcp_nif PRIVATE -Wl,-z,nodelete)
    # What gentcp:take_over/0 loads. Not in ebin, because it has the name of a module of kernel's.
    find_program(GENTCP_ERLC erlc)
    set(stand_in ${GENTCP_PRIV}/gen_tcp_socket.beam)
    add_custom_command(
        OUTPUT ${stand_in}
        COMMAND ${GENTCP_ERLC} +debug_info -Werror -o ${GENTCP_PRIV} hosts/otp/take_over/gen_tcp_socket.erl
        DEPENDS hosts/otp/take_over/gen_tcp_socket.erl
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    add_custom_target(gentcp_stand_in DEPENDS ${stand_in})
    add_dependencies(gentcp_nif gentcp_stand_in)
    message(STATUS "OTP host: target gentcp_nif, ${GENTCP_ERL_INCLUDE}")
endif()
