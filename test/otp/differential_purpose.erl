%% SPDX-License-Identifier: Apache-2.0
%% Where gentcp differs from inet on purpose. Nothing else is allowed for: all other results and messages must be the
%% same. Each clause has the name of what it is about.
-module(differential_purpose).

-export([left_out/2, on_inet/3, view/2, parts/4]).

-import(differential_facts, [waits_in/3]).

%% ---- what is not done, because the two do something else ----

-spec left_out(differential_world:step(), differential_world:world()) -> boolean().
left_out(Step0, Inet) ->
    Step = checked(Step0),
    lists:any(fun(Row) -> Row(Step, Inet) end, [
        fun death_of_a_waiting_receiver/2,
        fun active_while_a_recv_waits/2,
        fun unrecv_of_packets/2,
        fun packet_type_within_a_packet/2,
        fun much_before_accept/2,
        fun raw_data_without_length/2,
        fun count_of_raw_data/2,
        fun packet_too_large/2,
        fun stream_while_close_waits/2,
        fun death_of_one_who_closes/2,
        fun close_while_others_wait/2,
        fun unrecv_while_a_recv_waits/2,
        fun counters_behind_a_queue/2,
        fun queue_of_a_delayed_send/2,
        fun buffer_below_a_header/2,
        fun buffer_set_amid_data/2,
        fun line_delimiter_of_a_listener/2,
        fun lines_longer_than_the_buffer/2,
        fun http_lines_for_a_port/2,
        fun refused_behind_a_queue/2,
        fun recv_for_a_port/2,
        fun left_passive_after_the_end/2,
        fun queue_of_an_orphan/2,
        fun death_of_an_owner_others_wait_on/2
    ]).

%% No list sets nothing.
checked({call, P, S, setopts, [Options]}) -> {call, P, S, setopts, [differential_world:proper(Options)]};
checked(Step) -> Step.

%% On inet its place stays taken, and the next data is lost; gentcp keeps the data for the next recv.
death_of_a_waiting_receiver({exit, P, _}, Inet) ->
    case differential_facts:call_of(P, Inet) of
        {recv, S} -> differential_facts:owner(S, Inet) =/= P;
        _ -> false
    end;
death_of_a_waiting_receiver(_, _) -> false.

%% On inet the data goes to the owner, and the recv waits on; gentcp ends it with einval.
active_while_a_recv_waits({call, _, S, setopts, [Options]}, Inet) ->
    waits_in(recv, S, Inet) andalso
        lists:keymember(active, 1, Options);
active_while_a_recv_waits(_, _) -> false.

%% without a length it is received with receive_all,
raw_data_without_length({call, _, S, recv, [0, _]}, Inet) -> is_raw(S, Inet);
raw_data_without_length(_, _) -> false.

%% and pieces are counted only where each act of the peer makes one.
count_of_raw_data({call, _, S, setopts, [Options]}, Inet) ->
    Raw =
        case [Packet || {packet, Packet} <- Options] of
            [Packet | _] -> Packet =:= raw orelse Packet =:= 0;
            [] -> is_raw(S, Inet)
        end,
    Loose = differential_facts:unread(S, Inet) orelse lists:member(S, differential_facts:loose(Inet)) orelse
        lists:keymember(packet, 1, Options),
    Counts = [Active || {active, Active} <- Options ++ differential_facts:options(S, [active], Inet)],
    Raw andalso Loose andalso Counts =/= [] andalso hd(Counts) =/= true andalso hd(Counts) =/= false andalso
        (is_atom(hd(Counts)) orelse hd(Counts) > 0);
count_of_raw_data({call, _, S, getstat, [Names]}, Inet) ->
    lists:member(recv_cnt, Names) andalso (is_raw(S, Inet) orelse lists:member(S, differential_facts:loose(Inet)));
count_of_raw_data(_, _) -> false.

is_raw(S, Inet) ->
    differential_facts:options(S, [packet], Inet) =:= [{packet, 0}].

%% inet's header wraps around silently; gentcp says emsgsize.
packet_too_large({call, _, S, send, [Data]}, Inet) ->
    Size = case Data of {much, Much} -> Much; foo -> 0; _ -> iolist_size(Data) end,
    case differential_facts:options(S, [packet], Inet) of
        [{packet, 1}] -> Size > 255;
        [{packet, 2}] -> Size > 65535;
        _ -> false
    end;
