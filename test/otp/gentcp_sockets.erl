%% SPDX-License-Identifier: Apache-2.0
%% What the suites have in common: connections, processes that wait, and messages. Every socket is on loopback, every
%% wait has a bound.
-module(gentcp_sockets).

-include_lib("stdlib/include/assert.hrl").

-export([
    pair/1,
    pair/2,
    close/1,
    spawn_echo/2,
    echo/1,
    exchange/2,
    done/2,
    spawn_recv/1,
    await_blocked/1,
    await_messages/1,
    kill/1,
    receive_hash/3,
    next/0,
    quiet/0,
    flush/0,
    memory/0,
    until/1
]).

-define(WAIT, 20000).
-define(LOCAL, {127, 0, 0, 1}).

%% Two ends of a connection, both owned by the caller.
pair(Options) ->
    pair(?LOCAL, Options).

pair(Address, Options0) ->
    Options = [{active, false} | Options0],
    {ok, L} = gentcp:listen(0, Options),
    {ok, Port} = gentcp:port(L),
    {ok, C} = gentcp:connect(Address, Port, Options, ?WAIT),
    {ok, S} = gentcp:accept(L, ?WAIT),
    close([L]),
    {C, S}.

close(Sockets) ->
    [?assertEqual(ok, gentcp:close(S)) || S <- Sockets].

spawn_echo(S, Fun) ->
    Echo = fun() ->
        receive go -> ok end,
        Fun(S)
    end,
    {Pid, Ref} = spawn_opt(Echo, [link, monitor]),
    ok = gentcp:controlling_process(S, Pid),
    Pid ! go,
    {Pid, Ref}.

%% From a passive socket, until its peer closes.
echo(S) ->
    case gentcp:recv(S, 0) of
        {ok, Data} ->
            ok = gentcp:send(S, Data),
            echo(S);
        {error, closed} ->
            ok
    end.

%% Pieces of many sizes go out and come back the same.
exchange(C, Count) ->
    [
        begin
            Data = rand:bytes(I * I rem 9973 + 1),
            ok = gentcp:send(C, Data),
            ?assertEqual({ok, Data}, gentcp:recv(C, byte_size(Data), ?WAIT))
        end
     || I <- lists:seq(1, Count)
    ].

done(C, {Echo, Ref}) ->
    close([C]),
    ?assertEqual({'DOWN', Ref, process, Echo, normal}, next()).

spawn_recv(S) ->
    Self = self(),
    spawn(fun() -> recv_and_tell(S, Self) end).

recv_and_tell(S, To) ->
    To ! {self(), gentcp:recv(S, 0)},
    receive again -> recv_and_tell(S, To) after ?WAIT -> ok end.

await_blocked(Pid) ->
    Waiting = [{status, waiting}, {current_function, {gentcp, await, 3}}],
    until(fun() -> process_info(Pid, [status, current_function]) =:= Waiting end).

%% What has come is counted only once a receive has looked for something: a sleep alone need not look.
await_messages(Count) ->
    until(fun() ->
        receive
            no_such_message -> ok
        after 0 -> ok
        end,
        process_info(self(), message_queue_len) =:= {message_queue_len, Count}
    end).

kill(Pid) ->
    Ref = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok after ?WAIT -> error(immortal) end.

receive_hash(_S, 0, State) ->
    crypto:hash_final(State);
receive_hash(S, Missing, State) ->
    {ok, Data} = gentcp:recv(S, 0, ?WAIT),
    receive_hash(S, Missing - byte_size(Data), crypto:hash_update(State, Data)).

next() ->
    receive
        Message -> Message
    after ?WAIT -> error(silence)
    end.

quiet() ->
    receive
        Message -> error({unexpected, Message})
    after 20 -> ok
    end.

flush() ->
    receive
        Message -> [Message | flush()]
    after 0 -> []
    end.

%% Bytes that the node uses, garbage collected; 0: its allocators don't count (+Mea min, for the sanitizers).
memory() ->
    [erlang:garbage_collect(Pid) || Pid <- processes()],
    try
        erlang:memory(total)
    catch
        error:notsup -> 0
    end.

%% For conditions of which no event tells.
until(Condition) ->
    until(Condition, erlang:monotonic_time(millisecond) + ?WAIT).

until(Condition, Deadline) ->
    case Condition() of
        true ->
            ok;
        false ->
            erlang:monotonic_time(millisecond) < Deadline orelse error(never),
            timer:sleep(1),
            until(Condition, Deadline)
    end.
