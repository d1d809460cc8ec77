%% SPDX-License-Identifier: Apache-2.0
%% What can be known of sockets, for people: a map of one, what the engine has done so far, and a table of all.
-module(gentcp_info).

-export([socket/1, engine/0, sockets/0, print/0]).

-define(SOCKET(Handle), {'$inet', gentcp, Handle}).

%% Has the keys of inet:info/1 and gen_tcp_socket:info/1 that say something here, and the queues' lengths.
-spec socket(gentcp:socket()) -> map().
socket(?SOCKET(Handle) = Socket) ->
    case gentcp_nif:info(Handle) of
        #{state := closed} ->
            #{states => [closed]};
        #{state := State, readers := Readers, writers := Writers, busy := Busy} = Info ->
            States = states(State, Readers, Busy),
            maps:merge(maps:with([domain, owner, recv_queue, send_queue], Info), #{
                states => States,
                rstates => States,
                wstates => [],
                active => active(Socket),
                counters => counters(Socket),
                num_acceptors => waiting(listening, State, Readers),
                num_readers => waiting(connected, State, Readers),
                num_writers => waiting(connected, State, Writers),
                type => stream,
                protocol => protocol(Info)
            })
    end.

protocol(#{domain := local}) -> default;
protocol(_) -> tcp.

%% The flags of inet's ports: inet:i() knows how to print them.
states(listening, 0, _) -> [bound, listen, open];
states(listening, _, _) -> [accepting, bound, listen, open];
states(connecting, _, _) -> [bound, connecting, open];
states(connected, _, false) -> [bound, connected, open];
states(connected, _, true) -> [bound, busy, connected, open];
states(ended, _, _) -> [bound, open];
states(closing, _, _) -> [bound, closing, open].

waiting(State, State, Count) -> Count;
waiting(_, _, _) -> 0.

active(Socket) ->
    case gentcp:getopts(Socket, [active]) of
        {ok, [{active, Active}]} -> Active;
        {error, _} -> false
    end.

counters(Socket) ->
    case gentcp:getstat(Socket) of
        {ok, Counters} -> maps:from_list(Counters);
        {error, _} -> #{}
    end.

%% counters: of all sockets there ever were.
-spec engine() -> map().
engine() ->
    #{sockets := Closed, runs := Runs} = Totals = gentcp_nif:totals(),
    Sockets = [Info || Socket <- sockets(), #{owner := _} = Info <- [socket(Socket)]],
    #{
        driver => whereis(gentcp_driver),
        runs => Runs,
        opened => Closed + length(Sockets),
        open => length(Sockets),
        listening => length([listen || #{states := States} <- Sockets, lists:member(listen, States)]),
        recv_queue => lists:sum([Size || #{recv_queue := Size} <- Sockets]),
        send_queue => lists:sum([Size || #{send_queue := Size} <- Sockets]),
        counters => maps:map(
            fun(Name, Value) -> Value + lists:sum([maps:get(Name, Counters, 0) || #{counters := Counters} <- Sockets]) end,
            maps:without([sockets, runs], Totals)
        )
    }.

%% All that are open.
-spec sockets() -> [gentcp:socket()].
sockets() ->
    gentcp_nif:sockets().

-spec print() -> ok.
print() ->
    Header = ["Socket", "Recv", "Sent", "Queue", "Owner", "Local Address", "Foreign Address", "State", "Active"],
    Lines = [Header | [line(Socket, Info) || Socket <- sockets(), #{owner := _} = Info <- [socket(Socket)]]],
    Widths = lists:foldl(fun(Line, Max) -> lists:zipwith(fun widest/2, Line, Max) end, [0 || _ <- Header], Lines),
    Format = lists:append(["~-" ++ integer_to_list(Width) ++ "ts " || Width <- Widths]) ++ "~n",
    lists:foreach(fun(Line) -> io:format(Format, Line) end, Lines).

widest(Text, Width) ->
    max(string:length(Text), Width).

line(Socket, #{owner := Owner, active := Active, states := States, send_queue := Queue, counters := Counters}) ->
    [
        gentcp:socket_to_list(Socket),
        text(maps:get(recv_oct, Counters, 0)),
        text(maps:get(send_oct, Counters, 0)),
        text(Queue),
        text(Owner),
        address(gentcp:sockname(Socket)),
        address(gentcp:peername(Socket)),
        string:uppercase(atom_to_list(state(States))),
        text(Active)
    ].

state([accepting | _]) -> accepting;
state([bound, open]) -> ended;
state([bound, State | _]) -> State.

text(Term) ->
    lists:flatten(io_lib:format("~0p", [Term])).

address({ok, {local, Path}}) -> "local:" ++ unicode:characters_to_list(Path, latin1);
address({ok, {IP, Port}}) -> inet:ntoa(IP) ++ ":" ++ integer_to_list(Port);
address({error, _}) -> "*:*".
