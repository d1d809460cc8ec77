%% SPDX-License-Identifier: Apache-2.0
%% The OTP host, run as a program would use it. Every socket is on loopback, every wait has a bound.
-module(gentcp_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
%% Called on another node.
-export([upgrade/0, refuse/1]).
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
    recv_timeout_keeps_bytes/1,
    recv_of_a_wrong_length_is_a_function_clause/1,
    second_recv_is_ealready/1,
    recv_replaces_that_of_a_dead_caller/1,
    recv_on_an_active_socket_is_einval/1,
    setopts_active_ends_a_waiting_recv/1,
    unrecv_is_read_again/1,
    accepts_are_served_in_order/1,
    accept_times_out/1,
    accept_of_a_dead_caller_loses_no_connection/1,
    connect_timeout_0_is_timeout/1,
    connect_fails_with_the_reason/1,
    connect_resolves_names/1,
    bad_options_exit_and_setopts_is_einval/1,
    getopts_reads_what_was_set/1,
    accept_inherits_options/1,
    count_runs_out_with_tcp_passive/1,
    send_of_no_iodata_is_einval/1,
    send_waits_for_a_slow_peer_and_nothing_else_does/1,
    send_timeout_leaves_bytes_queued/1,
    send_timeout_close_closes/1,
    shutdown_write_flushes_first/1,
    close_flushes/1,
    after_close/1,
    peers_end_passive/1,
    emsgsize/1,
    owner_death_closes/1,
    owner_death_flushes/1,
    only_the_owner_hands_over/1,
    dead_new_owner_is_badarg/1,
    hand_over_under_traffic/1,
    hand_over_passes_on_the_end/1,
    hand_over_keeps_the_count/1,
    new_owner_hands_on_at_once/1,
    owner_killed_while_handing_over/1,
    hand_over_holds_messages_back/1,
    failed_hand_over_gives_messages_back/1,
    messages_are_in_order_for_off_heap_receivers/1,
    many_connections_echo/1,
    sockets_live_without_references/1,
    nothing_is_left/1,
    drivers_end_closes_and_the_next_call_starts_another/1,
    the_application_takes_over_the_driver/1,
    new_erlang_code_keeps_the_sockets/1,
    new_native_code_is_refused/1,
    wrong_terms_are_badarg/1,
    racing_calls_survive/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info, Name =/= refuse].


%% ---- in every mode ----

echo_passive(_) ->
    {C, S} = pair([binary, {active, false}]),
    Echo = spawn_echo(S, fun echo_passive_loop/1),
    exchange(C, 200),
    done(C, Echo).

echo_passive_loop(S) ->
    case gentcp:recv(S, 0) of
        {ok, Data} ->
            ok = gentcp:send(S, Data),
            echo_passive_loop(S);
        {error, closed} ->
            ok
    end.

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
            Echo = spawn_echo(S, fun echo_passive_loop/1),
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
    Echo = spawn_echo(S, fun echo_passive_loop/1),
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
    Echo = spawn_echo(S, fun echo_passive_loop/1),
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

%% ---- receiving ----

recv_timeout_keeps_bytes(_) ->
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "12345"),
    ?assertEqual({error, timeout}, gentcp:recv(S, 10, 50)),
    ?assertEqual({error, timeout}, gentcp:recv(S, 10, 0)),
    ok = gentcp:send(C, "67890"),
    ?assertEqual({ok, <<"1234567890">>}, gentcp:recv(S, 10, ?WAIT)),
    ?assertEqual({error, enomem}, gentcp:recv(S, 1 bsl 50, 0)),
    ?assertEqual({error, enomem}, gentcp:recv(S, 1 bsl 90, 0)),
    close([C, S]),
    quiet().

recv_of_a_wrong_length_is_a_function_clause(_) ->
    {C, S} = pair([]),
    ?assertError(function_clause, gentcp:recv(S, -1)),
    ?assertError(function_clause, gentcp:recv(S, foo)),
    ?assertError(function_clause, gentcp:recv(S, 0, foo)),
    ?assertError(function_clause, gentcp:shutdown(S, foo)),
    ?assertError(function_clause, gentcp:controlling_process(S, foo)),
    close([C, S]).

second_recv_is_ealready(_) ->
    {C, S} = pair([binary, {active, false}]),
    First = spawn_recv(S),
    await_blocked(First),
    ?assertEqual({error, ealready}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:send(C, "x"),
    ?assertEqual({First, {ok, <<"x">>}}, next()),
    close([C, S]).

recv_replaces_that_of_a_dead_caller(_) ->
    {C, S} = pair([binary, {active, false}]),
    First = spawn_recv(S),
    await_blocked(First),
    kill(First),
    Second = spawn_recv(S),
    await_blocked(Second),
    ok = gentcp:send(C, "x"),
    ?assertEqual({Second, {ok, <<"x">>}}, next()),
    Third = spawn_recv(S),
    await_blocked(Third),
    kill(Third),
    ok = gentcp:send(C, "kept"),
    ?assertEqual({ok, <<"kept">>}, gentcp:recv(S, 4, ?WAIT)),
    close([C, S]).

recv_on_an_active_socket_is_einval(_) ->
    {C, S} = pair([]),
    ok = gentcp:setopts(S, [{active, true}]),
    ?assertEqual({error, einval}, gentcp:recv(S, 0, 0)),
    close([C, S]).

setopts_active_ends_a_waiting_recv(_) ->
    {C, S} = pair([binary, {active, false}]),
    Waiting = spawn_recv(S),
    await_blocked(Waiting),
    ok = gentcp:setopts(S, [{active, true}]),
    ?assertEqual({Waiting, {error, einval}}, next()),
    ok = gentcp:send(C, "x"),
    ?assertEqual({tcp, S, <<"x">>}, next()),
    close([C, S]).

unrecv_is_read_again(_) ->
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "world"),
    {ok, <<"wor">>} = gentcp:recv(S, 3, ?WAIT),
    ok = gentcp:unrecv(S, ["hello ", <<"wor">>]),
    ?assertEqual({ok, <<"hello world">>}, gentcp:recv(S, 11, ?WAIT)),
    ?assertEqual({error, einval}, gentcp:unrecv(S, foo)),
    close([C, S]).

