%% SPDX-License-Identifier: Apache-2.0
%% Does what it is told over a connection, so that what is left of it can be counted from outside: lines with a command
%% and a number (and a dot) are answered with the number of processes there are.
-module(served).

-export([start/0]).

start() ->
    {ok, Listener} = gentcp:listen(0, [{packet, line}, {active, false}]),
    {ok, Port} = gentcp:port(Listener),
    erlang:display_string("port " ++ integer_to_list(Port) ++ "\n"),
    {ok, Socket} = gentcp:accept(Listener),
    serve(Socket, closed_port()).

serve(Socket, Closed) ->
    case gentcp:recv(Socket, 0) of
        {ok, Line} ->
            {Command, Count} = command(Line),
            run(Command, Count, Closed),
            erlang:garbage_collect(),
            ok = gentcp:send(Socket, integer_to_list(erlang:system_info(process_count)) ++ "\n"),
            serve(Socket, Closed);
        {error, closed} ->
            ok
    end.

command(Line) ->
    [Command, Count, _] = string:split(Line, " ", all),
    {Command, list_to_integer(Count)}.

closed_port() ->
    {ok, Listener} = gentcp:listen(0, []),
    {ok, Port} = gentcp:port(Listener),
    ok = gentcp:close(Listener),
    Port.

run(_, 0, _) ->
    ok;
run("refused", Count, Port) ->
    {error, econnrefused} = gentcp:connect(loopback, Port, []),
    {'EXIT', badarg} = catch gentcp:connect(loopback, Port, [{buffer, 0}]),
    {'EXIT', badarg} = catch gentcp:listen(0, [{buffer, 0}]),
    run("refused", Count - 1, Port);
run("orphans", Count, Port) ->
    orphan(),
    run("orphans", Count - 1, Port);
run("wait", Time, _) ->
    receive
    after Time -> ok
    end.

%% One process with a listener and both ends of a connection dies, in one of many ways.
orphan() ->
    Self = self(),
    Pid = spawn(fun() ->
        {ok, Listener} = gentcp:listen(0, [{backlog, 1}]),
        {ok, Port} = gentcp:port(Listener),
        {ok, Client} = gentcp:connect(loopback, Port, [{linger, {true, 0}}]),
        {ok, _Server} = gentcp:accept(Listener),
        ok = gentcp:send(Client, "never read"),
        Self ! {self(), ready},
        receive
            stop -> ok
        end
    end),
    Monitor = monitor(process, Pid),
    receive
        {Pid, ready} -> ok
    end,
    case erlang:system_time(millisecond) rem 2 of
        0 -> Pid ! stop;
        1 -> exit(Pid, kill)
    end,
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    end.
