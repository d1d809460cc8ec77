%% SPDX-License-Identifier: Apache-2.0
%% Setting options and reading them, what accept hands down, and counters: on inet and on gentcp.
-module(gentcp_setting_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [pair/2, accepted/2, queued/2, pending/1, close/1, say/2, hears/2, set/2, get/2, recv/2]).

-export([
    a_buffer_of_less_than_nothing_is_a_bad_option/1,
    one_bad_option_of_several_and_none_is_applied/1,
    good_options_are_applied_from_the_last_to_the_first_up_to_one_that_fails/1,
    options_that_cannot_be_read_are_einval/1,
    an_option_of_another_family_is_absent/1,
    what_is_set_is_read/1,
    the_defaults_are_those_of_the_manual/1,
    accept_hands_down_every_option_that_is_inherited_as_it_is_then/1,
    what_was_accepted_keeps_its_options_when_the_listener_changes/1,
    accept_hands_down_the_line_delimiter/1,
    recbuf_raises_buffer_unless_that_was_set/1,
    what_is_sent_and_received_is_counted/1,
    headers_and_padding_of_packets_count_as_bytes/1,
    packets_are_counted_and_not_reads/1,
    send_pend_is_what_the_kernel_has_not_taken/1,
    an_unknown_counter_is_einval/1
]).

-define(WAIT, 30000).
-define(LOCAL, {127, 0, 0, 1}).

-include("gentcp_norm.hrl").

ours() ->
    [a_buffer_of_less_than_nothing_is_a_bad_option, accept_hands_down_the_line_delimiter].

%% ---- setting ----

