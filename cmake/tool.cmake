# SPDX-License-Identifier: Apache-2.0
# The program gentcp. Skipped where jansson, which writes its reports, isn't there.
gentcp_find(JANSSON jansson)
if(NOT TARGET PkgConfig::JANSSON)
    message(STATUS "Program gentcp: skipped, no jansson (Debian: libjansson-dev pkg-config)")
    return()
endif()

add_executable(gentcp_tool
    tools/gentcp/main.c tools/gentcp/talk.c tools/gentcp/load.c tools/gentcp/load_worker.c tools/gentcp/load_usage.c
    tools/gentcp/socket_arguments.c tools/gentcp/display.c tools/gentcp/histogram.c)
set_target_properties(gentcp_tool PROPERTIES OUTPUT_NAME gentcp RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tool)
target_compile_definitions(gentcp_tool PRIVATE GENTCP_VERSION="${PROJECT_VERSION}")
target_link_libraries(gentcp_tool PRIVATE gentcp_internal gentcp_flags PkgConfig::JANSSON)
install(TARGETS gentcp_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES tools/gentcp/gentcp.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
