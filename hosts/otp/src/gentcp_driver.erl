%% SPDX-License-Identifier: Apache-2.0
%% The process that owns the driver's port, and with it the poller of all sockets. If it ends, they are closed, and
%% the next connect or listen starts another.
-module(gentcp_driver).

-behaviour(gen_server).

-export([ensure/0, start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(DRIVER, "gentcp_nif").
%% A port that stops may take a moment to let go of the poller's descriptor.
-define(TRIES, 100).
-define(PAUSE_MS, 10).

%% Starts the driver if it isn't running.
-spec ensure() -> ok | {error, term()}.
ensure() ->
    case gen_server:start({local, ?MODULE}, ?MODULE, [], []) of
        {ok, _} -> ok;
        {error, {already_started, Pid}} -> await(Pid);
        {error, _} = Error -> Error;
        ignore -> {error, ignore}
    end.

%% For the supervisor: a driver that is running already is taken over.
-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    case gen_server:start_link({local, ?MODULE}, ?MODULE, [], []) of
        {error, {already_started, Pid}} ->
            link(Pid),
            {ok, Pid};
        Result ->
            Result
    end.

%% Whether its port is open, or gone for good with the process.
await(Pid) ->
    try
        gen_server:call(Pid, ready)
    catch
        exit:_ -> {error, closed}
    end.

-spec init([]) -> {ok, port()} | {stop, term()}.
init([]) ->
    process_flag(trap_exit, true),
    %% Not a part of the application whose process came first: it would end with that.
    group_leader(whereis(init), self()),
    case erl_ddll:load(gentcp_nif:directory(), ?DRIVER) of
        ok -> open(?TRIES);
        {error, Reason} -> {stop, {?DRIVER, erl_ddll:format_error(Reason)}}
    end.

open(Tries) ->
    try
        {ok, open_port({spawn_driver, ?DRIVER}, [])}
    catch
        error:_ when Tries > 1 ->
            timer:sleep(?PAUSE_MS),
            open(Tries - 1);
        error:Reason ->
            {stop, {?DRIVER, Reason}}
    end.

-spec handle_call(ready, gen_server:from(), port()) -> {reply, ok, port()}.
handle_call(ready, _From, Port) ->
    {reply, ok, Port}.

-spec handle_cast(term(), port()) -> {noreply, port()}.
handle_cast(_Message, Port) ->
    {noreply, Port}.

-spec handle_info(term(), port()) -> {noreply, port()} | {stop, term(), port()}.
handle_info({'EXIT', Port, Reason}, Port) ->
    {stop, {port_closed, Reason}, Port};
handle_info(_Message, Port) ->
    {noreply, Port}.