a_buffer_of_less_than_nothing_is_a_bad_option(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    {ok, Port} = inet:port(L),
    ?assertEqual({error, einval}, inet:setopts(S, [{buffer, -1}])),
    ?assertExit(badarg, Side:connect(?LOCAL, Port, [{buffer, -1}])),
    ?assertExit(badarg, Side:listen(0, [{buffer, -1}])),
    close([L, S, P]).

one_bad_option_of_several_and_none_is_applied(Config) ->
    {S, P} = pair(side(Config), []),
    [
        begin
            ?assertEqual({error, einval}, inet:setopts(S, [{nodelay, true}, {buffer, 77}, Bad])),
            ?assertEqual({false, 1460}, {get(S, nodelay), get(S, buffer)})
        end
     || Bad <- [{packet, 99}, {keepalive, 1}, foo, {foo, 1}, {header, -1}]
    ],
    close([S, P]).

good_options_are_applied_from_the_last_to_the_first_up_to_one_that_fails(Config) ->
    {S, P} = pair(side(Config), [{active, 32767}]),
    ?assertEqual({error, einval}, inet:setopts(S, [{nodelay, true}, {active, 1}, {keepalive, true}])),
    ?assertEqual({false, 32767, true}, {get(S, nodelay), get(S, active), get(S, keepalive)}),
    close([S, P]).

values() ->
    [
        {active, 5},
        {active, once},
        {mode, list},
        {packet, 4},
        {packet_size, 1000},
        {header, 3},
        {buffer, 2000},
        {high_watermark, 20000},
        {low_watermark, 10},
        {send_timeout, 100},
        {send_timeout_close, true},
        {exit_on_close, false},
        {show_econnreset, true},
        {nodelay, true},
        {keepalive, true},
        {delay_send, true},
        {deliver, port},
        {linger, {true, 3}},
        {tos, 16},
        {ttl, 33},
        {priority, 3}
    ].

what_is_set_is_read(Config) ->
    {L, S, P} = accepted(side(Config), []),
    [
        begin
            set(X, [{Name, Value}]),
            ?assertEqual({ok, [{Name, Value}]}, inet:getopts(X, [Name]))
        end
     || {Name, Value} <- values(), X <- [S, L]
    ],
    Names = lists:usort([Name || {Name, _} <- values()]),
    {ok, All} = inet:getopts(S, Names),
    ?assertEqual(Names, [Name || {Name, _} <- All]),
    close([L, S, P]).

options_that_cannot_be_read_are_einval(Config) ->
    {S, P} = pair(side(Config), []),
    [
        ?assertEqual({error, einval}, inet:getopts(S, [nodelay, Name]))
     || Name <- [foo, list, binary, backlog, ip, port, fd, ifaddr, line_delimiter, inet6, {active, 1}, 7]
    ],
    close([S, P]).

an_option_of_another_family_is_absent(Config) ->
    {S, P} = pair(side(Config), []),
    ?assertEqual(
        {ok, [{nodelay, false}, {keepalive, false}]},
        inet:getopts(S, [nodelay, tclass, ipv6_v6only, recvtclass, keepalive])
    ),
    close([S, P]).

the_defaults_are_those_of_the_manual(Config) ->
    Side = side(Config),
    {ok, L} = Side:listen(0, []),
    {ok, Port} = inet:port(L),
    {ok, C} = Side:connect(?LOCAL, Port, []),
    {ok, S} = Side:accept(L, ?WAIT),
    Defaults = [
        {active, true},
        {mode, list},
        {packet, 0},
        {packet_size, 0},
        {header, 0},
        {buffer, 1460},
        {high_watermark, 8192},
        {low_watermark, 4096},
        {high_msgq_watermark, 8192},
        {low_msgq_watermark, 4096},
        {send_timeout, infinity},
        {send_timeout_close, false},
        {exit_on_close, true},
        {show_econnreset, false},
        {linger, {false, 0}},
        {nodelay, false},
        {keepalive, false},
        {reuseaddr, false},
        {delay_send, false},
        {deliver, term},
        {priority, 0},
        {tos, 0}
    ],
    [?assertEqual({ok, Defaults}, inet:getopts(X, [Name || {Name, _} <- Defaults])) || X <- [C, S, L]],
    %% tcpi_sacked of a listener: how many may wait to be accepted.
    {ok, [{raw, 6, 11, <<_:28/binary, Backlog:32/native>>}]} = inet:getopts(L, [{raw, 6, 11, 32}]),
    ?assertEqual(5, Backlog),
    close([L, C, S]).

recbuf_raises_buffer_unless_that_was_set(Config) ->
    {S, P} = pair(side(Config), [{recbuf, 1000}]),
    ?assertEqual(1460, get(S, buffer)),
    set(S, [{recbuf, 30000}]),
    ?assertEqual(30000, get(S, buffer)),
    set(S, [{buffer, 100}, {recbuf, 40000}]),
    ?assertEqual(100, get(S, buffer)),
    close([S, P]).

%% ---- accept ----

%% Given to listen, and set when the connection is there already.
accept_hands_down_every_option_that_is_inherited_as_it_is_then(Config) ->
    Side = side(Config),
    [
        begin
            {L, S, P} = accepted(Side, [Option]),
            ?assertEqual({ok, [Option]}, inet:getopts(S, [Name]), Option),
            {ok, L2} = Side:listen(0, [{ip, ?LOCAL}]),
            {ok, Port} = inet:port(L2),
            {ok, P2} = gen_tcp:connect(?LOCAL, Port, []),
            set(L2, [Option]),
            {ok, S2} = Side:accept(L2, ?WAIT),
            ?assertEqual({ok, [Option]}, inet:getopts(S2, [Name]), Option),
            close([L, S, P, L2, S2, P2])
        end
     || {Name, Value} = Option <- values(), Value =/= list
    ].

what_was_accepted_keeps_its_options_when_the_listener_changes(Config) ->
    {L, S, P} = accepted(side(Config), [{packet, 2}]),
    set(L, [{packet, line}]),
    ?assertEqual(2, get(S, packet)),
    set(S, [{packet, 4}]),
    ?assertEqual(line, get(L, packet)),
    close([L, S, P]).

accept_hands_down_the_line_delimiter(Config) ->
    {L, S, P} = accepted(side(Config), [{packet, line}, {line_delimiter, $;}]),
    say(P, "a\nb;c;"),
    [?assertEqual({ok, Line}, recv(S, 0)) || Line <- [<<"a\nb;">>, <<"c;">>]],
    close([L, S, P]).

%% ---- counters ----

assert_stat(S, Expected) ->
    ?assertEqual({ok, Expected}, inet:getstat(S, [Name || {Name, _} <- Expected])).

what_is_sent_and_received_is_counted(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    All = [recv_oct, recv_cnt, recv_max, recv_avg, send_oct, send_cnt, send_max, send_avg, send_pend],
    [assert_stat(X, [{Name, 0} || Name <- All]) || X <- [L, S]],
    [
        begin
            Bytes = binary:copy(<<"x">>, Size),
            ?assertEqual(ok, Side:send(S, Bytes)),
            hears(P, Bytes),
            say(P, Bytes),
            ?assertEqual({ok, Bytes}, recv(S, Size))
        end
     || Size <- [10, 3, 100, 1, 7]
    ],
    assert_stat(S, [{send_oct, 121}, {send_cnt, 5}, {send_max, 100}, {send_avg, 24}, {send_pend, 0}]),
    assert_stat(S, [{recv_oct, 121}, {recv_cnt, 5}, {recv_max, 100}, {recv_avg, 24}, {recv_dvi, 2}]),
    close([L, S, P]).

headers_and_padding_of_packets_count_as_bytes(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, 4}]),
    [
        begin
            ?assertEqual(ok, Side:send(S, Packet)),
            say(P, [<<(byte_size(Packet)):32>>, Packet]),
            ?assertEqual({ok, Packet}, recv(S, 0))
        end
     || Packet <- [<<>>, binary:copy(<<"x">>, 50)]
    ],
    assert_stat(S, [{send_oct, 58}, {send_cnt, 2}, {send_max, 54}, {recv_oct, 58}, {recv_cnt, 2}, {recv_max, 54}]),
    set(S, [{packet, fcgi}]),
    say(P, <<1, 5, 0, 1, 0, 2, 3, 0, "ab", 0, 0, 0>>),
    ?assertEqual({ok, <<1, 5, 0, 1, 0, 2, 3, 0, "ab">>}, recv(S, 0)),
    assert_stat(S, [{recv_oct, 58 + 13}]),
    close([S, P]).

