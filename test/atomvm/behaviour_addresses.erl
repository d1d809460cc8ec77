%% SPDX-License-Identifier: Apache-2.0
-module(behaviour_addresses).

-export([rows/0]).

-import(behaviour_world, [listen/3, port/2, pair/2, catching/1]).

-define(SOON, 10000).

rows() ->
    [
        {"names of both ends", fun names/2},
        {"an address as tuple, string, atom, and a name", fun forms/2},
        {"::1 without inet6", fun ipv6_text/2},
        {"::1 with inet6", fun ipv6/2},
        {"the tuple of ::1", fun ipv6_tuple/2},
        {differs, "any and loopback as Address", fun special/2},
        {"any and loopback as ip", fun special_ip/2},
        {"a port without a listener", fun refused/2},
        {"a port in use", fun in_use/2},
        {"an address that is not ours", fun not_ours/2},
        {"an address that is none", fun no_address/2},
        {gentcp, "an address that is neither tuple nor text", fun no_address_at_all/2},
        {"ports that are none", fun no_port/2},
        {gentcp, "connect with Timeout 0", fun timeout_zero/2},
        {"connect with a negative Timeout", fun timeout_negative/2},
        {"the port of connect's own end", fun own_port/2},
        {"a map with the address", fun map/2},
        {"local", fun local/2},
        {"a local path without a listener", fun local_refused/2},
        {gentcp, "listen on a local path with a port", fun local_port/2},
        {"fd of no descriptor, and a negative one", fun bad_fd/2}
    ].

%% An echo over it works.
works(T, Listener, Connect) ->
    case Connect() of
        {ok, H} ->
            {ok, P} = T:accept(Listener, ?SOON),
            ok = T:send(H, "there"),
            {ok, Data} = T:recv(P, 5, ?SOON),
            ok = T:send(P, Data),
            Back = T:recv(H, 5, ?SOON),
            [ok, ok] = [T:close(H), T:close(P)],
            Back;
        Other ->
            Other
    end.

connect_each(T, Listener, Port, Addresses, Options) ->
    [
        works(T, Listener, fun() -> catching(fun() -> T:connect(Address, Port, [{active, false} | Options], ?SOON) end) end)
     || Address <- Addresses
    ].

names(T, I) ->
    {H, P} = pair(T, I),
    {ok, {HereIp, HerePort}} = I:sockname(H),
    {ok, {ThereIp, TherePort}} = I:peername(H),
    {HereIp, ThereIp, [I:peername(P) =:= I:sockname(H), I:sockname(P) =:= I:peername(H)],
        [port(I, H) =:= HerePort, port(I, P) =:= TherePort]}.

forms(T, I) ->
    {Listener, Port} = listen(T, I, []),
    connect_each(T, Listener, Port, [{127, 0, 0, 1}, "127.0.0.1", '127.0.0.1', "localhost", localhost], []).

ipv6_text(T, I) ->
    {Listener, Port} = listen(T, I, []),
    connect_each(T, Listener, Port, ["::1"], []).

ipv6_listen(T, I) ->
    {ok, Listener} = T:listen(0, [inet6, binary, {active, false}, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}]),
    {Listener, port(I, Listener)}.

ipv6(T, I) ->
    {Listener, Port} = ipv6_listen(T, I),
    {ok, {Ip, _}} = I:sockname(Listener),
    {Ip, connect_each(T, Listener, Port, ["::1", {0, 0, 0, 0, 0, 0, 0, 1}], [inet6])}.

ipv6_tuple(T, I) ->
    {Listener, Port} = ipv6_listen(T, I),
    connect_each(T, Listener, Port, [{0, 0, 0, 0, 0, 0, 0, 1}], []).

special(T, I) ->
    {Listener, Port} = listen(T, I, []),
    connect_each(T, Listener, Port, [any, loopback], []).

