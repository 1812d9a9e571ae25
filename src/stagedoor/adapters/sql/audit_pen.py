"""Audit entries of what has happened already, outside of the database: written at once, or as soon as that can be."""

import asyncio
from collections import deque

import structlog
from sqlalchemy import Connection

from stagedoor.adapters.sql.audit import append, is_written
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.kernel.errors import Fault
from stagedoor.observability.unheard import tell_of
from stagedoor.operators.model import AuditEntry
from stagedoor.operators.ports import AuditPen
from stagedoor.resilience.deadline import current, due

log = structlog.get_logger(__name__)

PATIENCE_S = 1.0
"""How long it is waited for entries to be stored, and never longer than half of the time that the caller has left."""


class SqlAuditPen(AuditPen):
    """
    Writes entries in the order in which they were noted.

    What cannot be written, or takes too long, is owed: kept in memory, in the log, and
    written by the next `settle` that succeeds. There are as many as operators have given orders.
    """

    def __init__(self, lanes: Lanes) -> None:
        """Write through *lanes*."""
        self._lanes = lanes
        self._owed: deque[AuditEntry] = deque()
        self._turn = asyncio.Lock()

    async def note(self, *entries: AuditEntry) -> bool:
        """Write *entries* now if that can be; return whether they are known to be stored."""
        self._owed.extend(entries)
        loop, hers = asyncio.get_running_loop(), current()
        patience_s = PATIENCE_S if hers is None else max(0.0, min(PATIENCE_S, (hers.at - loop.time()) / 2))
        # What it tells of has happened, and whoever did it is told so in time: the writing goes on without her.
        with due(None):
            settling = loop.create_task(self.settle())
        try:
            await asyncio.wait({settling}, timeout=patience_s)
        except asyncio.CancelledError:
            # Also where it has ended in this very round.
            settling.add_done_callback(tell_of)
            raise
        if not settling.done():
            settling.add_done_callback(tell_of)
            cause = f"not stored within {patience_s:.1f} s"
        elif isinstance(fault := settling.exception(), Fault):
            cause = str(fault)
        else:
            settling.result()
            return True
        for each in entries:
            log.warning("audit.owed", actor=each.actor, action=each.action, subject=each.subject, cause=cause)
        return False

    async def settle(self) -> int:
        """Write what is owed; return how many entries. Raises `Fault`: then all of it still is."""
        async with self._turn:
            if not self._owed:
                return 0
            owed = list(self._owed)

            def write(connection: Connection) -> int:
                return [append(connection, entry) for entry in owed][-1]

            async with self._lanes.writing() as transaction:
                last_id = await transaction.run(write)
                await transaction.commit(proof=lambda connection: is_written(connection, last_id, owed[-1]))
            for _ in owed:
                self._owed.popleft()
            return len(owed)
