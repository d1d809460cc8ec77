#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The program gentcp does what gentcp(1) says, on both pollers: tool_test.sh BUILD-DIRECTORY
set -u

tool=$(cd "$1/tool" && pwd)/gentcp || exit
server=
failed=0
work=$(mktemp -d)
trap '[ -z "$server" ] || kill "$server"; rm -r "$work"' EXIT

mkfifo "$work/errors"

gentcp() { timeout 20 "$tool" "$@"; }

# listen ARGUMENT...: runs gentcp listen at a free port, its output in $work/heard, and waits until it listens.
listen() {
    "$tool" listen "$@" 0 2>"$work/errors" >"$work/heard" <"${input:-/dev/null}" &
    server=$!
    exec {errors}<"$work/errors"
    read -r -t 10 -u "$errors" line && port=${line#*port } && [ "$port" -gt 0 ]
}

# ended STATUS: how the server ended, by itself; its last line is in $line.
ended() {
    while read -r -t 10 -u "$errors" next; do line=$next; done
    wait "$server"
    status=$?
    server=
    exec {errors}<&-
    [ $status = "$1" ] && return
    echo "status $status, not $1; $line"
    return 1
}

# interrupted: Ctrl-C ends the server, which then tells its totals.
interrupted() {
    kill -INT "$server"
    ended 130 && [[ $line == gentcp:\ *connection\(s\)* ]]
}

# is FILE TEXT
is() {
    [ "$(cat "$1")" = "$2" ] && return
    echo "expected '$2', got '$(cat "$1")'"
    return 1
}

echo_returns_the_standard_input() {
    head -c 3000000 /dev/urandom >"$work/sent"
    listen --echo || return
    gentcp connect localhost "$port" <"$work/sent" >"$work/returned" && cmp "$work/sent" "$work/returned" && interrupted
}

every_active_mode_receives_everything() {
    head -c 1000000 /dev/urandom >"$work/sent"
    for mode in true once 3 false; do
        input=$work/sent listen --active "$mode" || return
        gentcp connect --active "$mode" 127.0.0.1 "$port" <"$work/sent" >"$work/got" 2>"$work/totals" || return
        cmp "$work/sent" "$work/got" && ended 0 && cmp "$work/sent" "$work/heard" || return
        grep -q ' 1000000 bytes; sent [0-9]*, 1000000 bytes' "$work/totals" || return
    done
}

lines_are_packets_where_a_header_counts() {
    listen --packet 4 --show text || return
    printf 'one\n\ntwo words\nthree' | gentcp connect --packet 4 127.0.0.1 "$port" && ended 0 || return
    is "$work/heard" $'3 bytes "one"\n0 bytes ""\n9 bytes "two words"\n5 bytes "three"'
}

what_is_no_text_is_dumped() {
    listen --packet line --show text || return
    printf 'tab\tand "quotes"\n\001\377 16 bytes, more\n' | gentcp connect 127.0.0.1 "$port" && ended 0 || return
    is "$work/heard" '17 bytes "tab\tand \"quotes\"\n"
18 bytes
  00000000  01 ff 20 31 36 20 62 79  74 65 73 2c 20 6d 6f 72  |.. 16 bytes, mor|
  00000010  65 0a                                             |e.|'
}

http_is_shown_as_what_it_says() {
    listen --packet http --show hex || return
    printf 'GET /a?b HTTP/1.1\r\ncontent-length: 0\r\n\r\nnonsense\r\n' | gentcp connect 127.0.0.1 "$port" && ended 0 || return
    is "$work/heard" 'request "GET" "/a?b" version 1.1
header "Content-Length" "0"
end of header
no http: "nonsense\r\n"'
}

options_go_by_name() {
    listen --option packet=2 --option packet_size=3 --option nodelay --option linger=true,5 --option active=false \
        --option send_timeout=infinity --option family=inet --option ip=127.0.0.1 --show text || return
    # The second packet is larger than packet_size.
    printf 'abc\nabcd\n' | gentcp connect -4 -p 2 127.0.0.1 "$port"
    ended 1 && is "$work/heard" '3 bytes "abc"'
}

bad_arguments_are_refused() {
    for arguments in "" nonsense listen "listen 1 2" "listen 65536" "connect localhost" "connect localhost x" \
        "connect -p 3 localhost 1" "connect -a maybe localhost 1" "connect -o nonsense=1 localhost 1" \
        "connect -o nodelay=2 localhost 1" "connect -o buffer localhost 1" "connect -o mode=list localhost 1" \
        "connect -s loud localhost 1" "load localhost" "load -c 0 localhost 1" "load -d x localhost 1" \
        "load -p http localhost 1" "load -a false localhost 1"; do
        gentcp $arguments >"$work/said" 2>&1 </dev/null
        status=$?
        [ $status = 2 ] && [ -s "$work/said" ] || { echo "gentcp $arguments: $status" && return 1; }
    done
    # Good names and numbers, but the socket refuses them.
    for option in buffer=0 header=1; do
        gentcp connect -o $option localhost 1 2>"$work/said" </dev/null
        [ $? = 1 ] && grep -q badarg "$work/said" || return
    done
}

failures_are_told() {
    listen && gentcp listen "$port" 2>"$work/said" </dev/null
    [ $? = 1 ] && grep -q 'listen: eaddrinuse' "$work/said" && interrupted || return
    gentcp connect 127.0.0.1 "$port" 2>"$work/said" </dev/null
    [ $? = 1 ] && grep -q '127.0.0.1: econnrefused' "$work/said" || return
    gentcp load 127.0.0.1 "$port" >"$work/said"
    [ $? = 1 ] && grep -q '(econnrefused)' "$work/said"
}

an_interruption_ends_a_talk() {
    for mode in true false; do
        rm -f "$work/got"
        mkfifo "$work/silence" && listen --echo || return
        exec {says}<>"$work/silence"
        "$tool" connect --active $mode 127.0.0.1 "$port" <"$work/silence" >"$work/got" 2>"$work/said" &
        client=$!
        echo hello >&$says
        # Its hello is back: both of its threads wait.
        while ! [ -s "$work/got" ]; do kill -0 $client || return; done
        kill -INT $client
        wait $client
        [ $? = 130 ] && grep -q '1 connection(s); received 1 packet(s), 6 bytes' "$work/said" || return
        exec {says}>&-
        rm "$work/silence"
        interrupted || return
    done
}

# number NAME: the value in the report
number() { sed -n "s/^ *\"$1\": \([0-9.]*\),*\$/\1/p" "$work/report"; }
# at_least NUMBER NUMBER
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }

