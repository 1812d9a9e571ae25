"""The command as a process of its own, where that is what matters: signals, locks, ports, exit codes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READY = re.compile(r"Stagedoor is ready on http://127\.0\.0\.1:(\d+)")
SECONDS_MAX = 60


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process whose data are in *folder*; nothing of the caller's settings gets through."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    ours = {
        "PYTHONPATH": str(ROOT / "src"),
        "STAGEDOOR_DATA_DIR": str(folder),
        "STAGEDOOR_PORT": "0",
        "STAGEDOOR_DISK_RESERVE_MIB": "0",
    }
    return inherited | ours | {f"STAGEDOOR_{name}": value for name, value in settings.items()}


def run(folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 -- the product itself
        [sys.executable, "-m", "stagedoor", *words],
        env=environment(folder, settings),
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


class Serving:
    """A server at work: what it *said* until it was ready, and its *port*."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line.rstrip("\n"))
            if (found := READY.search(line)) is not None:
                self.port = int(found[1])
                return
        raise AssertionError("\n".join(self.said))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code."""
        self._process.send_signal(how)
        return self._process.wait(SECONDS_MAX)


@contextmanager
def serving(folder: Path, *words: str, **settings: str) -> Iterator[Serving]:
    """Serve from *folder* until the block ends."""
    log = folder.with_name("server.log")
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 -- the product itself
            [sys.executable, "-m", "stagedoor", "serve", *words],
            env=environment(folder, settings),
            cwd=folder.parent,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Serving(process)
    finally:
        process.kill()
        process.communicate()
