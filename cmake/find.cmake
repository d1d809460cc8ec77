# SPDX-License-Identifier: Apache-2.0
# gentcp_find(PREFIX NAME): target PkgConfig::PREFIX, if pkg-config is there and knows NAME.
find_package(PkgConfig QUIET)
function(gentcp_find prefix name)
    if(PkgConfig_FOUND)
        pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${name})
    endif()
endfunction()
