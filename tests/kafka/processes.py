"""`stagedoor relay` and `stagedoor consume notifications` as processes of their own, on a database of the test's."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.harness.server import PRODUCT, STOP_SECONDS, environment
from tests.e2e.harness.until import until
from tests.kafka.house import LOOKS


class Process:
    """One process beside the servers; what it logs is in the file *log*."""

    def __init__(
        self, words: Sequence[str], database: Path, settings: Mapping[str, str], program: Sequence[str]
    ) -> None:
        self.log = database.with_name(f"{'-'.join(words)}.log")
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(  # noqa: S603 -- the product itself
                [sys.executable, *program, *words],
                env=environment(database, settings),
                cwd=database.parent,
                stdout=errors,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask it to stop, once it can be asked, and return its exit code."""
        await until(self._minds_sigterm, bool, looks=LOOKS)
        self.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, STOP_SECONDS)

    async def _minds_sigterm(self) -> bool:
        if not self.is_running:
            return True  # its exit code says the rest
        status = await asyncio.to_thread(Path(f"/proc/{self.pid}/status").read_text)
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    async def kill(self) -> None:
        """End it without any warning, stopped or not."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.is_running:
            self._process.kill()
        self._process.wait()


class Processes:
    """Starts processes on one database and one Kafka."""

    def __init__(self, database: Path, settings: Mapping[str, str]) -> None:
        self._database = database
        self._settings = settings
        self._started: list[Process] = []

    def start(self, *words: str, program: Sequence[str] = PRODUCT) -> Process:
        process = Process(words, self._database, self._settings, program)
        self._started.append(process)
        return process

    def relay(self, program: Sequence[str] = PRODUCT) -> Process:
        return self.start("relay", program=program)

    def consumer(self) -> Process:
        return self.start("consume", "notifications")

    def close(self) -> None:
        for process in self._started:
            process.close()


@contextmanager
def processes_on(database: Path, bootstrap: str, **settings: str) -> Iterator[Processes]:
    """Start what the test asks for, and end it with the test; *settings* may name another database than the file."""
    logs = {"LOG_LEVEL": "info", "LOG_FORMAT": "json"}
    started = Processes(database, {"KAFKA_BOOTSTRAP": bootstrap, **logs, **settings})
    try:
        yield started
    finally:
        started.close()


def settings_for(database: Path, bootstrap: str) -> Mapping[str, str]:
    """Return the environment that a command runs with beside those processes."""
    return environment(database, {"KAFKA_BOOTSTRAP": bootstrap})
