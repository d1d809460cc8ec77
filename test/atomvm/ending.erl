%% SPDX-License-Identifier: Apache-2.0
%% AtomVM ends with sockets that are open, and still have much to send.
-module(ending).

-export([start/0]).

start() ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {ok, Port} = inet:port(L),
    _ = [queued(L, Port) || _ <- [1, 2, 3]],
    ok.

queued(L, Port) ->
    {ok, S} = gentcp:connect({127, 0, 0, 1}, Port, [{high_watermark, 1 bsl 24}]),
    {ok, P} = gentcp:accept(L),
    _ = [ok = gentcp:send(S, binary:copy(<<"x">>, 65536)) || _ <- lists:seq(1, 200)],
    {S, P}.
