%% SPDX-License-Identifier: Apache-2.0
%% Receiving from passive sockets, and accepting: on inet and on gentcp.
-module(gentcp_receiving_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [
    pair/2, accepted/2, close/1, say/2, start/1, waits/1, result/1, next/0, nothing_came/1, set/2, recv/2
]).

-export([
    recv_of_a_length_waits_for_exactly_that_many_bytes/1,
    recv_of_a_long_length_puts_many_pieces_together/1,
    recv_of_0_gives_what_is_there/1,
    recv_of_0_gives_pieces_of_at_most_buffer/1,
    without_option_buffer_a_recv_takes_more_than_its_default/1,
    recv_of_a_length_with_a_packet_type_is_einval/1,
    a_timeout_of_0_polls/1,
    bytes_that_came_before_a_timeout_are_kept/1,
    a_negative_timeout_of_recv_and_accept_waits_for_ever/1,
    connecting_with_a_negative_timeout_is_badarg_but_infinity/1,
    the_end_within_a_length_is_closed_and_then_enotconn/1,
    what_came_before_the_end_is_received/1,
    recv_on_an_active_socket_is_einval/1,
    the_second_recv_at_once_gets_ealready/1,
    bytes_that_a_dead_caller_was_to_get_go_to_the_next/1,
    a_connection_whose_accepter_died_goes_to_the_next/1,
    becoming_active_ends_a_waiting_recv_with_einval_and_the_owner_gets_the_data/1,
    several_who_accept_are_served_in_order/1,
    an_accepted_connection_belongs_to_who_called_accept/1,
    recv_of_more_than_64_MiB_is_enomem/1,
    recv_of_a_wrong_length_is_a_function_clause/1,
    a_listener_neither_receives_nor_sends_and_a_connection_does_not_accept/1,
    unrecv_puts_bytes_back_to_be_received_first/1,
    unrecv_serves_who_waits_and_the_owner_of_an_active_socket/1
]).

-define(WAIT, 30000).
-define(LOCAL, {127, 0, 0, 1}).
-define(MIB, (1 bsl 20)).

-include("gentcp_norm.hrl").

ours() ->
    [
        without_option_buffer_a_recv_takes_more_than_its_default,
        bytes_that_a_dead_caller_was_to_get_go_to_the_next,
        a_connection_whose_accepter_died_goes_to_the_next,
        unrecv_serves_who_waits_and_the_owner_of_an_active_socket
    ].

%% ---- how much ----

recv_of_a_length_waits_for_exactly_that_many_bytes(Config) ->
    {S, P} = pair(side(Config), []),
    say(P, "abc"),
    Receiver = start(fun() -> recv(S, 5) end),
    waits(Receiver),
    say(P, "defg"),
    ?assertEqual({ok, <<"abcde">>}, result(Receiver)),
    ?assertEqual({ok, <<"fg">>}, recv(S, 0)),
    close([S, P]).

recv_of_a_long_length_puts_many_pieces_together(Config) ->
    {S, P} = pair(side(Config), []),
    Receiver = start(fun() -> recv(S, 3 * ?MIB) end),
    Pieces = [rand:bytes(?MIB) || _ <- [1, 2, 3]],
    [say(P, Piece) || Piece <- Pieces],
    {ok, Received} = result(Receiver),
    ?assert(iolist_to_binary(Pieces) =:= Received),
    close([S, P]).

recv_of_0_gives_what_is_there(Config) ->
    {S, P} = pair(side(Config), []),
    say(P, "ab"),
    ?assertEqual({ok, <<"ab">>}, recv(S, 0)),
    say(P, "cde"),
    ?assertEqual({ok, <<"cde">>}, recv(S, 0)),
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 0, 0)),
    close([S, P]).

recv_of_0_gives_pieces_of_at_most_buffer(Config) ->
    {S, P} = pair(side(Config), [{buffer, 4}]),
    say(P, "0123456789"),
    [?assertEqual({ok, Piece}, recv(S, 0)) || Piece <- [<<"0123">>, <<"4567">>, <<"89">>]],
    say(P, "0123456789"),
    ?assertEqual({ok, <<"0123456789">>}, recv(S, 10)),
    close([S, P]).

without_option_buffer_a_recv_takes_more_than_its_default(Config) ->
    {S, P} = pair(side(Config), []),
    say(P, rand:bytes(20000)),
    {ok, Received} = recv(S, 0),
    ?assert(byte_size(Received) > 1460),
    close([S, P]).