packets_are_counted_and_not_reads(Config) ->
    {S, P} = pair(side(Config), [{packet, line}]),
    say(P, "ab\ncde\n"),
    ?assertEqual({ok, <<"ab\n">>}, recv(S, 0)),
    assert_stat(S, [{recv_oct, 3}, {recv_cnt, 1}, {recv_max, 3}]), % the other is here, too, but not yet handed out
    ?assertEqual({ok, <<"cde\n">>}, recv(S, 0)),
    assert_stat(S, [{recv_oct, 7}, {recv_cnt, 2}, {recv_max, 4}]),
    close([S, P]).

send_pend_is_what_the_kernel_has_not_taken(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    Before = pending(S),
    ?assert(Before < byte_size(Bytes)),
    ?assertEqual(ok, Side:send(S, binary:copy(<<"x">>, 500000))),
    ?assert(pending(S) > Before + 400000), % some of it may have gone meanwhile
    assert_stat(S, [{send_oct, byte_size(Bytes) + 500000}]),
    hears(P, [Bytes, binary:copy(<<"x">>, 500000)]),
    gentcp_sockets:until(fun() -> pending(S) =:= 0 end),
    close([S, P]).

an_unknown_counter_is_einval(Config) ->
    {S, P} = pair(side(Config), []),
    [?assertEqual({error, einval}, inet:getstat(S, Names)) || Names <- [[foo], [recv_oct, 1]]],
    close([S, P]).
