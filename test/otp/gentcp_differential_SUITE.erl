%% SPDX-License-Identifier: Apache-2.0
%% The same random calls over inet and over gentcp, and the same results and messages; and what such sequences have
%% found, each as short as it could be made. What may differ is in differential_purpose, and nowhere else.
%%
%% GENTCP_DIFFERENTIAL: how many sequences (make differential COUNT=20000).
-module(gentcp_differential_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
-export([
    a_difference_is_seen_and_made_short/1,
    random_sequences/1,
    of_options_at_opening_the_last_counts/1,
    of_options_set_the_first_counts/1,
    bad_data_to_a_closed_socket/1,
    options_after_the_end/1,
    no_options_of_a_closed_socket/1,
    tos_leaves_priority_alone/1,
    port_gets_lines_of_http/1,
    more_data_after_shutdown_read/1,
    nothing_is_sent_after_shutdown_write/1,
    shutdown_after_both_ends/1,
    shutdown_read_write_waits_for_the_queue/1,
    send_after_a_reset_without_exit_on_close/1,
    a_refused_send_is_counted/1,
    the_second_who_waits_to_send_is_not_connected/1,
    a_reset_is_shown_to_who_waits_to_send/1,
    nothing_is_sent_after_a_late_shutdown_write/1,
    names_and_accept_while_close_waits/1,
    a_reset_that_meets_a_recv_and_a_queue_is_told_to_the_next_recv_too/1,
    recbuf_raises_buffer_after_the_end_too/1,
    all_options_count_after_the_end_of_an_active_socket/1
]).

-define(SEQUENCES, 300).
-define(SIZE, 40).      % of sequences: 10 to 50 steps at most

suite() ->
    [{timetrap, {minutes, 10}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% In CI the same ones each time, so that a change is tested and not the day; more of them are others.
random_sequences(_) ->
    Count = list_to_integer(os:getenv("GENTCP_DIFFERENTIAL", integer_to_list(?SEQUENCES))),
    Count > ?SEQUENCES andalso ct:timetrap({hours, 24}),
    First = case Count > ?SEQUENCES of true -> erlang:system_time(); false -> 1 end,
    ok = logger:set_primary_config(level, critical), % inet logs each send of what is no iodata
    try first_that_differs(First, Count, fun is_same/1) of
        none -> ok;
        Steps -> ct:fail("~tp~n~tp", [Steps, differential:run(Steps)])
    after
        logger:set_primary_config(level, notice)
    end.

%% What is seen once, and not again, was a matter of speed.
is_same(Steps) ->
    differential:run(Steps) =:= same orelse differential:run(Steps) =:= same.

first_that_differs(_, 0, _) ->
    none;
first_that_differs(Number, Count, IsSame) ->
    {ok, Commands} = proper_gen:pick(differential_steps:sequences(), 10 + Number rem ?SIZE, {1, 2, Number}),
    Steps = differential_steps:steps_of(Commands),
    case IsSame(Steps) of
        true -> first_that_differs(Number + 1, Count - 1, IsSame);
        false -> shortened(Steps, IsSame)
    end.

%% Nothing can be left out of it any more.
shortened(Steps, IsSame) ->
    case lists:search(fun(Shorter) -> not IsSame(Shorter) end, shorter(Steps)) of
        {value, Shorter} -> shortened(Shorter, IsSame);
        false -> Steps
    end.

shorter([]) ->
    [];
shorter([Step | Steps]) ->
    [Steps | [[Step | Shorter] || Shorter <- shorter(Steps)]] ++ [[Less | Steps] || Less <- fewer_options(Step)].

fewer_options({connect, P, S, Options, To}) -> [{connect, P, S, Fewer, To} || Fewer <- one_less(Options)];
fewer_options({listen, P, L, Options}) -> [{listen, P, L, Fewer} || Fewer <- one_less(Options)];
fewer_options({call, P, S, F, [Options]}) when F =:= setopts; F =:= getopts ->
    [{call, P, S, F, [Fewer]} || Fewer <- one_less(Options)];
fewer_options(_) -> [].

one_less([Option | Options]) -> [Options | [[Option | Fewer] || Fewer <- one_less(Options)]];
one_less(_) -> [].

%% A claim that no step closes a socket: what is left of a sequence that refutes it is just that step.
a_difference_is_seen_and_made_short(_) ->
    Closes = fun({call, _, _, close, []}) -> true; (_) -> false end,
    ?assertMatch(
        [{call, _, _, close, []}], first_that_differs(1, 1000, fun(Steps) -> not lists:any(Closes, Steps) end)
    ),
    ?assertMatch(
        #{number := 2, inet := #{results := [{p1, {error, einval}}]}, gentcp := #{results := [{p1, {ok, _}}]}},
        differential:run([{connect, p1, s1, [], peer}, {call, p1, s1, getopts, [[timeout]]}])
    ).

%% ---- found by random sequences ----

of_options_at_opening_the_last_counts(_) ->
    same([
        {connect, p1, s1, [{active, -1}, {packet, 4}, {active, 2}, {active, 32767}, {packet, 1}, {active, once}], peer},
        {call, p1, s1, getopts, [[active, packet]]},
        {listen, p1, l1, [{active, 2}, {high_watermark, 100}, {active, 32767}, {low_watermark, 500}]},
        {call, p1, l1, getopts, [[active, high_watermark, low_watermark]]}
    ]).

of_options_set_the_first_counts(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {call, p1, s1, setopts, [[{packet, 1}, {packet, 2}, {high_watermark, 100}, {low_watermark, 500}]]},
        {call, p1, s1, getopts, [[packet, high_watermark, low_watermark]]},
        {call, p1, s1, setopts, [[{active, -5}, {active, 32767}, {active, 3}]]},
        {call, p1, s1, setopts, [[{active, 2}, {active, -1}]]},
        {call, p1, s1, getopts, [[active]]}
    ]).

bad_data_to_a_closed_socket(_) ->
    same([
        {connect, p1, s1, [{active, true}], peer},
        {call, p1, s1, send, [foo]},
        {call, p1, s1, shutdown, [read_write]},
        {call, p1, s1, send, [foo]},
        {connect, p1, s2, [{active, false}], peer},
        {peer_close, s2},
        {receive_all, p1, s2, infinity},
        {call, p1, s2, send, [foo]}
    ]).

options_after_the_end(_) ->
    [
        same([
            {connect, p1, s1, [{active, false}], peer},
            {peer_reset, s1},
            {receive_all, p1, s1, infinity},
            {call, p1, s1, setopts, [[Option]]},
            {call, p1, s1, setopts, [[Option, {active, once}]]}
        ])
     || Option <- [
            {recvtos, true}, {recvttl, true}, {priority, 0}, {tos, 0}, {nodelay, true}, {raw, 6, 1, <<1:32/native>>}
        ]
    ].

no_options_of_a_closed_socket(_) ->
    same([
        {connect, p1, s1, [], peer},
        {call, p1, s1, close, []},
        {call, p1, s1, getopts, [[]]},
        {call, p1, s1, setopts, [[]]}
    ]).

tos_leaves_priority_alone(_) ->
    same([
        {connect, p1, s1, [{tos, 16}], peer},
        {call, p1, s1, getopts, [[priority, tos]]},
        {call, p1, s1, setopts, [[{priority, 3}]]},
        {call, p1, s1, setopts, [[{tos, 0}]]},
        {call, p1, s1, getopts, [[priority, tos]]}
    ]).

port_gets_lines_of_http(_) ->
    %% Left out of the random ones, as inet goes on from such a line in another way.
    [
        ?assertMatch({S, {data, "GET / HTTP/1.1\r\n"}}, line_for_a_port(Module))
     || Module <- [gen_tcp, gentcp], S <- [s]
    ].

line_for_a_port(Module) ->
    {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(L),
    {ok, S} = Module:connect({127, 0, 0, 1}, Port, [{packet, http}, {deliver, port}, {active, once}]),
    {ok, Peer} = gen_tcp:accept(L),
    ok = gen_tcp:send(Peer, "GET / HTTP/1.1\r\n"),
    Message = receive {S, _} = M -> setelement(1, M, s) after 5000 -> error(silence) end,
    [ok = gen_tcp:close(Socket) || Socket <- [S, Peer, L]],
    Message.

more_data_after_shutdown_read(_) ->
    [
        same([
            {connect, p1, s1, [{active, false}, {exit_on_close, false}], peer},
            {call, p1, s1, shutdown, [read]},
            {receive_all, p1, s1, 0},
            {peer_send, s1, <<"more">>},
            Receive,
            {call, p1, s1, setopts, [[{active, true}]]},
            {peer_send, s1, <<"and more">>}
        ])
     || Receive <- [{receive_all, p1, s1, 0}, {collect, p1}]
    ].

nothing_is_sent_after_shutdown_write(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {call, p1, s1, shutdown, [write]},
        {call, p1, s1, send, [<<>>]},
        {call, p1, s1, send, [<<"x">>]}
    ]).

shutdown_after_both_ends(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {peer_shutdown, s1},
        {call, p1, s1, shutdown, [read_write]},
        {call, p1, s1, shutdown, [write]}
    ]).

shutdown_read_write_waits_for_the_queue(_) ->
    same([
        {connect, p1, s1, [{active, true}], peer},
        {call, p1, s1, send, [{much, 8000000}]},
        {call, p1, s1, shutdown, [read_write]},
        {peer_send, s1, <<"still read">>},
        {peer_receive, s1}
    ]).

send_after_a_reset_without_exit_on_close(_) ->
    Send = {call, p1, s1, send, [<<"x">>]},
    [
        same([{connect, p1, s1, [{active, Active}, {exit_on_close, false}], peer}, {peer_reset, s1}, Send, Send, Send])
     || Active <- [true, false]
    ].

a_refused_send_is_counted(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {call, p1, s1, shutdown, [write]},
        {call, p1, s1, send, [<<"list">>]},
        {call, p1, s1, getstat, [[send_oct, send_cnt, send_pend]]}
    ]).

