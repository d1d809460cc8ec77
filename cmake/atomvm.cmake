# SPDX-License-Identifier: Apache-2.0
# The AtomVM host: a port driver, which has to be compiled as the VM it is for was, and Erlang modules. Not part of
# `all`: cmake --build … --target gentcp_atomvm, with -DATOMVM_SOURCE=… -DATOMVM_BUILD=…. The modules need no AtomVM:
# target gentcp_atomvm_erlang.
set(ATOMVM_SOURCE "" CACHE PATH "AtomVM's source tree, for the AtomVM host")
set(ATOMVM_BUILD "" CACHE PATH "The folder in which that AtomVM was built")
set(atomvm_out ${PROJECT_BINARY_DIR}/atomvm)

find_program(GENTCP_ERLC erlc)
if(GENTCP_ERLC)
    set(atomvm_beams)
    foreach(source hosts/atomvm/src/gentcp.erl hosts/atomvm/src/gentcp_nif.erl hosts/otp/src/gentcp_time.erl)
        get_filename_component(name ${source} NAME_WE)
        add_custom_command(OUTPUT ${atomvm_out}/${name}.beam
            COMMAND ${CMAKE_COMMAND} -E make_directory ${atomvm_out}
            COMMAND ${GENTCP_ERLC} +debug_info -Werror -o ${atomvm_out} ${PROJECT_SOURCE_DIR}/${source}
            DEPENDS ${source} VERBATIM)
        list(APPEND atomvm_beams ${atomvm_out}/${name}.beam)
    endforeach()
    add_custom_target(gentcp_atomvm_erlang DEPENDS ${atomvm_beams})
endif()

if(NOT ATOMVM_SOURCE OR NOT ATOMVM_BUILD)
    message(STATUS "AtomVM host: skipped, no ATOMVM_SOURCE and ATOMVM_BUILD (see docs/atomvm.md)")
    return()
endif()
get_filename_component(ATOMVM_SOURCE "${ATOMVM_SOURCE}" ABSOLUTE)
get_filename_component(ATOMVM_BUILD "${ATOMVM_BUILD}" ABSOLUTE)
if(NOT GENTCP_ERLC)
    message(FATAL_ERROR "AtomVM host: no erlc (Debian: erlang-base)")
endif()

# ---- is it a version that this host knows? ----

set(avm_core ${ATOMVM_SOURCE}/src/libAtomVM)
set(avm_unix ${ATOMVM_SOURCE}/src/platforms/generic_unix/lib)
if(NOT EXISTS ${avm_core}/term.h OR NOT EXISTS ${avm_unix}/generic_unix_sys.h)
    message(FATAL_ERROR "AtomVM host: ${ATOMVM_SOURCE} is no source tree of AtomVM")
endif()
file(STRINGS ${ATOMVM_SOURCE}/version.cmake avm_version REGEX "ATOMVM_BASE_VERSION")
string(REGEX REPLACE ".*\"(.*)\".*" "\\1" avm_version "${avm_version}")
# A resource that is a reference, and one whose monitors survive a race of its end with a process's.
file(STRINGS ${avm_core}/term.h avm_references REGEX "TERM_BOXED_REFERENCE_RESOURCE_SIZE")
file(STRINGS ${avm_core}/refc_binary.h avm_dying REGEX "REFC_DYING_FLAG")
if(NOT avm_references OR NOT avm_dying)
    message(FATAL_ERROR "AtomVM host: AtomVM ${avm_version} isn't supported: it needs the resources and monitors that "
        "AtomVM's main branch has (0.8.0-dev; known to work: commit 7b282159). Releases 0.6 and older can't be used.")
endif()

# ---- how was it compiled? ----

# The layout of the VM's structs depends on its definitions, which its build folder has, in a form that depends on the
# tool it was built with.
file(GLOB avm_flags_make ${ATOMVM_BUILD}/src/platforms/generic_unix/lib/CMakeFiles/libAtomVM*.dir/flags.make)
if(avm_flags_make)
    file(STRINGS "${avm_flags_make}" avm_definitions REGEX "^C_DEFINES = ")
elseif(EXISTS ${ATOMVM_BUILD}/build.ninja)
    file(STRINGS ${ATOMVM_BUILD}/build.ninja avm_lines REGEX "^build .*socket_driver\\.c\\.o:|^  DEFINES = ")
    set(avm_definitions)
    set(avm_here OFF)
    foreach(line IN LISTS avm_lines)
        if(avm_here)
            set(avm_definitions "${line}")
            break()
        elseif(line MATCHES "^build ")
            set(avm_here ON)
        endif()
    endforeach()
endif()
string(REGEX REPLACE "^[^=]*= " "" avm_definitions "${avm_definitions}")
separate_arguments(avm_definitions UNIX_COMMAND "${avm_definitions}")
if(NOT "-DDYNLOAD_PORT_DRIVERS" IN_LIST avm_definitions)
    message(FATAL_ERROR "AtomVM host: ${ATOMVM_BUILD} doesn't say how AtomVM was compiled for unix, or it can't load "
        "port drivers. It must be the folder in which CMake has built AtomVM, with Ninja or make.")
endif()
file(GLOB avm_generated ${ATOMVM_BUILD}/src/platforms/generic_unix/libAtomVM)

# ---- the driver ----

if(HTTP IN_LIST gentcp_left_out)
    list(REMOVE_ITEM host_erlang_sources hosts/erlang/http.c)
endif()
add_library(gentcp_atomvm_driver MODULE EXCLUDE_FROM_ALL
    ${host_atomvm_sources} ${host_erlang_sources} ${host_names_sources} $<TARGET_OBJECTS:gentcp_engine>)
set_target_properties(gentcp_atomvm_driver PROPERTIES
    PREFIX "" OUTPUT_NAME avm_gentcp_port_driver SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${atomvm_out})
target_compile_options(gentcp_atomvm_driver PRIVATE ${avm_definitions})
target_include_directories(gentcp_atomvm_driver PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/hosts/atomvm/vm)
target_include_directories(gentcp_atomvm_driver SYSTEM PRIVATE ${avm_core} ${avm_unix} ${avm_generated})
target_link_libraries(gentcp_atomvm_driver PRIVATE gentcp_flags Threads::Threads)
# Native functions stay in the VM's tables for ever. What nobody calls is left out (see gentcp_engine, too).
target_link_options(gentcp_atomvm_driver PRIVATE -Wl,-z,nodelete -Wl,--gc-sections)
target_compile_options(gentcp_atomvm_driver PRIVATE -ffunction-sections -fdata-sections)
add_custom_target(gentcp_atomvm DEPENDS gentcp_atomvm_driver gentcp_atomvm_erlang)
message(STATUS "AtomVM host: target gentcp_atomvm, AtomVM ${avm_version}")
