%% SPDX-License-Identifier: Apache-2.0
%% Active sockets: what their owner is told, how often, and who the owner is. On inet and on gentcp.
-module(gentcp_active_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [
    pair/2, close/1, reset/1, say/2, hears/2, hears_the_end/1, start/1, result/1, next/0, nothing_came/1, set/2, get/2,
    recv/2
]).
-import(gentcp_sockets, [await_messages/1]).

-export([
    what_is_received_comes_as_messages_by_default/1,
    an_active_socket_tells_each_line_in_a_message/1,
    active_once_gives_one_message_and_is_passive_then/1,
    active_n_counts_messages_and_ends_with_tcp_passive/1,
    the_end_and_errors_are_not_counted/1,
    active_n_adds_to_a_count_that_runs_and_replaces_true_and_once/1,
    a_count_above_32767_is_einval_and_changes_nothing/1,
    a_count_of_0_or_less_makes_passive_and_tells_so/1,
    only_the_end_of_a_count_tells_tcp_passive/1,
    an_active_socket_is_handed_over_with_what_was_not_received_yet/1,
    a_passive_socket_is_handed_over_with_what_it_has_read_ahead/1,
    a_once_active_socket_is_handed_over_in_its_mode/1,
    a_count_is_kept_when_handed_over/1,
    errors_the_end_and_tcp_passive_are_handed_over_too/1,
    only_the_owner_hands_over/1,
    handing_over_to_a_dead_process_is_badarg_and_changes_nothing/1,
    the_end_is_told_once_and_nothing_follows/1,
    a_reset_is_told_as_the_end/1,
    with_show_econnreset_a_reset_is_an_error_and_then_the_end/1,
    a_framing_error_is_told_and_then_the_end/1,
    an_owner_that_traps_exits_gets_none/1,
    without_exit_on_close_recv_answers_closed_every_time_and_send_works/1,
    without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on/1
]).

-include("gentcp_norm.hrl").

ours() ->
    [
        errors_the_end_and_tcp_passive_are_handed_over_too, an_owner_that_traps_exits_gets_none
    ].

%% ---- messages ----

what_is_received_comes_as_messages_by_default(Config) ->
    Side = side(Config),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, S} = Side:connect({127, 0, 0, 1}, Port, []),
    {ok, P} = gen_tcp:accept(L),
    say(P, "one"),
    ?assertEqual({tcp, S, "one"}, next()),
    set(S, [binary]),
    say(P, "two"),
    ?assertEqual({tcp, S, <<"two">>}, next()),
    close([L, S, P]).

an_active_socket_tells_each_line_in_a_message(Config) ->
    {S, P} = pair(side(Config), [{packet, http_bin}, {active, true}]),
    say(P, "GET /a HTTP/1.1\r\nHost: b\r\nno colon\r\n\r\n"),
    [
        ?assertEqual({http, S, Line}, next())
     || Line <- [
            {http_request, 'GET', {abs_path, <<"/a">>}, {1, 1}},
            {http_header, 14, 'Host', <<"Host">>, <<"b">>},
            {http_error, <<"no colon\r\n">>},
            http_eoh
        ]
    ],
    close([S, P]).

%% ---- how many of them ----

active_once_gives_one_message_and_is_passive_then(Config) ->
    {S, P} = pair(side(Config), [{packet, line}, {active, once}]),
    say(P, "1\n2\n3\n4\n"),
    ?assertEqual({tcp, S, <<"1\n">>}, next()),
    ?assertEqual(false, get(S, active)),
    ?assertEqual({ok, <<"2\n">>}, recv(S, 0)),
    set(S, [{active, once}]),
    ?assertEqual({tcp, S, <<"3\n">>}, next()),
    ?assertEqual({ok, <<"4\n">>}, recv(S, 0)),
    close([S, P]),
    nothing_came(side(Config)).

active_n_counts_messages_and_ends_with_tcp_passive(Config) ->
    {S, P} = pair(side(Config), [{packet, line}, {active, 2}]),
    ?assertEqual(2, get(S, active)),
    say(P, "1\n2\n3\n"),
    ?assertEqual([{tcp, S, <<"1\n">>}, {tcp, S, <<"2\n">>}, {tcp_passive, S}], [next(), next(), next()]),
    ?assertEqual(false, get(S, active)),
    ?assertEqual({ok, <<"3\n">>}, recv(S, 0)),
    close([S, P]),
    nothing_came(side(Config)).

the_end_and_errors_are_not_counted(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{active, 1}, {show_econnreset, true}]),
    reset(P),
    ?assertEqual([{tcp_error, S, econnreset}, {tcp_closed, S}], [next(), next()]),
    {S2, P2} = pair(Side, [{active, 2}]),
    say(P2, "x"),
    ?assertEqual({tcp, S2, <<"x">>}, next()),
    close([P2]),
    ?assertEqual({tcp_closed, S2}, next()),
    nothing_came(Side),
    close([S, S2]).

