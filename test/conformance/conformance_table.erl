%% SPDX-License-Identifier: Apache-2.0
%% What inet and gentcp made of each case, side by side, and whether that is as it must be.
-module(conformance_table).

-export([print/1]).

%% The only reasons that excuse a case.
-define(REASONS, ["asserts that the socket is a port", "inspects inet_drv's internals"]).

%% From inet.results and gentcp.results in the current directory; true: every case that passed on inet has passed on
%% gentcp, but for those in the table of the file Exceptions.
-spec print(file:filename()) -> boolean().
print(Exceptions) ->
    Inet = results("inet.results"),
    Gentcp = results("gentcp.results"),
    Excused = exceptions(Exceptions),
    Cases = lists:usort(maps:keys(Inet) ++ maps:keys(Gentcp)),
    Rows = [row(Case, Inet, Gentcp, Excused) || Case <- Cases],
    Suites = lists:usort([Suite || {Suite, _} <- Cases]),
    [print_suite(Suite, Rows) || Suite <- Suites],
    io:format("~n~-20s ~6s ~6s ~6s ~6s   of those that pass on inet~n", ["", cases, inet, gentcp, excused]),
    [print_sum(Suite, [Row || {{S, _}, _, _, _} = Row <- Rows, S =:= Suite]) || Suite <- Suites],
    Bad = [Row || {_, _, _, bad} = Row <- Rows],
    [
        io:format("~n~s:~s: inet ~s, gentcp ~s: ~s~n", [Suite, Case, A, B, Reason])
     || {{Suite, Case}, {A, _, _}, {B, _, Reason}, bad} <- Bad
    ],
    Bad =:= [] andalso Rows =/= [].

%% Of a case that has run twice the second run counts.
results(File) ->
    {ok, Results} = file:consult(File),
    lists:foldl(
        fun({Suite, Case, Outcome, Seconds, Reason0}, Seen) ->
            Key = {Suite, Case},
            Reason = [Reason0 || Outcome =/= passed] ++ ["second run" || Outcome =:= passed, is_map_key(Key, Seen)],
            Seen#{Key => {Outcome, Seconds, lists:append(Reason)}}
        end,
        #{},
        Results
    ).

%% Rows | case | reason |.
exceptions(File) ->
    {ok, Text} = file:read_file(File),
    Rows = [string:lexemes(Line, "|") || "|" ++ _ = Line <- string:split(binary_to_list(Text), "\n", all)],
    [
        list_to_atom(string:trim(Case, both, " `"))
     || [Case, Reason | _] <- Rows, lists:any(fun(Good) -> string:find(Reason, Good) =/= nomatch end, ?REASONS)
    ].

row({_, Name} = Case, Inet, Gentcp, Excused) ->
    None = {'not run', 0.0, ""},
    {A, _, _} = OnInet = maps:get(Case, Inet, None),
    {B, _, _} = OnGentcp = maps:get(Case, Gentcp, None),
    {Case, OnInet, OnGentcp, verdict(A, B, lists:member(Name, Excused))}.

verdict('not run', _, _) -> bad; % the run has broken off: nothing is known
verdict(passed, passed, _) -> good;
verdict(passed, _, true) -> excused;
verdict(passed, _, false) -> bad;
verdict(_, _, _) -> not_asked.

print_suite(Suite, Rows) ->
    io:format("~n~-44s  ~-17s  ~-17s~n", [Suite, inet, gentcp]),
    [
        io:format("  ~-42s  ~-8s ~6.1f s  ~-8s ~6.1f s  ~s~n", [Case, A, T1, B, T2, note(Verdict, R1, R2)])
     || {{S, Case}, {A, T1, R1}, {B, T2, R2}, Verdict} <- Rows, S =:= Suite
    ].

note(good, R1, R2) -> hd([R || R <- [R2, R1], R =/= ""] ++ [""]);
note(bad, _, _) -> "<== must pass";
note(excused, _, _) -> "see EXCEPTIONS.md";
note(not_asked, Reason, _) -> string:slice(Reason, 0, 50).

print_sum(Suite, Rows) ->
    Passed = [Verdict || {_, {passed, _, _}, _, Verdict} <- Rows],
    Count = fun(Verdict) -> length([V || V <- Passed, V =:= Verdict]) end,
    io:format("~-20s ~6b ~6b ~6b ~6b~n", [Suite, length(Rows), length(Passed), Count(good), Count(excused)]).
