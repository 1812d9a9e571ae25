"""`make services` starts each engine once, and `DO=stop` stops those and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from scripts.services.__main__ import Services
from scripts.services.server import is_free

SECONDS_MAX = 60


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    services(tmp_path, "stop")


def services(folder: Path, do: str) -> str:
    done = subprocess.run(  # noqa: S603 -- this Python
        [sys.executable, "-m", "scripts.services", do, "--folder", folder],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def ports(folder: Path) -> list[int]:
    """Return where the engines say they are."""
    told = Services(folder).addresses()
    urls = ("STAGEDOOR_DATABASE_URL", "POSTGRES_URL", "STAGEDOOR_REDIS_URL", "NGINX_URL")
    return [*(make_url(told[name]).port or 0 for name in urls), int(told["STAGEDOOR_KAFKA_BOOTSTRAP"].split(":")[1])]


def free(folder_ports: list[int]) -> list[bool]:
    return [is_free(port) for port in folder_ports]


def test_they_start_once_and_stop_once(folder: Path) -> None:
    services(folder, "start")
    first = (folder / "env").read_text(encoding="utf-8")
    taken = ports(folder)
    assert not any(free(taken))

    assert "They run already" in services(folder, "start")
    assert (folder / "env").read_text(encoding="utf-8") == first
    assert (folder / "env").stat().st_mode & 0o077 == 0

    assert "All are stopped" in services(folder, "stop")
    assert all(free(taken))
    assert not (folder / "env").exists()
    assert services(folder, "stop") == "None of them runs.\n"


def test_they_can_be_started_after_whoever_held_them_was_killed(folder: Path) -> None:
    services(folder, "start")
    taken = ports(folder)
    holder = Services(folder).holder()
    assert holder is not None

    os.kill(holder, signal.SIGKILL)

    deadline = time.monotonic() + SECONDS_MAX
    while not all(free(taken)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert services(folder, "stop") == "None of them runs.\n"
    assert "All of them are started" in services(folder, "start")
    assert not any(free(ports(folder)))
