%% SPDX-License-Identifier: Apache-2.0
%% From an address, a port and options to a socket: connect, listen and fdopen.
-module(gentcp_open).

-export([connect/3, connect/4, listen/2, fdopen/2]).
-export([getserv/1, getaddrs/3]).

-type address() :: inet:socket_address() | inet:hostname().
-type result() :: {ok, gentcp:socket()} | {error, gentcp:reason()}.

-define(SOCKET(Handle), {'$inet', gentcp, Handle}).
-define(REPLY(Ref, Result), {'$gentcp', Ref, Result}).
-define(IS_PORT(Port), is_integer(Port), Port >= 0, Port =< 65535).

-spec listen(inet:port_number() | atom(), list()) -> result().
listen(Port, Options0) ->
    Options = with_defaults(inet_default_listen_options, Options0),
    case getserv(Port) of
        {ok, Number} when ?IS_PORT(Number) ->
            listening(with_driver(fun() -> gentcp_nif:listen(Number, Options) end));
        {ok, _} ->
            exit(badarg);
        {error, einval} -> % no such service
            exit(badarg);
        {error, _} = Error ->
            Error
    end.

listening({error, badarg}) -> exit(badarg);
listening(Result) -> Result.

%% A connection or a listener that exists already, or a fresh descriptor for options and names. Passive, as on inet.
-spec fdopen(non_neg_integer(), list()) -> result().
fdopen(Fd, Options) when is_integer(Fd), Fd >= 0, is_list(Options) ->
    {Families, Others} = lists:partition(fun is_family/1, Options),
    Family = hd(Families ++ [undefined]),
    Given = [Option || Option <- Others, not is_way(Option)],
    with_driver(fun() -> gentcp_nif:fdopen(Fd, Family, [{active, false} | Given]) end).

is_family(Option) ->
    Option =:= inet orelse Option =:= inet6 orelse Option =:= local.

is_way({tcp_module, Module}) -> is_atom(Module);
is_way(_) -> false.

%% A map, as socket:sockaddr_in(); its numbers are looked at elsewhere.
-spec connect(socket:sockaddr_in() | socket:sockaddr_in6(), list(), timeout() | default) -> result().
connect(Address, Options, default) ->
    connect(Address, Options, gentcp_time:option(Options));
