%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: whatever is done to it, the emulator goes on.
-module(gentcp_abuse_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, close/1, kill/1, flush/0
]).

-export([all/0, suite/0]).
-export([
    wrong_terms_are_badarg/1,
    racing_calls_survive/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- abuse ----

wrong_terms_are_badarg(_) ->
    Others = [module_info, directory, driver, posted, run, sockets, totals, close, abort],
    Functions = [{F, A} || {F, A} <- gentcp_nif:module_info(exports), not lists:member(F, Others)],
    Ref = make_ref(),
    Terms = [
        foo, 1, -1, 1 bsl 80, <<>>, <<1:3>>, [], [1 | 2], {}, Ref, self(), #{}, fun() -> ok end, "abc", 1.5
    ],
    {_, _, Handle} = Listener = element(2, gentcp:listen(0, [])),
    [
        try apply(gentcp_nif, F, Args) of
            {error, _} -> ok;
            {ok, {'$inet', gentcp, _} = Opened} -> close([Opened]);
            {ok, _} -> ok;
            wait -> ?assert(lists:any(fun(Tag) -> cancelled(Handle, Tag) end, Args));
            Other when Other =:= ok; Other =:= measure; Other =:= posted; Other =:= false -> ok;
            Other when is_reference(Other); is_map(Other) -> ok;
            Other -> error({F, Args, Other})
        catch
            error:badarg -> ok
        end
     || {F, A} <- Functions, First <- [Handle | Terms], Args <- arguments(A, First, Terms, Ref)
    ],
    ?assertError(badarg, gentcp:recv({'$inet', gentcp, foo}, 0)),
    ?assertError(badarg, gentcp_nif:run()), % of another process than the one that owns the port
    ?assertMatch({ok, _}, gentcp:port(Listener)),
    close([Listener]),
    ok = gentcp_nif:linger(0),
    _ = flush(),
    ok.

cancelled(Handle, Tag) ->
    (is_reference(Tag) orelse is_integer(Tag)) andalso gentcp_nif:cancel(Handle, Tag).

%% The last of four and more is the reference of a call that may wait.
arguments(1, First, _, _) -> [[First]];
arguments(2, First, Terms, _) -> [[First, Second] || Second <- Terms];
arguments(3, First, Terms, _) -> [[First, Second, Third] || Second <- Terms, Third <- Terms];
arguments(4, First, Terms, Ref) -> [Args ++ [Ref] || Args <- arguments(3, First, Terms, Ref)];
arguments(5, First, Terms, Ref) -> [[A, B, C, 0, Ref] || [A, B, C] <- arguments(3, First, Terms, Ref)].

%% Everything at once on the same sockets, from processes that are killed at any moment.
racing_calls_survive(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}, {backlog, 100}]),
    {ok, Port} = gentcp:port(L),
    End = erlang:monotonic_time(millisecond) + 4000,
    race(L, Port, End),
    close([L]),
    {C, S} = pair([binary, {active, false}]),
    ok = gentcp:send(C, "alive"),
    ?assertEqual({ok, <<"alive">>}, gentcp:recv(S, 5, ?WAIT)),
    close([C, S]),
    _ = flush(),
    ok.

race(L, Port, End) ->
    Sockets = [
        begin
            {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, false}], ?WAIT),
            {ok, S} = gentcp:accept(L, ?WAIT),
            [C, S]
        end
     || _ <- [1, 2, 3]
    ],
    All = lists:append(Sockets),
    Pids = [spawn(fun() -> abuse(L, All) end) || _ <- lists:seq(1, 16)],
    timer:sleep(rand:uniform(60)), % any moment will do: nothing is awaited
    [kill(Pid) || Pid <- Pids],
    close(All),
    case erlang:monotonic_time(millisecond) < End of
        true -> race(L, Port, End);
        false -> ok
    end.

abuse(L, All) ->
    S = lists:nth(rand:uniform(length(All)), All),
    _ =
        case rand:uniform(40) of
            N when N =< 8 -> gentcp:send(S, rand:bytes(rand:uniform(20000)));
            N when N =< 16 -> gentcp:recv(S, 0, rand:uniform(3) - 1);
            N when N =< 20 -> gentcp:recv(S, rand:uniform(10000), 1);
            N when N =< 24 -> gentcp:setopts(S, [{active, once}]);
            N when N =< 26 -> gentcp:setopts(S, [{active, true}]);
            N when N =< 28 -> gentcp:setopts(S, [{active, rand:uniform(3)}]);
            N when N =< 32 -> gentcp:setopts(S, [{active, false}]);
            33 -> gentcp:setopts(S, [{packet, 4}]);
            34 -> gentcp:setopts(S, [{packet, raw}]);
            35 -> gentcp:unrecv(S, "abc");
            36 -> gentcp:accept(L, 0);
            37 -> gentcp:controlling_process(S, self());
            38 -> gentcp:getopts(S, [active, packet, nodelay]);
            39 -> rand:uniform(20) =:= 1 andalso gentcp:shutdown(S, write);
            40 -> rand:uniform(20) =:= 1 andalso gentcp:close(S)
        end,
    abuse(L, All).
