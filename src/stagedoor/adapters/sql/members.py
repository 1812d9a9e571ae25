"""
Members read once and remembered: nobody ceases to be one while a server runs.

Ids mostly come in rows, so the first one who is asked for is read with her
neighbours, and a crowd of a hundred thousand costs some hundred reads. Who is
not found is looked for again each time: she may be made a member at any moment.
A database that is put back to an earlier state needs its servers started anew.
"""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from sqlalchemy import Connection, Dialect, bindparam, or_, select
from sqlalchemy.sql.compiler import SQLCompiler

from stagedoor.adapters.sql import driver
from stagedoor.adapters.sql.lanes import Lanes, asked_among_writes
from stagedoor.adapters.sql.sized import filled_up
from stagedoor.adapters.sql.tables import member
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.ports import Members

STRETCH_BITS = 8
STRETCHES_MAX = 16_384
"""Four million members in rows; of scattered ids so many, at 115 bytes each."""

_WITHIN = (1 << STRETCH_BITS) - 1
SPANS_AT_ONCE = 128
"""Each is a term of an `OR`, which MariaDB plans as a range of the key; joined to a list of them it reads the table."""

Span = tuple[int, int]
"""The first and the last of some ids in a row."""


class SqlMembers(Members):
    """
    The members in a SQL database.

    While the database *is_away*, each of them is looked for in it, where writes go:
    a line elsewhere takes nobody in whom it cannot sell to.
    """

    def __init__(self, lanes: Lanes, *, is_away: Callable[[], bool]) -> None:
        """Ask through *lanes*."""
        self._lanes = lanes
        self._is_away = is_away
        # For each stretch of ids in which there is a member a bit for each.
        self._stretches: dict[int, int] = {}

    async def known(self, buyer_ids: Sequence[BuyerId]) -> Sequence[bool | Fault]:
        """Say for each buyer whether she is a member, or the `Fault` with which she could not be looked for."""
        is_away = self._is_away()
        # Before anything is forgotten to make room: it may be hers whom nobody looks for now.
        members: set[int] = set() if is_away else {buyer_id for buyer_id in buyer_ids if self._remembers(buyer_id)}
        missing = {buyer_id for buyer_id in buyer_ids if buyer_id not in members}
        otherwise: bool | Fault = False
        if missing:
            try:
                members |= await (self._found_among_writes(missing) if is_away else self._found(missing))
            except Fault as fault:
                otherwise = fault
        return [buyer_id in members or otherwise for buyer_id in buyer_ids]

    async def _found_among_writes(self, missing: Collection[int]) -> set[int]:
        spans = [(buyer_id, buyer_id) for buyer_id in missing]
        return await asked_among_writes(self._lanes, lambda connection: _read(connection, spans))

    async def _found(self, missing: Collection[int]) -> set[int]:
        """Look for *missing* with their neighbours, and remember who was found."""
        spans = {self._span(buyer_id) for buyer_id in missing}
        while len(self._stretches) > STRETCHES_MAX:
            del self._stretches[next(iter(self._stretches))]
        found = await self._lanes.reading(lambda connection: _read(connection, spans))
        for buyer_id in found:
            stretch = buyer_id >> STRETCH_BITS
            self._stretches[stretch] = self._stretches.get(stretch, 0) | 1 << (buyer_id & _WITHIN)
        return found

    def _remembers(self, buyer_id: int) -> bool:
        return self._stretches.get(buyer_id >> STRETCH_BITS, 0) >> (buyer_id & _WITHIN) & 1 == 1

    def _span(self, buyer_id: int) -> Span:
        """Return what to read to find her: her alone where her neighbours are known, for she may be nobody."""
        stretch = buyer_id >> STRETCH_BITS
        if stretch in self._stretches:
            return buyer_id, buyer_id
        return stretch << STRETCH_BITS, stretch << STRETCH_BITS | _WITHIN


def _read(connection: Connection, spans: Collection[Span]) -> set[int]:
    """Return the members in *spans*."""
    asked, found = [*spans], set[int]()
    for start in range(0, len(asked), SPANS_AT_ONCE):
        # So that there are few texts.
        some = filled_up(asked[start : start + SPANS_AT_ONCE])
        text = _within(connection.dialect, len(some))
        found.update(buyer_id for (buyer_id,) in driver.fetch(connection, text, [end for span in some for end in span]))
    return found


@lru_cache
def _within(dialect: Dialect, spans: int) -> str:
    """Return the query for the members in so many spans, whose ends are its parameters in their order."""
    of_span = (member.c.id.between(bindparam(f"first_{nth}"), bindparam(f"last_{nth}")) for nth in range(spans))
    compiled = select(member.c.id).where(or_(*of_span)).compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup == [end for nth in range(spans) for end in (f"first_{nth}", f"last_{nth}")]
    return compiled.string
