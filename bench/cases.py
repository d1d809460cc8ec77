# SPDX-License-Identifier: Apache-2.0
"""What is measured: each case is one load, put on several servers in turn; and what is to be reached."""

from dataclasses import dataclass, replace

ERLANG = ("gentcp", "inet", "socket")
C = ("c_epoll", "c_gentcp", "c_libuv")
# Servers that are another one in another situation.
VARIANTS = {"gentcp_alone": {"idle": 0}, "gentcp_one": {"acceptors": 1}}


@dataclass(frozen=True)
class Target:
    """Of two servers in one case: floor is to be reached, stretch is wished for."""

    row: str  # of the table in docs/bench
    peer: str
    floor: float | None
    stretch: float | None = None
    # cost: peer's over ours, at least; rate: ours over peer's, at least. At most: more: our cost over peer's; p99: ours
    # over peer's
    measure: str = "cost"
    ours: str = "gentcp"

    @property
    def at_most(self):
        return self.measure in ("more", "p99")

    def ratio(self, ours, peer):
        """Of one round's results."""
        key = {"rate": "per_second", "p99": "p99"}.get(self.measure, "cost")
        above, below = (peer[key], ours[key]) if self.measure == "cost" else (ours[key], peer[key])
        return above / below if below else 1.0

    def reached(self, ratio, bound):
        return ratio <= bound if self.at_most else ratio >= bound


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
    # of load: echo, upload, download, connect, http, memory; arrival: to a server that others keep busy; client: the
    # server is a C program
    kind: str = "echo"
    acceptors: int = 1
    listeners: int = 1
    idle: int = 0  # connections beside those that work
    crowd: int = 0  # connections that work beside those that arrive
    targets: tuple = ()
    calls: bool = False  # count system calls, too
    busy: bool = False  # the load never sleeps

    @property
    def limit(self):
        """The server that does least beside what the kernel does: what another could reach at best. Or None."""
        return next((name for name in ("c_busy", "c_epoll") if name in self.servers), None)


def small_targets(mode, connections, cores):
    """Of echo of 64 bytes."""
    place = "one core" if cores == 1 else "two cores"
    if mode in ("passive", "once"):
        floor, stretch = (1.4, 1.6) if cores == 1 else (1.8, 2.2)
        yield Target(f"passive and once, {place}: inet's CPU over ours", "inet", floor, stretch)
    if mode == "active":
        floor, stretch = (1.05, 1.15) if connections == 50 else (1.25, 1.4)
        yield Target(f"active, N = {connections}: inet's CPU over ours", "inet", floor, stretch)
        yield Target("active: our p99 over inet's", "inet", 1.0, measure="p99")
    if mode in ("passive", "active"):
        floor, stretch = (1.6, 2.0) if mode == "passive" else (1.7, 2.2)
        yield Target(f"{mode}: the socket backend's CPU over ours", "socket", floor, stretch)
        if cores == 1:
            yield Target("one core: our round trips/s over raw C's", "c_epoll", 0.8, 0.9, "rate")


def c_targets():
    yield Target("C host: CPU over raw epoll's", "c_epoll", 1.15, 1.05, "more", "c_gentcp")
    yield Target("C host: CPU over libuv's", "c_libuv", None, 1.0, "more", "c_gentcp")


def echo_targets(mode, size, connections, cores):
    if connections >= 50 and size == 64:
        yield from small_targets(mode, connections, cores)
    if connections == 50 and size == 65536 and mode in ("passive", "active"):
        floor, stretch = (1.3, 1.5) if mode == "passive" else (1.0, 1.2)
        yield Target(f"64 KiB echo, {mode}: inet's CPU over ours", "inet64k", floor, stretch)
    if connections >= 50 and mode == "active" and cores == 1 and (size == 64 or connections == 50):
        yield from c_targets()


def echo_cases():
    for cores in (1, 2):
        for size in (64, 1024, 65536):
            for connections in (1, 50, 1000):
                for mode in ("passive", "once", "n", "active"):
                    peers = ERLANG if size < 65536 else ("gentcp", "inet", "inet64k", "socket")
                    servers = peers + C if mode == "active" else peers + ("c_epoll",)
                    yield Case(f"echo {size} B, {connections} {mode}, {cores} core{'s' * (cores > 1)}",
                               f"echo_{size}_{cores}", servers, mode=mode, size=size, connections=connections,
                               cores=cores, targets=tuple(echo_targets(mode, size, connections, cores)),
                               calls=connections == 50 and cores == 1 and mode == "active" and size != 1024)


