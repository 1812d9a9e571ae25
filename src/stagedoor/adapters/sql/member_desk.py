"""New members, added by an operator while the server runs."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.audit import append, is_written
from stagedoor.adapters.sql.dialect import MAKE_MEMBERS_ONCE, MAKE_WALLETS_ONCE
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import member
from stagedoor.kernel.clock import Clock, Instant
from stagedoor.kernel.ids import BuyerId
from stagedoor.operators.model import AuditEntry
from stagedoor.operators.ports import MemberDesk, MembersAdded

_IDS_PER_STATEMENT = 10_000
"""Well below what SQLite (32,766) binds in a statement."""


class SqlMemberDesk(MemberDesk):
    """Adds members to the database."""

    def __init__(self, lanes: Lanes, clock: Clock) -> None:
        """Write through *lanes*."""
        self._lanes = lanes
        self._clock = clock

    async def add(self, buyer_ids: Sequence[BuyerId], *, actor: str) -> MembersAdded:
        """Make each of *buyer_ids* a member with an empty wallet, unless she is one; audited with it."""
        asked = sorted(set(buyer_ids))
        assert asked
        now = self._clock.now()

        def write(connection: Connection) -> tuple[MembersAdded, int, AuditEntry]:
            added = sum(_add(connection, some, now) for some in _chunks(asked))
            detail = {"asked": len(asked), "added": added, "first": asked[0], "last": asked[-1]}
            entry = AuditEntry(at=now, actor=actor, action="members.add", subject="members", detail=detail)
            return MembersAdded(added=added, known=len(asked) - added), append(connection, entry), entry

        async with self._lanes.writing() as transaction:
            outcome, audit_id, entry = await transaction.run(write)
            await transaction.commit(proof=lambda connection: is_written(connection, audit_id, entry))
        return outcome


def _add(connection: Connection, buyer_ids: Sequence[BuyerId], now: Instant) -> int:
    known = set(connection.execute(select(member.c.id).where(member.c.id.in_(buyer_ids))).scalars())
    new = [buyer_id for buyer_id in buyer_ids if buyer_id not in known]
    if new:
        # Somebody else may be adding the same ones.
        MAKE_MEMBERS_ONCE(connection, [(buyer_id, now) for buyer_id in new])
        MAKE_WALLETS_ONCE(connection, [(buyer_id, 0) for buyer_id in new])
    return len(new)


def _chunks(buyer_ids: Sequence[BuyerId]) -> Iterator[Sequence[BuyerId]]:
    for start in range(0, len(buyer_ids), _IDS_PER_STATEMENT):
        yield buyer_ids[start : start + _IDS_PER_STATEMENT]
