%% SPDX-License-Identifier: Apache-2.0
%% What is known of a world of differential_world: what it shows from outside, and what the rules of comparing ask.
-module(differential_facts).

-export([observe/1]).
-export([alive/2, idle/2, call_of/2, waits_in/3, has_messages/4]).
-export([has/2, socket/2, owner/2, options/3, unread/2, queued/2, loose/1, in_a_packet/2, not_delivered/2]).
-export([was_accepted/2, was_shut/2, was_put_back/2]).
-export([peer/2, had_peer/2, peer_is_there/2, peer_has_ended/2, sent_by_peer/2, sent_before_accept/2, expected/2]).

-include("differential_world.hrl").

%% ---- looking ----

-spec observe(world()) -> observation().
observe(#world{processes = Processes, calls = Calls, results = Results, peers = Peers} = W) ->
    #{
        results => lists:sort([{P, named(Result, W)} || {P, Result} <- Results]),
        processes => maps:map(
            fun(P, Pid) ->
                case process_info(Pid, messages) of
                    {messages, Messages} when is_map_key(P, Calls) -> {busy, named(Messages, W)};
                    {messages, Messages} -> {idle, named(Messages, W)};
                    undefined -> {dead, []}
                end
            end,
            Processes
        ),
        peers => maps:map(fun(S, Peer) -> see_peer(S, Peer, W) end, Peers),
        unsettled => W#world.unsettled
    }.

