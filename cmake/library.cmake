# SPDX-License-Identifier: Apache-2.0
# The libraries of the C host, and their installation.

# For the tests: every gt_ symbol can be reached.
add_library(gentcp_internal STATIC ${library_objects})
target_include_directories(gentcp_internal PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(gentcp_internal PUBLIC gentcp_flags Threads::Threads)

add_library(gentcp SHARED ${library_objects})
set_target_properties(gentcp PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
target_link_libraries(gentcp PRIVATE gentcp_flags)

add_library(gentcp_static STATIC ${library_objects})
set_target_properties(gentcp_static PROPERTIES OUTPUT_NAME gentcp)

foreach(target gentcp gentcp_static)
    add_library(gentcp::${target} ALIAS ${target})
    target_include_directories(${target} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PUBLIC Threads::Threads)
endforeach()
