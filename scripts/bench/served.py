"""A server as a process of its own, on its core: started, called, stopped."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Timer

from scripts.bench import CONNECTIONS
from scripts.bench.cores import Cores, family_cpu_ns, pinned
from scripts.bench.engines import Engines

ROOT = Path(__file__).resolve().parents[2]
SERVE = ("serve", "--demo", "--port", "0")
PRODUCT: Sequence[str] = ("-m", "stagedoor", *SERVE)
SWITCHED: Sequence[str] = ("-m", "scripts.bench.switched", *SERVE)
"""The product with guards that can be taken out."""

FLOOR: Sequence[str] = ("-m", "scripts.bench.floor")

READY = re.compile(r"ready on http://127\.0\.0\.1:(\d+)")
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 20
CALL_SECONDS_MAX = 30
SWITCH_SECONDS_MAX = 30

GUARDS_IN, GUARDS_OUT = signal.SIGUSR2, signal.SIGUSR1
GUARDS_ARE = {True: "guards are in", False: "guards are out"}
"""What a switched server is told, and what it says once it is so."""


class NotServedError(Exception):
    """A server did not start, or did not answer as it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that is ready at *port*: one process, or a parent of several with the *engines* that they work with."""

    process: subprocess.Popen[str]
    port: int
    engines: Engines | None = None

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self.process.pid

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self.process.wait()

    def cpu_ns(self) -> int:
        """Return how much processor time it has used so far, all of its processes together."""
        return family_cpu_ns(self.pid)

    def engines_cpu_ns(self) -> int:
        """Return how much the engines have used so far."""
        return 0 if self.engines is None else sum(map(family_cpu_ns, self.engines.pids))

    @property
    def connections(self) -> int:
        """On how many connections it is called."""
        return CONNECTIONS if self.engines is None else self.engines.connections

    def switch(self, *, guards: bool) -> None:
        """Have a `SWITCHED` one put its guards in, or take them out. Raises `NotServedError` if it does not say so."""
        assert self.process.stdout is not None
        self.process.send_signal(GUARDS_IN if guards else GUARDS_OUT)
        too_long = Timer(SWITCH_SECONDS_MAX, self.process.kill)
        too_long.start()
        try:
            if not any(line.strip() == GUARDS_ARE[guards] for line in self.process.stdout):
                raise NotServedError("the server did not switch its guards")
        finally:
            too_long.cancel()

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """Call it once and return the body as it was sent, compressed or not. Raises `NotServedError` unless 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=CALL_SECONDS_MAX)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            answered = response.read()
        finally:
            connection.close()
        if response.status != 200:  # noqa: PLR2004 -- OK
            raise NotServedError(f"{method} {path} was answered {response.status}: {answered[:300]!r}")
        return answered


@contextmanager
def served(
    program: Sequence[str],
    *,
    cores: Cores,
    settings: Mapping[str, str] | None = None,
    log: Path,
    engines: Engines | None = None,
) -> Iterator[Served]:
    """
    Run Python with *program* on the servers' core until the end of the block; what it logs is added to *log*.

    Nothing of the caller's own settings gets through. Raises `NotServedError`.
    """
    with log.open("ab") as errors, pinned(cores.server):
        process = subprocess.Popen(
            [sys.executable, *program],
            cwd=log.parent,
            env=environment(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Served(process=process, port=_port(process, log), engines=engines)
    finally:
        _stop(process)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a process of the product is started with."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return inherited | {"PYTHONPATH": path} | {f"STAGEDOOR_{name}": value for name, value in settings.items()}


def _port(process: subprocess.Popen[str], log: Path) -> int:
    assert process.stdout is not None
    too_long = Timer(START_SECONDS_MAX, process.kill)
    too_long.start()
    try:
        for line in process.stdout:
            if found := READY.search(line):
                return int(found[1])
    finally:
        too_long.cancel()
    said = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
    raise NotServedError(f"{' '.join(map(str, process.args))} did not get ready:\n{said}")  # type: ignore[arg-type]


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
