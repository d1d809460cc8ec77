%% SPDX-License-Identifier: Apache-2.0
%% The process that owns the driver's port, and with it the poller of all sockets, which it runs whenever the driver says
%% that something has happened. If it ends, they are closed, and the next connect or listen starts another. It needs no
%% application: a socket may be the first thing in a node.
-module(gentcp_driver).

-behaviour(gen_server).

-export([ensure/0, start_link/0, sync/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-record(state, {driver :: string(), port :: port()}).

%% Words, of 8 bytes: some hundred messages to others are built there between two garbage collections (host.c).
-define(START, [{spawn_opt, [{min_heap_size, 8192}]}]).

%% A port that stops may take a moment to let go of the poller's descriptor.
-define(TRIES, 100).
-define(PAUSE_MS, 10).

%% Starts the driver if it isn't running.
-spec ensure() -> ok | {error, term()}.
ensure() ->
    case gen_server:start({local, ?MODULE}, ?MODULE, [], ?START) of
        {ok, _} -> ok;
        {error, {already_started, Pid}} -> await(Pid);
        {error, _} = Error -> Error;
        ignore -> {error, ignore}
    end.

%% For the supervisor: a driver that is running already is taken over.
-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    case gen_server:start_link({local, ?MODULE}, ?MODULE, [], ?START) of
        {error, {already_started, Pid}} ->
            link(Pid),
            {ok, Pid};
        Result ->
            Result
    end.

%% Returns when the messages that have waited for the driver are sent.
-spec sync() -> ok.
sync() ->
    try
        gen_server:call(?MODULE, sync, infinity)
    catch
        exit:_ -> ok % its end has sent them
    end.

%% Its port is open; or it is on its way out, and another takes its place. The port of another copy of the native code,
%% whose module has been purged, knows nothing of this one's sockets: it has to make room.
await(Pid) ->
    Driver = gentcp_nif:driver(),
    Monitor = monitor(process, Pid),
    try gen_server:call(Pid, ready) of
        Driver ->
            demonitor(Monitor, [flush]),
            ok;
        _Other ->
            exit(Pid, shutdown),
            ensure_after(Monitor)
    catch
        exit:{timeout, _} ->
            demonitor(Monitor, [flush]),
            {error, timeout};
        exit:_ ->
            ensure_after(Monitor)
    end.

ensure_after(Monitor) ->
    receive
        {'DOWN', Monitor, process, _, _} -> ensure()
    end.

-spec init([]) -> {ok, #state{}} | {stop, term()}.
init([]) ->
    process_flag(trap_exit, true),
    %% What a port does isn't kept waiting by processes, either.
    process_flag(priority, high),
    %% Not a part of the application whose process came first: it would end with that.
    group_leader(whereis(init), self()),
    open(gentcp_nif:driver(), ?TRIES).

open(Driver, Tries) ->
    try open_port({spawn_driver, Driver}, []) of
        Port ->
            ok = gentcp_nif:run(),
            {ok, #state{driver = Driver, port = Port}}
    catch
        error:_ when Tries > 1 ->
            timer:sleep(?PAUSE_MS),
            open(Driver, Tries - 1);
        error:Reason ->
            {stop, {Driver, Reason}}
    end.

-spec handle_call(ready | sync, gen_server:from(), #state{}) -> {reply, string() | ok, #state{}}.
handle_call(ready, _From, State) ->
    {reply, State#state.driver, State};
handle_call(sync, _From, State) ->
    {reply, gentcp_nif:run(), State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(run, State) ->
    ok = gentcp_nif:run(),
    {noreply, State};
handle_info({'EXIT', Port, Reason}, #state{port = Port} = State) ->
    {stop, {port_closed, Reason}, State};
handle_info({'EXIT', _From, shutdown}, State) ->
    {stop, shutdown, State};
handle_info(_Message, State) ->
    {noreply, State}.

%% Before its name is free for another: whoever opens a socket then must not find this one's poller.
-spec terminate(term(), #state{}) -> true.
terminate(_Reason, #state{port = Port}) ->
    catch port_close(Port),
    true.
