%% SPDX-License-Identifier: Apache-2.0
%% The OTP host, run as a program would use it: every mode, and opening.
-module(gentcp_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, pair/2, close/1, spawn_echo/2, exchange/2, done/2, await_blocked/1, next/0, quiet/0
]).

-export([all/0, suite/0]).
-export([
    echo_passive/1,
    echo_active/1,
    echo_once/1,
    echo_count/1,
    echo_packet_1_2_4/1,
    echo_line/1,
    echo_ipv6/1,
    list_is_the_default_mode/1,
    large_data_in_every_shape/1,
    gen_tcp_and_inet_take_the_sockets/1,
    gen_tcp_opens_with_tcp_module/1,
    accept_times_out/1,
    connect_fails_with_the_reason/1,
    connect_resolves_names/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- in every mode ----

echo_passive(_) ->
    {C, S} = pair([binary, {active, false}]),
    Echo = spawn_echo(S, fun gentcp_sockets:echo/1),
    exchange(C, 200),
    done(C, Echo).

echo_active(_) ->
    {C, S} = pair([binary, {active, false}]),
    Echo = spawn_echo(S, fun(_) ->
        ok = gentcp:setopts(S, [{active, true}]),
        echo_messages(S, fun() -> ok end)
    end),
    exchange(C, 200),
    done(C, Echo).

echo_once(_) ->
    {C, S} = pair([binary, {active, false}]),
    Once = fun() -> ok = gentcp:setopts(S, [{active, once}]) end,
    Echo = spawn_echo(S, fun(_) ->
        Once(),
        echo_messages(S, Once)
    end),
    exchange(C, 200),
    done(C, Echo).

echo_count(_) ->
    {C, S} = pair([binary, {active, false}]),
    Echo = spawn_echo(S, fun(_) ->
        ok = gentcp:setopts(S, [{active, 3}]),
        echo_messages(S, fun() -> ok end)
    end),
    exchange(C, 200),
    done(C, Echo).

echo_messages(S, Next) ->
    receive
        {tcp, S, Data} ->
            ok = gentcp:send(S, Data),
            Next(),
            echo_messages(S, Next);
        {tcp_passive, S} ->
            ok = gentcp:setopts(S, [{active, 3}]),
            echo_messages(S, Next);
        {tcp_closed, S} ->
            ok
    after ?WAIT -> error(silence)
    end.

echo_packet_1_2_4(_) ->
    [
        begin
            {C, S} = pair([binary, {active, false}, {packet, Packet}]),
            Echo = spawn_echo(S, fun gentcp_sockets:echo/1),
            [
                begin
                    Data = rand:bytes(Size),
                    ok = gentcp:send(C, Data),
                    ?assertEqual({ok, Data}, gentcp:recv(C, 0, ?WAIT))
                end
             || Size <- [0, 1, 64, 65, 255 | [60000 || Packet > 1] ++ [300000 || Packet > 2]]
            ],
            ?assertEqual({error, einval}, gentcp:recv(C, 1, ?WAIT)),
            done(C, Echo)
        end
     || Packet <- [1, 2, 4]
    ].

echo_line(_) ->
    {C, S} = pair([binary, {active, false}, {packet, line}]),
    Echo = spawn_echo(S, fun gentcp_sockets:echo/1),
    ok = gentcp:send(C, "one\ntwo\n"),
    ?assertEqual({ok, <<"one\n">>}, gentcp:recv(C, 0, ?WAIT)),
    ?assertEqual({ok, <<"two\n">>}, gentcp:recv(C, 0, ?WAIT)),
    ok = gentcp:send(C, "th"),
    ?assertEqual({error, timeout}, gentcp:recv(C, 0, 20)),
    ok = gentcp:send(C, "ree\n"),
    ?assertEqual({ok, <<"three\n">>}, gentcp:recv(C, 0, ?WAIT)),
    done(C, Echo).

echo_ipv6(_) ->
    Loopback = {0, 0, 0, 0, 0, 0, 0, 1},
    {ok, L} = gentcp:listen(0, [inet6, binary, {active, false}, {ip, loopback}]),
    {ok, Port} = gentcp:port(L),
    {ok, C} = gentcp:connect(Loopback, Port, [binary, {active, false}], ?WAIT),
    {ok, S} = gentcp:accept(L, ?WAIT),
    ?assertEqual({ok, {Loopback, Port}}, gentcp:peername(C)),
    ?assertEqual({ok, {Loopback, Port}}, gentcp:sockname(S)),
    ?assertEqual(gentcp:sockname(C), gentcp:peername(S)),
    close([L]),
    Echo = spawn_echo(S, fun gentcp_sockets:echo/1),
    exchange(C, 20),
    done(C, Echo).

list_is_the_default_mode(_) ->
    {C, S} = pair([{active, false}]),
    ok = gentcp:send(C, <<"abc", 255>>),
    ?assertEqual({ok, "abc" ++ [255]}, gentcp:recv(S, 4, ?WAIT)),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, "def"),
    ?assertEqual({tcp, S, "def"}, next()),
    ok = gentcp:setopts(S, [{active, once}, binary]),
    ok = gentcp:send(C, "ghi"),
    ?assertEqual({tcp, S, <<"ghi">>}, next()),
    close([C, S]).

%% Binaries, parts of binaries, short and long lists, improper tails: what arrives is the same.
large_data_in_every_shape(_) ->
    Whole = rand:bytes(3000000),
    <<_:3/binary, Part:1500000/binary, _/binary>> = Whole,
    <<_:5, Bits:100000/binary, _/bitstring>> = Whole,
    Appended = lists:foldl(fun(_, Acc) -> <<Acc/binary, Part:1000/binary>> end, <<>>, lists:seq(1, 300)),
    Chunks = [binary:part(Whole, I * 7, 7) || I <- lists:seq(0, 50000)],
    Tall = lists:foldl(fun(I, Acc) -> [Acc, binary:part(Whole, I, 300) | <<"x">>] end, [], lists:seq(1, 20000)),
    [
        begin
            {C, S} = pair([binary, {active, false}, {packet, Packet}, {high_watermark, 1 bsl 30}]),
            Expected = iolist_to_binary(Data),
            ok = gentcp:send(C, Data),
            Length = case Packet of raw -> byte_size(Expected); 4 -> 0 end,
            {ok, Received} = gentcp:recv(S, Length, ?WAIT),
            ?assertEqual(erlang:md5(Expected), erlang:md5(Received)),
            close([C, S])
        end
     || Packet <- [raw, 4],
        Data <- [Whole, Part, Bits, Appended, Chunks, Tall, [Whole, Part], [<<>>, Whole, <<>>, "abc", Part]]
    ].

%% ---- ways in ----

gen_tcp_and_inet_take_the_sockets(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, false}]),
    {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, ["a", <<"b">>]),
    ?assertEqual({ok, <<"ab">>}, gen_tcp:recv(S, 2)),
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 2, 1)),
    ok = gen_tcp:unrecv(S, "cd"),
    ?assertEqual({ok, <<"cd">>}, gen_tcp:recv(S, 0, 0)),
    ok = inet:setopts(S, [{active, once}, {nodelay, true}]),
    ?assertEqual({ok, [{active, once}, {nodelay, true}]}, inet:getopts(S, [active, nodelay])),
    ?assertEqual(inet:peername(C), inet:sockname(S)),
    ok = gen_tcp:controlling_process(S, self()),
    ok = gen_tcp:shutdown(C, write),
    ?assertEqual({tcp_closed, S}, next()),
    ok = gen_tcp:close(C),
    ok = inet:close(S),
    ok = gen_tcp:close(L),
    ?assertEqual({error, closed}, gen_tcp:accept(L, 0)).

