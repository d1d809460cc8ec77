%% SPDX-License-Identifier: Apache-2.0
%% Packets: how a stream becomes packets, and which of them can't be. On inet and on gentcp.
-module(gentcp_framing_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [pair/2, close/1, say/2, hears/2, next/0, nothing_came/1, set/2, recv/2]).

-export([
    any_split_of_any_type_gives_recv_the_same_packets/1,
    any_split_of_any_type_gives_the_same_messages/1,
    each_header_tells_the_length_of_what_follows/1,
    a_packet_longer_than_its_header_can_tell_is_emsgsize_and_sends_nothing/1,
    a_header_that_promises_100_million_bytes_is_waited_for/1,
    what_a_header_promises_costs_no_memory/1,
    a_packet_above_packet_size_is_emsgsize_and_then_enotconn/1,
    a_header_of_2_GiB_is_emsgsize/1,
    an_incomplete_packet_at_the_end_is_dropped/1,
    an_unfinished_line_is_kept_by_a_timeout_and_dropped_at_the_end/1,
    a_line_longer_than_buffer_comes_in_pieces_if_buffer_was_set/1,
    a_line_comes_in_pieces_of_64_KiB_otherwise/1,
    a_line_above_packet_size_is_emsgsize/1,
    a_line_ends_with_its_delimiter/1,
    a_line_ends_with_its_delimiter_which_is_taken_everywhere/1,
    a_line_of_http_is_as_long_as_packet_size_or_else_as_buffer/1,
    a_line_of_http_is_as_long_as_64_KiB_otherwise/1,
    requests/1,
    responses/1,
    header_fields/1,
    lines_in_error_are_told_as_they_came/1
]).

-include("gentcp_norm.hrl").

ours() ->
    [
        a_packet_longer_than_its_header_can_tell_is_emsgsize_and_sends_nothing,
        what_a_header_promises_costs_no_memory,
        a_line_comes_in_pieces_of_64_KiB_otherwise,
        a_line_ends_with_its_delimiter_which_is_taken_everywhere,
        a_line_of_http_is_as_long_as_64_KiB_otherwise
    ].

%% ---- however it comes ----

%% Type, bytes, and the packets that they are.
samples() ->
    [
        {1, <<3, "abc", 0, 1, "d">>, [<<"abc">>, <<>>, <<"d">>]},
        {2, <<0, 3, "abc", 0, 0, 0, 1, "d">>, [<<"abc">>, <<>>, <<"d">>]},
        {4, <<3:32, "abc", 0:32, 1:32, "d">>, [<<"abc">>, <<>>, <<"d">>]},
        {line, <<"one\r\n\ntwo\n">>, [<<"one\r\n">>, <<"\n">>, <<"two\n">>]},
        {asn1, <<48, 3, 1, 2, 3, 48, 129, 1, 7>>, [<<48, 3, 1, 2, 3>>, <<48, 129, 1, 7>>]},
        {sunrm, <<128, 0, 0, 2, "ab", 0, 0, 0, 1, "c">>, [<<128, 0, 0, 2, "ab">>, <<0, 0, 0, 1, "c">>]},
        {cdr, <<"GIOP", 1, 0, 0, 0, 2:32, "ab", "GIOP", 1, 0, 1, 0, 1:32/little, "c">>, [
            <<"GIOP", 1, 0, 0, 0, 2:32, "ab">>, <<"GIOP", 1, 0, 1, 0, 1:32/little, "c">>
        ]},
        {fcgi, <<1, 1, 0, 1, 0, 2, 1, 0, "ab", 0, 1, 1, 0, 1, 0, 0, 0, 0>>, [
            <<1, 1, 0, 1, 0, 2, 1, 0, "ab">>, <<1, 1, 0, 1, 0, 0, 0, 0>>
        ]},
        {tpkt, <<3, 0, 0, 6, "ab", 3, 0, 0, 4>>, [<<3, 0, 0, 6, "ab">>, <<3, 0, 0, 4>>]},
        {http_bin, <<"GET / HTTP/1.0\r\nHost: a\r\n b\r\n\r\n">>, [
            {http_request, 'GET', {abs_path, <<"/">>}, {1, 0}},
            {http_header, 14, 'Host', <<"Host">>, <<"a\r\n b">>},
            http_eoh
        ]}
    ].

