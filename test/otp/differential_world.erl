%% SPDX-License-Identifier: Apache-2.0
%% One of the two worlds that are compared: processes, their sockets under test (of inet or of gentcp), and at the other
%% end of each connection a plain socket of inet, the peer. A step is a call by one of the processes, or an act of a
%% peer. settle/1 waits until all has happened that it can cause; the kernel tells what has arrived and what was read.
-module(differential_world).

-export([open/1, close/1, run/2, settle/1, take_results/1]).
-export([set_options/3, take_messages/3, give_messages/3, proper/1]).

-import(differential_facts, [alive/2, expected/2, options/3, owner/2, peer/2, socket/2, unread/2, waits_in/3]).

-export_type([world/0, step/0, name/0, process/0, observation/0]).

-define(LOCAL, {127, 0, 0, 1}).
-define(PATIENCE_MS, 5000).     % for what comes for certain
-define(SETTLE_MS, 400).        % for what comes if all is well
-define(DRAIN_MS, 300).         % for bytes that may have been dropped
-define(QUEUED, 5000000).       % more than Linux takes of one that doesn't get rid of it
-define(WINDOW, 65536).         % of peers, so that one that doesn't read soon holds up its sender
-define(ACK_NOW, {raw, 6, 12, <<1:32/native>>}). % TCP_QUICKACK of Linux

-include("differential_world.hrl").

-spec open(gen_tcp | gentcp) -> world().
open(Module) ->
    {ok, Target} = gen_tcp:listen(0, [{ip, ?LOCAL}, {recbuf, ?WINDOW} | peer_options()]),
    Runner = self(),
    Processes = maps:from_list([{Name, spawn(fun() -> process(Runner, Name) end)} || Name <- [p1, p2, p3]]),
    [receive {ready, Pid} -> ok end || Pid <- maps:values(Processes)],
    #world{module = Module, target = Target, processes = Processes}.

peer_options() ->
    [binary, {active, false}, {nodelay, true}, {show_econnreset, true}, {exit_on_close, false}, {send_timeout, 2000}].

