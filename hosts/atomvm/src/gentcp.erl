%% SPDX-License-Identifier: Apache-2.0
%% The calls of gen_tcp, for AtomVM. What they do is written in OTP's manual of gen_tcp and inet; docs/atomvm.md has what
%% differs. AtomVM's gen_tcp and inet call this module by a socket's third element, with the second alone: hence each
%% function takes a socket or its handle, and accept answers as it was asked.
-module(gentcp).

-export([listen/2, accept/1, accept/2, connect/2, connect/3, connect/4]).
-export([send/2, recv/2, recv/3, unrecv/2, shutdown/2, close/1, controlling_process/2]).
-export([setopts/2, getopts/2, port/1, sockname/1, peername/1]).

-export_type([socket/0, reason/0]).

-type handle() :: gentcp_nif:handle().
-type socket() :: {'$avm_gen_tcp', handle(), gentcp}.
-type reason() :: atom().
-type port_number() :: 0..65535.
-type address() :: tuple() | string() | atom().
-type name() :: {tuple(), port_number()} | {local, binary()}.

-define(SOCKET(Handle), {'$avm_gen_tcp', Handle, gentcp}).
-define(REPLY(Ref, Result), {'$gentcp', Ref, Result}).
-define(IS_TIMEOUT(Timeout), (Timeout =:= infinity orelse is_integer(Timeout))).
-define(IS_LENGTH(Length), is_integer(Length), Length >= 0).
-define(IS_PORT(Port), is_integer(Port), Port >= 0, Port =< 65535).

handle(?SOCKET(Handle)) -> Handle;
handle(Handle) when is_reference(Handle) -> Handle.

%% ---- opening ----

-spec listen(port_number(), list()) -> {ok, socket()} | {error, reason()}.
listen(Port, Options) when ?IS_PORT(Port) ->
    case gentcp_nif:listen(Port, Options) of
        {ok, Handle} -> {ok, ?SOCKET(Handle)};
        {error, badarg} -> exit(badarg);
        {error, _} = Error -> Error
    end;
listen(Port, _Options) when is_integer(Port); is_atom(Port) ->
    exit(badarg).

