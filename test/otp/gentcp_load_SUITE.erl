%% SPDX-License-Identifier: Apache-2.0
%% The OTP host with much to do: what dead owners leave, and what the others of a node notice of a flood.
-module(gentcp_load_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [close/1, next/0, memory/0, until/1]).

-export([all/0, suite/0]).
-export([
    dead_owners_leave_nothing/1,
    a_flood_delays_nobody/1,
    who_waits_for_more_of_many_large_reads_keeps_none/1,
    who_answers_many_large_messages_keeps_none/1,
    who_reads_much_alone_collects_no_earlier/1,
    order_holds_on_many_schedulers/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).
-define(SOCKETS, 10000).
-define(LARGE, 65536).
-define(SLACK, 2000000). % bytes that the emulator's own tables and caches may differ by

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% 10,000 sockets, or as many as the system allows: a hundred owners are killed, who each have their part of the ends.
dead_owners_leave_nothing(_) ->
    {ok, L} = gentcp:listen(0, [binary, {backlog, 1000}]),
    {ok, Port} = gentcp:port(L),
    Count = min(?SOCKETS, descriptors_allowed() - 1000) div 200,
    killed_owners(L, Port, Count),
    {Descriptors, Memory, #{open := Open}} = {descriptors(), memory(), gentcp:info()},
    killed_owners(L, Port, Count),
    until(fun() -> maps:get(open, gentcp:info()) =:= Open end),
    until(fun() -> descriptors() =< Descriptors end),
    until(fun() -> memory() =< Memory + ?SLACK end),
    ct:pal("~b sockets; memory ~b before, ~b after", [200 * Count, Memory, memory()]),
    close([L]).

killed_owners(L, Port, Count) ->
    Owners = [spawn_owner(L, Port, Count) || _ <- lists:seq(1, 100)],
    [receive {ready, Pid} -> ok after 30000 -> error(silence) end || {Pid, _} <- Owners],
    ?assert(maps:get(open, gentcp:info()) > 200 * Count),
    [exit(Pid, kill) || {Pid, _} <- Owners],
    [receive {'DOWN', Ref, process, Pid, killed} -> ok end || {Pid, Ref} <- Owners].

%% Its sockets have something in every queue, and monitors.
spawn_owner(L, Port, Count) ->
    Self = self(),
    spawn_monitor(fun() ->
        [
            begin
                {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, false}], 30000),
                {ok, S} = gentcp:accept(L, 30000),
                ok = gentcp:send(C, <<0:1000/unit:8>>),
                _ = gentcp:monitor(C),
                ok = gentcp:setopts(S, [{active, I rem 2 =:= 0}])
            end
         || I <- lists:seq(1, Count)
        ],
        Self ! {ready, self()},
        receive never -> ok end
    end).

descriptors_allowed() ->
    {_, Limits} = lists:keyfind(max_fds, 1, lists:append(erlang:system_info(check_io))),
    Limits.

descriptors() ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    length(Names).

%% Twenty connections take turns, so that each receives when the others have received more than caches hold. What their
%% processes still have then are small pieces of the last message at most.
who_waits_for_more_of_many_large_reads_keeps_none(_) ->
    kept_of_large_messages(false).

who_answers_many_large_messages_keeps_none(_) ->
    kept_of_large_messages(true).

kept_of_large_messages(Active) ->
    Connections = [echo(Active) || _ <- lists:seq(1, 20)],
    [exchange_large(P) || _ <- lists:seq(1, 8), {_, P} <- Connections],
    %% A message that came in two reads may be kept in part until the next one.
    until(fun() ->
        [exchange_large(P) || {_, P} <- Connections],
        lists:all(fun({Pid, _}) -> kept(Pid) < ?LARGE div 2 end, Connections)
    end),
    [ok = gen_tcp:close(P) || {_, P} <- Connections].

kept(Pid) ->
    {binary, Kept} = process_info(Pid, binary),
    lists:sum([Size || {_, Size, _} <- Kept]).

who_reads_much_alone_collects_no_earlier(_) ->
    {Pid, P} = echo(false),
    [exchange_large(P) || _ <- lists:seq(1, 8)], % until its reads are large
    1 = erlang:trace(Pid, true, [garbage_collection]),
    [exchange_large(P) || _ <- lists:seq(1, 60)],
    1 = erlang:trace(Pid, false, [garbage_collection]),
    Ref = erlang:trace_delivered(Pid),
    receive {trace_delivered, Pid, Ref} -> ok end,
    Collections = collections(Pid, 0),
    ct:pal("~b collections", [Collections]),
    ?assert(Collections < 40),
    ok = gen_tcp:close(P).