# load_for_a_second ARGUMENT...: runs gentcp load, and goes on when it has shown its progress.
load_for_a_second() {
    rm -f "$work/progress"
    "$tool" load "$@" --json "$work/report" 127.0.0.1 "$port" 2>"$work/progress" >"$work/text" &
    client=$!
    while ! [ -s "$work/progress" ]; do kill -0 $client || return; done
}

load_counts_what_comes_back() {
    for packet in raw line 1; do
        listen --echo --packet "$packet" || return
        gentcp load --quiet -c 5 -t 2 -s 200 -P 3 -w 0.1 -d 0.3 -p "$packet" -a once --json - localhost "$port" \
            >"$work/report" || return
        [ "$(number connected)" = 5 ] && [ "$(number lost)" = 0 ] && [ "$(number unfinished)" = 0 ] &&
            at_least "$(number messages)" 15 && at_least "$(number max)" "$(number p99)" &&
            at_least "$(number p99)" "$(number p50)" && at_least "$(number p50)" 1 && interrupted || return
    done
}

load_has_other_kinds() {
    listen || return
    gentcp load -q -k upload -s 1000 -d 0.2 --json "$work/report" 127.0.0.1 "$port" >"$work/text" && ended 0 || return
    at_least "$(number messages)" 10 && at_least "$(wc -c <"$work/heard")" $(($(number messages) * 1000)) || return
    input=/dev/zero listen || return
    gentcp load -q -k download -s 1000 -d 0.2 --json "$work/report" 127.0.0.1 "$port" >"$work/text" || return
    at_least "$(number messages)" 10 && ended 1 || return # it couldn't send all of /dev/zero
    listen --echo || return
    gentcp load -q -k connect -c 2 -d 0.2 --json "$work/report" 127.0.0.1 "$port" >"$work/text" || return
    at_least "$(number messages)" 3 && at_least "$(number p50)" 1 && interrupted
}