%% ---- opening ----

accepts_are_served_in_order(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}]),
    {ok, Port} = gentcp:port(L),
    Self = self(),
    Waiting = [
        begin
            Pid = spawn_link(fun() ->
                {ok, S} = gentcp:accept(L, ?WAIT),
                ok = gentcp:send(S, integer_to_list(I)),
                Self ! {served, I},
                receive stop -> ok end
            end),
            await_blocked(Pid),
            Pid
        end
     || I <- lists:seq(1, 5)
    ],
    [
        begin
            {ok, C} = gentcp:connect(?LOCAL, Port, [{active, false}]),
            ?assertEqual({served, I}, next()),
            ?assertEqual({ok, integer_to_list(I)}, gentcp:recv(C, 0, ?WAIT))
        end
     || I <- lists:seq(1, 5)
    ],
    [Pid ! stop || Pid <- Waiting],
    close([L]).

accept_times_out(_) ->
    {ok, L} = gentcp:listen(0, []),
    ?assertEqual({error, timeout}, gentcp:accept(L, 0)),
    ?assertEqual({error, timeout}, gentcp:accept(L, 20)),
    {Pid, Ref} = spawn_monitor(fun() -> exit(gentcp:accept(L)) end),
    await_blocked(Pid),
    close([L]),
    ?assertEqual({'DOWN', Ref, process, Pid, {error, closed}}, next()).

accept_of_a_dead_caller_loses_no_connection(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}]),
    {ok, Port} = gentcp:port(L),
    Waiting = spawn(fun() -> gentcp:accept(L) end),
    await_blocked(Waiting),
    kill(Waiting),
    {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, false}]),
    ok = gentcp:send(C, "x"),
    {ok, S} = gentcp:accept(L, ?WAIT),
    ?assertEqual({ok, <<"x">>}, gentcp:recv(S, 1, ?WAIT)),
    close([C, S, L]).

connect_timeout_0_is_timeout(_) ->
    {ok, L} = gentcp:listen(0, []),
    {ok, Port} = gentcp:port(L),
    ?assertEqual({error, timeout}, gentcp:connect(?LOCAL, Port, [], 0)),
    ?assertError(badarg, gentcp:connect(?LOCAL, Port, [], -1)),
    ?assertError(badarg, gentcp:connect(?LOCAL, Port, [], foo)),
    close([L]),
    quiet().

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

%% ---- options ----

bad_options_exit_and_setopts_is_einval(_) ->
    {C, S} = pair([]),
    {ok, Port} = gentcp:port(S),
    Bad = [
        [foo],
        [{foo, 1}],
        [{active, maybe}],
        [{active, 40000}],
        [{active, 1 bsl 70}],
        [{nodelay, 1}],
        [{packet, 3}],
        [{packet, -1}],
        [{packet, foo}],
        [{buffer, -1}],
        [{mode, foo}],
        [{binary, foo}],
        [{linger, true}],
        [{linger, {true, -1}}],
        [{send_timeout, -1}],
        [{nodelay, true} | foo],
        [{1, 2, 3}],
        [1],
        foo
    ],
    [
        begin
            ?assertEqual({error, einval}, gentcp:setopts(S, Options)),
            ?assertExit(badarg, gentcp:connect(?LOCAL, Port, Options)),
            ?assertExit(badarg, gentcp:listen(0, Options))
        end
     || Options <- Bad
    ],
    ?assertExit(badarg, gentcp:listen(0, [inet6, {ip, ?LOCAL}])),
    ?assertEqual({error, einval}, gentcp:setopts(S, [{nodelay, true}, {packet, 3}])),
    ?assertEqual({ok, [{nodelay, false}]}, gentcp:getopts(S, [nodelay])),
    [
        ?assertEqual({error, einval}, gentcp:getopts(S, Names))
     || Names <- [[foo], [list], [binary], [backlog], [ip], [port], [line_delimiter], [{active, 1}], [active | foo]]
    ],
    close([C, S]).

