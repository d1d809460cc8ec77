#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# #include points down only: what each folder may name, as CONTRIBUTING.md says.
set -u
cd "$(dirname "$0")/.."
failed=0

# Every file of a folder that includes one of the project's, as FILE:LINE:#include "...".
includes() { git ls-files "$1/*.[ch]" | xargs grep -nE '^ *# *include "' /dev/null; }

# may FOLDER PATTERN...: the folder's files include only such.
may() {
    folder=$1
    shift
    others=$(includes "$folder" | grep -vE "\"($(echo "$@" | tr ' ' '|'))\"")
    case $folder in
    hosts/*) others="$others$(includes "$folder" | grep -E '"engine/(internal|op_list)\.h"')" ;;
    esac
    if [ -z "$others" ] && includes "$folder" >/dev/null; then
        echo "ok $folder includes only what is below it"
    else
        echo "not ok $folder includes only what is below it"
        echo "$others" | sed 's/^/    /'
        failed=1
    fi
}

may sys 'sys/.*'
may pollers 'pollers/.*' 'sys/.*'
may engine 'engine/.*' 'pollers/poller.h' 'sys/.*'
may hosts/c 'hosts/c/.*' 'hosts/names/.*' 'engine/.*' 'pollers/poller.h' 'sys/.*' gentcp.h
may hosts/names 'hosts/names/.*' 'sys/.*'
may hosts/erlang 'hosts/erlang/.*' 'engine/.*' 'sys/.*'
may hosts/otp 'hosts/otp/.*' 'hosts/erlang/terms.h' 'engine/.*' 'pollers/poller.h' 'sys/.*'
may hosts/atomvm 'hosts/atomvm/.*' 'hosts/erlang/terms.h' 'hosts/names/.*' 'engine/.*' 'pollers/poller.h' 'sys/.*'
exit $failed
