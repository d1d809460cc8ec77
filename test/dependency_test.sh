#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Another rebar3 project can have gentcp among its dependencies: dependency_test.sh BUILD-DIRECTORY
set -u

. "$(dirname "$0")/check.sh"
gentcp=$(cd "$(dirname "$0")/.." && pwd)

# A checkout is what rebar3 takes in place of what it would fetch.
mkdir -p "$work/src" "$work/_checkouts" && ln -s "$gentcp" "$work/_checkouts/gentcp"
echo '{deps, [gentcp]}.' >"$work/rebar.config"
cat >"$work/src/program.app.src" <<'END'
{application, program, [{vsn, "1"}, {applications, [kernel, stdlib, gentcp]}]}.
END
cat >"$work/src/program.erl" <<'END'
-module(program).
-export([main/0]).

main() ->
    {ok, _} = application:ensure_all_started(program),
    {ok, L} = gentcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gentcp:connect("localhost", Port, [binary, {active, false}]),
    {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(S, 0),
    halt().
END
compiles() { (cd "$work" && rebar3 compile); }
runs() { (cd "$work" && ERL_LIBS=_build/default/lib:_build/default/checkouts erl -noshell -run program main); }

check "a project that depends on gentcp compiles" compiles
check "it runs" runs
exit $failed
