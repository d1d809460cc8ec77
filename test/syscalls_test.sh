#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A round trip through gentcp costs the system calls that it costs without: syscalls_test.sh BUILD-DIRECTORY
#
# Echo servers of both kinds run under strace(1); a client makes round trips of 64 bytes, over one connection, and in
# rounds over fifty. Calls are counted between the last answer of an uncounted first round and the last answer of all.
set -u

build=$(cd "$1" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -r "$work"' EXIT
trips=2000
failed=0

# count CONNECTIONS SERVER...: sets recvs, sends, waits and others (with their names in $work/others).
count() {
    local connections=$1 port
    shift
    rm -f "$work/log"
    exec {output}< <(exec strace -f -qq -o "$work/log" "$@")
    server=$!
    read -r -t 20 -u "$output" port || return
    timeout 60 "$build/echo/client" "$port" "$connections" $((trips / connections)) || return
    wait "$server" || return
    server=
    exec {output}<&-
    awk -v first="$connections" -v last=$((trips + connections)) '
        { name = $2; sub(/\(.*/, "", name) }
        name == "recvfrom" && sends >= first { recvs++ }
        name ~ /^(epoll_wait|epoll_pwait|epoll_pwait2|poll|ppoll)$/ && sends >= first { waits++ }
        name !~ /^(recvfrom|sendto|sendmsg|epoll_wait|epoll_pwait|epoll_pwait2|poll|ppoll)$/ && sends >= first {
            others[name]++
            count++
        }
        name ~ /^(sendto|sendmsg)$/ && ++sends == last { exit }
        END {
            print recvs + 0, sends - first, waits + 0, count + 0
            for (name in others) print "    " name, others[name] >"/dev/stderr"
        }' "$work/log" >"$work/counts" 2>"$work/others"
    read -r recvs sends waits others <"$work/counts"
}

row() { printf '%-34s %6d %6d %6d %6d\n' "$@"; }

# check NAME TRUE: one line of result.
check() {
    if [ "$2" = 1 ]; then
        echo "ok $1"
    else
        echo "not ok $1"
        failed=1
    fi
}

# compare CONNECTIONS POLLER MODE: the gentcp server against the one without. How many events a wait finds depends, with
# several connections, on when they come: so the fewest waits of some tries are compared.
compare() {
    local connections=$1 poller=$2 mode=$3 needed=999999 fewest=999999 exact=1 nothing=1 done=0
    local name="$mode, $connections connections, $poller"
    while [ $done -lt $((connections > 1 ? 3 : 1)) ] || { [ $done -lt 8 ] && ! waits_enough $fewest $needed; }; do
        count "$connections" "$build/echo/epoll_server" "$connections" || break
        row "without gentcp, $connections connections" "$recvs" "$sends" "$waits" "$others"
        needed=$((waits < needed ? waits : needed))
        count "$connections" env GENTCP_POLLER="$poller" "$build/echo/gentcp_server" "$mode" "$connections" || break
        row "$name" "$recvs" "$sends" "$waits" "$others"
        cat "$work/others"
        fewest=$((waits < fewest ? waits : fewest))
        exact=$((exact && recvs == trips && sends == trips))
        nothing=$((nothing && others * 500 <= trips))
        done=$((done + 1))
    done
    check "one recv and one send a round trip: $name" $((done && exact))
    check "no more waits than without gentcp: $name" $((done && $(waits_enough $fewest $needed && echo 1 || echo 0)))
    check "no other calls: $name" $((done && nothing))
}

# Up to 2 % more, or one more: the window of counting may begin with one.
waits_enough() { [ "$1" -le $(($2 + $2 / 50 + 1)) ]; }

if ! strace -o "$work/log" true; then
    check "strace works here" 0
    exit 1
fi
printf '%-34s %6s %6s %6s %6s\n' "calls for $trips round trips" recv send wait other
for poller in epoll poll; do
    compare 1 $poller active
    compare 1 $poller passive
    compare 50 $poller active
done
exit $failed
