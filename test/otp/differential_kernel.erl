%% SPDX-License-Identifier: Apache-2.0
%% What Linux knows of a connection: what is under way, what is unread, and whether its end has come.
-module(differential_kernel).

-export([knows/1, end_of/1]).

%% A part of struct tcp_info, and what SO_MEMINFO says.
-define(TCP_INFO, {raw, 6, 11, 208}).
-define(MEMORY, {raw, 1, 55, 36}).

%% As linux/tcp_states.h numbers them, from 1.
-define(STATES, {
    established, syn_sent, syn_recv, fin_wait1, fin_wait2, time_wait, close, close_wait, last_ack, listen, closing,
    new_syn_recv
}).

%% no_descriptor: closed, or the stream has ended.
-spec knows(gen_tcp:socket()) -> #{atom() => term()} | no_descriptor.
knows(Socket) ->
    case inet:getopts(Socket, [active, ?TCP_INFO, ?MEMORY]) of
        {ok, [
            {active, Active},
            {raw, _, _, <<State, _:23/binary, Unacked:32/native, _:100/binary, Received:64/native, _:8/binary,
                Unsent:32/native, _/binary>>},
            {raw, _, _, <<Unread:32/native, _/binary>>}
        ]} ->
            #{
                active => Active,
                state => element(State, ?STATES),
                backlog => Unacked,
                received => Received,
                unsent => Unsent,
                unread => Unread
            };
        _ ->
            no_descriptor
    end.

-spec end_of(gen_tcp:socket()) -> open | ended.
end_of(Socket) ->
    case knows(Socket) of
        #{state := State} when State =:= established; State =:= fin_wait1; State =:= fin_wait2 -> open;
        _ -> ended
    end.
