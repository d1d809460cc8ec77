# SPDX-License-Identifier: Apache-2.0
"""An AtomVM with gentcp: a folder with all the modules, and programs run in it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARIES = ["estdlib", "eavmlib", "etest"]
# With an address sanitizer: AtomVM itself leaves memory behind at its end, and what was freed must not look like a leak.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=1")


def compile_erlang(sources, out, *more):
    # Not in `out`: erlc would take AtomVM's lists and maps for its own.
    subprocess.run(["erlc", "+nowarn_unused_function", *more, "-o", out, *sources], check=True, cwd=HERE,
                   capture_output=True)


class Machine:
    def __init__(self, build, source, vm_build):
        """build: where target gentcp_atomvm was built; source, vm_build: AtomVM's."""
        self.source = Path(source)
        self.vm = Path(vm_build).resolve() / "src/AtomVM"
        self.folder = Path(build).resolve() / "atomvm-run"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        includes = ["-I", self.source / "libs/include", "-I", self.source / "libs"]
        for library in LIBRARIES:
            compile_erlang(sorted((self.source / "libs" / library / "src").glob("*.erl")), self.folder, *includes)
        for file in (Path(build) / "atomvm").iterdir():
            shutil.copy(file, self.folder)
        compile_erlang(sorted(HERE.glob("*.erl")), self.folder)

    def add_suite(self):
        """AtomVM's own test of gen_tcp, opening gentcp's sockets. Left out: what needs names outside the machine. Of a
        bad address it expects of AtomVM's inet backend what OTP does, and that is expected here of both."""
        text = (self.source / "tests/libs/estdlib/test_gen_tcp.erl").read_text(encoding="utf-8")
        for pattern, by in [(r"gen_tcp:(listen|connect)\(", r"gentcp:\1("),
                            (r"ok = test_connect_parameters\(\),", ""),
                            (r"test_connect_bad_address\(socket_backend", "test_connect_bad_address(inet_backend")]:
            text, count = re.subn(pattern, by, text)
            if count == 0:
                raise RuntimeError(f"test_gen_tcp.erl has changed: no {pattern}")
        rewritten = self.folder / "test_gen_tcp.erl"
        rewritten.write_text(text, encoding="utf-8")
        compile_erlang([rewritten], self.folder, "-I", self.source / "libs/include")

    def run(self, module, timeout):
        """Runs a module's start/0: its output, and whether it returned ok."""
        try:
            done = subprocess.run([self.vm, module + ".beam"], cwd=self.folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False)
        except subprocess.TimeoutExpired as expired:
            return f"{(expired.stdout or b'').decode(errors='replace')}\nnot ended after {timeout} s", False
        return done.stdout, done.returncode == 0 and "Return value: ok" in done.stdout

    def start(self, module, **environment):
        return Running(self, module, environment)


class Running:
    """A program that prints "port N" once it listens there."""

    def __init__(self, machine, module, environment):
        self.process = subprocess.Popen([machine.vm, module + ".beam"], cwd=machine.folder, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})
        for line in self.process.stdout:
            if line.startswith("port "):
                self.port = int(line.split()[1])
                return
        raise RuntimeError(f"{module} doesn't listen")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self):
        """Bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()
