%% SPDX-License-Identifier: Apache-2.0
%% Where gentcp differs from inet on purpose, and no row of the behaviour table says so: the same steps over both, and
%% what comes of the last one on each. The reasons are in docs/behaviour.md.
-module(gentcp_purpose_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
-export([
    unrecv_gives_to_a_recv_that_waits/1,
    a_packet_type_set_within_a_packet_is_that_of_what_is_there/1,
    a_buffer_smaller_than_a_header_holds_packets/1,
    a_buffer_set_amid_lines_is_the_limit_at_once/1,
    a_port_that_delivers_leaves_recv_its_data/1,
    an_accepted_socket_gives_a_port_binaries_in_binary_mode/1,
    dontroute_and_line_delimiter_are_options_of_connect_and_listen/1,
    options_that_are_no_list_are_einval/1,
    recv_reads_on_until_its_time_is_up/1,
    a_hand_over_of_an_ended_socket_changes_no_option/1,
    while_close_waits_nothing_is_received_and_a_reset_ends_it/1,
    what_comes_while_a_close_flushes_makes_no_reset_of_the_end/1,
    what_was_read_ahead_makes_no_reset_of_the_end/1,
    close_is_closed_to_whoever_waits_at_once/1,
    a_close_goes_on_without_its_caller/1,
    the_owners_death_is_closed_to_whoever_waits_at_once/1,
    what_cannot_be_sent_is_told_without_waiting/1,
    counters_tell_of_all_who_wait_to_send/1,
    a_malformed_header_behind_a_packet_is_told_at_once/1,
    nothing_follows_the_end_without_exit_on_close/1,
    a_send_after_a_lost_queue_is_closed/1,
    the_second_who_waits_to_send_hears_closed/1,
    a_close_by_another_is_no_exit_signal/1
]).

-define(MUCH, {call, p1, s1, send, [{much, 8000000}]}).

suite() ->
    [{timetrap, {minutes, 2}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

unrecv_gives_to_a_recv_that_waits(_) ->
    Steps = [passive(), {call, p2, s1, recv, [0, infinity]}, {call, p1, s1, unrecv, [<<"x">>]}],
    ?assertEqual([{p1, ok}], results(gen_tcp, Steps)),
    ?assertEqual([{p1, ok}, {p2, {ok, "x"}}], results(gentcp, Steps)).

a_packet_type_set_within_a_packet_is_that_of_what_is_there(_) ->
    Steps = [
        {connect, p1, s1, [{packet, 4}], peer}, {peer_send, s1, <<5:32, "a\nb">>},
        {call, p1, s1, setopts, [[{packet, line}]]}
    ],
    AtOnce = [{tcp, s1, [0, 0, 0, 5, $a, $\n]}],
    of_inet([], AtOnce, messages(gen_tcp, Steps)),
    ?assertEqual(AtOnce, messages(gentcp, Steps)).

a_buffer_smaller_than_a_header_holds_packets(_) ->
    Steps = [{connect, p1, s1, [{packet, 2}, {buffer, 1}], peer}, {peer_send, s1, <<3:16, "abc">>}],
    ?assertEqual([{tcp_error, s1, emsgsize}, {tcp_closed, s1}], messages(gen_tcp, Steps)),
    ?assertEqual([{tcp, s1, "abc"}], messages(gentcp, Steps)).

a_buffer_set_amid_lines_is_the_limit_at_once(_) ->
    Steps = [
        {connect, p1, s1, [{packet, line}, {active, once}], peer}, {peer_send, s1, <<"a\na longer line\n">>},
        {collect, p1}, {call, p1, s1, setopts, [[{buffer, 10}, {active, once}]]}
    ],
    ?assertEqual([{tcp, s1, "a longer line\n"}], messages(gen_tcp, Steps)),
    ?assertEqual([{tcp, s1, "a longer l"}], messages(gentcp, Steps)).

a_port_that_delivers_leaves_recv_its_data(_) ->
    Steps = [passive([{deliver, port}]), {call, p2, s1, recv, [0, infinity]}, {peer_send, s1, <<"x">>}],
    ?assertEqual({[], [{s1, {data, "x"}}]}, results_and_messages(gen_tcp, Steps)),
    ?assertEqual({[{p2, {ok, "x"}}], []}, results_and_messages(gentcp, Steps)).

an_accepted_socket_gives_a_port_binaries_in_binary_mode(_) ->
    Steps = [
        {listen, p1, l1, [binary, {deliver, port}]}, {peer_connect, l1, s1}, {accept, p1, l1, infinity},
        {peer_send, s1, <<"x">>}
    ],
    ?assertEqual([{s1, {data, "x"}}], messages(gen_tcp, Steps)),
    ?assertEqual([{s1, {data, <<"x">>}}], messages(gentcp, Steps)).

dontroute_and_line_delimiter_are_options_of_connect_and_listen(_) ->
    [
        begin
            ?assertEqual([{p1, {exit, badarg}}], results(gen_tcp, [Step])),
            ?assertMatch([{p1, {ok, _}}], results(gentcp, [Step]))
        end
     || Step <- [
            {connect, p1, s1, [{dontroute, true}], peer}, {listen, p1, l1, [{dontroute, true}]},
            {listen, p1, l1, [{line_delimiter, $a}]}
        ]
    ].

options_that_are_no_list_are_einval(_) ->
    Steps = [passive(), {call, p1, s1, setopts, [foo]}],
    ?assertEqual([{p1, {error, {bad_generator, foo}}}], results(gen_tcp, Steps)),
    ?assertEqual([{p1, {error, einval}}], results(gentcp, Steps)).

recv_reads_on_until_its_time_is_up(_) ->
    %% inet reads as much as its buffer holds, once; that isn't all of the packet.
    Packet = [passive([{packet, 4}, {buffer, 10}]), {peer_send, s1, <<20:32, (binary:copy(<<"p">>, 20))/binary>>}],
    Whole = {ok, lists:duplicate(20, $p)},
    of_inet({error, timeout}, Whole, plain_recv(gen_tcp, Packet)),
    ?assertEqual(Whole, plain_recv(gentcp, Packet)),
    %% After a timeout of 0 inet's next recv waits for the rest of a length that nobody asks for any more.
    Length = [passive(), {peer_send, s1, <<"a">>}],
    ?assertEqual([{error, timeout}, {error, timeout}], plain_recv(gen_tcp, Length, [5, 0])),
    ?assertEqual([{error, timeout}, {ok, "a"}], plain_recv(gentcp, Length, [5, 0])),
    End = [passive([{packet, line}]), {peer_send, s1, <<"unfinished">>}, {peer_shutdown, s1}],
    of_inet({error, timeout}, {error, closed}, plain_recv(gen_tcp, End)),
    ?assertEqual({error, closed}, plain_recv(gentcp, End)).

a_hand_over_of_an_ended_socket_changes_no_option(_) ->
    Steps = [
        {connect, p1, s1, [{exit_on_close, false}], peer}, {peer_shutdown, s1}, {controlling_process, p1, s1, p2},
        {call, p2, s1, getopts, [[active]]}
    ],
    ?assertEqual([{p2, {ok, [{active, false}]}}], results(gen_tcp, Steps)),
    ?assertEqual([{p2, {ok, [{active, true}]}}], results(gentcp, Steps)).

while_close_waits_nothing_is_received_and_a_reset_ends_it(_) ->
    Closing = [active(), ?MUCH, {call, p2, s1, close, []}],
    Data = Closing ++ [{peer_send, s1, <<"x">>}],
    ?assertEqual([{tcp, s1, "x"}], messages(gen_tcp, Data)),
    ?assertEqual([], messages(gentcp, Data)),
    Reset = Closing ++ [{peer_reset, s1}],
    ?assertEqual({[], [{tcp_closed, s1}]}, results_and_messages(gen_tcp, Reset)),
    ?assertEqual({[{p2, ok}], []}, results_and_messages(gentcp, Reset)),
    Counters = Closing ++ [{call, p1, s1, getstat, [[send_oct]]}],
    ?assertEqual([{p1, {ok, [{send_oct, 8000000}]}}], results(gen_tcp, Counters)),
    ?assertEqual([{p1, {error, einval}}], results(gentcp, Counters)),
    Shut = [active(), ?MUCH, {call, p1, s1, shutdown, [write]}, {call, p2, s1, close, []}, {call, p3, s1, send, ["x"]}],
    ?assertEqual([{tcp_closed, s1}], messages(gen_tcp, Shut)),
    ?assertEqual([], messages(gentcp, Shut)).

%% The peer's end stays open while it sends and reads.
what_comes_while_a_close_flushes_makes_no_reset_of_the_end(_) ->
    Steps = [
        passive(), ?MUCH, {call, p1, s1, close, []}, {peer_send, s1, <<"x">>}, {peer_send, s1, <<"y">>},
        {peer_receive, s1}
    ],
    ?assertMatch({_, closed, <<"much", _/binary>>}, peer(gentcp, Steps)).

%% inet reads one byte only, and the other makes the kernel send a reset.
what_was_read_ahead_makes_no_reset_of_the_end(_) ->
    Steps = [
        passive(), {peer_send, s1, <<"ab">>}, {call, p1, s1, recv, [1, infinity]}, {call, p1, s1, close, []},
        {peer_receive, s1}
    ],
    ?assertMatch({_, econnreset, <<>>}, peer(gen_tcp, Steps)),
    ?assertMatch({_, closed, <<>>}, peer(gentcp, Steps)).

close_is_closed_to_whoever_waits_at_once(_) ->
    [
        begin
            Steps = [passive(), ?MUCH, {call, p2, s1, Function, Arguments}, {call, p1, s1, close, []}],
            ?assertEqual([], results(gen_tcp, Steps)),
            ?assertEqual([{p2, {error, closed}}], results(gentcp, Steps))
        end
     || {Function, Arguments} <- [{send, [<<"x">>]}, {recv, [0, infinity]}]
    ].

a_close_goes_on_without_its_caller(_) ->
    Steps = [
        active(), ?MUCH, {call, p2, s1, close, []}, {exit, p2, kill}, {peer_receive, s1},
        {call, p1, s1, getopts, [[active]]}
    ],
    ?assertEqual([{p1, {ok, [{active, true}]}}], results(gen_tcp, Steps)),
    ?assertEqual([{p1, {error, einval}}], results(gentcp, Steps)).

the_owners_death_is_closed_to_whoever_waits_at_once(_) ->
    Steps = [passive(), ?MUCH, {call, p2, s1, send, [<<"x">>]}, {exit, p1, kill}],
    of_inet([], [{p2, {error, closed}}], results(gen_tcp, Steps)),
    ?assertEqual([{p2, {error, closed}}], results(gentcp, Steps)).

what_cannot_be_sent_is_told_without_waiting(_) ->
    Behind = [passive(), ?MUCH, {call, p2, s1, send, [<<"x">>]}],
    Bad = Behind ++ [{call, p3, s1, send, [foo]}],
    ?assertEqual([], results(gen_tcp, Bad)),
    ?assertEqual([{p3, {error, einval}}], results(gentcp, Bad)),
    Shut = Behind ++ [{call, p1, s1, shutdown, [write]}, {call, p3, s1, send, [<<"x">>]}],
    ?assertEqual([], results(gen_tcp, Shut)),
    ?assertEqual([{p2, {error, closed}}, {p3, {error, closed}}], results(gentcp, Shut)).

counters_tell_of_all_who_wait_to_send(_) ->
    Steps = [
        passive(), ?MUCH, {call, p2, s1, send, [<<"x">>]}, {call, p3, s1, send, [<<"y">>]},
        {call, p1, s1, getstat, [[send_oct]]}
    ],
    ?assertEqual([{p1, {ok, [{send_oct, 8000001}]}}], results(gen_tcp, Steps)),
    ?assertEqual([{p1, {ok, [{send_oct, 8000002}]}}], results(gentcp, Steps)).

a_malformed_header_behind_a_packet_is_told_at_once(_) ->
    Steps = [
        {connect, p1, s1, [{packet, 1}, {packet_size, 3}], peer}, {peer_send, s1, <<1, "a", 200, "b">>}
    ],
    ?assertEqual([{tcp, s1, "a"}], messages(gen_tcp, Steps)),
    ?assertEqual([{tcp, s1, "a"}, {tcp_error, s1, emsgsize}, {tcp_closed, s1}], messages(gentcp, Steps)).

nothing_follows_the_end_without_exit_on_close(_) ->
    Options = [{exit_on_close, false}, {show_econnreset, true}],
    Steps = [{connect, p1, s1, Options, peer}, {peer_shutdown, s1}, ?MUCH, {peer_reset, s1}],
    ?assertEqual([{tcp_closed, s1}, {tcp_error, s1, econnreset}], messages(gen_tcp, Steps)),
    ?assertEqual([{tcp_closed, s1}], messages(gentcp, Steps)),
    PutBack = [{connect, p1, s1, Options, peer}, {peer_shutdown, s1}, {call, p1, s1, unrecv, [<<"x">>]}],
    ?assertEqual([{tcp_closed, s1}, {tcp, s1, "x"}], messages(gen_tcp, PutBack)),
    ?assertEqual([{tcp_closed, s1}], messages(gentcp, PutBack)).

a_send_after_a_lost_queue_is_closed(_) ->
    Send = {call, p1, s1, send, [<<"x">>]},
    Steps = [
        passive([{delay_send, true}]), {call, p1, s1, shutdown, [write]}, Send, {call, p1, s1, recv, [0, 0]}, Send
    ],
    ?assertEqual([{p1, {error, enotconn}}], results(gen_tcp, Steps)),
    ?assertEqual([{p1, {error, closed}}], results(gentcp, Steps)).

the_second_who_waits_to_send_hears_closed(_) ->
    Steps = [
        active(), ?MUCH, {call, p2, s1, send, [<<"x">>]}, {call, p3, s1, send, [<<"y">>]}, {peer_reset, s1}
    ],
    ?assertEqual([{p2, {error, closed}}, {p3, {error, einval}}], results(gen_tcp, Steps)),
    ?assertEqual([{p2, {error, closed}}, {p3, {error, closed}}], results(gentcp, Steps)).

%% p3 traps exits.
a_close_by_another_is_no_exit_signal(_) ->
    Steps = [{connect, p3, s1, [], peer}, {call, p1, s1, close, []}],
    ?assertEqual([{'EXIT', s1, normal}], messages(gen_tcp, p3, Steps)),
    ?assertEqual([], messages(gentcp, p3, Steps)).

%% ---- running ----

active() -> {connect, p1, s1, [], peer}.
passive() -> passive([]).
passive(Options) -> {connect, p1, s1, [{active, false} | Options], peer}.

results(Module, Steps) ->
    #{results := Results} = seen(Module, Steps),
    Results.

messages(Module, Steps) ->
    messages(Module, p1, Steps).

messages(Module, P, Steps) ->
    #{processes := #{P := {_, Messages}}} = seen(Module, Steps),
    Messages.

results_and_messages(Module, Steps) ->
    #{results := Results, processes := #{p1 := {_, Messages}}} = seen(Module, Steps),
    {Results, Messages}.

peer(Module, Steps) ->
    #{peers := #{s1 := Peer}} = seen(Module, Steps),
    Peer.

%% What inet of OTP 25 does, and of OTP 27; that of 26 may do either.
of_inet(In25, In27, Does) ->
    Release = list_to_integer(erlang:system_info(otp_release)),
    ?assert(lists:member(Does, [In25 || Release < 27] ++ [In27 || Release > 25])).

%% What comes of the last step.
seen(Module, Steps) ->
    World = lists:foldl(fun step/2, differential_world:open(Module), Steps),
    Seen = differential_facts:observe(World),
    ok = differential_world:close(World),
    Seen.

step(Step, World) ->
    differential_world:settle(differential_world:run(Step, differential_world:take_results(World))).

%% As a program calls it; differential_world asks again where inet has read only a part.
plain_recv(Module, Steps) ->
    [Result] = plain_recv(Module, Steps, [0]),
    Result.

plain_recv(Module, Steps, Lengths) ->
    World = lists:foldl(fun step/2, differential_world:open(Module), Steps),
    Results = [gen_tcp:recv(differential_facts:socket(s1, World), Length, 0) || Length <- Lengths],
    ok = differential_world:close(World),
    Results.
