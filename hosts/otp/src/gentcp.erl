%% SPDX-License-Identifier: Apache-2.0
%% The calls of gen_tcp. What they do is written in gen_tcp's and inet's manuals; gen_tcp and inet also find this module
%% by a socket's second element, so that gen_tcp:send/2, inet:setopts/2 and all the others take these sockets.
-module(gentcp).

-export([listen/2, accept/1, accept/2, connect/3, connect/4]).
-export([send/2, recv/2, recv/3, unrecv/2, shutdown/2, close/1, controlling_process/2]).
-export([setopts/2, getopts/2, port/1, sockname/1, peername/1]).
%% What gen_tcp calls with {tcp_module, gentcp}.
-export([getserv/1, getaddrs/1, getaddrs/2]).

-export_type([socket/0]).

-type socket() :: {'$inet', gentcp, gentcp_nif:handle()}.
-type reason() :: closed | timeout | not_owner | badarg | inet:posix().
-type address() :: inet:ip_address() | inet:hostname() | any | loopback.
-type data() :: binary() | string() | nonempty_improper_list(byte(), binary()) | gentcp_nif:http_line().
-type name() :: {inet:ip_address(), inet:port_number()}.

-define(SOCKET(Handle), {'$inet', gentcp, Handle}).
-define(REPLY(Id, Result), {'$gentcp', Id, Result}).
-define(IS_PORT(Port), is_integer(Port), Port >= 0, Port =< 65535).
-define(IS_TIMEOUT(Timeout), (Timeout =:= infinity orelse is_integer(Timeout))).
-define(IS_LENGTH(Length), is_integer(Length), Length >= 0).

