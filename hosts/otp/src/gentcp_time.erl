%% SPDX-License-Identifier: Apache-2.0
%% Timeouts.
-module(gentcp_time).

-export([wait/1, deadline/1, left/1, option/1]).

-export_type([deadline/0]).

-type deadline() :: infinity | integer().

-define(WAIT_MAX, 16#ffffffff). % of receive

%% For receive … after: inet takes a negative Timeout for infinity.
-spec wait(infinity | integer()) -> timeout().
wait(infinity) -> infinity;
wait(Timeout) when Timeout < 0 -> infinity;
wait(Timeout) -> min(Timeout, ?WAIT_MAX).

-spec deadline(timeout()) -> deadline().
deadline(infinity) -> infinity;
deadline(Timeout) -> erlang:monotonic_time(millisecond) + Timeout.

-spec left(deadline()) -> timeout().
left(infinity) -> infinity;
left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).

%% What option timeout says, of which the last one counts. The list is checked elsewhere, so anything may be in it.
-spec option(term()) -> timeout().
option(Options) -> option(Options, infinity).

option([{timeout, T} | Options], _) when is_integer(T), T >= 0; T =:= infinity -> option(Options, T);
option([_ | Options], T) -> option(Options, T);
option(_, T) -> T.
