"""Every engine starts, ends and comes back as tests/kill and the outage matrix need it to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.services import ENGINES, MariaDB, Redis, Server
from scripts.services.server import free_port, is_free

SECONDS_MAX = 60

NOBODY = 9  # the discard port
WANTED = {"nginx": (NOBODY,)}
"""What an engine has to be told to start at all."""

HOLDER = """
import sys
from scripts.services import ENGINES
with ENGINES[sys.argv[1]](*map(int, sys.argv[2:])) as server:
    print(server.pid, server.folder, flush=True)
    sys.stdin.read()
"""
"""A process that starts an engine, says where it is, and waits to be told to end."""


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_it_leaves_nothing_behind(engine: type[Server]) -> None:
    with engine(*WANTED.get(engine.name, ())) as server:
        assert server.running
        pid, folder = server.pid, server.folder

    assert not server.running
    assert not is_alive(pid)
    assert not folder.exists()
    assert is_free(server.port)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_it_comes_back_on_its_port_after_a_kill_and_after_a_stop(engine: type[Server]) -> None:
    with engine(*WANTED.get(engine.name, ())) as server:
        port = server.port
        server.kill()
        assert not server.running
        assert not server.answers()
        server.start()
        assert (server.answers(), server.port) == (True, port)
        server.stop()
        server.stop()
        assert not server.running
        server.start()
        pid = server.pid
        server.start()
        assert (server.answers(), server.port, server.pid) == (True, port, pid)


def test_one_that_has_ended_by_itself_is_started_with_its_data() -> None:
    with Redis("--appendonly", "yes", "--appendfsync", "always") as server:
        server.ask("SET seat 7")
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.running)

        server.start()

        assert server.ask("STRLEN seat") == ":1"


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_a_paused_one_can_be_ended(engine: type[Server]) -> None:
    with engine(*WANTED.get(engine.name, ())) as server:
        server.pause()
        until(lambda: state_of(server.pid) == "T")
        server.resume()
        assert server.answers()
        server.pause()
    assert not is_alive(server.pid)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_it_ends_with_whoever_held_it_even_when_killed(engine: type[Server]) -> None:
    wanted = map(str, WANTED.get(engine.name, ()))
    holder = subprocess.Popen(  # noqa: S603 -- this Python
        [sys.executable, "-c", HOLDER, engine.name, *wanted], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    pid, folder = holder.stdout.readline().split()
    assert is_alive(int(pid))

    holder.kill()
    holder.communicate()

    until(lambda: not Path(folder).exists())
    assert not is_alive(int(pid))


def test_it_says_why_it_could_not_start() -> None:
    server = MariaDB("--no-such-option")

    with pytest.raises(ChildProcessError, match="no-such-option"), server:
        pass

    assert not server.folder.exists()


def test_a_port_that_is_taken_is_not_free() -> None:
    with Redis() as server:
        assert not is_free(server.port)
    assert is_free(free_port())


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