recv_of_a_length_with_a_packet_type_is_einval(Config) ->
    [
        begin
            {S, P} = pair(side(Config), [{packet, Type}]),
            say(P, <<0, 0, 0, 0, "\n">>),
            ?assertEqual({error, einval}, recv(S, 1)),
            ?assertMatch({ok, _}, recv(S, 0)),
            close([S, P])
        end
     || Type <- [1, 2, 4, line]
    ].

recv_of_more_than_64_MiB_is_enomem(Config) ->
    {S, P} = pair(side(Config), []),
    ?assertEqual({error, enomem}, recv(S, 64 * ?MIB + 1)),
    ?assertEqual({error, enomem}, recv(S, 16#7fffffff)),
    %% inet cuts it to 32 bits.
    side(Config) =:= gentcp andalso [?assertEqual({error, enomem}, recv(S, 1 bsl N + 1)) || N <- [31, 32, 50, 90]],
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 64 * ?MIB, 0)),
    close([S, P]).

recv_of_a_wrong_length_is_a_function_clause(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    [?assertError(function_clause, Side:recv(S, Length)) || Length <- [-1, foo]],
    [?assertError(function_clause, Side:recv(S, Length, 0)) || Length <- [-1, foo]],
    close([S, P]).

%% ---- how long ----

a_timeout_of_0_polls(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    ?assertEqual({error, timeout}, Side:recv(S, 0, 0)),
    say(P, "here"),
    ?assertEqual({error, timeout}, Side:recv(S, 5, 0)),
    ?assertEqual({ok, <<"here">>}, Side:recv(S, 4, 0)),
    ?assertEqual({error, timeout}, Side:accept(L, 0)),
    close([L, S, P]).

bytes_that_came_before_a_timeout_are_kept(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    say(P, "abc"),
    ?assertEqual({error, timeout}, Side:recv(S, 5, 10)),
    say(P, "d"),
    ?assertEqual({error, timeout}, Side:recv(S, 5, 10)),
    say(P, "e"),
    ?assertEqual({ok, <<"abcde">>}, recv(S, 5)),
    say(P, "fg"),
    ?assertEqual({error, timeout}, Side:recv(S, 5, 10)),
    ?assertEqual({ok, <<"fg">>}, recv(S, 0)),
    close([S, P]).

a_negative_timeout_of_recv_and_accept_waits_for_ever(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    Receiver = start(fun() -> Side:recv(S, 0, -5) end),
    waits(Receiver),
    say(P, "x"),
    ?assertEqual({ok, <<"x">>}, result(Receiver)),
    Accepter = start(fun() -> Side:accept(L, -1) end),
    waits(Accepter),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOCAL, Port, []),
    {ok, S2} = result(Accepter),
    close([L, S, S2, P, C]).

connecting_with_a_negative_timeout_is_badarg_but_infinity(Config) ->
    Side = side(Config),
    {ok, L} = gen_tcp:listen(0, []),
    {ok, Port} = inet:port(L),
    [?assertError(badarg, Side:connect(?LOCAL, Port, [], Timeout)) || Timeout <- [-1, foo, 1.0]],
    {ok, C} = Side:connect(?LOCAL, Port, [], infinity),
    close([L, C]).

%% ---- the end ----

the_end_within_a_length_is_closed_and_then_enotconn(Config) ->
    {S, P} = pair(side(Config), []),
    say(P, "twelve bytes"),
    close([P]),
    ?assertEqual({error, closed}, recv(S, 20)),
    ?assertEqual({error, enotconn}, recv(S, 20)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    close([S]).

what_came_before_the_end_is_received(Config) ->
    {S, P} = pair(side(Config), []),
    say(P, "last words"),
    close([P]),
    ?assertEqual({ok, <<"last">>}, recv(S, 4)),
    ?assertEqual({ok, <<" words">>}, recv(S, 0)),
    ?assertEqual({error, closed}, recv(S, 0)),
    close([S]).

%% ---- who ----

recv_on_an_active_socket_is_einval(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    [
        begin
            set(S, [{active, Active}]),
            ?assertEqual({error, einval}, Side:recv(S, 0)),
            ?assertEqual({error, einval}, Side:recv(S, 0, 0))
        end
     || Active <- [true, once, 2]
    ],
    set(S, [{active, false}]),
    ?assertEqual({error, timeout}, Side:recv(S, 0, 0)),
    close([S, P]).

the_second_recv_at_once_gets_ealready(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    First = start(fun() -> recv(S, 0) end),
    waits(First),
    ?assertEqual({error, ealready}, Side:recv(S, 0)),
    ?assertEqual({error, ealready}, Side:recv(S, 0, 0)),
    waits(First),
    say(P, "for the first"),
    ?assertEqual({ok, <<"for the first">>}, result(First)),
    ?assertEqual({error, timeout}, Side:recv(S, 0, 0)),
    close([S, P]).

bytes_that_a_dead_caller_was_to_get_go_to_the_next(Config) ->
    {S, P} = pair(side(Config), []),
    gentcp_sockets:kill(waiting(fun() -> recv(S, 0) end)),
    say(P, "kept"),
    ?assertEqual({ok, <<"kept">>}, recv(S, 4)),
    gentcp_sockets:kill(waiting(fun() -> recv(S, 0) end)),
    Second = start(fun() -> recv(S, 0) end),
    waits(Second),
    say(P, "too"),
    ?assertEqual({ok, <<"too">>}, result(Second)),
    close([S, P]).

a_connection_whose_accepter_died_goes_to_the_next(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    {ok, Port} = inet:port(L),
    gentcp_sockets:kill(waiting(fun() -> Side:accept(L) end)),
    {ok, C} = gen_tcp:connect(?LOCAL, Port, [binary]),
    ok = gen_tcp:send(C, "x"),
    {ok, S2} = Side:accept(L, ?WAIT),
    ?assertEqual({ok, <<"x">>}, recv(S2, 0)),
    close([L, S, S2, P, C]).

waiting(Call) ->
    Pid = start(Call),
    unlink(Pid),
    waits(Pid),
    Pid.

becoming_active_ends_a_waiting_recv_with_einval_and_the_owner_gets_the_data(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    Receiver = start(fun() -> recv(S, 0) end),
    waits(Receiver),
    set(S, [{active, true}]),
    Side =:= gentcp andalso ?assertEqual({error, einval}, result(Receiver)),
    say(P, "for its owner"),
    ?assertEqual({tcp, S, <<"for its owner">>}, next()),
    Side =:= gen_tcp andalso waits(Receiver),
    close([S, P]).

%% ---- accept ----

several_who_accept_are_served_in_order(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    {ok, Port} = inet:port(L),
    Accepters = [
        begin
            Pid = start(fun() -> Side:accept(L, ?WAIT) end),
            waits(Pid),
            Pid
        end
     || _ <- lists:seq(1, 4)
    ],
    Clients = [
        begin
            {ok, C} = gen_tcp:connect(?LOCAL, Port, [{active, false}]),
            {ok, Accepted} = result(Accepter),
            ?assertEqual(inet:sockname(C), inet:peername(Accepted)),
            C
        end
     || Accepter <- Accepters
    ],
    close([L, S, P | Clients]).

an_accepted_connection_belongs_to_who_called_accept(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, [{active, true}]),
    {ok, Port} = inet:port(L),
    Accepter = start(fun() ->
        {ok, Accepted} = Side:accept(L, ?WAIT),
        receive {tcp, Accepted, Data} -> Data after ?WAIT -> silence end
    end),
    {ok, C} = gen_tcp:connect(?LOCAL, Port, [{active, false}]),
    say(C, "for the accepter"),
    ?assertEqual(<<"for the accepter">>, result(Accepter)),
    unlink(Accepter),
    exit(Accepter, kill),
    ?assertEqual({error, closed}, recv(C, 0)), % with its owner
    nothing_came(Side),
    close([L, S, P, C]).

a_listener_neither_receives_nor_sends_and_a_connection_does_not_accept(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    ?assertEqual({error, enotconn}, Side:recv(L, 0, ?WAIT)),
    ?assertEqual({error, enotconn}, Side:send(L, "x")),
    ?assertEqual({error, enotconn}, Side:unrecv(L, "x")),
    ?assertEqual({error, einval}, Side:accept(S, ?WAIT)),
    close([L, S, P]).

%% ---- unrecv ----

unrecv_puts_bytes_back_to_be_received_first(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    say(P, "0123456789"),
    ?assertEqual({ok, <<"0123">>}, recv(S, 4)),
    ok = Side:unrecv(S, ["c", <<"d">>]),
    ok = Side:unrecv(S, "ab"),
    ok = Side:unrecv(S, []),
    ?assertEqual({ok, <<"abcd45">>}, recv(S, 6)),
    ?assertEqual({ok, <<"6789">>}, recv(S, 4)),
    close([S, P]).

unrecv_serves_who_waits_and_the_owner_of_an_active_socket(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    Receiver = start(fun() -> recv(S, 0) end),
    waits(Receiver),
    ok = Side:unrecv(S, "back"),
    ?assertEqual({ok, <<"back">>}, result(Receiver)),
    set(S, [{active, true}]),
    ok = Side:unrecv(S, "again"),
    ?assertEqual({tcp, S, <<"again">>}, next()),
    close([S, P]).
