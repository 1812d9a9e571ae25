"""The real server as a process of its own: started, stopped, killed and started again on the same data."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.e2e.harness.answers import now_ms

ROOT = Path(__file__).resolve().parents[3]
READY = re.compile(r"Stagedoor is ready on http://127\.0\.0\.1:(\d+)")
START_SECONDS = 120
STOP_SECONDS = 15
COMMAND_SECONDS = 120

SECRET = "a secret for tests alone, longer than 32 bytes"  # noqa: S105 -- it guards nothing

PRODUCT: Sequence[str] = ("-m", "stagedoor")


class DidNotStartError(AssertionError):
    """The server ended, or said nothing, instead of getting ready."""


def environment(database: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a process of the product is started with: nothing of the caller's own settings gets through."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    ours = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "STAGEDOOR_DATABASE_URL": f"sqlite:///{database}",
        "STAGEDOOR_PORT": "0",
        "STAGEDOOR_SECRET": SECRET,
        "STAGEDOOR_LOG_LEVEL": "warning",
        "STAGEDOOR_DISK_RESERVE_MIB": "0",  # a story must not depend on the machine's disk
        "STAGEDOOR_WAIT_TARGET_SECONDS": "60",  # nor on its speed
    }
    return inherited | ours | {f"STAGEDOOR_{name}": value for name, value in settings.items()}


def command(database: Path, *words: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command of the product to its end."""
    return subprocess.run(  # noqa: S603 -- the product itself
        [sys.executable, *PRODUCT, *words],
        env=environment(database, settings or {}),
        cwd=database.parent,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


class Server:
    """
    One run of the server.

    What it prints on standard output is in *said*; its log goes to *log*.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self.log = log
        self.said: list[str] = []
        self._port = 0
        self._ready_at = 0
        self._reader.start()

    @classmethod
    def start(
        cls, database: Path, settings: Mapping[str, str] | None = None, *, program: Sequence[str] = PRODUCT
    ) -> Self:
        """Start *program*; whoever asks for its port waits until it is ready."""
        log = database.with_name("server.log")
        with log.open("a") as errors:
            process = subprocess.Popen(  # noqa: S603 -- the product itself
                [sys.executable, *program, "serve"],
                env=environment(database, settings or {}),
                cwd=database.parent,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        return cls(process, log)

    @property
    def port(self) -> int:
        """Where it listens. Waits until it does; raises `DidNotStartError` with what it said."""
        self._wait_until_ready()
        return self._port

    @property
    def ready_at(self) -> int:
        """When it said that it is ready. Waits until it does, as *port*."""
        self._wait_until_ready()
        return self._ready_at

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal and go on."""
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for the process to end and return its exit code."""
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        self._reader.join()
        return code

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it without any warning."""
        self.send_signal(signal.SIGKILL)
        self.ended()

    def close(self) -> None:
        """End it if it still runs: the tests leave nothing behind."""
        if self.is_running:
            self.kill()
        self._reader.join()

    def _wait_until_ready(self) -> None:
        self._ready.wait(START_SECONDS)
        if self._port == 0:
            self.close()
            raise DidNotStartError("\n".join([*self.said, self.log.read_text()[-4_000:]]))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.said.append(line.rstrip())
                found = READY.search(line)
                if found is not None:
                    self._ready_at = now_ms()
                    self._port = int(found[1])
                    self._ready.set()
        self._ready.set()
