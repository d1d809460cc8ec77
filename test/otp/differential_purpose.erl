%% SPDX-License-Identifier: Apache-2.0
%% Where gentcp differs from inet on purpose. Nothing else is allowed for: all other results and messages must be the
%% same. Each clause has the name of what it is about.
-module(differential_purpose).

-export([left_out/2, on_inet/3, view/2, parts/3]).

%% ---- what is not done, because the two do something else ----

-spec left_out(differential_world:step(), differential_world:world()) -> boolean().
left_out(Step, Inet) ->
    lists:any(fun(Row) -> Row(Step, Inet) end, [
        fun length_beyond_32_bits/2,
        fun death_of_a_waiting_receiver/2,
        fun active_while_a_recv_waits/2,
        fun unrecv_of_packets/2,
        fun packet_type_within_a_packet/2,
        fun much_before_accept/2,
        fun raw_data_without_length/2,
        fun count_of_raw_data/2,
        fun packet_too_large/2,
        fun closed_but_not_flushed/2,
        fun lines_longer_than_the_buffer/2,
        fun http_lines_for_a_port/2,
        fun end_behind_a_part_of_a_packet/2,
        fun bad_data_behind_a_queue/2,
        fun recv_for_a_port/2,
        fun left_passive_after_the_end/2,
        fun close_of_an_orphan/2
    ]).

%% inet cuts the length of a recv to 32 bits; gentcp says enomem.
length_beyond_32_bits({call, _, _, recv, [Length, _]}, _) -> Length > 16#ffffffff;
length_beyond_32_bits(_, _) -> false.

%% On inet its place stays taken, and the next data is lost; gentcp keeps the data for the next recv.
death_of_a_waiting_receiver({exit, P, _}, Inet) ->
    case differential_world:call_of(P, Inet) of
        {recv, S} -> differential_world:owner(S, Inet) =/= P;
        _ -> false
    end;
death_of_a_waiting_receiver(_, _) -> false.

%% On inet the data goes to the owner, and the recv waits on; gentcp ends it with einval.
active_while_a_recv_waits({call, _, S, setopts, [Options]}, Inet) ->
    lists:any(fun(P) -> differential_world:call_of(P, Inet) =:= {recv, S} end, [p1, p2, p3]) andalso
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
    Loose = differential_world:unread(S, Inet) orelse lists:member(S, differential_world:loose(Inet)) orelse
        lists:keymember(packet, 1, Options),
    Counts = [Active || {active, Active} <- Options ++ differential_world:options(S, [active], Inet)],
    Raw andalso Loose andalso Counts =/= [] andalso hd(Counts) =/= true andalso hd(Counts) =/= false andalso
        (is_atom(hd(Counts)) orelse hd(Counts) > 0);
count_of_raw_data(_, _) -> false.

is_raw(S, Inet) ->
    differential_world:options(S, [packet], Inet) =:= [{packet, 0}].

%% inet's header wraps around silently; gentcp says emsgsize.
packet_too_large({call, _, S, send, [Data]}, Inet) ->
    Size = case Data of {much, Much} -> Much; foo -> 0; _ -> iolist_size(Data) end,
    case differential_world:options(S, [packet], Inet) of
        [{packet, 1}] -> Size > 255;
        [{packet, 2}] -> Size > 65535;
        _ -> false
    end;
packet_too_large(_, _) -> false.