%% How much of a queue has got into the kernel, and whether an end lies behind it, is left to the kernel.
see_peer(S, #peer{did = Did, over = Over, got = Got} = Peer, W) ->
    case byte_size(Got) < expected(S, W) of
        true -> behind;
        false when Did =:= close; Did =:= reset -> {gone, Over, Got};
        false -> {differential_kernel:end_of(Peer#peer.socket), Over, Got}
    end.

%% Sockets by their names, addresses without the numbers of ports.
named(Term, W) ->
    Names = maps:from_list([{Socket, S} || {S, Socket} <- maps:to_list(W#world.sockets)]),
    name(Term, Names).

name(Term, Names) when is_map_key(Term, Names) -> maps:get(Term, Names);
name({'$inet', gentcp, _}, _) -> of_a_failed_call;
name(Port, _) when is_port(Port) -> of_a_failed_call;
name({ok, {{_, _, _, _} = IP, Number}}, _) when is_integer(Number) -> {ok, {IP, port}};
name({ok, Number}, _) when is_integer(Number) -> {ok, port};
name({Tag, Socket, Data}, Names) -> {Tag, name(Socket, Names), Data};
name(Tuple, Names) when is_tuple(Tuple) -> list_to_tuple([name(Part, Names) || Part <- tuple_to_list(Tuple)]);
name([Head | Tail], Names) when is_tuple(Head) -> [name(Head, Names) | name(Tail, Names)];
name(Term, _) -> Term.

%% ---- asking ----

-spec alive(process(), world()) -> boolean().
alive(P, #world{processes = Processes}) ->
    is_process_alive(maps:get(P, Processes)).

-spec idle(process(), world()) -> boolean().
idle(P, #world{calls = Calls} = W) ->
    alive(P, W) andalso not is_map_key(P, Calls).

%% What a process waits in.
-spec call_of(process(), world()) -> none | {atom(), name()}.
call_of(P, #world{calls = Calls}) ->
    case Calls of
        #{P := #call{step = Step}} -> call_on(Step);
        _ -> none
    end.

-spec has(name(), world()) -> boolean().
has(S, #world{sockets = Sockets}) ->
    is_map_key(S, Sockets).

-spec peer_is_there(name(), world()) -> boolean().
peer_is_there(S, #world{peers = Peers}) ->
    case Peers of
        #{S := #peer{did = Did}} -> Did =/= close andalso Did =/= reset;
        _ -> false
    end.

-spec had_peer(name(), world()) -> boolean().
had_peer(S, #world{peers = Peers}) ->
    is_map_key(S, Peers).

-spec peer_has_ended(name(), world()) -> boolean().
peer_has_ended(S, #world{peers = Peers}) ->
    case Peers of
        #{S := #peer{did = nothing}} -> false;
        #{S := _} -> true;
        _ -> false
    end.

-spec sent_by_peer(name(), world()) -> non_neg_integer().
sent_by_peer(S, W) ->
    (peer(S, W))#peer.sent.

-spec owner(name(), world()) -> process().
owner(S, #world{owners = Owners}) ->
    maps:get(S, Owners).

-spec socket(name(), world()) -> gen_tcp:socket().
socket(S, #world{sockets = Sockets}) ->
    maps:get(S, Sockets).

%% [] if it has none any more.
-spec options(name(), [atom()], world()) -> [{atom(), term()}].
options(S, Names, W) ->
    case inet:getopts(socket(S, W), Names) of
        {ok, Options} -> Options;
        {error, _} -> []
    end.

%% Is there something in the kernel that the socket has not read?
-spec unread(name(), world()) -> boolean().
unread(S, W) ->
    case differential_kernel:knows(socket(S, W)) of
        #{unread := Unread} -> Unread > 0;
        no_descriptor -> false
    end.

%% Has it something to send still?
-spec queued(name(), world()) -> boolean().
queued(S, W) ->
    inet:getstat(socket(S, W), [send_pend]) =/= {ok, [{send_pend, 0}]}.

-spec was_put_back(name(), world()) -> boolean().
was_put_back(S, #world{put_back = PutBack}) ->
    lists:member(S, PutBack).

%% Has the socket read a part of a packet, and waits for its rest?
-spec in_a_packet(name(), world()) -> boolean().
in_a_packet(S, #world{timed_out = TimedOut} = W) ->
    case differential_kernel:knows(socket(S, W)) of
        no_descriptor -> false;
        #{active := false, unread := Unread, state := State} ->
            %% The peer's end is something unread as well.
            lists:member(S, TimedOut) orelse waits_in(recv, S, W) orelse
                ((Unread =:= 0 orelse State =:= close_wait) andalso not_delivered(S, W) =/= 0);
        _ -> not_delivered(S, W) =/= 0
    end.

%% How many bytes the peer has sent that nobody has got.
-spec not_delivered(name(), world()) -> integer().
not_delivered(S, #world{peers = Peers} = W) ->
    case {Peers, inet:getstat(socket(S, W), [recv_oct])} of
        {#{S := #peer{sent = Sent}}, {ok, [{recv_oct, Delivered}]}} -> Sent - Delivered;
        _ -> 0
    end.

-spec sent_before_accept(name(), world()) -> non_neg_integer().
sent_before_accept(S, #world{sockets = Sockets}) when is_map_key(S, Sockets) -> 0;
sent_before_accept(S, W) -> (peer(S, W))#peer.sent.

-spec was_accepted(name(), world()) -> boolean().
was_accepted(S, #world{accepted = Accepted}) ->
    lists:member(S, Accepted).

%% Was the end of what it sends asked for?
-spec was_shut(name(), world()) -> boolean().
was_shut(S, #world{shut = Shut}) ->
    lists:member(S, Shut).

-spec loose(world()) -> [name()].
loose(#world{loose = Loose}) ->
    Loose.

%% Are there messages of that socket whose first elements are among the kinds?
-spec has_messages(process(), name(), [atom()], world()) -> boolean().
has_messages(P, S, Kinds, #world{processes = Processes} = W) ->
    Socket = socket(S, W),
    {messages, Messages} = process_info(maps:get(P, Processes), messages),
    lists:any(fun(M) -> is_of(Socket, M) andalso lists:member(element(1, M), Kinds) end, Messages).

is_of(Socket, Message) ->
    is_tuple(Message) andalso lists:member(Socket, tuple_to_list(Message)).


-spec waits_in(atom(), name(), world()) -> boolean().
waits_in(Function, S, #world{calls = Calls}) ->
    lists:any(fun(#call{step = Step}) -> call_on(Step) =:= {Function, S} end, maps:values(Calls)).

call_on({accept, _, L, _}) -> {accept, L};
call_on({receive_all, _, S, _}) -> {recv, S};
call_on({call, _, S, Function, _}) -> {Function, S};
call_on(_) -> other.

-spec peer(name(), world()) -> #peer{}.
peer(S, #world{peers = Peers}) ->
    maps:get(S, Peers).

%% How many bytes the peer is to get, as far as was asked for.
-spec expected(name(), world()) -> non_neg_integer().
expected(S, #world{calls = Calls} = W) ->
    Sending = [Size || #call{step = {call, _, Name, send, _}, size = Size} <- maps:values(Calls), Name =:= S],
    (peer(S, W))#peer.owed + lists:sum(Sending).
