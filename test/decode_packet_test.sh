#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The engine's framing against erlang:decode_packet/3: test/decode_packet_test.sh BUILD-DIRECTORY
exec escript "$(dirname "$0")/decode/compare.escript" "$1/decode/decode_packet"