def packet_cases():
    for packet in ("4", "line"):
        for mode in ("passive", "active"):
            yield Case(f"echo packet {packet}, 50 {mode}", "packets", ERLANG, mode=mode, packet=packet, cores=2)


def stream_cases():
    row = "streams: inet's CPU over ours"
    for connections in (1, 50):
        for mode in ("passive", "active"):
            yield Case(f"stream in, {connections} {mode}", "streams", ("gentcp", "inet", "inet64k", "socket"),
                       role="discard", kind="upload", mode=mode, size=65536, connections=connections, cores=2,
                       targets=(Target(row, "inet64k", 1.0, 1.1),))
        yield Case(f"stream out, {connections}", "streams", ERLANG, role="source", kind="download", size=65536,
                   connections=connections, cores=2, targets=(Target(row, "inet", 1.0, 1.1),))


def other_cases():
    row = "accept and close: inet's CPU over ours"
    for acceptors in (1, 8, 64):
        targets = [Target(row, "inet", 1.4, 1.5)]
        servers = ERLANG
        if acceptors == 64:
            targets.append(Target("64 acceptors: connections/s over those with 1", "gentcp_one", 1.0, None, "rate"))
            servers += ("gentcp_one",)
        yield Case(f"accept and close, {acceptors} acceptors", "accept", servers, role="close", kind="connect",
                   connections=4, cores=2, acceptors=acceptors, targets=tuple(targets))
    yield Case("accept and close, 8 listeners", "accept", ERLANG, role="close", kind="connect", connections=4, cores=2,
               acceptors=8, listeners=8)
    yield Case("connect and close", "connect", ERLANG, kind="client", connections=4, cores=2)
    for mode in ("passive", "once"):
        yield Case(f"HTTP keep-alive under wrk, {mode}", "http", ERLANG, role="http", kind="http", mode=mode,
                   packet="http_bin", cores=2,
                   targets=(Target("HTTP keep-alive under wrk: our requests/s over inet's", "inet", 1.3, 1.5, "rate"),))
    yield Case("one sends to 1000", "fanout", ERLANG, role="fanout", kind="download", connections=1000, cores=2)
    row = "one connection, two cores, with linger: round trips/s"
    for busy in (False, True):
        yield Case("one connection with linger" + (", busy load" if busy else ""), "linger",
                   ("gentcp_linger", "gentcp", "inet", "c_epoll", "c_busy"), connections=1, cores=2, busy=busy, targets=(
                       Target(f"{row} over inet's", "inet", 2.3, 2.7, "rate", "gentcp_linger"),
                       Target(f"{row} over a C server's that never sleeps", "c_busy", None, 0.9, "rate",
                              "gentcp_linger")))
    yield Case("one busy among 10000 idle", "idle", ERLANG + ("gentcp_alone",), connections=1, idle=10000, cores=2,
               targets=(Target("one busy among 10,000 idle: CPU over one busy alone", "gentcp_alone", 1.15, 1.05,
                               "more"),))
    yield Case("100 arrive, 500 are busy", "arrivals", (*ERLANG, "c_epoll"), mode="active", kind="arrival", connections=100,
               crowd=500, cores=2, targets=tuple(
                   Target(f"clients that arrive at a busy server: {peer}'s time until the first reply, over ours", peer,
                          None, 1.0) for peer in ("inet", "socket")))
    yield Case("memory of an idle connection", "memory", ERLANG, role="idle", kind="memory", connections=10000,
               targets=(Target("memory of an idle socket, with its process: inet's over ours", "inet", 1.8, 2.5),))


def growth_cases():
    for connections in (10, 100, 1000, 5000, 20000):
        yield Case(f"growth, {connections} connections", "growth_connections", ERLANG + ("c_epoll",),
                   connections=connections, cores=2)
    for shift in range(4, 21, 4):
        yield Case(f"growth, {1 << shift} B", "growth_size", ("gentcp", "inet", "inet64k", "socket", "c_epoll"),
                   size=1 << shift, cores=2)


def all_cases():
    return [*echo_cases(), *packet_cases(), *stream_cases(), *other_cases(), *growth_cases()]


def table_cases():
    """Those with something to reach, and of their servers those that it is about, and the limit."""
    for case in all_cases():
        named = {name for target in case.targets for name in (target.ours, target.peer)}
        if named:
            yield replace(case, servers=tuple(name for name in case.servers if name in named | {case.limit}))


def headline_cases():
    names = {f"echo 64 B, 50 {mode}, {cores}" for mode in ("passive", "active") for cores in ("1 core", "2 cores")}
    return [case for case in echo_cases() if case.name in names]
