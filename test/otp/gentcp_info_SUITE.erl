%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: what can be known of sockets, and monitors.
-module(gentcp_info_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [pair/1, close/1, spawn_recv/1, await_blocked/1, kill/1, next/0, quiet/0, flush/0, memory/0, until/1]).

-export([all/0, suite/0]).
-export([
    getstat_counts/1,
    info_of_a_socket/1,
    who_was_killed_waits_no_more/1,
    info_of_the_engine/1,
    tables_show_every_socket/1,
    closing_a_monitored_socket_tells/1,
    every_end_of_a_monitored_socket_tells/1,
    a_closed_socket_tells_at_once/1,
    a_cancelled_monitor_is_silent/1,
    only_the_monitoring_process_cancels/1,
    inet_monitors_sockets/1,
    dead_watchers_leave_nothing/1
]).

-define(WAIT, 5000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- looking at sockets ----

getstat_counts(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 2}]),
    [ok = gentcp:send(C, Data) || Data <- ["abcd", "ab"]],
    [{ok, _} = gentcp:recv(S, 0, ?WAIT) || _ <- [1, 2]],
    Sent = [{send_oct, 10}, {send_cnt, 2}, {send_max, 6}, {send_avg, 5}, {send_pend, 0}],
    Received = [{recv_oct, 10}, {recv_cnt, 2}, {recv_max, 6}, {recv_avg, 5}],
    ?assertEqual({ok, Sent}, gentcp:getstat(C, [Name || {Name, _} <- Sent])),
    ?assertEqual({ok, Received}, inet:getstat(S, [Name || {Name, _} <- Received])),
    {ok, All} = inet:getstat(S),
    ?assertEqual({ok, All}, gentcp:getstat(S)),
    ?assertEqual(inet:stats(), [Name || {Name, _} <- All]),
    [?assertEqual({error, einval}, gentcp:getstat(S, Names)) || Names <- [[foo], [send_oct, 1], [send_oct | foo]]],
    close([C, S]),
    ?assertEqual({error, einval}, gentcp:getstat(C, [send_oct])).