gen_tcp_opens_with_tcp_module(_) ->
    Via = {tcp_module, gentcp},
    {ok, {'$inet', gentcp, _} = L} = gen_tcp:listen(0, [Via, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, {'$inet', gentcp, _} = C} = gen_tcp:connect("localhost", Port, [Via, {active, false}], ?WAIT),
    {ok, S} = gen_tcp:accept(L, ?WAIT),
    ok = gen_tcp:send(C, "x"),
    ?assertEqual({ok, "x"}, gen_tcp:recv(S, 0, ?WAIT)),
    ?assertExit(badarg, gen_tcp:connect("localhost", Port, [Via, {nodelay, 3}], ?WAIT)),
    close([C, S, L]).

%% ---- opening ----

accept_times_out(_) ->
    {ok, L} = gentcp:listen(0, []),
    ?assertEqual({error, timeout}, gentcp:accept(L, 0)),
    ?assertEqual({error, timeout}, gentcp:accept(L, 20)),
    {Pid, Ref} = spawn_monitor(fun() -> exit(gentcp:accept(L)) end),
    await_blocked(Pid),
    close([L]),
    ?assertEqual({'DOWN', Ref, process, Pid, {error, closed}}, next()).

connect_fails_with_the_reason(_) ->
    {ok, L} = gentcp:listen(0, []),
    {ok, Port} = gentcp:port(L),
    ?assertEqual({error, eaddrinuse}, gentcp:listen(Port, [])),
    close([L]),
    ?assertEqual({error, econnrefused}, gentcp:connect(?LOCAL, Port, [], ?WAIT)),
    ?assertExit({function_clause, _}, gentcp:connect(?LOCAL, 70000, [])),
    ?assertExit(badarg, gentcp:listen(70000, [])),
    ?assertExit(badarg, gentcp:listen(-1, [])),
    ?assertExit(badarg, gentcp:connect(?LOCAL, no_such_service, [])),
    ?assertError(function_clause, gentcp:connect(<<"localhost">>, Port, [])),
    ?assertExit(badarg, gentcp:connect({1, 2, 3}, Port, [])),
    ?assertExit(badarg, gentcp:connect({1, 2, 3, 400}, Port, [])),
    ?assertEqual({error, eafnosupport}, gentcp:connect(?LOCAL, Port, [inet6])),
    quiet().

connect_resolves_names(_) ->
    {C, S} = pair("localhost", []),
    close([C, S]),
    {C2, S2} = pair(loopback, []),
    close([C2, S2]),
    ?assertEqual({error, nxdomain}, gentcp:connect("::1", 1, [], ?WAIT)),
    ?assertExit(badarg, gentcp:connect("not a name", 1, [], ?WAIT)).
