%% SPDX-License-Identifier: Apache-2.0
%% For {tcp_module, gentcp_local}: gentcp with Unix-domain sockets. gen_tcp takes the family from a module's name, as
%% there is no other place for it. The sockets are gentcp's.
-module(gentcp_local).

-export([connect/3, connect/4, listen/2, fdopen/2, getserv/1, getaddrs/1, getaddrs/2]).

-spec connect(inet:socket_address() | inet:hostname(), inet:port_number(), list()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()};
    (socket:sockaddr_in() | socket:sockaddr_in6(), list(), timeout()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()}.
connect(SockAddr, Options, Timeout) when is_map(SockAddr) -> gentcp:connect(SockAddr, [local | Options], Timeout);
connect(Address, Port, Options) -> gentcp:connect(Address, Port, [local | Options]).

-spec connect(inet:socket_address() | inet:hostname(), inet:port_number(), list(), timeout()) ->
    {ok, gentcp:socket()} | {error, gentcp:reason()}.
connect(Address, Port, Options, Timeout) -> gentcp:connect(Address, Port, [local | Options], Timeout).

-spec listen(inet:port_number(), list()) -> {ok, gentcp:socket()} | {error, gentcp:reason()}.
listen(Port, Options) -> gentcp:listen(Port, [local | Options]).

-spec fdopen(non_neg_integer(), list()) -> {ok, gentcp:socket()} | {error, gentcp:reason()}.
fdopen(Fd, Options) -> gentcp:fdopen(Fd, [local | Options]).

-spec getserv(0) -> {ok, 0}.
getserv(0) -> {ok, 0}.

-spec getaddrs(inet:local_address()) -> {ok, [inet:local_address()]}.
getaddrs({local, _} = Address) -> {ok, [Address]}.

-spec getaddrs(inet:local_address(), false | reference()) -> {ok, [inet:local_address()]}.
getaddrs({local, _} = Address, _Timer) -> {ok, [Address]}.
