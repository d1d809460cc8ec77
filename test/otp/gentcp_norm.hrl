%% SPDX-License-Identifier: Apache-2.0
%% A suite whose cases run on inet of OTP, which is the norm, and on gentcp; those that ours/0 names, on gentcp alone.
-export([all/0, suite/0, groups/0, init_per_group/2, end_per_group/2]).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, inet}, {group, gentcp}].

groups() ->
    gentcp_norm:groups(?MODULE, ours()).

init_per_group(Group, Config) ->
    [{side, gentcp_norm:side(Group)} | Config].

end_per_group(_, _) ->
    ok.

side(Config) ->
    proplists:get_value(side, Config).
