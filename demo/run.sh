#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sends a file to a server and back in every mode, from C and from Erlang, and compares: [FILE=...] demo/run.sh
set -u

file=$(realpath "${FILE:-$(command -v cmake)}")
cd "$(dirname "$0")/.." || exit
modes="passive active once packet4"
log=build/run.log
server=
work=$(mktemp -d)
trap '[ -z "$server" ] || kill "$server"; rm -r "$work"' EXIT

give_up() {
    echo "FAILED: $*" >&2
    exit 1
}

# quietly COMMAND...: its output goes to the log, whose end is shown if it fails.
quietly() {
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    give_up "$* (all of its output is in $log)"
}

sum_of() { sha256sum <"$1" | cut -c1-12; }

# row CLIENT MODE BYTES MB/S SHA256 STATUS: a row of the table, which is a failure unless everything came back.
failures=0
row() {
    local status=$6
    [ "$status" != ok ] || [ "$3$5" = "$size$sum" ] || status=DIFFERENT
    [ "$status" = ok ] || failures=$((failures + 1))
    printf '  %-7s %-8s %12s %6s   %-12s   %s\n' "$1" "$2" "$3" "$4" "$5" "$status"
}

# run_c NAME MODE: leaves "BYTES MB/S" in NAME.out, what came back in NAME.copy.
run_c() { timeout 60 build/demo/exchange_client 127.0.0.1 "$port" "$2" "$file" "$work/$1.copy" >"$work/$1.out"; }
show_c() {
    if [ "$1" = 0 ]; then
        read -r bytes speed <"$work/$3.out"
        row "$2" "$4" "$bytes" "$speed" "$(sum_of "$work/$3.copy")" ok
    else
        row "$2" "$4" - - - "FAILED ($1)"
    fi
}

[ -r "$file" ] && [ -f "$file" ] || give_up "no such file: $file"
size=$(stat -L -c %s "$file")
sum=$(sum_of "$file")

echo
echo "gentcp: a file goes to a server and back, in every mode"
echo
echo "  building (a minute the first time) ..."
mkdir -p build && : >"$log"
quietly cmake -S . -B build -DGENTCP_WERROR="${WERROR:-OFF}"
quietly cmake --build build -j "$(nproc)" --target examples demo
quietly make otp

# serve COMMAND...: leaves its port and its process.
serve() {
    exec {output}< <(exec "$@")
    server=$!
    read -r -t 10 -u "$output" line && port=${line#listening on } || give_up "the server doesn't listen"
}
export ERL_LIBS=_build/default/lib

serve build/demo/exchange_server 0
echo "  file     $file, sha256 $sum..."
echo "  server   build/demo/exchange_server, in C, at 127.0.0.1:$port"
echo "  clients  C: build/demo/exchange_client; C x 4: all modes at once; Erlang: examples/exchange.escript"
echo
printf '  %-7s %-8s %12s %6s   %-12s\n' client mode "bytes back" MB/s "sha256 of them"

for mode in $modes; do
    run_c alone "$mode"
    show_c $? C alone "$mode"
done

declare -A clients
for mode in $modes; do
    run_c "$mode" "$mode" &
    clients[$mode]=$!
done
for mode in $modes; do
    wait "${clients[$mode]}"
    show_c $? "C x 4" "$mode" "$mode"
done

# The client prints for each mode "erlang MODE N bytes sha256 SUM ok".
run_erlang() {
    timeout 60 escript examples/exchange.escript 127.0.0.1 "$port" "$file" $modes >"$work/erlang"
    local status=$?
    while read -r _ mode bytes _ _ erlang_sum result; do
        row Erlang "$mode" "$bytes" "" "${erlang_sum:0:12}" "$result"
    done <"$work/erlang"
    [ $status = 0 ] || give_up "examples/exchange.escript ended with $status"
    [ "$(wc -l <"$work/erlang")" = "$(echo "$modes" | wc -w)" ] || give_up "examples/exchange.escript left out a mode"
}
run_erlang
kill -0 "$server" || give_up "the server has ended"
kill "$server"

serve escript examples/exchange_server.escript 0
echo
echo "  server   examples/exchange_server.escript, in Erlang, at 127.0.0.1:$port"
for mode in $modes; do
    run_c alone "$mode"
    show_c $? C alone "$mode"
done
run_erlang
kill -0 "$server" || give_up "the server has ended"

echo
echo "  server   OTP's own httpd; client: OTP's own httpc, after gentcp:take_over() (demo/take_over.escript)"
mkdir "$work/www" && ln -s "$file" "$work/www/file"
if timeout 60 escript demo/take_over.escript "$work/www/file" >"$work/httpd" && read -r bytes speed copy <"$work/httpd"; then
    row httpc get "$bytes" "$speed" "${copy:0:12}" ok
else
    row httpc get - - - FAILED
fi

echo
[ $failures = 0 ] || give_up "$failures of these copies are not what was sent"
cat <<'END'
Every copy is identical to the file.

What to try next:
  make run FILE=/some/other/file       another file
  build/examples/echo_server 4000      an echo server; then, elsewhere: nc localhost 4000
  build/examples/chat_server 4001      a chat room; then, two or three times: nc localhost 4001
  make test                            every test, on both pollers
  sudo make install                    the C library; then: cc program.c $(pkg-config --cflags --libs gentcp)
  README.md, include/gentcp.h          how to use it; ARCHITECTURE.md: how it works
END
