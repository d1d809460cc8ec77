%% SPDX-License-Identifier: Apache-2.0
%% The native functions. They return at once; where a result has to be waited for, they return the id of an operation,
%% and {'$gentcp', Id, Result} comes as a message, unless cancel/2 says true. Handle is the third element of a socket.
-module(gentcp_nif).

-export([directory/0]).
-export([connect/3, listen/2, accept/1, recv/2, unrecv/2, send/2, sendv/2, shutdown/2, close/1, abort/1, cancel/2]).
-export([setopts/2, getopts/2, sockname/1, peername/1, hand_over/2, pass_on/3]).

-on_load(load/0).

-export_type([handle/0, id/0, http_line/0]).

-type handle() :: reference().
-type id() :: pos_integer().
-type socket() :: {'$inet', gentcp, handle()}.
-type error() :: {error, atom()}.
%% As of erlang:decode_packet/3.
-type http_line() :: tuple() | http_eoh.
-type name() :: {ok, {inet:ip_address(), inet:port_number()}} | error().

-define(NAME, "gentcp_nif").
-define(INTERFACE, 2).      % of these functions to the native ones: the same number stands in nif.c
-define(NOT_LOADED, erlang:nif_error(not_loaded)).

load() ->
    erlang:load_nif(filename:join(directory(), ?NAME), ?INTERFACE).

%% Where the shared object is: the application's priv, beside the folder that this module was loaded from.
-spec directory() -> file:filename().
directory() ->
    case code:priv_dir(gentcp) of
        {error, bad_name} ->
            filename:join(filename:dirname(filename:dirname(code:which(?MODULE))), "priv");
        Directory ->
            Directory
    end.

%% One address, IPv4 or IPv6. {wait, Socket, Id}: the message's result is ok or an error.
-spec connect(inet:ip_address(), inet:port_number(), list()) ->
    {ok, socket()} | {wait, socket(), id()} | error() | no_driver.
connect(_Address, _Port, _Options) ->
    ?NOT_LOADED.

-spec listen(inet:port_number(), list()) -> {ok, socket()} | error() | no_driver.
listen(_Port, _Options) ->
    ?NOT_LOADED.

-spec accept(handle()) -> {ok, socket()} | error() | id().
accept(_Listener) ->
    ?NOT_LOADED.

%% {list, Binary}: the socket's mode is list. {Header, Binary}: option header. A line of http comes ready.
-spec recv(handle(), non_neg_integer()) ->
    {ok, binary() | http_line()} | {list | pos_integer(), binary()} | error() | id().
recv(_Handle, _Length) ->
    ?NOT_LOADED.

-spec unrecv(handle(), iodata()) -> ok | error().
unrecv(_Handle, _Data) ->
    ?NOT_LOADED.

%% An iolist is copied, so it should be short. {wait, Id, Timeout}: Timeout is option send_timeout.
-spec send(handle(), iodata()) -> ok | error() | {wait, id(), timeout()}.
send(_Handle, _Data) ->
    ?NOT_LOADED.

-spec sendv(handle(), [binary()]) -> ok | error() | {wait, id(), timeout()}.
sendv(_Handle, _Binaries) ->
    ?NOT_LOADED.

-spec shutdown(handle(), read | write | read_write) -> ok | error().
shutdown(_Handle, _How) ->
    ?NOT_LOADED.

-spec close(handle()) -> ok | id().
close(_Handle) ->
    ?NOT_LOADED.

%% Closes without flushing.
-spec abort(handle()) -> ok.
abort(_Handle) ->
    ?NOT_LOADED.

%% True: there will be no message; false: it has been sent.
-spec cancel(handle(), id()) -> boolean().
cancel(_Handle, _Id) ->
    ?NOT_LOADED.

-spec setopts(handle(), list()) -> ok | error().
setopts(_Handle, _Options) ->
    ?NOT_LOADED.

-spec getopts(handle(), list()) -> {ok, list()} | error().
getopts(_Handle, _Names) ->
    ?NOT_LOADED.

-spec sockname(handle()) -> name().
sockname(_Handle) ->
    ?NOT_LOADED.

-spec peername(handle()) -> name().
peername(_Handle) ->
    ?NOT_LOADED.

%% pass_on: the socket sends nothing until pass_on/3 is called, with what it has sent the caller so far.
-spec hand_over(handle(), pid()) -> ok | pass_on | error().
hand_over(_Handle, _NewOwner) ->
    ?NOT_LOADED.

%% The process is the owner, and has got these messages, in this order. After an error the caller has got them, again.
-spec pass_on(handle(), pid(), [term()]) -> ok | error().
pass_on(_Handle, _NewOwner, _Messages) ->
    ?NOT_LOADED.