the_second_who_waits_to_send_is_not_connected(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {call, p1, s1, send, [{much, 8000000}]},
        {call, p2, s1, send, [<<"a">>]},
        {call, p3, s1, send, [<<"b">>]},
        {peer_reset, s1}
    ]).

a_reset_is_shown_to_who_waits_to_send(_) ->
    [
        same([
            {connect, p1, s1, [{active, Active}, {show_econnreset, true}], peer},
            {call, p1, s1, send, [{much, 8000000}]},
            {call, p2, s1, send, [<<"a">>]},
            {peer_reset, s1}
        ])
     || Active <- [true, false]
    ].

nothing_is_sent_after_a_late_shutdown_write(_) ->
    [
        same([
            {connect, p1, s1, [{active, false}], peer},
            {call, p1, s1, send, [{much, 8000000}]},
            {call, p1, s1, shutdown, [write]},
            {peer_receive, s1},
            {call, p1, s1, setopts, [[{delay_send, Delay}]]},
            {call, p1, s1, send, [Data]}
        ])
     || Delay <- [true, false], Data <- [<<>>, <<"x">>]
    ].

all_options_count_after_the_end_of_an_active_socket(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {peer_shutdown, s1},
        {call, p1, s1, recv, [1, infinity]},
        {call, p1, s1, setopts, [[{exit_on_close, false}]]},
        {call, p1, s1, setopts, [[{active, true}]]},
        {call, p1, s1, setopts, [[{active, false}, {high_watermark, 100}, {exit_on_close, true}]]},
        {call, p1, s1, getopts, [[active, high_watermark, exit_on_close]]}
    ]).

recbuf_raises_buffer_after_the_end_too(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {peer_shutdown, s1},
        {call, p1, s1, recv, [1, infinity]},
        {call, p1, s1, setopts, [[{recbuf, 30000}]]},
        {call, p1, s1, getopts, [[buffer]]}
    ]).

a_reset_that_meets_a_recv_and_a_queue_is_told_to_the_next_recv_too(_) ->
    same([
        {connect, p1, s1, [{active, false}], peer},
        {call, p2, s1, recv, [1, infinity]},
        {call, p1, s1, send, [{much, 8000000}]},
        {peer_reset, s1},
        {call, p1, s1, recv, [1, infinity]},
        {call, p1, s1, recv, [1, infinity]}
    ]).

names_and_accept_while_close_waits(_) ->
    same([
        {connect, p1, s1, [], peer},
        {call, p1, s1, send, [{much, 8000000}]},
        {call, p2, s1, close, []},
        {call, p1, s1, port, []},
        {call, p1, s1, peername, []},
        {call, p1, s1, sockname, []},
        {accept, p1, s1, 0}
    ]).

same(Steps) ->
    ?assertEqual(same, differential:run(Steps)).
