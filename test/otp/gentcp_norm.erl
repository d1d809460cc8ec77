%% SPDX-License-Identifier: Apache-2.0
%% The same case on inet of OTP, which is the norm, and on gentcp: a suite's groups, and sockets whose peer is plain.
%% A module Side is gen_tcp or gentcp; P is always the peer, a passive socket of inet for raw binaries, which can still
%% send when it has read the end.
-module(gentcp_norm).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [until/1]).

-export([
    groups/2,
    side/1,
    pair/2,
    accepted/2,
    queued/2,
    pending/1,
    close/1,
    reset/1,
    say/2,
    hears/2,
    hears_the_end/1,
    hears_to_the_end/1,
    start/1,
    waits/1,
    result/1,
    next/0,
    nothing_came/1,
    set/2,
    get/2,
    recv/2
]).

-define(WAIT, 30000).
-define(LOCAL, {127, 0, 0, 1}).
-define(PEER, [binary, {active, false}, {nodelay, true}, {exit_on_close, false}]).
-define(QUICKACK(Value), {raw, 6, 12, <<Value:32/native>>}).
-define(TCP_INFO, {raw, 6, 11, 28}).

%% Each case of a suite is run on both sides, but those that are named: gentcp's alone.
groups(Suite, Ours) ->
    Others = [module_info, init_per_suite, end_per_suite],
    Cases = [Name || {Name, 1} <- Suite:module_info(exports), not lists:member(Name, Others)],
    [] = Ours -- Cases,
    [{inet, [], Cases -- Ours}, {gentcp, [], Cases}].

side(inet) -> gen_tcp;
side(gentcp) -> gentcp.

%% ---- sockets ----

%% Passive and binary unless Options say otherwise.
pair(Side, Options) ->
    connected(Side, Options, []).

connected(Side, Options, OptionsOfPeer) ->
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL} | ?PEER ++ OptionsOfPeer]),
    {ok, Port} = inet:port(L),
    {ok, S} = Side:connect(?LOCAL, Port, with_defaults(Options), ?WAIT),
    {ok, P} = gen_tcp:accept(L, ?WAIT),
    close([L]),
    {S, P}.

with_defaults(Options) ->
    [Mode || Mode <- [binary], not lists:member(list, Options)] ++
        [{active, false} || not lists:keymember(active, 1, Options)] ++ Options.

%% The same from a listener with these options, which stays open.
accepted(Side, Options) ->
    {ok, L} = Side:listen(0, [{ip, ?LOCAL} | with_defaults(Options)]),
    {ok, Port} = inet:port(L),
    {ok, P} = gen_tcp:connect(?LOCAL, Port, ?PEER, ?WAIT),
    {ok, S} = Side:accept(L, ?WAIT),
    {L, S, P}.

%% With much in its queue, because the peer has read nothing. The bytes of it all.
queued(Side, Options) ->
    {S, P} = connected(Side, [{high_watermark, 1 bsl 30}, {sndbuf, 32768} | Options], [{recbuf, 32768}]),
    Bytes = rand:bytes(1 bsl 20),
    ok = Side:send(S, Bytes),
    until(fun() ->
        ok = inet:setopts(P, [?QUICKACK(1)]),
        {ok, [{raw, 6, 11, <<_:24/binary, Unacknowledged:32/native>>}]} = inet:getopts(S, [?TCP_INFO]),
        Unacknowledged =:= 0
    end),
    ?assert(pending(S) > 700000),
    {S, P, Bytes}.

pending(S) ->
    {ok, [{send_pend, Pending}]} = inet:getstat(S, [send_pend]),
    Pending.

close(Sockets) ->
    [?assertEqual(ok, gen_tcp:close(S)) || S <- Sockets].

%% ---- what the peer does ----

say(P, Bytes) ->
    ok = gen_tcp:send(P, Bytes).

hears(P, Bytes) ->
    ?assertEqual({ok, iolist_to_binary(Bytes)}, gen_tcp:recv(P, iolist_size(Bytes), ?WAIT)).

hears_the_end(P) ->
    ?assertEqual({error, closed}, gen_tcp:recv(P, 0, ?WAIT)).

hears_to_the_end(P) ->
    hears_to_the_end(P, []).

hears_to_the_end(P, Heard) ->
    case gen_tcp:recv(P, 0, ?WAIT) of
        {ok, Bytes} -> hears_to_the_end(P, [Heard, Bytes]);
        {error, closed} -> iolist_to_binary(Heard)
    end.

reset(P) ->
    ok = inet:setopts(P, [{linger, {true, 0}}]),
    close([P]).

%% ---- processes that wait ----

%% A process that makes this call, and lives as long as its maker: so it may own what the call has given.
start(Call) ->
    Self = self(),
    spawn_link(fun() ->
        Ref = monitor(process, Self),
        Self ! {self(), Call()},
        receive {'DOWN', Ref, process, Self, _} -> ok end
    end).

%% Until its call waits. A second sender on inet waits for its port.
waits(Pid) ->
    until(fun() ->
        case process_info(Pid, [status, current_function]) of
            [{status, waiting}, {current_function, {Module, _, _}}] -> Module =:= prim_inet orelse Module =:= gentcp;
            [{status, Status}, _] -> Status =:= suspended
        end
    end),
    receive {Pid, Result} -> error({early, Result}) after 0 -> ok end.

result(Pid) ->
    receive {Pid, Result} -> Result after ?WAIT -> error(silence) end.

%% ---- what comes ----

next() ->
    receive Message -> Message after ?WAIT -> error(silence) end.

%% Up to the message of another connection, which comes after all others.
nothing_came(Side) ->
    {S, P} = pair(Side, [{active, true}]),
    say(P, "later"),
    ?assertEqual({tcp, S, <<"later">>}, next()),
    close([S, P]).

%% ---- short forms ----

set(S, Options) ->
    ?assertEqual(ok, inet:setopts(S, Options)).

get(S, Name) ->
    {ok, [{Name, Value}]} = inet:getopts(S, [Name]),
    Value.

recv(S, Length) ->
    gen_tcp:recv(S, Length, ?WAIT).
