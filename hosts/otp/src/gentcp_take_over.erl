%% SPDX-License-Identifier: Apache-2.0
%% Every socket that gen_tcp opens in this node is gentcp's, whatever options it is given. gen_tcp asks kernel's parameter
%% inet_backend which module opens a socket, and with socket that is gen_tcp_socket: so the parameter is set, and a small
%% module of that name loaded, which hands all on.
%%
%% The price: gen_udp obeys the same parameter, and so uses OTP's own socket backend.
-module(gentcp_take_over).

-export([take_over/0, give_back/0]).

-define(PARAMETER, {kernel, inet_backend}). % where kernel keeps it
-define(MODULE_NAME, gen_tcp_socket).

-spec take_over() -> ok | {error, term()}.
take_over() ->
    case sockets_of_the_original() of
        [] ->
            File = filename:join(gentcp_nif:directory(), atom_to_list(?MODULE_NAME) ++ ".beam"),
            case load(File) of
                ok ->
                    persistent_term:put(?PARAMETER, socket),
                    check();
                {error, _} = Error ->
                    Error
            end;
        _ ->
            {error, busy}
    end.

%% The sockets that gentcp has opened go on.
-spec give_back() -> ok | {error, term()}.
give_back() ->
    case application:get_env(kernel, inet_backend) of
        {ok, Backend} when Backend =:= inet; Backend =:= socket -> persistent_term:put(?PARAMETER, Backend);
        _ -> persistent_term:erase(?PARAMETER)
    end,
    load(filename:join(code:lib_dir(kernel), "ebin/" ++ atom_to_list(?MODULE_NAME) ++ ".beam")).

%% Those would lose their module.
sockets_of_the_original() ->
    [Socket || {'$inet', ?MODULE_NAME, _} = Socket <- ?MODULE_NAME:which_sockets()].

load(File) ->
    case file:read_file(File) of
        {ok, Beam} ->
            Ebin = filename:join(code:lib_dir(kernel), "ebin"),
            Sticky = code:is_sticky(?MODULE_NAME),
            _ = code:unstick_dir(Ebin),
            Result = code:load_binary(?MODULE_NAME, File, Beam),
            _ = Sticky andalso code:stick_dir(Ebin),
            loaded(Result);
        {error, Reason} ->
            {error, {File, Reason}}
    end.

loaded({module, ?MODULE_NAME}) -> ok;
loaded({error, _} = Error) -> Error.

%% An OTP that keeps the parameter elsewhere must not believe that it was taken over.
check() ->
    case inet:gen_tcp_module([]) of
        {?MODULE_NAME, []} ->
            ok;
        _ ->
            _ = give_back(),
            {error, notsup}
    end.