%% After the first byte, after the second, …, and after every one.
splits(Bytes) ->
    Size = byte_size(Bytes),
    [[binary:part(Bytes, 0, At), binary:part(Bytes, At, Size - At)] || At <- lists:seq(1, Size - 1)] ++
        [[Bytes], [<<Byte>> || <<Byte>> <= Bytes]].

any_split_of_any_type_gives_recv_the_same_packets(Config) ->
    {S, P} = pair(side(Config), []),
    [
        begin
            set(S, [{packet, Type}]),
            Early = lists:append([ready_after(Piece, S, P) || Piece <- lists:droplast(Pieces)]),
            say(P, lists:last(Pieces)),
            Late = [element(2, recv(S, 0)) || _ <- lists:nthtail(length(Early), Packets)],
            ?assertEqual({Type, Pieces, Packets}, {Type, Pieces, Early ++ Late})
        end
     || {Type, Bytes, Packets} <- samples(), Pieces <- splits(Bytes)
    ],
    close([S, P]).

%% What is read so far is known to come apart from what follows.
ready_after(Piece, S, P) ->
    say(P, Piece),
    ready(S).

ready(S) ->
    case gen_tcp:recv(S, 0, 0) of
        {ok, Packet} -> [Packet | ready(S)];
        {error, timeout} -> []
    end.

any_split_of_any_type_gives_the_same_messages(Config) ->
    {S, P} = pair(side(Config), [{active, true}]),
    [
        begin
            set(S, [{packet, Type}]),
            [say(P, Piece) || Piece <- Pieces],
            [?assertEqual(message(S, Packet), next(), {Type, Pieces}) || Packet <- Packets]
        end
     || {Type, Bytes, Packets} <- samples(), Pieces <- splits(Bytes)
    ],
    close([S, P]).

message(S, Packet) when is_binary(Packet) -> {tcp, S, Packet};
message(S, Line) -> {http, S, Line}.

%% ---- headers ----

each_header_tells_the_length_of_what_follows(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{packet, Type}]),
            ?assertEqual(ok, Side:send(S, ["hel", <<"lo">>])),
            hears(P, [Header, "hello"]),
            close([S, P])
        end
     || {Type, Header} <- [{0, []}, {raw, []}, {1, <<5>>}, {2, <<5:16>>}, {4, <<5:32>>}, {line, []}]
    ].

a_packet_longer_than_its_header_can_tell_is_emsgsize_and_sends_nothing(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{packet, Type}]),
            [?assertEqual({error, emsgsize}, Side:send(S, binary:copy(<<0>>, Size))) || Size <- [Most + 1, 70000]],
            set(S, [{packet, raw}]),
            ?assertEqual(ok, Side:send(S, "next")),
            hears(P, "next"),
            close([S, P])
        end
     || {Type, Most} <- [{1, 255}, {2, 65535}]
    ].

a_header_that_promises_100_million_bytes_is_waited_for(Config) ->
    {S, P} = pair(side(Config), [{packet, 4}]),
    say(P, <<100000000:32, "the beginning">>),
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 0, 10)),
    close([P]),
    ?assertEqual({error, closed}, recv(S, 0)),
    close([S]).

what_a_header_promises_costs_no_memory(Config) ->
    {S, P} = pair(side(Config), [{packet, 4}]),
    Before = gentcp_sockets:memory(),
    say(P, <<1000000000:32, "the beginning">>),
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 0, 10)),
    ?assert(gentcp_sockets:memory() < Before + 1000000),
    close([S, P]).

a_packet_above_packet_size_is_emsgsize_and_then_enotconn(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{packet, Type}, {packet_size, 3}]),
            say(P, <<3:Bits, "abc">>),
            ?assertEqual({ok, <<"abc">>}, recv(S, 0)),
            say(P, <<4:Bits>>),
            ?assertEqual({error, emsgsize}, recv(S, 0)),
            ?assertEqual({error, enotconn}, recv(S, 0)),
            ?assertEqual({error, enotconn}, Side:send(S, "x")),
            close([S, P])
        end
     || {Type, Bits} <- [{1, 8}, {2, 16}, {4, 32}]
    ].

