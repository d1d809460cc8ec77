#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples do what they say, on both pollers: examples_test.sh BUILD-DIRECTORY
set -u

examples=$(cd "$1/examples" && pwd) && cd "$(dirname "$0")/.." || exit
server=
failed=0
work=$(mktemp -d)
trap '[ -z "$server" ] || kill "$server"; rm -r "$work"' EXIT

# start PROGRAM: runs a server at a free port, and waits until it listens.
start() {
    exec {output}< <(exec "$examples/$1" 0 2>&1)
    server=$!
    read -r -t 10 -u "$output" line && port=${line#listening on } && [ "$port" -gt 0 ]
}

# stop: ends the server. It must not have ended by itself before: 143 is "by SIGTERM".
stop() {
    kill "$server"
    wait "$server"
    status=$?
    server=
    exec {output}<&-
    [ $status = 143 ]
}

connect() { exec {socket}<>"/dev/tcp/127.0.0.1/$port"; }
disconnect() { exec {socket}>&-; }
# hears TEXT: the next line on the socket is this.
hears() {
    read -r -t 10 -u "$socket" line && [ "$line" = "$1" ] && return
    echo "expected '$1', got '$line'"
    return 1
}

first_echoes_one_client() {
    start first && connect || return
    echo hello >&$socket && hears hello && disconnect || return
    read -r -t 10 -u "$output" line && [ "$line" = closed ] || return
    wait "$server"
    status=$?
    server=
    return $status
}

echo_server_serves_several_clients_at_once() {
    start echo_server || return
    connect && one=$socket && connect && two=$socket && connect && three=$socket || return
    # The other way round than they came: each is served without waiting for those before it.
    for socket in $three $one $two $one $three; do
        echo "to $socket" >&$socket && hears "to $socket" || return
    done
    for socket in $one $two $three; do
        disconnect && read -r -t 10 -u "$output" line && [ "$line" = "ended: closed" ] || return
    done
    stop
}

echo_server_returns_what_is_larger_than_its_buffers() {
    start echo_server && connect || return
    head -c 20000000 /dev/urandom >"$work/sent"
    timeout 30 cat "$work/sent" >&$socket &
    timeout 30 head -c 20000000 <&$socket >"$work/returned"
    wait $! && disconnect && cmp "$work/sent" "$work/returned" && stop
}

chat_server_passes_lines_to_the_others() {
    start chat_server && connect && one=$socket || return
    connect && two=$socket && socket=$one && hears "guest 2 has come" || return
    echo hello >&$one && socket=$two && hears "guest 1: hello" || return
    connect && three=$socket && socket=$one && hears "guest 3 has come" || return
    socket=$two && hears "guest 3 has come" && echo "hi all" >&$two || return
    socket=$one && hears "guest 2: hi all" && socket=$three && hears "guest 2: hi all" || return
    socket=$two && disconnect && socket=$three && hears "guest 2 has left" || return
    socket=$one && hears "guest 2 has left" && disconnect && socket=$three && hears "guest 1 has left" && disconnect &&
        stop
}

chat_server_drops_a_guest_who_never_reads() {
    start chat_server && connect && connect && talker=$socket && connect && listener=$socket || return
    socket=$talker && hears "guest 3 has come" || return
    { head -c 60000 /dev/zero | tr '\0' 'x' && echo; } >"$work/line"
    # The talker fills the buffers of guest 1. Each line is awaited by the listener, or else what came before it.
    for ((i = 0; i < 1000; i++)); do
        timeout 10 cat "$work/line" >&$talker && timeout 10 head -c $((9 + 60001)) <&$listener >"$work/heard" || return
        grep -q '^guest 1 has left$' "$work/heard" && stop && return
    done
    return 1
}

rpc_answers() {
    start rpc_server || return
    answers=$(timeout 10 "$examples/rpc_client" 127.0.0.1 "$port" 'reverse hello' 'sum 1 2 3.5' 'reverse ' nonsense)
    [ $? = 0 ] || return
    [ "$answers" = "olleh
6.5

error: reverse TEXT, or sum NUMBER..." ] && stop
}

rpc_server_serves_several_clients_at_once() {
    start rpc_server && connect && idle=$socket || return
    for i in 1 2 3 4 5 6 7 8 9; do
        [ "$(timeout 10 "$examples/rpc_client" localhost "$port" "sum $i 1")" = $((i + 1)) ] || return
    done
    socket=$idle && disconnect && stop
}

rpc_server_refuses_a_packet_that_is_too_large() {
    start rpc_server && connect || return
    printf '\000\001\000\001' >&$socket # 65537 bytes will follow, it says
    read -r -t 10 -u "$socket" line
    status=$?
    disconnect
    # 1: the end of the stream; more: the time has passed.
    [ $status = 1 ] && stop
}

rpc_client_tells_why_it_failed() {
    start rpc_server && stop || return
    message=$(timeout 10 "$examples/rpc_client" 127.0.0.1 "$port" "sum 1" 2>&1)
    [ $? = 1 ] && [ "$message" = "127.0.0.1 $port: econnrefused" ]
}

# get EXPECTED ARGUMENT...: curl's output
get() {
    expected=$1
    shift
    got=$(curl -s --max-time 10 --noproxy '*' "$@") && [ "$got" = "$expected" ] && return
    echo "expected '$expected', got '$got'"
    return 1
}

http_server_answers_and_keeps_the_connection() {
    start http_server || return
    url=http://127.0.0.1:$port
    get 'hello' "$url/" && get 'a body' -d 'a body' "$url/" || return
    # The second request and the third, which has a body, open no connection of their own.
    get '200 1 200 0 200 0 ' -o "$work/1" -o "$work/2" -o "$work/3" -w '%{http_code} %{num_connects} ' "$url/a" "$url/b" "$url/c" \
        && stop
}

http_server_returns_a_large_body() {
    start http_server || return
    head -c 1000000 /dev/urandom >"$work/sent"
    curl -s --max-time 20 --noproxy '*' --data-binary "@$work/sent" "http://127.0.0.1:$port/" >"$work/returned"
    cmp "$work/sent" "$work/returned" && stop
}

http_server_tells_what_it_refuses() {
    start http_server || return
    url=http://127.0.0.1:$port
    head -c 1000001 /dev/zero >"$work/large"
    get 413 -o "$work/answer" -w '%{http_code}' --data-binary "@$work/large" "$url/" || return
    get 501 -o "$work/answer" -w '%{http_code}' -H 'Transfer-Encoding: chunked' -d x "$url/" || return
    get 400 -o "$work/answer" -w '%{http_code}' -H 'Content-Length: 0x1' -d x "$url/" || return
    get 400 -o "$work/answer" -w '%{http_code}' -H 'Broken Name: x' "$url/" || return
    connect && printf 'nonsense\r\n' >&$socket && hears $'HTTP/1.1 400 -\r' && disconnect && stop
}

# A reset would end the writing of a client that reads the answer afterwards.
http_server_reads_what_it_refuses() {
    start http_server && connect || return
    printf 'POST / HTTP/1.1\r\nContent-Length: 1000001\r\n\r\n' >&$socket
    hears $'HTTP/1.1 413 -\r' && head -c 1000001 /dev/zero >&$socket && disconnect && stop
}

# say_and_hear_the_end REQUEST: the server's answer, up to the end of the connection.
say_and_hear_the_end() {
    connect && printf "$1" >&$socket && timeout 5 cat <&$socket >"$work/answer" && disconnect
}

http_server_closes_when_asked_to() {
    start http_server || return
    say_and_hear_the_end 'GET / HTTP/1.1\r\nconnection: Close\r\n\r\n' && grep -q '^Connection: close' "$work/answer" || return
    say_and_hear_the_end 'GET / HTTP/1.0\r\n\r\n' && tail -n 1 "$work/answer" | grep -qx hello || return
    say_and_hear_the_end 'HEAD / HTTP/1.0\r\n\r\n' && ! grep -q hello "$work/answer" && stop
}

# Two requests at once, of which the first has a body that looks like a third.
http_server_takes_a_body_for_no_request() {
    start http_server || return
    say_and_hear_the_end 'PUT / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n' || return
    [ "$(grep -c 'HTTP/1.1 200' "$work/answer")" = 2 ] && grep -qx $'GET / HTTP/1.1\r' "$work/answer" && stop
}

http_server_stands_a_load() {
    start http_server || return
    timeout 20 wrk -t 1 -c 32 -d 1 "http://127.0.0.1:$port/" >"$work/load" || return
    grep -q '^ *[1-9][0-9]* requests in' "$work/load" && ! grep -E 'Socket errors|Non-2xx' "$work/load" && stop
}

# The program in README is first.c without its license line.
readme_shows_first() {
    diff <(awk '/<!-- examples\/first\.c -->/ { found = 1 }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside' README.md) <(tail -n +2 examples/first.c)
}

# check NAME SUFFIX
check() {
    if $1; then
        echo "ok ${1//_/ }$2"
    else
        echo "not ok ${1//_/ }$2"
        failed=1
        [ -z "$server" ] || stop
    fi
}

check readme_shows_first ""
for poller in epoll poll; do
    export GENTCP_POLLER=$poller
    for name in first_echoes_one_client echo_server_serves_several_clients_at_once \
        echo_server_returns_what_is_larger_than_its_buffers chat_server_passes_lines_to_the_others \
        chat_server_drops_a_guest_who_never_reads rpc_answers rpc_server_serves_several_clients_at_once \
        rpc_server_refuses_a_packet_that_is_too_large rpc_client_tells_why_it_failed \
        http_server_answers_and_keeps_the_connection http_server_returns_a_large_body \
        http_server_tells_what_it_refuses http_server_reads_what_it_refuses http_server_closes_when_asked_to \
        http_server_takes_a_body_for_no_request http_server_stands_a_load; do
        check $name ", $poller"
    done
done
exit $failed
