"""The audit: an entry is written by the transaction that makes the change, and never touched again."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Row, insert, select

from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import audit
from stagedoor.kernel.clock import Instant
from stagedoor.operators.model import AuditEntry, AuditRecord
from stagedoor.operators.ports import AuditTrail


def append(connection: Connection, entry: AuditEntry) -> int:
    """Write *entry* in the transaction that is open on *connection*; return its id."""
    written = connection.execute(
        insert(audit).values(
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=msgspec.json.encode(entry.detail).decode(),
        )
    )
    assert written.inserted_primary_key is not None
    return int(written.inserted_primary_key[0])


def is_written(connection: Connection, audit_id: int, entry: AuditEntry) -> bool:
    """Whether *entry* was committed under *audit_id*: the proof of the transaction that wrote it."""
    same = select(audit.c.id).where(
        audit.c.id == audit_id,
        audit.c.at == entry.at,
        audit.c.actor == entry.actor,
        audit.c.action == entry.action,
        audit.c.subject == entry.subject,
    )
    return connection.execute(same).first() is not None


class SqlAuditTrail(AuditTrail):
    """The stored entries."""

    def __init__(self, lanes: Lanes) -> None:
        """Read through *lanes*."""
        self._lanes = lanes

    async def newest(self, *, limit: int, before_id: int | None = None) -> Sequence[AuditRecord]:
        """Return the newest entries, newest first."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(audit.c.id < before_id)

        def read(connection: Connection) -> Sequence[AuditRecord]:
            return [_record(row) for row in connection.execute(query)]

        return await self._lanes.reading(read)


def _record(row: Row[tuple[object, ...]]) -> AuditRecord:
    entry = AuditEntry(
        at=Instant(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=msgspec.json.decode(row.detail, type=dict[str, object]),
    )
    return AuditRecord(id=row.id, entry=entry)
