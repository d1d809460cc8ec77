%% SPDX-License-Identifier: Apache-2.0
%% Every function, with every kind of wrong argument in every place: an exception or an error, and the VM lives on.
-module(abuse).

-export([start/0]).

start() ->
    {ok, Listener} = gentcp:listen(0, [{active, false}, {backlog, 4000}]),
    {ok, Port} = gentcp:port(Listener),
    {ok, Client} = gentcp:connect(loopback, Port, [{active, false}]),
    {ok, Server} = gentcp:accept(Listener),
    [try_all(Socket, Port) || Socket <- [Listener, Client]],
    ok = gentcp:setopts(Client, [{active, false}, {packet, raw}, binary]),
    ok = gentcp:send(Server, <<"still there">>),
    {ok, <<"still there">>} = gentcp:recv(Client, 11),
    ok.

terms(Socket) ->
    {_, Handle, _} = Socket,
    Binary = <<"more than the sixty-four bytes that a binary on the heap may have in this VM">>,
    [
        foo, -1, 1 bsl 50, 1 bsl 62, -(1 bsl 62), 1 bsl 64, 1.5, [], [foo], [1 | 2], [256], "text", <<>>, Binary,
        {}, {1}, {a, b}, {127, 0, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 8}, #{}, #{family => inet, port => -1}, self(),
        make_ref(), fun() -> ok end, Socket, Handle, {'$avm_gen_tcp', foo, gentcp}, [{active, 99999}],
        [{active, foo}], [{buffer, -1}], [{buffer, 1 bsl 62}], [{ip, {1, 2, 3}}], [{packet, 3}], [{raw, 1, 2, foo}],
        [{linger, {true, -1}}], [{header, 1 bsl 40}], [binary | foo], [{fd, foo}], [{netns, [1, 2, foo]}]
    ].

try_all(Socket, Port) ->
    Terms = terms(Socket),
    {_, Handle, _} = Socket,
    Ref = make_ref(),
    [
        begin
            attempt(fun() -> gentcp:listen(T, []) end),
            attempt(fun() -> gentcp:listen(0, T) end),
            attempt(fun() -> gentcp:connect(T, Port, [], 0) end),
            attempt(fun() -> gentcp:connect(loopback, T, [], 0) end),
            attempt(fun() -> gentcp:connect(loopback, Port, T, 0) end),
            attempt(fun() -> gentcp:connect(loopback, Port, [], T) end),
            attempt(fun() -> gentcp:connect(T, []) end),
            attempt(fun() -> gentcp:accept(T, 0) end),
            attempt(fun() -> gentcp:recv(T, 0, 0) end),
            attempt(fun() -> gentcp:recv(Socket, T, 0) end),
            attempt(fun() -> gentcp:unrecv(Socket, T) end),
            attempt(fun() -> gentcp:send(T, <<"x">>) end),
            attempt(fun() -> gentcp:send(Socket, T) end),
            attempt(fun() -> gentcp:shutdown(Socket, T) end),
            attempt(fun() -> gentcp:controlling_process(Socket, T) end),
            attempt(fun() -> gentcp:setopts(Socket, T) end),
            attempt(fun() -> gentcp:setopts(Socket, [T]) end),
            attempt(fun() -> gentcp:getopts(Socket, T) end),
            attempt(fun() -> gentcp:getopts(Socket, [T]) end),
            attempt(fun() -> gentcp:getopts(Socket, [{raw, 6, 1, T}]) end),
            attempt(fun() -> gentcp:sockname(T) end),
            attempt(fun() -> gentcp_nif:accept(Handle, T) end),
            attempt(fun() -> gentcp_nif:recv(T, 0, Ref) end),
            attempt(fun() -> gentcp_nif:recv(Handle, T, T) end),
            attempt(fun() -> gentcp_nif:send(Handle, <<"x">>, T) end),
            attempt(fun() -> gentcp_nif:close(T, T) end),
            attempt(fun() -> gentcp_nif:abort(not_a_socket(T)) end),
            attempt(fun() -> gentcp_nif:cancel(Handle, T) end),
            attempt(fun() -> gentcp_nif:cancel_lookup(T) end),
            attempt(fun() -> gentcp_nif:lookup(T, T, Ref) end),
            attempt(fun() -> gentcp_nif:hand_over(Handle, not_a_pid(T)) end),
            attempt(fun() -> gentcp_nif:pass_on(Handle, not_a_pid(T), T) end),
            attempt(fun() -> gentcp_nif:connect(T, T, T, T) end),
            attempt(fun() -> gentcp_nif:listen(T, T) end)
        end
     || T <- Terms
    ],
    _ = gentcp_nif:cancel(Handle, Ref), % the recv that was well formed
    ok.

%% These would do what they are for.
not_a_socket(T) when is_reference(T) -> foo;
not_a_socket(T) -> T.
not_a_pid(T) when is_pid(T) -> foo;
not_a_pid(T) -> T.

attempt(Call) ->
    try Call() of
        {ok, {'$avm_gen_tcp', _, gentcp} = Opened} -> ok = gentcp:close(Opened);
        _ -> ok
    catch
        _:_ -> ok
    end.
