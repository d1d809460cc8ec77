%% SPDX-License-Identifier: Apache-2.0
%% A Common Test hook: tells of each case as it ends, and writes down how.
-module(conformance_hook).

-export([id/1, init/2, pre_init_per_testcase/4, post_end_per_testcase/5, on_tc_fail/4, on_tc_skip/4, terminate/1]).

-record(state, {side, results, case_start = 0}).

%% They connect to hosts that are not on this machine.
-define(OUTSIDE, [t_connect_timeout, t_connect_bad]).

id(_) -> ?MODULE.

init(_, {Side, File}) ->
    {ok, Results} = file:open(File, [append]),
    {ok, #state{side = Side, results = Results}}.

pre_init_per_testcase(_Suite, Case, Config, State0) ->
    State = State0#state{case_start = erlang:monotonic_time(millisecond)},
    case lists:member(Case, ?OUTSIDE) of
        true -> {{skip, "left out: it reaches outside the machine"}, State};
        false -> {Config, State}
    end.

post_end_per_testcase(Suite, Case, Config, Return, State) ->
    case proplists:get_value(tc_status, Config) of
        ok -> tell(Suite, Case, passed, "", State);
        _ -> told_elsewhere
    end,
    {Return, State}.

on_tc_fail(Suite, Case, Reason, State) ->
    tell(Suite, name(Case), failed, Reason, State),
    State.

on_tc_skip(Suite, Case, {_, Reason}, State) ->
    tell(Suite, name(Case), skipped, Reason, State),
    State.

terminate(#state{results = Results}) ->
    ok = file:close(Results).

name({Case, Group}) when is_atom(Group), is_atom(Case) -> Case;
name(Case) -> Case.

tell(Suite, Case, Outcome, Reason, #state{side = Side, results = Results, case_start = Start}) ->
    Seconds = (erlang:monotonic_time(millisecond) - Start) / 1000,
    io:format(standard_error, "~-7s ~s ~s: ~s (~.1f s)~n", [Side, Suite, Case, Outcome, Seconds]),
    io:format(Results, "~p.~n", [{Suite, Case, Outcome, Seconds, lists:flatten(io_lib:format("~0p", [Reason]))}]).
