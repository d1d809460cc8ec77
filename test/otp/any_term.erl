%% SPDX-License-Identifier: Apache-2.0
%% Calls of exported functions with any terms, on sockets in any state. Runs on a node of its own: what is about to be
%% called is in a file, which is all that is left if the node crashes or hangs.
-module(any_term).

-export([calls/1, run/2, compare/1]).

-import(proper_types, [any/0, atom/0, binary/0, bitstring/0, elements/1, frequency/1, integer/0, list/1,
                       oneof/1]).

-define(LOCAL, {127, 0, 0, 1}).
-define(PATIENCE_MS, 10000).
-define(OPTIONS_MAX, 1000).

-type call() :: {State :: atom(), module(), atom(), [term()]}.

%% Each of the modules' functions, so many times.
-spec calls(pos_integer()) -> [{module(), atom(), arity()}].
calls(Times) ->
    Modules = [gentcp, gentcp_nif, gentcp_inet6, gentcp_local, gentcp_open, gentcp_driver, gentcp_info],
    [
        {Module, Function, Arity}
     || _ <- lists:seq(1, Times),
        Module <- Modules,
        {module, _} <- [code:ensure_loaded(Module)],
        {Function, Arity} <- Module:module_info(exports),
        not lists:member(Function, left_out(Module))
    ].

%% What changes the whole node, or is a behaviour's callback; and those that print.
left_out(gentcp) -> [module_info, take_over, give_back, i];
left_out(gentcp_driver) -> [module_info, start_link, init];
left_out(gentcp_info) -> [module_info, print];
left_out(_) -> [module_info].

%% Answers what was raised, other than what gen_tcp raises; [] is what it should be.
-spec run(file:filename(), pos_integer()) -> {non_neg_integer(), [{call(), term()}]}.
run(File, Times) ->
    %% No name server is asked for what looks like a name.
    inet_db:set_lookup([file]),
    {ok, Trace} = file:open(File, [write, raw, binary]),
    Calls = calls(Times),
    Odd = lists:append([one(Trace, Call) || Call <- Calls]),
    still_works(),
    {length(Calls), Odd}.

one(Trace, {Module, Function, Arity}) ->
    State = pick(elements(states())),
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() ->
        Socket = socket_in(State),
        Arguments = [argument(Module, Nth, Socket) || Nth <- lists:seq(1, Arity)],
        Self ! {self(), {State, Module, Function, Arguments}},
        receive go -> ok end,
        exit(try apply(Module, Function, Arguments) of _ -> returned catch Class:Reason -> {Class, Reason} end)
    end),
    receive
        {Pid, Call} ->
            ok = file:pwrite(Trace, 0, io_lib:format("~100P~n~c", [Call, 200, 0])),
            Pid ! go,
            [{Call, Outcome} || Outcome <- await(Pid, Ref, 0), not fitting(Outcome)];
        {'DOWN', Ref, process, Pid, Early} ->
            error({State, Early})
    after ?PATIENCE_MS -> error({State, stuck})
    end.

%% A process that waits for a message isn't stuck: many calls may wait for ever. One that still runs is.
await(Pid, Ref, Waited) ->
    receive
        {'DOWN', Ref, process, Pid, Outcome} -> [Outcome]
    after 1 ->
        case process_info(Pid, status) of
            {status, waiting} ->
                exit(Pid, kill),
                receive {'DOWN', Ref, process, Pid, _} -> [] end;
            _ when Waited > ?PATIENCE_MS ->
                error(stuck);
            _ ->
                await(Pid, Ref, Waited + 1)
        end
    end.

%% As gen_tcp's, which depend on the place: the one thing that none of its are is a missing function.
fitting(returned) -> true;
fitting({error, {not_loaded, _}}) -> false;
fitting({error, not_loaded}) -> false;
fitting({error, undef}) -> false;
fitting({error, notsup}) -> false;
fitting({error, system_limit}) -> false;
fitting({Class, _}) -> Class =:= error orelse Class =:= exit.

%% ---- the same call of gen_tcp or inet ----

%% Answers how many calls were compared, and those of which one was refused, with an error or an exception, and the
%% other not. A few of each function at a time: there are descriptors for them.
-spec compare(pos_integer()) -> {non_neg_integer(), [{call(), term(), term()}]}.
compare(Times) ->
    inet_db:set_lookup([file]),
    %% inet logs what it can't send.
    ok = logger:set_primary_config(level, none),
    Rounds = [[compared(Call) || _ <- lists:seq(1, 4), Call <- otp_calls()] || _ <- lists:seq(1, Times, 4)],
    {length(lists:append(Rounds)), lists:append([differences(Round) || Round <- Rounds])}.

otp_calls() ->
    {module, gentcp} = code:ensure_loaded(gentcp),
    [
        {Module, Function, Arity}
     || Module <- [gen_tcp, inet],
        {module, _} <- [code:ensure_loaded(Module)],
        {Function, Arity} <- Module:module_info(exports),
        erlang:function_exported(gentcp, Function, Arity),
        %% Of all sockets, and not of one; of the names of this host.
        not lists:member(Function, [module_info, fdopen, i, info, getserv, getaddrs, socket_to_list])
    ].

