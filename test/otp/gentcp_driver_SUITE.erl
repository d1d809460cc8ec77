%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: many sockets, the life of its driver, and upgrades.
-module(gentcp_driver_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, close/1, echo/1, spawn_recv/1, await_blocked/1, next/0, until/1
]).

-export([all/0, suite/0]).
%% Called on another node.
-export([upgrade/0, refuse/1, refuse_number/1, purge/1]).
-export([
    many_connections_echo/1,
    sockets_live_without_references/1,
    nothing_is_left/1,
    drivers_end_closes_and_the_next_call_starts_another/1,
    the_application_takes_over_the_driver/1,
    the_application_flushes_before_it_stops/1,
    the_poller_lingers_after_traffic_and_then_sleeps/1,
    a_new_poller_sleeps_until_there_is_traffic/1,
    lingering_lets_processes_run/1,
    a_recv_that_has_to_wait_looks_itself_while_the_poller_lingers/1,
    such_a_recv_looks_again_and_again/1,
    it_does_not_where_several_sockets_are_busy/1,
    it_does_not_where_a_process_can_run/1,
    a_bad_linger_time_is_refused/1,
    new_erlang_code_keeps_the_sockets/1,
    new_native_code_is_refused/1,
    another_interface_is_refused/1,
    purged_native_code_makes_room/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), not lists:member(Name, [module_info, refuse, refuse_number, purge])].

%% ---- many ----

many_connections_echo(_) ->
    {ok, L} = gentcp:listen(0, [binary, {active, false}, {backlog, 1000}]),
    {ok, Port} = gentcp:port(L),
    Self = self(),
    Server = spawn_link(fun() -> accept_loop(L) end),
    Clients = [
        spawn_link(fun() ->
            Mode = lists:nth(I rem 3 + 1, [false, true, once]),
            {ok, C} = gentcp:connect(?LOCAL, Port, [binary, {active, Mode}], ?WAIT),
            [client_turn(C, Mode, rand:bytes(rand:uniform(2000))) || _ <- lists:seq(1, 50)],
            ok = gentcp:close(C),
            Self ! {finished, self()}
        end)
     || I <- lists:seq(1, 300)
    ],
    [receive {finished, Pid} -> ok after 30000 -> error(stuck) end || Pid <- Clients],
    unlink(Server),
    exit(Server, kill),
    close([L]).

accept_loop(L) ->
    case gentcp:accept(L) of
        {ok, S} ->
            Pid = spawn(fun() ->
                receive go -> ok end,
                echo(S)
            end),
            ok = gentcp:controlling_process(S, Pid),
            Pid ! go,
            accept_loop(L);
        {error, closed} ->
            ok
    end.

client_turn(C, false, Data) ->
    ok = gentcp:send(C, Data),
    {ok, Data} = gentcp:recv(C, byte_size(Data), ?WAIT);
client_turn(C, Mode, Data) ->
    ok = gentcp:send(C, Data),
    Data = gather(C, Mode, byte_size(Data), []).

gather(C, Mode, Missing, Parts) ->
    receive
        {tcp, C, Part} ->
            Mode =:= once andalso (ok = gentcp:setopts(C, [{active, once}])),
            case Missing - byte_size(Part) of
                0 -> iolist_to_binary(lists:reverse(Parts, [Part]));
                Rest -> gather(C, Mode, Rest, [Part | Parts])
            end
    after ?WAIT -> error(silence)
    end.

