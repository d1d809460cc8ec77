%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: who owns a socket, hears of it and hands it over.
-module(gentcp_owners_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, close/1, await_messages/1, kill/1, next/0, quiet/0, flush/0
]).

-export([all/0, suite/0]).
-export([
    hand_over_under_traffic/1,
    what_a_call_brings_about_is_there_when_it_returns/1,
    another_process_switches_active_under_traffic/1,
    new_owner_hands_on_at_once/1,
    owner_killed_while_handing_over/1,
    hand_over_holds_messages_back/1,
    failed_hand_over_gives_messages_back/1,
    messages_are_in_order_for_off_heap_receivers/1
]).

-define(WAIT, 5000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- owners ----

%% A chain of owners: each takes what it gets for a while and hands on; together they got every number once, in order.
hand_over_under_traffic(_) ->
    [hand_over_under_traffic(Active, Queue) || Active <- [true, once, 10], Queue <- [on_heap, off_heap]].

hand_over_under_traffic(Active, Queue) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Count = 20000,
    Self = self(),
    spawn_link(fun() -> [ok = gentcp:send(C, <<I:32>>) || I <- lists:seq(1, Count)] end),
    Last = spawn_owner(Queue, S, Active, infinity, none, Self),
    First = lists:foldl(
        fun(_, Next) -> spawn_owner(Queue, S, Active, 150, Next, Self) end, Last, lists:seq(1, 30)
    ),
    ok = gentcp:setopts(S, [{active, Active}]),
    ok = gentcp:controlling_process(S, First),
    First ! {yours, 1},
    receive
        {owner, Last, {got, Next}} -> ?assertEqual(Count + 1, Next);
        {owner, _, Wrong} -> error({Active, Queue, Wrong})
    after 30000 -> error({Active, Queue, flush()})
    end,
    close([C, S]),
    _ = flush(),
    ok.

spawn_owner(Queue, S, Active, Quota, Next, Report) ->
    spawn_opt(
        fun() ->
            receive
                {yours, From} -> own(S, Active, From, From, Quota, Next, Report)
            end
        end,
        [link, {message_queue_data, Queue}]
    ).

own(_S, _Active, 20001, _, _, none, Report) ->
    Report ! {owner, self(), {got, 20001}};
own(S, _Active, Number, From, Quota, Next, _Report) when is_integer(Quota), Number - From >= Quota ->
    ok = gentcp:controlling_process(S, Next),
    Next ! {yours, Number},
    ok;
own(S, Active, Number, From, Quota, Next, Report) ->
    receive
        {tcp, S, <<Number:32>>} ->
            Active =:= once andalso (ok = gentcp:setopts(S, [{active, once}])),
            own(S, Active, Number + 1, From, Quota, Next, Report);
        {tcp_passive, S} ->
            ok = gentcp:setopts(S, [{active, Active}]),
            own(S, Active, Number, From, Quota, Next, Report);
        Other ->
            Report ! {owner, self(), {expected, Number, Other}}
    after 10000 -> Report ! {owner, self(), {missing, Number, gentcp:getopts(S, [active])}}
    end.

%% Sockets that are active when their first message comes have another sender than the others.
what_a_call_brings_about_is_there_when_it_returns(_) ->
    [what_a_call_brings_about(Active) || Active <- [true, once, 10]],
    ok.

what_a_call_brings_about(Active) ->
    {C, S} = pair([binary, {active, false}, {packet, 1}]),
    ok = gentcp:unrecv(S, <<1, $a>>),
    ok = gentcp:setopts(S, [{active, Active}]),
    ?assertEqual({tcp, S, <<"a">>}, at_once()),
    ok = gentcp:setopts(S, [{active, false}]),
    ok = gentcp:unrecv(S, <<1, $b>>),
    ok = gentcp:setopts(S, [{active, Active}]),
    ?assertEqual({tcp, S, <<"b">>}, at_once()),
    close([C, S]),
    _ = flush(),
    ok.

at_once() ->
    receive Message -> Message
    after 0 -> none
    end.

another_process_switches_active_under_traffic(_) ->
    [switched_under_traffic(Queue) || Queue <- [on_heap, off_heap]],
    ok.

switched_under_traffic(Queue) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Owner = spawn_owner(Queue, S, true, infinity, none, Self),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:controlling_process(S, Owner),
    Owner ! {yours, 1},
    Switch = spawn_link(fun() -> switch(S) end),
    spawn_link(fun() -> [ok = gentcp:send(C, <<I:32>>) || I <- lists:seq(1, 20000)] end),
    receive
        {owner, Owner, Got} -> ?assertEqual({got, 20001}, Got)
    after 30000 -> error({Queue, flush()})
    end,
    Switch ! stop,
    close([C, S]),
    _ = flush(),
    ok.

switch(S) ->
    [gentcp:setopts(S, [{active, Active}]) || Active <- [false, true]],
    receive stop -> ok
    after 0 -> switch(S)
    end.

%% With the first message, and so before the old owner's controlling_process has returned, or just after.
new_owner_hands_on_at_once(_) ->
    [hand_on_at_once() || _ <- lists:seq(1, 30)],
    ok.

hand_on_at_once() ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Last = spawn_link(fun() -> forward_all(Self) end),
    Owner = spawn_link(fun() ->
        receive {tcp, S, <<1>>} = First -> Last ! First end,
        ok = gentcp:controlling_process(S, Last)
    end),
    ok = gentcp:setopts(S, [{active, true}]),
    [ok = gentcp:send(C, [I]) || I <- lists:seq(1, 10)],
    await_messages(10),
    spawn_link(fun() -> [ok = gentcp:send(C, [I]) || I <- lists:seq(11, 20)] end),
    ok = gentcp:controlling_process(S, Owner),
    [?assertEqual({Last, {tcp, S, <<I>>}}, next()) || I <- lists:seq(1, 20)],
    close([C, S]),
    unlink(Last),
    Monitor = monitor(process, Last),
    exit(Last, kill),
    receive {'DOWN', Monitor, process, Last, killed} -> ok end,
    _ = flush(), % it may have heard of the end, and passed that on
    ok.

%% Whenever it happens: either the new owner has the socket, and hears of it, or the socket is closed.
owner_killed_while_handing_over(_) ->
    Self = self(),
    Begin = fun({_, _, Handle}, New) ->
        pass_on = gentcp_nif:hand_over(Handle, New),
        Self ! paused,
        receive never -> ok end
    end,
    ?assertEqual(closed, kill_after(fun() -> paused = next() end, Begin)),
    Results = [
        kill_after(fun() -> lists:sum(lists:seq(1, Spins)) end, fun gentcp:controlling_process/2)
     || Spins <- lists:seq(0, 60000, 200)
    ],
    ct:pal("handed over ~b of ~b times", [length([ok || handed_over <- Results]), length(Results)]).

kill_after(Wait, HandOver) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    New = spawn_link(fun() -> forward_all(Self) end),
    Old = spawn(fun() ->
        receive go -> ok end,
        HandOver(S, New),
        receive never -> ok end
    end),
    ok = gentcp:controlling_process(S, Old),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, "a"),
    Old ! go,
    _ = Wait(),
    kill(Old),
    _ = gentcp:send(C, "b"),
    ok = gentcp:setopts(C, [{active, true}]),
    Result =
        receive
            {tcp_closed, C} -> closed;
            {New, {tcp, S, <<"b">>}} -> handed_over
        after ?WAIT -> error(neither)
        end,
    close([C, S]),
    unlink(New),
    kill(New),
    _ = flush(),
    Result.

