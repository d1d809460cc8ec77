%% SPDX-License-Identifier: Apache-2.0
%% Options: the plain ones are set and read as on inet, and those that only Erlang has do what they say.
-module(gentcp_options_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [
    pair/1, close/1, next/0
]).

-export([all/0, suite/0]).
-export([
    values_are_set_and_read_as_on_inet/1,
    bad_values_are_refused_as_on_inet/1,
    options_of_newer_otp_are_set_and_read/1,
    raw_options_are_set_and_read/1,
    raw_options_that_cannot_be_are_einval/1,
    bind_to_device_is_a_binary/1,
    pktoptions_are_what_came_with_the_last_segment/1,
    timeout_is_the_default_of_accept/1,
    timeout_is_the_default_of_recv/1,
    timeout_is_the_default_of_connect/1,
    a_timeout_that_is_given_wins/1,
    header_splits_binaries_as_inet_does/1,
    header_and_deliver_are_inherited/1,
    deliver_port_changes_data_only/1,
    hand_over_passes_on_what_deliver_port_sent/1,
    binary_and_inet_backend_anywhere/1,
    delay_send_sends/1,
    bad_options_exit_and_setopts_is_einval/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).
-define(NODELAY, {6, 1}). % IPPROTO_TCP, TCP_NODELAY

suite() ->
    [{timetrap, {seconds, 30}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

%% ---- compared with inet ----

values_are_set_and_read_as_on_inet(_) ->
    Values = [
        {tos, 16},
        {ttl, 33},
        {ttl, -1},
        {recvtos, true},
        {recvttl, true},
        {dontroute, true},
        {dontroute, false},
        {high_msgq_watermark, 1000},
        {low_msgq_watermark, 9000},
        {delay_send, true},
        {delay_send, false},
        {header, 3},
        {deliver, port},
        {deliver, term},
        {priority, 3},
        {mode, binary},
        {packet, 2},
        {linger, {true, 2}}
    ],
    both(fun(_, S) ->
        Each = [
            begin
                Result = inet:setopts(S, [Value]),
                {Value, Result, inet:getopts(S, [Name, high_msgq_watermark, low_msgq_watermark])}
            end
         || {Name, _} = Value <- Values
        ],
        {Each, inet:getopts(S, [tclass, recvtclass, nodelay])}
    end).

bad_values_are_refused_as_on_inet(_) ->
    Bad = [
        {tclass, 8},
        {recvtclass, true},
        {ttl, 0},
        {ttl, 256},
        {tos, foo},
        {recvtos, 1},
        {high_msgq_watermark, 0},
        {low_msgq_watermark, -1},
        {header, -1},
        {deliver, foo},
        {bind_to_device, "lo"},
        {bind_to_device, <<"no such one">>},
        {bind_to_device, <<"a name that is too long">>},
        {raw, 6, 1, "abcd"},
        {raw, 6, 1},
        {raw, foo, 1, <<0:32>>}
    ],
    both(fun(_, S) -> [{Option, inet:setopts(S, [Option])} || Option <- Bad] end),
    both(fun(Module, _) ->
        %% Through tcp_module, inet only exits for what its Erlang code refuses.
        [
            case catch gen_tcp:listen(0, [{tcp_module, Module}, Option]) of
                {'EXIT', badarg} -> refused;
                {error, einval} -> refused;
                Other -> {Option, Other}
            end
         || Option <- Bad
        ]
    end),
    both(fun(_, S) -> [inet:getopts(S, [Name]) || Name <- [raw, binary, timeouts, {raw, 6, 1}]] end).

header_splits_binaries_as_inet_does(_) ->
    Sizes = [0, 1, 3, 4, 65535],
    Passive = fun(_, S, Peer) ->
        [
            begin
                ok = inet:setopts(S, [{header, N}, {mode, Mode}]),
                ok = gen_tcp:send(Peer, "abc"),
                {N, gen_tcp:recv(S, 0, ?WAIT)}
            end
         || N <- Sizes, Mode <- [binary, list]
        ]
    end,
    Active = fun(_, S, Peer) ->
        [
            begin
                ok = inet:setopts(S, [{header, N}, {mode, Mode}, {active, once}]),
                ok = gen_tcp:send(Peer, "abc"),
                receive
                    {tcp, S, Data} -> {N, Data}
                after ?WAIT -> error(silence)
                end
            end
         || N <- Sizes, Mode <- [binary, list]
        ]
    end,
    both_with_peer([{packet, 1}], Passive),
    both_with_peer([{packet, 1}], Active),
    %% Large enough to be handed over in a buffer of its own.
    {C, S} = pair([binary, {packet, 4}, {header, 2}]),
    Large = binary:copy(<<"0123456789">>, 20000),
    ok = gentcp:send(C, Large),
    {ok, [$0, $1 | Rest]} = gentcp:recv(S, 0, ?WAIT),
    ?assertEqual(binary:part(Large, 2, 199998), Rest),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, Large),
    receive
        {tcp, S, [$0, $1 | Again]} -> ?assertEqual(Rest, Again)
    after ?WAIT -> error(silence)
    end,
    close([C, S]).

%% ---- options of the system ----

options_of_newer_otp_are_set_and_read(_) ->
    Values = [
        {keepidle, 100},
        {keepintvl, 20},
        {keepcnt, 5},
        {reuseport, true},
        {reuseport_lb, true},
        {exclusiveaddruse, true},
        {debug, true},
        {timeout, 50}
    ],
    {ok, L} = gentcp:listen(0, [{ip, ?LOCAL} | Values]),
    ?assertEqual({ok, Values}, gentcp:getopts(L, [Name || {Name, _} <- Values])),
    close([L]).

raw_options_are_set_and_read(_) ->
    {C, S} = pair([]),
    {Level, Name} = ?NODELAY,
    Read = fun() -> gentcp:getopts(S, [{raw, Level, Name, 4}]) end,
    ?assertEqual({ok, [{raw, Level, Name, <<0:32/native>>}]}, Read()),
    ok = gentcp:setopts(S, [{raw, Level, Name, <<1:32/native>>}]),
    ?assertEqual({ok, [{raw, Level, Name, <<1:32/native>>}]}, Read()),
    ?assertEqual({ok, [{nodelay, true}]}, gentcp:getopts(S, [nodelay])),
    ?assertEqual(
        {ok, [{raw, Level, Name, <<1:32/native>>}]}, gentcp:getopts(S, [{raw, Level, Name, <<0:32>>}])
    ),
    ?assertMatch({ok, [{raw, Level, Name, <<_:16>>}]}, gentcp:getopts(S, [{raw, Level, Name, 2}])),
    ?assertEqual({ok, [{nodelay, true}]}, gentcp:getopts(S, [{raw, Level, 9999, 4}, nodelay])),
    {ok, L} = gentcp:listen(0, [{raw, Level, Name, <<1:32/native>>}]),
    ?assertEqual({ok, [{nodelay, true}]}, gentcp:getopts(L, [nodelay])),
    close([C, S, L]).

raw_options_that_cannot_be_are_einval(_) ->
    {C, S} = pair([]),
    [
        ?assertEqual({error, einval}, gentcp:getopts(S, [Wanted]))
     || Wanted <- [{raw, 6, 1, -1}, {raw, 6, 1, 1 bsl 30}, {raw, 6, 1, foo}, {raw, foo, 1, 4}, {raw, 6, 1}]
    ],
    close([C, S]),
    ?assertEqual({error, einval}, gentcp:getopts(S, [{raw, 6, 1, 4}])).

bind_to_device_is_a_binary(_) ->
    {C, S} = pair([]),
    ?assertEqual({ok, [{bind_to_device, <<>>}]}, gentcp:getopts(S, [bind_to_device])),
    case gentcp:setopts(S, [{bind_to_device, <<"lo">>}]) of
        ok -> ?assertEqual({ok, [{bind_to_device, <<"lo">>}]}, gentcp:getopts(S, [bind_to_device]));
        {error, eperm} -> ok % older kernels: root only
    end,
    close([C, S]).

%% ---- options of Erlang ----

timeout_is_the_default_of_accept(_) ->
    {ok, L} = gentcp:listen(0, [{timeout, 10}]),
    ?assertEqual({error, timeout}, gentcp:accept(L)),
    close([L]).

timeout_is_the_default_of_recv(_) ->
    {C, S} = pair([{timeout, 10}]),
    ?assertEqual({error, timeout}, gentcp:recv(S, 0)),
    ok = gentcp:setopts(S, [{timeout, infinity}]),
    ?assertEqual({ok, [{timeout, infinity}]}, gentcp:getopts(S, [timeout])),
    ok = gentcp:send(C, "late"),
    ?assertEqual({ok, "late"}, gentcp:recv(S, 4)),
    close([C, S]).

timeout_is_the_default_of_connect(_) ->
    {ok, L} = gentcp:listen(0, []),
    {ok, Port} = gentcp:port(L),
    ?assertEqual({error, timeout}, gentcp:connect(?LOCAL, Port, [{timeout, 5000}, {timeout, 0}])),
    {ok, C} = gentcp:connect(?LOCAL, Port, [{timeout, 0}, {timeout, 5000}]),
    ?assertExit(badarg, gentcp:connect(?LOCAL, Port, [{timeout, -1}])),
    ?assertExit(badarg, gentcp:listen(0, [{timeout, foo}])),
    close([C, L]).

a_timeout_that_is_given_wins(_) ->
    {C, S} = pair([{timeout, 0}]),
    Self = self(),
    Reader = spawn_link(fun() -> Self ! {self(), gen_tcp:recv(S, 0)} end), % passes infinity
    ?assertEqual(timeout, receive {Reader, _} = Early -> Early after 50 -> timeout end),
    ok = gentcp:send(C, "x"),
    ?assertEqual({Reader, {ok, "x"}}, receive {Reader, _} = Late -> Late after ?WAIT -> silence end),
    close([C, S]).

header_and_deliver_are_inherited(_) ->
    {C, S} = pair([binary, {header, 2}, {deliver, port}]),
    ?assertEqual({ok, [{header, 2}, {deliver, port}]}, gentcp:getopts(S, [header, deliver])),
    close([C, S]).

deliver_port_changes_data_only(_) ->
    {C, S} = pair([binary, {deliver, port}, {packet, 1}]),
    ok = gentcp:setopts(S, [{active, 1}]),
    ok = gentcp:send(C, "one"),
    ?assertEqual({S, {data, <<"one">>}}, next()),
    ?assertEqual({tcp_passive, S}, next()),
    ok = gentcp:setopts(S, [{active, true}, list]),
    ok = gentcp:send(C, "two"),
    ?assertEqual({S, {data, "two"}}, next()),
    close([C]),
    ?assertEqual({tcp_closed, S}, next()).

hand_over_passes_on_what_deliver_port_sent(_) ->
    {C, S} = pair([binary, {deliver, port}, {packet, 1}]),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, "one"),
    ok = gentcp:send(C, "two"),
    Self = self(),
    receive
        {S, {data, <<"one">>}} = First -> Self ! First % both are in the mailbox now, or on their way
    after ?WAIT -> error(silence)
    end,
    New = spawn_link(fun() -> Self ! {self(), [next(), next()]}, next() end),
    ok = gentcp:controlling_process(S, New),
    ?assertEqual(
        {New, [<<"one">>, <<"two">>]},
        receive
            {New, Messages} -> {New, lists:sort([Data || {Socket, {data, Data}} <- Messages, Socket =:= S])}
        after ?WAIT -> silence
        end
    ),
    close([C]).

binary_and_inet_backend_anywhere(_) ->
    {C, S} = pair([{packet, 1}, {inet_backend, socket}, {binary, true}, {inet_backend, inet}]),
    ok = gentcp:send(C, "x"),
    ?assertEqual({ok, <<"x">>}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:setopts(S, [{binary, false}]),
    ok = gentcp:send(C, "x"),
    ?assertEqual({ok, "x"}, gentcp:recv(S, 0, ?WAIT)),
    ?assertExit(badarg, gentcp:listen(0, [{inet_backend, foo}])),
    close([C, S]).

delay_send_sends(_) ->
    {C, S} = pair([binary, {delay_send, true}]),
    [ok = gentcp:send(C, integer_to_binary(N rem 10)) || N <- lists:seq(1, 500)],
    ?assertEqual({ok, << <<(integer_to_binary(N rem 10))/binary>> || N <- lists:seq(1, 500) >>}, gentcp:recv(S, 500, ?WAIT)),
    ok = gentcp:send(C, "last"),
    close([C]),
    ?assertEqual({ok, <<"last">>}, gentcp:recv(S, 4, ?WAIT)),
    close([S]).

pktoptions_are_what_came_with_the_last_segment(_) ->
    [
        ?assertEqual({ok, [{pktoptions, Wanted}]}, pktoptions(Module, ?LOCAL, Receive, Send))
     || Module <- [gen_tcp, gentcp],
        {Receive, Send, Wanted} <- [
            {[], [{tos, 96}], []},
            {[{recvtos, true}], [{tos, 96}], [{tos, 96}]},
            {[{recvttl, true}], [{ttl, 33}], [{ttl, 33}]}
        ]
    ],
    Both = fun(Module) -> pktoptions(Module, ?LOCAL, [{recvtos, true}, {recvttl, true}], [{tos, 96}, {ttl, 33}]) end,
    {ok, [{pktoptions, List}]} = Both(gentcp),
    ?assertEqual([{tos, 96}, {ttl, 33}], lists:sort(List)),
    ?assertEqual({ok, [{pktoptions, List}]}, Both(gen_tcp)),
    Class = fun(Module) ->
        pktoptions(Module, {0, 0, 0, 0, 0, 0, 0, 1}, [inet6, {recvtclass, true}], [inet6, {tclass, 224}])
    end,
    ?assertEqual(Class(gen_tcp), Class(gentcp)),
    {C, S} = pair([]),
    ?assertEqual({error, einval}, gentcp:setopts(S, [{pktoptions, []}])),
    close([C, S]).

pktoptions(Module, Address, Receive, Send) ->
    {ok, L} = Module:listen(0, [{ip, Address}, {active, false} | Receive]),
    {ok, Port} = inet:port(L),
    {ok, C} = Module:connect(Address, Port, [{active, false} | Send]),
    {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, "x"),
    {ok, "x"} = gen_tcp:recv(S, 1, ?WAIT),
    Result = inet:getopts(S, [pktoptions]),
    [ok = gen_tcp:close(Socket) || Socket <- [L, C, S]],
    Result.

%% ---- bad ----

bad_options_exit_and_setopts_is_einval(_) ->
    {C, S} = pair([]),
    {ok, Port} = gentcp:port(S),
    Bad = [
        [foo],
        [{foo, 1}],
        [{active, 'maybe'}],
        [{active, 40000}],
        [{active, 1 bsl 70}],
        [{nodelay, 1}],
        [{packet, 3}],
        [{packet, -1}],
        [{packet, foo}],
        [{buffer, -1}],
        [{mode, foo}],
        [{binary, foo}],
        [{linger, true}],
        [{linger, {true, -1}}],
        [{send_timeout, -1}],
        [{nodelay, true} | foo],
        [{1, 2, 3}],
        [1],
        foo
    ],
    [
        begin
            ?assertEqual({error, einval}, gentcp:setopts(S, Options)),
            ?assertExit(badarg, gentcp:connect(?LOCAL, Port, Options)),
            ?assertExit(badarg, gentcp:listen(0, Options))
        end
     || Options <- Bad
    ],
    ?assertExit(badarg, gentcp:listen(0, [inet6, {ip, ?LOCAL}])),
    ?assertEqual({error, einval}, gentcp:setopts(S, [{nodelay, true}, {packet, 3}])),
    ?assertEqual({ok, [{nodelay, false}]}, gentcp:getopts(S, [nodelay])),
    [
        ?assertEqual({error, einval}, gentcp:getopts(S, Names))
     || Names <- [[foo], [list], [binary], [backlog], [ip], [port], [line_delimiter], [{active, 1}], [active | foo]]
    ],
    close([C, S]).

%% ---- on inet and on gentcp ----

%% What Fun(Module, Socket) says of a socket of inet and of one of gentcp is the same.
both(Fun) ->
    both_with_peer([], fun(Module, S, _Peer) -> Fun(Module, S) end).

both_with_peer(Options, Fun) ->
    ?assertEqual(said(inet_tcp, Options, Fun), said(gentcp, Options, Fun)).

said(Module, Options0, Fun) ->
    Options = [{tcp_module, Module}, {active, false} | Options0],
    {ok, L} = gen_tcp:listen(0, [{ip, ?LOCAL} | Options]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect(?LOCAL, Port, Options, ?WAIT),
    {ok, S} = gen_tcp:accept(L, ?WAIT),
    Said = Fun(Module, S, C),
    [gen_tcp:close(Socket) || Socket <- [C, S, L]],
    Said.
