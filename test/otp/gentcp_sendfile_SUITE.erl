%% SPDX-License-Identifier: Apache-2.0
%% The OTP host: file:sendfile.
-module(gentcp_sendfile_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(gentcp_sockets, [pair/1, close/1, kill/1, await_blocked/1, next/0, until/1, receive_hash/3]).

-export([all/0, suite/0]).
-export([
    files_arrive_whole_and_in_their_place/1,
    parts_of_files/1,
    bad_files_are_errors/1,
    a_file_that_is_no_file_of_the_systems_is_read/1,
    the_file_may_go_while_it_is_sent/1
]).

-define(WAIT, 5000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [Name || {Name, 1} <- ?MODULE:module_info(exports), Name =/= module_info].

files_arrive_whole_and_in_their_place(Config) ->
    {C, S} = pair([binary, {active, false}]),
    Content = rand:bytes(7000000),
    Name = file(Config, Content),
    Size = byte_size(Content),
    Self = self(),
    spawn_link(fun() ->
        ok = gentcp:send(C, "before"),
        Self ! file:sendfile(Name, C),
        ok = gentcp:send(C, "after")
    end),
    {ok, <<"before">>} = gentcp:recv(S, 6, ?WAIT),
    ?assertEqual(crypto:hash(sha256, [Content, "after"]), receive_hash(S, Size + 5, crypto:hash_init(sha256))),
    ?assertEqual({ok, Size}, next()),
    close([C, S]).

parts_of_files(Config) ->
    {C, S} = pair([binary, {active, false}]),
    {ok, File} = file:open(file(Config, "0123456789"), [raw, read, binary]),
    [
        begin
            ?assertEqual({ok, length(Part)}, file:sendfile(File, C, Offset, Bytes, [])),
            ok = gentcp:send(C, "."),
            ?assertEqual({ok, list_to_binary(Part ++ ".")}, gentcp:recv(S, length(Part) + 1, ?WAIT))
        end
     || {Offset, Bytes, Part} <- [{2, 3, "234"}, {8, 100, "89"}, {0, 0, "0123456789"}, {10, 5, ""}, {20, 5, ""}]
    ],
    ok = file:close(File),
    close([C, S]).

bad_files_are_errors(Config) ->
    {C, S} = pair([binary, {active, false}]),
    {ok, File} = file:open(file(Config, "x"), [raw, read, binary]),
    [
        ?assertEqual({error, einval}, file:sendfile(File, C, Offset, Bytes, []))
     || {Offset, Bytes} <- [{-1, 0}, {0, -1}, {1 bsl 70, 0}, {0, 1 bsl 70}]
    ],
    ok = file:close(File),
    ?assertEqual({error, einval}, file:sendfile(File, C, 0, 0, [])),
    ok = gentcp:send(C, "y"),
    ?assertEqual({ok, <<"y">>}, gentcp:recv(S, 1, ?WAIT)),
    close([C]),
    ?assertEqual({error, closed}, file:sendfile(file(Config, "x"), C)),
    close([S]).

a_file_that_is_no_file_of_the_systems_is_read(_) ->
    {C, S} = pair([binary, {active, false}]),
    {ok, File} = file:open("in memory", [ram, read, binary]),
    {ok, 9} = file:sendfile(File, C, 0, 0, []),
    ?assertEqual({ok, <<"in memory">>}, gentcp:recv(S, 9, ?WAIT)),
    ok = file:close(File),
    close([C, S]).

%% Its caller is killed, so the file is closed: what it had begun to send is still that file, and its descriptor is
%% given back.
the_file_may_go_while_it_is_sent(Config) ->
    {C, S} = pair([binary, {active, false}]),
    Content = rand:bytes(20000000),
    Name = file(Config, Content),
    Before = descriptors(),
    Sender = spawn(fun() -> file:sendfile(Name, C) end),
    await_blocked(Sender),
    kill(Sender),
    ok = file:delete(Name),
    ?assertEqual(
        crypto:hash(sha256, Content), receive_hash(S, byte_size(Content), crypto:hash_init(sha256))
    ),
    until(fun() -> descriptors() =< Before end),
    close([C, S]).

file(Config, Content) ->
    Name = filename:join(proplists:get_value(priv_dir, Config), "file"),
    ok = file:write_file(Name, Content),
    Name.

descriptors() ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    length(Names).
