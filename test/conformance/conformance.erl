%% SPDX-License-Identifier: Apache-2.0
%% How OTP's suites are run, and what they are told in place of what they ask of a port (see patch).
%% GENTCP_CONFORMANCE, which the nodes that cases start inherit, says on what they run: inet or gentcp.
-module(conformance).

-export([run/2, options/0, kind/0]).
-export([port_info/1, port_info/2, getfd/1, ignorefd/2, getstatus/1]).

-define(PARTS, 4).
-define(LAST, 1000).   % of hooks: the suites' own take no case that is skipped already

%% Part 1 is the suites that don't take long; the next ones are gen_tcp_misc_SUITE's cases, dealt like cards; `again`
%% are those that have failed according to Side.results. How they went is written to Side-Part.results, in the current
%% directory.
-spec run(file:filename(), pos_integer() | again) -> ok.
run(Tests, Part) ->
    Side = os:getenv("GENTCP_CONFORMANCE"),
    _ = [inet_db:set_tcp_module(gentcp) || Side =:= "gentcp"],
    Name = lists:concat([Side, "-", Part]),
    Results = filename:absname(Name ++ ".results"),
    ok = file:write_file(Results, ""),
    ok = filelib:ensure_path(Name),
    Options = [
        {dir, Tests},
        {auto_compile, false},
        {logdir, filename:absname(Name)},
        {ct_hooks, [{conformance_hook, {Side, Results}, ?LAST}]}
    ],
    lists:foreach(fun(Selection) -> ct:run_test(Options ++ Selection) end, selections(Side, Part)).

selections(_, 1) ->
    [[{suite, [gen_tcp_api_SUITE, gen_tcp_echo_SUITE]}]];
selections(Side, again) ->
    {ok, Results} = file:consult(Side ++ ".results"),
    Failed = [{Suite, Case} || {Suite, Case, Outcome, _, Reason} <- Results, has_failed(Outcome, Reason)],
    [selection(Suite, [Case || {S, Case} <- Failed, S =:= Suite]) || Suite <- lists:usort([S || {S, _} <- Failed])];
selections(_, Part) ->
    Suite = gen_tcp_misc_SUITE,
    Cases = lists:usort([Case || {_, _, Cases} <- Suite:groups(), Case <- Cases, is_atom(Case)]),
    Numbered = lists:zip(lists:seq(0, length(Cases) - 1), Cases),
    [selection(Suite, [Case || {N, Case} <- Numbered, N rem (?PARTS - 1) =:= Part - 2])].

%% Newer suites skip a case that has failed while the machine was busy.
has_failed(failed, _) -> true;
has_failed(skipped, Reason) -> string:find(Reason, "TC failure") =/= nomatch;
has_failed(_, _) -> false.

%% Only in the groups that run without a backend of the suite's choice.
selection(gen_tcp_echo_SUITE = Suite, Cases) -> [{suite, Suite}, {testcase, Cases}];
selection(Suite, Cases) -> [{suite, Suite}, {group, [inet_backend_default, s_misc, tickets]}, {testcase, Cases}].

%% ---- for the suites ----

options() ->
    case os:getenv("GENTCP_CONFORMANCE") of
        "gentcp" -> [{tcp_module, gentcp}];
        "inet" -> []
    end.

%% In {'DOWN', _, Kind, _, _}.
kind() ->
    case os:getenv("GENTCP_CONFORMANCE") of
        "gentcp" -> socket;
        "inet" -> port
    end.

port_info(Port) when is_port(Port) -> erlang:port_info(Port);
port_info(Socket) -> inet:info(Socket).

port_info(Port, Item) when is_port(Port) ->
    erlang:port_info(Port, Item);
port_info(Socket, Item) ->
    case inet:getstat(Socket, [send_pend]) of
        {ok, [{send_pend, Size}]} when Item =:= queue_size -> {queue_size, Size};
        {ok, _} when Item =:= connected -> {connected, self()};
        {error, einval} -> undefined
    end.

%% A descriptor of the same connection or listener: gentcp keeps its own to itself, so it is looked for.
getfd(Port) when is_port(Port) ->
    prim_inet:getfd(Port);
getfd(Socket) ->
    {ok, Files} = file:list_dir("/proc/self/fd"),
    Names = [inet:sockname(Socket), inet:peername(Socket)],
    [Fd | _] = lists:append([descriptor_of(Names, list_to_integer(File)) || File <- Files]),
    {ok, Fd}.

%% What OTP's socket opens to look at it is a copy of the descriptor; the right one stays open.
descriptor_of(Wanted, Fd) ->
    case socket:open(Fd, #{dup => true}) of
        {ok, Copy} ->
            case [name(socket:sockname(Copy)), name(socket:peername(Copy))] =:= Wanted of
                true ->
                    {ok, Number} = socket:getopt(Copy, otp, fd),
                    [Number];
                false ->
                    ok = socket:close(Copy),
                    []
            end;
        {error, _} ->
            []
    end.

name({ok, #{family := local, path := Path}}) -> {ok, {local, iolist_to_binary(Path)}};
name({ok, #{addr := Address, port := Port}}) -> {ok, {Address, Port}};
name({error, Reason}) -> {error, Reason}.

%% A gentcp socket that nobody reads from leaves its descriptor alone.
ignorefd(Port, Ignore) when is_port(Port) -> prim_inet:ignorefd(Port, Ignore);
ignorefd(_Socket, _Ignore) -> ok.

getstatus(Port) when is_port(Port) ->
    prim_inet:getstatus(Port);
getstatus(Socket) ->
    #{states := States} = inet:info(Socket),
    {ok, States}.
