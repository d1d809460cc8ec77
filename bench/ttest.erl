%% SPDX-License-Identifier: Apache-2.0
%% Runs OTP's socket_test_ttest over gen_tcp: see bench/ttest.
-module(ttest).

-export([run/1]).

-define(TRANSPORT, {socket_test_ttest_tcp_gen, #{domain => inet}}).
-define(RUN_MS, 1000).
-define(OUTSTANDING, #{1 => 100, 2 => 10, 3 => 3}). % as its own defaults

%% Small, medium and large messages, in each mode.
run([Backend]) ->
    choose(Backend),
    io:format("~-7s", [Backend]),
    [
        io:format("  ~s ~s: ~6b/ms", [mode(Active), length_of(Message), exchanges(Active, Message)])
     || Active <- [false, true], Message <- [1, 2, 3]
    ],
    io:format("~n"),
    erlang:halt(0).

choose(inet) -> ok;
choose(socket) -> application:set_env(kernel, inet_backend, socket);
choose(gentcp) -> ok = gentcp:take_over(). % it passes a family

mode(false) -> "passive";
mode(true) -> "active".

length_of(1) -> "small";
length_of(2) -> "medium";
length_of(3) -> "large".

exchanges(Active, Message) ->
    Self = self(),
    %% What it says of itself would be in the way.
    Leader = group_leader(),
    group_leader(spawn_link(fun silence/0), Self),
    {ok, {_Server, Address}} = socket_test_ttest_tcp_server:start(?TRANSPORT, Active),
    {ok, Client} = socket_test_ttest_tcp_client:do_start(
        true, Self, fun(Results) -> Self ! {self(), Results} end, ?TRANSPORT, Address, Active, Message,
        maps:get(Message, ?OUTSTANDING), ?RUN_MS),
    group_leader(Leader, Self),
    receive
        {Client, #{status := ok, cnt := Count, runtime := Time}} -> Count div max(1, Time)
    after 30 * ?RUN_MS -> error({no_result, Active, Message})
    end.

silence() ->
    receive
        {io_request, From, As, _} -> From ! {io_reply, As, ok}
    end,
    silence().
