%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_sending).

-export([rows/0]).

-import(behaviour_world, [listen/3, port/2, pair/2, pair/3, pair/4, reset/3, call/1, answer/1, waiting/1, kill/1]).
-import(behaviour_world, [told/1, told/2, nothing/1, until/1, recv_all/3, bytes/1, catching/1]).

rows() ->
    [
        {"send of iodata", fun iodata/2},
        {"send of what is no iodata", fun no_iodata/2},
        {"send after the peer has closed", fun peer_closed/2},
        {"send after the peer has closed, resets shown", fun peer_closed_shown/2},
        {"a large send to a peer that reads later is queued", fun queued/2},
        {"send above the high watermark waits for the low one", fun waits_for_low/2},
        {"send_timeout leaves its bytes queued", fun send_timeout/2},
        {"send_timeout 0", fun send_timeout_zero/2},
        {differs, "send_timeout_close, active", fun send_timeout_close/2},
        {"low_watermark above high_watermark drags it, and the other way round", fun watermarks/2},
        {"shutdown write", fun shutdown_write/2},
        {"shutdown write flushes the queue", fun shutdown_flushes/2},
        {"shutdown of what is no direction", fun shutdown_bad/2},
        {"shutdown read", fun shutdown_read/2},
        {"close flushes the queue", fun close_flushes/2},
        {"linger 0 resets", fun linger_zero/2},
        {"close answers who waits", fun close_answers/2},
        {"close of another process's socket", fun close_by_other/2},
        {"the owner dies, with data queued", fun owner_dies/2},
        {"the owner of an active socket dies", fun owner_of_active_dies/2},
        {"the owner of a listener dies", fun owner_of_listener_dies/2},
        {"after the end, passive, recv", fun after_end_recv/2},
        {"after the end, passive, send", fun after_end_send/2},
        {"after the end, passive, getopts and setopts", fun after_end_options/2},
        {"after a reset, passive", fun after_reset/2},
        {"after a reset that is shown, passive", fun after_reset_shown/2},
        {"after close, calls of gen_tcp", fun after_close/2},
        {"after close, calls of inet", fun after_close_inet/2}
    ].

iodata(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(H, [<<"bi">>, "nary", [$\s, "and", [<<" li">> | <<"st">>]]]),
    {T:recv(P, 15, 5000), T:send(H, []), T:send(H, <<>>)}.

no_iodata(T, I) ->
    {H, P} = pair(T, I),
    Answers = [T:send(H, Data) || Data <- [foo, [foo], [256], {}]],
    ok = T:send(H, <<"good">>),
    {Answers, T:recv(P, 0, 5000)}.

%% What sends answer, equal ones but once, until nothing else is to come.
answers_of_send(T, Socket, Answers) ->
    case T:send(Socket, <<"x">>) of
        {error, enotconn} = Last ->
            lists:reverse([Last | Answers]);
        Answer when [Answer] =:= Answers ->
            receive
            after 2 -> answers_of_send(T, Socket, Answers)
            end;
        Answer ->
            answers_of_send(T, Socket, [Answer | Answers])
    end.

peer_closed(T, I) ->
    {H, P} = pair(T, I),
    ok = T:close(P),
    answers_of_send(T, H, []).

peer_closed_shown(T, I) ->
    {H, P} = pair(T, I, [{show_econnreset, true}]),
    ok = T:close(P),
    {answers_of_send(T, H, []), T:recv(H, 0, 5000)}.

%% With so little room in the kernel that 300 kB need the queue.
narrow(T, I, Options) ->
    pair(T, I, [{sndbuf, 16384} | Options], [{recbuf, 16384}]).

queued(T, I) ->
    {H, P} = narrow(T, I, []),
    Sent = T:send(H, bytes(300000)),
    Call = call(fun() -> T:close(H) end),
    {Sent, recv_all(T, P, 0), answer(Call)}.

waits_for_low(T, I) ->
    {H, P} = narrow(T, I, []),
    ok = T:send(H, bytes(300000)),
    Call = call(fun() -> T:send(H, bytes(9000)) end),
    First = waiting(Call),
    {ok, Data} = T:recv(P, 309000, 10000),
    {First, byte_size(Data), answer(Call)}.

send_timeout(T, I) ->
    {H, P} = narrow(T, I, [{send_timeout, 20}]),
    ok = T:send(H, bytes(300000)),
    Second = T:send(H, bytes(100000)),
    Call = call(fun() -> T:close(H) end),
    {Second, recv_all(T, P, 0), answer(Call)}.

send_timeout_zero(T, I) ->
    {H, P} = narrow(T, I, [{send_timeout, 0}]),
    ok = T:send(H, bytes(300000)),
    Second = T:send(H, bytes(100000)),
    Call = call(fun() -> T:close(H) end),
    {Second, recv_all(T, P, 0), answer(Call)}.

send_timeout_close(T, I) ->
    {H, _} = narrow(T, I, [{send_timeout, 20}, {send_timeout_close, true}, {active, true}]),
    ok = T:send(H, bytes(300000)),
    {T:send(H, bytes(100000)), nothing(H), T:send(H, <<"x">>)}.

watermarks(T, I) ->
    {H, _} = pair(T, I),
    Read = fun() -> I:getopts(H, [low_watermark, high_watermark]) end,
    ok = I:setopts(H, [{low_watermark, 10000}]),
    First = Read(),
    ok = I:setopts(H, [{high_watermark, 100}]),
    {First, Read()}.

shutdown_write(T, I) ->
    {H, P} = pair(T, I),
    ok = T:send(H, <<"last">>),
    Shut = T:shutdown(H, write),
    Peer = [T:recv(P, 4, 5000), T:recv(P, 0, 5000)],
    {Shut, Peer, T:send(H, <<"x">>), T:recv(H, 0, 0)}.

shutdown_flushes(T, I) ->
    {H, P} = narrow(T, I, []),
    ok = T:send(H, bytes(300000)),
    {T:shutdown(H, write), recv_all(T, P, 0)}.

shutdown_bad(T, I) ->
    {H, _} = pair(T, I),
    catching(fun() -> T:shutdown(H, foo) end).

shutdown_read(T, I) ->
    {H, P} = pair(T, I),
    Shut = T:shutdown(H, read),
    Sent = T:send(H, <<"on">>),
    {Shut, Sent, T:recv(P, 2, 5000), T:recv(H, 0, 5000)}.

close_flushes(T, I) ->
    {H, P} = narrow(T, I, []),
    ok = T:send(H, bytes(300000)),
    Call = call(fun() -> T:close(H) end),
    First = waiting(Call),
    {First, recv_all(T, P, 0), answer(Call)}.

linger_zero(T, I) ->
    {H, P} = pair(T, I, [], [{show_econnreset, true}]),
    reset(T, I, H),
    T:recv(P, 0, 5000).

close_answers(T, I) ->
    {H, _} = pair(T, I),
    {Listener, _} = listen(T, I, []),
    Calls = [call(fun() -> T:recv(H, 0, 10000) end), call(fun() -> T:accept(Listener, 10000) end)],
    First = [waiting(Call) || Call <- Calls],
    {First, T:close(H), T:close(Listener), [answer(Call) || Call <- Calls]}.

close_by_other(T, I) ->
    {H, P} = pair(T, I, [{active, true}]),
    {answer(call(fun() -> T:close(H) end)), nothing(H), T:recv(P, 0, 5000)}.

%% A process that owns a connection, and the other end of it.
owner(T, I, Options) ->
    {Listener, Port} = listen(T, I, [{recbuf, 16384}]),
    Self = self(),
    Call = call(fun() ->
        {ok, Socket} = T:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {sndbuf, 16384} | Options], 5000),
        ok = T:send(Socket, bytes(300000)),
        Self ! {self(), ready},
        receive never -> ok end
    end),
    ready = answer_of(Call),
    {ok, P} = T:accept(Listener, 5000),
    {Call, P}.

