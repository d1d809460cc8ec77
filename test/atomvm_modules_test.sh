#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What of the AtomVM host can be tested without an AtomVM: test/atomvm_modules_test.sh BUILD. The rest: make test-atomvm.
set -u
cd "$(dirname "$0")/.."
if ! command -v erlc >/dev/null; then
    echo "Left out: the AtomVM host's modules, no erlc (Debian: erlang-base)"
    exit 0
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

check() {
    name=$1
    shift
    if result=$("$@" 2>&1); then
        echo "ok $name"
    else
        echo "not ok $name"
        echo "$result" | sed 's/^/    /'
        failed=1
    fi
}

# AtomVM has a small part of OTP's libraries.
calls_only_erlang() {
    erl -noshell -eval '
        {ok, _} = xref:start(x),
        {ok, _} = xref:add_directory(x, hd(init:get_plain_arguments())),
        {ok, Unknown} = xref:analyze(x, undefined_function_calls),
        case [Call || {_, {Module, _, _}} = Call <- Unknown, Module =/= erlang] of
            [] -> halt(0);
            Bad -> io:format("~p~n", [Bad]), halt(1)
        end.' -extra "$out"
}

natives_match() {
    grep -o 'NATIVE([a-z_]*, [0-9]*)' hosts/atomvm/nif.c | sed 's/NATIVE(\(.*\), \(.*\))/\1\/\2/' | sort >"$out/native"
    sed -n '/^-export(/p' hosts/atomvm/src/gentcp_nif.erl | grep -o '[a-z_]*/[0-9]*' | sort >"$out/exported"
    [ -s "$out/native" ] && diff "$out/native" "$out/exported"
}

check "AtomVM's modules compile" erlc +debug_info -Werror -o "$out" \
    hosts/atomvm/src/gentcp.erl hosts/atomvm/src/gentcp_nif.erl hosts/otp/src/gentcp_time.erl
check "AtomVM's modules call nothing that AtomVM may not have" calls_only_erlang
check "the native functions are those that gentcp_nif.erl declares" natives_match
echo "Left out: the driver itself, which needs an AtomVM (make test-atomvm)"
exit $failed
