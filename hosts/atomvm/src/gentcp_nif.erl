%% SPDX-License-Identifier: Apache-2.0
%% The native functions. They return at once. Those that may have to wait take a reference that was made for this call
%% alone: if they return wait, {'$gentcp', Ref, Result} comes as a message, unless cancel/2 says true.
%%
%% What stands here runs until the driver is there: it opens the driver, which puts native functions in the place of
%% all calls of this module in itself and in gentcp. So each function calls its own name, and isn't called twice.
-module(gentcp_nif).

-export([connect/4, listen/2, accept/2, lookup/3, cancel_lookup/1]).
-export([recv/3, unrecv/2, send/2, send/3, shutdown/2, close/2, abort/1, cancel/2]).
-export([setopts/2, getopts/2, sockname/1, peername/1, hand_over/2, pass_on/3]).

-export_type([handle/0, data/0]).

-type handle() :: reference().
-type error() :: {error, atom()}.
-type data() :: binary() | string() | nonempty_improper_list(byte(), binary()) | tuple() | http_eoh.
-type name() :: {ok, {tuple(), 0..65535} | {local, binary()}} | error().

%% One address. The message's result is ok or an error.
-spec connect(tuple(), 0..65535, list(), reference()) -> {ok | wait, handle()} | error().
connect(Address, Port, Options, Ref) -> start(), ?MODULE:connect(Address, Port, Options, Ref).

-spec listen(0..65535, list()) -> {ok, handle()} | error().
listen(Port, Options) -> start(), ?MODULE:listen(Port, Options).

-spec accept(handle(), reference()) -> {ok, handle()} | error() | wait.
accept(Listener, Ref) -> start(), ?MODULE:accept(Listener, Ref).

%% The addresses of a name, or of a numeric one, which needs no wait.
-spec lookup(string(), inet | inet6, reference()) -> {ok, [tuple()]} | error() | wait.
lookup(Name, Family, Ref) -> start(), ?MODULE:lookup(Name, Family, Ref).

-spec cancel_lookup(reference()) -> boolean().
cancel_lookup(Ref) -> start(), ?MODULE:cancel_lookup(Ref).

-spec recv(handle(), non_neg_integer(), reference()) -> {ok, data()} | error() | wait.
recv(Handle, Length, Ref) -> start(), ?MODULE:recv(Handle, Length, Ref).

-spec unrecv(handle(), iodata()) -> ok | error().
unrecv(Handle, Data) -> start(), ?MODULE:unrecv(Handle, Data).

%% wait: nothing was sent, because the send would have to wait; to do so takes a reference.
-spec send(handle(), iodata()) -> ok | error() | wait.
send(Handle, Data) -> start(), ?MODULE:send(Handle, Data).

%% {wait, Timeout}: Timeout is option send_timeout.
-spec send(handle(), iodata(), reference()) -> ok | error() | {wait, timeout()}.
send(Handle, Data, Ref) -> start(), ?MODULE:send(Handle, Data, Ref).

-spec shutdown(handle(), read | write | read_write) -> ok | error().
shutdown(Handle, How) -> start(), ?MODULE:shutdown(Handle, How).

%% Flushes first.
-spec close(handle(), reference()) -> ok | wait.
close(Handle, Ref) -> start(), ?MODULE:close(Handle, Ref).

%% Closes without flushing.
-spec abort(handle()) -> ok.
abort(Handle) -> start(), ?MODULE:abort(Handle).

%% true: the call of that reference has no result, nor will a message come; false: it was sent.
-spec cancel(handle(), reference()) -> boolean().
cancel(Handle, Ref) -> start(), ?MODULE:cancel(Handle, Ref).

-spec setopts(handle(), list()) -> ok | error().
setopts(Handle, Options) -> start(), ?MODULE:setopts(Handle, Options).

-spec getopts(handle(), list()) -> {ok, list()} | error().
getopts(Handle, Names) -> start(), ?MODULE:getopts(Handle, Names).

-spec sockname(handle()) -> name().
sockname(Handle) -> start(), ?MODULE:sockname(Handle).

-spec peername(handle()) -> name().
peername(Handle) -> start(), ?MODULE:peername(Handle).

%% The first half of controlling_process/2. pass_on: the socket sends nothing from now on, and waits for pass_on/3.
-spec hand_over(handle(), pid()) -> ok | pass_on | error().
hand_over(Handle, NewOwner) -> start(), ?MODULE:hand_over(Handle, NewOwner).

%% The second half: Messages are what the old owner had got.
-spec pass_on(handle(), pid(), list()) -> ok | error().
pass_on(Handle, NewOwner, Messages) -> start(), ?MODULE:pass_on(Handle, NewOwner, Messages).

start() ->
    try open_port({spawn, "gentcp"}, []) of
        Port -> Port ! stop
    catch
        error:badarg -> error({gentcp, no_driver})
    end.
