%% SPDX-License-Identifier: Apache-2.0
%% Closing, and what calls answer after the end: on inet and on gentcp.
-module(gentcp_closing_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [
    pair/2, accepted/2, queued/2, close/1, reset/1, say/2, hears_the_end/1, hears_to_the_end/1, start/1, waits/1,
    result/1, next/0, nothing_came/1, set/2, get/2, recv/2
]).

-export([
    close_waits_until_the_queue_is_sent/1,
    close_gives_up_after_5_seconds_without_progress/1,
    close_gives_up_after_the_seconds_of_linger/1,
    close_with_linger_0_resets_and_drops_the_queue/1,
    close_tells_everybody_who_waits/1,
    close_with_linger_0_tells_those_who_wait_to_send/1,
    owner_death_closes/1,
    owner_death_flushes/1,
    owner_death_gives_up_on_a_peer_that_reads_nothing/1,
    a_passive_socket_after_the_end_answers_closed_once_and_then_enotconn/1,
    a_passive_socket_after_a_reset_answers_as_after_the_end/1,
    own_close_is_told_once_for_each_monitor/1,
    a_socket_that_is_closed_already_is_down_at_once/1,
    a_connection_tells_its_owner_states_and_counters/1,
    a_closed_socket_is_no_error/1,
    after_ones_own_close_all_calls_answer_closed_or_einval/1
]).

-define(WAIT, 30000).

-include("gentcp_norm.hrl").

ours() ->
    [
        close_gives_up_after_5_seconds_without_progress,
        close_with_linger_0_tells_those_who_wait_to_send,
        owner_death_gives_up_on_a_peer_that_reads_nothing
    ].

%% ---- close ----

close_waits_until_the_queue_is_sent(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    Closer = start(fun() -> Side:close(S) end),
    waits(Closer),
    ?assertEqual(ok, Side:send(S, "x")), % until then it is open to others
    set(S, [{send_timeout, 10}]),
    ?assert(<<Bytes/binary, "x">> =:= hears_to_the_end(P)),
    ?assertEqual(ok, result(Closer)),
    close([P]).

%% So does inet, which needn't be waited for.
close_gives_up_after_5_seconds_without_progress(Config) ->
    gives_up(side(Config), [], 5000).

close_gives_up_after_the_seconds_of_linger(Config) ->
    gives_up(side(Config), [{linger, {true, 1}}], 1000).

gives_up(Side, Options, Milliseconds) ->
    {S, P, Bytes} = queued(Side, Options),
    {Microseconds, ok} = timer:tc(Side, close, [S]),
    ?assert(Microseconds >= (Milliseconds - 50) * 1000),
    %% What is left then is sent by inet behind the scenes, however long that takes.
    ?assertEqual(Side =:= gentcp, byte_size(hears_to_the_end(P)) < byte_size(Bytes)),
    close([P]).

close_with_linger_0_resets_and_drops_the_queue(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{linger, {true, 0}}]),
    set(P, [{show_econnreset, true}]),
    close([S]),
    ?assertEqual({error, econnreset}, recv(P, 0)),
    {S2, P2, Bytes} = queued(Side, [{linger, {true, 0}}]),
    set(P2, [{show_econnreset, true}]),
    close([S2]),
    ?assert(heard_before_a_reset(P2, 0) < byte_size(Bytes)),
    close([P, P2]).

heard_before_a_reset(P, Size) ->
    case recv(P, 0) of
        {ok, Bytes} -> heard_before_a_reset(P, Size + byte_size(Bytes));
        {error, econnreset} -> Size
    end.

close_tells_everybody_who_waits(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    Calls = [fun() -> Side:recv(S, 0) end, fun() -> Side:accept(L) end, fun() -> Side:accept(L) end],
    Waiting = [start(Call) || Call <- Calls],
    [waits(Pid) || Pid <- Waiting],
    close([S, L]),
    [?assertEqual({error, closed}, result(Pid)) || Pid <- Waiting],
    close([P]).

%% inet takes its 5 seconds even so.
close_with_linger_0_tells_those_who_wait_to_send(Config) ->
    Side = side(Config),
    {S, P, _} = queued(Side, [{linger, {true, 0}}]),
    set(S, [{high_watermark, 1000}]),
    Waiting = [start(fun() -> Side:send(S, "x") end) || _ <- [1, 2]],
    [waits(Pid) || Pid <- Waiting],
    close([S]),
    [?assertEqual({error, closed}, result(Pid)) || Pid <- Waiting],
    close([P]).

%% ---- the owner dies ----

owner_death_closes(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            ok = Side:controlling_process(S, Owner),
            exit(Owner, Reason),
            hears_the_end(P),
            close([S, P])
        end
     || Reason <- [kill, shutdown], Owner <- [spawn(fun() -> receive never -> ok end end)]
    ],
    Owner = start(fun() ->
        {ok, L} = Side:listen(0, []),
        inet:port(L)
    end),
    {ok, Port} = result(Owner),
    unlink(Owner),
    gentcp_sockets:kill(Owner),
    gentcp_sockets:until(fun() -> gen_tcp:connect({127, 0, 0, 1}, Port, []) =:= {error, econnrefused} end).

owner_death_flushes(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    Owner = spawn(fun() -> receive never -> ok end end),
    ok = Side:controlling_process(S, Owner),
    gentcp_sockets:kill(Owner),
    ?assert(Bytes =:= hears_to_the_end(P)),
    close([P]).

owner_death_gives_up_on_a_peer_that_reads_nothing(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, [{linger, {true, 1}}]),
    Owner = spawn(fun() -> receive never -> ok end end),
    ok = Side:controlling_process(S, Owner),
    gentcp_sockets:kill(Owner),
    gentcp_sockets:until(fun() -> inet:info(S) =:= #{states => [closed]} end),
    Heard = hears_to_the_end(P),
    ?assert(byte_size(Heard) < byte_size(Bytes)),
    close([P]).

%% ---- after the end ----

a_passive_socket_after_the_end_answers_closed_once_and_then_enotconn(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}]),
    close([P]),
    ?assertEqual({error, closed}, recv(S, 0)),
    after_the_end(Side, S).

a_passive_socket_after_a_reset_answers_as_after_the_end(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}]),
    reset(P),
    ?assertEqual({error, closed}, recv(S, 0)),
    after_the_end(Side, S),
    {S2, P2} = pair(Side, [{show_econnreset, true}]),
    reset(P2),
    ?assertEqual({error, econnreset}, recv(S2, 0)),
    ?assertEqual({error, enotconn}, recv(S2, 0)),
    ?assertEqual({error, enotconn}, Side:send(S2, "x")),
    close([S2]).

