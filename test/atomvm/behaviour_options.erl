%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_options).

-export([rows/0]).

-import(behaviour_world, [listen/3, pair/2, pair/3, pair/4, told/1, catching/1]).

rows() ->
    [
        {"defaults", fun defaults/2},
        {"a bad option to connect", fun bad_connect/2},
        {"a bad option to listen", fun bad_listen/2},
        {"a bad option to setopts changes nothing", fun bad_setopts/2},
        {"an unknown name to getopts", fun unknown_name/2},
        {"names that getopts does not take", fun unreadable/2},
        {"an option of another family is left out", fun other_family/2},
        {"every option that is set is read", fun set_and_read/2},
        {"of an option that is given twice", fun twice/2},
        {"accept hands down", fun inherited/2},
        {"accept hands down what the listener has by then", fun inherited_later/2},
        {"raw options", fun raw/2},
        {"recbuf raises buffer, unless it is set", fun recbuf/2},
        {"mode", fun mode/2},
        {differs, "a negative buffer", fun negative_buffer/2},
        {differs, "accept hands down line_delimiter", fun inherited_delimiter/2},
        {differs, "connect and listen take line_delimiter", fun opening_delimiter/2},
        {gentcp, "binary true and false", fun binary_boolean/2},
        {gentcp, "inet_backend socket returns from send when the kernel has all", fun backend/2}
    ].

%% Not buffer, whose default is the host's.
defaults(T, I) ->
    {_, Port} = listen(T, I, []),
    {ok, H} = T:connect({127, 0, 0, 1}, Port, []),
    I:getopts(H, [
        active, mode, packet, packet_size, header, deliver, high_watermark, low_watermark, exit_on_close, send_timeout,
        send_timeout_close, delay_send, show_econnreset, nodelay, keepalive, linger
    ]).

bad_connect(T, I) ->
    {_, Port} = listen(T, I, []),
    [catching(fun() -> T:connect({127, 0, 0, 1}, Port, [Bad]) end) || Bad <- bad()].

bad_listen(T, _) ->
    [catching(fun() -> T:listen(0, [Bad]) end) || Bad <- bad()].

bad() -> [foo, {foo, 1}, {active, foo}, {packet, 3}, {nodelay, 1}, {active}, 5].

bad_setopts(T, I) ->
    {H, _} = pair(T, I),
    Answers = [I:setopts(H, [{nodelay, true}, Bad]) || Bad <- bad()],
    {Answers, I:getopts(H, [nodelay])}.

unknown_name(T, I) ->
    {H, _} = pair(T, I),
    [I:getopts(H, [active, foo]), I:getopts(H, [])].

unreadable(T, I) ->
    {H, _} = pair(T, I),
    [I:getopts(H, [Name]) || Name <- [list, binary, backlog, ip, port, fd, line_delimiter]].

other_family(T, I) ->
    {H, _} = pair(T, I),
    I:getopts(H, [active, ipv6_v6only, tclass]).

set_and_read(T, I) ->
    {H, _} = pair(T, I),
    [
        {I:setopts(H, [Option]), I:getopts(H, [element(1, Option)]) =:= {ok, [Option]}, element(1, Option)}
     || Option <- [
            {packet, line}, {packet_size, 1000}, {header, 1}, {buffer, 2000}, {high_watermark, 20000},
            {low_watermark, 100}, {send_timeout, 1}, {send_timeout, infinity}, {send_timeout_close, true},
            {exit_on_close, false}, {show_econnreset, true}, {delay_send, true}, {nodelay, true}, {keepalive, true},
            {reuseaddr, true}, {linger, {true, 3}}, {priority, 2}, {tos, 16}, {ttl, 9}, {recvtos, true},
            {recvttl, true}, {deliver, port}, {mode, list}, {dontroute, true}, {high_msgq_watermark, 9000},
            {low_msgq_watermark, 1000}
        ]
    ].

twice(T, I) ->
    {H, _} = pair(T, I, [{packet, 1}, {packet, 2}]),
    First = I:getopts(H, [packet]),
    ok = I:setopts(H, [{packet, 4}, {packet, 1}]),
    {First, I:getopts(H, [packet])}.

inheritable() ->
    [
        {mode, list}, {packet, 2}, {packet_size, 77}, {header, 3}, {buffer, 999}, {high_watermark, 5000},
        {low_watermark, 2000}, {send_timeout, 44}, {send_timeout_close, true}, {exit_on_close, false},
        {show_econnreset, true}, {nodelay, true}, {keepalive, true}, {delay_send, true}, {priority, 3},
        {linger, {true, 2}}, {ttl, 8}
    ].

not_inherited(I, Socket) ->
    {ok, Are} = I:getopts(Socket, [element(1, Option) || Option <- inheritable()]),
    [Option || Option <- inheritable(), not lists:member(Option, Are)].

inherited(T, I) ->
    {_, P} = pair(T, I, [], inheritable()),
    not_inherited(I, P).

inherited_later(T, I) ->
    {Listener, Port} = listen(T, I, []),
    {ok, _} = T:connect({127, 0, 0, 1}, Port, [{active, false}]),
    ok = I:setopts(Listener, inheritable()),
    {ok, P} = T:accept(Listener, 5000),
    not_inherited(I, P).

%% Of TCP: its number is 6, and 1 is that of nodelay.
raw(T, I) ->
    {H, _} = pair(T, I),
    Set = I:setopts(H, [{raw, 6, 1, <<1:32/little>>}]),
    {Set, I:getopts(H, [nodelay]), I:getopts(H, [{raw, 6, 1, 4}])}.

recbuf(T, I) ->
    {H, _} = pair(T, I, [{recbuf, 30000}]),
    {Other, _} = pair(T, I, [{recbuf, 30000}, {buffer, 300}]),
    [I:getopts(H, [buffer]), I:getopts(Other, [buffer])].

mode(T, I) ->
    {H, _} = pair(T, I, [list]),
    First = I:getopts(H, [mode]),
    ok = I:setopts(H, [binary]),
    {First, I:getopts(H, [mode])}.

negative_buffer(T, I) ->
    {H, _} = pair(T, I),
    {I:setopts(H, [{buffer, -1}]), catching(fun() -> element(1, T:listen(0, [{buffer, -1}])) end)}.

inherited_delimiter(T, I) ->
    {Listener, Port} = listen(T, I, [{packet, line}]),
    ok = I:setopts(Listener, [{line_delimiter, $;}]),
    {ok, H} = T:connect({127, 0, 0, 1}, Port, [{active, false}]),
    {ok, P} = T:accept(Listener, 5000),
    ok = T:send(H, "one;\n"),
    T:recv(P, 0, 5000).

opening_delimiter(T, I) ->
    {H, P} = pair(T, I, [{packet, line}, {line_delimiter, $;}]),
    ok = T:send(P, <<"one;two;">>),
    {T:recv(H, 0, 5000), catching(fun() -> element(1, T:listen(0, [{line_delimiter, $;}])) end)}.

binary_boolean(T, I) ->
    [
        begin
            {H, P} = pair(T, I, [{active, true}, {binary, Value}]),
            ok = T:send(P, <<"data">>),
            told(H)
        end
     || Value <- [true, false]
    ].

backend(T, I) ->
    {H, P} = pair(T, I, [{inet_backend, socket}, {send_timeout, 20}, {sndbuf, 16384}], [{recbuf, 16384}]),
    First = T:send(H, behaviour_world:bytes(500000)),
    {First, element(1, T:recv(P, 500000, 10000))}.
