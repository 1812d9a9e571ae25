"""What operating needs of a database: the keys, the audit, and the changes that belong to no other feature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stagedoor.kernel.ids import BuyerId
from stagedoor.operators.model import AuditEntry, AuditRecord, OperatorKey


class OperatorKeys(Protocol):
    """The stored keys."""

    async def all(self) -> Sequence[OperatorKey]:
        """Return every key, revoked ones too, ordered by name."""
        ...


class AuditTrail(Protocol):
    """The record of changes; only ever added to."""

    async def newest(self, *, limit: int, before_id: int | None = None) -> Sequence[AuditRecord]:
        """Return the newest entries, newest first; with *before_id* those older than that one."""
        ...


class AuditPen(Protocol):
    """Writes down what has been done outside of the database, where no transaction of its own can carry the entry."""

    async def note(self, *entries: AuditEntry) -> bool:
        """
        Write *entries* at once, or, while that cannot be, as soon as it can.

        It waits for a short time only. Returns whether they are known to be stored by
        then. Entries are stored in the order in which they were noted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersAdded:
    """How many of the ids asked for are new members, and how many were members before."""

    added: int
    known: int


class MemberDesk(Protocol):
    """Who becomes a member."""

    async def add(self, buyer_ids: Sequence[BuyerId], *, actor: str) -> MembersAdded:
        """Make each of *buyer_ids* a member with an empty wallet, unless she is one; audited with it."""
        ...
