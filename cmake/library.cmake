# SPDX-License-Identifier: Apache-2.0
# The libraries of the C host, and their installation.

# For the tests: every gt_ symbol can be reached.
add_library(gentcp_internal STATIC ${library_objects})
target_include_directories(gentcp_internal PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(gentcp_internal PUBLIC gentcp_flags Threads::Threads)

add_library(gentcp SHARED ${library_objects})
# Before 1.0 a minor version may change the interface.
set_target_properties(gentcp PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_libraries(gentcp PRIVATE $<BUILD_INTERFACE:gentcp_flags> Threads::Threads)

# The static library is one object whose hidden symbols are local, so that nothing but gentcp_* can clash with a name
# in a program, or with another copy of the engine in it.
if(CMAKE_OBJCOPY)
    set(joined ${PROJECT_BINARY_DIR}/gentcp.o)
    separate_arguments(compiler_flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
    add_custom_command(OUTPUT ${joined}
        COMMAND ${CMAKE_C_COMPILER} ${compiler_flags} -r -nostdlib -o ${joined} ${library_objects}
        COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${joined}
        DEPENDS ${library_objects} COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    add_library(gentcp_static STATIC ${joined})
    set_target_properties(gentcp_static PROPERTIES LINKER_LANGUAGE C)
    # The files alone order nothing between targets in a Makefile.
    add_dependencies(gentcp_static ${library_parts})
else()
    add_library(gentcp_static STATIC ${library_objects})
endif()
set_target_properties(gentcp_static PROPERTIES OUTPUT_NAME gentcp)
target_link_libraries(gentcp_static PUBLIC Threads::Threads)

foreach(target gentcp gentcp_static)
    add_library(gentcp::${target} ALIAS ${target})
    target_include_directories(${target} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gentcp)
install(TARGETS gentcp gentcp_static EXPORT gentcpTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/gentcp.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT gentcpTargets NAMESPACE gentcp:: DESTINATION ${package_dir})
configure_package_config_file(cmake/gentcpConfig.cmake.in gentcpConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(gentcpConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gentcpConfig.cmake ${PROJECT_BINARY_DIR}/gentcpConfigVersion.cmake
    DESTINATION ${package_dir})

# Paths in gentcp.pc are relative to it: an installation can be moved, and `cmake --install --prefix` is obeyed.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/gentcp.pc.in gentcp.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gentcp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The manual of the C interface, from the header's comments.
find_program(GENTCP_PERL perl)
if(GENTCP_PERL)
    set(man_pages ${PROJECT_BINARY_DIR}/man/man3)
    add_custom_command(OUTPUT ${man_pages}/gentcp.3
        COMMAND ${CMAKE_COMMAND} -E rm -rf ${man_pages}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${man_pages}
        COMMAND ${GENTCP_PERL} ${PROJECT_SOURCE_DIR}/tools/man_pages ${PROJECT_SOURCE_DIR}/include/gentcp.h
            ${man_pages} ${PROJECT_VERSION}
        DEPENDS include/gentcp.h tools/man_pages VERBATIM)
    add_custom_target(gentcp_man_pages ALL DEPENDS ${man_pages}/gentcp.3)
    install(DIRECTORY ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR})
else()
    message(STATUS "Manual: skipped, no perl (Debian: perl-base)")
endif()
