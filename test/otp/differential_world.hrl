%% SPDX-License-Identifier: Apache-2.0
%% A world of differential_world, for those who look into it.

-type process() :: p1 | p2 | p3.
%% Of sockets; a peer has the name of the socket that it is connected to.
-type name() :: s1 | s2 | s3 | l1 | l2.
-type step() ::
    {connect, process(), name(), list(), peer | refused | late}
    | {listen, process(), name(), list()}
    | {accept, process(), name(), timeout()}
    %% A function of gen_tcp or inet; the socket is its first argument.
    | {call, process(), name(), atom(), list()}
    %% recv until there is nothing, for raw data.
    | {receive_all, process(), name(), timeout()}
    | {controlling_process, process(), name(), process()}
    %% Takes all messages out of the mailbox.
    | {collect, process()}
    | {exit, process(), term()}
    | {peer_connect, name(), name()}
    | {peer_send, name(), binary()}
    | {peer_receive | peer_shutdown | peer_close | peer_reset, name()}.
-type observation() :: #{
    results := [{process(), term()}],
    processes := #{process() => {idle | busy | dead, [term()]}},
    peers := #{name() => behind | {open | ended | gone, undefined | closed | econnreset, binary()}},
    unsettled := [name() | process()]
}.

-record(peer, {
    socket :: gen_tcp:socket(),
    number :: inet:port_number(),
    sent = 0 :: non_neg_integer(),
    owed = 0 :: non_neg_integer(),      % what the socket under test has taken to send
    got = <<>> :: binary(),
    over :: undefined | closed | econnreset,    % the end that it has read
    did = nothing :: nothing | shutdown | close | reset
}).

-record(call, {
    step :: step(),
    waits :: boolean(),         % may wait for ever
    size = 0 :: non_neg_integer()       % of what a send sends, header included
}).

-record(world, {
    module :: gen_tcp | gentcp,
    target :: gen_tcp:socket(),         % what sockets under test connect to
    processes :: #{process() => pid()},
    calls = #{} :: #{process() => #call{}},
    results = [] :: [{process(), term()}],
    sockets = #{} :: #{name() => gen_tcp:socket()},
    owners = #{} :: #{name() => process()},
    peers = #{} :: #{name() => #peer{}},
    unsettled = [] :: [name() | process()],
    loose = [] :: [name()],     % whose raw data may be cut elsewhere than in the other world
    coming = [] :: [{name(), name()}],  % connections to listeners, in their order
    accepted = [] :: [name()],
    shut = [] :: [name()],      % whose way out was shut down
    put_back = [] :: [name()],  % with bytes of unrecv
    timed_out = [] :: [name()]  % whose last recv has timed out, perhaps in the middle of a packet
}).
-type world() :: #world{}.
