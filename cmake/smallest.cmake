# SPDX-License-Identifier: Apache-2.0
# The smallest configuration (sys/config.h), whatever this one is: the libraries once more, in one piece, with a test of
# its own and with tests of what remains in any configuration. The others say enough with sanitizers.
if(GENTCP_SANITIZE)
    return()
endif()
gentcp_sources_without(smallest_sources ${gentcp_parts})
add_library(gentcp_smallest STATIC ${smallest_sources} ${host_c_sources} ${host_names_sources})
target_include_directories(gentcp_smallest PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(gentcp_smallest PUBLIC gentcp_flags Threads::Threads)
set_target_properties(gentcp_smallest PROPERTIES EXPORT_COMPILE_COMMANDS OFF) # linters have seen these files
foreach(part IN LISTS gentcp_parts)
    target_compile_definitions(gentcp_smallest PUBLIC GENTCP_WITH_${part}=0)
endforeach()
foreach(name IN LISTS tests_of_smallest ITEMS behaviour_sending_test c_host_mailbox_test)
    add_executable(smallest_${name} test/${name}.c)
    target_link_libraries(smallest_${name} PRIVATE gentcp_smallest PkgConfig::CMOCKA)
    target_compile_options(smallest_${name} PRIVATE -UNDEBUG)
    if(NOT name IN_LIST tests_of_smallest)
        set_target_properties(smallest_${name} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
    endif()
    gentcp_test(smallest.${name} smallest_${name})
endforeach()