a_header_of_2_GiB_is_emsgsize(Config) ->
    [
        begin
            {S, P} = pair(side(Config), [{packet, 4}]),
            say(P, <<Length:32>>),
            ?assertEqual({error, emsgsize}, recv(S, 0)),
            close([S, P])
        end
     || Length <- [16#7ffffffc, 16#80000000, 16#ffffffff]
    ].

%% ---- the end within a packet ----

an_incomplete_packet_at_the_end_is_dropped(Config) ->
    Side = side(Config),
    [
        begin
            {S, P} = pair(Side, [{packet, Type}]),
            say(P, Bytes),
            close([P]),
            ?assertEqual({error, closed}, recv(S, 0)),
            {S2, P2} = pair(Side, [{packet, Type}, {active, true}]),
            say(P2, Bytes),
            close([P2]),
            ?assertEqual({tcp_closed, S2}, next()),
            close([S, S2])
        end
     || {Type, Bytes} <- [{1, <<2, "a">>}, {2, <<0>>}, {4, <<2:32, "a">>}, {line, <<"half a line">>}]
    ],
    nothing_came(Side).

an_unfinished_line_is_kept_by_a_timeout_and_dropped_at_the_end(Config) ->
    {S, P} = pair(side(Config), [{packet, http_bin}]),
    say(P, "GET / HT"),
    ?assertEqual({error, timeout}, gen_tcp:recv(S, 0, 10)),
    say(P, "TP/1.1\r\n"),
    ?assertEqual({ok, {http_request, 'GET', {abs_path, <<"/">>}, {1, 1}}}, recv(S, 0)),
    say(P, "Host: "),
    close([P]),
    ?assertEqual({error, closed}, recv(S, 0)),
    close([S]).

%% ---- lines ----

a_line_longer_than_buffer_comes_in_pieces_if_buffer_was_set(Config) ->
    {S, P} = pair(side(Config), [{packet, line}, {buffer, 10}]),
    say(P, "0123456789abcd\nnext\n"),
    [?assertEqual({ok, Line}, recv(S, 0)) || Line <- [<<"0123456789">>, <<"abcd\n">>, <<"next\n">>]],
    close([S, P]).

a_line_comes_in_pieces_of_64_KiB_otherwise(Config) ->
    {S, P} = pair(side(Config), [{packet, line}]),
    say(P, [binary:copy(<<"x">>, 65536), "rest\n", binary:copy(<<"y">>, 65535), "\n"]),
    [
        begin
            {ok, Piece} = recv(S, 0),
            ?assertEqual({Size, Last}, {byte_size(Piece), binary:last(Piece)})
        end
     || {Size, Last} <- [{65536, $x}, {5, $\n}, {65536, $\n}]
    ],
    close([S, P]).

a_line_above_packet_size_is_emsgsize(Config) ->
    {S, P} = pair(side(Config), [{packet, line}, {packet_size, 5}]),
    say(P, "1234\n"),
    ?assertEqual({ok, <<"1234\n">>}, recv(S, 0)),
    say(P, "12345\n"),
    ?assertEqual({error, emsgsize}, recv(S, 0)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    close([S, P]).

a_line_ends_with_its_delimiter(Config) ->
    {S, P} = pair(side(Config), [{packet, line}]),
    set(S, [{line_delimiter, $;}]),
    say(P, <<"a\nb;c;d", 255>>),
    [?assertEqual({ok, Line}, recv(S, 0)) || Line <- [<<"a\nb;">>, <<"c;">>]],
    set(S, [{line_delimiter, 255}]),
    ?assertEqual({ok, <<"d", 255>>}, recv(S, 0)),
    close([S, P]).

a_line_ends_with_its_delimiter_which_is_taken_everywhere(Config) ->
    Side = side(Config),
    {S, P} = pair(Side, [{packet, line}, {line_delimiter, $;}]),
    say(P, "a\nb;"),
    ?assertEqual({ok, <<"a\nb;">>}, recv(S, 0)),
    {L, S2, P2} = gentcp_norm:accepted(Side, [{packet, line}, {line_delimiter, $;}]),
    say(P2, "a\nb;"),
    ?assertEqual({ok, <<"a\nb;">>}, recv(S2, 0)),
    close([S, P, L, S2, P2]).

%% ---- http ----

a_line_of_http_is_as_long_as_packet_size_or_else_as_buffer(Config) ->
    [longest_line(side(Config), Options, Longest) || {Options, Longest} <- [
        {[{packet_size, 3000}], 3000}, {[{buffer, 2000}], 2000}, {[{buffer, 2000}, {packet_size, 3000}], 3000}
    ]].

a_line_of_http_is_as_long_as_64_KiB_otherwise(Config) ->
    longest_line(side(Config), [], 65536).

longest_line(Side, Options, Longest) ->
    Path = fun(Size) -> binary:copy(<<"p">>, Size - byte_size(<<"GET / HTTP/1.1\r\n">>)) end,
    Line = fun(Size) -> ["GET /", Path(Size), " HTTP/1.1\r\n"] end,
    {S, P} = pair(Side, [{packet, http_bin} | Options]),
    say(P, [Line(Longest), "\r\n"]),
    Target = <<"/", (Path(Longest))/binary>>,
    ?assertEqual({ok, {http_request, 'GET', {abs_path, Target}, {1, 1}}}, recv(S, 0)),
    ?assertEqual({ok, http_eoh}, recv(S, 0)),
    say(P, Line(Longest + 1)),
    ?assertEqual({error, emsgsize}, recv(S, 0)),
    ?assertEqual({error, enotconn}, recv(S, 0)),
    close([S, P]).

%% Each line by itself; as lists, too.
lines(Side, Type, Lines) ->
    [
        begin
            {S, P} = pair(Side, [{packet, Packet}, Mode]),
            say(P, [Line, "x"]), % the next line's beginning shows that it is no continuation
            ?assertEqual({ok, Wanted}, recv(S, 0)),
            close([S, P])
        end
     || {Line, Expected} <- Lines,
        {Packet, Mode, Wanted} <- [
            {Type, binary, as_lists(Expected)},
            {Type, list, as_lists(Expected)},
            {list_to_atom(atom_to_list(Type) ++ "_bin"), binary, Expected}
        ]
    ].

as_lists(Text) when is_binary(Text) -> binary_to_list(Text);
as_lists(Tuple) when is_tuple(Tuple) -> list_to_tuple([as_lists(Element) || Element <- tuple_to_list(Tuple)]);
as_lists(Other) -> Other.

requests(Config) ->
    lines(side(Config), http, [
        {"GET /a?b HTTP/1.1\r\n", {http_request, 'GET', {abs_path, <<"/a?b">>}, {1, 1}}},
        {"OPTIONS * HTTP/1.0\n", {http_request, 'OPTIONS', '*', {1, 0}}},
        {"MINE http://h:8/p HTTP/1.1\r\n", {http_request, <<"MINE">>, {absoluteURI, http, <<"h">>, 8, <<"/p">>}, {1, 1}}},
        {"CONNECT h:443 HTTP/1.1\r\n", {http_request, <<"CONNECT">>, {scheme, <<"h">>, <<"443">>}, {1, 1}}}
    ]).

responses(Config) ->
    lines(side(Config), http, [
        {"HTTP/1.1 200 OK\r\n", {http_response, {1, 1}, 200, <<"OK">>}},
        {"HTTP/1.0 404 Not Found\n", {http_response, {1, 0}, 404, <<"Not Found">>}},
        {"HTTP/1.1 204\r\n", {http_response, {1, 1}, 204, <<>>}}
    ]).

header_fields(Config) ->
    lines(side(Config), httph, [
        {"host: a\r\n", {http_header, 14, 'Host', <<"host">>, <<"a">>}},
        {"x-MINE:  b c \r\n", {http_header, 0, <<"X-Mine">>, <<"x-MINE">>, <<"b c ">>}},
        {"\r\n", http_eoh}
    ]).

lines_in_error_are_told_as_they_came(Config) ->
    lines(side(Config), http, [{"nonsense\r\n", {http_error, <<"nonsense\r\n">>}}]),
    lines(side(Config), httph, [{"no colon\r\n", {http_error, <<"no colon\r\n">>}}]).