-define(COPY_BELOW, 65536).       % an iolist up to this size is copied by the native code,
-define(PARTS_MAX, 16384).        % and one of more parts than this made one binary, for its calls are not preempted
-define(WAIT_MAX, 16#ffffffff).   % of receive

%% ---- opening ----

-spec listen(inet:port_number() | atom(), list()) -> {ok, socket()} | {error, reason()}.
listen(Port, Options) ->
    case getserv(Port) of
        {ok, Number} when ?IS_PORT(Number) ->
            opened(with_driver(fun() -> gentcp_nif:listen(Number, Options) end));
        {ok, _} ->
            exit(badarg);
        {error, _} = Error ->
            opened(Error)
    end.

-spec connect(address(), inet:port_number() | atom(), list()) -> {ok, socket()} | {error, reason()}.
connect(Address, Port, Options) ->
    connect(Address, Port, Options, option_timeout(Options, infinity)).

%% The last one counts. The list is checked elsewhere, so anything may be in it.
option_timeout([{timeout, T} | Options], _) when is_integer(T), T >= 0; T =:= infinity -> option_timeout(Options, T);
option_timeout([_ | Options], T) -> option_timeout(Options, T);
option_timeout(_, T) -> T.

-spec connect(address(), inet:port_number() | atom(), list(), timeout()) -> {ok, socket()} | {error, reason()}.
connect(Address, Port, Options, Timeout) when is_tuple(Address); is_list(Address); is_atom(Address) ->
    Deadline = deadline(Timeout),
    case getserv(Port) of
        {ok, Number} when ?IS_PORT(Number) ->
            case resolve(Address, family(Address, Options), Timeout) of
                {ok, IPs} -> opened(connect_any(IPs, Number, Options, Deadline, {error, einval}));
                {error, _} = Error -> opened(Error)
            end;
        {ok, Number} ->
            exit({function_clause, [{?MODULE, connect, [Address, Number, Options, Timeout], []}]});
        {error, _} = Error ->
            opened(Error)
    end.

opened({error, Reason}) when Reason =:= badarg; Reason =:= einval -> exit(badarg);
opened(Result) -> Result.

%% The first address that takes the connection.
connect_any([IP | IPs], Port, Options, Deadline, _) ->
    case connect_one(IP, Port, Options, left(Deadline)) of
        {error, Reason} = Error when Reason =/= badarg, Reason =/= einval, Reason =/= timeout ->
            connect_any(IPs, Port, Options, Deadline, Error);
        Result ->
            Result
    end;
connect_any([], _Port, _Options, _Deadline, Error) ->
    Error.

connect_one(IP, Port, Options, Timeout) ->
    case with_driver(fun() -> gentcp_nif:connect(IP, Port, Options) end) of
        {ok, Socket} when Timeout =/= 0 ->
            {ok, Socket};
        {ok, Socket} ->
            too_late(Socket);
        {wait, ?SOCKET(Handle) = Socket, Id} ->
            case await(Handle, Id, Timeout) of
                ok when Timeout =/= 0 -> {ok, Socket};
                {error, Reason} = Error when Timeout =/= 0, Reason =/= timeout -> Error;
                _ -> too_late(Socket)
            end;
        {error, _} = Error ->
            Error
    end.

%% {error, timeout} from the system, too, comes here: its socket is closed already.
too_late(?SOCKET(Handle) = Socket) ->
    gentcp_nif:abort(Handle),
    close(Socket),
    {error, timeout}.

%% A driver may end at any moment, so that there is none although it has just been started: once more is enough to
%% get past the start of the first.
with_driver(Open) ->
    case Open() of
        no_driver ->
            case gentcp_driver:ensure() of
                ok -> still(Open());
                {error, _} -> {error, system_limit}
            end;
        Result ->
            Result
    end.

still(no_driver) -> {error, closed};
still(Result) -> Result.

-spec accept(socket()) -> {ok, socket()} | {error, reason()}.
accept(Listener) ->
    accept_for(Listener, default).

-spec accept(socket(), timeout()) -> {ok, socket()} | {error, reason()}.
accept(Listener, Timeout) when ?IS_TIMEOUT(Timeout) ->
    accept_for(Listener, Timeout).

accept_for(?SOCKET(Handle), Timeout) ->
    case gentcp_nif:accept(Handle) of
        Id when is_integer(Id) -> await(Handle, Id, Timeout);
        Result -> Result
    end.

%% ---- receiving ----

-spec recv(socket(), non_neg_integer()) -> {ok, data()} | {error, reason()}.
recv(Socket, Length) when ?IS_LENGTH(Length) ->
    recv_for(Socket, Length, default).

-spec recv(socket(), non_neg_integer(), timeout()) -> {ok, data()} | {error, reason()}.
recv(Socket, Length, Timeout) when ?IS_LENGTH(Length), ?IS_TIMEOUT(Timeout) ->
    recv_for(Socket, Length, Timeout).

recv_for(?SOCKET(Handle), Length, Timeout) ->
    case gentcp_nif:recv(Handle, Length) of
        {ok, _} = Result -> Result;
        Id when is_integer(Id) -> received(await(Handle, Id, Timeout));
        Result -> received(Result)
    end.

received({list, Binary}) ->
    {ok, binary_to_list(Binary)};
received({Header, Binary}) when is_integer(Header) ->
    case Binary of
        <<Begin:Header/binary, Rest/binary>> -> {ok, binary_to_list(Begin) ++ Rest};
        _ -> {ok, binary_to_list(Binary)}
    end;
received(Result) ->
    Result.

-spec unrecv(socket(), iodata()) -> ok | {error, reason()}.
unrecv(?SOCKET(Handle), Data) ->
    gentcp_nif:unrecv(Handle, Data).

%% ---- sending ----

-spec send(socket(), iodata()) -> ok | {error, reason()}.
send(?SOCKET(Handle), Data) when is_binary(Data) ->
    sent(Handle, gentcp_nif:send(Handle, Data));
send(?SOCKET(Handle), Data) ->
    try erlang:iolist_size(Data) of
        Size when Size =< ?COPY_BELOW -> sent(Handle, gentcp_nif:send(Handle, Data));
        _ -> sent(Handle, send_parts(Handle, erlang:iolist_to_iovec(Data)))
    catch
        error:badarg -> {error, einval}
    end.

send_parts(Handle, Parts) when length(Parts) =< ?PARTS_MAX ->
    gentcp_nif:sendv(Handle, Parts);
send_parts(Handle, Parts) ->
    gentcp_nif:send(Handle, iolist_to_binary(Parts)).

sent(Handle, {wait, Id, Timeout}) ->
    await(Handle, Id, Timeout);
sent(_Handle, Result) ->
    Result.

%% ---- ending ----

-spec shutdown(socket(), read | write | read_write) -> ok | {error, reason()}.
shutdown(?SOCKET(Handle), How) when How =:= read; How =:= write; How =:= read_write ->
    gentcp_nif:shutdown(Handle, How).

-spec close(socket()) -> ok.
close(?SOCKET(Handle) = Socket) ->
    case gentcp_nif:close(Handle) of
        Id when is_integer(Id) -> _ = await(Handle, Id, infinity);
        ok -> ok
    end,
    receive
        {tcp_closed, Socket} -> ok
    after 0 -> ok
    end.

-spec controlling_process(socket(), pid()) -> ok | {error, reason()}.
controlling_process(?SOCKET(Handle) = Socket, NewOwner) when is_pid(NewOwner) ->
    case gentcp_nif:hand_over(Handle, NewOwner) of
        pass_on -> gentcp_nif:pass_on(Handle, NewOwner, collect(Socket));
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

-spec setopts(socket(), list()) -> ok | {error, reason()}.
setopts(?SOCKET(Handle), Options) ->
    gentcp_nif:setopts(Handle, Options).

-spec getopts(socket(), [atom() | {raw, integer(), integer(), non_neg_integer() | binary()}]) ->
    {ok, list()} | {error, reason()}.
getopts(?SOCKET(Handle), Names) when is_list(Names) ->
    gentcp_nif:getopts(Handle, Names).

-spec port(socket()) -> {ok, inet:port_number()} | {error, reason()}.
port(Socket) ->
    case sockname(Socket) of
        {ok, {_, Port}} -> {ok, Port};
        {error, _} = Error -> Error
    end.

-spec sockname(socket()) -> {ok, name()} | {error, reason()}.
sockname(?SOCKET(Handle)) ->
    gentcp_nif:sockname(Handle).

-spec peername(socket()) -> {ok, name()} | {error, reason()}.
peername(?SOCKET(Handle)) ->
    gentcp_nif:peername(Handle).

-spec getserv(integer() | atom()) -> {ok, integer()} | {error, reason()}.
getserv(Port) when is_integer(Port) -> {ok, Port};
getserv(Name) when is_atom(Name) -> inet:getservbyname(Name, tcp).

-spec getaddrs(address()) -> {ok, [inet:ip_address()]} | {error, reason()}.
getaddrs(Address) ->
    resolve(Address, family(Address, []), infinity).

%% Timer: of inet:start_timer/1.
-spec getaddrs(address(), false | reference()) -> {ok, [inet:ip_address()]} | {error, reason()}.
getaddrs(Address, Timer) ->
    resolve(Address, family(Address, []), inet:timeout(Timer)).

%% IPv6 if an option or an address says so. The list is checked elsewhere, so anything may be in it.
family(_Address, [inet | _]) -> inet;
family(_Address, [inet6 | _]) -> inet6;
family(_Address, [{Option, IP} | _]) when Option =:= ip orelse Option =:= ifaddr, tuple_size(IP) =:= 8 -> inet6;
family(Address, [_ | Options]) -> family(Address, Options);
family(Address, _) when tuple_size(Address) =:= 8 -> inet6;
family(_Address, _) -> inet.

resolve(any, inet, _) -> {ok, [{0, 0, 0, 0}]};
resolve(any, inet6, _) -> {ok, [{0, 0, 0, 0, 0, 0, 0, 0}]};
resolve(loopback, inet, _) -> {ok, [{127, 0, 0, 1}]};
resolve(loopback, inet6, _) -> {ok, [{0, 0, 0, 0, 0, 0, 0, 1}]};
resolve(Address, Family, Timeout) when is_tuple(Address); Timeout =:= infinity -> inet:getaddrs(Address, Family);
resolve(Address, Family, Timeout) -> inet:getaddrs(Address, Family, Timeout).

%% ---- waiting ----

%% default: what option timeout says; only asked for when there is something to wait for.
await(Handle, Id, default) ->
    case gentcp_nif:getopts(Handle, [timeout]) of
        {ok, [{timeout, Timeout}]} -> await(Handle, Id, Timeout);
        {error, _} -> await(Handle, Id, infinity) % closed: the answer is on its way
    end;
await(Handle, Id, Timeout) ->
    receive
        ?REPLY(Id, Result) -> Result
    after wait(Timeout) ->
        case gentcp_nif:cancel(Handle, Id) of
            true ->
                {error, timeout};
            false ->
                receive
                    ?REPLY(Id, Result) -> Result
                end
        end
    end.

%% inet takes a negative Timeout for infinity.
wait(infinity) -> infinity;
wait(Timeout) when Timeout < 0 -> infinity;
wait(Timeout) -> min(Timeout, ?WAIT_MAX).

deadline(infinity) ->
    infinity;
deadline(Timeout) when is_integer(Timeout), Timeout >= 0 ->
    erlang:monotonic_time(millisecond) + Timeout;
deadline(Timeout) ->
    erlang:error(badarg, [Timeout]).

left(infinity) -> infinity;
left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).