hand_over_holds_messages_back(_) ->
    {C, {_, _, Handle} = S} = pair([binary, {active, false}, {packet, 4}]),
    Self = self(),
    Owner = spawn_link(fun() -> forward_all(Self) end),
    ok = gentcp:setopts(S, [{active, true}]),
    pass_on = gentcp_nif:hand_over(Handle, Owner),
    ok = gentcp:send(C, "held"),
    ?assertEqual({error, einval}, gentcp:recv(S, 0, 0)),
    ?assertEqual({ok, [{active, true}]}, gentcp:getopts(S, [active])),
    ok = gentcp:setopts(S, [{active, false}]),
    ok = gentcp:setopts(S, [{active, 0}]),
    ok = gentcp:setopts(S, [{active, once}]),
    quiet(),
    ok = gentcp_nif:pass_on(Handle, Owner, [first, second]),
    [
        ?assertEqual({Owner, Message}, next())
     || Message <- [first, second, {tcp_passive, S}, {tcp, S, <<"held">>}]
    ],
    close([C, S]),
    quiet().

failed_hand_over_gives_messages_back(_) ->
    {C, {_, _, Handle} = S} = pair([binary, {active, false}, {packet, 4}]),
    {Dead, Ref} = spawn_monitor(fun() -> receive stop -> ok end end),
    ok = gentcp:setopts(S, [{active, true}]),
    pass_on = gentcp_nif:hand_over(Handle, Dead),
    ok = gentcp:send(C, "x"),
    Dead ! stop,
    ?assertMatch({'DOWN', Ref, process, Dead, _}, next()),
    ?assertEqual({error, badarg}, gentcp_nif:pass_on(Handle, Dead, [first, second])),
    ?assertEqual([first, second, {tcp, S, <<"x">>}], [next(), next(), next()]),
    Other = spawn_link(fun() -> receive stop -> ok end end),
    pass_on = gentcp_nif:hand_over(Handle, Other),
    ok = gentcp_nif:abort(Handle),
    quiet(),
    ?assertEqual({error, closed}, gentcp_nif:pass_on(Handle, Other, [third])),
    ?assertEqual([third, {tcp_closed, S}], [next(), next()]),
    Other ! stop,
    close([C, S]),
    quiet().

