%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: what a call costs that waits: time in a process with many messages, and memory; and what memory is left
%% to a process that has received many.
-module(gentcp_waiting_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [pair/1, close/1, await_blocked/1, flush/0, next/0, memory/0, until/1]).

-export([all/0, suite/0]).
-export([
    recv_does_not_look_at_the_mailbox/1,
    recv_takes_references_while_the_mailbox_is_long/1,
    accept_does_not_look_at_the_mailbox/1,
    send_does_not_look_at_the_mailbox/1,
    send_that_times_out_does_not_look_at_the_mailbox/1,
    a_call_that_waits_takes_no_memory_for_those_that_do_not_any_more/1,
    a_process_that_echoes_keeps_a_small_heap/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).
-define(MESSAGES, 100000).
-define(CALLS, 20).
-define(MEASURED, 64). % one of so many calls of recv counts
-define(MANY, 20000).
-define(LEFT, 500).
-define(ECHOES, 300).
-define(SMALL, 8000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% The first recv that waits counts what is there, so each process has a socket of its own.
recv_does_not_look_at_the_mailbox(_) ->
    Pairs = [{C, S}, {LaterC, LaterS}] = [pair([binary, {active, false}]) || _ <- [1, 2]],
    Answer = fun(To) -> fun(Pid) -> await_blocked(Pid), ok = gentcp:send(To, "x") end end,
    Call = fun(From) -> fun(_) -> {ok, <<"x">>} = gentcp:recv(From, 1, ?WAIT) end end,
    Empty = reductions(0, Call(S), Answer(C)),
    as_much_for_both(Empty, reductions(?MESSAGES, Call(LaterS), Answer(LaterC))),
    close([Socket || {A, B} <- Pairs, Socket <- [A, B]]).

%% It counts now and then, and always while there is much.
recv_takes_references_while_the_mailbox_is_long(_) ->
    {C, S} = pair([binary, {active, false}]),
    Self = self(),
    Pid = spawn_link(fun() -> receive_and_flush(S, Self) end),
    _ = erlang:trace_pattern({gentcp_nif, recv, 3}, true, [local]),
    1 = erlang:trace(Pid, true, [call]),
    ?assert(is_integer(last_tag(Pid, C, "x"))),
    [Pid ! I || I <- lists:seq(1, 1000)],
    ?assert(is_reference(last_tag(Pid, C, "x"))),
    ?assert(is_integer(last_tag(Pid, C, "f"))),
    _ = erlang:trace_pattern({gentcp_nif, recv, 3}, false, [local]),
    close([C, S]).

%% Tells of each byte. Flushes its mailbox at each "f".
receive_and_flush(S, To) ->
    case gentcp:recv(S, 1) of
        {ok, Byte} ->
            _ = [flush() || Byte =:= <<"f">>],
            To ! {received, self()},
            receive_and_flush(S, To);
        {error, closed} ->
            ok
    end.

%% Of the call that waits after some.
last_tag(Pid, C, Data) ->
    [
        begin
            await_blocked(Pid),
            ok = gentcp:send(C, Data),
            receive {received, Pid} -> ok after ?WAIT -> error(silence) end
        end
     || _ <- lists:seq(1, 2 * ?MEASURED)
    ],
    await_blocked(Pid),
    Delivered = erlang:trace_delivered(Pid),
    receive {trace_delivered, Pid, Delivered} -> ok end,
    lists:last([Tag || {trace, _, call, {gentcp_nif, recv, [_, _, Tag]}} <- flush()]).

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

%% Of many calls a few go on waiting, one here and one there. (Accept, because many can wait on one socket.)
a_call_that_waits_takes_no_memory_for_those_that_do_not_any_more(_) ->
    {ok, {_, _, Handle} = L} = gentcp:listen(0, []),
    [wait(Handle, 1) || _ <- lists:seq(1, 1000)],
    Before = memory(),
    Tags = [wait(Handle, I) || I <- lists:seq(1, ?MANY)],
    Left = [Tag || Tag <- Tags, is_integer(Tag)],
    ?LEFT = length(Left),
    Used = memory() - Before,
    ct:pal("~b bytes for a call that waits", [Used div ?LEFT]),
    ?assert(Used < 1000 * ?LEFT),
    {Cancelled, Answered} = lists:split(?LEFT div 2, Left),
    [true = gentcp_nif:cancel(Handle, Tag) || Tag <- Cancelled],
    close([L]),
    [?assertMatch({'$gentcp', Tag, {error, closed}}, next()) || Tag <- Answered],
    ?assertEqual({messages, []}, process_info(self(), messages)).

%% Every so many calls, one that isn't cancelled.
wait(Handle, I) ->
    Tag = erlang:unique_integer(),
    wait = gentcp_nif:accept(Handle, Tag),
    case I rem (?MANY div ?LEFT) of
        0 -> Tag;
        _ -> gentcp_nif:cancel(Handle, Tag)
    end.

%% Messages lie in its heap, or beside it: in any case if they meet a process that still runs, so each is awaited, and
%% only what the least of them has is looked at. Of many connections the poller's process sends them, of a few another.
a_process_that_echoes_keeps_a_small_heap(_) ->
    Cases = [{Active, Packet, Pairs} || Active <- [false, once, true], Packet <- [raw, 4], Pairs <- [1, 10]],
    Used = [{Case, memory_of_an_echo(Case)} || Case <- Cases],
    ct:pal("~p", [Used]),
    ?assertEqual([], [Larger || {_, Memory} = Larger <- Used, Memory > ?SMALL]).

memory_of_an_echo({Active, Packet, Pairs}) ->
    Connected = [pair([binary, {active, false}, {packet, Packet}]) || _ <- lists:seq(1, Pairs)],
    Pids = [spawn_echo(S, Active) || {_, S} <- Connected],
    [begin
        [ok = gentcp:send(C, <<0:64/unit:8>>) || {C, _} <- Connected],
        [{ok, <<0:64/unit:8>>} = gentcp:recv(C, 0, ?WAIT) || {C, _} <- Connected],
        [until(fun() -> process_info(Pid, status) =:= {status, waiting} end) || Pid <- Pids]
     end || _ <- lists:seq(1, ?ECHOES)],
    Used = lists:min([Memory || Pid <- Pids, {memory, Memory} <- [process_info(Pid, memory)]]),
    close([C || {C, _} <- Connected]),
    Used.

spawn_echo(S, Active) ->
    Pid = spawn_link(fun() ->
        receive
            go -> echo(S, Active)
        end
    end),
    ok = gentcp:controlling_process(S, Pid),
    ok = gentcp:setopts(S, [{active, Active}]),
    Pid ! go,
    Pid.

echo(S, Active) ->
    case next_of(S, Active) of
        {ok, Data} -> ok = gentcp:send(S, Data), echo(S, Active);
        {error, closed} -> ok
    end.

next_of(S, false) ->
    gentcp:recv(S, 0);
next_of(S, Active) ->
    _ = Active =:= once andalso gentcp:setopts(S, [{active, once}]),
    receive
        {tcp, S, Data} -> {ok, Data};
        {tcp_closed, S} -> {error, closed}
    end.

%% Call is made often by one process that has no other message, and by one that has many; Answer lets it return. To
%% look at a message once costs a reduction.
independent_of_the_mailbox(Call, Answer) ->
    as_much_for_both(reductions(0, Call, Answer), reductions(?MESSAGES, Call, Answer)).

as_much_for_both(Empty, Full) ->
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