getopts_reads_what_was_set(_) ->
    {C, S} = pair([{packet, raw}]),
    ?assertEqual(
        {ok, [{active, false}, {mode, list}, {packet, 0}, {linger, {false, 0}}, {send_timeout, infinity}]},
        gentcp:getopts(S, [active, mode, packet, linger, send_timeout])
    ),
    Set = [
        {active, 5},
        {mode, binary},
        {packet, line},
        {packet_size, 1000},
        {buffer, 2000},
        {high_watermark, 20000},
        {low_watermark, 10000},
        {send_timeout, 100},
        {send_timeout_close, true},
        {exit_on_close, false},
        {show_econnreset, true},
        {linger, {true, 3}},
        {nodelay, true},
        {keepalive, true}
    ],
    ok = gentcp:setopts(S, Set),
    ?assertEqual({ok, Set}, gentcp:getopts(S, [Name || {Name, _} <- Set])),
    [
        begin
            ok = gentcp:setopts(S, [{packet, Packet}]),
            ?assertEqual({ok, [{packet, Packet}]}, gentcp:getopts(S, [packet]))
        end
     || Packet <- [1, 2, 4, line, 0]
    ],
    ok = gentcp:setopts(S, []),
    ok = gentcp:setopts(S, [{binary, false}]),
    ?assertEqual({ok, [{mode, list}]}, gentcp:getopts(S, [mode])),
    close([C, S]).

accept_inherits_options(_) ->
    {ok, L} = gentcp:listen(0, [{packet, 2}, {active, false}, {nodelay, true}, binary, {send_timeout, 7}]),
    {ok, Port} = gentcp:port(L),
    {ok, C} = gentcp:connect(?LOCAL, Port, []),
    {ok, S} = gentcp:accept(L, ?WAIT),
    Names = [packet, active, nodelay, mode, send_timeout],
    ?assertEqual(
        {ok, [{packet, 2}, {active, false}, {nodelay, true}, {mode, binary}, {send_timeout, 7}]},
        gentcp:getopts(S, Names)
    ),
    close([C, S, L]).

