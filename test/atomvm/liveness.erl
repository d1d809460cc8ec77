%% SPDX-License-Identifier: Apache-2.0
%% Whatever waits on a socket, everything else goes on.
-module(liveness).

-export([start/0]).

-define(RST, {linger, {true, 0}}).

start() ->
    ticks_while(fun three_senders_to_peers_that_never_read/0),
    ticks_while(fun three_connects_that_hang/0),
    ticks_while(fun two_recv_on_one_socket/0),
    ticks_while(fun two_accept_on_one_listener/0),
    ticks_while(fun a_name_that_nobody_knows/0),
    ok.

%% A process that wakes every 5 ms, all the time; it would stop if a scheduler did.
ticks_while(Test) ->
    Self = self(),
    Ticker = spawn(fun() -> tick(Self, 0) end),
    Test(),
    Ticker ! stop,
    receive
        {ticks, Count} when Count > 20 -> ok
    end.

tick(Parent, Count) ->
    receive
        stop -> Parent ! {ticks, Count}
    after 5 -> tick(Parent, Count + 1)
    end.

pair() ->
    {ok, Listener} = gentcp:listen(0, [binary, {active, false}, ?RST]),
    {ok, Port} = gentcp:port(Listener),
    {ok, Client} = gentcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, ?RST]),
    {ok, Server} = gentcp:accept(Listener),
    ok = gentcp:close(Listener),
    {Client, Server}.

three_senders_to_peers_that_never_read() ->
    Pairs = [pair(), pair(), pair()],
    Self = self(),
    Data = chunk(200000, <<>>),
    [spawn(fun() -> Self ! {sender, send_all(Client, Data)} end) || {Client, _} <- Pairs],
    receive
        {sender, _} = Early -> error(Early)
    after 1000 -> ok
    end,
    [ok = gentcp:close(Server) || {_, Server} <- Pairs],
    [
        receive
            {sender, {error, _}} -> ok
        end
     || _ <- Pairs
    ],
    [ok = gentcp:close(Client) || {Client, _} <- Pairs].

chunk(Size, Data) when byte_size(Data) >= Size -> Data;
chunk(Size, Data) -> chunk(Size, <<Data/binary, "as long as it is read, it flows; ">>).

send_all(Socket, Data) ->
    case gentcp:send(Socket, Data) of
        ok -> send_all(Socket, Data);
        {error, _} = Error -> Error
    end.

%% A listener whose queue is full: the system drops what asks for a connection.
three_connects_that_hang() ->
    {ok, Listener} = gentcp:listen(0, [{backlog, 0}]),
    {ok, Port} = gentcp:port(Listener),
    Self = self(),
    Connect = fun() -> gentcp:connect({127, 0, 0, 1}, Port, [?RST], 1500) end,
    Pids = [spawn(fun() -> Self ! {connected, Connect()}, receive stop -> ok end end) || _ <- [1, 2, 3, 4, 5, 6]],
    Results = [
        receive
            {connected, Result} -> Result
        end
     || _ <- Pids
    ],
    true = length([timeout || {error, timeout} <- Results]) >= 3,
    [Pid ! stop || Pid <- Pids],
    ok = gentcp:close(Listener).

two_recv_on_one_socket() ->
    {Client, Server} = pair(),
    Self = self(),
    First = spawn(fun() -> Self ! {self(), gentcp:recv(Client, 3)} end),
    wait(200),
    {error, ealready} = gentcp:recv(Client, 3),
    ok = gentcp:send(Server, "abc"),
    receive
        {First, {ok, <<"abc">>}} -> ok
    end,
    ok = gentcp:close(Client),
    ok = gentcp:close(Server).

two_accept_on_one_listener() ->
    {ok, Listener} = gentcp:listen(0, [?RST]),
    {ok, Port} = gentcp:port(Listener),
    Self = self(),
    Accept = fun() ->
        {ok, Socket} = gentcp:accept(Listener),
        ok = gentcp:close(Socket),
        Self ! accepted
    end,
    spawn(Accept),
    spawn(Accept),
    wait(200),
    Clients = [gentcp:connect(loopback, Port, [?RST]), gentcp:connect(loopback, Port, [?RST])],
    [
        receive
            accepted -> ok
        end
     || _ <- Clients
    ],
    [ok = gentcp:close(Client) || {ok, Client} <- Clients],
    ok = gentcp:close(Listener).

a_name_that_nobody_knows() ->
    {error, Reason} = gentcp:connect("no-such-name.invalid", 1, [], 2000),
    true = Reason =:= nxdomain orelse Reason =:= timeout,
    wait(200).

wait(Time) ->
    receive
    after Time -> ok
    end.
