%% SPDX-License-Identifier: Apache-2.0
%% Packet types: the same bytes go to a socket of inet and to one of gentcp, and what comes out must be the same terms.
-module(gentcp_packets_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [pair/1, close/1, await_messages/1]).

-export([all/0, suite/0]).
-export([
    corpus_is_received_as_inet_does/1,
    random_bytes_are_received_as_inet_does/1,
    random_bytes_come_as_messages_as_inet_does/1,
    body_after_header_fields/1,
    every_name_has_its_number/1,
    packet_types_are_set_and_read/1,
    http_lines_are_handed_over/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

types() ->
    [asn1, sunrm, cdr, fcgi, tpkt, http, httph, http_bin, httph_bin].

%% ---- compared with inet ----

corpus_is_received_as_inet_does(_) ->
    with_listeners(fun(Listeners) ->
        [
            compare(Listeners, {Type, Mode, Active, 0, Bytes})
         || Type <- types(), {Mode, Active} <- [{list, false}, {binary, true}, {list, 2}], Bytes <- corpus(Type)
        ]
    end).

random_bytes_are_received_as_inet_does(_) ->
    random(400, [false]).

random_bytes_come_as_messages_as_inet_does(_) ->
    %% Not {active, N}: after a packet and a malformed header in one read, inet is silent for ever.
    random(400, [true, once]).

random(Count, Actives) ->
    rand:seed(exsss, {1, 2, 3}),
    with_listeners(fun(Listeners) ->
        Seen = [
            begin
                Type = one_of(types() ++ [http, http_bin, http]),
                Size = one_of([0, 0, 0, 10 + rand:uniform(40)]),
                compare(Listeners, {Type, one_of([list, binary]), one_of(Actives), Size, bytes(Type)})
            end
         || _ <- lists:seq(1, Count)
        ],
        %% Bytes that all of them refuse would prove nothing.
        Kinds = lists:foldl(fun(K, Map) -> maps:update_with(K, fun(N) -> N + 1 end, 1, Map) end, #{}, lists:append(Seen)),
        ct:pal("~p", [Kinds]),
        [
            ?assert(maps:get(Kind, Kinds, 0) >= 5, Kind)
         || Kind <- [http_request, http_response, http_header, http_eoh, http_error, data, emsgsize]
        ]
    end).

with_listeners(Fun) ->
    Options = [{active, false}, {ip, ?LOCAL}],
    {ok, Inet} = gen_tcp:listen(0, Options),
    {ok, Ours} = gentcp:listen(0, Options),
    Fun([Inet, Ours]),
    [ok = gen_tcp:close(L) || L <- [Inet, Ours]].

%% What came, as kinds.
compare(Listeners, Case) ->
    [Expected, Got] = [run(L, Case) || L <- Listeners],
    ?assertEqual(Expected, Got, Case),
    lists:usort([kind(Result) || Result <- Expected]).

kind({_, {error, Reason}}) -> Reason;
kind({tcp_error, Reason}) -> Reason;
kind({_, http_eoh}) -> http_eoh;
kind({_, Term}) when is_tuple(Term) -> element(1, Term);
kind({_, _}) -> data;
kind(Other) -> Other.

run(Listener, {Type, Mode, Active, Size, Bytes}) ->
    {ok, Port} = inet:port(Listener),
    {ok, C} = gen_tcp:connect(?LOCAL, Port, [binary, {active, false}, {nodelay, true}]),
    {ok, S} = gen_tcp:accept(Listener, ?WAIT),
    ok = inet:setopts(S, [{packet, Type}, {mode, Mode}, {packet_size, Size}]),
    Half = byte_size(Bytes) div 2,
    <<First:Half/binary, Second/binary>> = Bytes,
    %% The receiver may have closed by now.
    _ = gen_tcp:send(C, First),
    ok = inet:setopts(S, [{active, Active}]),
    _ = gen_tcp:send(C, Second),
    _ = gen_tcp:shutdown(C, write),
    Result =
        case Active of
            false -> receive_all(S);
            _ -> messages(S, Active)
        end,
    ok = gen_tcp:close(S),
    ok = gen_tcp:close(C),
    Result.

%% The first error, and the one after it, are the last.
receive_all(S) ->
    case gen_tcp:recv(S, 0, ?WAIT) of
        {ok, Data} -> [{ok, Data} | receive_all(S)];
        Error -> [{first, Error}, {then, gen_tcp:recv(S, 0, ?WAIT)}]
    end.

messages(S, Active) ->
    receive
        {tcp_closed, S} ->
            [tcp_closed];
        {tcp_passive, S} ->
            _ = inet:setopts(S, [{active, Active}]),
            [tcp_passive | messages(S, Active)];
        {tcp_error, S, Reason} ->
            [{tcp_error, Reason} | messages(S, Active)];
        {Tag, S, Data} ->
            Active =:= once andalso inet:setopts(S, [{active, once}]),
            [{Tag, Data} | messages(S, Active)]
    after ?WAIT -> error({silence, S})
    end.

%% ---- bytes ----

corpus(Type) when Type =:= http; Type =:= http_bin ->
    [
        <<"GET / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  3 \r\nx-mine: b\r\n c\r\n\r\nGET * HTTP/1.0\n\n">>,
        <<"HTTP/1.1 200 OK\r\nServer: a\r\nSet-Cookie: b=c\r\n\r\nHTTP/1.0 404\r\n\r\nHTTP/1.1 x\r\n">>,
        <<"OPTIONS http://h:80/p HTTP/1.1\r\n\r\nHEAD HTTPS://h HTTP/1.1\r\n\r\nPUT http://h:x/p HTTP/1.1\r\n\r\n">>,
        <<"DELETE mailto:a@b HTTP/1.1\r\n\r\nTRACE abc HTTP/1.1\r\n\r\nPATCH a\r\n\r\nget /\r\n\r\n">>,
        <<"nonsense\r\n\r\nGET / HTTP/1.1\r\nno colon\r\n: v\r\nA:\r\n\r\nGET">>,
        <<"GET /", (binary:copy(<<"p">>, 1200))/binary, " HTTP/1.1\r\n\r\n">>,
        <<"GET /", 255, 128, 0, " HTTP/1.1\r\nx: ", 255, 200, 0, "\r\n\r\n">>,
        <<"\r\n">>,
        <<>>
    ];
corpus(Type) when Type =:= httph; Type =:= httph_bin ->
    [
        <<"Host: a\r\nhOST: b\r\nconnection:close\r\nWWW-authenticate: c\r\n\r\nvia: d\r\n\r\n">>,
        <<"a-b--c: 1\r\n\t2\r\n", (binary:copy(<<"n">>, 50))/binary, ": v\r\n", (binary:copy(<<"n">>, 51))/binary, ": v\r\n\r\n">>,
        <<"bad\r\nHost : a\r\n{: b\r\n\r\n">>,
        <<"Host: unfinished\r\n">>
    ];
corpus(asn1) ->
    [
        <<16#30, 3, 1, 2, 3, 16#30, 16#82, 0, 3, 1, 2, 3, 16#3f, 16#81, 1, 2, 0, 0, 48, 0>>,
        <<16#30, 16#85, 0, 0, 0, 0, 0, 0>>,
        <<16#30, 16#80, 48, 5, 1>>
    ];
corpus(sunrm) ->
    [<<16#80, 0, 0, 2, 1, 2, 0, 0, 0, 1, 7, 0, 0, 0, 0>>, <<16#80, 0, 0, 2, 1>>, <<127, 255, 255, 252>>];
corpus(cdr) ->
    [<<"GIOP", 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, "GIOP", 1, 0, 1, 0, 2, 0, 0, 0, 1, 2>>, <<"GIOX", 1, 0, 1, 0, 2, 0, 0, 0>>];
corpus(fcgi) ->
    [<<1, 1, 0, 1, 0, 2, 1, 0, 1, 2, 3, 1, 1, 0, 1, 0, 0, 0, 0>>, <<2, 1, 0, 1, 0, 2, 1, 0>>];
corpus(tpkt) ->
    [<<3, 0, 0, 6, 1, 2, 3, 0, 0, 4>>, <<3, 0, 0, 3>>, <<2, 0, 0, 6, 1, 2>>].

bytes(Type) ->
    case rand:uniform(4) of
        1 -> mutate(one_of(corpus(Type)));
        2 -> iolist_to_binary([mutate(one_of(corpus(Type))) || _ <- [1, 2]]);
        3 -> list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(30))]);
        4 -> list_to_binary([one_of(words()) || _ <- lists:seq(1, rand:uniform(25))])
    end.

words() ->
    [
        "GET", "POST", " ", " ", "\t", "/", "*", "http://", "h", ":", "80", "HTTP/1.1", "HTTP/", "1", ".", "200", "OK", "\r\n",
        "\r\n", "\n", "\r", "GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "Host: a\r\n", "x: y\r\n", "\r\n\r\n", 0, 1, 2, 3, 255,
        "GIOP", [3, 0, 0, 10], [1, 1, 0, 1, 0, 2, 1, 0], [48, 129, 5], [128, 0, 0, 3]
    ].

mutate(Bytes) ->
    case {rand:uniform(3), byte_size(Bytes)} of
        {_, 0} ->
            Bytes;
        {1, _} ->
            Bytes;
        {2, N} ->
            binary:part(Bytes, 0, rand:uniform(N));
        {3, N} ->
            At = rand:uniform(N) - 1,
            <<A:At/binary, _, B/binary>> = Bytes,
            <<A/binary, (rand:uniform(256) - 1), B/binary>>
    end.

one_of(List) ->
    lists:nth(rand:uniform(length(List)), List).

%% ---- as a server uses it ----

body_after_header_fields(_) ->
    {C, S} = pair([binary, {packet, raw}]),
    ok = gen_tcp:send(C, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n"),
    ok = gentcp:setopts(S, [{packet, http_bin}]),
    ?assertEqual({ok, {http_request, 'POST', {abs_path, <<"/a">>}, {1, 1}}}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:setopts(S, [{active, once}]),
    receive
        {http, S, {http_header, 38, 'Content-Length', <<"Content-Length">>, <<"5">>}} -> ok
    after ?WAIT -> error(silence)
    end,
    ?assertEqual({ok, http_eoh}, gentcp:recv(S, 0, ?WAIT)),
    ok = gentcp:setopts(S, [{packet, raw}]),
    ?assertEqual({ok, <<"hello">>}, gentcp:recv(S, 5, ?WAIT)),
    ok = gentcp:setopts(S, [{packet, http}]),
    ?assertEqual({ok, {http_request, 'GET', {abs_path, "/b"}, {1, 1}}}, gentcp:recv(S, 0, ?WAIT)),
    close([C, S]).

%% The names that OTP has atoms for, found by asking it.
every_name_has_its_number(_) ->
    {C, S} = pair([{packet, httph}]),
    Names = names(),
    ?assert(length(Names) > 40),
    [
        begin
            Line = [Name, ": v\r\n"],
            {ok, Expected, _} = erlang:decode_packet(httph, iolist_to_binary([Line, "x"]), []),
            ok = gentcp:send(C, [Line, "x: y\r\n\r\n"]),
            ?assertEqual({ok, Expected}, gentcp:recv(S, 0, ?WAIT)),
            ?assertMatch({ok, {http_header, 0, "X", "x", "y"}}, gentcp:recv(S, 0, ?WAIT)),
            ?assertEqual({ok, http_eoh}, gentcp:recv(S, 0, ?WAIT))
        end
     || Name <- Names
    ],
    close([C, S]).

names() ->
    Words = [
        "cache-control", "connection", "date", "pragma", "transfer-encoding", "upgrade", "via", "accept", "accept-charset",
        "accept-encoding", "accept-language", "authorization", "from", "host", "if-modified-since", "if-match",
        "if-none-match", "if-range", "if-unmodified-since", "max-forwards", "proxy-authorization", "range", "referer",
        "user-agent", "age", "location", "proxy-authenticate", "public", "retry-after", "server", "vary", "warning",
        "www-authenticate", "allow", "content-base", "content-encoding", "content-language", "content-length",
        "content-location", "content-md5", "content-range", "content-type", "etag", "expires", "last-modified",
        "accept-ranges", "set-cookie", "set-cookie2", "x-forwarded-for", "cookie", "keep-alive", "proxy-connection"
    ],
    [
        Word
     || Word <- Words,
        {ok, {http_header, Number, _, _, _}, _} <- [erlang:decode_packet(httph, list_to_binary([Word, ": v\r\nx"]), [])],
        Number > 0
    ].

packet_types_are_set_and_read(_) ->
    {C, S} = pair([]),
    [
        begin
            ok = gentcp:setopts(S, [{packet, Type}]),
            ?assertEqual({ok, [{packet, Type}]}, gentcp:getopts(S, [packet]))
        end
     || Type <- types()
    ],
    [?assertEqual({error, einval}, gentcp:setopts(S, [{packet, Type}])) || Type <- [3, 5, 1.0, "http", https, <<"http">>]],
    close([C, S]).

http_lines_are_handed_over(_) ->
    {C, S} = pair([{packet, http}]),
    Self = self(),
    Owner = spawn_link(fun() -> receive go -> [Self ! receive M -> M end || _ <- [1, 2]] end end),
    ok = gentcp:setopts(S, [{active, true}]),
    ok = gentcp:send(C, "GET / HTTP/1.1\r\n"),
    await_messages(1),
    ok = gentcp:controlling_process(S, Owner),
    ok = gentcp:send(C, "\r\n"),
    Owner ! go,
    [
        ?assertEqual({http, S, Expected}, receive Message -> Message after ?WAIT -> silence end)
     || Expected <- [{http_request, 'GET', {abs_path, "/"}, {1, 1}}, http_eoh]
    ],
    close([C, S]).
