%% SPDX-License-Identifier: Apache-2.0
%% An echo server, a process a connection. ECHO_BACKEND says on what: gentcp (active), passive (gentcp), or inet (AtomVM's
%% own, active).
-module(echo).

-export([start/0]).

start() ->
    {Module, Listener} = listen(os:getenv("ECHO_BACKEND")),
    {ok, {_, Port}} = inet:sockname(Listener),
    erlang:display_string("port " ++ integer_to_list(Port) ++ "\n"),
    spawn(fun() -> accept(Module, Listener) end),
    receive
        never -> ok
    end.

listen("inet") ->
    {ok, Listener} = gen_tcp:listen(0, [binary]),
    {gen_tcp, Listener};
listen(Mode) ->
    {ok, Listener} = gentcp:listen(0, [binary, {active, Mode =:= "gentcp"}, {nodelay, true}, {backlog, 1024}]),
    {list_to_atom(Mode), Listener}.

%% A connection stays with who has accepted it: AtomVM's inet loses what comes before it is handed over.
accept(Module, Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    spawn(fun() -> accept(Module, Listener) end),
    echo(Module, Socket).

echo(passive, Socket) ->
    case gentcp:recv(Socket, 0) of
        {ok, Data} -> send(passive, gentcp, Socket, Data);
        {error, _} -> gentcp:close(Socket)
    end;
echo(Module, Socket) ->
    receive
        {tcp, Socket, Data} -> send(Module, Module, Socket, Data);
        {tcp_closed, Socket} -> Module:close(Socket)
    end.

send(Mode, Module, Socket, Data) ->
    case Module:send(Socket, Data) of
        ok -> echo(Mode, Socket);
        {error, _} -> Module:close(Socket)
    end.
