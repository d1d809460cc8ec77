%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: sending, back-pressure, and how a socket ends.
-module(gentcp_sending_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, close/1, await_blocked/1, receive_hash/3, next/0, quiet/0
]).

-export([all/0, suite/0]).
-export([
    send_of_no_iodata_is_einval/1,
    send_waits_for_a_slow_peer_and_nothing_else_does/1,
    send_timeout_leaves_bytes_queued/1,
    send_timeout_close_closes/1,
    shutdown_write_flushes_first/1,
    close_flushes/1,
    after_close/1,
    peers_end_passive/1,
    emsgsize/1
]).

-define(WAIT, 5000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- sending and ending ----

send_of_no_iodata_is_einval(_) ->
    {C, S} = pair([{packet, 1}]),
    [?assertEqual({error, einval}, gentcp:send(C, Data)) || Data <- [foo, 1, <<1:4>>, [1 | foo], [300], {a}, #{}]],
    ?assertEqual({error, emsgsize}, gentcp:send(C, binary:copy(<<0>>, 256))),
    close([C, S]).

%% The sender waits for its peer, which reads only after the ticks: a scheduler that waited with it would not tick at all.
send_waits_for_a_slow_peer_and_nothing_else_does(_) ->
    {C, S} = pair([binary, {active, false}]),
    Self = self(),
    Data = rand:bytes(1 bsl 20),
    Count = 40,
    Sender = spawn_link(fun() ->
        receive go -> ok end,
        [ok = gentcp:send(C, Data) || _ <- lists:seq(1, Count)],
        Self ! sent
    end),
    ok = gentcp:controlling_process(C, Sender),
    Sender ! go,
    await_blocked(Sender),
    Tickers = [spawn_ticker(self()) || _ <- lists:seq(1, erlang:system_info(schedulers_online))],
    Latest = lists:max([latest_tick(T) || T <- Tickers]),
    ?assert(is_process_alive(Sender)),
    receive sent -> error(sent_too_early) after 0 -> ok end,
    ct:pal("latest tick: ~p ms", [Latest]),
    ?assert(Latest < 1000),
    Hash = receive_hash(S, Count * byte_size(Data), crypto:hash_init(sha256)),
    ?assertEqual(crypto:hash(sha256, binary:copy(Data, Count)), Hash),
    ?assertEqual(sent, next()),
    close([S]).

spawn_ticker(To) ->
    spawn_link(fun() -> To ! {latest, self(), tick(20, erlang:monotonic_time(millisecond), 0)} end).

tick(0, _, Latest) ->
    Latest;
tick(Count, Last, Latest) ->
    receive after 1 -> ok end,
    Now = erlang:monotonic_time(millisecond),
    tick(Count - 1, Now, max(Latest, Now - Last - 1)).

latest_tick(Pid) ->
    receive {latest, Pid, Latest} -> Latest after 4 * ?WAIT -> error(stuck) end.

send_timeout_leaves_bytes_queued(_) ->
    {C, S} = pair([binary, {active, false}, {send_timeout, 30}]),
    Data = rand:bytes(1 bsl 20),
    Sent = fill(C, Data, 1),
    Hash = receive_hash(S, Sent * byte_size(Data), crypto:hash_init(sha256)),
    ?assertEqual(crypto:hash(sha256, binary:copy(Data, Sent)), Hash),
    close([C, S]).

%% Sends until {error, timeout}; how often, that one included.
fill(C, Data, Count) when Count < 100 ->
    case gentcp:send(C, Data) of
        ok -> fill(C, Data, Count + 1);
        {error, timeout} -> Count
    end.

send_timeout_close_closes(_) ->
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:setopts(C, [{send_timeout, 30}, {send_timeout_close, true}, {active, true}]),
    _ = fill(C, rand:bytes(1 bsl 20), 1),
    ?assertEqual({tcp_closed, C}, next()),
    ?assertEqual({error, closed}, gentcp:send(C, "x")),
    close([C, S]).

shutdown_write_flushes_first(_) ->
    {C, S} = pair([binary, {active, false}, {high_watermark, 1 bsl 30}]),
    Data = rand:bytes(5000000),
    ok = gentcp:send(C, Data),
    ok = gentcp:shutdown(C, write),
    ?assertEqual({error, timeout}, gentcp:recv(C, 0, 0)),
    {ok, Received} = gentcp:recv(S, byte_size(Data), ?WAIT),
    ?assertEqual(erlang:md5(Data), erlang:md5(Received)),
    ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
    close([C, S]).

close_flushes(_) ->
    {C, S} = pair([binary, {active, false}, {high_watermark, 1 bsl 30}]),
    Data = rand:bytes(5000000),
    ok = gentcp:send(C, Data),
    Self = self(),
    Closer = spawn_link(fun() ->
        ok = gentcp:close(C),
        Self ! closed
    end),
    await_blocked(Closer),
    ?assertEqual(ok, gentcp:send(C, "x")), % the socket is open to others until close returns, as on inet
    ?assertEqual(ok, gentcp:setopts(C, [{send_timeout, 10}])),
    {ok, Received} = gentcp:recv(S, byte_size(Data), ?WAIT),
    ?assertEqual({ok, <<"x">>}, gentcp:recv(S, 1, ?WAIT)),
    ?assertEqual(erlang:md5(Data), erlang:md5(Received)),
    ?assertEqual(closed, next()),
    close([S]).

after_close(_) ->
    {C, S} = pair([]),
    close([C]),
    ?assertEqual({error, closed}, gentcp:recv(C, 0, 0)),
    ?assertEqual({error, closed}, gentcp:send(C, "x")),
    ?assertEqual({error, closed}, gentcp:shutdown(C, write)),
    ?assertEqual({error, closed}, gentcp:unrecv(C, "x")),
    ?assertEqual({error, closed}, gentcp:accept(C, 0)),
    ?assertEqual({error, closed}, gentcp:controlling_process(C, spawn(fun() -> ok end))),
    ?assertEqual({error, einval}, gentcp:setopts(C, [{nodelay, true}])),
    ?assertEqual({error, einval}, gentcp:getopts(C, [nodelay])),
    ?assertEqual({error, einval}, gentcp:peername(C)),
    ?assertEqual({error, einval}, gentcp:sockname(C)),
    ?assertEqual({error, einval}, gentcp:port(C)),
    ?assertEqual(ok, gentcp:close(C)),
    close([S]).

peers_end_passive(_) ->
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "last"),
    close([C]),
    ?assertEqual({error, closed}, gentcp:recv(S, 5, ?WAIT)),
    ?assertEqual({error, enotconn}, gentcp:recv(S, 0, ?WAIT)),
    {ok, [{active, false}]} = gentcp:getopts(S, [active]),
    ok = gentcp:setopts(S, [{active, once}]),
    ?assertEqual({tcp_closed, S}, next()),
    quiet().

emsgsize(_) ->
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:setopts(S, [{packet, 4}, {packet_size, 100}, {active, true}]),
    ok = gentcp:send(C, <<101:32>>),
    ?assertEqual({tcp_error, S, emsgsize}, next()),
    ?assertEqual({tcp_closed, S}, next()),
    close([C, S]),
    quiet().