%% An open socket that nobody can name any more still belongs to its owner.
sockets_live_without_references(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {ok, Port} = gentcp:port(L),
    Self = self(),
    Owner = spawn_link(fun() ->
        {ok, _} = gentcp:connect(?LOCAL, Port, [binary]),
        Self ! connected,
        receive stop -> ok end
    end),
    {ok, S} = gentcp:accept(L, ?WAIT),
    connected = next(),
    erlang:garbage_collect(Owner),
    ok = gentcp:send(S, "x"),
    until(fun() -> process_info(Owner, message_queue_len) =:= {message_queue_len, 1} end),
    Owner ! stop,
    ?assertEqual({error, closed}, gentcp:recv(S, 0, ?WAIT)),
    close([S, L]).

%% Descriptors: failed connects, refused options, dead owners and closed listeners give theirs back.
nothing_is_left(_) ->
    Round = fun() ->
        {C, S} = pair([]),
        {ok, Port} = gentcp:port(S),
        catch gentcp:connect(?LOCAL, Port, [{nodelay, 3}]),
        {error, timeout} = gentcp:connect(?LOCAL, Port, [], 0),
        {error, eaddrinuse} = gentcp:listen(Port, []),
        close([C, S]),
        {error, econnrefused} = gentcp:connect(?LOCAL, Port, [], ?WAIT),
        {Pid, Ref} = spawn_monitor(fun() ->
            {C2, _S2} = pair([]),
            gentcp:recv(C2, 0, 1)
        end),
        {'DOWN', Ref, process, Pid, normal} = next()
    end,
    Round(),
    Before = descriptors(),
    [Round() || _ <- lists:seq(1, 100)],
    until(fun() -> descriptors() =< Before end).

descriptors() ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    length(Names).

%% ---- the driver ----

drivers_end_closes_and_the_next_call_starts_another(_) ->
    [
        begin
            {ok, L} = gentcp:listen(0, []),
            {C, S} = pair([binary, {active, false}]),
            ok = gentcp:setopts(C, [{active, true}]),
            Waiting = spawn_recv(S),
            Accepting = spawn_link(fun() -> Self ! {self(), gentcp:accept(L)} end),
            await_blocked(Waiting),
            await_blocked(Accepting),
            Driver = whereis(gentcp_driver),
            exit(Driver, Reason),
            ?assertEqual(
                lists:sort([{tcp_closed, C}, {Waiting, {error, closed}}, {Accepting, {error, closed}}]),
                lists:sort([next(), next(), next()])
            ),
            until(fun() -> not is_process_alive(Driver) end),
            ?assertEqual({error, closed}, gentcp:send(C, "x")),
            {C2, S2} = pair([]),
            ?assertNotEqual(Driver, whereis(gentcp_driver)),
            close([C, S, C2, S2, L])
        end
     || Self <- [self()], Reason <- [kill, kill, kill]
    ].

the_application_takes_over_the_driver(_) ->
    {C, S} = pair([binary, {active, false}]),
    Driver = whereis(gentcp_driver),
    ok = application:start(gentcp),
    ?assertEqual(Driver, whereis(gentcp_driver)),
    ok = gentcp:send(C, "x"),
    ?assertEqual({ok, <<"x">>}, gentcp:recv(S, 1, ?WAIT)),
    exit(Driver, kill),
    until(fun() -> not lists:member(whereis(gentcp_driver), [undefined, Driver]) end),
    {C2, S2} = pair([]),
    ok = application:stop(gentcp),
    ?assertEqual(undefined, whereis(gentcp_driver)),
    close([C, S, C2, S2]),
    {C3, S3} = pair([]),
    close([C3, S3]).

the_application_flushes_before_it_stops(_) ->
    ok = application:start(gentcp),
    Data = rand:bytes(3000000),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    [Open, Closed] = [
        begin
            {ok, C} = gentcp:connect(?LOCAL, Port, [{active, false}, {sndbuf, 10000}]),
            {ok, S} = gen_tcp:accept(L),
            ok = gentcp:send(C, Data),
            {C, S}
        end
     || _ <- [1, 2]
    ],
    Closer = spawn_link(fun() -> gentcp:close(element(1, Closed)) end),
    await_blocked(Closer),
    Stopper = spawn_link(fun() -> application:stop(gentcp) end),
    [?assertEqual({ok, Data}, gen_tcp:recv(S, byte_size(Data), ?WAIT)) || {_, S} <- [Open, Closed]],
    until(fun() -> not is_process_alive(Stopper) end),
    [?assertEqual({error, closed}, gen_tcp:recv(S, 0, ?WAIT)) || {_, S} <- [Open, Closed]],
    ok = gen_tcp:close(L).

%% ---- lingering ----

the_poller_lingers_after_traffic_and_then_sleeps(_) ->
    ?assert(runs_of_an_echo() < 30),
    with_linger(100_000, fun() -> ?assert(runs_of_an_echo() > 300) end),
    ?assert(runs_of_an_echo() < 30).

a_new_poller_sleeps_until_there_is_traffic(_) ->
    with_linger(100_000, fun() ->
        Driver = whereis(gentcp_driver),
        exit(Driver, kill),
        until(fun() -> not lists:member(whereis(gentcp_driver), [undefined, Driver]) end),
        {ok, L} = gentcp:listen(0, []),
        ?assert(asleep()),
        close([L])
    end).

%% How often the poller has run when it sleeps again.
runs_of_an_echo() ->
    {C, S} = pair([binary]),
    until(fun asleep/0),
    Before = runs(),
    Receiver = spawn_recv(S),
    await_blocked(Receiver),
    ok = gentcp:send(C, "ping"),
    {Receiver, {ok, <<"ping">>}} = next(),
    until(fun asleep/0),
    Runs = runs() - Before,
    close([C, S]),
    Runs.

asleep() ->
    Runs = runs(),
    timer:sleep(20),
    Runs =:= runs().

runs() ->
    maps:get(runs, gentcp:info()).

with_linger(Microseconds, Fun) ->
    ok = application:set_env(gentcp, linger, Microseconds),
    {ok, _} = application:ensure_all_started(gentcp),
    try
        Fun()
    after
        ok = application:stop(gentcp),
        ok = application:set_env(gentcp, linger, 0)
    end.

a_recv_that_has_to_wait_looks_itself_while_the_poller_lingers(_) ->
    on_one_scheduler(fun() ->
        ?assertEqual(never_asked, recv_looks(1, 20)),
        with_linger(1_000_000, fun() ->
            until(fun() -> recv_looks(1, 20) =:= true end),
            ?assertEqual(false, recv_looks(1, 0))
        end),
        ?assertEqual(never_asked, recv_looks(1, 20))
    end).

it_does_not_where_several_sockets_are_busy(_) ->
    on_one_scheduler(fun() ->
        with_linger(1_000_000, fun() -> until(fun() -> recv_looks(5, 20) =:= never_asked end) end)
    end).

it_does_not_where_a_process_can_run(_) ->
    on_one_scheduler(fun() ->
        with_linger(1_000_000, fun() ->
            Busy = spawn_link(fun Work() -> Work() end),
            ?assertEqual(false, recv_looks(1, 20)),
            unlink(Busy),
            exit(Busy, kill)
        end)
    end).

%% Whether a recv looks that comes soon after so many sockets have received; never_asked: that was no question.
recv_looks(Sockets, Timeout) ->
    Pairs = [pair([binary]) || _ <- lists:seq(1, Sockets)],
    Receivers = [spawn_recv(S) || {_, S} <- Pairs],
    [await_blocked(Receiver) || Receiver <- Receivers],
    [ok = gentcp:send(C, "ping") || {C, _} <- Pairs],
    [receive {Receiver, {ok, <<"ping">>}} -> ok after ?WAIT -> error(silence) end || Receiver <- Receivers],
    {_, S} = hd(Pairs),
    Asker = spawn_link(fun() -> receive go -> {error, timeout} = gentcp:recv(S, 0, Timeout) end end),
    _ = erlang:trace_pattern({gentcp_nif, recv, 4}, true, [local]),
    1 = erlang:trace(Asker, true, [call]),
    Monitor = monitor(process, Asker),
    _ = erlang:send_after(1, Asker, go), % when this process waits
    receive {'DOWN', Monitor, process, Asker, normal} -> ok after ?WAIT -> error(silence) end,
    Delivered = erlang:trace_delivered(Asker),
    receive {trace_delivered, Asker, Delivered} -> ok end,
    close([Socket || {A, B} <- Pairs, Socket <- [A, B]]),
    receive {trace, Asker, call, {gentcp_nif, recv, [_, _, _, Looks]}} -> Looks after 0 -> never_asked end.

such_a_recv_looks_again_and_again(_) ->
    with_linger(1_000_000, fun() ->
        {C, {_, _, Handle} = S} = pair([binary]),
        until(fun() ->
            #{runs := Before} = gentcp_nif:totals(),
            wait = gentcp_nif:recv(Handle, 0, Ref = make_ref(), true),
            #{runs := Then} = gentcp_nif:totals(),
            true = gentcp_nif:cancel(Handle, Ref),
            Then - Before >= 16
        end),
        close([C, S])
    end).

%% On a single scheduler: would the poller hold it while it lingers, the processes were done when that is over.
lingering_lets_processes_run(_) ->
    on_one_scheduler(fun() ->
        Self = self(),
        Partner = spawn_link(fun() -> bounce(Self, Self) end),
        with_linger(1_000_000, fun() ->
            {C, S} = pair([binary]),
            ok = gentcp:send(C, "ping"),
            {ok, <<"ping">>} = gentcp:recv(S, 4, ?WAIT),
            Before = runs(),
            [begin Partner ! self(), receive Partner -> ok end end || _ <- lists:seq(1, 10_000)],
            Then = runs(),
            ?assert(Then > Before),
            until(fun() -> runs() > Then end),
            close([C, S])
        end),
        unlink(Partner),
        exit(Partner, kill)
    end).

on_one_scheduler(Fun) ->
    Schedulers = erlang:system_flag(schedulers_online, 1),
    try
        Fun()
    after
        erlang:system_flag(schedulers_online, Schedulers)
    end.

bounce(From, To) ->
    receive From -> To ! self() end,
    bounce(From, To).

a_bad_linger_time_is_refused(_) ->
    [
        begin
            ok = application:set_env(gentcp, linger, Bad),
            ?assertMatch({error, {gentcp, {{linger, Bad}, _}}}, application:ensure_all_started(gentcp))
        end
     || Bad <- [-1, 1_000_001, 1.0, often]
    ],
    ok = application:set_env(gentcp, linger, 0).

%% ---- upgrades ----

new_erlang_code_keeps_the_sockets(Config) ->
    with_node(Config, fun(Call, _) -> ?assertEqual(ok, Call(upgrade, [])) end).

upgrade() ->
    {C, S} = pair([binary, {active, false}]),
    Waiting = spawn_recv(S),
    await_blocked(Waiting),
    [
        begin
            {module, gentcp_nif} = code:load_file(gentcp_nif),
            ok = gentcp:send(C, "x"),
            {Waiting, {ok, <<"x">>}} = next(),
            ok = gentcp:send(S, "y"),
            {ok, <<"y">>} = gentcp:recv(C, 1, ?WAIT),
            Waiting ! again,
            true = code:soft_purge(gentcp_nif),
            {C2, S2} = pair([]),
            close([C2, S2]),
            await_blocked(Waiting)
        end
     || _ <- [1, 2, 3]
    ],
    close([C, S]),
    ok.

new_native_code_is_refused(Config) ->
    with_node(Config, fun(Call, Other) -> ?assertEqual(ok, Call(refuse, [Other])) end).

%% The same bytes in another place are another library.
refuse(OtherEbin) ->
    {C, S} = pair([binary, {active, false}]),
    true = code:add_patha(OtherEbin),
    {error, on_load_failure} = code:load_file(gentcp_nif),
    ok = gentcp:send(C, "x"),
    {ok, <<"x">>} = gentcp:recv(S, 1, ?WAIT),
    {C2, S2} = pair([]),
    close([C, S, C2, S2]),
    ok.

another_interface_is_refused(Config) ->
    with_node(Config, fun(Call, Other) -> ?assertEqual(ok, Call(refuse_number, [Other])) end).

%% Erlang code that expects other native functions than those in memory.
refuse_number(_) ->
    {C, S} = pair([binary, {active, false}]),
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(gentcp_nif), [abstract_code]),
    {ok, gentcp_nif, Beam} = compile:forms([next_interface(Form) || Form <- Forms]),
    {error, on_load_failure} = code:load_binary(gentcp_nif, code:which(gentcp_nif), Beam),
    ok = gentcp:send(C, "x"),
    {ok, <<"x">>} = gentcp:recv(S, 1, ?WAIT),
    close([C, S]),
    ok.