count_runs_out_with_tcp_passive(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    ok = gentcp:setopts(S, [{active, 2}]),
    ok = gentcp:setopts(S, [{active, 1}]),
    [ok = gentcp:send(C, [I]) || I <- [1, 2, 3, 4]],
    ?assertEqual(
        [{tcp, S, <<1>>}, {tcp, S, <<2>>}, {tcp, S, <<3>>}, {tcp_passive, S}], [next() || _ <- [1, 2, 3, 4]]
    ),
    ?assertEqual({ok, <<4>>}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:setopts(S, [{active, 0}]),
    ?assertEqual({tcp_passive, S}, next()),
    close([C, S]),
    quiet().

%% ---- sending and ending ----

send_of_no_iodata_is_einval(_) ->
    {C, S} = pair([{packet, 1}]),
    [?assertEqual({error, einval}, gentcp:send(C, Data)) || Data <- [foo, 1, <<1:4>>, [1 | foo], [300], {a}, #{}]],
    ?assertEqual({error, emsgsize}, gentcp:send(C, binary:copy(<<0>>, 256))),
    close([C, S]).

%% The sender waits for its peer; another process, on every scheduler, is never late by much.
send_waits_for_a_slow_peer_and_nothing_else_does(_) ->
    {C, S} = pair([binary, {active, false}]),
    Tickers = [spawn_ticker(I) || I <- lists:seq(1, erlang:system_info(schedulers_online))],
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
    timer:sleep(300),
    Latest = lists:max([stop_ticker(T) || T <- Tickers]),
    ?assert(is_process_alive(Sender)),
    receive sent -> error(sent_too_early) after 0 -> ok end,
    ct:pal("latest tick: ~p ms", [Latest]),
    ?assert(Latest < 200),
    Hash = receive_hash(S, Count * byte_size(Data), crypto:hash_init(sha256)),
    ?assertEqual(crypto:hash(sha256, binary:copy(Data, Count)), Hash),
    ?assertEqual(sent, next()),
    close([S]).

spawn_ticker(_) ->
    spawn_link(fun() -> ticker(erlang:monotonic_time(millisecond), 0) end).

ticker(Last, Latest) ->
    receive
        {stop, From} -> From ! {latest, self(), Latest}
    after 1 ->
        Now = erlang:monotonic_time(millisecond),
        ticker(Now, max(Latest, Now - Last - 1))
    end.

stop_ticker(Pid) ->
    Pid ! {stop, self()},
    receive {latest, Pid, Latest} -> Latest after ?WAIT -> error(stuck) end.

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
    ?assertEqual({error, closed}, gentcp:send(C, "x")),
    {ok, Received} = gentcp:recv(S, byte_size(Data), ?WAIT),
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

%% ---- owners ----

owner_death_closes(_) ->
    [
        begin
            {C, S} = pair([binary, {active, false}]),
            Owner = spawn(fun() -> receive never -> ok end end),
            ok = gentcp:controlling_process(C, Owner),
            exit(Owner, Reason),
            ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
            close([S])
        end
     || Reason <- [kill, shutdown]
    ],
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() ->
        {ok, L} = gentcp:listen(0, []),
        Self ! gentcp:port(L)
    end),
    {ok, Port} = next(),
    ?assertEqual({'DOWN', Ref, process, Pid, normal}, next()),
    until(fun() -> gentcp:connect(?LOCAL, Port, [], ?WAIT) =:= {error, econnrefused} end).

owner_death_flushes(_) ->
    {C, S} = pair([binary, {active, false}, {high_watermark, 1 bsl 30}]),
    Data = rand:bytes(5000000),
    Owner = spawn(fun() -> receive Message -> exit(Message) end end),
    ok = gentcp:controlling_process(C, Owner),
    ok = gentcp:send(C, Data),
    exit(Owner, kill),
    {ok, Received} = gentcp:recv(S, byte_size(Data), ?WAIT),
    ?assertEqual(erlang:md5(Data), erlang:md5(Received)),
    ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
    close([S]).

only_the_owner_hands_over(_) ->
    {C, S} = pair([]),
    Self = self(),
    Other = spawn_link(fun() ->
        Self ! gentcp:controlling_process(C, self()),
        Self ! gentcp:controlling_process(C, Self),
        receive stop -> ok end
    end),
    ?assertEqual({error, not_owner}, next()),
    ?assertEqual(ok, next()),
    ?assertEqual(ok, gentcp:controlling_process(C, Other)),
    ?assertEqual({error, not_owner}, gentcp:controlling_process(C, Self)),
    ?assertEqual(ok, gentcp:controlling_process(C, Other)),
    Other ! stop,
    ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
    close([S]).

dead_new_owner_is_badarg(_) ->
    {C, S} = pair([binary, {active, false}]),
    {Dead, Ref} = spawn_monitor(fun() -> ok end),
    ?assertMatch({'DOWN', Ref, process, Dead, _}, next()),
    ok = gentcp:setopts(S, [{active, 7}]),
    ?assertEqual({error, badarg}, gentcp:controlling_process(S, Dead)),
    ?assertEqual({ok, [{active, 7}]}, gentcp:getopts(S, [active])),
    ok = gentcp:send(C, "x"),
    ?assertEqual({tcp, S, <<"x">>}, next()),
    close([C, S]).

%% A chain of owners: each takes what it gets for a while and hands on; together they got every number once, in order.
hand_over_under_traffic(_) ->
    [hand_over_under_traffic(Active, Queue) || Active <- [true, once, 10], Queue <- [on_heap, off_heap]].

hand_over_under_traffic(Active, Queue) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Count = 20000,
    Self = self(),
    spawn_link(fun() -> [ok = gentcp:send(C, <<I:32>>) || I <- lists:seq(1, Count)] end),
    Last = spawn_owner(Queue, S, Active, infinity, none, Self),
    First = lists:foldl(
        fun(_, Next) -> spawn_owner(Queue, S, Active, 150, Next, Self) end, Last, lists:seq(1, 30)
    ),
    ok = gentcp:setopts(S, [{active, Active}]),
    ok = gentcp:controlling_process(S, First),
    First ! {yours, 1},
    receive
        {owner, Last, {got, Next}} -> ?assertEqual(Count + 1, Next);
        {owner, _, Wrong} -> error({Active, Queue, Wrong})
    after 30000 -> error({Active, Queue, flush()})
    end,
    close([C, S]),
    _ = flush(),
    ok.

spawn_owner(Queue, S, Active, Quota, Next, Report) ->
    spawn_opt(
        fun() ->
            receive
                {yours, From} -> own(S, Active, From, From, Quota, Next, Report)
            end
        end,
        [link, {message_queue_data, Queue}]
    ).

own(_S, _Active, 20001, _, _, none, Report) ->
    Report ! {owner, self(), {got, 20001}};
own(S, _Active, Number, From, Quota, Next, _Report) when is_integer(Quota), Number - From >= Quota ->
    ok = gentcp:controlling_process(S, Next),
    Next ! {yours, Number},
    ok;
own(S, Active, Number, From, Quota, Next, Report) ->
    receive
        {tcp, S, <<Number:32>>} ->
            Active =:= once andalso (ok = gentcp:setopts(S, [{active, once}])),
            own(S, Active, Number + 1, From, Quota, Next, Report);
        {tcp_passive, S} ->
            ok = gentcp:setopts(S, [{active, Active}]),
            own(S, Active, Number, From, Quota, Next, Report);
        Other ->
            Report ! {owner, self(), {expected, Number, Other}}
    after 10000 -> Report ! {owner, self(), {missing, Number, gentcp:getopts(S, [active])}}
    end.

hand_over_passes_on_the_end(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Owner = spawn_link(fun() -> forward_all(Self) end),
    ok = gentcp:setopts(S, [{active, 2}]),
    [ok = gentcp:send(C, [I]) || I <- [1, 2, 3]],
    await_messages(3),
    ok = gentcp:controlling_process(S, Owner),
    ?assertEqual(
        [{Owner, {tcp, S, <<1>>}}, {Owner, {tcp, S, <<2>>}}, {Owner, {tcp_passive, S}}],
        [next(), next(), next()]
    ),
    close([C]),
    ?assertEqual({ok, <<3>>}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:setopts(S, [{active, true}]),
    ?assertEqual({Owner, {tcp_closed, S}}, next()),
    quiet().

hand_over_keeps_the_count(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Owner = spawn_link(fun() -> forward_all(Self) end),
    ok = gentcp:setopts(S, [{active, 3}]),
    ok = gentcp:send(C, "a"),
    await_messages(1),
    ok = gentcp:controlling_process(S, Owner),
    ?assertEqual({Owner, {tcp, S, <<"a">>}}, next()),
    ?assertEqual({ok, [{active, 2}]}, gentcp:getopts(S, [active])),
    close([C, S]).

%% With the first message, and so before the old owner's controlling_process has returned, or just after.
new_owner_hands_on_at_once(_) ->
    [hand_on_at_once() || _ <- lists:seq(1, 100)],
    ok.

hand_on_at_once() ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Last = spawn_link(fun() -> forward_all(Self) end),
    Owner = spawn_link(fun() ->
        receive {tcp, S, <<1>>} = First -> Last ! First end,
        ok = gentcp:controlling_process(S, Last)
    end),
    ok = gentcp:setopts(S, [{active, true}]),
    [ok = gentcp:send(C, [I]) || I <- lists:seq(1, 10)],
    await_messages(10),
    spawn_link(fun() -> [ok = gentcp:send(C, [I]) || I <- lists:seq(11, 20)] end),
    ok = gentcp:controlling_process(S, Owner),
    [?assertEqual({Last, {tcp, S, <<I>>}}, next()) || I <- lists:seq(1, 20)],
    close([C, S]),
    unlink(Last),
    exit(Last, kill).

%% Whenever it happens: either the new owner has the socket, and hears of it, or the socket is closed.
owner_killed_while_handing_over(_) ->
    Self = self(),
    Begin = fun({_, _, Handle}, New) ->
        pass_on = gentcp_nif:hand_over(Handle, New),
        Self ! paused,
        receive never -> ok end
    end,
    ?assertEqual(closed, kill_after(fun() -> paused = next() end, Begin)),
    Results = [
        kill_after(fun() -> lists:sum(lists:seq(1, Spins)) end, fun gentcp:controlling_process/2)
     || Spins <- lists:seq(0, 60000, 200)
    ],
    ct:pal("handed over ~b of ~b times", [length([ok || handed_over <- Results]), length(Results)]).

kill_after(Wait, HandOver) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    New = spawn_link(fun() -> forward_all(Self) end),
    Old = spawn(fun() ->
        receive go -> ok end,
        HandOver(S, New),
        receive never -> ok end
    end),
    ok = gentcp:controlling_process(S, Old),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, "a"),
    Old ! go,
    _ = Wait(),
    kill(Old),
    _ = gentcp:send(C, "b"),
    ok = gentcp:setopts(C, [{active, true}]),
    Result =
        receive
            {tcp_closed, C} -> closed;
            {New, {tcp, S, <<"b">>}} -> handed_over
        after ?WAIT -> error(neither)
        end,
    close([C, S]),
    unlink(New),
    kill(New),
    _ = flush(),
    Result.

hand_over_holds_messages_back(_) ->
    {C, {_, _, Handle} = S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Owner = spawn_link(fun() -> forward_all(Self) end),
    ok = gentcp:setopts(S, [{active, true}]),
    pass_on = gentcp_nif:hand_over(Handle, Owner),
    ok = gentcp:send(C, "held"),
    ?assertEqual({error, einval}, gentcp:recv(S, 0, 0)),
    ?assertEqual({ok, [{active, true}]}, gentcp:getopts(S, [active])),
    ok = gentcp:setopts(S, [{active, false}]),
    ok = gentcp:setopts(S, [{active, 0}]),
    ok = gentcp:setopts(S, [{active, once}]),
    quiet(),
    ok = gentcp_nif:pass_on(Handle, Owner, [first, second]),
    [
        ?assertEqual({Owner, Message}, next())
     || Message <- [first, second, {tcp_passive, S}, {tcp, S, <<"held">>}]
    ],
    close([C, S]),
    quiet().

failed_hand_over_gives_messages_back(_) ->
    {C, {_, _, Handle} = S} = pair([binary, {active, false}, {packet, 4}]),
    {Dead, Ref} = spawn_monitor(fun() -> receive stop -> ok end end),
    ok = gentcp:setopts(S, [{active, true}]),
    pass_on = gentcp_nif:hand_over(Handle, Dead),
    ok = gentcp:send(C, "x"),
    Dead ! stop,
    ?assertMatch({'DOWN', Ref, process, Dead, _}, next()),
    ?assertEqual({error, badarg}, gentcp_nif:pass_on(Handle, Dead, [first, second])),
    ?assertEqual([first, second, {tcp, S, <<"x">>}], [next(), next(), next()]),
    Other = spawn_link(fun() -> receive stop -> ok end end),
    pass_on = gentcp_nif:hand_over(Handle, Other),
    ok = gentcp_nif:abort(Handle),
    quiet(),
    ?assertEqual({error, closed}, gentcp_nif:pass_on(Handle, Other, [third])),
    ?assertEqual([third, {tcp_closed, S}], [next(), next()]),
    Other ! stop,
    close([C, S]),
    quiet().

forward_all(To) ->
    receive
        Message ->
            To ! {self(), Message},
            forward_all(To)
    end.

%% Messages come from the driver's callback and from NIF calls of other processes; whoever sends, the order is the
%% stream's.
messages_are_in_order_for_off_heap_receivers(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Count = 30000,
    Self = self(),
    Receiver = spawn_opt(
        fun() ->
            receive go -> ok end,
            Self ! {in_order, in_order(S, 1, Count)}
        end,
        [link, {message_queue_data, off_heap}, {priority, high}]
    ),
    ok = gentcp:controlling_process(S, Receiver),
    Receiver ! go,
    ok = gentcp:setopts(S, [{active, 100}]),
    [spawn_link(fun() -> poke(S) end) || _ <- [1, 2, 3]],
    spawn_link(fun() -> [ok = gentcp:send(C, <<I:32>>) || I <- lists:seq(1, Count)] end),
    receive {in_order, Result} -> ?assertEqual(ok, Result) after 30000 -> error(stuck) end,
    close([C, S]).

%% Other processes' calls read, too, and so deliver.
poke(S) ->
    case gentcp:setopts(S, [{active, 7}]) of
        ok -> poke(S);
        {error, einval} -> erlang:yield(), poke_unless_closed(S)
    end.

%% einval is also what a sum above 32767 gets.
poke_unless_closed(S) ->
    case gentcp:getopts(S, [active]) of
        {ok, _} -> poke(S);
        {error, einval} -> ok
    end.

in_order(_S, Number, Count) when Number > Count ->
    ok;
in_order(S, Number, Count) ->
    receive
        {tcp, S, <<Number:32>>} -> in_order(S, Number + 1, Count);
        {tcp_passive, S} -> in_order(S, Number, Count);
        Other -> {expected, Number, Other}
    after ?WAIT -> {missing, Number}
    end.

%% ---- many ----

many_connections_echo(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}, {backlog, 1000}]),
    {ok, Port} = gentcp:port(L),
    Self = self(),
    Server = spawn_link(fun() -> accept_loop(L) end),
    Clients = [
        spawn_link(fun() ->
            Mode = lists:nth(I rem 3 + 1, [false, true, once]),
            {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, Mode}], ?WAIT),
            [client_turn(C, Mode, rand:bytes(rand:uniform(2000))) || _ <- lists:seq(1, 50)],
            ok = gentcp:close(C),
            Self ! {finished, self()}
        end)
     || I <- lists:seq(1, 300)
    ],
    [receive {finished, Pid} -> ok after 30000 -> error(stuck) end || Pid <- Clients],
    unlink(Server),
    exit(Server, kill),
    close([L]).

accept_loop(L) ->
    case gentcp:accept(L) of
        {ok, S} ->
            Pid = spawn(fun() ->
                receive go -> ok end,
                echo_passive_loop(S)
            end),
            ok = gentcp:controlling_process(S, Pid),
            Pid ! go,
            accept_loop(L);
        {error, closed} ->
            ok
    end.

client_turn(C, false, Data) ->
    ok = gentcp:send(C, Data),
    {ok, Data} = gentcp:recv(C, byte_size(Data), ?WAIT);
client_turn(C, Mode, Data) ->
    ok = gentcp:send(C, Data),
    Data = gather(C, Mode, byte_size(Data), []).

gather(C, Mode, Missing, Parts) ->
    receive
        {tcp, C, Part} ->
            Mode =:= once andalso (ok = gentcp:setopts(C, [{active, once}])),
            case Missing - byte_size(Part) of
                0 -> iolist_to_binary(lists:reverse(Parts, [Part]));
                Rest -> gather(C, Mode, Rest, [Part | Parts])
            end
    after ?WAIT -> error(silence)
    end.

%% An open socket that nobody can name any more still belongs to its owner.
sockets_live_without_references(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {ok, Port} = gentcp:port(L),
    Self = self(),
    Owner = spawn_link(fun() ->
        {ok, _} = gentcp:connect(?LOCAL, Port, [binary]),
        Self ! connected,
        receive stop -> ok end
    end),
    {ok, S} = gentcp:accept(L, ?WAIT),
    connected = next(),
    erlang:garbage_collect(Owner),
    ok = gentcp:send(S, "x"),
    until(fun() -> process_info(Owner, message_queue_len) =:= {message_queue_len, 1} end),
    Owner ! stop,
    ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
    close([S, L]).

%% Descriptors: failed connects, refused options, dead owners and closed listeners give theirs back.
nothing_is_left(_) ->
    Round = fun() ->
        {C, S} = pair([]),
        {ok, Port} = gentcp:port(S),
        catch gentcp:connect(?LOCAL, Port, [{nodelay, 3}]),
        {error, timeout} = gentcp:connect(?LOCAL, Port, [], 0),
        {error, eaddrinuse} = gentcp:listen(Port, []),
        close([C, S]),
        {error, econnrefused} = gentcp:connect(?LOCAL, Port, [], ?WAIT),
        {Pid, Ref} = spawn_monitor(fun() ->
            {C2, _S2} = pair([]),
            gentcp:recv(C2, 0, 1)
        end),
        {'DOWN', Ref, process, Pid, normal} = next()
    end,
    Round(),
    Before = descriptors(),
    [Round() || _ <- lists:seq(1, 100)],
    until(fun() -> descriptors() =< Before end).

descriptors() ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    length(Names).

%% ---- the driver ----

drivers_end_closes_and_the_next_call_starts_another(_) ->
    [
        begin
            {ok, L} = gentcp:listen(0, []),
            {C, S} = pair([binary, {active, false}]),
            ok = gentcp:setopts(C, [{active, true}]),
            Waiting = spawn_recv(S),
            Accepting = spawn_link(fun() -> Self ! {self(), gentcp:accept(L)} end),
            await_blocked(Waiting),
            await_blocked(Accepting),
            Driver = whereis(gentcp_driver),
            exit(Driver, Reason),
            ?assertEqual(
                lists:sort([{tcp_closed, C}, {Waiting, {error, closed}}, {Accepting, {error, closed}}]),
                lists:sort([next(), next(), next()])
            ),
            until(fun() -> not is_process_alive(Driver) end),
            ?assertEqual({error, closed}, gentcp:send(C, "x")),
            {C2, S2} = pair([]),
            ?assertNotEqual(Driver, whereis(gentcp_driver)),
            close([C, S, C2, S2, L])
        end
     || Self <- [self()], Reason <- [kill, kill, kill]
    ].

the_application_takes_over_the_driver(_) ->
    {C, S} = pair([binary, {active, false}]),
    Driver = whereis(gentcp_driver),
    ok = application:start(gentcp),
    ?assertEqual(Driver, whereis(gentcp_driver)),
    ok = gentcp:send(C, "x"),
    ?assertEqual({ok, <<"x">>}, gentcp:recv(S, 1, ?WAIT)),
    exit(Driver, kill),
    until(fun() -> not lists:member(whereis(gentcp_driver), [undefined, Driver]) end),
    {C2, S2} = pair([]),
    ok = application:stop(gentcp),
    ?assertEqual(undefined, whereis(gentcp_driver)),
    close([C, S, C2, S2]),
    {C3, S3} = pair([]),
    close([C3, S3]).

%% ---- upgrades ----

new_erlang_code_keeps_the_sockets(Config) ->
    with_node(Config, fun(Call, _) -> ?assertEqual(ok, Call(upgrade, [])) end).

upgrade() ->
    {C, S} = pair([binary, {active, false}]),
    Waiting = spawn_recv(S),
    await_blocked(Waiting),
    [
        begin
            {module, gentcp_nif} = code:load_file(gentcp_nif),
            ok = gentcp:send(C, "x"),
            {Waiting, {ok, <<"x">>}} = next(),
            ok = gentcp:send(S, "y"),
            {ok, <<"y">>} = gentcp:recv(C, 1, ?WAIT),
            Waiting ! again,
            true = code:soft_purge(gentcp_nif),
            {C2, S2} = pair([]),
            close([C2, S2]),
            await_blocked(Waiting)
        end
     || _ <- [1, 2, 3]
    ],
    close([C, S]),
    ok.

new_native_code_is_refused(Config) ->
    with_node(Config, fun(Call, Other) -> ?assertEqual(ok, Call(refuse, [Other])) end).

%% The same bytes in another place are another library.
refuse(OtherEbin) ->
    {C, S} = pair([binary, {active, false}]),
    true = code:add_patha(OtherEbin),
    {error, on_load_failure} = code:load_file(gentcp_nif),
    ok = gentcp:send(C, "x"),
    {ok, <<"x">>} = gentcp:recv(S, 1, ?WAIT),
    {C2, S2} = pair([]),
    close([C, S, C2, S2]),
    ok.

%% A node with an application of its own, and where there is another.
with_node(Config, Fun) ->
    [Ebin, OtherEbin] = [copy_application(Config, Name) || Name <- ["one", "other"]],
    {ok, Node, _} = peer:start_link(#{
        connection => standard_io, args => ["-pa", Ebin, filename:dirname(code:which(?MODULE))]
    }),
    Fun(fun(Function, Args) -> peer:call(Node, ?MODULE, Function, Args) end, OtherEbin),
    peer:stop(Node).

copy_application(Config, Name) ->
    Copy = filename:join([proplists:get_value(priv_dir, Config), Name, "gentcp"]),
    copy(filename:join(gentcp_nif:directory(), "gentcp_nif.so"), filename:join([Copy, "priv", "gentcp_nif.so"])),
    [copy(Beam, filename:join([Copy, "ebin", filename:basename(Beam)])) || Beam <- beams()],
    filename:join(Copy, "ebin").

beams() ->
    filelib:wildcard(filename:join(filename:dirname(code:which(gentcp)), "*.beam")).

copy(From, To) ->
    ok = filelib:ensure_dir(To),
    {ok, _} = file:copy(From, To).

%% ---- abuse ----

wrong_terms_are_badarg(_) ->
    Others = [module_info, directory, close, abort],
    Functions = [{F, A} || {F, A} <- gentcp_nif:module_info(exports), not lists:member(F, Others)],
    Terms = [
        foo, 1, -1, 1 bsl 80, <<>>, <<1:3>>, [], [1 | 2], {}, make_ref(), self(), #{}, fun() -> ok end, "abc", 1.5
    ],
    {_, _, Handle} = Listener = element(2, gentcp:listen(0, [])),
    [
        try apply(gentcp_nif, F, Args) of
            {error, _} -> ok;
            {ok, {'$inet', gentcp, _} = Opened} -> close([Opened]);
            {ok, _} -> ok;
            Other -> ?assert(lists:member(Other, [ok, false, Handle]) orelse is_integer(Other), {F, Args, Other})
        catch
            error:badarg -> ok
        end
     || {F, A} <- Functions, First <- [Handle | Terms], Args <- arguments(A, First, Terms)
    ],
    ?assertError(badarg, gentcp:recv({'$inet', gentcp, foo}, 0)),
    ?assertMatch({ok, _}, gentcp:port(Listener)),
    _ = flush(),
    close([Listener]).

arguments(1, First, _) -> [[First]];
arguments(2, First, Terms) -> [[First, Second] || Second <- Terms];
arguments(3, First, Terms) -> [[First, Second, Third] || Second <- Terms, Third <- Terms].

%% Everything at once on the same sockets, from processes that are killed at any moment.
racing_calls_survive(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}, {backlog, 100}]),
    {ok, Port} = gentcp:port(L),
    End = erlang:monotonic_time(millisecond) + 4000,
    race(L, Port, End),
    close([L]),
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "alive"),
    ?assertEqual({ok, <<"alive">>}, gentcp:recv(S, 5, ?WAIT)),
    close([C, S]),
    _ = flush(),
    ok.