collections(Pid, Count) ->
    receive
        {trace, Pid, gc_minor_start, _} -> collections(Pid, Count + 1);
        {trace, Pid, _, _} -> collections(Pid, Count)
    after 0 -> Count
    end.

%% A process that echoes, and its peer.
echo(Active) ->
    {ok, L} = gentcp:listen(0, [{ip, ?LOCAL}, binary, {active, false}]),
    {ok, Port} = gentcp:port(L),
    Pid = spawn_link(fun() ->
        {ok, S} = gentcp:accept(L, ?WAIT),
        ok = gentcp:setopts(S, [{active, Active}]),
        case Active of
            false -> gentcp_sockets:echo(S);
            true -> echo_told(S)
        end
    end),
    {ok, P} = gen_tcp:connect(?LOCAL, Port, [binary, {active, false}], ?WAIT),
    {Pid, P}.

echo_told(S) ->
    receive
        {tcp, S, Data} ->
            ok = gentcp:send(S, Data),
            echo_told(S);
        {tcp_closed, S} ->
            ok
    end.

exchange_large(P) ->
    Bytes = <<0:?LARGE/unit:8>>,
    ok = gen_tcp:send(P, Bytes),
    {ok, Bytes} = gen_tcp:recv(P, ?LARGE, ?WAIT).

%% GENTCP_FLOOD megabytes, 200 by default. On a machine that is busy with something else every tick is late: there it
%% must not be later than under a flood through OTP's own sockets.
a_flood_delays_nobody(_) ->
    Megabytes = list_to_integer(os:getenv("GENTCP_FLOOD", "200")),
    ?assert(
        lists:any(fun(_) -> flood(gentcp, Megabytes) =< 50 end, [1, 2, 3]) orelse
            flood(gentcp, Megabytes) =< flood(gen_tcp, Megabytes)
    ).

flood(Module, Megabytes) ->
    {ok, L} = Module:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = Module:connect(?LOCAL, Port, [binary, {active, false}], ?WAIT),
    {ok, S} = Module:accept(L, ?WAIT),
    Self = self(),
    Ticker = spawn_ticker(),
    Receiver = spawn_link(fun() ->
        receive go -> ok end,
        ok = inet:setopts(S, [{active, true}]),
        Self ! {received, swallow(S, 0)}
    end),
    ok = Module:controlling_process(S, Receiver),
    Receiver ! go,
    Data = rand:bytes(1000000),
    Start = erlang:monotonic_time(millisecond),
    [ok = Module:send(C, Data) || _ <- lists:seq(1, Megabytes)],
    [ok = Module:close(Socket) || Socket <- [C, L]],
    receive
        {received, Size} -> ?assertEqual(Megabytes * byte_size(Data), Size)
    after 60000 -> error(silence)
    end,
    Took = erlang:monotonic_time(millisecond) - Start,
    Latest = stop_ticker(Ticker),
    ct:pal("~p: ~b MB in ~b ms; the latest tick was ~b ms late", [Module, Megabytes, Took, Latest]),
    Latest.

spawn_ticker() ->
    spawn_link(fun() -> tick(erlang:monotonic_time(millisecond), 0) end).

stop_ticker(Ticker) ->
    Ticker ! {stop, self()},
    {latest, Latest} = next(),
    Latest.

swallow(S, Size) ->
    receive
        {tcp, S, Data} -> swallow(S, Size + byte_size(Data));
        {tcp_closed, S} -> Size
    end.

tick(Last, Latest) ->
    receive
        {stop, From} -> From ! {latest, Latest}
    after 100 ->
        Now = erlang:monotonic_time(millisecond),
        tick(Now, max(Latest, Now - Last - 100))
    end.

%% More schedulers than processors: whatever may be reordered is.
order_holds_on_many_schedulers(_) ->
    Paths = [filename:dirname(code:which(Module)) || Module <- [gentcp, ?MODULE]],
    {ok, Node, _} = peer:start_link(#{connection => standard_io, args => ["+S", "8:8", "-pa" | Paths]}),
    Test = messages_are_in_order_for_off_heap_receivers,
    _ = peer:call(Node, gentcp_owners_SUITE, Test, [[]], 60000),
    peer:stop(Node).