next_interface({function, _, load, 0, _} = Load) ->
    erl_syntax:revert(
        erl_syntax_lib:map(
            fun(Node) ->
                case erl_syntax:type(Node) of
                    integer -> erl_syntax:integer(erl_syntax:integer_value(Node) + 1);
                    _ -> Node
                end
            end,
            Load
        )
    );
next_interface(Form) ->
    Form.

purged_native_code_makes_room(Config) ->
    with_node(Config, fun(Call, Other) -> ?assertEqual(ok, Call(purge, [Other])) end).

%% Sockets don't outlive the native code that made them; after it comes the same, or another copy.
purge(OtherEbin) ->
    First = gentcp_nif:driver(),
    replace_native_code(),
    First = gentcp_nif:driver(),
    true = code:add_patha(OtherEbin),
    replace_native_code(),
    true = First =/= gentcp_nif:driver(),
    ok.

replace_native_code() ->
    {C, S} = pair([binary, {active, false}]),
    Waiting = spawn_recv(S),
    await_blocked(Waiting),
    ok = gentcp:setopts(C, [{active, true}]),
    true = code:delete(gentcp_nif),
    _ = code:purge(gentcp_nif),
    ?assertError(badarg, gentcp:send(C, "x")),
    {C2, S2} = pair([binary, {active, false}]),
    ?assertEqual(lists:sort([{tcp_closed, C}, {Waiting, {error, closed}}]), lists:sort([next(), next()])),
    ok = gentcp:send(C2, "x"),
    {ok, <<"x">>} = gentcp:recv(S2, 1, ?WAIT),
    close([C2, S2]).

%% A node with an application of its own, and where there is another.
with_node(Config, Fun) ->
    [Ebin, OtherEbin] = [copy_application(Config, Name) || Name <- ["one", "other"]],
    {ok, Node, _} = peer:start_link(#{
        connection => standard_io, args => ["-pa", Ebin, filename:dirname(code:which(?MODULE))]
    }),
    Fun(fun(Function, Args) -> peer:call(Node, ?MODULE, Function, Args) end, OtherEbin),
    peer:stop(Node).

copy_application(Config, Name) ->
    Copy = filename:join([proplists:get_value(priv_dir, Config), Name, "gentcp"]),
    copy(filename:join(gentcp_nif:directory(), "gentcp_nif.so"), filename:join([Copy, "priv", "gentcp_nif.so"])),
    [copy(Beam, filename:join([Copy, "ebin", filename:basename(Beam)])) || Beam <- beams()],
    filename:join(Copy, "ebin").

beams() ->
    filelib:wildcard(filename:join(filename:dirname(code:which(gentcp)), "*.beam")).

copy(From, To) ->
    ok = filelib:ensure_dir(To),
    {ok, _} = file:copy(From, To).