after_the_end(Side, S) ->
    ?assertEqual({error, enotconn}, recv(S, 0)),
    ?assertEqual({error, closed}, Side:send(S, "x")),
    ?assertEqual({error, enotconn}, Side:send(S, "x")),
    ?assertEqual({error, enotconn}, Side:shutdown(S, write)),
    ?assertEqual({error, enotconn}, Side:unrecv(S, "x")),
    ?assertEqual({error, einval}, Side:accept(S, 0)),
    ?assertEqual(line, get(S, packet)),
    ?assertEqual(false, get(S, active)),
    set(S, [{nodelay, true}]),
    ?assertEqual(ok, Side:controlling_process(S, self())),
    set(S, [{active, once}]),
    ?assertEqual({tcp_closed, S}, next()),
    ?assertEqual({error, closed}, recv(S, 0)),
    nothing_came(Side),
    close([S]).

%% ---- monitors and info ----

own_close_is_told_once_for_each_monitor(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    Monitors = [inet:monitor(S) || _ <- [1, 2, 3]],
    nothing_came(Side),
    close([S]),
    Told = [next() || _ <- Monitors],
    Type = case Side of gen_tcp -> port; gentcp -> socket end,
    [?assertMatch({'DOWN', _, Type, S, _}, Message) || Message <- Told],
    ?assertEqual(lists:sort(Monitors), lists:sort([element(2, Message) || Message <- Told])),
    nothing_came(Side),
    close([P]).

a_socket_that_is_closed_already_is_down_at_once(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    close([S, P]),
    M = inet:monitor(S),
    ?assertMatch({'DOWN', M, _, S, _}, next()),
    nothing_came(Side).

a_connection_tells_its_owner_states_and_counters(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    ?assertEqual(ok, Side:send(S, "hello")),
    say(P, "abc"),
    ?assertEqual({ok, <<"abc">>}, recv(S, 0)),
    Self = self(),
    Waiting = start(fun() -> recv(S, 0) end),
    waits(Waiting),
    #{owner := Self, states := States, counters := #{send_oct := 5, recv_oct := 3, send_cnt := 1, recv_cnt := 1}} =
        inet:info(S),
    ?assertEqual([], [connected, open] -- States),
    #{owner := Self, states := Listening} = inet:info(L),
    ?assertEqual([], [listen, open] -- Listening),
    close([L, S, P]).

a_closed_socket_is_no_error(Config) ->
    {S, P} = pair(side(Config), []),
    close([S, P]),
    ?assertEqual(#{states => [closed]}, inet:info(S)).

%% ---- after one's own close ----

after_ones_own_close_all_calls_answer_closed_or_einval(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    close([L, S]),
    [
        begin
            ?assertEqual({error, closed}, Side:recv(X, 0)),
            ?assertEqual({error, closed}, Side:recv(X, 0, 0)),
            ?assertEqual({error, closed}, Side:send(X, "x")),
            ?assertEqual({error, closed}, Side:shutdown(X, write)),
            ?assertEqual({error, closed}, Side:unrecv(X, "x")),
            ?assertEqual({error, closed}, Side:accept(X)),
            ?assertEqual({error, closed}, Side:accept(X, 0)),
            ?assertEqual({error, closed}, Side:controlling_process(X, start(fun() -> ok end))),
            ?assertEqual({error, einval}, inet:setopts(X, [{active, true}])),
            ?assertEqual({error, einval}, inet:getopts(X, [active])),
            ?assertEqual({error, einval}, inet:getstat(X)),
            ?assertEqual({error, einval}, inet:peername(X)),
            ?assertEqual({error, einval}, inet:sockname(X)),
            ?assertEqual({error, einval}, inet:port(X)),
            ?assertEqual(ok, Side:close(X))
        end
     || X <- [L, S]
    ],
    close([P]).
