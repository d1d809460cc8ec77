#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every test that docs/behaviour.md names exists, and every row names one of Erlang's.
set -u
cd "$(dirname "$0")/.."
page=docs/behaviour.md

# The rows without their other columns; their names.
rows=$(grep '^| ' "$page" | grep -v '^| point |')
column=$(echo "$rows" | sed 's/.* | \(.*\) |$/\1/')
names=$(echo "$column" | tr -d '`' | tr ' ' '\n' | sort -u)
in_c=$(sed -n 's/^static void \([a-zA-Z0-9_]*\)(void \*\*state).*/\1/p' test/*_test.c)
in_erlang=$(sed -nE 's/^([a-zA-Z0-9_]*)\((_|_?Config)\) ->.*/\1/p' test/otp/*_SUITE.erl)
status=0

fail() {
    echo "not ok $page: $1"
    status=1
}

if bad=$(echo "$column" | grep -v '^`[a-zA-Z0-9_]*`\( `[a-zA-Z0-9_]*`\)*$'); then
    fail "rows without tests: $bad"
fi
missing=$(echo "$names" | grep -vxF "$in_c
$in_erlang") && fail "no such tests: $missing"
missing=$(echo "$rows" | grep -vF "$(echo "$in_erlang" | sed 's/.*/`&`/')") && fail "rows without a test in Erlang: $missing"
[ "$status" != 0 ] || echo "ok $page: $(echo "$rows" | wc -l) points, $(echo "$names" | wc -l) tests, all of which exist"
exit $status
