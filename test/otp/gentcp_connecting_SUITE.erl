%% SPDX-License-Identifier: Apache-2.0
%% From an address or a name to a connection, and why there is none: on inet and on gentcp. Names are those of this
%% node's own table; no other machine is asked.
-module(gentcp_connecting_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_norm, [close/1]).

-export([init_per_suite/1, end_per_suite/1, end_per_testcase/2]).
-export([
    a_name_is_looked_up_and_all_its_addresses_are_tried/1,
    an_unknown_name_is_nxdomain/1,
    an_address_of_another_family_is_nxdomain/1,
    connecting_with_timeout_0_is_timeout/1,
    connecting_ends_with_its_timeout/1,
    the_first_timeout_ends_the_loop_over_addresses/1,
    the_timeout_covers_the_lookup/1,
    a_port_without_a_listener_is_econnrefused/1,
    a_port_in_use_is_eaddrinuse/1
]).

-define(WAIT, 30000).
-define(NAME, "several.gentcp.test").
-define(ADDRESSES, [{127, 0, 0, 1}, {127, 0, 0, 9}]).

-include("gentcp_norm.hrl").

%% On inet, a connection that is there at once may win against a timeout of 0.
ours() ->
    [connecting_with_timeout_0_is_timeout].

init_per_suite(Config) ->
    Lookup = inet_db:res_option(lookup),
    ok = inet_db:set_lookup([file]),
    [ok = inet_db:add_host(Address, [?NAME]) || Address <- ?ADDRESSES],
    [{lookup, Lookup} | Config].

end_per_suite(Config) ->
    [ok = inet_db:del_host(Address) || Address <- ?ADDRESSES],
    ok = inet_db:set_lookup(proplists:get_value(lookup, Config)).

end_per_testcase(_, _) ->
    ok = inet_db:set_lookup([file]).

listen(Address, Options) ->
    {ok, L} = gen_tcp:listen(0, [{ip, Address} | Options]),
    {ok, Port} = inet:port(L),
    {L, Port}.

%% ---- names ----

a_name_is_looked_up_and_all_its_addresses_are_tried(Config) ->
    Side = side(Config),
    ?assertEqual({ok, ?ADDRESSES}, sorted(inet:getaddrs(?NAME, inet))),
    [
        begin
            {L, Port} = listen(Address, []),
            {ok, C} = Side:connect(?NAME, Port, [], ?WAIT),
            ?assertEqual({ok, {Address, Port}}, inet:peername(C)),
            close([L, C]),
            ?assertEqual({error, econnrefused}, Side:connect(?NAME, Port, [], ?WAIT))
        end
     || Address <- ?ADDRESSES
    ].

sorted({ok, List}) -> {ok, lists:sort(List)}.

an_unknown_name_is_nxdomain(Config) ->
    Side = side(Config),
    [
        ?assertEqual({error, nxdomain}, Side:connect(Name, 9, [], ?WAIT))
     || Name <- ["no-such-host.gentcp.test", 'no-such-host', "256.256.256.256"]
    ].

an_address_of_another_family_is_nxdomain(Config) ->
    Side = side(Config),
    {L, Port} = listen({127, 0, 0, 1}, []),
    ?assertEqual({error, nxdomain}, Side:connect("::1", Port, [], ?WAIT)),
    {ok, C} = Side:connect("127.0.0.1", Port, [], ?WAIT),
    close([L, C]).

%% ---- time ----

connecting_with_timeout_0_is_timeout(Config) ->
    Side = side(Config),
    {L, Port} = listen({127, 0, 0, 1}, []),
    [?assertEqual({error, timeout}, Side:connect(Host, Port, [], 0)) || Host <- [{127, 0, 0, 1}, "127.0.0.1", ?NAME]],
    close([L]).

connecting_ends_with_its_timeout(Config) ->
    Side = side(Config),
    {Silent, Port} = silent({127, 0, 0, 1}),
    [
        begin
            {Microseconds, Result} = timer:tc(Side, connect, [Host, Port, [], 100]),
            ?assertEqual({error, timeout}, Result),
            ?assert(Microseconds >= 99000)
        end
     || Host <- [{127, 0, 0, 1}, "127.0.0.1"]
    ],
    end_silence(Silent).

%% The other one would take the connection.
the_first_timeout_ends_the_loop_over_addresses(Config) ->
    Side = side(Config),
    {ok, [First, Second]} = inet:getaddrs(?NAME, inet),
    {Silent, Port, L} = silent_beside(First, Second, 20),
    ?assertEqual({error, timeout}, Side:connect(?NAME, Port, [], 100)),
    {ok, C} = Side:connect(Second, Port, [], ?WAIT),
    end_silence(Silent),
    close([L, C]).

%% A listener whose queue is full, so that who connects to it hears neither yes nor no.
silent(Address) ->
    {L, Port} = listen(Address, [{backlog, 0}]),
    Fill = [
        begin
            {ok, C} = socket:open(inet, stream, tcp),
            _ = socket:connect(C, #{family => inet, addr => Address, port => Port}, nowait),
            C
        end
     || _ <- lists:seq(1, 8)
    ],
    {{L, Fill}, Port}.

end_silence({L, Fill}) ->
    close([L]),
    [ok = socket:close(C) || C <- Fill].

%% And another listener, on the same port, unless somebody else has that.
silent_beside(Silent, Other, Tries) when Tries > 0 ->
    {Listener, Port} = silent(Silent),
    case gen_tcp:listen(Port, [{ip, Other}]) of
        {ok, L} ->
            {Listener, Port, L};
        {error, eaddrinuse} ->
            end_silence(Listener),
            silent_beside(Silent, Other, Tries - 1)
    end.

%% Of a name server that doesn't answer; inet_res calls that nxdomain, and would ask again for 25 seconds.
the_timeout_covers_the_lookup(Config) ->
    Side = side(Config),
    {ok, Server} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}, {active, false}]),
    {ok, Port} = inet:port(Server),
    Before = [{Name, inet_db:res_option(Name)} || Name <- [nameservers, retry, resolv_conf]],
    Given = [{resolv_conf, ""}, {nameservers, [{{127, 0, 0, 1}, Port}]}, {retry, 5}],
    [ok = inet_db:res_option(Name, Value) || {Name, Value} <- Given],
    ok = inet_db:set_lookup([dns]),
    try
        {Microseconds, Result} = timer:tc(Side, connect, ["slow.gentcp.test", 9, [], 1000]),
        ?assertMatch({ok, _}, gen_udp:recv(Server, 0, 0)),
        ?assertEqual({error, nxdomain}, Result),
        ?assert(Microseconds < 8000000)
    after
        [ok = inet_db:res_option(Name, Value) || {Name, Value} <- Before],
        gen_udp:close(Server)
    end.

%% ---- ports ----

a_port_without_a_listener_is_econnrefused(Config) ->
    Side = side(Config),
    {L, Port} = listen({127, 0, 0, 1}, []),
    close([L]),
    [
        ?assertEqual({error, econnrefused}, Side:connect(Host, Port, [], ?WAIT))
     || Host <- [{127, 0, 0, 1}, "127.0.0.1", ?NAME]
    ].

a_port_in_use_is_eaddrinuse(Config) ->
    Side = side(Config),
    {L, Port} = listen({127, 0, 0, 1}, []),
    ?assertEqual({error, eaddrinuse}, Side:listen(Port, [{ip, {127, 0, 0, 1}}])),
    ?assertEqual({error, eaddrinuse}, Side:listen(Port, [])),
    close([L]).