packet_too_large(_, _) -> false.

%% inet's buffer is then as small as what was put back, and packets that it can't hold are too long.
unrecv_of_packets({call, _, _, unrecv, [<<>>]}, _) -> true;
unrecv_of_packets({call, _, S, unrecv, _}, Inet) -> not is_raw(S, Inet);
unrecv_of_packets({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(packet, 1, Options) andalso differential_facts:was_put_back(S, Inet);
unrecv_of_packets(_, _) -> false.

%% inet goes on waiting for as many bytes as the packet of the former type had to have.
packet_type_within_a_packet({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(packet, 1, Options) andalso differential_facts:in_a_packet(S, Inet);
packet_type_within_a_packet(_, _) -> false.

%% Raw data has no boundaries: what comes to an active socket is one piece on both,
much_before_accept({peer_send, S, Bytes}, Inet) ->
    Sent = differential_facts:sent_before_accept(S, Inet),
    Sent > 0 andalso Sent + byte_size(Bytes) > 1400;
much_before_accept(_, _) -> false.

%% While close waits for the queue, inet's socket still receives, and its owner hears of a reset, or of a send after
%% shutdown; gentcp's doesn't, and the close returns.
stream_while_close_waits({call, _, S, Function, _}, Inet) when
    Function =:= recv; Function =:= unrecv; Function =:= shutdown; Function =:= getstat
->
    waits_in(close, S, Inet);
stream_while_close_waits({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(active, 1, Options) andalso waits_in(close, S, Inet);
stream_while_close_waits({call, _, S, send, _}, Inet) ->
    waits_in(close, S, Inet) andalso differential_facts:was_shut(S, Inet);
stream_while_close_waits({receive_all, _, S, _}, Inet) -> waits_in(close, S, Inet);
stream_while_close_waits({controlling_process, _, S, _}, Inet) -> waits_in(close, S, Inet);
stream_while_close_waits({Act, S}, Inet) -> Act =/= peer_receive andalso waits_in(close, S, Inet);
stream_while_close_waits({peer_send, S, _}, Inet) -> waits_in(close, S, Inet);
stream_while_close_waits(_, _) -> false.

%% On inet nobody closes it any more.
death_of_one_who_closes({exit, P, _}, Inet) ->
    case differential_facts:call_of(P, Inet) of
        {close, S} -> differential_facts:owner(S, Inet) =/= P;
        _ -> false
    end;
death_of_one_who_closes(_, _) -> false.

%% inet lets who waits in send or recv wait on until the queue is empty; gentcp's hear closed.
close_while_others_wait({call, _, S, close, []}, Inet) ->
    waits_in(send, S, Inet) orelse (waits_in(recv, S, Inet) andalso differential_facts:queued(S, Inet));
close_while_others_wait(_, _) -> false.

%% Behind a sender that waits, inet counts the next one when its turn comes.
counters_behind_a_queue({call, _, S, getstat, _}, Inet) ->
    length([P || P <- [p1, p2, p3], differential_facts:call_of(P, Inet) =:= {send, S}]) > 1;
counters_behind_a_queue(_, _) -> false.

%% What delay_send has queued goes out in a turn of its own: when is a matter of speed.
queue_of_a_delayed_send({call, _, S, getstat, [Names]}, Inet) ->
    lists:member(send_pend, Names) andalso differential_facts:options(S, [delay_send], Inet) =:= [{delay_send, true}];
queue_of_a_delayed_send(_, _) -> false.

%% inet's recv waits on; gentcp's gets it.
unrecv_while_a_recv_waits({call, _, S, unrecv, _}, Inet) -> waits_in(recv, S, Inet);
unrecv_while_a_recv_waits(_, _) -> false.

%% For inet a line that its buffer can't hold is too long, or comes in pieces; gentcp does so only if buffer was set.
lines_longer_than_the_buffer({peer_send, S, Bytes}, Inet) ->
    is_text(S, Inet) andalso differential_facts:not_delivered(S, Inet) + byte_size(Bytes) > 1400;
lines_longer_than_the_buffer({call, _, S, setopts, [Options]}, Inet) ->
    lists:any(fun({packet, Packet}) -> is_text(Packet); (_) -> false end, Options) andalso
        differential_facts:not_delivered(S, Inet) > 1400;
lines_longer_than_the_buffer(_, _) -> false.

%% inet gives it to the owner, as if the socket were active, and the recv waits on.
recv_for_a_port({receive_all, _, S, _}, Inet) ->
    differential_facts:options(S, [deliver], Inet) =:= [{deliver, port}];
recv_for_a_port({call, P, S, recv, _}, Inet) -> recv_for_a_port({receive_all, P, S, 0}, Inet);
recv_for_a_port({call, _, S, setopts, [Options]}, Inet) ->
    lists:member({deliver, port}, Options) andalso
        waits_in(recv, S, Inet);
recv_for_a_port(_, _) -> false.

%% Until its queue has gone out, which may be never, inet's socket is open to others than its dead owner, and its close
%% waits.
queue_of_an_orphan(Step, Inet) ->
    S =
        case Step of
            {call, _, Name, _, _} -> Name;
            {receive_all, _, Name, _} -> Name;
            {controlling_process, _, Name, _} -> Name;
            _ -> none
        end,
    S =/= none andalso not differential_facts:alive(differential_facts:owner(S, Inet), Inet) andalso
        differential_facts:queued(S, Inet).

%% inet lets who waits wait on until the queue has gone out; gentcp's hear closed.
death_of_an_owner_others_wait_on({exit, P, _}, Inet) ->
    lists:any(
        fun(Q) ->
            case differential_facts:call_of(Q, Inet) of
                {Function, S} when Q =/= P, Function =:= send orelse Function =:= recv orelse Function =:= close ->
                    differential_facts:owner(S, Inet) =:= P andalso differential_facts:queued(S, Inet);
                _ ->
                    false
            end
        end,
        [p1, p2, p3]
    );
death_of_an_owner_others_wait_on(_, _) -> false.

%% A hand-over that finds tcp_closed leaves inet's socket passive.
left_passive_after_the_end({controlling_process, P, S, _}, Inet) ->
    differential_facts:options(S, [exit_on_close], Inet) =:= [{exit_on_close, false}] andalso
        differential_facts:alive(P, Inet) andalso differential_facts:has_messages(P, S, [tcp_closed], Inet);
left_passive_after_the_end(_, _) -> false.

%% Behind a sender that waits, inet looks at the next one's data, or finds that the way out is shut, when its turn
%% comes.
refused_behind_a_queue({call, _, S, send, [Data]}, Inet) ->
    (Data =:= foo orelse differential_facts:was_shut(S, Inet)) andalso waits_in(send, S, Inet);
refused_behind_a_queue(_, _) -> false.

%% For inet a packet whose header its buffer can't hold is malformed.
buffer_below_a_header({peer_send, S, _}, Inet) ->
    differential_facts:has(S, Inet) andalso buffer_below_a_header([], S, Inet);
buffer_below_a_header({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(packet, 1, Options) andalso buffer_below_a_header(Options, S, Inet);
buffer_below_a_header({accept, _, L, _}, Inet) ->
    buffer_below_a_header([], L, Inet);
buffer_below_a_header(_, _) -> false.

buffer_below_a_header(Options, S, Inet) ->
    case Options ++ differential_facts:options(S, [packet, buffer], Inet) of
        [] -> false;
        All -> proplists:get_value(buffer, All, 1460) < header_size(proplists:get_value(packet, All))
    end.

header_size(cdr) -> 12;
header_size(fcgi) -> 8;
header_size(asn1) -> 140; % a long tag, 127 bytes of length
header_size(N) when is_integer(N) -> N;
header_size(raw) -> 0;
header_size(_) -> 4.

%% inet reads on into the buffer that it has.
buffer_set_amid_data({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(buffer, 1, Options) andalso (is_text(S, Inet) orelse is_raw(S, Inet)) andalso
        differential_facts:had_peer(S, Inet) andalso differential_facts:sent_by_peer(S, Inet) > 0;
buffer_set_amid_data(_, _) -> false.

%% Accepted sockets don't inherit it from inet's.
line_delimiter_of_a_listener({call, _, L, setopts, [Options]}, _) ->
    lists:keymember(line_delimiter, 1, Options) andalso (L =:= l1 orelse L =:= l2);
line_delimiter_of_a_listener(_, _) -> false.

%% inet gives them to a port without looking at what they say, so that fields begin a line of their own each time.
http_lines_for_a_port(Step, Inet) ->
    {Options, Now} =
        case Step of
            {call, _, S, setopts, [List]} -> {List, differential_facts:options(S, [packet, deliver], Inet)};
            {connect, _, _, List, _} -> {List, []};
            {listen, _, _, List} -> {List, []};
            _ -> {[], []}
        end,
    All = Options ++ Now,
    Options =/= [] andalso lists:member({deliver, port}, All) andalso
        lists:any(fun({packet, Packet}) -> is_text(Packet) andalso Packet =/= line; (_) -> false end, All).

is_text(S, Inet) ->
    case differential_facts:has(S, Inet) andalso differential_facts:options(S, [packet], Inet) of
        [{packet, Packet}] -> is_text(Packet);
        _ -> false
    end.

is_text(Packet) ->
    lists:member(Packet, [line, http, http_bin, httph, httph_bin]).

%% ---- what is done to inet, so that it goes on as gentcp does ----

-spec on_inet(Step, World, fun((Step, World) -> World)) -> World when
    Step :: differential_world:step(),
    World :: differential_world:world().
on_inet({connect, P, S, Options, To}, Inet, Run) ->
    {Later, Now} = lists:partition(fun is_dontroute/1, Options),
    set_later(S, Later, Run({connect, P, S, Now, To}, Inet));
on_inet({listen, P, L, Options}, Inet, Run) ->
    {Later, Now} = lists:partition(fun is_dontroute/1, Options),
    set_later(L, Later, Run({listen, P, L, Now}, Inet));
on_inet({controlling_process, P, S, To} = Step, Inet, Run) ->
    Active = proplists:get_value(active, differential_facts:options(S, [active], Inet)),
    Kinds = [tcp_error, tcp_passive, http],
    IsOwner = differential_facts:owner(S, Inet) =:= P,
    case differential_facts:alive(To, Inet) of
        %% inet is left passive, and its messages have gone; gentcp changes nothing.
        false when IsOwner ->
            Messages = differential_world:take_messages(P, S, Inet),
            After = Run(Step, Inet),
            ok = differential_world:give_messages(P, Messages, Inet),
            Active =:= undefined orelse differential_world:set_options(S, [{active, Active}], After),
            differential_world:settle(After);
        %% inet passes on tcp and tcp_closed only.
        true when IsOwner, P =/= To ->
            case differential_facts:has_messages(P, S, Kinds, Inet) of
                false ->
                    Run(Step, Inet);
                true ->
                    Messages = differential_world:take_messages(P, S, Inet),
                    After = Run(Step, Inet),
                    Receiver = differential_facts:owner(S, After),
                    ok = differential_world:give_messages(Receiver, Messages, After),
                    After
            end;
        _ ->
            Run(Step, Inet)
    end;
on_inet(Step, Inet, Run) ->
    Run(Step, Inet).

%% gen_tcp:option() has it, but inet's connect and listen exit.
is_dontroute({Name, _}) -> Name =:= dontroute;
is_dontroute(_) -> false.

set_later(S, Options, Inet) ->
    [
        ok = differential_world:set_options(S, [lists:last(Options)], Inet)
     || Options =/= [], differential_facts:has(S, Inet)
    ],
    Inet.

%% ---- what is not looked at ----

%% Of a stream that was reset, what has arrived is a matter of speed.
peer({State, econnreset, _}) -> {State, econnreset};
peer(Peer) -> Peer.

-spec view(differential_world:observation(), differential_world:world()) -> term().
view(#{processes := Processes, results := Results, peers := Peers} = Observation, Inet) ->
    Loose = differential_facts:loose(Inet),
    maps:remove(unsettled, Observation#{
        peers := maps:map(fun(_, Peer) -> peer(Peer) end, Peers),
        results := [{P, seen(Result, Loose)} || {P, Result} <- Results],
        processes := maps:map(
            fun(_, {Status, Messages}) -> {Status, seen([to_port(M, Inet) || M <- Messages], Loose)} end, Processes
        )
    }).

%% To a port, inet's accepted sockets give lists in either mode.
to_port({S, {data, Data}} = Message, Inet) ->
    case differential_facts:was_accepted(S, Inet) of
        true -> {S, {data, iolist_to_binary(Data)}};
        false -> Message
    end;
to_port(Message, _) -> Message.

seen(Messages, Loose) when is_list(Messages) ->
    joined(lists:sort(fun is_first/2, [M || M <- Messages, not exit_of_a_port(M)]), Loose);
seen({ok, [{_, _} | _] = Values}, _) -> {ok, [value(Value) || Value <- Values]};
%% What inet raises is its own code's, and not what its manual says.
seen({error, {bad_generator, _}}, _) -> {error, einval};
seen(Result, _) -> Result.

%% How large the kernel makes its buffers, and how much of a queue it has taken, is left to it.
value({Name, Size}) when Name =:= sndbuf; Name =:= recbuf; Name =:= send_pend -> {Name, Size > 0};
value(Value) -> Value.

%% Whose messages come first is a matter of speed, but not those of one socket.
is_first(A, B) -> socket_of(A) =< socket_of(B).

socket_of({S, {data, _}}) -> S;
socket_of(Message) when is_tuple(Message), tuple_size(Message) > 1 -> element(2, Message);
socket_of(_) -> none.

%% Raw data has no boundaries.
joined([Message | Messages], Loose) ->
    case chunk(Message) of
        {S, Data} ->
            case lists:member(S, Loose) of
                true -> joined(Message, S, Data, Messages, Loose);
                false -> [Message | joined(Messages, Loose)]
            end;
        none ->
            [Message | joined(Messages, Loose)]
    end;
joined([], _) ->
    [].

joined(Message, S, Data, [Next | Messages], Loose) ->
    case chunk(Next) of
        {S, More} when tuple_size(Next) =:= tuple_size(Message) -> joined(Message, S, [Data, More], Messages, Loose);
        _ -> [{element(1, Message), S, iolist_to_binary(Data)} | joined([Next | Messages], Loose)]
    end;
joined(Message, S, Data, [], _) ->
    [{element(1, Message), S, iolist_to_binary(Data)}].

chunk({tcp, S, Data}) -> {S, Data};
chunk({S, {data, Data}}) -> {S, Data};
chunk(_) -> none.

%% gentcp's sockets are no ports: their owners aren't linked to them, and hear nothing if another closes them.
exit_of_a_port({'EXIT', Socket, normal}) -> is_atom(Socket);
exit_of_a_port(_) -> false.

%% ---- after what the two are no longer the same ----

-spec parts(differential_world:step(), Seen, Seen, differential_world:world()) -> boolean() when
    Seen :: differential_world:observation().
parts(Step, Inet, Ours, World) ->
    lists:any(fun(Row) -> Row(Step, Inet, Ours, World) end, [
        fun malformed_and_left_over/4,
        fun econnreset_of_its_own/4,
        fun nothing_follows_tcp_closed/4,
        fun send_timeout_close/4,
        fun reset_met_by_what_was_queued/4,
        fun reset_for_what_was_not_read/4,
        fun suspended_sender/4,
        fun queue_without_exit_on_close/4
    ]).

%% inet drops the queue when the peer's end, or a malformed packet, ends reading; gentcp sends it.
queue_without_exit_on_close(_, #{results := [{_, _} | _] = Inet}, #{results := Ours, processes := Processes}, _) ->
    Lost = Inet -- Ours,
    Lost =/= [] andalso Ours -- Inet =:= [] andalso
        lists:all(
            fun({P, Result}) -> Result =:= {error, closed} andalso element(1, maps:get(P, Processes)) =:= busy end, Lost
        );
queue_without_exit_on_close(_, _, _, _) -> false.

%% inet closes the descriptor, and its owner hears nothing; gentcp's owner gets tcp_closed.
send_timeout_close({call, P, S, send, _}, #{results := Results} = Inet, #{processes := After} = Ours, _) ->
    #{processes := Before} = Inet,
    Results =:= [{P, {error, timeout}}] andalso Results =:= maps:get(results, Ours) andalso
        lists:any(
            fun({Owner, {_, Messages}}) -> Messages =:= element(2, maps:get(Owner, Before)) ++ [{tcp_closed, S}] end,
            maps:to_list(After)
        );
send_timeout_close(_, _, _, _) -> false.

%% inet has sent the news to whoever sent last, who no longer waits for it; on gentcp the next send hears of it.
reset_met_by_what_was_queued({call, P, S, send, _}, #{results := Inet}, #{results := Ours}, World) ->
    Inet =:= [{P, {error, enotconn}}] andalso Ours =:= [{P, {error, closed}}] andalso
        (differential_facts:peer_has_ended(S, World) orelse differential_facts:was_shut(S, World));
reset_met_by_what_was_queued(_, _, _, _) -> false.

%% A second sender waits for inet's port, and not for an answer: when the port is gone, its data is called bad.
suspended_sender(Step, #{results := Inet}, #{results := Ours}, _) ->
    Told = fun({P, {error, einval}}) -> {P, {error, closed}}; (Result) -> Result end,
    Waited = [P || {P, {error, einval}} <- Inet, not is_caller(P, Step)],
    Waited =/= [] andalso [Told(Result) || Result <- Inet] =:= Ours.

is_caller(P, {call, P, _, _, _}) -> true;
is_caller(_, _) -> false.

%% The kernel makes a reset of an end if there is something that was not read from it; gentcp may have read ahead, or
%% have found a malformed header in what it had read before.
reset_for_what_was_not_read({Act, S}, #{peers := Inet}, #{peers := Ours}, World) when
    Act =:= peer_receive; Act =:= peer_close
->
    case {Inet, Ours} of
        {#{S := {State, econnreset, _}}, #{S := {State, closed, _}}} -> differential_facts:sent_by_peer(S, World) > 0;
        {#{S := behind}, #{S := {_, closed, _}}} -> differential_facts:sent_by_peer(S, World) > 0;
        {#{S := {State, closed, _}}, #{S := {State, econnreset, _}}} ->
            differential_facts:sent_by_peer(S, World) > 0 andalso
                not lists:member(differential_facts:options(S, [packet], World), [[{packet, 0}], [{packet, line}]]);
        _ -> false
    end;
reset_for_what_was_not_read(_, _, _, _) -> false.

%% On inet without exit_on_close, the owner hears of a later error, and of bytes that are put back.
nothing_follows_tcp_closed(Step, #{processes := Inet}, #{processes := Ours}, World) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, Before} = maps:get(P, Ours),
            case Messages -- Before of
                [More] ->
                    S = socket_of(More),
                    (Messages -- [More] =:= Before orelse Messages =:= Before ++ [More]) andalso
                        (element(1, More) =:= tcp_error orelse is_unrecv(S, Step)) andalso
                        (differential_facts:options(S, [exit_on_close], World) =:= [{exit_on_close, false}] orelse
                            lists:member({tcp_closed, S}, Before)); % it was so, then
                _ ->
                    false
            end
        end,
        maps:to_list(Inet)
    ).

is_unrecv(S, {call, _, S, unrecv, _}) -> true;
is_unrecv(_, _) -> false.

%% With show_econnreset inet calls what comes of its own shutdown(write) a reset, contrary to what its source says.
econnreset_of_its_own({call, P, _, Function, _}, #{results := Inet}, #{results := Ours}, _) when
    Function =:= send; Function =:= recv
->
    lists:member({P, {error, econnreset}}, Inet) andalso
        [{Q, case Q of P -> {error, closed}; _ -> Result end} || {Q, Result} <- Inet] =:= Ours;
econnreset_of_its_own({call, _, S, send, _}, #{processes := Inet}, #{processes := Ours}, _) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, WithError} = maps:get(P, Inet),
            WithError -- Messages =:= [{tcp_error, S, econnreset}]
        end,
        maps:to_list(Ours)
    );
econnreset_of_its_own(_, _, _, _) -> false.

%% When inet comes upon a malformed header after a packet, or in setopts or unrecv, it says nothing of it until there is
%% more to read; or it reads no more. So there shall be more, and then it must say the same, or leave that unread.
malformed_and_left_over(_, #{processes := Inet}, #{processes := Ours}, World) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, Before} = maps:get(P, Inet),
            case lists:prefix(Before, Messages) andalso lists:nthtail(length(Before), Messages) of
                [{tcp_error, S, emsgsize}, {tcp_closed, S}] -> says_so_later(P, S, Messages, World);
                %% inet has come upon the end instead.
                false -> [{tcp_error, S, emsgsize} || {tcp_closed, S} <- Before] =:= Messages -- Before;
                _ -> false
            end
        end,
        maps:to_list(Ours)
    ).

says_so_later(P, S, Messages, World) ->
    differential_facts:peer_is_there(S, World) andalso
        begin
            After = differential_world:settle(differential_world:run({peer_send, S, <<0>>}, World)),
            #{processes := #{P := {_, More}}} = differential_facts:observe(After),
            More =:= Messages orelse differential_facts:unread(S, After)
        end.
