%% SPDX-License-Identifier: Apache-2.0
%% AtomVM's own test of gen_tcp, once: see machine.py.
-module(suite).

-export([start/0]).

start() ->
    test_gen_tcp:test().
