# SPDX-License-Identifier: Apache-2.0
# For the test scripts, which include it: a folder of their own, $work, and check. $failed: 1 after a failure.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND...: one line of result; what the command printed only if it failed.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/    /' "$work/log"
        failed=1
    fi
}