answer_of({Pid, _}) ->
    receive
        {Pid, Answer} -> Answer
    after 5000 -> waits
    end.

owner_dies(T, I) ->
    {Call, P} = owner(T, I, []),
    ok = kill(Call),
    recv_all(T, P, 0).

owner_of_active_dies(T, I) ->
    {Call, P} = owner(T, I, [{active, true}]),
    ok = kill(Call),
    recv_all(T, P, 0).

owner_of_listener_dies(T, I) ->
    Self = self(),
    Call = call(fun() ->
        {_, Port} = listen(T, I, []),
        Self ! {self(), Port},
        receive never -> ok end
    end),
    Port = answer_of(Call),
    ok = kill(Call),
    Connect = fun() -> element(2, T:connect({127, 0, 0, 1}, Port, [], 5000)) end,
    ok = until(fun() -> Connect() =:= econnrefused end),
    Connect().

%% A passive socket that has met the end.
ended(T, I, Options) ->
    {H, P} = pair(T, I, Options),
    ok = T:close(P),
    {H, T:recv(H, 0, 5000)}.

after_end_recv(T, I) ->
    {H, First} = ended(T, I, []),
    {First, [T:recv(H, 0, 0), T:recv(H, 0, 0)]}.

after_end_send(T, I) ->
    {H, First} = ended(T, I, []),
    {First, [T:send(H, <<"x">>) || _ <- [1, 2, 3]]}.

after_end_options(T, I) ->
    {H, First} = ended(T, I, []),
    Read = I:getopts(H, [active, packet]),
    {First, Read, I:setopts(H, [{active, once}]), told(H), T:recv(H, 0, 0)}.

was_reset(T, I, Options) ->
    {H, P} = pair(T, I, Options),
    reset(T, I, P),
    Received = [T:recv(H, 0, 5000), T:recv(H, 0, 5000)],
    {Received, [T:send(H, <<"x">>) || _ <- [1, 2]]}.

after_reset(T, I) -> was_reset(T, I, []).

after_reset_shown(T, I) -> was_reset(T, I, [{show_econnreset, true}]).

after_close(T, I) ->
    {H, _} = pair(T, I),
    {Listener, _} = listen(T, I, []),
    [ok, ok] = [T:close(H), T:close(Listener)],
    [
        T:recv(H, 0, 0),
        T:send(H, <<"x">>),
        T:shutdown(H, write),
        T:unrecv(H, <<"x">>),
        T:accept(Listener, 0),
        T:controlling_process(H, self()),
        T:close(H)
    ].

after_close_inet(T, I) ->
    {H, _} = pair(T, I),
    ok = T:close(H),
    [I:setopts(H, [{active, true}]), I:getopts(H, [active]), I:peername(H), I:sockname(H), I:port(H)].
