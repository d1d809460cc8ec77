%% SPDX-License-Identifier: Apache-2.0
%% The ways in which a program comes to gentcp's sockets: docs/otp.md. Those that change a node are tried in one of
%% their own.
-module(gentcp_ways_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
%% Called on another node.
-export([inetrc/1, ssl_by_inetrc/1, taken_over/1, httpd_and_httpc/1, busy/1]).
-export([
    tcp_module_opens_gentcps_sockets/1,
    tcp_modules_of_each_family/1,
    local_sockets/1,
    addresses_as_maps/1,
    descriptors_become_sockets/1,
    a_descriptor_is_passive_and_of_its_family/1,
    inetrc_makes_gentcp_the_default/1,
    ssl_runs_over_gentcp/1,
    take_over_takes_every_socket/1,
    httpd_and_httpc_run_unmodified/1,
    take_over_refuses_while_its_module_is_in_use/1
]).

-define(WAIT, 5000).
-define(LOCAL, {127, 0, 0, 1}).
-define(GENTCP, {'$inet', gentcp, _}).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        tcp_module_opens_gentcps_sockets,
        tcp_modules_of_each_family,
        local_sockets,
        addresses_as_maps,
        descriptors_become_sockets,
        a_descriptor_is_passive_and_of_its_family,
        inetrc_makes_gentcp_the_default,
        ssl_runs_over_gentcp,
        take_over_takes_every_socket,
        httpd_and_httpc_run_unmodified,
        take_over_refuses_while_its_module_is_in_use
    ].

