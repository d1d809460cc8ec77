%% SPDX-License-Identifier: Apache-2.0
%% Stands in for kernel's module of this name while gentcp:take_over/0 holds: what gen_tcp calls to open a socket when
%% kernel's parameter inet_backend is socket. It lies in priv, so that nobody loads it by mistake.
-module(gen_tcp_socket).

-export([connect/3, connect/4, listen/2, fdopen/2]).
%% For inet:i/0.
-export([which_sockets/0]).

connect(SockAddr, Options, Timeout) ->
    open(Options, fun(Module, Opts) -> Module:connect(SockAddr, Opts, Timeout) end).

connect(Address, Port, Options, Timeout) ->
    open(Options, fun(Module, Opts) -> Module:connect(Address, Port, Opts, Timeout) end).

listen(Port, Options) ->
    open(Options, fun(Module, Opts) -> Module:listen(Port, Opts) end).

fdopen(Fd, Options) ->
    open(Options, fun(Module, Opts) -> Module:fdopen(Fd, Opts) end).

%% {tcp_module, Module}: OTP's own are families; any other is one that somebody has written, and keeps what it asked for.
open(Options, Open) ->
    case lists:keyfind(tcp_module, 1, Options) of
        false -> Open(gentcp, Options);
        {_, inet_tcp} -> Open(gentcp, [inet | Options]);
        {_, inet6_tcp} -> Open(gentcp, [inet6 | Options]);
        {_, local_tcp} -> Open(gentcp, [local | Options]);
        {_, gentcp} -> Open(gentcp, Options);
        _ -> Open(gen_tcp, [{inet_backend, inet} | Options])
    end.

which_sockets() ->
    gentcp_info:sockets().
