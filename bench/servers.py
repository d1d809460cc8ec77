# SPDX-License-Identifier: Apache-2.0
"""Servers under test: processes that print their port and end with their standard input."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUIET, QUIET_BY = 0.03, 5.0  # seconds


class Server:
    def __init__(self, name, command_line, core=0):
        self.process = subprocess.Popen(["taskset", "-c", str(core), *command_line], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("port "):
            self.end()
            raise RuntimeError(f"{name} did not start: {line!r}")
        self.port = int(line.split()[1])

    @property
    def pid(self):
        return self.process.pid

    def of_threads(self, file):
        """The text of that file in /proc of each."""
        return [Path(f"/proc/{self.pid}/task/{thread}/{file}").read_text(encoding="ascii")
                for thread in os.listdir(f"/proc/{self.pid}/task")]

    def cpu(self):
        """Seconds, of all threads."""
        return sum(int(text.split()[0]) for text in self.of_threads("schedstat")) / 1e9

    def waits(self):
        """No thread runs, or would if there was a CPU for it."""
        return not any(text.rpartition(") ")[2].startswith("R") for text in self.of_threads("stat"))

    def resident(self):
        """Bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def settle(self):
        """Waits until it does nothing more. Returns for how long it did."""
        begin = last = time.monotonic()
        used = self.cpu()
        while time.monotonic() - last < QUIET and last - begin < QUIET_BY:
            time.sleep(0.001)
            before, used = used, self.cpu()
            if used != before or not self.waits():
                last = time.monotonic()
        return last - begin

    def stop(self):
        """It uses no CPU until it is going. Others would sleep by themselves, but a few never do."""
        self.process.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def going(self):
        self.process.send_signal(signal.SIGCONT)
        yield
        self.stop()

    def end(self):
        """Returns what it says at the end."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        said = self.process.stdout.read()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.process.stdin.closed:
            self.end()


ERL = ["erl", "-noshell", "-pa", ROOT / "_build/default/lib/gentcp/ebin", "-pa"]


LINGER_US = 200


def server_command(case, name, build):
    if name == "c_epoll":
        return [build / "bench/epoll_echo"]
    if name == "c_busy":
        return [build / "bench/epoll_echo", "busy"]
    if name == "c_gentcp":
        return [build / "bench/gentcp_echo"]
    if name == "c_libuv":
        return [build / "bench/uv_echo"]
    linger = ["-gentcp", "linger", str(LINGER_US)] if name == "gentcp_linger" else []
    return [*ERL, build / "bench", *linger, "-s", "bench_server", "start", name.split("_")[0], case.role, case.mode,
            case.packet, str(case.acceptors), str(case.listeners)]


def client_command(case, name, build, port):
    return [*ERL, build / "bench", "-s", "bench_server", "connect", name, str(port), str(case.connections)]