%% By resets: they leave no connections behind that wait for their time to pass.
-spec close(world()) -> ok.
close(#world{target = Target, processes = Processes, peers = Peers}) ->
    [reset(Socket) || #peer{socket = Socket, did = Did} <- maps:values(Peers), Did =/= close, Did =/= reset],
    [kill(Pid, kill) || Pid <- maps:values(Processes)],
    ok = gen_tcp:close(Target),
    flush().

reset(Socket) ->
    _ = inet:setopts(Socket, [{linger, {true, 0}}]),
    ok = gen_tcp:close(Socket).

kill(Pid, Reason) ->
    Ref = monitor(process, Pid),
    exit(Pid, Reason),
    receive
        {'DOWN', Ref, process, Pid, _} -> ok
    after ?PATIENCE_MS -> error(immortal)
    end.

flush() ->
    receive
        {done, _, _} -> flush()
    after 0 -> ok
    end.

%% ---- processes ----

process(Runner, Name) ->
    _ = process_flag(trap_exit, Name =:= p3),
    Runner ! {ready, self()},
    serve(Runner).

serve(Runner) ->
    receive
        {run, Runner, Fun} ->
            Result = try Fun() catch Class:Reason -> {Class, reason(Reason)} end,
            Runner ! {done, self(), Result},
            serve(Runner)
    end.

%% With or without the stack trace that exits carry.
reason({function_clause, _}) -> function_clause;
reason(Reason) -> Reason.

%% ---- steps ----

-spec run(step(), world()) -> world().
run({connect, P, S, Options, To} = Step, #world{module = Module, target = Target} = W0) ->
    {ok, Open} = inet:port(Target),
    {Port, Timeout} =
        case To of
            peer -> {Open, ?PATIENCE_MS};
            late -> {Open, 0};
            refused -> {1, ?PATIENCE_MS}
        end,
    W = call(P, Step, fun() -> in_time(Module, Timeout, Module:connect(?LOCAL, Port, Options, Timeout)) end, W0),
    case W#world.results of
        [{P, {ok, Socket}}] when To =:= peer -> add_peer(S, accept_from(Target, Socket), bind(S, Socket, P, W));
        _ -> W
    end;
run({listen, P, L, Options} = Step, #world{module = Module} = W0) ->
    W = call(P, Step, fun() -> Module:listen(0, [{ip, ?LOCAL} | Options]) end, W0),
    case W#world.results of
        [{P, {ok, Socket}}] -> bind(L, Socket, P, W);
        _ -> W
    end;
run({accept, P, L, Timeout} = Step, W) ->
    Socket = socket(L, W),
    start(P, #call{step = Step, waits = Timeout =:= infinity}, fun() -> gen_tcp:accept(Socket, Timeout) end, W);
run({call, P, S, send, [{much, Size}]}, W) ->
    run({call, P, S, send, [binary:copy(<<"much">>, Size div 4)]}, W);
run({call, P, S, Function, Arguments} = Step, W) ->
    Socket = socket(S, W),
    Call =
        case {Function, Arguments} of
            {send, [Data]} ->
                Timeout = options(S, [send_timeout], W),
                #call{step = Step, waits = Timeout =:= [{send_timeout, infinity}], size = packet_size(S, Data, W)};
            {recv, [_, Timeout]} -> #call{step = Step, waits = Timeout =:= infinity};
            _ -> #call{step = Step, waits = Function =:= close}
        end,
    Apply =
        case {Function, Arguments} of
            {recv, [Length, T]} -> fun() -> receive_once(Socket, Length, T) end;
            _ -> fun() -> apply(module_of(Function), Function, [Socket | Arguments]) end
        end,
    start(P, Call, Apply, loosen(S, Function, Arguments, W));
run({receive_all, P, S, Timeout} = Step, W) ->
    Socket = socket(S, W),
    start(P, #call{step = Step, waits = Timeout =:= infinity}, fun() -> receive_all(Socket, Timeout, []) end, W);
run({controlling_process, P, S, To} = Step, #world{processes = Processes} = W0) ->
    Socket = socket(S, W0),
    Pid = maps:get(To, Processes),
    W = call(P, Step, fun() -> gen_tcp:controlling_process(Socket, Pid) end, W0),
    case W#world.results of
        [{P, ok}] -> W#world{owners = (W#world.owners)#{S => To}};
        _ -> W
    end;
run({collect, P} = Step, W) ->
    start(P, #call{step = Step, waits = false}, fun collect/0, W);
run({exit, P, Reason}, #world{processes = Processes, calls = Calls} = W) ->
    Pid = maps:get(P, Processes),
    exit(Pid, Reason),
    case P =:= p3 andalso Reason =/= kill of
        true ->
            W;
        false ->
            ok = kill(Pid, kill),
            W#world{calls = maps:remove(P, Calls)}
    end;
run({peer_connect, L, S}, W) ->
    case inet:port(socket(L, W)) of
        {ok, Port} ->
            {ok, Peer} = gen_tcp:connect(?LOCAL, Port, peer_options(), ?PATIENCE_MS),
            add_peer(S, Peer, W#world{coming = W#world.coming ++ [{L, S}]});
        {error, _} ->
            W
    end;
run({peer_send, S, Bytes}, W) ->
    #peer{socket = Socket, sent = Sent} = Peer = peer(S, W),
    case gen_tcp:send(Socket, Bytes) of
        ok -> put_peer(S, Peer#peer{sent = Sent + byte_size(Bytes)}, W);
        {error, _} -> W
    end;
run({peer_receive, S}, W) ->
    drain(S, W);
run({peer_shutdown, S}, W) ->
    Peer = peer(S, W),
    _ = gen_tcp:shutdown(Peer#peer.socket, write),
    put_peer(S, Peer#peer{did = shutdown}, W);
%% The kernel would make a reset of it if there was something that it hasn't read.
run({peer_close, S}, W0) ->
    W = drain(S, W0),
    Peer = peer(S, W),
    ok = gen_tcp:close(Peer#peer.socket),
    put_peer(S, Peer#peer{did = close}, W);
run({peer_reset, S}, W) ->
    Peer = peer(S, W),
    ok = reset(Peer#peer.socket),
    put_peer(S, Peer#peer{did = reset}, W).

%% Where all is at hand, inet is in time for 0 ms now and then.
in_time(gen_tcp, 0, {ok, Socket}) ->
    ok = gen_tcp:close(Socket),
    {error, timeout};
in_time(_, _, Result) ->
    Result.

%% What is left over of raw data lies in a buffer whose size is inet's own business.
loosen(S, recv, [Length, _], W) when Length > 0 -> loosen(S, W);
loosen(S, unrecv, _, W) -> loosen(S, W#world{put_back = [S | W#world.put_back]});
loosen(S, setopts, [Options], W) ->
    case lists:keymember(packet, 1, proper(Options)) orelse unread(S, W) of
        true -> loosen(S, W);
        false -> W
    end;
loosen(_, _, _, W) -> W.

%% A list, or what stands for one that isn't.
-spec proper(term()) -> list().
proper([Head | Tail]) ->
    try
        [Head | lists:append(Tail, [])]
    catch
        error:badarg -> []
    end;
proper(_) -> [].

loosen(S, #world{loose = Loose} = W) ->
    W#world{loose = lists:usort([S | Loose])}.

start(P, Call, Fun, #world{processes = Processes, calls = Calls} = W) ->
    maps:get(P, Processes) ! {run, self(), Fun},
    W#world{calls = Calls#{P => Call}}.

%% One that doesn't wait.
call(P, Step, Fun, W) ->
    await(P, start(P, #call{step = Step, waits = false}, Fun, W), ?PATIENCE_MS).

await(P, #world{processes = Processes} = W, Timeout) ->
    Pid = maps:get(P, Processes),
    receive
        {done, Pid, Result} -> answered(P, Result, W)
    after Timeout ->
        case Timeout of
            0 -> W;
            _ when W#world.module =:= gen_tcp -> throw(inet_hangs);
            _ -> error({stuck, maps:get(P, W#world.calls), process_info(Pid)})
        end
    end.

module_of(Function) when Function =:= recv; Function =:= send; Function =:= unrecv; Function =:= shutdown;
                         Function =:= close -> gen_tcp;
module_of(_) -> inet.

receive_all(Socket, Timeout, Parts) ->
    case receive_once(Socket, 0, Timeout) of
        {ok, Part} -> receive_all(Socket, 0, [Part | Parts]);
        Error when Parts =:= [] -> Error;
        Error when is_tuple(hd(Parts)) -> {ok, http, lists:reverse(Parts), Error};
        Error -> {ok, is_binary(hd(Parts)), iolist_to_binary(lists:reverse(Parts)), Error}
    end.

%% inet reads once, and says timeout if that wasn't all of a packet, or if the end is next. After a timeout of 0 its next
%% recv goes on with this one's length, after a longer one it doesn't.
receive_once(Socket, Length, Timeout) when is_port(Socket), Timeout =/= infinity ->
    case gen_tcp:recv(Socket, Length, Timeout) of
        {error, timeout} -> receive_more(Socket, Length);
        Result -> Result
    end;
receive_once(Socket, Length, Timeout) ->
    gen_tcp:recv(Socket, Length, Timeout).

receive_more(Socket, Length) ->
    Before = differential_kernel:knows(Socket),
    Result = gen_tcp:recv(Socket, Length, 1),
    case Result =:= {error, timeout} andalso differential_kernel:knows(Socket) =/= Before of
        true -> receive_more(Socket, Length);
        false -> Result
    end.

collect() ->
    receive
        {run, _, _} = Early -> error(Early);
        Message -> [Message | collect()]
    after 0 -> []
    end.

packet_size(S, Data, W) ->
    try iolist_size(Data) of
        Size ->
            case options(S, [packet], W) of
                [{packet, Header}] when is_integer(Header) -> Header + Size;
                _ -> Size
            end
    catch
        error:badarg -> 0
    end.

%% ---- results ----

answered(P, Result, #world{calls = Calls, results = Results} = W0) ->
    #call{step = Step, size = Size} = maps:get(P, Calls),
    W = W0#world{calls = maps:remove(P, Calls), results = Results ++ [{P, Result}]},
    case {Step, Result} of
        {{accept, _, L, _}, {ok, Socket}} ->
            S = accepted(L, Socket, W),
            bind(S, Socket, P, W#world{accepted = [S | W#world.accepted]});
        {{call, _, S, shutdown, [How]}, ok} when How =/= read -> W#world{shut = [S | W#world.shut]};
        {{call, _, S, send, _}, _} when Result =:= ok; Result =:= {error, timeout} -> owe(S, Size, W);
        {{call, _, S, recv, _}, {error, timeout}} -> W#world{timed_out = [S | W#world.timed_out]};
        {{call, _, S, recv, _}, {ok, _}} -> W#world{timed_out = [T || T <- W#world.timed_out, T =/= S]};
        {{receive_all, _, S, _}, _} -> W#world{timed_out = [S | W#world.timed_out]};
        _ -> W
    end.

owe(S, Size, W) ->
    Peer = peer(S, W),
    put_peer(S, Peer#peer{owed = Peer#peer.owed + Size}, W).

bind(S, Socket, P, #world{sockets = Sockets, owners = Owners} = W) ->
    W#world{sockets = Sockets#{S => Socket}, owners = Owners#{S => P}}.

%% The one whose peer it is; or, if it has ended already, the one that has waited longest.
accepted(L, Socket, #world{peers = Peers, coming = Coming, sockets = Sockets}) ->
    case inet:peername(Socket) of
        {ok, {_, Number}} ->
            [S] = [S || {S, #peer{number = N}} <- maps:to_list(Peers), N =:= Number],
            S;
        {error, _} ->
            hd([S || {To, S} <- Coming, To =:= L, not is_map_key(S, Sockets)])
    end.

%% Forgets what has been answered so far.
-spec take_results(world()) -> world().
take_results(#world{} = W) ->
    W#world{results = []}.

%% ---- peers ----

accept_from(Target, Socket) ->
    {ok, {_, Number}} = inet:sockname(Socket),
    {ok, Peer} = gen_tcp:accept(Target, ?PATIENCE_MS),
    case inet:peername(Peer) of
        {ok, {_, Number}} ->
            Peer;
        _ -> % what connected before, and gave up
            ok = reset(Peer),
            accept_from(Target, Socket)
    end.

add_peer(S, Socket, W) ->
    {ok, {_, Number}} = inet:sockname(Socket),
    put_peer(S, #peer{socket = Socket, number = Number}, W).

put_peer(S, Peer, #world{peers = Peers} = W) ->
    W#world{peers = Peers#{S => Peer}}.

%% Reads all that the socket under test has taken, and the end if there is one.
drain(S, W) ->
    put_peer(S, drain(S, peer(S, W), ?DRAIN_MS div 20, W), W).

drain(S, #peer{socket = Socket, got = Got} = Peer, Patience, W) ->
    _ = inet:setopts(Socket, [?ACK_NOW]),
    Missing = byte_size(Got) < expected(S, W) orelse differential_kernel:end_of(Socket) =/= open,
    case gen_tcp:recv(Socket, 0, case Missing of true -> 20; false -> 0 end) of
        {ok, Bytes} -> drain(S, Peer#peer{got = <<Got/binary, Bytes/binary>>}, ?DRAIN_MS div 20, W);
        {error, timeout} when Missing, Patience > 0 -> drain(S, Peer, Patience - 1, W);
        {error, timeout} -> Peer;
        {error, Reason} -> Peer#peer{over = Reason}
    end.

%% ---- settling ----

%% Until nothing is on its way: seen twice.
-spec settle(world()) -> world().
settle(W) ->
    settle(W, first, now_ms() + ?SETTLE_MS).

settle(W0, Before, Deadline) ->
    W = answers(W0),
    Kernels = maps:map(fun(_, Socket) -> differential_kernel:knows(Socket) end, W#world.sockets),
    Processes = maps:map(fun(_, Pid) -> process_info(Pid, [status, message_queue_len]) end, W#world.processes),
    Unsettled =
        [S || {S, Kernel} <- maps:to_list(Kernels), not socket_settled(S, Kernel, W)] ++
            [P || {P, Info} <- maps:to_list(Processes), not process_settled(Info)],
    Now = {Kernels, Processes, maps:keys(W#world.calls)},
    case (Unsettled =:= [] andalso Now =:= Before) orelse now_ms() >= Deadline of
        true ->
            W#world{unsettled = Unsettled};
        false ->
            erlang:yield(),
            settle(W, Now, Deadline)
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).

%% Those that can't wait for ever are waited for.
answers(#world{calls = Calls} = W) ->
    maps:fold(
        fun
            (P, #call{waits = true}, Acc) -> await(P, Acc, 0);
            (P, #call{waits = false}, Acc) -> await(P, Acc, ?PATIENCE_MS)
        end,
        W,
        Calls
    ).

process_settled(undefined) -> true;
process_settled([{status, Status} | _]) -> Status =:= waiting.

socket_settled(_S, no_descriptor, _W) ->
    true;
socket_settled(S, #{state := listen, backlog := Backlog}, W) ->
    alive(owner(S, W), W) andalso (Backlog =:= 0 orelse not waits_in(accept, S, W));
socket_settled(S, Kernel, W) ->
    alive(owner(S, W), W) andalso arrived(Kernel, peer(S, W)) andalso
        wrote(S, Kernel, peer(S, W), W) andalso
        (not wants_input(S, Kernel, W) orelse was_read(Kernel, peer(S, W))).

%% All that the peer has done is there.
arrived(#{state := State}, #peer{did = reset}) ->
    State =:= close;
arrived(#{state := close}, _) ->
    true;
arrived(#{state := State}, #peer{did = Did}) when Did =/= nothing ->
    State =/= established andalso State =/= fin_wait1 andalso State =/= fin_wait2;
arrived(#{received := Received}, #peer{socket = Socket, sent = Sent}) ->
    case differential_kernel:knows(Socket) of
        #{unsent := Unsent} -> Received + Unsent >= Sent;
        no_descriptor -> true
    end.

%% What the peer won't read has met its reset, and what waits to be sent, too.
wrote(S, #{state := State}, #peer{did = Did} = Peer, W) when Did =:= close; Did =:= reset ->
    Lost = expected(S, W) - byte_size(Peer#peer.got),
    Lost =< 0 orelse (State =:= close andalso Lost < ?QUEUED);
wrote(_, _, _, _) -> true.

was_read(_, #peer{did = reset}) -> false;
was_read(#{unread := Unread}, _) -> Unread =:= 0.

wants_input(S, #{active := Active}, W) ->
    Active =/= false orelse waits_in(recv, S, W).

%% ---- for who compares ----

-spec set_options(name(), list(), world()) -> ok | {error, term()}.
set_options(S, Options, W) ->
    inet:setopts(socket(S, W), Options).

%% Out of the mailbox of a process that is idle.
-spec take_messages(process(), name(), world()) -> [term()].
take_messages(P, S, #world{processes = Processes} = W) ->
    Socket = socket(S, W),
    Pid = maps:get(P, Processes),
    Pid ! {run, self(), fun() -> take_messages(Socket) end},
    receive
        {done, Pid, Messages} -> Messages
    after ?PATIENCE_MS -> error(stuck)
    end.

take_messages(Socket) ->
    receive
        Message when element(2, Message) =:= Socket; element(1, Message) =:= Socket -> [Message | take_messages(Socket)]
    after 0 -> []
    end.

-spec give_messages(process(), [term()], world()) -> ok.
give_messages(P, Messages, #world{processes = Processes}) ->
    lists:foreach(fun(Message) -> maps:get(P, Processes) ! Message end, Messages).
