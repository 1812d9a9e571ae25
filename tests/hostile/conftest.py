"""What an attacker finds: a server with buyers inside and in line, operators' keys, and a hall with free seats."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.harness.evening import Evening, make_members
from tests.e2e.harness.programme import RoomPlan, a_room, a_show

ISSUER, AUDIENCE = "https://login.example", "stagedoor"
LOGIN_SECRET = "the login's own secret, longer than 32 bytes"  # noqa: S105 -- it guards nothing
JWT_SETTINGS = {
    "IDENTITY": "jwt",
    "IDENTITY_ISSUER": ISSUER,
    "IDENTITY_AUDIENCE": AUDIENCE,
    "IDENTITY_ALGORITHMS": "HS256",
    "IDENTITY_SECRET": LOGIN_SECRET,
}

OPEN = a_room("open", a_show(seats=500), a_show(seats=4, title="The small hall"))
FULL = a_room("full", a_show(seats=10), max_active=0)
ROOMS = (OPEN, FULL)


class Houses(Protocol):
    """Opens a house of a test's own."""

    def __call__(self, *rooms: RoomPlan, **settings: str) -> AbstractContextManager[Evening]:
        """Serve *rooms*, `ROOMS` if there are none, with *settings*."""
        ...


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Houses:
    """Open houses on copies of the same members."""
    members: Path = tmp_path_factory.mktemp("members") / "stagedoor.db"
    make_members(members)

    @contextmanager
    def open_house(*rooms: RoomPlan, **settings: str) -> Iterator[Evening]:
        database = tmp_path_factory.mktemp("house") / "stagedoor.db"
        with Evening.on(database, rooms or ROOMS, members=members, settings=settings) as house:
            yield house

    return open_house


def operator_key(house: Evening, role: str) -> str:
    """Make an operator's key and return it."""
    return house.cli("key", "create", f"the-{role}", "--role", role).strip()
