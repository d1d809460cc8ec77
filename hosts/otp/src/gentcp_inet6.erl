%% SPDX-License-Identifier: Apache-2.0
%% For {tcp_module, gentcp_inet6}: gentcp with IPv6. gen_tcp takes the family from a module's name, as there is no
%% other place for it. The sockets are gentcp's.
-module(gentcp_inet6).

-export([connect/3, connect/4, listen/2, fdopen/2, getserv/1, getaddrs/1, getaddrs/2]).

-spec connect(inet:socket_address() | inet:hostname(), inet:port_number(), list()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()};
    (socket:sockaddr_in() | socket:sockaddr_in6(), list(), timeout()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()}.
connect(SockAddr, Options, Timeout) when is_map(SockAddr) -> gentcp:connect(SockAddr, [inet6 | Options], Timeout);
connect(Address, Port, Options) -> gentcp:connect(Address, Port, [inet6 | Options]).

-spec connect(inet:socket_address() | inet:hostname(), inet:port_number(), list(), timeout()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()}.
connect(Address, Port, Options, Timeout) -> gentcp:connect(Address, Port, [inet6 | Options], Timeout).

-spec listen(inet:port_number(), list()) -> {ok, gentcp:socket()} | {error, gentcp:reason()}.
listen(Port, Options) -> gentcp:listen(Port, [inet6 | Options]).

-spec fdopen(non_neg_integer(), list()) -> {ok, gentcp:socket()} | {error, gentcp:reason()}.
fdopen(Fd, Options) -> gentcp:fdopen(Fd, [inet6 | Options]).

-spec getserv(integer() | atom()) -> {ok, integer()} | {error, gentcp:reason()}.
getserv(Port) -> gentcp:getserv(Port).

-spec getaddrs(inet:socket_address() | inet:hostname()) -> {ok, [inet:ip_address()]} | {error, gentcp:reason()}.
getaddrs(Address) -> getaddrs(Address, false).

%% Timer: of inet:start_timer/1.
-spec getaddrs(inet:socket_address() | inet:hostname(), false | reference()) ->
    {ok, [inet:ip_address()]} | {error, gentcp:reason()}.
getaddrs(Address, Timer) -> gentcp_open:getaddrs(Address, [inet6], inet:timeout(Timer)).
