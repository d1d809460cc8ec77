#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% Sends a file to a server that sends everything back, and compares: HOST PORT FILE MODE..., each MODE one of passive,
%% active, once and packet4. With ERL_LIBS naming the folder that has gentcp in it, _build/default/lib.
%%
%% The first packet, {packet, 4}, is the mode's name. Then, for packet4, the file goes in packets up to an empty one;
%% for the others its length in 8 bytes and its bytes.

main([Host, Port, File | Modes]) when Modes =/= [] ->
    {ok, Data} = file:read_file(File),
    Same = [exchange(Host, list_to_integer(Port), Data, Mode) || Mode <- Modes],
    lists:all(fun(Each) -> Each end, Same) orelse halt(1);
main(_) ->
    io:format(standard_error, "usage: exchange.escript HOST PORT FILE passive|active|once|packet4 ...~n", []),
    halt(2).

exchange(Host, Port, Data, Mode) ->
    {ok, Socket} = gentcp:connect(Host, Port, [binary, {active, false}, {packet, 4}], 10000),
    ok = gentcp:send(Socket, Mode),
    ok = gentcp:setopts(Socket, options(Mode)),
    %% The server sends while it receives; so do we.
    spawn_link(fun() -> send(Socket, Data, Mode) end),
    Received = receive_all(Socket, Mode, byte_size(Data)),
    ok = gentcp:close(Socket),
    report(Mode, Received, crypto:hash(sha256, Received) =:= crypto:hash(sha256, Data)).

report(Mode, Received, Same) ->
    Sum = binary:encode_hex(crypto:hash(sha256, Received)),
    Verdict = case Same of true -> "ok"; false -> "DIFFERENT" end,
    io:format("erlang  ~-8s ~w bytes  sha256 ~ts  ~s~n", [Mode, byte_size(Received), string:lowercase(Sum), Verdict]),
    Same.

options("packet4") -> [];
options("passive") -> [{packet, raw}];
options("active") -> [{packet, raw}, {active, true}];
options("once") -> [{packet, raw}, {active, once}].

send(Socket, Data, "packet4") -> send_packets(Socket, Data);
send(Socket, Data, _Mode) -> ok = gentcp:send(Socket, [<<(byte_size(Data)):64>>, Data]).

send_packets(Socket, <<Packet:61440/binary, Rest/binary>>) ->
    ok = gentcp:send(Socket, Packet),
    send_packets(Socket, Rest);
send_packets(Socket, <<>>) ->
    ok = gentcp:send(Socket, <<>>);
send_packets(Socket, Last) ->
    ok = gentcp:send(Socket, Last),
    send_packets(Socket, <<>>).

receive_all(Socket, "packet4", _Size) ->
    receive_packets(Socket, []);
receive_all(Socket, Mode, Size) ->
    <<Size:64, Received/binary>> = iolist_to_binary(receive_bytes(Socket, Mode, 8 + Size)),
    Received.

receive_packets(Socket, Packets) ->
    case gentcp:recv(Socket, 0, 10000) of
        {ok, <<>>} -> iolist_to_binary(lists:reverse(Packets));
        {ok, Packet} -> receive_packets(Socket, [Packet | Packets])
    end.

receive_bytes(_Socket, _Mode, 0) ->
    [];
receive_bytes(Socket, Mode, Missing) ->
    Part = receive_part(Socket, Mode),
    [Part | receive_bytes(Socket, Mode, Missing - byte_size(Part))].

receive_part(Socket, "passive") ->
    {ok, Part} = gentcp:recv(Socket, 0, 10000),
    Part;
receive_part(Socket, Mode) ->
    receive
        {tcp, Socket, Part} ->
            [ok = gentcp:setopts(Socket, [{active, once}]) || Mode =:= "once"],
            Part
    after 10000 -> error(silence)
    end.
