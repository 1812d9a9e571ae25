"""Lanes with somebody who minds how writes fail: told of each, of nothing else, and in nobody's way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stagedoor.adapters.minded_lanes import MindedLanes
from stagedoor.adapters.sql.lanes import DatabaseFault, DatabaseFull, Lanes, Step, WriteTransaction
from stagedoor.kernel.errors import Fault, Rejection

NEVER = None
STEP: Step[str] = lambda _: "done"  # noqa: E731 -- a step is a function


class FullLanes(Lanes):
    """Lanes into a database that finds no room when it is *asked* for it: to begin, in a step, or in a commit."""

    def __init__(self, asked: str = "") -> None:
        self._asked = asked

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteTransaction]:
        self.room_for("begin")
        yield _Writing(self)

    async def reading(self, step: Step[str]) -> str:  # type: ignore[override]  # these read texts alone
        self.room_for("read")
        return step(NEVER)  # type: ignore[arg-type]  # it looks at nothing

    def room_for(self, what: str) -> None:
        if what == self._asked:
            raise DatabaseFull(what)


class _Writing(WriteTransaction):
    def __init__(self, lanes: FullLanes) -> None:
        self._lanes = lanes

    async def run(self, step: Step[str]) -> str:  # type: ignore[override]  # as above
        self._lanes.room_for("step")
        return step(NEVER)  # type: ignore[arg-type]  # as above

    async def commit(self, *, proof: Step[bool]) -> None:
        self._lanes.room_for("commit")


async def write(lanes: Lanes, error: Exception | None = None) -> None:
    async with lanes.writing() as transaction:
        await transaction.run(STEP)
        if error is not None:
            raise error
        await transaction.commit(proof=lambda _: True)


@pytest.mark.parametrize("what", ["begin", "step", "commit"])
async def test_a_write_without_room_is_minded_once_and_raised_to_who_wrote(what: str) -> None:
    minded: list[Fault] = []

    with pytest.raises(DatabaseFull) as raised:
        await write(MindedLanes(FullLanes(what), mind=minded.append))

    assert minded == [raised.value]


async def test_what_reads_and_what_goes_well_is_not_minded() -> None:
    minded: list[Fault] = []

    await write(MindedLanes(FullLanes(), mind=minded.append))
    assert await MindedLanes(FullLanes(), mind=minded.append).reading(STEP) == "done"
    with pytest.raises(DatabaseFull):
        await MindedLanes(FullLanes("read"), mind=minded.append).reading(STEP)

    assert minded == []


@pytest.mark.parametrize(
    ("error", "is_minded"), [(DatabaseFault("gone"), True), (Rejection(), False), (KeyError(), False)]
)
async def test_only_faults_are_minded(error: Exception, *, is_minded: bool) -> None:
    minded: list[Fault] = []

    with pytest.raises(type(error)):
        await write(MindedLanes(FullLanes(), mind=minded.append), error)

    assert bool(minded) is is_minded
