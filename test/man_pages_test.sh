#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual tells of every function and option, as the header declares them: man_pages_test.sh BUILD-DIRECTORY
set -u

build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
man=$build/man
. "$(dirname "$0")/check.sh"

# The pages that aren't just links to others.
pages() { grep -L '^\.so ' "$man"/man3/*.3; }

# Which functions there are is the library's word, not that of the program under test.
functions() { nm -D --defined-only "$build/libgentcp.so" | sed -n 's/.* T \(gentcp_[a-z_]*\)$/\1/p'; }

# As a reader sees it, without what makes it bold. Links are followed from the folder above man3.
shown() { (cd "$man" && mandoc -T ascii -O width=200 "man3/$1.3") | sed 's/.\x08//g'; }

# declaration FUNCTION: as its page's SYNOPSIS has it.
declaration() {
    shown "$1" | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '/^[A-Z]/d; /#include/d' | tr -s '\n ' '  ' |
        grep -o "[^;]*\b$1([^;]*);"
}

# A compiler finds no conflict between them and the header.
declares_each_function() {
    functions >"$work/functions"
    [ -s "$work/functions" ] || return 1
    echo '#include <gentcp.h>' >"$work/all.c"
    while read -r function; do
        declaration "$function" >>"$work/all.c" || { echo "not declared by a page of its name: $function"; return 1; }
    done <"$work/functions"
    cc -std=c11 -Wall -Wextra -Werror -I "$root/include" -fsyntax-only "$work/all.c"
}

tells_of_each_option() {
    shown gentcp_options >"$work/options"
    sed -n 's/^#define \(GENTCP_[A-Z0-9_]*\)([a-z, ]*) .*GENTCP_OPT.*/\1/p' "$root/include/gentcp.h" >"$work/names"
    [ "$(wc -l <"$work/names")" -gt 30 ] || return 1
    while read -r option; do
        grep -q "^ *$option(" "$work/options" || { echo "not there: $option"; return 1; }
    done <"$work/names"
}

mandoc_is_content() { pages | xargs mandoc -T lint -W style; }

groff_is_content() { ! { pages | xargs -n 1 groff -man -t -ww -z -K utf8 2>&1; } | grep .; }

each_page_is_whole() {
    for page in $(pages); do
        for heading in NAME SYNOPSIS DESCRIPTION 'SEE ALSO'; do
            grep -q "^\.SH $heading\$" "$page" || { echo "$page: no $heading"; return 1; }
        done
    done
}

refuses_a_function_without_a_comment() {
    sed 's/^GENTCP_API int gentcp_listen/\n&/' "$root/include/gentcp.h" >"$work/gentcp.h"
    mkdir "$work/pages"
    ! "$root/tools/man_pages" "$work/gentcp.h" "$work/pages" 1 2>"$work/error" && grep gentcp_listen "$work/error"
}

check "each function's page declares it as the header does" declares_each_function
check "gentcp_options(3) tells of each option" tells_of_each_option
check "each page has its sections" each_page_is_whole
check "mandoc has nothing to say about the pages" mandoc_is_content
check "groff has nothing to say about the pages" groff_is_content
check "a function without a comment is refused" refuses_a_function_without_a_comment
exit $failed
