"""A server whose output nobody can take (any more) serves on, and ends as it should."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.cli.process import SECONDS_MAX, Serving, environment

LOUD = {"LOG_LEVEL": "debug"}


def is_up(server: Serving) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=SECONDS_MAX) as answer:
        return bool(answer.status == 200)


@contextmanager
def started(folder: Path, errors: int | None, *prefix: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(  # noqa: S603 -- the product itself
        [*prefix, sys.executable, "-m", "stagedoor", "serve"],
        env=environment(folder, LOUD),
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_its_log_is_a_pipe_that_nobody_reads_any_more(folder: Path) -> None:
    reading, writing = os.pipe()
    with started(folder, writing) as process:
        os.close(writing)
        os.close(reading)
        server = Serving(process)

        assert is_up(server)
        assert server.stop() == 0


def test_its_log_is_on_a_disk_that_is_full(folder: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with started(folder, full) as process:
        os.close(full)
        server = Serving(process)

        assert is_up(server)
        assert server.stop() == 0


def test_it_has_no_standard_error_at_all(folder: Path) -> None:
    with started(folder, None, "/bin/sh", "-c", 'exec "$@" 2>&-', "sh") as process:
        server = Serving(process)

        assert is_up(server)
        assert server.stop() == 0


def test_nobody_reads_what_it_says_of_itself(folder: Path) -> None:
    """Its first lines tell the port; then the pipe is gone, and what it says at its end has nowhere to go."""
    with started(folder, subprocess.DEVNULL) as process:
        server = Serving(process)
        assert process.stdout is not None
        process.stdout.close()

        assert is_up(server)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_MAX) == 0
        process.stdout = None
