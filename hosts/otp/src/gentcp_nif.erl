%% SPDX-License-Identifier: Apache-2.0
%% The native functions. They return at once. Those that may have to wait take a tag that was made for this call
%% alone: if they return wait, {'$gentcp', Tag, Result} comes as a message, unless cancel/2 says true. Handle is the third
%% element of a socket.
-module(gentcp_nif).

-export([directory/0, driver/0, run/0, posted/0]).
-export([connect/4, listen/2, fdopen/3, accept/2, recv/3, recv/4, unrecv/2, send/2, send/3, sendv/2, sendv/3]).
-export([sendfile/5, shutdown/2, close/2, abort/1, cancel/2]).
-export([setopts/2, getopts/2, sockname/1, peername/1, hand_over/2, pass_on/3]).
-export([getstat/1, info/1, monitor/1, cancel_monitor/1, sockets/0, totals/0, linger/1]).

-on_load(load/0).

-export_type([handle/0, tag/0, http_line/0]).

-type handle() :: reference().
%% With a reference, receive needn't look at what has been in the mailbox. It costs a twentieth of a round trip.
-type tag() :: integer() | reference().
-type socket() :: {'$inet', gentcp, handle()}.
-type error() :: {error, atom()}.
%% As of erlang:decode_packet/3.
-type http_line() :: tuple() | http_eoh.
-type name() :: {ok, {inet:ip_address(), inet:port_number()} | {local, binary()}} | error().

-define(NAME, "gentcp_nif").
-define(INTERFACE, 9).      % of these functions to the native ones: the same number stands in nif.c
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

%% The name of the driver: another one for another copy of the native code.
-spec driver() -> string().
driver() ->
    ?NOT_LOADED.

%% Runs the poller once: after its port was opened, by the one who opened it, who so becomes its runner; and whenever
%% message run comes.
-spec run() -> ok.
run() ->
    ?NOT_LOADED.

%% posted: messages to owners wait for the runner, this call's perhaps among them.
-spec posted() -> ok | posted.
posted() ->
    ?NOT_LOADED.

%% One address; a map or a path has its port in it, then Port is 0. The message's result is ok or an error.
-spec connect(inet:socket_address() | map(), inet:port_number(), list(), tag()) ->
    {ok | wait, socket()} | error() | no_driver.
connect(_Address, _Port, _Options, _Tag) ->
    ?NOT_LOADED.

-spec listen(inet:port_number(), list()) -> {ok, socket()} | error() | no_driver.
listen(_Port, _Options) ->
    ?NOT_LOADED.

%% The descriptor stays its maker's.
-spec fdopen(integer(), inet:address_family() | undefined, list()) -> {ok, socket()} | error() | no_driver.
fdopen(_Fd, _Family, _Options) ->
    ?NOT_LOADED.

-spec accept(handle(), tag()) -> {ok, socket()} | error() | wait | {wait, timeout()}.
accept(_Listener, _Tag) ->
    ?NOT_LOADED.

%% {list, Binary}: the socket's mode is list. {Header, Binary}: option header. A line of http comes ready. measure: nothing
%% was begun, and the caller should count what is in its mailbox first. Not with a reference.
-spec recv(handle(), non_neg_integer(), tag()) ->
    {ok, binary() | http_line()} | {list | pos_integer(), binary()} | error() |
    wait | {wait, timeout()} | look | measure.
recv(_Handle, _Length, _Tag) ->
    ?NOT_LOADED.

%% After look, which says that nothing was begun, and that it would have to wait while the poller lingers. Looks: it runs
%% the poller first, for some 50 us at most, until there is something.
-spec recv(handle(), non_neg_integer(), tag(), boolean()) ->
    {ok, binary() | http_line()} | {list | pos_integer(), binary()} | error() |
    wait | {wait, timeout()}.
recv(_Handle, _Length, _Tag, _Looks) ->
    ?NOT_LOADED.