special_ip(T, I) ->
    [
        begin
            {ok, Listener} = T:listen(0, [{ip, Ip}]),
            {ok, {Is, _}} = I:sockname(Listener),
            {ok, H} = T:connect({127, 0, 0, 1}, port(I, Listener), [{ip, Ip}], ?SOON),
            {ok, {Was, _}} = I:sockname(H),
            {Is, Was}
        end
     || Ip <- [any, loopback, {127, 0, 0, 1}]
    ].

closed_port(T, I) ->
    {Listener, Port} = listen(T, I, []),
    ok = T:close(Listener),
    Port.

refused(T, I) -> T:connect({127, 0, 0, 1}, closed_port(T, I), [], ?SOON).

in_use(T, I) ->
    {_, Port} = listen(T, I, []),
    T:listen(Port, [{ip, {127, 0, 0, 1}}]).

not_ours(T, _) -> [T:listen(0, [{ip, {192, 0, 2, 1}}]), T:connect({127, 0, 0, 1}, 1, [{ip, {192, 0, 2, 1}}], ?SOON)].

no_address(T, _) ->
    [catching(fun() -> T:connect(Address, 1, [], ?SOON) end) || Address <- [{127, 0, 0, 256}, {1, 2}, {}]].

no_address_at_all(T, _) ->
    [catching(fun() -> T:connect(Address, 1, [], ?SOON) end) || Address <- [<<"127.0.0.1">>, 5]].

no_port(T, _) ->
    [
        catching(fun() -> T:listen(70000, []) end),
        catching(fun() -> T:listen(-1, []) end),
        catching(fun() -> T:connect({127, 0, 0, 1}, 70000, [], ?SOON) end),
        catching(fun() -> T:connect({127, 0, 0, 1}, -1, [], ?SOON) end)
    ].

timeout_zero(T, I) ->
    {_, Port} = listen(T, I, []),
    T:connect({127, 0, 0, 1}, Port, [], 0).

timeout_negative(T, I) ->
    {_, Port} = listen(T, I, []),
    catching(fun() -> T:connect({127, 0, 0, 1}, Port, [], -1) end).

own_port(T, I) ->
    {Listener, Port} = listen(T, I, []),
    Own = closed_port(T, I),
    {ok, H} = T:connect({127, 0, 0, 1}, Port, [{port, Own}], ?SOON),
    {ok, P} = T:accept(Listener, ?SOON),
    {port(I, H) =:= Own, I:peername(P) =:= {ok, {{127, 0, 0, 1}, Own}}}.

map(T, I) ->
    {Listener, Port} = listen(T, I, []),
    To = #{family => inet, addr => {127, 0, 0, 1}, port => Port},
    [
        works(T, Listener, fun() -> T:connect(To, [{active, false}]) end),
        works(T, Listener, fun() -> T:connect(To, [{active, false}], ?SOON) end)
    ].

%% In Linux's abstract namespace, with a name that no other has: that of a port.
local_name(T, I) ->
    list_to_binary([0, "gentcp-behaviour-", integer_to_list(closed_port(T, I))]).

local(T, I) ->
    Name = local_name(T, I),
    {ok, Listener} = T:listen(0, [{ifaddr, {local, Name}}, binary, {active, false}]),
    {ok, H} = T:connect({local, Name}, 0, [local, binary, {active, false}], ?SOON),
    {ok, P} = T:accept(Listener, ?SOON),
    ok = T:send(H, <<"there">>),
    Came = T:recv(P, 5, ?SOON),
    {Came, I:peername(H) =:= {ok, {local, Name}}, I:sockname(Listener) =:= {ok, {local, Name}}, I:sockname(H), I:peername(P),
        I:port(Listener) =:= {ok, Name}}.

local_refused(T, I) -> T:connect({local, local_name(T, I)}, 0, [local], ?SOON).

local_port(T, I) -> catching(fun() -> T:listen(5, [{ifaddr, {local, local_name(T, I)}}]) end).

bad_fd(T, _) ->
    [T:listen(0, [{fd, 1000000}]), element(1, T:listen(0, [{fd, -1}]))].
