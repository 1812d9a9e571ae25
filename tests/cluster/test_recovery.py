"""The short form of the proof `recovery`: a part is killed, the sale goes on to its end, and all was true."""

import asyncio

import pytest

from tests.cluster.house import House
from tests.cluster.recovery import HARMS, Crowd, play
from tests.e2e.harness.programme import a_room, a_show

HALL = a_room("hall", a_show(seats=80), max_active=8, rate=30.0)
CROWD = Crowd(buyers=90, present=30, before=30)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("mariadb", "the admitter is killed"),
        ("postgresql", "the database is killed"),
        ("mariadb", "Redis is killed"),
    ],
)
def test_the_sale_goes_on_and_ends(kind: str, what: str) -> None:
    with House.of(kind, HALL, members=CROWD.buyers) as house:
        done = asyncio.run(play(HARMS[what], house, HALL.id, CROWD))

    assert done.wrong == []
    assert done.check == ""
