#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% Sends everything back that it receives, in the mode that the client names: see exchange.escript. PORT, 0: any. With
%% ERL_LIBS naming the folder that has gentcp in it, _build/default/lib.

main([Port]) ->
    {ok, Listener} = gentcp:listen(list_to_integer(Port), [binary, {active, false}, {packet, 4}, {reuseaddr, true}]),
    {ok, Number} = gentcp:port(Listener),
    io:format("listening on ~b~n", [Number]),
    accept(Listener);
main(_) ->
    io:format(standard_error, "usage: exchange_server.escript PORT~n", []),
    halt(2).

%% A process a connection, which is its owner.
accept(Listener) ->
    {ok, Socket} = gentcp:accept(Listener),
    Owner = spawn(fun() -> receive yours -> serve(Socket) end end),
    ok = gentcp:controlling_process(Socket, Owner),
    Owner ! yours,
    accept(Listener).

serve(Socket) ->
    {ok, Mode} = gentcp:recv(Socket, 0, 10000),
    case Mode of
        <<"packet4">> ->
            passive(Socket);
        <<"passive">> ->
            ok = gentcp:setopts(Socket, [{packet, raw}]),
            passive(Socket);
        <<"active">> ->
            ok = gentcp:setopts(Socket, [{packet, raw}, {active, true}]),
            active(Socket, []);
        <<"once">> ->
            ok = gentcp:setopts(Socket, [{packet, raw}, {active, once}]),
            active(Socket, [{active, once}])
    end.

passive(Socket) ->
    case gentcp:recv(Socket, 0) of
        {ok, Data} ->
            ok = gentcp:send(Socket, Data),
            passive(Socket);
        {error, closed} ->
            ok
    end.

active(Socket, Again) ->
    receive
        {tcp, Socket, Data} ->
            ok = gentcp:send(Socket, Data),
            ok = gentcp:setopts(Socket, Again),
            active(Socket, Again);
        {tcp_closed, Socket} ->
            ok
    end.