%% inet's buffer is then as small as what was put back, and packets that it can't hold are too long.
unrecv_of_packets({call, _, _, unrecv, [<<>>]}, _) -> true;
unrecv_of_packets({call, _, S, unrecv, _}, Inet) -> not is_raw(S, Inet);
unrecv_of_packets({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(packet, 1, Options) andalso differential_world:was_put_back(S, Inet);
unrecv_of_packets(_, _) -> false.

%% inet goes on waiting for as many bytes as the packet of the former type had to have.
packet_type_within_a_packet({call, _, S, setopts, [Options]}, Inet) ->
    lists:keymember(packet, 1, Options) andalso differential_world:in_a_packet(S, Inet);
packet_type_within_a_packet(_, _) -> false.

%% Raw data has no boundaries: what comes to an active socket is one piece on both,
much_before_accept({peer_send, S, Bytes}, Inet) ->
    Sent = differential_world:sent_before_accept(S, Inet),
    Sent > 0 andalso Sent + byte_size(Bytes) > 1400;
much_before_accept(_, _) -> false.

%% While close waits for the queue, inet's socket is as open as before for others; gentcp's is closed.
closed_but_not_flushed({peer_receive, _}, _) -> false;
closed_but_not_flushed({peer_reset, _}, _) -> false;
closed_but_not_flushed({call, _, S, close, []}, Inet) ->
    lists:any(fun(P) -> differential_world:call_of(P, Inet) =:= {send, S} end, [p1, p2, p3]);
closed_but_not_flushed(Step, Inet) ->
    lists:any(
        fun(P) ->
            case differential_world:call_of(P, Inet) of
                {close, S} -> lists:member(S, tuple_to_list(Step));
                _ -> false
            end
        end,
        [p1, p2, p3]
    ).

%% For inet a line that its buffer can't hold is too long, or comes in pieces; gentcp does so only if buffer was set.
lines_longer_than_the_buffer({peer_send, S, Bytes}, Inet) ->
    is_text(S, Inet) andalso differential_world:not_delivered(S, Inet) + byte_size(Bytes) > 1400;
lines_longer_than_the_buffer({call, _, S, setopts, [Options]}, Inet) ->
    lists:any(fun({packet, Packet}) -> is_text(Packet); (_) -> false end, Options) andalso
        differential_world:not_delivered(S, Inet) > 1400;
lines_longer_than_the_buffer(_, _) -> false.

%% inet gives it to the owner, as if the socket were active, and the recv waits on.
recv_for_a_port({receive_all, _, S, _}, Inet) ->
    differential_world:options(S, [deliver], Inet) =:= [{deliver, port}];
recv_for_a_port({call, P, S, recv, _}, Inet) -> recv_for_a_port({receive_all, P, S, 0}, Inet);
recv_for_a_port({call, _, S, setopts, [Options]}, Inet) ->
    lists:member({deliver, port}, Options) andalso
        lists:any(fun(P) -> differential_world:call_of(P, Inet) =:= {recv, S} end, [p1, p2, p3]);
recv_for_a_port(_, _) -> false.

%% While its queue is flushed, a close of inet's socket, whose owner is dead, waits for ever.
close_of_an_orphan({call, _, S, close, []}, Inet) ->
    not differential_world:alive(differential_world:owner(S, Inet), Inet);
close_of_an_orphan(_, _) -> false.

%% A hand-over that finds tcp_closed leaves inet's socket passive.
left_passive_after_the_end({controlling_process, P, S, _}, Inet) ->
    differential_world:options(S, [exit_on_close], Inet) =:= [{exit_on_close, false}] andalso
        differential_world:alive(P, Inet) andalso differential_world:has_messages(P, S, [tcp_closed], Inet);
left_passive_after_the_end(_, _) -> false.

%% inet looks at what is to be sent when it is its turn.
bad_data_behind_a_queue({call, _, S, send, [foo]}, Inet) ->
    lists:any(fun(P) -> differential_world:call_of(P, Inet) =:= {send, S} end, [p1, p2, p3]);
bad_data_behind_a_queue(_, _) -> false.

%% inet reads once, then waits for more, which may be the end, as long as the timeout says; gentcp reads on.
end_behind_a_part_of_a_packet({receive_all, _, S, _}, Inet) ->
    not is_raw(S, Inet) andalso differential_world:peer_has_ended(S, Inet) andalso differential_world:unread(S, Inet);
end_behind_a_part_of_a_packet({call, P, S, recv, [_, Timeout]}, Inet) when Timeout =/= infinity ->
    end_behind_a_part_of_a_packet({receive_all, P, S, Timeout}, Inet);
end_behind_a_part_of_a_packet(_, _) -> false.

%% inet gives them to a port without looking at what they say, so that fields begin a line of their own each time.
http_lines_for_a_port(Step, Inet) ->
    {Options, Now} =
        case Step of
            {call, _, S, setopts, [List]} -> {List, differential_world:options(S, [packet, deliver], Inet)};
            {connect, _, _, List, _} -> {List, []};
            {listen, _, _, List} -> {List, []};
            _ -> {[], []}
        end,
    All = Options ++ Now,
    Options =/= [] andalso lists:member({deliver, port}, All) andalso
        lists:any(fun({packet, Packet}) -> is_text(Packet) andalso Packet =/= line; (_) -> false end, All).

is_text(S, Inet) ->
    case differential_world:has(S, Inet) andalso differential_world:options(S, [packet], Inet) of
        [{packet, Packet}] -> is_text(Packet);
        _ -> false
    end.

is_text(Packet) ->
    lists:member(Packet, [line, http, http_bin, httph, httph_bin]).

%% ---- what is done to inet, so that it goes on as gentcp does ----

-spec on_inet(differential_world:step(), differential_world:world(), fun((World) -> World)) -> World when
    World :: differential_world:world().
on_inet({controlling_process, P, S, To}, Inet, Run) ->
    Active = proplists:get_value(active, differential_world:options(S, [active], Inet)),
    Kinds = [tcp_error, tcp_passive, http],
    IsOwner = differential_world:owner(S, Inet) =:= P,
    case differential_world:alive(To, Inet) of
        %% inet is left passive, and its messages have gone; gentcp changes nothing.
        false when IsOwner ->
            Messages = differential_world:take_messages(P, S, Inet),
            After = Run(Inet),
            ok = differential_world:give_messages(P, Messages, Inet),
            Active =:= undefined orelse differential_world:set_options(S, [{active, Active}], After),
            differential_world:settle(After);
        %% inet passes on tcp and tcp_closed only.
        true when IsOwner, P =/= To ->
            case differential_world:has_messages(P, S, Kinds, Inet) of
                false ->
                    Run(Inet);
                true ->
                    Messages = differential_world:take_messages(P, S, Inet),
                    After = Run(Inet),
                    Receiver = differential_world:owner(S, After),
                    ok = differential_world:give_messages(Receiver, Messages, After),
                    After
            end;
        _ ->
            Run(Inet)
    end;
on_inet(_, Inet, Run) ->
    Run(Inet).

%% ---- what is not looked at ----

%% Of a stream that was reset, what has arrived is a matter of speed.
peer({State, econnreset, _}) -> {State, econnreset};
peer(Peer) -> Peer.

-spec view(differential_world:observation(), [differential_world:name()]) -> term().
view(#{processes := Processes, results := Results, peers := Peers} = Observation, Loose) ->
    maps:remove(unsettled, Observation#{
        peers := maps:map(fun(_, Peer) -> peer(Peer) end, Peers),
        results := [{P, seen(Result, Loose)} || {P, Result} <- Results],
        processes := maps:map(
            fun(_, {Status, Messages}) -> {Status, seen(Messages, Loose)} end, Processes
        )
    }).

seen(Messages, Loose) when is_list(Messages) -> joined([M || M <- Messages, not exit_of_a_port(M)], Loose);
seen(Result, _) -> Result.

%% Raw data has no boundaries.
joined([{tcp, S, A}, {tcp, S, B} | Messages], Loose) when is_binary(A), is_binary(B); is_list(A), is_list(B) ->
    case lists:member(S, Loose) of
        true -> joined([{tcp, S, <<(iolist_to_binary(A))/binary, (iolist_to_binary(B))/binary>>} | Messages], Loose);
        false -> [{tcp, S, A} | joined([{tcp, S, B} | Messages], Loose)]
    end;
joined([{tcp, S, A}, {tcp, S, B} | Messages], Loose) when is_binary(A), is_list(B) ->
    case lists:member(S, Loose) of
        true -> joined([{tcp, S, <<A/binary, (iolist_to_binary(B))/binary>>} | Messages], Loose);
        false -> [{tcp, S, A} | joined([{tcp, S, B} | Messages], Loose)]
    end;
joined([{tcp, S, A} | Messages], Loose) ->
    case lists:member(S, Loose) of
        true -> [{tcp, S, iolist_to_binary(A)} | joined(Messages, Loose)];
        false -> [{tcp, S, A} | joined(Messages, Loose)]
    end;
joined([Message | Messages], Loose) -> [Message | joined(Messages, Loose)];
joined([], _) -> [].

%% gentcp's sockets are no ports: their owners aren't linked to them.
exit_of_a_port({'EXIT', Socket, _}) -> is_atom(Socket);
exit_of_a_port(_) -> false.

%% ---- after what the two are no longer the same ----

-spec parts(differential_world:step(), differential_world:observation(), differential_world:observation()) -> boolean().
parts(Step, Inet, Ours) ->
    lists:any(fun(Row) -> Row(Step, Inet, Ours) end, [
        fun malformed_and_left_over/3,
        fun econnreset_of_its_own/3,
        fun nothing_follows_tcp_closed/3,
        fun send_timeout_close/3,
        fun reset_met_by_what_was_queued/3,
        fun reset_for_what_was_not_read/3,
        fun end_behind_a_part_of_a_packet/3,
        fun suspended_sender/3,
        fun nothing_sent_after_a_late_shutdown/3
    ]).

%% inet closes the descriptor, and its owner hears nothing; gentcp's owner gets tcp_closed.
send_timeout_close({call, P, S, send, _}, #{results := Results, processes := Before}, #{processes := After} = Ours) ->
    Results =:= [{P, {error, timeout}}] andalso Results =:= maps:get(results, Ours) andalso
        lists:any(
            fun({Owner, {_, Messages}}) -> Messages =:= element(2, maps:get(Owner, Before)) ++ [{tcp_closed, S}] end,
            maps:to_list(After)
        );
send_timeout_close(_, _, _) -> false.

%% inet has sent the news to whoever sent last, who no longer waits for it; on gentcp the next send hears of it.
reset_met_by_what_was_queued({call, P, _, Function, _}, #{results := [{P, Inet}]}, #{results := [{P, Ours}]}) when
    Function =:= send; Function =:= recv
->
    lists:sort([Inet, Ours]) =:= [{error, closed}, {error, enotconn}];
reset_met_by_what_was_queued(_, _, _) -> false.

%% As above, after one's own shutdown.
end_behind_a_part_of_a_packet({receive_all, P, _, _}, #{results := Inet}, #{results := Ours}) ->
    case {Inet, Ours} of
        {[{P, {ok, Shape, Data, {error, timeout}}}], [{P, {ok, Shape, Data, {error, closed}}}]} -> true;
        _ -> false
    end;
end_behind_a_part_of_a_packet(_, _, _) -> false.

%% A second sender waits for inet's port, and not for an answer: when the port is gone, its data is called bad.
suspended_sender(_, #{results := Inet}, #{results := Ours}) ->
    Told = fun({P, {error, einval}}) -> {P, {error, closed}}; (Result) -> Result end,
    length(Inet) > 1 andalso [Told(Result) || Result <- Inet] =:= Ours.

%% inet forgets to forget that a shutdown was still to come.
nothing_sent_after_a_late_shutdown({call, P, _, send, [<<>>]}, #{results := Inet}, #{results := Ours}) ->
    Inet =:= [{P, {error, closed}}] andalso Ours =:= [{P, ok}];
nothing_sent_after_a_late_shutdown(_, _, _) -> false.

%% The kernel makes a reset of an end if there is something that was not read from it; gentcp may have read ahead.
reset_for_what_was_not_read({Act, S}, #{peers := Inet}, #{peers := Ours}) when
    Act =:= peer_receive; Act =:= peer_close
->
    case {Inet, Ours} of
        {#{S := {State, econnreset, _}}, #{S := {State, closed, _}}} -> true;
        _ -> false
    end;
reset_for_what_was_not_read(_, _, _) -> false.

%% On inet without exit_on_close, the owner hears of later errors, and setting active once more reads on.
nothing_follows_tcp_closed(_, #{processes := Inet}, #{processes := Ours}) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, Before} = maps:get(P, Ours),
            length(Messages) > length(Before) andalso lists:prefix(Before, Messages) andalso
                (lists:keymember(tcp_closed, 1, Before) orelse
                    element(1, lists:nth(length(Before) + 1, Messages)) =:= tcp_error)
        end,
        maps:to_list(Inet)
    ).

%% With show_econnreset inet calls what comes of its own shutdown(write) a reset, contrary to what its source says.
econnreset_of_its_own({call, P, _, Function, _}, #{results := [{P, {error, econnreset}}]}, #{results := Ours}) when
    Function =:= send; Function =:= recv
->
    Ours =:= [{P, {error, closed}}];
econnreset_of_its_own({call, _, S, send, _}, #{processes := Inet}, #{processes := Ours}) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, WithError} = maps:get(P, Inet),
            WithError -- Messages =:= [{tcp_error, S, econnreset}]
        end,
        maps:to_list(Ours)
    );
econnreset_of_its_own(_, _, _) -> false.

%% When inet comes upon a malformed header after a packet, or in setopts or unrecv, it says nothing of it until there is
%% more to read.
malformed_and_left_over(_, #{processes := Inet}, #{processes := Ours}) ->
    lists:any(
        fun({P, {_, Messages}}) ->
            {_, Before} = maps:get(P, Inet),
            case lists:prefix(Before, Messages) andalso lists:nthtail(length(Before), Messages) of
                [{tcp_error, S, emsgsize}, {tcp_closed, S}] -> true;
                _ -> false
            end
        end,
        maps:to_list(Ours)
    ).

