%% SPDX-License-Identifier: Apache-2.0
%% shutdown in all its forms: on inet and on gentcp.
-module(gentcp_shutdown_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [
    pair/2, accepted/2, queued/2, pending/1, close/1, reset/1, say/2, hears/2, hears_the_end/1, hears_to_the_end/1,
    start/1, waits/1, result/1, next/0, nothing_came/1, set/2, recv/2
]).
-import(gentcp_sockets, [until/1]).

-export([
    shutdown_of_writing_ends_the_stream_after_what_is_queued/1,
    a_send_that_waits_goes_out_before_the_end_of_writing/1,
    a_send_after_shutdown_of_writing_is_closed_and_ends_the_socket/1,
    with_show_econnreset_a_send_after_shutdown_of_writing_is_closed/1,
    shutdown_of_reading_is_the_end_for_receiving/1,
    what_has_come_before_is_received_before_the_end/1,
    a_recv_that_waits_is_closed_by_the_end_of_reading_only/1,
    the_end_of_reading_drops_what_is_queued_unless_the_socket_lives_on/1,
    shutdown_of_both_follows_what_is_queued/1,
    shutdown_of_both_after_that_of_writing_follows_what_is_queued/1,
    twice_is_ok_until_the_connection_has_ended_both_ways/1,
    after_the_peers_end_it_is_ok_until_that_was_read/1,
    after_the_peers_reset_it_is_enotconn_and_what_was_lost_is_told_still/1,
    a_listener_is_enotconn_and_goes_on/1,
    shutdown_of_another_direction_is_a_function_clause/1
]).

-define(WAIT, 30000).
-define(HOWS, [read, write, read_write]).

-include("gentcp_norm.hrl").

ours() ->
    [shutdown_of_both_after_that_of_writing_follows_what_is_queued].

%% ---- writing ----

shutdown_of_writing_ends_the_stream_after_what_is_queued(Config) ->
    Side = side(Config),
    {S, P, Bytes} = queued(Side, []),
    ?assertEqual(ok, Side:shutdown(S, write)), % at once: nobody reads yet
    ?assert(pending(S) > 0),
    ?assert(Bytes =:= hears_to_the_end(P)),
    say(P, "answer"),
    ?assertEqual({ok, <<"answer">>}, recv(S, 0)),
    close([P]),
    ?assertEqual({error, closed}, recv(S, 0)),
    close([S]).

a_send_that_waits_goes_out_before_the_end_of_writing(Config) ->
    Side = side(Config),
    [
        begin
            {S, P, Bytes} = queued(Side, []),
            set(S, [{high_watermark, 1000}]),
            Sender = start(fun() -> Side:send(S, "last") end),
            waits(Sender),
            ?assertEqual(ok, Side:shutdown(S, How)),
            waits(Sender),
            ?assert(<<Bytes/binary, "last">> =:= hears_to_the_end(P)),
            ?assertEqual(ok, result(Sender)),
            close([S, P])
        end
     || How <- [write, read_write]
    ].

