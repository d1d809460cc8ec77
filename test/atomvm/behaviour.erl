%% SPDX-License-Identifier: Apache-2.0
%% What gen_tcp's functions do, point by point, as lines of text that can be compared: the same source runs on OTP and
%% on AtomVM. A row is {Name, Fun}, or {differs, Name, Fun} where gentcp differs from OTP's inet on purpose (docs/behaviour.md
%% says why), or {gentcp, Name, Fun} where OTP's inet has nothing to compare. Fun(T, I) gets the module of gen_tcp's functions and that of inet's.
%%
%% On AtomVM start/0 prints the lines. Only what AtomVM's libraries have is used, here and in the modules with the rows.
-module(behaviour).

-export([start/0, rows/0, line/3, name/1]).

-define(ROW_TIME, 30000).

start() ->
    print(rows()).

print([Row | Rows]) ->
    erlang:display_string(line(Row, gentcp, gentcp) ++ "\n"),
    print(Rows);
print([]) ->
    ok.

rows() ->
    behaviour_receiving:rows() ++ behaviour_active:rows() ++ behaviour_sending:rows() ++ behaviour_options:rows() ++
        behaviour_packets:rows() ++ behaviour_addresses:rows().

%% Its name and its result, without the end of the line. Each row has a process of its own, whose sockets end with it.
line(Row, T, I) ->
    Fun = element(tuple_size(Row), Row),
    Self = self(),
    {Pid, Monitor} = spawn_opt(fun() -> Self ! {self(), result(fun() -> Fun(T, I) end)} end, [monitor]),
    Result =
        receive
            {Pid, It} -> It;
            {'DOWN', Monitor, process, Pid, Reason} -> {died, Reason}
        after ?ROW_TIME ->
            exit(Pid, kill),
            hangs
        end,
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    after 0 -> ok
    end,
    lists:flatten([name(Row), ": " | show(Result)]).

name(Row) ->
    element(tuple_size(Row) - 1, Row).

%% Of an exception, less where it came from.
result(Fun) ->
    try
        Fun()
    catch
        Class:Reason when is_tuple(Reason), tuple_size(Reason) > 1 -> {Class, element(1, Reason)};
        Class:Reason -> {Class, Reason}
    end.

%% As Erlang writes a term, and the same on every VM. Of what has another name each time only the kind is told.
show(Term) when is_atom(Term) -> atom_to_list(Term);
show(Term) when is_integer(Term) -> integer_to_list(Term);
show(Term) when is_binary(Term) -> ["<<", show_bytes(binary_to_list(Term)), ">>"];
show(Term) when is_tuple(Term) -> ["{", show_all(tuple_to_list(Term)), "}"];
show([]) -> "[]";
show(Term) when is_list(Term) ->
    case is_text(Term) of
        true -> show_text(Term);
        false -> ["[", show_all(Term), "]"]
    end;
show(Term) when is_pid(Term) -> "pid";
show(_) -> "other".

show_bytes([]) -> "";
show_bytes(Bytes) ->
    case is_text(Bytes) of
        true -> show_text(Bytes);
        false -> show_all(Bytes)
    end.

show_text(Text) -> ["\"", [show_character(C) || C <- Text], "\""].

show_character($\n) -> "\\n";
show_character($\r) -> "\\r";
show_character(C) -> C.

show_all([One]) -> show(One);
show_all([One | More]) when is_list(More) -> [show(One), "," | show_all(More)];
show_all([One | Rest]) -> [show(One), "|", show(Rest)];
show_all([]) -> "".

is_text([C]) -> is_readable(C);
is_text([C | More]) -> is_readable(C) andalso is_text(More);
is_text(_) -> false.

is_readable(C) -> C =:= $\n orelse C =:= $\r orelse is_integer(C) andalso C >= $\s andalso C =< $~.