tcp_module_opens_gentcps_sockets(_) ->
    Via = {tcp_module, gentcp},
    {ok, ?GENTCP = L} = gen_tcp:listen(0, [Via, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, ?GENTCP = C} = gen_tcp:connect("localhost", Port, [Via, {active, false}], ?WAIT),
    exchange(L, C),
    {ok, ?GENTCP = C2} = gen_tcp:connect(#{family => inet, addr => ?LOCAL, port => Port}, [Via, {active, false}]),
    exchange(L, C2),
    ?assertExit(badarg, gen_tcp:connect("localhost", Port, [Via, {nodelay, 3}], ?WAIT)),
    ok = gen_tcp:close(L).

tcp_modules_of_each_family(_) ->
    Loopback = {0, 0, 0, 0, 0, 0, 0, 1},
    [
        begin
            {ok, ?GENTCP = L} = gen_tcp:listen(0, [{active, false} | Options]),
            {ok, Port} = inet:port(L),
            {ok, ?GENTCP = C} = gen_tcp:connect(Address, Port, [{active, false} | Options], ?WAIT),
            ?assertEqual({ok, {Loopback, Port}}, inet:peername(C)),
            exchange(L, C),
            ok = gen_tcp:close(L)
        end
     || {Address, Options} <- [
            {Loopback, [{tcp_module, gentcp_inet6}]},
            {"::1", [{tcp_module, gentcp_inet6}]},
            {Loopback, [{tcp_module, gentcp}, {ip, Loopback}]}
        ]
    ].

local_sockets(_) ->
    Path = "/tmp/gentcp_ways." ++ os:getpid(),
    Name = list_to_binary(Path),
    [
        begin
            _ = file:delete(Path),
            {ok, ?GENTCP = L} = Module:listen(0, [{ip, {local, Path}}, {active, false} | Options]),
            ?assertEqual({ok, {local, Name}}, inet:sockname(L)),
            ?assertEqual({ok, Name}, inet:port(L)),
            {ok, ?GENTCP = C} = Module:connect({local, Path}, 0, [{active, false} | Options], ?WAIT),
            ?assertEqual({ok, {local, Name}}, inet:peername(C)),
            ?assertMatch(#{domain := local}, inet:info(C)),
            exchange(L, C),
            ok = gen_tcp:close(L),
            ?assertEqual({error, econnrefused}, Module:connect({local, Path}, 0, Options, ?WAIT))
        end
     || {Module, Options} <- [{gentcp, []}, {gentcp, [local]}, {gen_tcp, [{tcp_module, gentcp_local}]}]
    ],
    ok = file:delete(Path).

addresses_as_maps(_) ->
    [
        begin
            {ok, L} = gentcp:listen(0, [Family, {active, false}]),
            {ok, Port} = inet:port(L),
            Address = #{family => Family, addr => Loopback, port => Port},
            [
                begin
                    {ok, ?GENTCP = C} = Connect(Address),
                    ?assertEqual({ok, {Loopback, Port}}, inet:peername(C)),
                    exchange(L, C)
                end
             || Connect <- [
                    fun(To) -> gentcp:connect(To, [{active, false}]) end,
                    fun(To) -> gentcp:connect(To, [{active, false}], ?WAIT) end,
                    fun(To) -> gen_tcp:connect(To, [{tcp_module, gentcp}, {active, false}]) end
                ]
            ],
            ?assertEqual({error, timeout}, gentcp:connect(Address, [], 0)),
            ok = gen_tcp:close(L),
            ?assertEqual({error, econnrefused}, gentcp:connect(Address, [], ?WAIT)),
            ?assertExit(badarg, gentcp:connect(Address#{addr := foo}, []))
        end
     || {Family, Loopback} <- [{inet, ?LOCAL}, {inet6, {0, 0, 0, 0, 0, 0, 0, 1}}]
    ].

%% OTP's own sockets lend theirs.
descriptors_become_sockets(_) ->
    {ok, Lender} = gen_tcp:listen(0, [{active, false}]),
    {ok, Port} = inet:port(Lender),
    [
        begin
            {ok, C} = gen_tcp:connect(?LOCAL, Port, [{active, false}]),
            {ok, S} = gen_tcp:accept(Lender, ?WAIT),
            {ok, Fd} = inet:getfd(C),
            {ok, ?GENTCP = Lent} = Open(Fd),
            ok = gen_tcp:send(Lent, "hello"),
            ?assertEqual({ok, "hello"}, gen_tcp:recv(S, 5, ?WAIT)),
            ok = gen_tcp:send(S, "world"),
            ?assertEqual({ok, "world"}, gen_tcp:recv(Lent, 5, ?WAIT)),
            ok = gen_tcp:close(Lent),
            ok = gen_tcp:send(C, "again"),
            ?assertEqual({ok, "again"}, gen_tcp:recv(S, 5, ?WAIT)),
            [ok = gen_tcp:close(Each) || Each <- [C, S]]
        end
     || Open <- [
            fun(Fd) -> gentcp:fdopen(Fd, [{active, false}]) end,
            fun(Fd) -> gen_tcp:fdopen(Fd, [{tcp_module, gentcp}, {active, false}]) end
        ]
    ],
    ?assertEqual({error, ebadf}, gentcp:fdopen(100000, [])),
    ?assertEqual({error, einval}, gentcp:fdopen(0, [foo])),
    ?assertError(function_clause, gentcp:fdopen(-1, [])),
    ok = gen_tcp:close(Lender).

%% What is not said of a descriptor is as on inet, or as the descriptor is.
a_descriptor_is_passive_and_of_its_family(_) ->
    {ok, L} = gentcp:listen(0, [{active, false}]),
    {ok, Port} = inet:port(L),
    {ok, Lent} = socket:open(inet, stream),
    ok = socket:connect(Lent, #{family => inet, addr => ?LOCAL, port => Port}),
    {ok, Fd} = socket:getopt(Lent, otp, fd),
    {ok, ?GENTCP = C} = gen_tcp:fdopen(Fd, [{tcp_module, gentcp}]),
    ?assertEqual({ok, [{active, false}, {mode, list}]}, inet:getopts(C, [active, mode])),
    ok = gen_tcp:close(C),
    ok = socket:close(Lent),
    ok = gentcp:close(L),
    [
        begin
            {ok, Listening} = socket:open(maps:get(family, Address), stream),
            ok = socket:bind(Listening, Address),
            {ok, ListeningFd} = socket:getopt(Listening, otp, fd),
            {ok, ?GENTCP = L2} = gentcp:listen(0, [{fd, ListeningFd}, {active, false}]),
            {ok, Name} = inet:sockname(L2),
            {To, ToPort} = case Name of {local, _} -> {Name, 0}; _ -> Name end,
            {ok, C2} = gentcp:connect(To, ToPort, [{active, false}]),
            exchange(L2, C2),
            ok = gentcp:close(L2),
            ok = socket:close(Listening)
        end
     || Address <- [
            #{family => inet, addr => loopback},
            #{family => inet6, addr => loopback},
            #{family => local, path => <<0, "gentcp-", (integer_to_binary(Port))/binary>>}
        ]
    ].

inetrc_makes_gentcp_the_default(Config) ->
    on_node(inetrc_args(Config), inetrc).

%% Before kernel has started, and any application.
inetrc_args(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "inetrc"),
    ok = file:write_file(File, "{tcp, gentcp}.\n"),
    ["-kernel", "inetrc", lists:flatten(io_lib:format("~0p", [File]))].

inetrc(_) ->
    undefined = whereis(gentcp_sup),
    {ok, ?GENTCP = L} = gen_tcp:listen(0, [{active, false}]),
    {ok, Port} = inet:port(L),
    [
        begin
            {ok, ?GENTCP = C} = gen_tcp:connect(Address, Port, [{active, false}], ?WAIT),
            exchange(L, C)
        end
     || Address <- [?LOCAL, "localhost", localhost]
    ],
    {ok, Inet} = gen_tcp:listen(0, [inet]),
    true = is_port(Inet),
    ok = gen_tcp:close(L).

ssl_runs_over_gentcp(Config) ->
    on_node(inetrc_args(Config), ssl_by_inetrc).

ssl_by_inetrc(_) ->
    {ok, _} = application:ensure_all_started(ssl),
    Key = [{digest, sha256}, {key, {namedCurve, secp256r1}}],
    Chain = #{root => Key, intermediates => [], peer => Key},
    #{server_config := Server, client_config := Client} =
        public_key:pkix_test_data(#{server_chain => Chain, client_chain => Chain}),
    {ok, L} = ssl:listen(0, [{active, false}, binary, {reuseaddr, true} | Server]),
    {ok, {_, Port}} = ssl:sockname(L),
    Data = rand:bytes(300000),
    {Echo, Ref} = spawn_monitor(fun() ->
        {ok, Accepted} = ssl:transport_accept(L, ?WAIT),
        {ok, S} = ssl:handshake(Accepted, ?WAIT),
        {ok, Received} = ssl:recv(S, byte_size(Data), ?WAIT),
        ok = ssl:send(S, Received),
        ok = ssl:close(S)
    end),
    {ok, C} = ssl:connect("localhost", Port, [{active, false}, binary, {verify, verify_none} | Client], ?WAIT),
    3 = length(gentcp_info:sockets()),
    ok = ssl:send(C, Data),
    {ok, Data} = ssl:recv(C, byte_size(Data), ?WAIT),
    receive {'DOWN', Ref, process, Echo, normal} -> ok after ?WAIT -> error(silence) end,
    ok = ssl:close(C),
    ok = ssl:close(L).

take_over_takes_every_socket(Config) ->
    on_node([], taken_over, Config).

taken_over(_) ->
    {ok, Before} = gen_tcp:listen(0, []),
    ok = gentcp:take_over(),
    ok = gentcp:take_over(),
    [
        begin
            {ok, ?GENTCP = L} = gen_tcp:listen(0, Options ++ [{active, false}]),
            {ok, Port} = inet:port(L),
            {ok, ?GENTCP = C} = gen_tcp:connect(Address, Port, Options ++ [{active, false}], ?WAIT),
            exchange(L, C),
            ok = gen_tcp:close(L)
        end
     || {Address, Options} <- [
            {?LOCAL, []},
            {"localhost", [inet]},
            {{0, 0, 0, 0, 0, 0, 0, 1}, [inet6]},
            {"::1", [inet6, {tcp_module, inet6_tcp}]},
            {?LOCAL, [{inet_backend, socket}, inet]}
        ]
    ],
    {ok, ?GENTCP = L1} = gen_tcp:listen(0, [inet, {active, false}]),
    {ok, P1} = inet:port(L1),
    {ok, ?GENTCP = C1} = gen_tcp:connect(#{family => inet, addr => ?LOCAL, port => P1}, [{active, false}], ?WAIT),
    exchange(L1, C1),
    ok = inet:i(),
    %% What was there before goes on, and OTP's own backend can still be asked for.
    {ok, _} = inet:port(Before),
    {ok, Asked} = gen_tcp:listen(0, [{inet_backend, inet}]),
    true = is_port(Asked),
    ok = gentcp:give_back(),
    {ok, After} = gen_tcp:listen(0, []),
    true = is_port(After),
    {ok, P1} = inet:port(L1),
    {ok, {'$inet', gen_tcp_socket, _}} = gen_tcp:listen(0, [{inet_backend, socket}]),
    true = code:is_sticky(gen_tcp_socket).

httpd_and_httpc_run_unmodified(Config) ->
    on_node([], httpd_and_httpc, Config).

httpd_and_httpc(Config) ->
    ok = gentcp:take_over(),
    {ok, _} = application:ensure_all_started(inets),
    Root = filename:join(proplists:get_value(priv_dir, Config), "www"),
    Body = rand:bytes(1000000),
    ok = filelib:ensure_dir(filename:join(Root, "file")),
    ok = file:write_file(filename:join(Root, "file"), Body),
    {ok, Server} = inets:start(httpd, [
        {port, 0}, {bind_address, ?LOCAL}, {server_name, "localhost"}, {server_root, Root}, {document_root, Root}
    ]),
    [{port, Port}] = httpd:info(Server, [port]),
    Url = "http://127.0.0.1:" ++ integer_to_list(Port) ++ "/",
    Requests = [
        begin
            {ok, Id} = httpc:request(get, {Url ++ "file", []}, [], [{sync, false}, {body_format, binary}]),
            Id
        end
     || _ <- lists:seq(1, 20)
    ],
    [receive {http, {Id, {{_, 200, _}, _, Body}}} -> ok after ?WAIT -> error(silence) end || Id <- Requests],
    {ok, {{_, 404, _}, _, _}} = httpc:request(Url ++ "none"),
    true = length(gentcp_info:sockets()) > 1,
    [] = [Port1 || Port1 <- erlang:ports(), erlang:port_info(Port1, name) =:= {name, "tcp_inet"}],
    ok = inets:stop(httpd, Server).

take_over_refuses_while_its_module_is_in_use(Config) ->
    on_node([], busy, Config).

busy(_) ->
    {ok, {'$inet', gen_tcp_socket, _} = L} = gen_tcp:listen(0, [{inet_backend, socket}]),
    {error, busy} = gentcp:take_over(),
    {ok, P} = gen_tcp:listen(0, []),
    true = is_port(P),
    ok = gen_tcp:close(L),
    ok = gentcp:take_over().

%% ---- what tests have in common ----

%% Both ends of a connection, by gen_tcp's calls; closes them.
exchange(L, C) ->
    {ok, ?GENTCP = S} = gen_tcp:accept(L, ?WAIT),
    ok = gen_tcp:send(C, "hello"),
    {ok, "hello"} = gen_tcp:recv(S, 5, ?WAIT),
    ok = gen_tcp:send(S, ["wor", <<"ld">>]),
    {ok, "world"} = gen_tcp:recv(C, 0, ?WAIT),
    ok = gen_tcp:close(C),
    {error, closed} = gen_tcp:recv(S, 0, ?WAIT),
    ok = gen_tcp:close(S).

on_node(Args, Function) ->
    on_node(Args, Function, []).

on_node(Args, Function, Config) ->
    Paths = ["-pa" | [filename:dirname(code:which(Module)) || Module <- [gentcp, ?MODULE]]],
    {ok, Node, _} = peer:start_link(#{connection => standard_io, args => Paths ++ Args}),
    _ = peer:call(Node, ?MODULE, Function, [Config], 30000),
    peer:stop(Node).