compared({Module, Function, Arity}) ->
    State = pick(elements([passive, active, listening, ended, closed, none])),
    {State, Module, Function, [argument(Module, Nth, {its, own, socket}) || Nth <- lists:seq(1, Arity)]}.

differences(Calls) ->
    Started = [{Call, start(gen_tcp, Call), start(gentcp, Call)} || Call <- Calls],
    Outcomes = outcomes(#{}),
    _ = [exit(Pid, kill) || {_, Otp, Ours} <- Started, Pid <- [Otp, Ours], not is_map_key(Pid, Outcomes)],
    [
        {Call, Otp, Ours}
     || {{_, _, Function, Arguments} = Call, OtpPid, OursPid} <- Started,
        Otp <- [maps:get(OtpPid, Outcomes, waits)],
        Ours <- [maps:get(OursPid, Outcomes, waits)],
        is_refused(Otp) =/= is_refused(Ours),
        not is_on_purpose(Function, Arguments)
    ].

start(Opener, {State, Module, Function, Arguments}) ->
    Called = case Opener of gentcp -> gentcp; gen_tcp -> Module end,
    {Pid, _} = spawn_monitor(fun() ->
        Socket = socket_of(Opener, State),
        Own = [case Argument of {its, own, socket} -> Socket; _ -> Argument end || Argument <- Arguments],
        exit(try {returned, apply(Called, Function, Own)} catch Class:Reason -> {Class, Reason} end)
    end),
    Pid.

%% Once nothing comes any more, the others wait for what won't come.
outcomes(Outcomes) ->
    receive
        {'DOWN', _, process, Pid, Outcome} -> outcomes(Outcomes#{Pid => Outcome})
    after 1000 -> Outcomes
    end.

is_refused(waits) -> false;
is_refused({returned, {error, _}}) -> true;
is_refused({returned, _}) -> false;
is_refused({error, _}) -> true;
is_refused({exit, _}) -> true.

%% inet takes a bitstring, of which it leaves out the last bits; any number of options; and 31 bits of a length and 32 of a
%% timeout.
is_on_purpose(unrecv, [_, Data]) -> is_bitstring(Data) andalso not is_binary(Data);
is_on_purpose(setopts, [_, Options]) when length(Options) > ?OPTIONS_MAX -> true;
is_on_purpose(accept, [_, Timeout]) when is_integer(Timeout), Timeout > 16#ffffffff -> true;
is_on_purpose(recv, [_, Length | _]) when is_integer(Length), Length > 16#7fffffff -> true;
is_on_purpose(recv, [_, _, Timeout]) when is_integer(Timeout), Timeout > 16#ffffffff -> true;
is_on_purpose(_, _) -> false.

%% ---- sockets ----

socket_of(gentcp, State) -> socket_in(State);
socket_of(gen_tcp, none) -> none;
socket_of(gen_tcp, listening) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL}]),
    L;
socket_of(gen_tcp, State) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL}, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, Socket} = gen_tcp:connect(?LOCAL, Port, [{active, false}]),
    {ok, Peer} = gen_tcp:accept(L),
    case State of
        passive ->
            ok;
        active ->
            ok = inet:setopts(Socket, [{active, true}]),
            ok = gen_tcp:send(Peer, "data");
        ended ->
            ok = gen_tcp:close(Peer),
            {error, closed} = gen_tcp:recv(Socket, 0);
        closed ->
            ok = gen_tcp:close(Socket)
    end,
    Socket.

states() ->
    [connecting, passive, active, listening, ended, closed, paused, driver_gone, none].

socket_in(connecting) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL}, {backlog, 0}]),
    {ok, Port} = inet:port(L),
    _ = [gen_tcp:connect(?LOCAL, Port, [], 0) || _ <- [1, 2]],
    case gentcp_nif:connect(?LOCAL, Port, [], make_ref()) of
        {wait, Socket} -> Socket;
        {ok, Socket} -> Socket;
        {error, _} -> none;
        no_driver -> socket_in(passive)
    end;
socket_in(passive) ->
    {Socket, _} = pair(),
    Socket;
socket_in(active) ->
    {Socket, Peer} = pair(),
    ok = gentcp:setopts(Socket, [{active, true}]),
    ok = gen_tcp:send(Peer, "data"),
    Socket;
socket_in(listening) ->
    {ok, L} = gentcp:listen(0, [{ip, ?LOCAL}]),
    L;
socket_in(ended) ->
    {Socket, Peer} = pair(),
    ok = gen_tcp:close(Peer),
    {error, closed} = gentcp:recv(Socket, 0),
    Socket;
socket_in(closed) ->
    {Socket, _} = pair(),
    ok = gentcp:close(Socket),
    Socket;
