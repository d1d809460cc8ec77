%% SPDX-License-Identifier: Apache-2.0
%% The application: it starts the driver and keeps it running. gentcp works without it, too: the first socket starts
%% the driver.
-module(gentcp_app).

-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Args) ->
    case gentcp_sup:start_link() of
        {ok, Pid} -> {ok, Pid};
        ignore -> {error, ignore};
        {error, _} = Error -> Error
    end.

-spec stop(term()) -> ok.
stop(_State) ->
    ok.
