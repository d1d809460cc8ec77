%% SPDX-License-Identifier: Apache-2.0
%% The application: it starts the driver and keeps it running, and flushes the sockets before it stops. gentcp works
%% without it, too: the first socket starts the driver.
-module(gentcp_app).

-behaviour(application).

-export([start/2, prep_stop/1, stop/1]).

-define(FLUSH_TIMEOUT, 5000).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    case set_linger(application:get_env(gentcp, linger, 0)) of
        ok -> start_supervisor();
        {error, _} = Error -> Error
    end.

set_linger(Microseconds) ->
    try
        gentcp_nif:linger(Microseconds)
    catch
        error:badarg -> {error, {linger, Microseconds}}
    end.

start_supervisor() ->
    case gentcp_sup:start_link() of
        {ok, Pid} -> {ok, Pid};
        ignore -> {error, ignore};
        {error, _} = Error -> Error
    end.

%% With the driver would go what is queued: an emulator that stops flushes its ports, and not what it doesn't know.
-spec prep_stop(State) -> State.
prep_stop(State) ->
    Deadline = gentcp_time:deadline(application:get_env(gentcp, flush_timeout, ?FLUSH_TIMEOUT)),
    Closing = [begin_close(Socket) || Socket <- gentcp_info:sockets(), unsent(Socket)],
    lists:foreach(fun(Monitor) -> await_close(Monitor, Deadline) end, Closing),
    State.

unsent(Socket) ->
    maps:get(send_queue, gentcp:info(Socket), 0) > 0.

begin_close({'$inet', gentcp, Handle} = Socket) ->
    Monitor = gentcp:monitor(Socket),
    _ = gentcp_nif:close(Handle, make_ref()),
    Monitor.

await_close(Monitor, Deadline) ->
    receive
        {'DOWN', Monitor, socket, _, _} -> ok
    after gentcp_time:left(Deadline) -> timeout
    end.

-spec stop(term()) -> ok.
stop(_State) ->
    gentcp_nif:linger(0).
