#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% OTP's own httpd and httpc on gentcp's sockets: serves FILE, fetches it, and says what came back. With ERL_LIBS naming
%% the folder that has gentcp in it.

main([File]) ->
    ok = gentcp:take_over(),
    {ok, _} = application:ensure_all_started(inets),
    Root = filename:dirname(File),
    {ok, Server} = inets:start(httpd, [
        {port, 0}, {bind_address, {127, 0, 0, 1}}, {server_name, "demo"}, {server_root, Root}, {document_root, Root}
    ]),
    [{port, Port}] = httpd:info(Server, [port]),
    Url = lists:concat(["http://127.0.0.1:", Port, "/", uri_string:quote(filename:basename(File))]),
    {Time, {ok, {{_, 200, _}, _, Body}}} =
        timer:tc(fun() -> httpc:request(get, {Url, []}, [], [{body_format, binary}]) end),
    #{open := Open, counters := #{send_oct := Sent}} = gentcp:info(),
    true = Open > 0 andalso Sent > byte_size(Body),
    [] = [Socket || Socket <- erlang:ports(), erlang:port_info(Socket, name) =:= {name, "tcp_inet"}],
    Sum = string:lowercase(binary:encode_hex(crypto:hash(sha256, Body))),
    io:format("~b ~b ~ts~n", [byte_size(Body), byte_size(Body) div max(1, Time), Sum]).