%% posted: ok, and as of posted/0.
-spec unrecv(handle(), iodata()) -> ok | posted | error().
unrecv(_Handle, _Data) ->
    ?NOT_LOADED.

%% {wait, Data}: nothing was sent, because the send would have to wait; to do so takes a tag. It gives the data
%% back, so that the caller needn't keep it, and it can be collected at the end of this call (data.c).
-spec send(handle(), binary()) -> ok | error() | {wait, binary()}.
send(_Handle, _Data) ->
    ?NOT_LOADED.

%% {wait, Timeout}: Timeout is option send_timeout; wait: it is infinity.
-spec send(handle(), binary(), tag()) -> ok | error() | wait | {wait, timeout()}.
send(_Handle, _Data, _Tag) ->
    ?NOT_LOADED.

-spec sendv(handle(), [binary()]) -> ok | error() | {wait, [binary()]}.
sendv(_Handle, _Binaries) ->
    ?NOT_LOADED.

-spec sendv(handle(), [binary()], tag()) -> ok | error() | wait | {wait, timeout()}.
sendv(_Handle, _Binaries, _Tag) ->
    ?NOT_LOADED.

%% Fd: the system's number of a file. Size 0: up to its end. The message's result is {ok, Sent} or an error.
-spec sendfile(handle(), non_neg_integer(), integer(), integer(), tag()) ->
    {ok, non_neg_integer()} | error() | wait.
sendfile(_Handle, _Fd, _Offset, _Size, _Tag) ->
    ?NOT_LOADED.

-spec shutdown(handle(), read | write | read_write) -> ok | error().
shutdown(_Handle, _How) ->
    ?NOT_LOADED.

-spec close(handle(), tag()) -> ok | wait.
close(_Handle, _Tag) ->
    ?NOT_LOADED.

%% Closes without flushing.
-spec abort(handle()) -> ok.
abort(_Handle) ->
    ?NOT_LOADED.

%% True: there will be no message; false: it has been sent.
-spec cancel(handle(), tag()) -> boolean().
cancel(_Handle, _Tag) ->
    ?NOT_LOADED.

%% posted: as of unrecv/2.
-spec setopts(handle(), list()) -> ok | posted | error().
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
%% posted: as of unrecv/2.
-spec pass_on(handle(), pid(), [term()]) -> ok | posted | error().
pass_on(_Handle, _NewOwner, _Messages) ->
    ?NOT_LOADED.

-spec getstat(handle()) -> {ok, [{inet:stat_option(), non_neg_integer()}]} | error().
getstat(_Handle) ->
    ?NOT_LOADED.

%% Queues: bytes that were received and not asked for, and that are to be sent. readers, writers: how many callers wait.
-spec info(handle()) ->
    #{
        state := connecting | connected | listening | ended | closing | closed,
        domain := inet:address_family(),
        owner := pid() | undefined,
        busy := boolean(),
        recv_queue := non_neg_integer(),
        send_queue := non_neg_integer(),
        readers := non_neg_integer(),
        writers := non_neg_integer()
    }.
info(_Handle) ->
    ?NOT_LOADED.

%% {'DOWN', Monitor, socket, Socket, closed} comes when the socket is closed; nosock in its place if it is already.
-spec monitor(handle()) -> reference() | error().
monitor(_Handle) ->
    ?NOT_LOADED.

%% True: there will be no message; badarg: it is another process's monitor.
-spec cancel_monitor(reference()) -> boolean().
cancel_monitor(_Monitor) ->
    ?NOT_LOADED.

%% All that are open.
-spec sockets() -> [socket()].
sockets() ->
    ?NOT_LOADED.

%% Of those that are closed; and how often the poller has run.
-spec totals() -> #{sockets | recv_oct | recv_cnt | send_oct | send_cnt | runs => non_neg_integer()}.
totals() ->
    ?NOT_LOADED.

%% For how many microseconds the poller keeps looking after it has found something: see docs/otp.md.
-spec linger(0..1000000) -> ok.
linger(_Microseconds) ->
    ?NOT_LOADED.
