#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% Framing against erlang:decode_packet/3, on a corpus and on random input: compare.escript PROGRAM.
-mode(compile).

types() ->
    [{1, 1}, {2, 2}, {3, 4}, {4, line}, {5, asn1}, {6, sunrm}, {7, cdr}, {8, fcgi}, {9, tpkt}, {12, http_bin}, {13, httph_bin}].

main([Program]) ->
    rand:seed(exsss, {1, 2, 3}),
    Port = open_port({spawn_executable, Program}, [binary, {line, 1 bsl 21}, use_stdio]),
    Count = case os:getenv("GENTCP_TEST_SCALE") of false -> 100; Scale -> list_to_integer(Scale) end * 500,
    Corpus = [{T, B, 0, 0} || T <- types(), B <- corpus()],
    Cases = Corpus ++ [random_case() || _ <- lists:seq(1, Count)],
    Kinds = lists:foldl(fun(Case, Seen) -> maps:update_with(compare(Port, Case), fun(N) -> N + 1 end, 1, Seen) end,
                        #{}, Cases),
    port_close(Port),
    io:format("~b inputs, of which ~s~n",
              [length(Cases), lists:join(", ", [io_lib:format("~s ~b", [K, N]) || {K, N} <- lists:sort(maps:to_list(Kinds))])]),
    %% A generator that makes only one kind of result proves nothing.
    [maps:get(K, Kinds, 0) > 20 orelse fail(Kinds)
     || K <- ["ok", "more", "error", "request", "response", "header", "end", "http_error"]],
    io:format("ok framing agrees with erlang:decode_packet/3~n").

fail(What) ->
    io:format("not ok framing agrees with erlang:decode_packet/3: ~p~n", [What]),
    halt(1).

compare(Port, {{Number, Type}, Bytes, Max, Line} = Case) ->
    %% line_length 0 and packet_size 0 are OTP's "no limit"; ours has a limit always, so give one no input reaches.
    Ours = case Line of 0 -> 1 bsl 20; _ -> Line end,
    Request = <<Number, $\n, Max:32, Ours:32, Bytes/binary>>,
    port_command(Port, [<<(byte_size(Request)):32>>, Request]),
    Expected = iolist_to_binary(expected(erlang:decode_packet(Type, Bytes, [{packet_size, Max}, {line_length, Line}]),
                                         Type, Bytes)),
    receive
        {Port, {data, {eol, Expected}}} -> kind(binary:split(Expected, <<" ">>, [global]));
        {Port, {data, {eol, Got}}} -> fail({Case, expected, Expected, got, Got})
    after 5000 ->
        fail({Case, no_answer})
    end.

kind([<<"http">>, _, <<"error">> | _]) -> "http_error";
kind([<<"http">>, _, Kind | _]) -> binary_to_list(Kind);
kind([Kind | _]) -> binary_to_list(Kind).

expected({more, undefined}, _, _) -> "more 0";
expected({more, N}, _, _) -> ["more ", integer_to_list(N)];
expected({error, _}, _, _) -> "error";
expected({ok, Packet, Rest}, Type, Bytes) when Type =:= http_bin; Type =:= httph_bin ->
    ["http ", integer_to_list(byte_size(Bytes) - byte_size(Rest)), $\s, http(Packet)];
expected({ok, Packet, Rest}, Type, Bytes) ->
    Total = byte_size(Bytes) - byte_size(Rest),
    Start = case lists:member(Type, [1, 2, 4]) of true -> Type; false -> 0 end,
    numbers("ok", [Start, byte_size(Packet), Total]).

http({http_request, Method, Uri, {Major, Minor}}) ->
    {Kind, Port, Host, Text} = uri(Uri),
    [numbers(["request ", Kind], [Major, Minor, Port]), hex(name(Method)), hex(Host), hex(Text)];
http({http_response, {Major, Minor}, Status, Phrase}) ->
    [numbers("response", [Major, Minor, Status]), hex(Phrase)];
http({http_header, _, Field, Sent, Value}) ->
    ["header", hex(name(Field)), hex(Sent), hex(Value)];
http(http_eoh) ->
    "end";
http({http_error, Line}) ->
    ["error", hex(Line)].

uri('*') -> {"star", 0, <<>>, <<"*">>};
uri({abs_path, Path}) -> {"path", 0, <<>>, Path};
uri({absoluteURI, Scheme, Host, undefined, Path}) -> {atom_to_list(Scheme), 0, Host, Path};
uri({absoluteURI, Scheme, Host, Port, Path}) -> {atom_to_list(Scheme), Port, Host, Path};
uri({scheme, Scheme, Text}) -> {"scheme", 0, Scheme, Text};
uri(Text) -> {"other", 0, <<>>, Text}.

name(Name) when is_atom(Name) -> atom_to_binary(Name);
name(Name) -> Name.

numbers(First, Numbers) -> [First | [[$\s, integer_to_list(N)] || N <- Numbers]].

hex(Binary) -> [$\s, [io_lib:format("~2.16.0b", [B]) || <<B>> <= Binary], $.].

corpus() ->
    [<<"GET / HTTP/1.1\r\n">>, <<"GET / HTTP/1.1\n">>, <<"GET /\r\n">>, <<"GET * HTTP/1.0\r\n">>, <<"GET  /a  HTTP/1.1 x\r\n">>,
     <<"OPTIONS http://h:80/p HTTP/1.1\r\n">>, <<"GET HTTPS://h HTTP/1.1\r\n">>, <<"GET http://h:x/p HTTP/1.1\r\n">>,
     <<"GET mailto:a@b HTTP/1.1\r\n">>, <<"GET a HTTP/1.1\r\n">>, <<"GET abc HTTP/1.1\r\n">>, <<"G{T / HTTP/1.1\r\n">>,
     <<"GET / HTTP/1.\r\n">>, <<"GET / HTTP/x.1\r\n">>, <<" GET / HTTP/1.1\r\n">>, <<"GET\r\n">>, <<"\r\n">>, <<"\n">>, <<"\r">>,
     <<"HTTP/1.1 200 OK\r\n">>, <<"HTTP/1.1 200\r\n">>, <<"HTTP/1.1 200 \r\n">>, <<"HTTP/1.1 OK\r\n">>, <<"HTTP/1.1\r\n">>,
     <<"HTTP/1 200 OK\r\n">>, <<"HTTP/1.1 200OK\r\n">>, <<"HTTP/12.34 1 \t x y\n">>,
     <<"Host: a\r\nx">>, <<"host:a\r\n\r\n">>, <<"content-TYPE: \t a \r\nb">>, <<"a: b\r\n c\r\n\td\r\nx">>, <<"a: b\r\n">>, <<"a b: c\r\nx">>,
     <<": v\r\nx">>, <<"nocolon\r\nx">>, <<"x-forwarded-for: 1\r\nx">>, <<"-a--b-c: 1\r\nx">>, <<"\r\nx">>, <<"\r\n x">>,
     <<(binary:copy(<<"n">>, 50))/binary, ": v\r\nx">>, <<(binary:copy(<<"n">>, 51))/binary, ": v\r\nx">>,
     <<16#30, 3, 1, 2, 3>>, <<16#30, 16#82, 0, 3, 1, 2, 3>>, <<16#3f, 16#81, 1, 2, 0, 0>>, <<16#30, 16#85, 0, 0, 0, 0, 0, 0>>, <<16#30, 16#80>>,
     <<16#3f, 16#ff>>, <<16#80, 0, 0, 2, 1, 2>>, <<"GIOP", 1, 0, 0, 0, 0, 0, 0, 2, 1, 2>>, <<"GIOP", 1, 0, 1, 0, 2, 0, 0, 0, 1, 2>>,
     <<"GIOX", 1, 0, 1, 0, 2, 0, 0, 0>>, <<1, 1, 0, 1, 0, 2, 1, 0, 1, 2, 3>>, <<2, 1, 0, 1, 0, 2, 1, 0>>,
     <<3, 0, 0, 6, 1, 2>>, <<3, 0, 0, 3>>, <<2, 0, 0, 6, 1, 2>>, <<3, 0, 0, 4>>, <<255, 255, 255, 255, 1>>, <<127, 255, 255, 251>>, <<127, 255, 255, 252>>, <<>>].

random_case() ->
    Type = {_, Name} = one_of(types()),
    Max = one_of([0, 0, 0, 1 + rand:uniform(60)]),
    %% A line over both limits: for OTP it depends on how much of it is there; for us the smaller limit decides.
    Line = one_of([0, 0 | [1 + rand:uniform(60) || Name =/= line orelse Max =:= 0]]),
    {Type, bytes(Name), Max, Line}.

%% A corpus entry mutated, words strung together, or noise.
bytes(Type) ->
    case rand:uniform(4) of
        1 -> list_to_binary([one_of([rand:uniform(4) - 1, rand:uniform(256) - 1]) || _ <- lists:seq(1, rand:uniform(30) - 1)]);
        2 when Type =:= asn1; Type =:= sunrm; Type =:= cdr; Type =:= fcgi; Type =:= tpkt -> mutate(one_of(lists:nthtail(41, corpus())));
        2 -> mutate(one_of(corpus()));
        _ -> list_to_binary([one_of(words()) || _ <- lists:seq(1, rand:uniform(12))])
    end.

words() ->
    ["GET", "POST", "get", " ", " ", "\t", "/", "/path?q", "*", "http://", "host", ":", "80", "HTTP/1.1", "HTTP/1.0", "HTTP/", "1", ".", "200", "OK", "\r\n", "\r\n",
     "\n", "\r", "Host", "content-length", "X-Y", "value", ";", "\"", 0, 1, 2, 3, 127, 128, 255, "GIOP", [3, 0, 0, 10], [1, 1, 0, 1, 0, 2, 1, 0], [48, 129, 5]].

mutate(Bytes) ->
    case {rand:uniform(3), byte_size(Bytes)} of
        {_, 0} -> Bytes;
        {1, _} -> Bytes;
        {2, N} -> binary:part(Bytes, 0, rand:uniform(N));
        {3, N} -> At = rand:uniform(N) - 1, <<A:At/binary, _, B/binary>> = Bytes, <<A/binary, (rand:uniform(256) - 1), B/binary>>
    end.

one_of(List) -> lists:nth(rand:uniform(length(List)), List).
