%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_active).

-export([rows/0]).

-import(behaviour_world, [pair/2, pair/3, reset/3, call/1, answer/1, kill/1, told/1, told/2, nothing/1, catching/1]).

rows() ->
    [
        {"active", fun active/2},
        {"active once", fun once/2},
        {"active N counts messages, and ends with tcp_passive", fun count/2},
        {"active N adds to a running N", fun count_adds/2},
        {"a sum above 32767 changes nothing", fun count_too_large/2},
        {"a sum of 0 or less is passive", fun count_too_small/2},
        {"active 0 on a passive socket", fun count_zero/2},
        {"from N to other modes", fun from_count/2},
        {"N out of range", fun count_range/2},
        {"controlling_process in every mode", fun every_mode/2},
        {"controlling_process by another, and to the present owner", fun not_owner/2},
        {"controlling_process to what is no process", fun no_process/2},
        {differs, "controlling_process to a dead process", fun dead_process/2},
        {"what the owner has not received goes to the new owner, in order", fun handed_over/2},
        {differs, "tcp_passive and http go to the new owner, too", fun handed_over_all/2},
        {"the end, active", fun ended/2},
        {"a reset, active", fun was_reset/2},
        {"a reset that is shown, active", fun reset_shown/2},
        {"a packet above packet_size, passive", fun too_large_passive/2},
        {"a packet above packet_size, active", fun too_large_active/2},
        {"an owner that traps exits hears of no exit", fun traps_exits/2},
        {"without exit_on_close, passive", fun stays_open/2},
        {"without exit_on_close, active", fun stays_open_active/2}
    ].

active(T, I) ->
    {H, P} = pair(T, I, [{active, true}]),
    ok = T:send(P, <<"first">>),
    First = told(H),
    ok = T:send(P, <<"second">>),
    {First, told(H), I:getopts(H, [active])}.

once(T, I) ->
    {H, P} = pair(T, I, [{active, once}, {packet, 1}]),
    ok = T:send(P, <<3, "one", 3, "two">>),
    First = {told(H), nothing(H), I:getopts(H, [active])},
    ok = I:setopts(H, [{active, once}]),
    {First, told(H)}.

count(T, I) ->
    {H, P} = pair(T, I, [{active, 2}, {packet, 1}]),
    ok = T:send(P, <<1, "a", 1, "b", 1, "c">>),
    {told(H, 3), nothing(H), I:getopts(H, [active]), T:recv(H, 0, 5000)}.

count_adds(T, I) ->
    {H, _} = pair(T, I, [{active, 3}]),
    ok = I:setopts(H, [{active, 4}]),
    ok = I:setopts(H, [{active, -2}]),
    I:getopts(H, [active]).

count_too_large(T, I) ->
    {H, _} = pair(T, I, [{active, 32767}]),
    {I:setopts(H, [{active, 1}]), I:getopts(H, [active])}.

count_too_small(T, I) ->
    {H, _} = pair(T, I, [{active, 5}]),
    {I:setopts(H, [{active, -9}]), I:getopts(H, [active]), nothing(H)}.

count_zero(T, I) ->
    {H, _} = pair(T, I),
    {I:setopts(H, [{active, 0}]), nothing(H)}.

from_count(T, I) ->
    {H, _} = pair(T, I, [{active, 5}]),
    [{I:setopts(H, [{active, 5}]), I:setopts(H, [{active, To}]), I:getopts(H, [active]), nothing(H)} || To <- [false, once, true]].

count_range(T, I) ->
    {H, _} = pair(T, I),
    [I:setopts(H, [{active, N}]) || N <- [32768, -32769, foo]].

every_mode(T, I) ->
    [
        begin
            {H, P} = pair(T, I, [{active, Mode}]),
            Call = call(fun() ->
                receive
                    yours -> ok
                end,
                Kept = I:getopts(H, [active]),
                ok = I:setopts(H, [{active, true}]),
                ok = T:send(P, <<"x">>),
                {Kept, told(H)}
            end),
            Result = T:controlling_process(H, element(1, Call)),
            element(1, Call) ! yours,
            {Result, answer(Call)}
        end
     || Mode <- [false, true, once, 5]
    ].