a_send_after_shutdown_of_writing_is_closed_and_ends_the_socket(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    ?assertEqual(ok, Side:shutdown(S, write)),
    ?assertEqual({error, closed}, Side:send(S, "x")),
    ?assertEqual({error, enotconn}, Side:send(S, "x")),
    ?assertEqual({error, closed}, recv(S, 0)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    {S2, P2, _} = queued(Side, []),
    ?assertEqual(ok, Side:shutdown(S2, write)),
    ?assertEqual({error, closed}, Side:send(S2, "x")),
    ?assertEqual({error, enotconn}, Side:send(S2, "x")),
    {S3, P3} = pair(Side, [{active, true}]),
    ?assertEqual(ok, Side:shutdown(S3, write)),
    ?assertEqual({error, closed}, Side:send(S3, "x")),
    ?assertEqual({tcp_closed, S3}, next()),
    ?assertEqual({error, closed}, Side:send(S3, "x")),
    nothing_came(Side),
    close([S, S2, S3, P, P2, P3]).

with_show_econnreset_a_send_after_shutdown_of_writing_is_closed(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{show_econnreset, true}]),
    ?assertEqual(ok, Side:shutdown(S, write)),
    ?assertEqual({error, case Side of gen_tcp -> econnreset; gentcp -> closed end}, Side:send(S, "x")),
    {S2, P2, _} = queued(Side, [{show_econnreset, true}]),
    ?assertEqual(ok, Side:shutdown(S2, write)),
    ?assertEqual({error, closed}, Side:send(S2, "x")),
    close([S, S2, P, P2]).

%% ---- reading, or both ----

shutdown_of_reading_is_the_end_for_receiving(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            ?assertEqual(ok, Side:shutdown(S, How)),
            ?assertEqual({error, closed}, recv(S, 0)),
            ?assertEqual({error, enotconn}, recv(S, 0)),
            {S2, P2} = pair(Side, [{active, true}]),
            ?assertEqual(ok, Side:shutdown(S2, How)),
            ?assertEqual({tcp_closed, S2}, next()),
            close([S, S2, P, P2])
        end
     || How <- [read, read_write]
    ].

what_has_come_before_is_received_before_the_end(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            say(P, "bytes"),
            ?assertEqual({ok, <<"b">>}, recv(S, 1)),
            ?assertEqual(ok, Side:shutdown(S, How)),
            ?assertEqual({ok, <<"yte">>}, recv(S, 3)),
            ?assertEqual({ok, <<"s">>}, recv(S, 0)),
            ?assertEqual({error, closed}, recv(S, 0)),
            ?assertEqual({error, enotconn}, recv(S, 0)),
            {S2, P2} = pair(Side, [{packet, line}]),
            say(P2, "whole\nha"),
            await_bytes(P2),
            ?assertEqual(ok, Side:shutdown(S2, How)),
            set(S2, [{active, true}]),
            ?assertEqual([{tcp, S2, <<"whole\n">>}, {tcp_closed, S2}], [next(), next()]),
            close([S, S2, P, P2])
        end
     || How <- [read, read_write]
    ],
    nothing_came(Side).

%% Until what the peer has said has been acknowledged.
await_bytes(P) ->
    until(fun() ->
        {ok, [{raw, 6, 11, <<_:24/binary, Unacknowledged:32/native>>}]} = inet:getopts(P, [{raw, 6, 11, 28}]),
        Unacknowledged =:= 0
    end).

a_recv_that_waits_is_closed_by_the_end_of_reading_only(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            say(P, "piece"),
            Receiver = start(fun() -> recv(S, 10) end),
            waits(Receiver),
            ?assertEqual(ok, Side:shutdown(S, How)),
            case How of
                write ->
                    waits(Receiver),
                    say(P, "and all"),
                    ?assertEqual({ok, <<"pieceand a">>}, result(Receiver));
                _ ->
                    ?assertEqual({error, closed}, result(Receiver)),
                    ?assertEqual({error, enotconn}, recv(S, 0))
            end,
            close([S, P])
        end
     || How <- ?HOWS
    ].

the_end_of_reading_drops_what_is_queued_unless_the_socket_lives_on(Config) ->
    Side = side(Config),
    [
        begin
            {S, P, Bytes} = queued(Side, [{exit_on_close, not LivesOn}]),
            ?assertEqual(ok, Side:shutdown(S, read)),
            ?assertEqual({error, closed}, recv(S, 0)),
            Closer = start(fun() -> Side:close(S) end),
            ?assertEqual(LivesOn, Bytes =:= hears_to_the_end(P)),
            ?assertEqual(ok, result(Closer)),
            close([P])
        end
     || LivesOn <- [true, false]
    ].

shutdown_of_both_follows_what_is_queued(Config) ->
    Side = side(Config),
    both_follow(Side, fun(S) -> ok = Side:shutdown(S, read_write) end).

%% On inet reading goes on.
shutdown_of_both_after_that_of_writing_follows_what_is_queued(Config) ->
    Side = side(Config),
    both_follow(Side, fun(S) ->
        ok = Side:shutdown(S, write),
        ok = Side:shutdown(S, read_write)
    end).

both_follow(Side, Shutdown) ->
    {S, P, Bytes} = queued(Side, []),
    Shutdown(S),
    say(P, "answer"),
    ?assertEqual({ok, <<"answer">>}, recv(S, 6)),
    ?assert(Bytes =:= hears_to_the_end(P)),
    ?assertEqual({error, closed}, recv(S, 0)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    {S2, P2, Bytes2} = queued(Side, [{active, true}]),
    Shutdown(S2),
    ?assert(Bytes2 =:= hears_to_the_end(P2)),
    ?assertEqual({tcp_closed, S2}, next()),
    close([S, S2, P, P2]).

shutdown_of_another_direction_is_a_function_clause(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, []),
    [?assertError(function_clause, Side:shutdown(S, How)) || How <- [foo, both, 0, "read"]],
    ?assertEqual(ok, Side:send(S, "unharmed")),
    hears(P, "unharmed"),
    close([S, P]).

%% ---- again, and after the end ----

twice_is_ok_until_the_connection_has_ended_both_ways(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            ?assertEqual(ok, Side:shutdown(S, First)),
            ?assertEqual(ok, Side:shutdown(S, Second)),
            case {First, Second} of
                {read, read} ->
                    ?assertEqual(ok, Side:send(S, "still")),
                    hears(P, "still"),
                    close([P]);
                _ ->
                    hears_the_end(P),
                    close([P]),
                    until(fun() -> Side:shutdown(S, write) =/= ok end),
                    ?assertEqual({error, enotconn}, Side:shutdown(S, write))
            end,
            ?assertEqual({error, closed}, recv(S, 0)),
            close([S])
        end
     || First <- ?HOWS, Second <- ?HOWS
    ].

after_the_peers_end_it_is_ok_until_that_was_read(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, []),
            say(P, "last"),
            ok = gen_tcp:shutdown(P, write),
            ?assertEqual(ok, Side:shutdown(S, How)),
            ?assertEqual({ok, <<"last">>}, recv(S, 0)),
            ?assertEqual({error, closed}, recv(S, 0)),
            ?assertEqual({error, enotconn}, Side:shutdown(S, How)),
            {S2, P2} = pair(Side, [{exit_on_close, false}]),
            ok = gen_tcp:shutdown(P2, write),
            ?assertEqual({error, closed}, recv(S2, 0)),
            ?assertEqual(ok, Side:shutdown(S2, How)),
            ?assertEqual({error, closed}, recv(S2, 0)),
            {S3, P3} = pair(Side, [{active, true}]),
            close([P3]),
            ?assertEqual({tcp_closed, S3}, next()),
            ?assertEqual({error, closed}, Side:shutdown(S3, How)),
            close([S, S2, S3, P, P2])
        end
     || How <- ?HOWS
    ].

after_the_peers_reset_it_is_enotconn_and_what_was_lost_is_told_still(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{show_econnreset, Show}]),
            reset(P),
            until(fun() -> Side:shutdown(S, How) =/= ok end),
            ?assertEqual({error, enotconn}, Side:shutdown(S, How)),
            ?assertEqual({error, Lost}, recv(S, 0)),
            ?assertEqual({error, enotconn}, Side:shutdown(S, How)),
            close([S])
        end
     || How <- ?HOWS, {Show, Lost} <- [{true, econnreset}, {false, closed}]
    ].

a_listener_is_enotconn_and_goes_on(Config) ->
    Side = side(Config),
    {L, S, P} = accepted(Side, []),
    {ok, Port} = inet:port(L),
    Accepter = start(fun() -> Side:accept(L, ?WAIT) end),
    waits(Accepter),
    [?assertEqual({error, enotconn}, Side:shutdown(L, How)) || How <- ?HOWS],
    waits(Accepter),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
    {ok, S2} = result(Accepter),
    close([L, S, P, C, S2]).
