%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: what a call costs that waits in a process with many messages.
-module(gentcp_waiting_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [pair/1, close/1, await_blocked/1, next/0]).

-export([all/0, suite/0]).
-export([
    recv_does_not_look_at_the_mailbox/1,
    accept_does_not_look_at_the_mailbox/1,
    send_does_not_look_at_the_mailbox/1,
    send_that_times_out_does_not_look_at_the_mailbox/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).
-define(MESSAGES, 100000).
-define(CALLS, 20).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

recv_does_not_look_at_the_mailbox(_) ->
    {C, S} = pair([binary, {active, false}]),
    independent_of_the_mailbox(fun(_) -> {ok, <<"x">>} = gentcp:recv(S, 1, ?WAIT) end, fun(Pid) ->
        await_blocked(Pid),
        ok = gentcp:send(C, "x")
    end),
    close([C, S]).

accept_does_not_look_at_the_mailbox(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {ok, Port} = gentcp:port(L),
    independent_of_the_mailbox(fun(_) -> {ok, _} = gentcp:accept(L, ?WAIT) end, fun(Pid) ->
        await_blocked(Pid),
        {ok, C} = gentcp:connect(?LOCAL, Port, [{active, false}]),
        close([C])
    end),
    close([L]).

send_does_not_look_at_the_mailbox(_) ->
    {C, S} = pair([binary, {active, false}, {sndbuf, 10000}, {recbuf, 10000}]),
    Data = rand:bytes(1000000),
    independent_of_the_mailbox(fun(_) -> [ok = gentcp:send(C, Data) || _ <- [1, 2]] end, fun(Pid) ->
        await_blocked(Pid),
        {ok, _} = gentcp:recv(S, 2 * byte_size(Data), ?WAIT)
    end),
    close([C, S]).

send_that_times_out_does_not_look_at_the_mailbox(_) ->
    {C, S} = pair([binary, {active, false}, {send_timeout, 1}]),
    Data = rand:bytes(1000000),
    Fill = fun Fill() -> gentcp:send(C, Data) =/= ok orelse Fill() end,
    Fill(),
    independent_of_the_mailbox(fun(_) -> {error, timeout} = gentcp:send(C, "x") end, fun(_) -> ok end),
    ok = gentcp:setopts(C, [{linger, {true, 0}}]),
    close([C, S]).

%% Call is made often by one process that has no other message, and by one that has many; Answer lets it return. To
%% look at a message once costs a reduction.
independent_of_the_mailbox(Call, Answer) ->
    [Empty, Full] = [reductions(Messages, Call, Answer) || Messages <- [0, ?MESSAGES]],
    ct:pal("reductions of ~b calls: ~b, and with ~b messages ~b", [?CALLS, Empty, ?MESSAGES, Full]),
    ?assert(Full < 2 * Empty + ?MESSAGES div 10).

reductions(Messages, Call, Answer) ->
    Self = self(),
    Pid = spawn_opt(
        fun() ->
            [self() ! I || I <- lists:seq(1, Messages)],
            Begin = reductions(),
            Self ! {begun, self()},
            [Call(I) || I <- lists:seq(1, ?CALLS)],
            Self ! {used, reductions() - Begin}
        end,
        [link, {message_queue_data, off_heap}]
    ),
    {begun, Pid} = next(),
    [Answer(Pid) || _ <- lists:seq(1, ?CALLS)],
    {used, Reductions} = next(),
    Reductions.

reductions() ->
    {reductions, Reductions} = process_info(self(), reductions),
    Reductions.
