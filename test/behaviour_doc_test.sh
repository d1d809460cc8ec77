#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every test that docs/behaviour.md names exists, and every row names one.
set -u
cd "$(dirname "$0")/.."
page=docs/behaviour.md

# The last column of each row; its names.
column=$(grep '^| ' "$page" | grep -v '^| point |' | sed 's/.* | \(.*\) |$/\1/')
rows=$(echo "$column" | grep -c .)
names=$(echo "$column" | tr -d '`' | tr ' ' '\n' | sort -u)
status=0
if bad=$(echo "$column" | grep -v '^`[a-zA-Z0-9_]*`\( `[a-zA-Z0-9_]*`\)*$'); then
    echo "not ok $page: rows without tests:"
    echo "$bad"
    status=1
fi
missing=
for name in $names; do
    grep -Eqs "^(static void $name\(void \*\*state\)|$name\((_|_?Config)\) ->)" test/*_test.c test/otp/*_SUITE.erl || missing="$missing $name"
done
if [ -n "$missing" ]; then
    echo "not ok $page: no such tests:$missing"
    status=1
fi
[ "$status" != 0 ] || echo "ok $page: $rows points, $(echo "$names" | wc -l) tests, all of which exist"
exit $status
