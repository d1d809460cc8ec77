%% SPDX-License-Identifier: Apache-2.0
%% The servers in Erlang. All backends run the same code, through gen_tcp's own calls:
%%
%%     erl -noshell -s bench_server start BACKEND ROLE MODE PACKET ACCEPTORS LISTENERS
%%
%% BACKEND: gentcp | inet | inet64k ({buffer, 65536}) | socket.   MODE: passive | once | n ({active, 100}) | active.
%% ROLE: echo | discard (reads) | source (sends) | close (accepts and closes) | idle | http | fanout.
%% Acceptors share the listeners, which share the port by SO_REUSEPORT if there are several. Prints its port, and ends
%% with its standard input.
%%
%%     erl -noshell -s bench_server connect BACKEND PORT PROCESSES
%%
%% is the other side: processes that open connections and reset them, one after the other. It prints its port (that
%% of its peer), and at the end of its standard input how many connections there were.
-module(bench_server).

-export([start/1, connect/1]).

-define(MESSAGES, 100).             % of mode n
-define(CHUNK, 65536).              % of source
-define(FANOUT_SIZE, 64).

-define(SO_REUSEPORT, {raw, 1, 15, <<1:32/native>>}).  % Linux; an option of its own only in newer OTP
%% So that what is written is soon what is read, and not what the kernel has room for; option recbuf would change inet's
%% buffer, too.
-define(RECEIVE_BUFFER, {raw, 1, 8, <<131072:32/native>>}).
-define(RESET, {linger, {true, 0}}).                    % leaves no TIME_WAIT

start([Backend, Role, Mode, Packet, Acceptors, Listeners]) ->
    [{ok, _} = application:ensure_all_started(gentcp) || Backend =:= gentcp], % for its parameters
    Options = backend(Backend) ++ options(Packet, Mode) ++ [?RECEIVE_BUFFER || Role =:= discard],
    Ports = listen(number(Listeners), 0, Options),
    {ok, {_, Port}} = inet:sockname(hd(Ports)),
    Hub = spawn_link(fun() -> hub(Role) end),
    [spawn_link(fun() -> accept(lists:nth(1 + N rem length(Ports), Ports), Role, Mode, Hub) end)
     || N <- lists:seq(1, number(Acceptors))],
    io:format("port ~b~n", [Port]),
    _ = io:get_line(""),
    erlang:halt(0, [{flush, false}]).

listen(1, 0, Options) ->
    {ok, Listener} = gen_tcp:listen(0, Options),
    [Listener];
listen(0, _, _) ->
    [];
listen(N, Port, Options) ->
    {ok, Listener} = gen_tcp:listen(Port, Options ++ [?SO_REUSEPORT]),
    {ok, {_, Same}} = inet:sockname(Listener),
    [Listener | listen(N - 1, Same, Options)].

connect([Backend, Port, Processes]) ->
    Opened = counters:new(1, [write_concurrency]),
    Options = backend(Backend) ++ [binary, {active, false}, ?RESET],
    [spawn_link(fun() -> open(number(Port), Options, Opened) end) || _ <- lists:seq(1, number(Processes))],
    io:format("port ~s~n", [Port]),
    _ = io:get_line(""),
    io:format("~b~n", [counters:get(Opened, 1)]),
    erlang:halt(0).

open(Port, Options, Opened) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, Options),
    ok = gen_tcp:close(Socket),
    counters:add(Opened, 1, 1),
    open(Port, Options, Opened).

number(Atom) -> list_to_integer(atom_to_list(Atom)).

backend(gentcp) -> [{tcp_module, gentcp}];
backend(inet) -> [];
backend(inet64k) -> [{buffer, 65536}];
backend(socket) -> [{inet_backend, socket}].

options(Packet, Mode) ->
    Active = case Mode of active -> true; _ -> false end,
    [binary, {active, Active}, {packet, packet(Packet)}, {backlog, 4096}, {reuseaddr, true}, {nodelay, true}].

