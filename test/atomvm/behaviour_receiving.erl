%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_receiving).

-export([rows/0]).

-import(behaviour_world, [listen/3, pair/2, pair/3, pair/4, call/1, answer/1, waiting/1, kill/1, told/1, until/1]).
-import(behaviour_world, [catching/1]).

rows() ->
    [
        {"recv waits for exactly Length, and keeps what has come", fun exactly/2},
        {"recv of 0 gives what is there", fun what_is_there/2},
        {"recv of 0 gives at most buffer", fun at_most_buffer/2},
        {"recv of a Length with a packet type", fun length_with_packet/2},
        {"recv with Timeout 0 polls", fun polls/2},
        {"a negative Timeout of recv is infinity", fun negative_timeout/2},
        {"recv of 20, when 12 bytes and the end come", fun short/2},
        {"recv on an active socket", fun on_active/2},
        {"a second recv at once", fun second_recv/2},
        {differs, "recv after the caller of a recv that waits has died", fun dead_caller/2},
        {differs, "a socket is made active while a recv waits", fun active_while_waiting/2},
        {"two accept at once", fun two_accepts/2},
        {"accept with a Timeout that passes", fun accept_timeout/2},
        {"the caller of accept is the owner", fun owner_of_accepted/2},
        {"recv of more than 64 MiB", fun too_much/2},
        {differs, "recv of more than a word of 32 bits holds", fun far_too_much/2},
        {"recv of what is no length", fun no_length/2},
        {"recv and send on a listener, accept on a connection", fun wrong_kind/2},
        {"lists", fun lists/2},
        {"header", fun header/2},
        {"deliver port", fun deliver_port/2},
        {"unrecv", fun unrecv/2},
        {gentcp, "option timeout is the Timeout of recv/2 and accept/1", fun default_timeout/2}
    ].

exactly(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(P, <<"ab">>),
    until(fun() -> T:recv(H, 2, 0) =/= {error, timeout} end),
    ok = T:send(P, <<"cd">>),
    First = T:recv(H, 3, 50),
    ok = T:send(P, <<"efg">>),
    {First, T:recv(H, 5, 5000)}.

what_is_there(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(P, <<"some bytes">>),
    T:recv(H, 0, 5000).

at_most_buffer(T, I) ->
    {H, P} = pair(T, I, [{buffer, 10}]),
    ok = T:send(P, <<"0123456789abcdefghijklmno">>),
    [T:recv(H, 0, 5000) || _ <- [1, 2, 3]].

length_with_packet(T, I) ->
    {H, _} = pair(T, I, [{packet, 4}]),
    T:recv(H, 1, 0).

polls(T, I) ->
    {H, P} = pair(T, I),
    First = T:recv(H, 0, 0),
    ok = T:send(P, <<"x">>),
    {First, T:recv(H, 1, 5000)}.

negative_timeout(T, I) ->
    {H, P} = pair(T, I),
    Call = call(fun() -> T:recv(H, 1, -1) end),
    waits = waiting(Call),
    ok = T:send(P, <<"x">>),
    answer(Call).

short(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(P, <<"twelve bytes">>),
    ok = T:close(P),
    [T:recv(H, 20, 5000), T:recv(H, 0, 5000), T:recv(H, 0, 5000)].

on_active(T, I) ->
    {H, _} = pair(T, I, [{active, true}]),
    T:recv(H, 0, 0).

%% A process that waits in recv.
waiting_recv(T, Socket) ->
    Call = call(fun() -> recv_again(T, Socket) end),
    ok = until(fun() -> T:recv(Socket, 0, 0) =:= {error, ealready} end),
    Call.

%% The poll above may have been there first.
recv_again(T, Socket) ->
    case T:recv(Socket, 4, 10000) of
        {error, ealready} -> recv_again(T, Socket);
        Result -> Result
    end.

second_recv(T, I) ->
    {H, P} = pair(T, I),
    Call = waiting_recv(T, H),
    Second = T:recv(H, 0, 5000),
    ok = T:send(P, <<"data">>),
    {Second, answer(Call)}.

dead_caller(T, I) ->
    {H, P} = pair(T, I),
    ok = kill(waiting_recv(T, H)),
    ok = T:send(P, <<"data">>),
    T:recv(H, 4, 1000).

active_while_waiting(T, I) ->
    {H, P} = pair(T, I),
    Call = waiting_recv(T, H),
    Set = I:setopts(H, [{active, true}]),
    Answer = waiting(Call),
    ok = T:send(P, <<"data">>),
    {Set, Answer, told(H)}.

two_accepts(T, I) ->
    {Listener, Port} = listen(T, I, []),
    Calls = [call(fun() -> element(1, T:accept(Listener, 10000)) end) || _ <- [1, 2]],
    [{ok, _} = T:connect({127, 0, 0, 1}, Port, [], 5000) || _ <- [1, 2]],
    [answer(Call) || Call <- Calls].

accept_timeout(T, I) ->
    {Listener, Port} = listen(T, I, []),
    First = {T:accept(Listener, 0), T:accept(Listener, 20)},
    {ok, _} = T:connect({127, 0, 0, 1}, Port, [], 5000),
    {First, element(1, T:accept(Listener, 5000))}.

owner_of_accepted(T, I) ->
    {Listener, Port} = listen(T, I, []),
    Call = call(fun() ->
        {ok, Socket} = T:accept(Listener, 10000),
        ok = I:setopts(Socket, [{active, true}]),
        told(Socket)
    end),
    {ok, H} = T:connect({127, 0, 0, 1}, Port, [], 5000),
    ok = T:send(H, "to the owner"),
    answer(Call).

too_much(T, I) ->
    {H, _} = pair(T, I),
    T:recv(H, 64 * 1024 * 1024 + 1, 0).

far_too_much(T, I) ->
    {H, _} = pair(T, I),
    T:recv(H, 1 bsl 50, 0).

no_length(T, I) ->
    {H, _} = pair(T, I),
    [catching(fun() -> T:recv(H, Length, 0) end) || Length <- [-1, foo]].

wrong_kind(T, I) ->
    {Listener, _} = listen(T, I, []),
    {H, _} = pair(T, I),
    [T:recv(Listener, 0, 0), T:send(Listener, <<"x">>), T:accept(H, 0)].

lists(T, I) ->
    {H, P} = pair(T, I, [list]),
    ok = T:send(P, <<"passive">>),
    First = T:recv(H, 7, 5000),
    ok = I:setopts(H, [{active, true}]),
    ok = T:send(P, <<"active">>),
    {First, told(H)}.

header(T, I) ->
    {H, P} = pair(T, I, [{header, 2}]),
    [ok = T:send(P, Data) || Data <- [<<"abcd">>]],
    First = T:recv(H, 4, 5000),
    ok = T:send(P, <<"e">>),
    {First, T:recv(H, 1, 5000)}.

deliver_port(T, I) ->
    {H, P} = pair(T, I, [{deliver, port}, {active, true}]),
    ok = T:send(P, <<"data">>),
    First =
        receive
            {_, {data, Data}} -> {data, Data}
        after 5000 -> nothing
        end,
    ok = T:close(P),
    {First, told(H)}.

unrecv(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(P, <<"abc">>),
    ok = T:unrecv(H, <<"back">>),
    [T:recv(H, 4, 5000), T:recv(H, 3, 5000)].

default_timeout(T, I) ->
    {Listener, _} = listen(T, I, [{timeout, 20}]),
    {H, _} = pair(T, I, [{timeout, 20}]),
    [T:accept(Listener), T:recv(H, 0)].
