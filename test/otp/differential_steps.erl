%% SPDX-License-Identifier: Apache-2.0
%% Random sequences of steps: what a program could do next, most of it sensible. The state is a guess at what is there,
%% to make steps that matter more likely; a step that can't be made is left out when the sequence is run.
-module(differential_steps).

-behaviour(proper_statem).

-export([sequences/0, steps_of/1]).
-export([initial_state/0, command/1, precondition/2, postcondition/3, next_state/3]).
-export([step/1]).

-import(proper_types, [
    bind/3, binary/1, boolean/0, elements/1, frequency/1, integer/2, list/1, non_empty/1, oneof/1, resize/2
]).

-define(OPTIONS, 6).            % in a list, at most: more would make one that is refused likely
-define(PACKETS, 12).           % in one piece of data, at most

-record(state, {
    sockets = [] :: [differential_world:name()],
    listeners = [] :: [differential_world:name()],
    packet = raw :: term(),             % what is likely to be set where data goes
    rest = <<>> :: binary(),            % of a packet that was sent in part
    small = false :: boolean()          % buffers that are soon full
}).

sequences() ->
    proper_statem:more_commands(2, proper_statem:commands(?MODULE)).

steps_of(Commands) ->
    [Step || {set, _, {call, ?MODULE, step, [Step]}} <- Commands].

%% Only a name for a step.
step(Step) -> Step.

initial_state() -> #state{}.
precondition(_, _) -> true.
postcondition(_, _, _) -> true.