active_n_adds_to_a_count_that_runs_and_replaces_true_and_once(Config) ->
    {S, P} = pair(side(Config), [{active, 10}]),
    [
        begin
            set(S, [{active, Active}]),
            ?assertEqual(Expected, get(S, active))
        end
     || {Active, Expected} <- [
            {5, 15}, {-12, 3}, {true, true}, {7, 7}, {once, once}, {8, 8}, {false, false}, {9, 9}
        ]
    ],
    nothing_came(side(Config)),
    close([S, P]).

a_count_above_32767_is_einval_and_changes_nothing(Config) ->
    {S, P} = pair(side(Config), [{active, 32767}]),
    [
        begin
            ?assertEqual({error, einval}, inet:setopts(S, [{active, N}])),
            ?assertEqual(32767, get(S, active))
        end
     || N <- [1, 32768, -32769, 1 bsl 40]
    ],
    set(S, [{active, -1}]),
    set(S, [{active, 1}]),
    ?assertEqual(32767, get(S, active)),
    close([S, P]).

a_count_of_0_or_less_makes_passive_and_tells_so(Config) ->
    {S, P} = pair(side(Config), []),
    [
        begin
            set(S, [{active, Before}]),
            set(S, [{active, N}]),
            ?assertEqual({tcp_passive, S}, next()),
            ?assertEqual(false, get(S, active))
        end
     || {Before, N} <- [{false, 0}, {true, 0}, {once, -1}, {false, -32768}, {true, -32768}, {3, -3}]
    ],
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 0, 0)),
    nothing_came(side(Config)),
    close([S, P]).

only_the_end_of_a_count_tells_tcp_passive(Config) ->
    {S, P} = pair(side(Config), []),
    [set(S, [{active, 3}, {active, Active}]) || Active <- [true, false, once]],
    say(P, "x"),
    ?assertEqual({tcp, S, <<"x">>}, next()),
    nothing_came(side(Config)),
    close([S, P]).

%% ---- the owner ----

%% Passes on what it gets.
owner() ->
    Self = self(),
    spawn_link(fun() -> pass_on(Self) end).

pass_on(To) ->
    receive
        Message ->
            To ! {self(), Message},
            pass_on(To)
    end.

an_active_socket_is_handed_over_with_what_was_not_received_yet(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, 1}, {active, true}]),
    Owner = owner(),
    say(P, <<1, "a", 1, "b">>),
    await_messages(2),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    say(P, <<1, "c">>),
    [?assertEqual({Owner, {tcp, S, Data}}, next()) || Data <- [<<"a">>, <<"b">>, <<"c">>]],
    ?assertEqual(true, get(S, active)),
    close([P]),
    ?assertEqual({Owner, {tcp_closed, S}}, next()),
    nothing_came(Side).

a_passive_socket_is_handed_over_with_what_it_has_read_ahead(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}]),
    say(P, "1\n2\n3\n"),
    ?assertEqual({ok, <<"1\n">>}, recv(S, 0)),
    Owner = owner(),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    ?assertEqual({ok, <<"2\n">>}, recv(S, 0)),
    set(S, [{active, once}]),
    ?assertEqual({Owner, {tcp, S, <<"3\n">>}}, next()),
    close([S, P]).

a_once_active_socket_is_handed_over_in_its_mode(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}, {active, once}]),
    Owner = owner(),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    say(P, "1\n2\n"),
    ?assertEqual({Owner, {tcp, S, <<"1\n">>}}, next()),
    ?assertEqual({ok, <<"2\n">>}, recv(S, 0)),
    close([S, P]),
    nothing_came(Side).

a_count_is_kept_when_handed_over(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}, {active, 3}]),
    Owner = owner(),
    say(P, "1\n"),
    await_messages(1),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    ?assertEqual(2, get(S, active)),
    say(P, "2\n3\n4\n"),
    ?assertEqual(
        [{Owner, {tcp, S, Line}} || Line <- [<<"1\n">>, <<"2\n">>, <<"3\n">>]] ++ [{Owner, {tcp_passive, S}}],
        [next() || _ <- lists:seq(1, 4)]
    ),
    ?assertEqual({ok, <<"4\n">>}, recv(S, 0)),
    close([S, P]).

errors_the_end_and_tcp_passive_are_handed_over_too(Config) ->
    Side = side(Config),
    Owner = owner(),
    {S, P} = pair(Side, [{active, true}, {show_econnreset, true}]),
    say(P, "x"),
    await_messages(1),
    reset(P),
    await_messages(3),
    ?assertEqual({error, closed}, Side:controlling_process(S, Owner)), % the stream and the socket have ended
    ?assertEqual([{tcp, S, <<"x">>}, {tcp_error, S, econnreset}, {tcp_closed, S}], [next(), next(), next()]),
    {S2, P2} = pair(Side, [{active, 2}, {packet, http_bin}, {exit_on_close, false}]),
    say(P2, "GET / HTTP/1.1\r\n\r\n"),
    await_messages(3),
    set(S2, [{active, once}]),
    close([P2]),
    await_messages(4),
    ?assertEqual(ok, Side:controlling_process(S2, Owner)),
    ?assertEqual(
        [
            {Owner, {http, S2, {http_request, 'GET', {abs_path, <<"/">>}, {1, 1}}}},
            {Owner, {http, S2, http_eoh}},
            {Owner, {tcp_passive, S2}},
            {Owner, {tcp_closed, S2}}
        ],
        [next() || _ <- lists:seq(1, 4)]
    ),
    close([S2]).

