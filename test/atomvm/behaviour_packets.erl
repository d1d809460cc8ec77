%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_packets).

-export([rows/0]).

-import(behaviour_world, [pair/2, pair/3, pair/4, told/1, told/2, bytes/1]).

rows() ->
    [
        {"packet 1, 2 and 4 both ways", fun lengths/2},
        {"the longest packets of packet 1 and 2", fun longest/2},
        {differs, "longer ones", fun too_long/2},
        {"an empty packet", fun empty/2},
        {"line", fun line/2},
        {"a line longer than buffer, if that is set", fun long_line/2},
        {differs, "a line of 5000 bytes, if buffer is not set", fun line_without_buffer/2},
        {"a line above packet_size", fun line_above_size/2},
        {"asn1", fun asn1/2},
        {"sunrm", fun sunrm/2},
        {"cdr", fun cdr/2},
        {"fcgi", fun fcgi/2},
        {"tpkt", fun tpkt/2},
        {"a packet that is none", fun malformed/2},
        {"http, a request", fun http_request/2},
        {"http, a response", fun http_response/2},
        {"httph_bin", fun httph_bin/2},
        {"http, an active one", fun http_active/2},
        {"http, a line that is none", fun http_error/2},
        {"a header of 100,000,000", fun huge/2},
        {"a header above 2 GiB", fun above_two_gib/2},
        {"an incomplete packet at the end, passive", fun incomplete/2},
        {"an incomplete line at the end, active", fun incomplete_line/2},
        {"the type changes within what has come", fun changes/2}
    ].

receive_all(T, I, Options, Bytes, Count) ->
    {H, P} = pair(T, I, Options),
    ok = T:send(P, Bytes),
    [T:recv(H, 0, 5000) || _ <- lists:seq(1, Count)].

lengths(T, I) ->
    [
        begin
            {H, P} = pair(T, I, [{packet, Width}], [{packet, Width}]),
            ok = T:send(H, <<"there">>),
            ok = T:send(P, <<"back">>),
            ok = I:setopts(P, [{active, true}]),
            {told(P), T:recv(H, 0, 5000)}
        end
     || Width <- [1, 2, 4]
    ].

longest(T, I) ->
    [
        begin
            {H, P} = pair(T, I, [{packet, Width}], [{packet, Width}]),
            ok = T:send(H, bytes(Size)),
            {ok, Data} = T:recv(P, 0, 5000),
            byte_size(Data)
        end
     || {Width, Size} <- [{1, 255}, {2, 65535}]
    ].

too_long(T, I) ->
    [
        begin
            {H, P} = pair(T, I, [{packet, Width}]),
            {T:send(H, bytes(Size)), T:send(H, <<"x">>), T:recv(P, Width + 1, 5000)}
        end
     || {Width, Size} <- [{1, 256}, {2, 65536}]
    ].

empty(T, I) ->
    {H, P} = pair(T, I, [{packet, 2}], [{packet, 2}]),
    ok = T:send(H, <<>>),
    T:recv(P, 0, 5000).

line(T, I) -> receive_all(T, I, [{packet, line}], <<"one\ntwo\r\n\nrest\n">>, 4).

long_line(T, I) -> receive_all(T, I, [{packet, line}, {buffer, 5}], <<"0123456789ab\nc\n">>, 4).

line_without_buffer(T, I) ->
    [{ok, Piece} | _] = receive_all(T, I, [{packet, line}], [bytes(5000), "\n"], 1),
    byte_size(Piece) =:= 5001.

line_above_size(T, I) -> receive_all(T, I, [{packet, line}, {packet_size, 3}], <<"ab\nabcdef\n">>, 2).

asn1(T, I) -> receive_all(T, I, [{packet, asn1}], <<16#30, 3, "abc", 16#1f, 16#81, 1, 16#81, 2, "de">>, 2).

sunrm(T, I) -> receive_all(T, I, [{packet, sunrm}], <<1:1, 3:31, "abc", 0:1, 2:31, "de">>, 2).

cdr(T, I) -> receive_all(T, I, [{packet, cdr}], <<"GIOP", 1, 2, 0, 0, 3:32, "abc", "GIOP", 1, 2, 1, 0, 2:32/little, "de">>, 2).

fcgi(T, I) -> receive_all(T, I, [{packet, fcgi}], <<1, 5, 1:16, 3:16, 2, 0, "abc", 0:16, 1, 5, 1:16, 1:16, 0, 0, "d">>, 2).

tpkt(T, I) -> receive_all(T, I, [{packet, tpkt}], <<3, 0, 7:16, "abc", 3, 0, 5:16, "d">>, 2).

malformed(T, I) ->
    [receive_all(T, I, [{packet, Type}], <<"no such thing at all">>, 2) || Type <- [cdr, fcgi, tpkt]].

http_request(T, I) ->
    receive_all(T, I, [{packet, http}], [
        "GET /path?query HTTP/1.1\r\nHost: here\r\nX-own: two\r\n lines\r\n\r\nDELETE * HTTP/1.0\r\n\r\n"
    ], 6).

http_response(T, I) ->
    receive_all(T, I, [{packet, http_bin}], "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 3).

httph_bin(T, I) -> receive_all(T, I, [{packet, httph_bin}], "Content-Type: text\r\nx-own: 1\r\n\r\n", 3).

http_active(T, I) ->
    {H, P} = pair(T, I, [{packet, http}, {active, true}]),
    ok = T:send(P, "PUT http://host:81/x HTTP/1.1\r\nAccept: any\r\n\r\n"),
    told(H, 3).

http_error(T, I) ->
    {H, P} = pair(T, I, [{packet, http_bin}]),
    ok = T:send(P, "GET\r\n"),
    First = T:recv(H, 0, 5000),
    ok = I:setopts(H, [{active, true}]),
    ok = T:send(P, "no\r\n"),
    {First, told(H)}.

huge(T, I) ->
    {H, P} = pair(T, I, [{packet, 4}]),
    ok = T:send(P, <<100000000:32, "some">>),
    First = T:recv(H, 0, 20),
    ok = T:close(P),
    {First, T:recv(H, 0, 5000)}.

above_two_gib(T, I) -> receive_all(T, I, [{packet, 4}], <<16#ffffffff:32, "some">>, 2).

incomplete(T, I) ->
    {H, P} = pair(T, I, [{packet, 2}]),
    ok = T:send(P, <<1:16, "a", 9:16, "bcd">>),
    ok = T:close(P),
    [T:recv(H, 0, 5000) || _ <- [1, 2, 3]].

incomplete_line(T, I) ->
    {H, P} = pair(T, I, [{packet, line}, {active, true}]),
    ok = T:send(P, <<"one\ntw">>),
    ok = T:close(P),
    told(H, 2).

changes(T, I) ->
    {H, P} = pair(T, I, [{packet, line}]),
    ok = T:send(P, <<"one\n", 2:16, "ab", "raw">>),
    First = T:recv(H, 0, 5000),
    ok = I:setopts(H, [{packet, 2}]),
    Second = T:recv(H, 0, 5000),
    ok = I:setopts(H, [{packet, raw}]),
    [First, Second, T:recv(H, 3, 5000)].
