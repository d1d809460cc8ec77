%% SPDX-License-Identifier: Apache-2.0
%% The calls of gen_tcp. What they do is written in gen_tcp's and inet's manuals; gen_tcp and inet also find this module
%% by a socket's second element, so that gen_tcp:send/2, inet:setopts/2 and all the others take these sockets.
-module(gentcp).

%% gen_tcp
-export([listen/2, accept/1, accept/2, connect/2, connect/3, connect/4, fdopen/2]).
-export([send/2, recv/2, recv/3, unrecv/2, shutdown/2, close/1, controlling_process/2]).
%% file
-export([sendfile/4]).
%% inet
-export([setopts/2, getopts/2, getstat/1, getstat/2, port/1, sockname/1, socknames/1, peername/1]).
-export([monitor/1, cancel_monitor/1, info/1, socket_to_list/1, which_packet_type/1]).
%% About all of them.
-export([i/0, info/0]).
%% All of gen_tcp's sockets in this node.
-export([take_over/0, give_back/0]).
%% What gen_tcp calls with {tcp_module, gentcp}.
-export([getserv/1, getaddrs/1, getaddrs/2]).

-export_type([socket/0, reason/0]).

-include_lib("kernel/include/file.hrl").

-compile({no_auto_import, [monitor/1]}).

-type socket() :: {'$inet', gentcp, gentcp_nif:handle()}.
-type reason() :: closed | timeout | not_owner | badarg | system_limit | inet:posix().
-type address() :: inet:socket_address() | inet:hostname().
-type sockaddr() :: socket:sockaddr_in() | socket:sockaddr_in6().
-type data() :: binary() | string() | nonempty_improper_list(byte(), binary()) | gentcp_nif:http_line().
-type name() :: {inet:ip_address(), inet:port_number()} | inet:returned_non_ip_address().

-define(SOCKET(Handle), {'$inet', gentcp, Handle}).
-define(REPLY(Tag, Result), {'$gentcp', Tag, Result}).
-define(IS_TIMEOUT(Timeout), (Timeout =:= infinity orelse is_integer(Timeout))).
-define(IS_LENGTH(Length), is_integer(Length), Length >= 0).

%% 35 words. A message with 64 bytes, the most that a binary has on the heap itself, has 23.
-define(ROOM, #{1 => 0, 2 => 0, 3 => 0, 4 => 0, 5 => 0, 6 => 0, 7 => 0, 8 => 0, 9 => 0, 10 => 0, 11 => 0, 12 => 0,
                13 => 0, 14 => 0, 15 => 0, 16 => 0, 17 => 0, 18 => 0, 19 => 0, 20 => 0, 21 => 0, 22 => 0, 23 => 0,
                24 => 0, 25 => 0, 26 => 0, 27 => 0, 28 => 0, 29 => 0, 30 => 0, 31 => 0, 32 => 0}).

-define(MANY, 32). % messages: to look at so many costs what a reference does

-define(COPY_BELOW, 65536).       % an iolist up to this size is copied,
-define(PARTS_MAX, 16384).        % and one of more parts than this, too: the native code is not preempted

%% ---- opening ----

-spec listen(inet:port_number() | atom(), list()) -> {ok, socket()} | {error, reason()}.
listen(Port, Options) ->
    gentcp_open:listen(Port, Options).

