%% SPDX-License-Identifier: Apache-2.0
%% Any term as any argument, in any state of a socket: an error or an exception, and never a crash or a hang of the
%% emulator. Runs on nodes of its own, so that a crash is a failure that says what was called.
-module(gentcp_any_term_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
-export([any_term_as_any_argument/1, a_crash_says_what_was_called/1, what_gen_tcp_refuses_is_refused/1]).

-define(TIMES, 40).             % each function
-define(PATIENCE_MS, 120000).   % for all of it: far more than it takes

suite() ->
    [{timetrap, {minutes, 5}}].

all() ->
    [any_term_as_any_argument, a_crash_says_what_was_called, what_gen_tcp_refuses_is_refused].

any_term_as_any_argument(Config) ->
    {Calls, Odd} = on_a_node(Config, any_term, run, [trace(Config), ?TIMES]),
    ct:pal("~b calls", [Calls]),
    ?assert(Calls > 1000),
    ?assertEqual([], Odd).

a_crash_says_what_was_called(Config) ->
    ok = file:write_file(trace(Config), "{passive,gentcp,send,[1]}"),
    ?assertMatch(
        {lost, <<"{passive,gentcp,send,[1]}">>, _}, catch on_a_node(Config, erlang, halt, [1])
    ).

%% And what it takes is taken.
what_gen_tcp_refuses_is_refused(Config) ->
    {Calls, Differences} = on_a_node(Config, any_term, compare, [?TIMES div 2]),
    ct:pal("~b calls", [Calls]),
    ?assert(Calls > 400),
    ?assertEqual([], Differences).

trace(Config) ->
    filename:join(proplists:get_value(priv_dir, Config), "called").

on_a_node(Config, Module, Function, Arguments) ->
    Paths = [filename:dirname(code:which(M)) || M <- [gentcp, ?MODULE, proper]],
    {ok, Peer, _} = peer:start(#{connection => standard_io, args => ["-pa" | Paths]}),
    try
        peer:call(Peer, Module, Function, Arguments, ?PATIENCE_MS)
    catch
        Class:Reason ->
            {ok, Called} = file:read_file(trace(Config)),
            throw({lost, hd(binary:split(Called, <<0>>)), {Class, Reason}})
    after
        catch peer:stop(Peer)
    end.