race(L, Port, End) ->
    Sockets = [
        begin
            {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, false}], ?WAIT),
            {ok, S} = gentcp:accept(L, ?WAIT),
            [C, S]
        end
     || _ <- [1, 2, 3]
    ],
    All = lists:append(Sockets),
    Pids = [spawn(fun() -> abuse(L, All) end) || _ <- lists:seq(1, 16)],
    timer:sleep(rand:uniform(60)),
    [kill(Pid) || Pid <- Pids],
    close(All),
    case erlang:monotonic_time(millisecond) < End of
        true -> race(L, Port, End);
        false -> ok
    end.

abuse(L, All) ->
    S = lists:nth(rand:uniform(length(All)), All),
    _ =
        case rand:uniform(40) of
            N when N =< 8 -> gentcp:send(S, rand:bytes(rand:uniform(20000)));
            N when N =< 16 -> gentcp:recv(S, 0, rand:uniform(3) - 1);
            N when N =< 20 -> gentcp:recv(S, rand:uniform(10000), 1);
            N when N =< 24 -> gentcp:setopts(S, [{active, once}]);
            N when N =< 26 -> gentcp:setopts(S, [{active, true}]);
            N when N =< 28 -> gentcp:setopts(S, [{active, rand:uniform(3)}]);
            N when N =< 32 -> gentcp:setopts(S, [{active, false}]);
            33 -> gentcp:setopts(S, [{packet, 4}]);
            34 -> gentcp:setopts(S, [{packet, raw}]);
            35 -> gentcp:unrecv(S, "abc");
            36 -> gentcp:accept(L, 0);
            37 -> gentcp:controlling_process(S, self());
            38 -> gentcp:getopts(S, [active, packet, nodelay]);
            39 -> rand:uniform(20) =:= 1 andalso gentcp:shutdown(S, write);
            40 -> rand:uniform(20) =:= 1 andalso gentcp:close(S)
        end,
    abuse(L, All).