-spec connect(sockaddr(), list()) -> {ok, socket()} | {error, reason()}.
connect(#{family := _} = Address, Options) ->
    gentcp_open:connect(Address, Options, default).

-spec connect(address(), inet:port_number() | atom(), list()) -> {ok, socket()} | {error, reason()};
    (sockaddr(), list(), timeout()) -> {ok, socket()} | {error, reason()}.
connect(#{family := _} = Address, Options, Timeout) ->
    gentcp_open:connect(Address, Options, Timeout);
connect(Address, Port, Options) when is_tuple(Address); is_list(Address); is_atom(Address) ->
    gentcp_open:connect(Address, Port, Options, default).

-spec connect(address(), inet:port_number() | atom(), list(), timeout()) -> {ok, socket()} | {error, reason()}.
connect(Address, Port, Options, Timeout) when is_tuple(Address); is_list(Address); is_atom(Address) ->
    gentcp_open:connect(Address, Port, Options, Timeout).

%% The descriptor stays its maker's, as with option fd.
-spec fdopen(non_neg_integer(), list()) -> {ok, socket()} | {error, reason()}.
fdopen(Fd, Options) ->
    gentcp_open:fdopen(Fd, Options).

-spec accept(socket()) -> {ok, socket()} | {error, reason()}.
accept(Listener) ->
    accept_for(Listener, default).

-spec accept(socket(), timeout()) -> {ok, socket()} | {error, reason()}.
accept(Listener, Timeout) when ?IS_TIMEOUT(Timeout) ->
    accept_for(Listener, Timeout).

accept_for(?SOCKET(Handle), Timeout) ->
    by_mailbox(Handle, Timeout, fun(Tag) -> gentcp_nif:accept(Handle, Tag) end).

%% ---- receiving ----

-spec recv(socket(), non_neg_integer()) -> {ok, data()} | {error, reason()}.
recv(Socket, Length) when ?IS_LENGTH(Length) ->
    recv_for(Socket, Length, default).

-spec recv(socket(), non_neg_integer(), timeout()) -> {ok, data()} | {error, reason()}.
recv(Socket, Length, Timeout) when ?IS_LENGTH(Length), ?IS_TIMEOUT(Timeout) ->
    recv_for(Socket, Length, Timeout).

recv_for(?SOCKET(Handle), Length, Timeout) ->
    _ = make_room(?ROOM),
    Tag = erlang:unique_integer(),
    case try_recv(Handle, Length, Tag, Timeout) of
        {ok, _} = Result -> Result;
        measure -> received(by_mailbox(Handle, Timeout, fun(T) -> try_recv(Handle, Length, T, Timeout) end));
        Answer -> received(answered(Answer, Handle, Tag, Timeout))
    end.

%% With the parameter linger: where nothing else can run, the call itself looks for what comes.
try_recv(Handle, Length, Tag, Timeout) ->
    case gentcp_nif:recv(Handle, Length, Tag) of
        look ->
            Looks = Timeout =/= 0 andalso erlang:statistics(total_run_queue_lengths) =:= 0,
            gentcp_nif:recv(Handle, Length, Tag, Looks);
        Answer ->
            Answer
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
    told(gentcp_nif:unrecv(Handle, Data)).

%% ---- sending ----

-spec send(socket(), iodata()) -> ok | {error, reason()}.
send(?SOCKET(Handle), Data) when is_binary(Data) ->
    _ = make_room(?ROOM),
    case gentcp_nif:send(Handle, Data) of
        ok -> ok;
        {wait, Unsent} -> send_waiting(Handle, Unsent);
        Error -> failed(Error)
    end;
send(?SOCKET(Handle), Data) ->
    try erlang:iolist_size(Data) of
        Size when Size =< ?COPY_BELOW -> send(?SOCKET(Handle), iolist_to_binary(Data));
        _ -> send_parts(Handle, erlang:iolist_to_iovec(Data))
    catch
        error:badarg -> refused(gentcp_nif:sockname(Handle))
    end.

%% Data that can't be sent: what the socket says of itself comes first.
refused({error, einval}) -> {error, closed};
refused(_) -> {error, einval}.

send_parts(Handle, Parts) when length(Parts) =< ?PARTS_MAX ->
    case gentcp_nif:sendv(Handle, Parts) of
        ok -> ok;
        {wait, Unsent} -> sendv_waiting(Handle, Unsent);
        Error -> failed(Error)
    end;
send_parts(Handle, Parts) ->
    send(?SOCKET(Handle), iolist_to_binary(Parts)).

%% The owner hears of the end first, as with inet.
failed(Error) ->
    ok = told(gentcp_nif:posted()),
    Error.

%% A send that has to wait does so with a reference of its own: neither it, nor one that needn't, looks at what is in
%% the caller's mailbox.
send_waiting(Handle, Data) ->
    Ref = make_ref(),
    answered(gentcp_nif:send(Handle, Data, Ref), Handle, Ref, default).

sendv_waiting(Handle, Parts) ->
    Ref = make_ref(),
    answered(gentcp_nif:sendv(Handle, Parts, Ref), Handle, Ref, default).

%% What file:sendfile/5 calls. enotsup: a file that isn't one of the system's; file then reads and sends it itself.
-spec sendfile(socket(), file:fd(), integer(), integer()) -> {ok, non_neg_integer()} | {error, reason() | enotsup}.
sendfile(?SOCKET(Handle), #file_descriptor{module = prim_file} = File, Offset, Bytes) ->
    case prim_file:get_handle(File) of
        <<Fd:32/native>> ->
            Ref = make_ref(),
            answered(gentcp_nif:sendfile(Handle, Fd, Offset, Bytes, Ref), Handle, Ref, infinity);
        {error, _} = Error ->
            Error
    end;
sendfile(?SOCKET(_), #file_descriptor{}, _Offset, _Bytes) ->
    {error, enotsup}.

%% ---- ending ----

-spec shutdown(socket(), read | write | read_write) -> ok | {error, reason()}.
shutdown(?SOCKET(Handle), How) when How =:= read; How =:= write; How =:= read_write ->
    case gentcp_nif:shutdown(Handle, How) of
        ok -> told(gentcp_nif:posted());
        Error -> Error
    end.

-spec close(socket()) -> ok.
close(?SOCKET(Handle) = Socket) ->
    Tag = erlang:unique_integer(),
    _ = answered(gentcp_nif:close(Handle, Tag), Handle, Tag, infinity),
    ok = told(gentcp_nif:posted()),
    receive
        {tcp_closed, Socket} -> ok
    after 0 -> ok
    end.

-spec controlling_process(socket(), pid()) -> ok | {error, reason()}.
controlling_process(?SOCKET(Handle) = Socket, NewOwner) when is_pid(NewOwner) ->
    case gentcp_nif:hand_over(Handle, NewOwner) of
        pass_on ->
            ok = told(gentcp_nif:posted()),
            told(gentcp_nif:pass_on(Handle, NewOwner, collect(Socket)));
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
    _ = make_room(?ROOM),
    told(gentcp_nif:setopts(Handle, Options)).

%% Messages that a call has brought about are in the owner's mailbox when it returns, as with inet.
told(posted) ->
    gentcp_driver:sync();
told(Result) ->
    Result.

-spec getopts(socket(), [atom() | {raw, integer(), integer(), non_neg_integer() | binary()}]) ->
    {ok, list()} | {error, reason()}.
getopts(?SOCKET(Handle), Names) when is_list(Names) ->
    gentcp_nif:getopts(Handle, Names).

-spec port(socket()) -> {ok, inet:port_number() | binary()} | {error, reason()}.
port(Socket) ->
    case sockname(Socket) of
        {ok, {_, Port}} -> {ok, Port};
        {error, _} = Error -> Error
    end.

-spec sockname(socket()) -> {ok, name()} | {error, reason()}.
sockname(?SOCKET(Handle)) ->
    gentcp_nif:sockname(Handle).

-spec socknames(socket()) -> {ok, [name()]} | {error, reason()}.
socknames(Socket) ->
    case sockname(Socket) of
        {ok, Name} -> {ok, [Name]};
        {error, _} = Error -> Error
    end.

-spec peername(socket()) -> {ok, name()} | {error, reason()}.
peername(?SOCKET(Handle)) ->
    gentcp_nif:peername(Handle).

-spec getserv(integer() | atom()) -> {ok, integer()} | {error, reason()}.
getserv(Port) ->
    gentcp_open:getserv(Port).

-spec getaddrs(address()) -> {ok, [inet:ip_address()]} | {error, reason()}.
getaddrs(Address) ->
    gentcp_open:getaddrs(Address, [], infinity).

%% Timer: of inet:start_timer/1.
-spec getaddrs(address(), false | reference()) -> {ok, [inet:ip_address()]} | {error, reason()}.
getaddrs(Address, Timer) ->
    gentcp_open:getaddrs(Address, [], inet:timeout(Timer)).

%% ---- looking at sockets ----

-spec getstat(socket()) -> {ok, [{inet:stat_option(), non_neg_integer()}]} | {error, reason()}.
getstat(?SOCKET(Handle)) ->
    gentcp_nif:getstat(Handle).

-spec getstat(socket(), [inet:stat_option()]) -> {ok, [{inet:stat_option(), non_neg_integer()}]} | {error, reason()}.
getstat(?SOCKET(Handle), Names) when is_list(Names) ->
    case gentcp_nif:getstat(Handle) of
        {ok, All} -> chosen(Names, maps:from_list(All), []);
        {error, _} = Error -> Error
    end.

chosen([Name | Names], All, Found) ->
    case All of
        #{Name := Value} -> chosen(Names, All, [{Name, Value} | Found]);
        #{} -> {error, einval}
    end;
chosen([], _All, Found) ->
    {ok, lists:reverse(Found)};
chosen(_, _All, _Found) ->
    {error, einval}.

-spec monitor(socket()) -> reference().
monitor(?SOCKET(Handle)) ->
    case gentcp_nif:monitor(Handle) of
        Monitor when is_reference(Monitor) -> Monitor;
        {error, enomem} -> error(system_limit)
    end.

-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(Monitor) when is_reference(Monitor) ->
    gentcp_nif:cancel_monitor(Monitor).

%% See docs/otp.md. #{states := [closed]}: closed.
-spec info(socket()) -> map().
info(?SOCKET(_) = Socket) ->
    gentcp_info:socket(Socket).

%% See docs/otp.md.
-spec info() -> map().
info() ->
    gentcp_info:engine().

%% Prints a table of all sockets, as inet:i() does.
-spec i() -> ok.
i() ->
    gentcp_info:print().

%% For inet:i/2.
-spec which_packet_type(socket()) -> {ok, atom()} | error.
which_packet_type(Socket) ->
    case getopts(Socket, [packet]) of
        {ok, [{packet, 0}]} -> {ok, raw};
        {ok, [{packet, Type}]} when is_atom(Type) -> {ok, Type};
        {ok, [{packet, Size}]} -> {ok, list_to_atom(integer_to_list(Size))};
        {error, _} -> error
    end.

-spec socket_to_list(socket()) -> string().
socket_to_list(?SOCKET(Handle)) ->
    "#Ref" ++ Id = ref_to_list(Handle),
    "#GentcpSocket" ++ Id.

%% ---- ways in ----

%% From now on every socket that gen_tcp opens is one of these: see docs/otp.md.
-spec take_over() -> ok | {error, term()}.
take_over() ->
    gentcp_take_over:take_over().

-spec give_back() -> ok | {error, term()}.
give_back() ->
    gentcp_take_over:give_back().

%% ---- waiting ----

%% The emulator puts a message into the heap of its receiver, or, if that is full, beside it, and then makes the heap a
%% step larger at the next garbage collection. A process that allocates next to nothing itself, as one that echoes,
%% would always fill its heap with messages: after some hundred its heap takes 25 KB instead of 5, and each message lies
%% where no cache has it. So calls that messages follow make sure that there is room for one, by a collection if there
%% isn't: an update of a map that changes nothing first asks for the room of a copy, and then makes none. With one key a
%% newer emulator would compare first.
make_room(Map) ->
    Map#{1 := 0, 2 := 0}.

%% Begins a call that may have to wait. The compiler lets a receive that waits for a reference begin where the mailbox
%% ended when that was made, however much there is in it. But it has to be kept in native code, and sent: where little is
%% in the mailbox, a number does.
by_mailbox(Handle, Timeout, Begin) ->
    case process_info(self(), message_queue_len) of
        {message_queue_len, Length} when Length > ?MANY ->
            Ref = make_ref(),
            answered(Begin(Ref), Handle, Ref, Timeout);
        _ ->
            Tag = erlang:unique_integer(),
            case Begin(Tag) of
                measure -> by_mailbox(Handle, Timeout, Begin); % others receive from the socket, too
                Answer -> answered(Answer, Handle, Tag, Timeout)
            end
    end.

%% A call's own timeout comes before that of an option.
answered(wait, Handle, Tag, Timeout) -> await(Handle, Tag, Timeout);
answered({wait, Option}, Handle, Tag, default) -> await(Handle, Tag, Option);
answered({wait, _}, Handle, Tag, Timeout) -> await(Handle, Tag, Timeout);
answered(Result, _Handle, _Tag, _Timeout) -> Result.

await(_Handle, Tag, Timeout) when Timeout =:= default; Timeout =:= infinity ->
    receive
        ?REPLY(Tag, Result) -> Result
    end;
await(Handle, Tag, Timeout) ->
    receive
        ?REPLY(Tag, Result) -> Result
    after gentcp_time:wait(Timeout) ->
        case gentcp_nif:cancel(Handle, Tag) of
            true ->
                {error, timeout};
            false ->
                receive
                    ?REPLY(Tag, Result) -> Result
                end
        end
    end.