%% A map, as OTP's socket:sockaddr_in(), with the port in it.
-spec connect(map(), list()) -> {ok, socket()} | {error, reason()}.
connect(#{family := _} = Address, Options) ->
    connect(Address, Options, gentcp_time:option(Options)).

-spec connect(address(), port_number(), list()) -> {ok, socket()} | {error, reason()};
    (map(), list(), timeout()) -> {ok, socket()} | {error, reason()}.
connect(#{family := Family} = Address, Options, Timeout) when
    Family =:= inet orelse Family =:= inet6, Timeout =:= infinity orelse is_integer(Timeout) andalso Timeout >= 0
->
    opened(connect_any([Address], 0, [Family | Options], gentcp_time:deadline(Timeout), {error, einval}));
connect(Address, Port, Options) when is_tuple(Address); is_list(Address); is_atom(Address) ->
    connect(Address, Port, Options, gentcp_time:option(Options)).

-spec connect(address(), port_number(), list(), timeout()) -> {ok, socket()} | {error, reason()}.
connect(Address, Port, Options, Timeout) when
    is_tuple(Address) orelse is_list(Address) orelse is_atom(Address),
    Timeout =:= infinity orelse is_integer(Timeout) andalso Timeout >= 0
->
    case Port of
        _ when ?IS_PORT(Port) -> ok;
        _ when is_integer(Port) -> exit({function_clause, [{?MODULE, connect, [Address, Port, Options, Timeout], []}]});
        _ when is_atom(Port) -> exit(badarg) % there are no names of services
    end,
    Deadline = gentcp_time:deadline(Timeout),
    case addresses(Address, family(Address, Options), Timeout) of
        {ok, Addresses} -> opened(connect_any(Addresses, Port, Options, Deadline, {error, einval}));
        {error, _} = Error -> opened(Error)
    end;
connect(Address, _Port, _Options, Timeout) when is_tuple(Address); is_list(Address); is_atom(Address) ->
    error(badarg, [Timeout]).

opened({ok, Handle}) -> {ok, ?SOCKET(Handle)};
opened({error, Reason}) when Reason =:= badarg; Reason =:= einval -> exit(badarg);
opened({error, _} = Error) -> Error.

%% The first address that takes the connection.
connect_any([Address | Addresses], Port, Options, Deadline, _) ->
    case connect_one(Address, Port, Options, gentcp_time:left(Deadline)) of
        {error, Reason} = Error when Reason =/= badarg, Reason =/= einval, Reason =/= timeout ->
            connect_any(Addresses, Port, Options, Deadline, Error);
        Result ->
            Result
    end;
connect_any([], _Port, _Options, _Deadline, Error) ->
    Error.

connect_one(Address, Port, Options, Timeout) ->
    Ref = make_ref(),
    case gentcp_nif:connect(Address, Port, Options, Ref) of
        {ok, Handle} when Timeout =:= 0 -> too_late(Handle);
        {wait, Handle} -> connected(Handle, Ref, Timeout);
        Result -> Result
    end.

connected(Handle, Ref, Timeout) ->
    receive
        ?REPLY(Ref, ok) when Timeout =/= 0 -> {ok, Handle};
        ?REPLY(Ref, {error, Reason}) when Timeout =/= 0, Reason =/= timeout -> {error, Reason};
        ?REPLY(Ref, _) -> too_late(Handle) % {error, timeout} from the system, too
    after gentcp_time:wait(Timeout) ->
        Result = too_late(Handle),
        receive
            ?REPLY(Ref, _) -> Result
        end
    end.

too_late(Handle) ->
    ok = gentcp_nif:abort(Handle),
    ok = close(Handle),
    {error, timeout}.

-spec accept(socket()) -> {ok, socket()} | {error, reason()};
    (handle()) -> {ok, handle()} | {error, reason()}.
accept(Listener) ->
    accept_for(Listener, default).

-spec accept(socket(), timeout()) -> {ok, socket()} | {error, reason()};
    (handle(), timeout()) -> {ok, handle()} | {error, reason()}.
accept(Listener, Timeout) when ?IS_TIMEOUT(Timeout) ->
    accept_for(Listener, Timeout).

accept_for(?SOCKET(Listener), Timeout) ->
    case accept_for(Listener, Timeout) of
        {ok, Handle} -> {ok, ?SOCKET(Handle)};
        {error, _} = Error -> Error
    end;
accept_for(Listener, Timeout) when is_reference(Listener) ->
    Ref = make_ref(),
    case gentcp_nif:accept(Listener, Ref) of
        wait -> await(Listener, Ref, Timeout);
        Result -> Result
    end.

%% ---- addresses ----

%% inet, unless an option or an address says otherwise. The list is checked elsewhere, so anything may be in it.
family(_Address, [Family | _]) when Family =:= inet; Family =:= inet6; Family =:= local -> Family;
family(_Address, [{Option, IP} | _]) when Option =:= ip orelse Option =:= ifaddr, tuple_size(IP) =:= 8 -> inet6;
family(_Address, [{Option, {local, _}} | _]) when Option =:= ip; Option =:= ifaddr -> local;
family(_Address, [{ifaddr, #{family := Family}} | _]) -> Family;
family(Address, [_ | Options]) -> family(Address, Options);
family({local, _}, _) -> local;
family(Address, _) when tuple_size(Address) =:= 8 -> inet6;
family(_Address, _) -> inet.

addresses({local, _} = Address, local, _) -> {ok, [Address]};
addresses(Address, _, _) when Address =:= any; Address =:= loopback -> {ok, [Address]};
addresses({A, B, C, D}, inet6, _) when is_integer(A), is_integer(B), is_integer(C), is_integer(D) ->
    {ok, [{0, 0, 0, 0, 0, 16#ffff, A bsl 8 bor B, C bsl 8 bor D}]};
addresses(Address, inet, _) when tuple_size(Address) =:= 4 -> {ok, [Address]};
addresses(Address, inet6, _) when tuple_size(Address) =:= 8 -> {ok, [Address]};
addresses(Address, Family, Timeout) when is_atom(Address) -> addresses(atom_to_list(Address), Family, Timeout);
addresses(Name, Family, Timeout) when is_list(Name), Family =/= local -> lookup(Name, Family, Timeout);
addresses(_, _, _) -> {error, einval}.

lookup(Name, Family, Timeout) ->
    Ref = make_ref(),
    case gentcp_nif:lookup(Name, Family, Ref) of
        wait -> looked_up(Ref, Timeout);
        Result -> Result
    end.

looked_up(Ref, Timeout) ->
    receive
        ?REPLY(Ref, Result) -> Result
    after gentcp_time:wait(Timeout) ->
        case gentcp_nif:cancel_lookup(Ref) of
            true ->
                {error, timeout};
            false ->
                receive
                    ?REPLY(Ref, Result) -> Result
                end
        end
    end.

%% ---- receiving and sending ----

-spec recv(socket() | handle(), non_neg_integer()) -> {ok, gentcp_nif:data()} | {error, reason()}.
recv(Socket, Length) when ?IS_LENGTH(Length) ->
    recv_for(handle(Socket), Length, default).

-spec recv(socket() | handle(), non_neg_integer(), timeout()) -> {ok, gentcp_nif:data()} | {error, reason()}.
recv(Socket, Length, Timeout) when ?IS_LENGTH(Length), ?IS_TIMEOUT(Timeout) ->
    recv_for(handle(Socket), Length, Timeout).

recv_for(Handle, Length, Timeout) ->
    Ref = make_ref(),
    case gentcp_nif:recv(Handle, Length, Ref) of
        wait -> await(Handle, Ref, Timeout);
        Result -> Result
    end.

%% Puts data back, to be received again.
-spec unrecv(socket() | handle(), iodata()) -> ok | {error, reason()}.
unrecv(Socket, Data) ->
    gentcp_nif:unrecv(handle(Socket), Data).

-spec send(socket() | handle(), iodata()) -> ok | {error, reason()}.
send(Socket, Data) ->
    Handle = handle(Socket),
    case gentcp_nif:send(Handle, Data) of
        wait -> send_waiting(Handle, Data);
        Result -> Result
    end.

send_waiting(Handle, Data) ->
    Ref = make_ref(),
    case gentcp_nif:send(Handle, Data, Ref) of
        {wait, Timeout} -> await(Handle, Ref, Timeout);
        Result -> Result
    end.

%% ---- ending ----

-spec shutdown(socket() | handle(), read | write | read_write) -> ok | {error, reason()}.
shutdown(Socket, How) when How =:= read; How =:= write; How =:= read_write ->
    gentcp_nif:shutdown(handle(Socket), How).

-spec close(socket() | handle()) -> ok.
close(Socket) ->
    Handle = handle(Socket),
    Ref = make_ref(),
    case gentcp_nif:close(Handle, Ref) of
        wait -> _ = await(Handle, Ref, infinity);
        ok -> ok
    end,
    receive
        {tcp_closed, ?SOCKET(Handle)} -> ok
    after 0 -> ok
    end.

-spec controlling_process(socket() | handle(), pid()) -> ok | {error, reason()}.
controlling_process(Socket, NewOwner) when is_pid(NewOwner) ->
    Handle = handle(Socket),
    case gentcp_nif:hand_over(Handle, NewOwner) of
        pass_on -> gentcp_nif:pass_on(Handle, NewOwner, collect(?SOCKET(Handle)));
        Result -> Result
    end.

%% What the socket has sent, and nobody has received.
collect(Socket) ->
    receive
        {tcp, Socket, _} = Message -> [Message | collect(Socket)];
        {Socket, {data, _}} = Message -> [Message | collect(Socket)];
        {http, Socket, _} = Message -> [Message | collect(Socket)];
        {tcp_closed, Socket} = Message -> [Message | collect(Socket)];
        {tcp_error, Socket, _} = Message -> [Message | collect(Socket)];
        {tcp_passive, Socket} = Message -> [Message | collect(Socket)]
    after 0 -> []
    end.

%% ---- options and names ----

-spec setopts(socket() | handle(), list()) -> ok | {error, reason()}.
setopts(Socket, Options) ->
    gentcp_nif:setopts(handle(Socket), Options).

-spec getopts(socket() | handle(), list()) -> {ok, list()} | {error, reason()}.
getopts(Socket, Names) when is_list(Names) ->
    gentcp_nif:getopts(handle(Socket), Names).

-spec port(socket() | handle()) -> {ok, port_number() | binary()} | {error, reason()}.
port(Socket) ->
    case sockname(Socket) of
        {ok, {_, Port}} -> {ok, Port};
        {error, _} = Error -> Error
    end.

-spec sockname(socket() | handle()) -> {ok, name()} | {error, reason()}.
sockname(Socket) ->
    gentcp_nif:sockname(handle(Socket)).

-spec peername(socket() | handle()) -> {ok, name()} | {error, reason()}.
peername(Socket) ->
    gentcp_nif:peername(handle(Socket)).

%% ---- waiting ----

%% default: what option timeout says; only asked for when there is something to wait for.
await(Handle, Ref, default) ->
    case gentcp_nif:getopts(Handle, [timeout]) of
        {ok, [{timeout, Timeout}]} -> await(Handle, Ref, Timeout);
        {error, _} -> await(Handle, Ref, infinity) % closed: the answer is on its way
    end;
await(Handle, Ref, Timeout) ->
    receive
        ?REPLY(Ref, Result) -> Result
    after gentcp_time:wait(Timeout) ->
        case gentcp_nif:cancel(Handle, Ref) of
            true ->
                {error, timeout};
            false ->
                receive
                    ?REPLY(Ref, Result) -> Result
                end
        end
    end.