info_of_a_socket(_) ->
    {C, S} = pair([binary, {active, false}, {high_watermark, 1 bsl 30}]),
    Self = self(),
    ok = gentcp:send(C, "hello"),
    {ok, _} = gentcp:recv(S, 3, ?WAIT),
    ?assertMatch(
        #{
            owner := Self,
            active := false,
            recv_queue := 2,
            send_queue := 0,
            num_readers := 0,
            type := stream,
            counters := #{recv_oct := 3, send_oct := 0}
        },
        gentcp:info(S)
    ),
    Waiting = spawn_recv(C),
    await_blocked(Waiting),
    ok = gentcp:send(C, binary:copy(<<0>>, 10000000)),
    #{send_queue := Queued, num_readers := 1} = inet:info(C),
    ?assert(Queued > 1000000),
    ok = gentcp:setopts(C, [{linger, {true, 0}}]),
    close([C, S]),
    ?assertEqual(#{states => [closed]}, inet:info(C)),
    {Waiting, {error, closed}} = next().

who_was_killed_waits_no_more(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    [Killed, Waiting] = [spawn(fun() -> gentcp:accept(L) end) || _ <- [1, 2]],
    [await_blocked(Pid) || Pid <- [Killed, Waiting]],
    #{states := [accepting | _], num_acceptors := 2} = inet:info(L),
    kill(Killed),
    #{states := [accepting | _], num_acceptors := 1} = inet:info(L),
    kill(Waiting),
    #{states := [bound, listen, open], num_acceptors := 0} = inet:info(L),
    close([L]).

info_of_the_engine(_) ->
    Names = [recv_oct, recv_cnt, send_oct, send_cnt],
    #{open := Open, opened := Opened, counters := Before} = gentcp:info(),
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "hello"),
    {ok, _} = gentcp:recv(S, 3, ?WAIT),
    close([C]),
    #{open := OpenNow, opened := OpenedNow, recv_queue := 2, counters := Now} = gentcp:info(),
    ?assertEqual({1, 3}, {OpenNow - Open, OpenedNow - Opened}),
    ?assertEqual([3, 1, 5, 1], [maps:get(Name, Now) - maps:get(Name, Before) || Name <- Names]),
    close([S]).

tables_show_every_socket(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {C, S} = pair([binary, {active, false}]),
    Accepting = spawn(fun() -> gentcp:accept(L) end),
    await_blocked(Accepting),
    Table = printed(fun() -> ok = gentcp:i() end),
    [Header | Lines] = string:lexemes(Table, "\n"),
    ?assertMatch("Socket " ++ _, Header),
    [?assertMatch([_], [Line || Line <- Lines, hd(string:lexemes(Line, " ")) =:= gentcp:socket_to_list(Socket)])
     || Socket <- [L, C, S]
    ],
    [?assertNotEqual(nomatch, string:find(Table, Text)) || Text <- ["ACCEPTING", "CONNECTED", pid_to_list(self())]],
    close([L, C, S]).

printed(Fun) ->
    ct:capture_start(),
    Fun(),
    ct:capture_stop(),
    lists:append(ct:capture_get([])).

%% ---- monitors ----

closing_a_monitored_socket_tells(_) ->
    {C, S} = pair([]),
    M1 = gentcp:monitor(C),
    M2 = gentcp:monitor(C),
    Self = self(),
    spawn_link(fun() ->
        M = gentcp:monitor(C),
        Self ! monitored,
        receive {'DOWN', M, socket, C, closed} -> Self ! told end
    end),
    monitored = next(),
    quiet(),
    close([C]),
    ?assertEqual(
        lists:sort([{'DOWN', M1, socket, C, closed}, {'DOWN', M2, socket, C, closed}, told]),
        lists:sort([next(), next(), next()])
    ),
    close([S]),
    quiet().

every_end_of_a_monitored_socket_tells(_) ->
    [
        begin
            {C, S} = pair([{active, false}]),
            Owner = spawn(fun() -> receive stop -> ok end end),
            ok = gentcp:setopts(S, [{active, true}]),
            ok = gentcp:controlling_process(S, Owner),
            M = gentcp:monitor(S),
            End(C, Owner),
            ?assertEqual({'DOWN', M, socket, S, closed}, next()),
            close([C]),
            exit(Owner, kill)
        end
     || End <- [
            fun(C, _) -> close([C]) end,
            fun(_, Owner) -> exit(Owner, shutdown) end,
            fun(_, _) -> exit(whereis(gentcp_driver), kill) end
        ]
    ].

a_closed_socket_tells_at_once(_) ->
    {C, S} = pair([]),
    close([C, S]),
    M = gentcp:monitor(C),
    ?assertEqual({'DOWN', M, socket, C, nosock}, next()),
    ?assertNot(gentcp:cancel_monitor(M)),
    quiet().

a_cancelled_monitor_is_silent(_) ->
    {C, S} = pair([]),
    [M1, M2, M3] = [gentcp:monitor(C) || _ <- [1, 2, 3]],
    ?assert(gentcp:cancel_monitor(M2)),
    ?assertNot(gentcp:cancel_monitor(M2)),
    ?assert(gentcp:cancel_monitor(M1)),
    ?assertNot(gentcp:cancel_monitor(make_ref())),
    close([C, S]),
    ?assertEqual({'DOWN', M3, socket, C, closed}, next()),
    quiet().

only_the_monitoring_process_cancels(_) ->
    {C, S} = pair([]),
    M = gentcp:monitor(C),
    {_, Ref} = spawn_monitor(fun() -> exit(catch gentcp:cancel_monitor(M)) end),
    {'DOWN', Ref, process, _, {'EXIT', {badarg, _}}} = next(),
    close([C, S]),
    ?assertEqual({'DOWN', M, socket, C, closed}, next()).

inet_monitors_sockets(_) ->
    {C, S} = pair([]),
    M1 = inet:monitor(C),
    M2 = inet:monitor(C),
    ?assert(inet:cancel_monitor(M1)),
    ?assertNot(inet:cancel_monitor(M1)),
    close([C, S]),
    ?assertEqual({'DOWN', M2, socket, C, closed}, next()),
    quiet().

%% Processes that end with monitors on a socket that lives on.
dead_watchers_leave_nothing(_) ->
    {C, S} = pair([]),
    Round = fun() ->
        Pids = [spawn_monitor(fun() -> [gentcp:monitor(C) || _ <- lists:seq(1, 10)] end) || _ <- lists:seq(1, 1000)],
        [receive {'DOWN', Ref, process, Pid, normal} -> ok end || {Pid, Ref} <- Pids]
    end,
    Round(),
    Before = memory(),
    [Round() || _ <- lists:seq(1, 5)],
    until(fun() -> memory() < Before + 1000000 end),
    M = gentcp:monitor(C),
    close([C, S]),
    ?assertEqual({'DOWN', M, socket, C, closed}, next()),
    _ = flush(),
    ok.
