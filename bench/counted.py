# SPDX-License-Identifier: Apache-2.0
"""What is counted instead of timed, in a short run of its own: system calls and instructions a message."""

import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from servers import Server, server_command

SECONDS = 0.5
LONGER = 4  # of two runs, whose difference leaves out what it takes to start and to connect
SIZE_MAX = 1024  # callgrind counts what copies a block as an instruction a byte
NAMES = {"recvfrom": "recv", "recvmsg": "recv", "read": "recv", "sendto": "send", "sendmsg": "send", "writev": "send",
         "write": "send", "epoll_wait": "wait", "epoll_pwait": "wait", "poll": "wait", "ppoll": "wait"}


def system_calls(case, name, build, load):
    """Of each kind, a message; None without strace. load(server, *arguments) returns the report of a load."""
    if not shutil.which("strace"):
        return None
    with tempfile.TemporaryDirectory() as work, Server(name, server_command(case, name, build)) as server:
        counts = Path(work) / "counts"
        with subprocess.Popen(["strace", "-c", "-f", "-o", counts, "-p", str(server.pid)], stderr=subprocess.PIPE,
                              text=True) as tracer:
            if "attached" not in tracer.stderr.readline():
                return None
            messages = load(server, "--warmup", "0", "--duration", str(SECONDS))["messages"]
            tracer.send_signal(signal.SIGINT)
            tracer.stderr.read()
        result = {"recv": 0.0, "send": 0.0, "wait": 0.0, "other": 0.0}
        for line in counts.read_text(encoding="ascii").splitlines():
            words = line.split()
            if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
                result[NAMES.get(words[-1], "other")] += int(words[3]) / messages
        return result


def instructions(case, name, build, load):
    """Of the program itself, a message, by callgrind; None without it, and for what is no C program."""
    if not name.startswith("c_") or name == "c_busy" or case.size > SIZE_MAX or not shutil.which("valgrind"):
        return None
    few, fewer_instructions = collect(case, name, build, load, SECONDS)
    many, more_instructions = collect(case, name, build, load, SECONDS * LONGER)
    return (more_instructions - fewer_instructions) / (many - few) if many > few else None


def collect(case, name, build, load, seconds):
    with tempfile.TemporaryDirectory() as work:
        log = Path(work) / "log"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={work}/out", f"--log-file={log}",
                   *server_command(case, name, build)]
        with Server(name, command) as server:
            messages = load(server, "--warmup", "0", "--duration", str(seconds))["messages"]
        return messages, int(re.search(r"Collected : (\d+)", log.read_text(encoding="ascii")).group(1))