forward_all(To) ->
    receive
        Message ->
            To ! {self(), Message},
            forward_all(To)
    end.

%% Messages come from the driver's callback and from NIF calls of other processes; whoever sends, the order is the
%% stream's.
messages_are_in_order_for_off_heap_receivers(_) ->
    {C, S} = pair([binary, {active, false}, {packet, 4}]),
    Count = 30000,
    Self = self(),
    Receiver = spawn_opt(
        fun() ->
            receive go -> ok end,
            Self ! {in_order, in_order(S, 1, Count)}
        end,
        [link, {message_queue_data, off_heap}, {priority, high}]
    ),
    ok = gentcp:controlling_process(S, Receiver),
    Receiver ! go,
    ok = gentcp:setopts(S, [{active, 100}]),
    [spawn_link(fun() -> poke(S) end) || _ <- [1, 2, 3]],
    spawn_link(fun() -> [ok = gentcp:send(C, <<I:32>>) || I <- lists:seq(1, Count)] end),
    receive {in_order, Result} -> ?assertEqual(ok, Result) after 30000 -> error(stuck) end,
    close([C, S]).

%% Other processes' calls read, too, and so deliver.
poke(S) ->
    case gentcp:setopts(S, [{active, 7}]) of
        ok -> poke(S);
        {error, einval} -> erlang:yield(), poke_unless_closed(S)
    end.

%% einval is also what a sum above 32767 gets.
poke_unless_closed(S) ->
    case gentcp:getopts(S, [active]) of
        {ok, _} -> poke(S);
        {error, einval} -> ok
    end.

in_order(_S, Number, Count) when Number > Count ->
    ok;
in_order(S, Number, Count) ->
    receive
        {tcp, S, <<Number:32>>} -> in_order(S, Number + 1, Count);
        {tcp_passive, S} -> in_order(S, Number, Count);
        Other -> {expected, Number, Other}
    after ?WAIT -> {missing, Number}
    end.
