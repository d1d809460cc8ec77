%% SPDX-License-Identifier: Apache-2.0
%% The program test/atomvm/behaviour.erl on the OTP host. Its output is written down in behaviour.expected, which is what
%% the AtomVM host has to print, too.
-module(gentcp_behaviour_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([gentcp_prints_what_is_expected/1, inet_prints_the_same_but_where_gentcp_differs_on_purpose/1]).

-define(MODULES, [
    behaviour, behaviour_world, behaviour_receiving, behaviour_active, behaviour_sending, behaviour_options, behaviour_packets,
    behaviour_addresses
]).

all() ->
    [gentcp_prints_what_is_expected, inet_prints_the_same_but_where_gentcp_differs_on_purpose].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(gentcp),
    [
        begin
            Options = [binary, report, warnings_as_errors, debug_info],
            {ok, Module, Code} = compile:file(filename:join(folder(), Module), Options),
            {module, Module} = code:load_binary(Module, atom_to_list(Module), Code)
        end
     || Module <- ?MODULES
    ],
    Config.

end_per_suite(_) ->
    _ = [code:purge(Module) || Module <- ?MODULES, code:delete(Module)],
    application:stop(gentcp).

folder() ->
    filename:join([filename:dirname(filename:dirname(proplists:get_value(source, ?MODULE:module_info(compile)))), "atomvm"]).

expected() ->
    {ok, Text} = file:read_file(filename:join(folder(), "behaviour.expected")),
    string:split(string:trim(binary_to_list(Text), trailing, "\n"), "\n", all).

gentcp_prints_what_is_expected(_) ->
    compare(expected(), [behaviour:line(Row, gentcp, gentcp) || Row <- behaviour:rows()]).

inet_prints_the_same_but_where_gentcp_differs_on_purpose(_) ->
    Rows = [Row || Row <- behaviour:rows(), element(1, Row) =/= gentcp],
    Purpose = [behaviour:name(Row) || Row <- Rows, element(1, Row) =:= differs],
    Lines = [behaviour:line(Row, gen_tcp, inet) || Row <- Rows],
    Differ = [name(Line) || Line <- Lines -- expected()],
    compare(lists:sort(Purpose), lists:sort(Differ)).

name(Line) ->
    hd(string:split(Line, ": ")).

%% Lines, of which those that are in one list alone are told.
compare(Expected, Expected) ->
    ok;
compare(Expected, Lines) ->
    ct:fail("~s", [["\n- " ++ L || L <- Expected -- Lines] ++ ["\n+ " ++ L || L <- Lines -- Expected]]).
