"""The parent of a fleet, over real processes: it starts what dies, stops what it started, and leaves nobody behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stagedoor.bootstrap.fleet import PAUSE_S_MAX, PAUSE_S_MIN, pause_before
from tests.integration.bootstrap.fleet_program import REFUSAL, SIZE

PROGRAM = Path(__file__).with_name("fleet_program.py")
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60


@contextmanager
def fleet(how: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 -- ours
        [sys.executable, PROGRAM, how],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Workers of a parent that was killed go by themselves; this is for a test that fails.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def port_of(process: subprocess.Popen[str]) -> int:
    ready, port = line_of(process).split()
    assert ready == "ready"
    return int(port)


def ask(port: int) -> tuple[int, int]:
    """Return the number and the process of the worker that took the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        slot, pid = connection.recv(100).decode().split()
    return int(slot), int(pid)


def workers(port: int) -> dict[int, int]:
    """Ask until every worker has answered; return their processes by their numbers."""
    found: dict[int, int] = {}
    end = time.monotonic() + PATIENCE_S
    while len(found) < SIZE:
        assert time.monotonic() < end, found
        slot, pid = ask(port)
        found[slot] = pid
    return found


def has_gone(pid: int) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_is_started_again_under_its_number(number: signal.Signals) -> None:
    with fleet("well") as process:
        port = port_of(process)
        before = workers(port)

        os.kill(before[2], number)
        assert has_gone(before[2])
        after = workers(port)

        assert (after[1], after[3]) == (before[1], before[3])
        assert after[2] != before[2]


def test_told_to_stop_it_stops_every_worker_and_is_well() -> None:
    with fleet("well") as process:
        pids = workers(port_of(process))

        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0
        assert all(has_gone(pid) for pid in pids.values())


def test_what_keeps_the_first_worker_from_starting_is_said_once_and_ends_the_fleet() -> None:
    with fleet("refuse") as process:
        said, _ = process.communicate(timeout=PATIENCE_S)

        assert said == "no\n"
        assert process.returncode == REFUSAL


def test_workers_that_do_not_stop_are_ended() -> None:
    with fleet("stop") as process:
        pids = workers(port_of(process))

        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 1
        assert line_of(process) == "turned away"
        assert all(has_gone(pid) for pid in pids.values())


def test_the_pause_before_a_start_grows_with_early_deaths_up_to_a_limit() -> None:
    pauses = [pause_before(deaths) for deaths in range(10)]

    assert pauses[:3] == [0.0, PAUSE_S_MIN, 2 * PAUSE_S_MIN]
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_S_MAX