only_the_owner_hands_over(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    Self = self(),
    Owner = owner(),
    ?assertEqual({error, not_owner}, result(start(fun() -> Side:controlling_process(S, self()) end))),
    ?assertEqual(ok, result(start(fun() -> Side:controlling_process(S, Self) end))),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    ?assertEqual({error, not_owner}, Side:controlling_process(S, Self)),
    ?assertEqual(ok, Side:controlling_process(S, Owner)),
    ?assertError(function_clause, Side:controlling_process(S, foo)),
    unlink(Owner),
    gentcp_sockets:kill(Owner),
    hears_the_end(P),
    close([P]).

handing_over_to_a_dead_process_is_badarg_and_changes_nothing(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{active, 7}]),
    {Dead, Ref} = spawn_monitor(fun() -> ok end),
    ?assertEqual({'DOWN', Ref, process, Dead, normal}, next()),
    say(P, "one"),
    await_messages(1),
    ?assertEqual({error, badarg}, Side:controlling_process(S, Dead)),
    case Side of
        gen_tcp ->
            ?assertEqual(false, get(S, active)),
            say(P, "two"),
            ?assertEqual({ok, <<"two">>}, recv(S, 0));
        gentcp ->
            ?assertEqual(6, get(S, active)),
            say(P, "two"),
            ?assertEqual([{tcp, S, <<"one">>}, {tcp, S, <<"two">>}], [next(), next()])
    end,
    close([S, P]).

%% ---- the end ----

the_end_is_told_once_and_nothing_follows(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{active, true}]),
    say(P, "last"),
    close([P]),
    ?assertEqual([{tcp, S, <<"last">>}, {tcp_closed, S}], [next(), next()]),
    ?assertEqual({error, closed}, Side:send(S, "x")),
    ?assertEqual({error, closed}, Side:recv(S, 0, 0)),
    nothing_came(Side).

a_reset_is_told_as_the_end(Config) ->
    {S, P} = pair(side(Config), [{active, true}]),
    reset(P),
    ?assertEqual({tcp_closed, S}, next()),
    nothing_came(side(Config)).

with_show_econnreset_a_reset_is_an_error_and_then_the_end(Config) ->
    {S, P} = pair(side(Config), [{active, true}, {show_econnreset, true}]),
    reset(P),
    ?assertEqual([{tcp_error, S, econnreset}, {tcp_closed, S}], [next(), next()]),
    nothing_came(side(Config)).

a_framing_error_is_told_and_then_the_end(Config) ->
    {S, P} = pair(side(Config), [{active, true}, {packet, 1}, {packet_size, 2}]),
    say(P, <<1, "a">>),
    ?assertEqual({tcp, S, <<"a">>}, next()),
    say(P, <<3, "bcd">>),
    ?assertEqual([{tcp_error, S, emsgsize}, {tcp_closed, S}], [next(), next()]),
    nothing_came(side(Config)),
    close([P]).

%% inet's sockets are ports, which are linked to their owner.
an_owner_that_traps_exits_gets_none(Config) ->
    Side = side(Config),
    process_flag(trap_exit, true),
    {S, P} = pair(Side, [{active, true}]),
    close([P]),
    ?assertEqual({tcp_closed, S}, next()),
    {S2, P2} = pair(Side, []),
    reset(P2),
    ?assertEqual({error, closed}, recv(S2, 0)),
    close([S2]),
    nothing_came(Side).

without_exit_on_close_recv_answers_closed_every_time_and_send_works(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{exit_on_close, false}]),
    say(P, "request"),
    ok = gen_tcp:shutdown(P, write),
    ?assertEqual({ok, <<"request">>}, recv(S, 0)),
    [
        begin
            ?assertEqual({error, closed}, recv(S, 0)),
            ?assertEqual(ok, Side:send(S, "answer")),
            hears(P, "answer")
        end
     || _ <- [1, 2, 3]
    ],
    set(S, [{active, once}]),
    ?assertEqual({tcp_closed, S}, next()),
    ?assertEqual(ok, Side:send(S, "and more")),
    hears(P, "and more"),
    close([S, P]).

without_exit_on_close_an_active_socket_is_told_the_end_once_and_sends_on(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{exit_on_close, false}, {active, true}]),
    ok = gen_tcp:shutdown(P, write),
    ?assertEqual({tcp_closed, S}, next()),
    Side =:= gen_tcp orelse set(S, [{active, once}]), % inet tells it again then
    ?assertEqual(ok, Side:send(S, "answer")),
    hears(P, "answer"),
    nothing_came(Side),
    close([S]),
    hears_the_end(P),
    close([P]).
