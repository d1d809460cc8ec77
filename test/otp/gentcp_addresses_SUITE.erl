%% SPDX-License-Identifier: Apache-2.0
%% Local sockets, sockaddr maps, descriptors that exist already, and network namespaces: as on inet.
-module(gentcp_addresses_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, suite/0]).
-export([
    local_names_are_those_of_inet/1,
    local_options_are_those_of_inet/1,
    local_errors_are_those_of_inet/1,
    a_path_may_be_a_string/1,
    sockaddr_maps_are_addresses/1,
    bad_descriptors_are_refused_as_on_inet/1,
    a_lent_listener_outlives_its_socket/1,
    netns_is_read_and_refused_as_on_inet/1
]).

-define(WAIT, 5000).

suite() ->
    [{timetrap, {seconds, 30}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

both(Fun) ->
    Norm = Fun(gen_tcp),
    ?assertEqual(Norm, Fun(gentcp)).

path() ->
    Path = filename:join("/tmp", "gentcp-" ++ os:getpid() ++ "-local"),
    _ = file:delete(Path),
    Path.

local_pair(M, Path, Options) ->
    {ok, L} = M:listen(0, [{ifaddr, {local, Path}}, {active, false}]),
    {ok, C} = M:connect({local, Path}, 0, [{active, false} | Options]),
    {ok, S} = M:accept(L, ?WAIT),
    {L, C, S}.

close(Sockets) ->
    [ok = gen_tcp:close(Socket) || Socket <- Sockets].

local_names_are_those_of_inet(_) ->
    both(fun(M) ->
        Names = [
            begin
                {L, C, S} = local_pair(M, Path, Options),
                ok = gen_tcp:send(C, "abc"),
                {ok, "abc"} = gen_tcp:recv(S, 3, ?WAIT),
                Found = [{inet:sockname(X), inet:peername(X), inet:port(X)} || X <- [L, C, S]],
                close([L, C, S]),
                Found
            end
         || {Path, Options} <- [{path(), []}, {<<0, "gentcp", 0, "addresses">>, [local]}]
        ],
        Names
    end).

local_options_are_those_of_inet(_) ->
    Values = [
        {nodelay, true}, {keepalive, true}, {reuseaddr, true}, {priority, 3}, {dontroute, true}, {linger, {true, 3}},
        {ipv6_v6only, true}, {tos, 16}, {tclass, 16}, {ttl, 3}, {recvtos, true}, {recvtclass, true}, {recvttl, true},
        {pktoptions, []}, {fd, 3}, {netns, "/somewhere"}
    ],
    both(fun(M) ->
        {L, C, S} = local_pair(M, path(), [{nodelay, true}]),
        Found = [{V, inet:setopts(C, [V]), inet:getopts(C, [element(1, V)])} || V <- Values],
        close([L, C, S]),
        Found
    end).

local_errors_are_those_of_inet(_) ->
    Names = ["/no/such/file", "", <<0, "gentcp nobody">>, lists:duplicate(107, $a), lists:duplicate(108, $a), foo],
    both(fun(M) -> [{N, catch M:connect({local, N}, 0, [])} || N <- Names] end),
    both(fun(M) -> [catch M:connect({local, path()}, 0, O) || O <- [[inet], [{ip, {127, 0, 0, 1}}], [{port, 5}]]] end),
    both(fun(M) -> M:listen(0, [{ifaddr, {local, "/no/such/directory"}}]) end),
    both(fun(M) -> catch M:listen(0, [inet, {ifaddr, {local, path()}}]) end).

a_path_may_be_a_string(_) ->
    Path = path(),
    {L, C, S} = local_pair(gentcp, [Path, [$-, 16#fc, <<"x">>]], []),
    ?assertEqual({ok, {local, <<(list_to_binary(Path))/binary, "-", 16#fc/utf8, "x">>}}, inet:sockname(L)),
    {ok, {local, Name}} = inet:sockname(L),
    ok = file:delete(Name),
    close([L, C, S]).

sockaddr_maps_are_addresses(_) ->
    both(fun(M) ->
        {ok, L} = M:listen(0, [{ifaddr, #{family => inet, addr => {127, 0, 0, 2}, port => 0}}, {active, false}]),
        {ok, {Addr, Port}} = inet:sockname(L),
        {ok, C} = gen_tcp:connect(#{family => inet, addr => Addr, port => Port}, module(M)),
        {ok, {Peer, Port}} = inet:peername(C),
        close([L, C]),
        {Addr, Peer}
    end).

module(gen_tcp) -> [];
module(M) -> [{tcp_module, M}].

bad_descriptors_are_refused_as_on_inet(_) ->
    {ok, L} = gen_tcp:listen(0, [{backlog, 20}]),
    {ok, Port} = inet:port(L),
    both(fun(M) -> {M:connect(loopback(), Port, [{fd, 99999}]), M:listen(0, [{fd, 99999}])} end),
    both(fun(M) -> {M:connect(loopback(), Port, [{fd, 0}]), M:listen(0, [{fd, 0}])} end),
    both(fun(M) ->
        {ok, C} = M:connect(loopback(), Port, [{fd, -1}]),
        close([C])
    end),
    both(fun(M) ->
        {ok, C} = gen_tcp:connect(loopback(), Port, [{active, false}]),
        {ok, Fd} = prim_inet:getfd(C),
        Found = {M:connect(loopback(), Port, [{fd, Fd}]), inet:setopts(C, [{fd, Fd}])},
        close([C]),
        Found
    end),
    close([L]).

loopback() ->
    {127, 0, 0, 1}.

a_lent_listener_outlives_its_socket(_) ->
    {ok, L} = gen_tcp:listen(0, [{active, false}, {backlog, 20}]),
    {ok, Port} = inet:port(L),
    {ok, Fd} = prim_inet:getfd(L),
    [
        begin
            {ok, Again} = gentcp:listen(0, [{fd, Fd}, {active, false}]),
            ?assertEqual({ok, Port}, inet:port(Again)),
            {ok, C} = gen_tcp:connect(loopback(), Port, []),
            {ok, S} = gentcp:accept(Again, ?WAIT),
            close([C, S, Again])
        end
     || _ <- [1, 2]
    ],
    {ok, C} = gen_tcp:connect(loopback(), Port, []),
    {ok, S} = gen_tcp:accept(L, ?WAIT),
    close([C, S, L]).

%% To name one's own namespace needs the right to change it.
netns_is_read_and_refused_as_on_inet(_) ->
    Own = "/proc/self/ns/net",
    both(fun(M) ->
        case M:listen(0, [{netns, Own}, {active, false}]) of
            {ok, L} ->
                {ok, Port} = inet:port(L),
                {ok, C} = M:connect(loopback(), Port, [{netns, list_to_binary(Own)}]),
                {ok, S} = M:accept(L, ?WAIT),
                Found = [inet:getopts(X, [netns]) || X <- [L, C, S]],
                close([L, C, S]),
                Found;
            {error, eperm} ->
                {skipped, eperm}
        end
    end),
    both(fun(M) -> [catch M:listen(0, [{netns, N}]) || N <- ["/no/such/file", "", foo, 7]] end).