not_owner(T, I) ->
    {H, _} = pair(T, I),
    Self = self(),
    [answer(call(fun() -> T:controlling_process(H, self()) end)), answer(call(fun() -> T:controlling_process(H, Self) end))].

no_process(T, I) ->
    {H, _} = pair(T, I),
    catching(fun() -> T:controlling_process(H, foo) end).

dead_process(T, I) ->
    {H, _} = pair(T, I, [{active, true}]),
    Call = call(fun() -> receive never -> ok end end),
    ok = kill(Call),
    {T:controlling_process(H, element(1, Call)), I:getopts(H, [active])}.

%% That message is there, and stays the last.
await_mailbox(Message) ->
    receive
        Message -> self() ! Message
    after 5000 -> nothing
    end.

handed_over(T, I) ->
    {H, P} = pair(T, I, [{active, true}, {packet, 1}]),
    ok = T:send(P, <<1, "a", 1, "b", 1, "c">>),
    _ = await_mailbox({tcp, H, <<"c">>}),
    Call = call(fun() -> told(H, 5) end),
    Result = T:controlling_process(H, element(1, Call)),
    ok = T:send(P, <<1, "d">>),
    ok = T:close(P),
    {Result, nothing(H), answer(Call)}.

handed_over_all(T, I) ->
    {H, P} = pair(T, I, [{active, 1}, {packet, http}]),
    ok = T:send(P, <<"GET / HTTP/1.0\r\n">>),
    _ = await_mailbox({tcp_passive, H}),
    Call = call(fun() ->
        receive
            yours -> nothing(H)
        end
    end),
    Result = T:controlling_process(H, element(1, Call)),
    element(1, Call) ! yours,
    {Result, nothing(H), answer(Call)}.

ended(T, I) ->
    {H, P} = pair(T, I, [{active, true}]),
    ok = T:send(P, <<"last">>),
    ok = T:close(P),
    {told(H, 2), nothing(H), I:getopts(H, [active]), T:send(H, <<"x">>)}.

was_reset(T, I) ->
    {H, P} = pair(T, I, [{active, true}]),
    reset(T, I, P),
    {told(H), nothing(H)}.

reset_shown(T, I) ->
    {H, P} = pair(T, I, [{active, true}, {show_econnreset, true}]),
    reset(T, I, P),
    {told(H, 2), nothing(H)}.

too_large_passive(T, I) ->
    {H, P} = pair(T, I, [{packet, 4}, {packet_size, 5}]),
    ok = T:send(P, <<5:32, "fives", 6:32>>),
    [T:recv(H, 0, 5000) || _ <- [1, 2, 3]].

too_large_active(T, I) ->
    {H, P} = pair(T, I, [{active, true}, {packet, 4}, {packet_size, 5}]),
    ok = T:send(P, <<6:32>>),
    {told(H, 2), nothing(H)}.

traps_exits(T, I) ->
    Before = process_flag(trap_exit, true),
    {H, P} = pair(T, I, [{active, true}]),
    ok = T:close(P),
    {Before, told(H), nothing(H)}.

stays_open(T, I) ->
    {H, P} = pair(T, I, [{exit_on_close, false}]),
    ok = T:shutdown(P, write),
    First = [T:recv(H, 0, 5000) || _ <- [1, 2, 3]],
    {First, T:send(H, <<"reply">>), T:recv(P, 5, 5000)}.

stays_open_active(T, I) ->
    {H, P} = pair(T, I, [{exit_on_close, false}, {active, true}]),
    ok = T:shutdown(P, write),
    {told(H), nothing(H), T:send(H, <<"reply">>), T:recv(P, 5, 5000)}.