%% ---- what tests have in common ----

%% Two ends of a connection, both owned by the caller.
pair(Options) ->
    pair(?LOCAL, Options).

pair(Address, Options0) ->
    Options = [{active, false} | Options0],
    {ok, L} = gentcp:listen(0, Options),
    {ok, Port} = gentcp:port(L),
    {ok, C} = gentcp:connect(Address, Port, Options, ?WAIT),
    {ok, S} = gentcp:accept(L, ?WAIT),
    close([L]),
    {C, S}.

close(Sockets) ->
    [?assertEqual(ok, gentcp:close(S)) || S <- Sockets].

spawn_echo(S, Fun) ->
    Echo = fun() ->
        receive go -> ok end,
        Fun(S)
    end,
    {Pid, Ref} = spawn_opt(Echo, [link, monitor]),
    ok = gentcp:controlling_process(S, Pid),
    Pid ! go,
    {Pid, Ref}.

%% Pieces of many sizes go out and come back the same.
exchange(C, Count) ->
    [
        begin
            Data = rand:bytes(I * I rem 9973 + 1),
            ok = gentcp:send(C, Data),
            ?assertEqual({ok, Data}, gentcp:recv(C, byte_size(Data), ?WAIT))
        end
     || I <- lists:seq(1, Count)
    ].

