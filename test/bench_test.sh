#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The benchmark runs: one case, for a moment. bench_test.sh BUILD-DIRECTORY
set -u

cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkdir "$work/bench"
ln -s "$(cd "$1" && pwd)/tool" "$work/tool"
ln -s "$(cd "$1" && pwd)"/bench/*_echo "$work/bench/"
erlc -o "$work/bench" bench/bench_server.erl || exit

bench/run --case "echo 64 B, 1 active, 1 core" --repeat 1 --seconds 0.1 --build "$work" --docs "$work/docs" \
    >"$work/text" 2>&1
status=$?
for server in gentcp inet socket c_epoll c_gentcp c_libuv; do
    if [ $status = 0 ] && grep -q "^  $server  *[0-9.]* us" "$work/text"; then
        echo "ok the benchmark measures $server"
    else
        echo "not ok the benchmark measures $server"
        status=1
    fi
done
if grep -q '"inet": {' "$work/bench/results.json" && grep -q '<svg' "$work/bench/echo_64_1.svg"; then
    echo "ok it leaves results and a picture"
else
    echo "not ok it leaves results and a picture"
    status=1
fi
if grep -q '^| echo 64 B, 1 active, 1 core | c_gentcp | [0-9.]* ' "$work/docs/README.md" &&
    grep -q '<svg' "$work/docs/echo_64_1.svg"; then
    echo "ok it leaves a page and its picture"
else
    echo "not ok it leaves a page and its picture"
    status=1
fi
# Of the table: that each target is of servers that its case has, and of how many it is.
judged=$(cd bench && python3 -c '
import cases
chosen = list(cases.table_cases())
print(sum(t.ours in c.servers and t.peer in c.servers for c in chosen for t in c.targets),
      sum(len(c.targets) for c in cases.all_cases()))')
if [ "${judged% *}" = "${judged#* }" ] && [ "${judged% *}" -gt 30 ]; then
    echo "ok the table of targets measures what each is about"
else
    echo "not ok the table of targets measures what each is about: $judged"
    status=1
fi
[ $status = 0 ] || cat "$work/text"
exit $status