packet('0') -> raw;
packet('1') -> 1;
packet('2') -> 2;
packet('4') -> 4;
packet(Name) -> Name.

accept(Listener, close, Mode, Hub) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    ok = gen_tcp:close(Socket),
    accept(Listener, close, Mode, Hub);
accept(Listener, Role, Mode, Hub) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> serve(Role, Mode, Socket, Hub) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener, Role, Mode, Hub).

serve(echo, passive, Socket, _) -> echo_passive(Socket);
serve(echo, active, Socket, _) -> echo_active(Socket);
serve(echo, once, Socket, _) -> echo_once(Socket);
serve(echo, n, Socket, _) -> inet:setopts(Socket, [{active, ?MESSAGES}]), echo_n(Socket);
serve(discard, passive, Socket, _) -> discard_passive(Socket);
serve(discard, active, Socket, _) -> discard_active(Socket);
serve(source, _, Socket, _) -> source(Socket, binary:copy(<<"x">>, ?CHUNK));
serve(http, passive, Socket, _) -> http_passive(Socket);
serve(http, once, Socket, _) -> http_once(Socket);
serve(idle, _, Socket, _) -> idle(Socket);
serve(fanout, _, Socket, Hub) -> Hub ! {member, Socket}, idle(Socket).

echo_passive(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} -> ok = gen_tcp:send(Socket, Data), echo_passive(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.

echo_active(Socket) ->
    receive
        {tcp, Socket, Data} -> ok = gen_tcp:send(Socket, Data), echo_active(Socket);
        {tcp_closed, Socket} -> ok
    end.

echo_once(Socket) ->
    inet:setopts(Socket, [{active, once}]),
    receive
        {tcp, Socket, Data} -> ok = gen_tcp:send(Socket, Data), echo_once(Socket);
        {tcp_closed, Socket} -> ok
    end.

echo_n(Socket) ->
    receive
        {tcp, Socket, Data} -> ok = gen_tcp:send(Socket, Data), echo_n(Socket);
        {tcp_passive, Socket} -> inet:setopts(Socket, [{active, ?MESSAGES}]), echo_n(Socket);
        {tcp_closed, Socket} -> ok
    end.

discard_passive(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, _} -> discard_passive(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.

discard_active(Socket) ->
    receive
        {tcp, Socket, _} -> discard_active(Socket);
        {tcp_closed, Socket} -> ok
    end.

source(Socket, Chunk) ->
    case gen_tcp:send(Socket, Chunk) of
        ok -> source(Socket, Chunk);
        {error, _} -> gen_tcp:close(Socket)
    end.

idle(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, _} -> idle(Socket);
        {error, einval} -> receive {tcp_closed, Socket} -> ok end;
        {error, _} -> gen_tcp:close(Socket)
    end.

-define(RESPONSE, <<"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/plain\r\n\r\nhello\n">>).

http_passive(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, http_eoh} -> ok = gen_tcp:send(Socket, ?RESPONSE), http_passive(Socket);
        {ok, _} -> http_passive(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.

http_once(Socket) ->
    inet:setopts(Socket, [{active, once}]),
    receive
        {http, Socket, http_eoh} -> ok = gen_tcp:send(Socket, ?RESPONSE), http_once(Socket);
        {http, Socket, _} -> http_once(Socket);
        {tcp_closed, Socket} -> ok
    end.

%% One process that sends to all connections, round after round.
hub(fanout) -> hub_wait([]);
hub(_) -> ok.

hub_wait(Members) ->
    receive {member, Socket} -> hub_wait([Socket | Members])
    after 200 -> hub_send(Members)
    end.

hub_send([]) -> hub_wait([]);
hub_send(Members) ->
    Data = binary:copy(<<"x">>, ?FANOUT_SIZE),
    Left = [Socket || Socket <- Members, gen_tcp:send(Socket, Data) =:= ok],
    receive {member, Socket} -> hub_send([Socket | Left])
    after 0 -> hub_send(Left)
    end.
