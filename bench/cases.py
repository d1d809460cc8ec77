# SPDX-License-Identifier: Apache-2.0
"""What is measured: each case is one load, put on several servers in turn."""

from dataclasses import dataclass, field

ERLANG = ("gentcp", "inet", "socket")
C = ("c_epoll", "c_gentcp", "c_libuv")


@dataclass(frozen=True)
class Case:
    name: str
    group: str  # cases of a group are drawn together
    servers: tuple
    role: str = "echo"
    mode: str = "passive"
    packet: str = "0"
    size: int = 64
    connections: int = 50
    cores: int = 1  # 1: client and server share one; 2: one each
    kind: str = "echo"  # of load: echo, upload, download, connect, http, memory; client: the server is a C program
    acceptors: int = 1
    listeners: int = 1
    idle: int = 0  # connections beside those that work
    floors: dict = field(default_factory=dict)  # peer: least ratio of its cost to gentcp's


def echo_cases():
    floors = {
        ("passive", 50, 1): 1.4, ("passive", 1000, 1): 1.4, ("once", 50, 1): 1.4, ("once", 1000, 1): 1.4,
        ("passive", 50, 2): 1.8, ("passive", 1000, 2): 1.8, ("once", 50, 2): 1.8, ("once", 1000, 2): 1.8,
        ("active", 50, 1): 1.05, ("active", 50, 2): 1.05, ("active", 1000, 1): 1.25, ("active", 1000, 2): 1.25,
    }
    for cores in (1, 2):
        for size in (64, 1024, 65536):
            for connections in (1, 50, 1000):
                for mode in ("passive", "once", "n", "active"):
                    peers = ERLANG if size < 65536 else ("gentcp", "inet", "inet64k", "socket")
                    servers = peers + C if mode == "active" else peers + ("c_epoll",)
                    floor = {}
                    if size == 64 and (mode, connections, cores) in floors:
                        floor["inet"] = floors[mode, connections, cores]
                    if size == 64 and connections >= 50 and mode in ("passive", "active"):
                        floor["socket"] = 1.6 if mode == "passive" else 1.7
                    if size == 65536 and connections >= 50:
                        floor["inet64k"] = 1.3 if mode == "passive" else 1.0
                    yield Case(f"echo {size} B, {connections} {mode}, {cores} core{'s' * (cores > 1)}",
                               f"echo_{size}_{cores}", servers, mode=mode, size=size, connections=connections,
                               cores=cores, floors=floor)


def packet_cases():
    for packet in ("4", "line"):
        for mode in ("passive", "active"):
            yield Case(f"echo packet {packet}, 50 {mode}", "packets", ERLANG, mode=mode, packet=packet, cores=2)


def stream_cases():
    for connections in (1, 50):
        for mode in ("passive", "active"):
            yield Case(f"stream in, {connections} {mode}", "streams", ("gentcp", "inet", "inet64k", "socket"),
                       role="discard", kind="upload", mode=mode, size=65536, connections=connections, cores=2,
                       floors={"inet64k": 1.0})
        yield Case(f"stream out, {connections}", "streams", ERLANG, role="source", kind="download", size=65536,
                   connections=connections, cores=2, floors={"inet": 1.0})


def other_cases():
    for acceptors in (1, 8, 64):
        yield Case(f"accept and close, {acceptors} acceptors", "accept", ERLANG, role="close", kind="connect",
                   connections=4, cores=2, acceptors=acceptors, floors={"inet": 1.4})
    yield Case("accept and close, 8 listeners", "accept", ERLANG, role="close", kind="connect", connections=4, cores=2,
               acceptors=8, listeners=8)
    yield Case("connect and close", "connect", ERLANG, kind="client", connections=4, cores=2)
    for mode in ("passive", "once"):
        yield Case(f"HTTP keep-alive under wrk, {mode}", "http", ERLANG, role="http", kind="http", mode=mode,
                   packet="http_bin", cores=2, floors={"inet": 1.3})
    yield Case("one sends to 1000", "fanout", ERLANG, role="fanout", kind="download", connections=1000, cores=2)
    yield Case("one busy among 10000 idle", "idle", ERLANG, connections=1, idle=10000, cores=2)
    yield Case("memory of an idle connection", "memory", ERLANG, role="idle", kind="memory", connections=10000,
               floors={"inet": 1.8})


def growth_cases():
    for connections in (10, 100, 1000, 5000, 20000):
        yield Case(f"growth, {connections} connections", "growth_connections", ERLANG + ("c_epoll",),
                   connections=connections, cores=2)
    for shift in range(4, 21, 4):
        yield Case(f"growth, {1 << shift} B", "growth_size", ("gentcp", "inet", "inet64k", "socket", "c_epoll"),
                   size=1 << shift, cores=2)


def all_cases():
    return [*echo_cases(), *packet_cases(), *stream_cases(), *other_cases(), *growth_cases()]


def headline_cases():
    names = {f"echo 64 B, 50 {mode}, {cores}" for mode in ("passive", "active") for cores in ("1 core", "2 cores")}
    return [case for case in echo_cases() if case.name in names]