next_state(State, _, {call, _, step, [Step]}) ->
    case Step of
        {connect, _, S, Options, peer} -> options(lists:reverse(Options), add(S, State));
        {listen, _, L, Options} ->
            options(lists:reverse(Options), State#state{listeners = lists:usort([L | State#state.listeners])});
        {peer_connect, _, S} -> add(S, State);
        {call, _, _, setopts, [Options]} -> options(Options, State);
        {peer_send, _, Bytes} -> State#state{rest = rest(Bytes, State)};
        _ -> State
    end.

add(S, #state{sockets = Sockets} = State) ->
    State#state{sockets = lists:usort([S | Sockets])}.

options(Options, State) ->
    case lists:keyfind(packet, 1, differential_world:proper(Options)) of
        {packet, Packet} -> State#state{packet = Packet};
        false -> State
    end.

%% A packet that was begun is to be ended.
rest(Bytes, #state{rest = <<>>, packet = Packet}) ->
    unfinished(Packet, Bytes);
rest(Bytes, #state{rest = Rest}) ->
    Size = byte_size(Bytes),
    case Rest of
        <<Bytes:Size/binary, Left/binary>> -> Left;
        _ -> <<>>
    end.

unfinished(N, Bytes) when N =:= 1; N =:= 2; N =:= 4 ->
    Bits = N * 8,
    case Bytes of
        <<Size:Bits, Body/binary>> when byte_size(Body) < Size, Size < 2000 ->
            binary:copy(<<"r">>, Size - byte_size(Body));
        _ -> <<>>
    end;
unfinished(line, Bytes) ->
    case Bytes =/= <<>> andalso binary:last(Bytes) of
        $\n -> <<>>;
        _ -> <<"rest\n">>
    end;
unfinished(_, _) -> <<>>.

command(State) ->
    bind(frequency(kinds(State)), fun(Kind) -> {call, ?MODULE, step, [kind(Kind, State)]} end, false).

kinds(#state{sockets = [], listeners = []}) ->
    [{1, connect}, {1, listen}];
kinds(#state{sockets = []}) ->
    [{1, connect}, {3, peer_connect}, {1, accept}];
kinds(#state{listeners = Listeners}) ->
    [{2, accept} || Listeners =/= []] ++ [{2, peer_connect} || Listeners =/= []] ++
        [
            {1, accept}, {2, connect}, {1, listen}, {12, peer_send}, {12, recv}, {8, setopts}, {3, getopts}, {8, send},
            {2, send_much}, {2, unrecv}, {3, shutdown}, {2, close}, {4, controlling_process}, {2, collect}, {1, exit},
            {2, name}, {1, getstat}, {4, peer_receive}, {2, peer_shutdown}, {1, peer_close}, {1, peer_reset}
        ].

kind(connect, State) -> connect(State);
kind(listen, State) -> listen(State);
kind(accept, State) -> accept(State);
kind(recv, State) -> receives(State);
kind(setopts, State) -> {call, process(), socket(State), setopts, [frequency([{30, set_list()}, {1, no_list()}])]};
kind(getopts, State) -> {call, process(), socket(State), getopts, [names()]};
kind(send, State) -> send(State);
kind(send_much, State) -> {call, process(), socket(State), send, [{much, 8000000}]};
kind(unrecv, State) ->
    {call, process(), socket(State), unrecv, [elements([<<"x">>, <<"abcdefgh">>, <<>>, foo])]};
kind(shutdown, State) -> {call, process(), socket(State), shutdown, [elements([read, write, read_write])]};
kind(close, State) -> {call, process(), socket(State), close, []};
kind(getstat, State) -> {call, process(), socket(State), getstat, [counters()]};
kind(name, State) -> {call, process(), socket(State), elements([peername, sockname, port]), []};
kind(controlling_process, State) -> {controlling_process, process(), socket(State), process()};
kind(collect, _) -> {collect, process()};
kind(exit, _) -> {exit, process(), elements([kill, shutdown, normal])};
kind(peer_connect, State) -> peer_connect(State);
kind(peer_send, State) -> peer_send(State);
kind(Act, State) -> {Act, socket(State)}.

process() -> frequency([{6, p1}, {2, p2}, {2, p3}]).

socket(#state{sockets = Sockets, listeners = Listeners}) ->
    frequency([{10, elements(Sockets)}] ++ [{1, elements(Listeners)} || Listeners =/= []]).

connect(_State) ->
    {connect, process(), elements([s1, s2, s3]), connect_options(), frequency([{18, peer}, {1, refused}, {1, late}])}.

listen(_State) ->
    {listen, process(), elements([l1, l2]), open_options()}.

peer_connect(#state{listeners = Listeners}) ->
    {peer_connect, elements(Listeners), elements([s1, s2, s3])}.

accept(State) ->
    {accept, process(), oneof([elements([l1, l2]), socket_or(l1, State)]), timeouts()}.

socket_or(Default, #state{sockets = []}) -> Default;
socket_or(_, State) -> socket(State).

timeouts() -> elements([0, 0, 3, infinity, infinity]).

receives(State) ->
    oneof([
        {call, process(), socket(State), recv, [0, timeouts()]},
        {receive_all, process(), socket(State), timeouts()},
        {call, process(), socket(State), recv, [elements([1, 2, 3, 5, 10, 100, 70000000]), timeouts()]}
    ]).

send(State) ->
    Long = binary:copy(<<"x">>, 5000),
    Data = elements([<<>>, <<"abc">>, "list", ["a", <<"b">>, [99]], foo, <<"a line\r\n">>, Long]),
    {call, process(), socket(State), send, [Data]}.

peer_send(#state{rest = Rest} = State) ->
    {peer_send, socket(State), frequency([{10, Rest} || Rest =/= <<>>] ++ [{5, data(State)}])}.

bytes() -> oneof([<<"x">>, <<"abcdefgh">>, <<>>, <<0, 0, 0, 3, "abc">>, <<"GET / HTTP/1.1\r\n">>]).

data(#state{packet = Packet}) ->
    frequency([{8, well_formed(Packet)}, {2, malformed(Packet)}, {1, bytes()}, {1, binary(20)}]).

well_formed(Packet) ->
    bind(resize(?PACKETS, non_empty(list(packet(Packet)))), fun(Packets) ->
        All = iolist_to_binary(Packets),
        Bytes = binary:part(All, 0, min(1400, byte_size(All))),
        oneof([Bytes, bind(integer(0, byte_size(Bytes)), fun(N) -> binary:part(Bytes, 0, N) end, false)])
    end, false).

packet(N) when N =:= 1; N =:= 2; N =:= 4 ->
    bind(
        oneof([integer(0, 5), integer(0, 60)]),
        fun(Size) -> <<Size:N/unit:8, (binary:copy(<<"b">>, Size))/binary>> end,
        false
    );
packet(line) ->
    elements([<<"a\n">>, <<"\n">>, <<"line\r\n">>, <<"two\nlines\n">>]);
packet(asn1) ->
    elements([<<48, 3, "abc">>, <<16#9f, 16#81, 5, 2, "ab">>, <<4, 16#81, 3, "xyz">>, <<4, 0>>]);
packet(sunrm) ->
    elements([<<1:1, 4:31, "abcd">>, <<0:1, 2:31, "ab">>, <<0:32>>]);
packet(cdr) ->
    elements([<<"GIOP", 1, 0, 0, 1, 4:32, "body">>, <<"GIOP", 1, 0, 1, 1, 2:32/little, "ab">>]);
packet(fcgi) ->
    elements([<<1, 1, 0, 1, 3:16, 2, 0, "abcpp">>, <<1, 1, 0, 1, 0:16, 0, 0>>]);
packet(tpkt) ->
    elements([<<3, 0, 7:16, "abc">>, <<3, 0, 4:16>>]);
packet(Http) when Http =:= http; Http =:= http_bin ->
    elements([
        <<"GET /x HTTP/1.1\r\n">>, <<"Host: y\r\n">>, <<"\r\n">>, <<"HTTP/1.0 200 OK\r\n">>, <<"X-a: 1\r\n 2\r\n">>
    ]);
packet(Http) when Http =:= httph; Http =:= httph_bin ->
    elements([<<"Host: y\r\n">>, <<"\r\n">>, <<"Content-Length: 3\r\n">>, <<"odd\r\n">>]);
packet(_) ->
    elements([<<"a">>, <<"raw data">>, binary:copy(<<"r">>, 1000)]).

malformed(Packet) when is_integer(Packet) ->
    elements([<<255>>, <<255, 255, 255, 255>>, <<100, 1>>, <<0, 1, 0, 0, "x">>]);
malformed(line) -> elements([binary:copy(<<"l">>, 300), <<0, 255>>]);
malformed(_) ->
    elements([<<-1:64>>, <<"nonsense\r\n">>, <<3, 1, 0, 0>>, <<4, 16#85, 1, 1, 1, 1, 1>>]).

connect_options() ->
    frequency([
        {12, open_options()},
        {1, bind(open_options(), fun(Options) -> [{line_delimiter, elements([$\n, $a])} | Options] end, false)}
    ]).

open_options() ->
    Good = frequency([{12, option()}, {1, only_at_open()}]),
    with_active(frequency([{20, some(Good)}, {1, some(frequency([{5, Good}, {1, bad_option()}]))}])).

some(Option) -> resize(?OPTIONS, list(Option)).

%% Once at most: inet doesn't take back the first if it refuses the second.
with_active(Options) ->
    bind(Options, fun(List) ->
        frequency([{1, List}, {1, [active() | List]}, {1, bind(active(), fun(Active) -> List ++ [Active] end, false)}])
    end, false).

active() ->
    {active, elements([true, false, false, once, once, 1, 2, 3, 0, -1, -5, 32767, -32768])}.

only_at_open() ->
    elements([inet, {reuseaddr, true}, {dontroute, true}, {dontroute, false}]).

set_list() ->
    frequency([
        {10, with_active(some(frequency([{9, option()}, {1, only_when_open()}])))},
        {1, some(frequency([{5, option()}, {1, bad_option()}]))},
        {3, [active()]},
        %% What the system refuses stands alone: inet doesn't take back what it has set before.
        {1, [{ttl, 0}]},
        {1, [{tclass, 3}]}
    ]).

option() ->
    frequency([
        {4, {packet, elements([raw, 0, 1, 2, 4, line, asn1, sunrm, cdr, fcgi, tpkt])}},
        {2, {packet, elements([http, httph, http_bin, httph_bin])}},
        {2, elements([binary, list, {mode, binary}, {mode, list}])},
        {8, oneof([
            {packet_size, elements([0, 3, 10, 1000])},
            {header, elements([0, 1, 3])},
            {buffer, elements([1, 10, 100, 1460, 5000])},
            {exit_on_close, boolean()},
            {show_econnreset, boolean()},
            {deliver, elements([term, port])},
            {high_watermark, elements([0, 1, 1000, 10000000])},
            {low_watermark, elements([0, 1, 1000, 10000000])},
            {send_timeout, elements([infinity, 0, 5])},
            {send_timeout_close, boolean()},
            {linger, elements([{false, 0}, {true, 0}, {true, 60}])},
            {nodelay, boolean()}, {keepalive, boolean()}, {reuseaddr, boolean()},
            {recbuf, elements([30000, 100000])}, {sndbuf, elements([30000, 100000])},
            {priority, elements([0, 3])}, {tos, elements([0, 16])}, {ttl, elements([33, 64])},
            {recvtos, boolean()}, {recvttl, boolean()}, {delay_send, boolean()},
            {high_msgq_watermark, elements([1, 1000])}, {low_msgq_watermark, elements([1, 2000])},
            {raw, 6, 1, <<1:32/native>>}
        ])}
    ]).

only_when_open() ->
    oneof([{line_delimiter, elements([$\n, $a, 0])}, {dontroute, boolean()}, {ttl, elements([1, 255])}]).

no_list() -> elements([foo, {active, once}, <<>>, [{nodelay, true} | foo], [foo | {nodelay, true}]]).

bad_option() ->
    elements([foo, {active, 32768}, {active, 'maybe'}, {packet, 3}, {packet_size, -1}, {mode, foo}, {nodelay, 1},
              {linger, true}, {priority, foo}, {header, -1}, {send_timeout, -1}, 17]).

names() ->
    oneof([
        [active, mode, packet, packet_size, header, buffer, exit_on_close, show_econnreset, deliver],
        [high_watermark, low_watermark, send_timeout, send_timeout_close, delay_send, linger],
        [nodelay, keepalive, reuseaddr, priority, tos, ttl, recvtos, recvttl, dontroute],
        [high_msgq_watermark, low_msgq_watermark, tclass, ipv6_v6only, {raw, 6, 1, 4}],
        [sndbuf, recbuf],
        elements([[list], [backlog], [foo], [], [ip], [fd], [port], [line_delimiter]])
    ]).

%% Those that don't depend on how the stream came in pieces.
counters() ->
    oneof([
        [recv_oct, recv_cnt, send_oct, send_cnt, send_max],
        [send_pend, send_oct],
        [recv_cnt],
        elements([[], [foo], [recv_oct, foo]])
    ]).