done(C, {Echo, Ref}) ->
    close([C]),
    ?assertEqual({'DOWN', Ref, process, Echo, normal}, next()).

spawn_recv(S) ->
    Self = self(),
    spawn(fun() -> recv_and_tell(S, Self) end).

recv_and_tell(S, To) ->
    To ! {self(), gentcp:recv(S, 0)},
    receive again -> recv_and_tell(S, To) after ?WAIT -> ok end.

await_blocked(Pid) ->
    Waiting = [{status, waiting}, {current_function, {gentcp, await, 3}}],
    until(fun() -> process_info(Pid, [status, current_function]) =:= Waiting end).

await_messages(Count) ->
    until(fun() -> process_info(self(), message_queue_len) =:= {message_queue_len, Count} end).

kill(Pid) ->
    Ref = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok after ?WAIT -> error(immortal) end.

receive_hash(_S, 0, State) ->
    crypto:hash_final(State);
receive_hash(S, Missing, State) ->
    {ok, Data} = gentcp:recv(S, 0, ?WAIT),
    receive_hash(S, Missing - byte_size(Data), crypto:hash_update(State, Data)).

next() ->
    receive
        Message -> Message
    after ?WAIT -> error(silence)
    end.

quiet() ->
    receive
        Message -> error({unexpected, Message})
    after 20 -> ok
    end.

flush() ->
    receive
        Message -> [Message | flush()]
    after 0 -> []
    end.

until(Condition) ->
    until(Condition, erlang:monotonic_time(millisecond) + ?WAIT).

until(Condition, Deadline) ->
    case Condition() of
        true ->
            ok;
        false ->
            erlang:monotonic_time(millisecond) < Deadline orelse error(never),
            timer:sleep(1),
            until(Condition, Deadline)
    end.
