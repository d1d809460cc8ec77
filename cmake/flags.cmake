# SPDX-License-Identifier: Apache-2.0
# gentcp_flags: warnings and hardening for all code that is compiled here. Never exported to users of the library.
include(CheckCCompilerFlag)
include(CheckPIESupported)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)

# Executables of ours become position-independent.
check_pie_supported(LANGUAGES C)

add_library(gentcp_flags INTERFACE)

target_compile_options(gentcp_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes)
if(GENTCP_WERROR)
    target_compile_options(gentcp_flags INTERFACE -Werror)
endif()

function(gentcp_compile_flag_if_supported flag)
    string(MAKE_C_IDENTIFIER "has${flag}" variable)
    check_c_compiler_flag("-Werror ${flag}" ${variable})
    if(${variable})
        target_compile_options(gentcp_flags INTERFACE ${flag})
    endif()
endfunction()

function(gentcp_link_flag_if_supported flag)
    string(MAKE_C_IDENTIFIER "has${flag}" variable)
    check_linker_flag(C ${flag} ${variable})
    if(${variable})
        target_link_options(gentcp_flags INTERFACE ${flag})
    endif()
endfunction()

gentcp_compile_flag_if_supported(-fstack-protector-strong)
gentcp_compile_flag_if_supported(-fstack-clash-protection)
# Return addresses and indirect jumps checked by the processor, where it can: x86, then Arm.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
    gentcp_compile_flag_if_supported(-fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    gentcp_compile_flag_if_supported(-mbranch-protection=standard)
endif()

if(GENTCP_SANITIZE)
    target_compile_options(gentcp_flags INTERFACE
        -fsanitize=${GENTCP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(gentcp_flags INTERFACE -fsanitize=${GENTCP_SANITIZE})
else()
    # Signed overflow is a mistake that the undefined-behaviour sanitizer reports (so it is left undefined there). In
    # what people run, one that slipped through must wrap: otherwise the compiler may drop the very check that guards
    # a length.
    gentcp_compile_flag_if_supported(-fno-strict-overflow)
    # Needs optimization, and hides calls from the address sanitizer. Undefined first: some distributions predefine it.
    set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
    check_c_source_compiles("
        #include <string.h>
        #if !defined(__GLIBC_PREREQ)
        #error
        #elif !__GLIBC_PREREQ(2, 34)
        #error
        #endif
        int main(void) { return 0; }" has_fortify_3)
    unset(CMAKE_REQUIRED_FLAGS)
    if(has_fortify_3)
        set(fortify 3)
    else()
        set(fortify 2)
    endif()
    target_compile_options(gentcp_flags INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
        $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=${fortify}>)
endif()

gentcp_link_flag_if_supported(-Wl,-z,relro)
gentcp_link_flag_if_supported(-Wl,-z,now)
gentcp_link_flag_if_supported(-Wl,-z,noexecstack)
gentcp_link_flag_if_supported(-Wl,--as-needed)
