%% SPDX-License-Identifier: Apache-2.0
%% Sending: when it returns, what is queued, and what becomes of it. On inet and on gentcp.
-module(gentcp_sending_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [
    pair/2, queued/2, pending/1, close/1, reset/1, hears/2, hears_the_end/1, start/1, waits/1, result/1, next/0,
    nothing_came/1, set/2, get/2, recv/2
]).
-import(gentcp_sockets, [until/1]).

-export([
    a_send_that_finds_the_queue_empty_queues_all_and_returns/1,
    a_send_that_brings_the_queue_to_high_watermark_waits_as_does_every_later_one/1,
    a_send_after_a_timeout_waits_only_if_the_queue_is_still_long/1,
    a_waiting_send_returns_when_the_queue_is_down_to_low_watermark/1,
    senders_that_wait_are_served_in_order/1,
    send_waits_for_a_slow_peer_and_nothing_else_does/1,
    either_watermark_drags_the_other/1,
    send_of_no_iodata_is_einval/1,
    send_timeout_ends_the_wait_but_the_bytes_stay_queued/1,
    send_timeout_close_ends_a_passive_socket/1,
    send_timeout_close_ends_a_socket_whatever_the_timeout/1,
    send_timeout_close_tells_the_owner_of_an_active_socket/1,
    after_the_peer_closed_send_is_ok_then_closed_then_enotconn/1,
    after_the_peers_reset_send_is_closed_then_enotconn/1,
    a_waiting_send_outlives_the_end_without_exit_on_close/1,
    a_file_gets_no_packet_header/1
]).

-define(WAIT, 30000).

-include("gentcp_norm.hrl").

ours() ->
    [
        senders_that_wait_are_served_in_order,
        send_waits_for_a_slow_peer_and_nothing_else_does,
        send_timeout_close_ends_a_socket_whatever_the_timeout,
        a_waiting_send_outlives_the_end_without_exit_on_close
    ].

%% ---- the queue ----

a_send_that_finds_the_queue_empty_queues_all_and_returns(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, [{high_watermark, 10}, {send_timeout, 0}]),
    ?assert(pending(S) > 10),
    hears(P, Bytes),
    sent(S),
    ?assertEqual(ok, Side:send(S, "again")),
    hears(P, "again"),
    close([S, P]).

sent(S) ->
    until(fun() -> pending(S) =:= 0 end).

%% Some of the queue may still go out by itself: the sizes leave room for it.
a_send_that_brings_the_queue_to_high_watermark_waits_as_does_every_later_one(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, [{send_timeout, 0}]),
    [A, B] = [rand:bytes(Size) || Size <- [500000, 600000]],
    set(S, [{high_watermark, pending(S) + 1000000}]),
    ?assertEqual(ok, Side:send(S, A)),
    ?assertEqual({error, timeout}, Side:send(S, B)),
    ?assertEqual({error, timeout}, Side:send(S, "x")),
    hears(P, [Bytes, A, B, "x"]),
    sent(S),
    ?assertEqual(ok, Side:send(S, "again")),
    hears(P, "again"),
    close([S, P]).

