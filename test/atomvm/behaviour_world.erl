%% SPDX-License-Identifier: Apache-2.0
%% What the rows have in common: connections on loopback, processes that call, and what is awaited with a bound.
-module(behaviour_world).

-export([listen/3, port/2, pair/2, pair/3, pair/4, reset/3, call/1, answer/1, waiting/1, kill/1]).
-export([told/1, told/2, nothing/1, until/1, recv_all/3, bytes/1, catching/1]).

-define(LOOPBACK, {127, 0, 0, 1}).
-define(SOON, 10000).

listen(T, I, Options) ->
    {ok, Listener} = T:listen(0, [{ip, ?LOOPBACK}, binary, {active, false} | Options]),
    {Listener, port(I, Listener)}.

port(I, Socket) ->
    {ok, Port} = I:port(Socket),
    Port.

%% Two ends of a connection: passive, with binaries, unless their options say else. That which has connected comes first.
pair(T, I) -> pair(T, I, []).

pair(T, I, Options) -> pair(T, I, Options, []).

pair(T, I, Options, ListenOptions) ->
    {Listener, Port} = listen(T, I, ListenOptions),
    {ok, Here} = T:connect(?LOOPBACK, Port, [binary, {active, false} | Options], ?SOON),
    {ok, There} = T:accept(Listener, ?SOON),
    ok = T:close(Listener),
    {Here, There}.

reset(T, I, Socket) ->
    ok = I:setopts(Socket, [{linger, {true, 0}}]),
    ok = T:close(Socket).

%% Another process makes the call.
call(Fun) ->
    Self = self(),
    spawn_opt(fun() -> Self ! {self(), catching(Fun)} end, [monitor]).

answer({Pid, Monitor}) ->
    receive
        {Pid, Answer} ->
            receive
                {'DOWN', Monitor, process, Pid, _} -> Answer
            end;
        {'DOWN', Monitor, process, Pid, Reason} ->
            {died, Reason}
    after ?SOON -> waits
    end.

%% Does the call still wait?
waiting({Pid, Monitor}) ->
    receive
        {Pid, Answer} -> Answer;
        {'DOWN', Monitor, process, Pid, Reason} -> {died, Reason}
    after 100 -> waits
    end.

kill({Pid, Monitor}) ->
    exit(Pid, kill),
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    after ?SOON -> immortal
    end.

%% The next so many messages of the socket, with `socket` for it.
told(Socket, Count) -> [told(Socket) || _ <- lists:seq(1, Count)].

told(Socket) -> told_within(Socket, ?SOON).

%% All that has come by now, or comes very soon.
nothing(Socket) ->
    case told_within(Socket, 50) of
        nothing -> [];
        Message -> [Message | nothing(Socket)]
    end.

told_within(Socket, Time) ->
    receive
        {tcp, Socket, Data} -> {tcp, Data};
        {http, Socket, Line} -> {http, Line};
        {Socket, {data, Data}} -> {data, Data};
        {tcp_closed, Socket} -> tcp_closed;
        {tcp_error, Socket, Reason} -> {tcp_error, Reason};
        {tcp_passive, Socket} -> tcp_passive;
        {'EXIT', _, Reason} -> {exit_of_link, Reason}
    after Time -> nothing
    end.

%% For what no event tells of.
until(Condition) -> until(Condition, 5000).

until(Condition, Times) ->
    case Condition() of
        true ->
            ok;
        false when Times > 0 ->
            receive
            after 2 -> until(Condition, Times - 1)
            end;
        false ->
            never
    end.

%% Everything up to the end: how many bytes, and what the end was.
recv_all(T, Socket, Count) ->
    case T:recv(Socket, 0, ?SOON) of
        {ok, Data} -> recv_all(T, Socket, Count + byte_size(Data));
        {error, Reason} -> {Count, Reason}
    end.

%% So many, of no particular content. By halves: a list of all of them would keep AtomVM busy for long.
bytes(0) ->
    <<>>;
bytes(Count) ->
    Half = bytes(Count div 2),
    iolist_to_binary([Half, Half, lists:duplicate(Count rem 2, $x)]).

catching(Fun) ->
    try
        Fun()
    catch
        Class:Reason when is_tuple(Reason), tuple_size(Reason) > 1 -> {Class, element(1, Reason)};
        Class:Reason -> {Class, Reason}
    end.
