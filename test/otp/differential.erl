%% SPDX-License-Identifier: Apache-2.0
%% Runs the same steps over inet and over gentcp, one at a time, and compares what comes of each.
-module(differential).

-export([run/1]).

-export_type([difference/0]).

-define(AGREE_MS, 2000). % for one world to catch up with the other
-define(PART_MS, 500).   % before what differs is taken for what may differ

-type difference() :: #{
    number := pos_integer(),
    step := differential_world:step(),
    inet := term(),
    gentcp := term()
}.

%% The first difference. Steps that can't be made (of a socket that doesn't exist, by a process that waits) are left
%% out.
-spec run([differential_world:step()]) -> same | difference().
run(Steps) ->
    Inet = differential_world:open(gen_tcp),
    Ours = differential_world:open(gentcp),
    {Result, Ends} = steps(1, Steps, {Inet, Ours}),
    [ok = differential_world:close(World) || World <- tuple_to_list(Ends)],
    Result.

steps(_, [], Worlds) ->
    {same, Worlds};
steps(Number, [Step | Steps], {Inet, Ours} = Worlds) ->
    case possible(Step, Inet) andalso possible(Step, Ours) andalso not differential_purpose:left_out(Step, Inet) of
        false ->
            steps(Number + 1, Steps, Worlds);
        true ->
            case both(Step, Worlds) of
                {same, After} -> steps(Number + 1, Steps, After);
                {parted, After} -> {same, After};
                {{I, G}, After} -> {#{number => Number, step => Step, inet => I, gentcp => G}, After}
            end
    end.

both(Step, {Inet0, Ours0} = Worlds) ->
    try differential_purpose:on_inet(Step, Inet0, fun step/2) of
        Inet -> agree(Step, Inet, step(Step, Ours0), erlang:monotonic_time(millisecond))
    catch
        throw:inet_hangs -> {parted, Worlds}
    end.

step(Step, World) ->
    differential_world:settle(differential_world:run(Step, differential_world:take_results(World))).

%% One that is late in what it does gets the time to do it; what it did doesn't change.
agree(Step, Inet, Ours, Since) ->
    [I, G] = [differential_facts:observe(World) || World <- [Inet, Ours]],
    Same = differential_purpose:view(I, Inet) =:= differential_purpose:view(G, Inet),
    Waited = erlang:monotonic_time(millisecond) - Since,
    case Same orelse (Waited >= ?PART_MS andalso differential_purpose:parts(Step, I, G, Inet)) of
        true when Same -> {same, {Inet, Ours}};
        true -> {parted, {Inet, Ours}};
        false when Waited >= ?AGREE_MS -> {{I, G}, {Inet, Ours}};
        false -> agree(Step, differential_world:settle(Inet), differential_world:settle(Ours), Since)
    end.

possible(Step, W) ->
    case Step of
        {connect, P, S, _, _} -> idle(P, W) andalso is_new(S, W);
        {listen, P, L, _} -> idle(P, W) andalso is_new(L, W);
        {accept, P, L, _} -> idle(P, W) andalso has(L, W);
        {call, P, S, _, _} -> idle(P, W) andalso has(S, W);
        {receive_all, P, S, _} -> idle(P, W) andalso has(S, W);
        {controlling_process, P, S, _} -> idle(P, W) andalso has(S, W);
        {collect, P} -> idle(P, W);
        {exit, P, _} -> differential_facts:alive(P, W);
        {peer_connect, L, S} -> has(L, W) andalso is_new(S, W);
        {peer_send, S, _} -> is_there(S, W) andalso not differential_facts:peer_has_ended(S, W);
        {peer_receive, S} -> is_there(S, W);
        {peer_shutdown, S} -> is_there(S, W);
        {peer_close, S} -> is_there(S, W);
        {peer_reset, S} -> is_there(S, W)
    end.

idle(P, W) -> differential_facts:idle(P, W).
has(S, W) -> differential_facts:has(S, W).
is_new(S, W) -> not has(S, W) andalso not differential_facts:had_peer(S, W).
is_there(S, W) -> differential_facts:peer_is_there(S, W).