a_send_after_a_timeout_waits_only_if_the_queue_is_still_long(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    [
        begin
            set(S, [{high_watermark, 1000}, {low_watermark, 0}, {send_timeout, Timeout}]),
            ?assertEqual({error, timeout}, Side:send(S, "x")),
            ?assertEqual({error, timeout}, Side:send(S, "y")),
            set(S, [{high_watermark, 1 bsl 30}]),
            ?assertEqual(ok, Side:send(S, "z"))
        end
     || Timeout <- [0, 20]
    ],
    hears(P, [Bytes, "xyzxyz"]),
    close([S, P]).

a_waiting_send_returns_when_the_queue_is_down_to_low_watermark(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    Low = 500000,
    set(S, [{high_watermark, Low}, {low_watermark, Low}]),
    Sender = start(fun() -> Side:send(S, "last") end),
    waits(Sender),
    Heard = hears_until(P, fun() ->
        {messages, Returned} = process_info(self(), messages),
        IsLow = pending(S) =< Low,
        ?assert(IsLow orelse Returned =:= []),
        IsLow
    end),
    ?assertEqual(ok, result(Sender)),
    ?assert(pending(S) > 0),
    hears(P, binary:part(<<Bytes/binary, "last">>, Heard, byte_size(Bytes) + 4 - Heard)),
    close([S, P]).

%% A little at a time. How much that was.
hears_until(P, Condition) ->
    hears_until(P, Condition, 0).

hears_until(P, Condition, Heard) ->
    case Condition() of
        true ->
            Heard;
        false ->
            {ok, Bytes} = recv(P, 10000),
            hears_until(P, Condition, Heard + byte_size(Bytes))
    end.

senders_that_wait_are_served_in_order(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    set(S, [{high_watermark, 1000}]),
    Senders = [
        begin
            Pid = start(fun() -> Side:send(S, [Letter]) end),
            waits(Pid),
            Pid
        end
     || Letter <- "abcd"
    ],
    hears(P, [Bytes, "abcd"]),
    [?assertEqual(ok, result(Sender)) || Sender <- Senders],
    close([S, P]).

%% The sender waits for its peer, which reads only after the ticks: a scheduler that waited with it would not tick at all.
send_waits_for_a_slow_peer_and_nothing_else_does(_) ->
    {C, S} = gentcp_sockets:pair([binary]),
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
    gentcp_sockets:await_blocked(Sender),
    Tickers = [spawn_ticker(self()) || _ <- lists:seq(1, erlang:system_info(schedulers_online))],
    Latest = lists:max([latest_tick(T) || T <- Tickers]),
    ?assert(is_process_alive(Sender)),
    receive sent -> error(sent_too_early) after 0 -> ok end,
    ct:pal("latest tick: ~p ms", [Latest]),
    ?assert(Latest < 1000),
    Hash = gentcp_sockets:receive_hash(S, Count * byte_size(Data), crypto:hash_init(sha256)),
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
    receive {latest, Pid, Latest} -> Latest after ?WAIT -> error(stuck) end.

either_watermark_drags_the_other(Config) ->
    {S, P} = pair(side(Config), [{low_watermark, 20000}]),
    ?assertEqual(20000, get(S, high_watermark)),
    [
        begin
            set(S, [{Name, Value}]),
            ?assertEqual({Low, High}, {get(S, low_watermark), get(S, high_watermark)})
        end
     || {Name, Value, Low, High} <- [
            {high_watermark, 50000, 20000, 50000}, {high_watermark, 10, 10, 10}, {low_watermark, 70, 70, 70}
        ]
    ],
    close([S, P]).

send_of_no_iodata_is_einval(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    %% OTP 27's inet sends a byte that isn't in a list.
    [
        ?assertEqual({error, einval}, Side:send(S, Data))
     || Data <- [1 || Side =:= gentcp] ++ [foo, <<1:4>>, [1 | foo], [300], {a}, #{}]
    ],
    ?assertEqual(ok, Side:send(S, ["still ", [$h | <<"ere">>]])),
    hears(P, "still here"),
    close([S, P]).

%% ---- send_timeout ----

send_timeout_ends_the_wait_but_the_bytes_stay_queued(Config) ->
    Side = side(Config),
    [
        begin
            {S, P, Bytes} = queued(Side, []),
            set(S, [{high_watermark, 1000}, {send_timeout, Timeout}]),
            ?assertEqual({error, timeout}, Side:send(S, "lat")),
            ?assertEqual({error, timeout}, Side:send(S, "er")),
            hears(P, [Bytes, "later"]),
            sent(S),
            ?assertEqual(ok, Side:send(S, "in time")),
            hears(P, "in time"),
            close([S, P])
        end
     || Timeout <- [0, 20]
    ].

send_timeout_close_ends_a_passive_socket(Config) ->
    Side = side(Config),
    ends_with_timeout(Side, 20).

%% That of inet lives on if it is 0.
send_timeout_close_ends_a_socket_whatever_the_timeout(Config) ->
    ends_with_timeout(side(Config), 0).

ends_with_timeout(Side, Timeout) ->
    {S, P, Bytes} = timed_out(Side, [{send_timeout, Timeout}]),
    ?assertEqual({error, enotconn}, Side:send(S, "x")),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    ?assertEqual(false, get(S, active)),
    Heard = gentcp_norm:hears_to_the_end(P),
    ?assert(byte_size(Heard) < byte_size(Bytes)),
    close([S, P]).

%% inet's doesn't hear of it.
send_timeout_close_tells_the_owner_of_an_active_socket(Config) ->
    Side = side(Config),
    {S, P, _} = timed_out(Side, [{active, true}, {send_timeout, 20}]),
    Side =:= gen_tcp orelse ?assertEqual({tcp_closed, S}, next()),
    nothing_came(Side),
    close([S, P]).

timed_out(Side, Options) ->
    {S, P, Bytes} = queued(Side, [{send_timeout_close, true} | Options]),
    set(S, [{high_watermark, 1000}]),
    ?assertEqual({error, timeout}, Side:send(S, "never sent")),
    {S, P, Bytes}.

%% ---- the peer ends ----

after_the_peer_closed_send_is_ok_then_closed_then_enotconn(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{show_econnreset, Show}]),
            close([P]),
            ?assertEqual(ok, Side:send(S, "x")),
            told_of_a_reset(Side, S, Lost)
        end
     || {Show, Lost} <- [{false, closed}, {true, econnreset}]
    ].

after_the_peers_reset_send_is_closed_then_enotconn(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{show_econnreset, Show}]),
            reset(P),
            told_of_a_reset(Side, S, Lost)
        end
     || {Show, Lost} <- [{false, closed}, {true, econnreset}]
    ].

%% When it has come: 7 is TCP_CLOSE.
told_of_a_reset(Side, S, Lost) ->
    until(fun() -> {ok, [{raw, 6, 11, <<7>>}]} =:= inet:getopts(S, [{raw, 6, 11, 1}]) end),
    ?assertEqual({error, Lost}, Side:send(S, "x")),
    ?assertEqual({error, enotconn}, Side:send(S, "x")),
    ?assertEqual({error, Lost}, recv(S, 0)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    close([S]).

a_waiting_send_outlives_the_end_without_exit_on_close(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, [{exit_on_close, false}]),
    set(S, [{high_watermark, 1000}]),
    Sender = start(fun() -> Side:send(S, "last") end),
    waits(Sender),
    ok = gen_tcp:shutdown(P, write),
    ?assertEqual({error, closed}, recv(S, 0)),
    waits(Sender),
    hears(P, [Bytes, "last"]),
    ?assertEqual(ok, result(Sender)),
    close([S, P]).

%% ---- files ----

a_file_gets_no_packet_header(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, 2}]),
    Name = filename:join(proplists:get_value(priv_dir, Config), "file"),
    ok = file:write_file(Name, "0123456789"),
    {ok, File} = file:open(Name, [raw, read, binary]),
    ?assertEqual(ok, Side:send(S, "before")),
    ?assertEqual({ok, 4}, file:sendfile(File, S, 3, 4, [])),
    ?assertEqual(ok, Side:send(S, "after")),
    hears(P, <<6:16, "before3456", 5:16, "after">>),
    ok = file:close(File),
    close([S]),
    hears_the_end(P),
    close([P]).