connect(#{family := Family} = Address, Options0, Timeout) when
    Family =:= inet orelse Family =:= inet6, Timeout =:= infinity orelse is_integer(Timeout) andalso Timeout >= 0
->
    Options = [Family | with_defaults(inet_default_connect_options, Options0)],
    opened(connect_any([Address], 0, Options, gentcp_time:deadline(Timeout), {error, einval})).

%% default: what option timeout says.
-spec connect(address(), inet:port_number() | atom(), list(), timeout() | default) -> result().
connect(Address, Port, Options, default) ->
    connect(Address, Port, Options, gentcp_time:option(Options));
connect(Address, Port, Options0, Timeout) when Timeout =:= infinity; is_integer(Timeout), Timeout >= 0 ->
    Options = with_defaults(inet_default_connect_options, Options0),
    Deadline = gentcp_time:deadline(Timeout),
    case getserv(Port) of
        {ok, Number} when ?IS_PORT(Number) ->
            case getaddrs(Address, Options, Timeout) of
                {ok, IPs} -> opened(connect_any(IPs, Number, Options, Deadline, {error, einval}));
                {error, _} = Error -> opened(Error)
            end;
        {ok, Number} ->
            exit({function_clause, [{gentcp, connect, [Address, Number, Options, Timeout], []}]});
        {error, _} = Error ->
            opened(Error)
    end;
connect(_Address, _Port, _Options, Timeout) ->
    erlang:error(badarg, [Timeout]).

%% As inet does: kernel's parameter, whose active doesn't count.
with_defaults(Parameter, Options) ->
    case application:get_env(kernel, Parameter) of
        {ok, List} when is_list(List) -> lists:keydelete(active, 1, List) ++ Options;
        {ok, {active, _}} -> Options;
        {ok, Option} -> [Option | Options];
        undefined -> Options
    end.

opened({error, Reason}) when Reason =:= badarg; Reason =:= einval -> exit(badarg);
opened(Result) -> Result.

%% The first address that takes the connection.
connect_any([IP | IPs], Port, Options, Deadline, _) ->
    case connect_one(IP, Port, Options, gentcp_time:left(Deadline)) of
        {error, Reason} = Error when Reason =/= badarg, Reason =/= einval, Reason =/= timeout ->
            connect_any(IPs, Port, Options, Deadline, Error);
        Result ->
            Result
    end;
connect_any([], _Port, _Options, _Deadline, Error) ->
    Error.

connect_one(IP, Port, Options, Timeout) ->
    Ref = make_ref(),
    case with_driver(fun() -> gentcp_nif:connect(IP, Port, Options, Ref) end) of
        {ok, Socket} when Timeout =/= 0 ->
            {ok, Socket};
        {ok, Socket} ->
            too_late(Socket);
        {wait, Socket} ->
            connected(Socket, Ref, Timeout);
        {error, _} = Error ->
            Error
    end.

connected(Socket, Ref, Timeout) ->
    receive
        ?REPLY(Ref, ok) when Timeout =/= 0 -> {ok, Socket};
        ?REPLY(Ref, {error, Reason}) when Timeout =/= 0, Reason =/= timeout -> {error, Reason};
        ?REPLY(Ref, _) -> too_late(Socket) % {error, timeout} from the system, too
    after gentcp_time:wait(Timeout) ->
        Result = too_late(Socket),
        receive
            ?REPLY(Ref, _) -> Result
        end
    end.

too_late(?SOCKET(Handle) = Socket) ->
    ok = gentcp_nif:abort(Handle),
    ok = gentcp:close(Socket),
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

%% ---- ports and addresses ----

-spec getserv(integer() | atom()) -> {ok, integer()} | {error, gentcp:reason()}.
getserv(Port) when is_integer(Port) -> {ok, Port};
getserv(Name) when is_atom(Name) -> inet:getservbyname(Name, tcp).

%% Of the family that the options name.
-spec getaddrs(address(), list(), timeout()) -> {ok, [inet:socket_address()]} | {error, gentcp:reason()}.
getaddrs(Address, Options, Timeout) ->
    lookup(Address, family(Address, Options), Timeout).

%% inet, unless an option or an address says otherwise. The list is checked elsewhere, so anything may be in it.
family(_Address, [Family | _]) when Family =:= inet; Family =:= inet6; Family =:= local -> Family;
family(_Address, [{Option, IP} | _]) when Option =:= ip orelse Option =:= ifaddr, tuple_size(IP) =:= 8 -> inet6;
family(_Address, [{Option, {local, _}} | _]) when Option =:= ip; Option =:= ifaddr -> local;
family(_Address, [{ifaddr, #{family := Family}} | _]) -> Family;
family(Address, [_ | Options]) -> family(Address, Options);
family({local, _}, _) -> local;
family(Address, _) when tuple_size(Address) =:= 8 -> inet6;
family(_Address, _) -> inet.

lookup({local, _} = Address, local, _) -> {ok, [Address]};
lookup(any, inet, _) -> {ok, [{0, 0, 0, 0}]};
lookup(any, inet6, _) -> {ok, [{0, 0, 0, 0, 0, 0, 0, 0}]};
lookup(loopback, inet, _) -> {ok, [{127, 0, 0, 1}]};
lookup(loopback, inet6, _) -> {ok, [{0, 0, 0, 0, 0, 0, 0, 1}]};
lookup(Address, Family, Timeout) when is_tuple(Address); Timeout =:= infinity -> inet:getaddrs(Address, Family);
lookup(Address, Family, Timeout) -> inet:getaddrs(Address, Family, Timeout).