load_tells_what_the_server_uses() {
    listen --echo || return
    gentcp load -q -d 0.3 --pid $server --json "$work/report" 127.0.0.1 "$port" >"$work/text" || return
    at_least "$(number server_cpu_us_per_message)" 0.5 && at_least 500 "$(number server_cpu_us_per_message)" &&
        at_least "$(number server_context_switches_per_message)" 0.1 && grep -q 'us of CPU' "$work/text" && interrupted
}

load_keeps_its_rate() {
    listen --echo || return
    gentcp load -c 3 -d 1 -r 500 --json "$work/report" 127.0.0.1 "$port" >"$work/text" || return
    at_least 501 "$(number messages)" && at_least "$(number messages)" 400 && grep -q 'p99.9' "$work/text" && interrupted
}

# A server that stops after a second is waited for until a second after the end.
load_counts_replies_that_never_come() {
    listen --echo && load_for_a_second -c 3 -d 2 || return
    kill -STOP "$server"
    wait $client
    status=$?
    kill -CONT "$server"
    [ $status = 0 ] && [ "$(number unfinished)" = 3 ] && at_least "$(number max)" 1000000 && interrupted
}

# What it takes until the server has accepted all is no part of what is measured.
load_begins_when_all_have_had_a_reply() {
    listen --echo || return
    kill -STOP "$server"
    load_for_a_second -c 3 -d 0.3 || return
    kill -CONT "$server"
    wait $client && at_least "$(number messages)" 3 && at_least 900000 "$(number max)" &&
        [ "$(number unfinished)" = 0 ] && interrupted
}

# Nanoseconds of CPU that all threads of a process have used; 0: it is gone.
cpu_of() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ sum += $1 } END { printf "%d\n", sum }'; }

load_can_wait_without_sleeping() {
    listen --echo || return
    "$tool" load -q --busy -c 1 -r 1 -d 1000 --json "$work/report" 127.0.0.1 "$port" >"$work/text" &
    client=$!
    while ! at_least "$(cpu_of $client)" 300000000; do
        kill -0 $client && [ "$(ps -o etimes= $client)" -lt 20 ] || return
    done
    kill -INT $client
    wait $client
    [ $? = 130 ] && at_least "$(number messages)" 1 && interrupted
}

load_reports_when_it_is_interrupted() {
    listen --echo && load_for_a_second -c 2 -d 1000 || return
    kill -INT $client
    wait $client
    [ $? = 130 ] && at_least "$(number messages)" 1 && at_least "$(number seconds)" 0.5 && interrupted
}

load_says_that_the_server_has_gone() {
    listen --echo && load_for_a_second -c 2 -d 1000 || return
    interrupted
    wait $client
    [ $? = 1 ] && [ "$(number lost)" = 2 ] && grep -q '(closed)' "$work/text"
}

# check NAME SUFFIX
check() {
    if $1; then
        echo "ok ${1//_/ }$2"
    else
        echo "not ok ${1//_/ }$2"
        failed=1
        [ -z "$server" ] || interrupted
    fi
}

for poller in epoll poll; do
    export GENTCP_POLLER=$poller
    for name in echo_returns_the_standard_input every_active_mode_receives_everything \
        lines_are_packets_where_a_header_counts what_is_no_text_is_dumped http_is_shown_as_what_it_says \
        options_go_by_name bad_arguments_are_refused failures_are_told an_interruption_ends_a_talk \
        load_counts_what_comes_back load_has_other_kinds load_tells_what_the_server_uses \
        load_counts_replies_that_never_come load_begins_when_all_have_had_a_reply \
        load_keeps_its_rate load_can_wait_without_sleeping load_reports_when_it_is_interrupted load_says_that_the_server_has_gone; do
        check $name ", $poller"
    done
done
exit $failed