socket_in(paused) ->
    {{_, _, Handle} = Socket, _} = pair(),
    pass_on = gentcp_nif:hand_over(Handle, spawn(fun() -> receive never -> ok end end)),
    Socket;
socket_in(driver_gone) ->
    {Socket, _} = pair(),
    Driver = whereis(gentcp_driver),
    Ref = monitor(process, Driver),
    exit(Driver, kill),
    receive {'DOWN', Ref, process, Driver, _} -> Socket end;
socket_in(none) ->
    none.

pair() ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL}, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, Socket} = gentcp:connect(?LOCAL, Port, [{active, false}]),
    {ok, Peer} = gen_tcp:accept(L),
    ok = gen_tcp:close(L),
    {Socket, Peer}.

still_works() ->
    {Socket, Peer} = pair(),
    ok = gentcp:send(Socket, "alive"),
    {ok, "alive"} = gen_tcp:recv(Peer, 5, ?PATIENCE_MS),
    ok = gen_tcp:send(Peer, "alive"),
    {ok, "alive"} = gentcp:recv(Socket, 5, ?PATIENCE_MS),
    ok = gentcp:close(Socket).

%% ---- terms ----

pick(Type) ->
    {ok, Term} = proper_gen:pick(Type, 15),
    Term.

%% The first is often the socket, so that the others are looked at.
argument(gentcp_nif, 1, {_, _, Handle}) -> often(Handle);
argument(_, 1, {_, _, _} = Socket) -> often(Socket);
argument(_, _, _) -> anything().

often(Term) ->
    case rand:uniform(4) of
        1 -> anything();
        _ -> Term
    end.

anything() ->
    case rand:uniform(3) of
        1 -> odd(rand:uniform(17));
        2 -> pick(likely());
        3 -> no_address(pick(any()))
    end.

%% Nothing that is not on this machine is connected to.
no_address(Term) when tuple_size(Term) =:= 4; tuple_size(Term) =:= 8 -> ?LOCAL;
no_address(Term) -> Term.

likely() ->
    frequency([
        {4, options()},
        {1, elements([0, 1, -1, 65535, 65536, infinity, ?LOCAL, loopback, any, "127.0.0.1", <<>>, [], read, write])},
        {1, oneof([binary(), bitstring(), list(oneof([binary(), integer()]))])}
    ]).

options() ->
    list(frequency([
        {1, any()},
        {2, {elements(names()), any()}},
        {2, {elements(names()), likely_value()}},
        {1, elements(names())},
        {1, {raw, 6, 1, any()}},
        {1, {atom(), any()}}
    ])).

likely_value() ->
    elements([
        true, false, once, 0, 1, -1, 7, 255, 65535, 32767, -32768, 1 bsl 31, 1 bsl 32, 1 bsl 63, 1 bsl 64, 1 bsl 200,
        infinity, raw, 4, line, http, list, binary, {true, 0}, {true, 1 bsl 40}, <<>>, "lo", <<"lo">>, ?LOCAL, loopback,
        {local, "x"}, inet, inet6, socket, term, port
    ]).

names() ->
    [
        active, mode, packet, packet_size, line_delimiter, buffer, high_watermark, low_watermark, send_timeout,
        send_timeout_close, exit_on_close, show_econnreset, inet_backend, linger, ip, ifaddr, port, fd, backlog,
        nodelay,
        keepalive, reuseaddr, recbuf, sndbuf, priority, ipv6_v6only, tos, tclass, ttl, recvtos, keepidle, reuseport,
        dontroute, debug, high_msgq_watermark, low_msgq_watermark, delay_send, timeout, bind_to_device, raw, header,
        deliver, tcp_module, netns, binary, list, inet, inet6, local
    ].

odd(1) -> [1 | 2];
odd(2) -> 1 bsl (1 + rand:uniform(300));
odd(3) -> -(1 bsl rand:uniform(300));
odd(4) -> fun() -> ok end;
odd(5) -> make_ref();
%% References that are something: of an atomics array, of a table, a resource of another native library.
odd(6) -> atomics:new(1, []);
odd(7) -> ets:whereis(code);
odd(8) -> case socket:open(inet, stream) of {ok, {'$socket', Resource}} -> Resource; _ -> foo end;
odd(9) -> lists:foldl(fun(_, Term) -> [Term] end, [], lists:seq(1, 100000));
odd(10) -> lists:foldl(fun(_, Term) -> {Term, Term} end, a, lists:seq(1, 12));
odd(11) -> binary:part(rand:bytes(200), 7, 100);
odd(12) -> <<(rand:uniform(100)):7>>;
odd(13) -> begin <<_:3, Bits:77/bitstring, _/bitstring>> = rand:bytes(100), Bits end;
odd(14) -> lists:duplicate(100000, rand:uniform(255));
odd(15) -> [{active, once} || _ <- lists:seq(1, 20000)];
odd(16) -> self();
odd(17) -> #{addr => ?LOCAL, port => 1, family => inet, 1 => #{}}.
