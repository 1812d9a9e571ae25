"""Operators' keys: made here, shown once, stored as a digest."""

import re
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from stagedoor.adapters.sql.audit import append, is_written
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.tables import operator_key
from stagedoor.kernel.clock import Clock, Instant
from stagedoor.operators.model import AuditEntry, OperatorKey, Role, key_digest
from stagedoor.operators.ports import OperatorKeys

KEY_PREFIX = "sdk_"
"""Lets people, and programs that look for leaked secrets, see what it is."""

KEY_BYTES = 32
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class KeyRefused(Exception):  # noqa: N818 -- it becomes a sentence to the operator
    """A key of that name cannot be made or revoked; the message says why."""


class SqlOperatorKeys(OperatorKeys):
    """The stored keys. A change is seen by a running server within a second."""

    def __init__(self, lanes: Lanes, clock: Clock) -> None:
        """Read and write through *lanes*."""
        self._lanes = lanes
        self._clock = clock

    async def all(self) -> Sequence[OperatorKey]:
        """Return every key, revoked ones too, ordered by name."""

        def read(connection: Connection) -> Sequence[OperatorKey]:
            return [_key(row) for row in connection.execute(select(operator_key).order_by(operator_key.c.name))]

        return await self._lanes.reading(read)

    async def create_key(self, name: str, role: Role, *, actor: str) -> str:
        """
        Make a key and return its secret, which is told this once and stored nowhere.

        Raises `KeyRefused` for a name that is taken (also by a revoked key:
        the audit names keys) or that is not 1-64 letters, digits, `.`, `_`, `-`.
        """
        if not NAME_PATTERN.fullmatch(name):
            raise KeyRefused(
                f"{name!r} cannot name a key: use 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"
            )
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        now = self._clock.now()
        entry = _entry(now, actor, "key.create", name, role)
        row = {"name": name, "role": role.value, "digest": key_digest(secret), "created_at": now, "revoked_at": None}

        def write(connection: Connection) -> int:
            taken = connection.execute(select(operator_key.c.name).where(operator_key.c.name == name)).first()
            if taken is not None:
                raise KeyRefused(f"there is, or was, a key named {name!r}: choose another name")
            try:
                connection.execute(insert(operator_key).values(row))
            except IntegrityError as error:
                raise KeyRefused(f"somebody has just made a key named {name!r}: choose another name") from error
            return append(connection, entry)

        async with self._lanes.writing() as transaction:
            audit_id = await transaction.run(write)
            await transaction.commit(proof=lambda connection: is_written(connection, audit_id, entry))
        return secret

    async def revoke_key(self, name: str, *, actor: str) -> None:
        """Refuse the key from now on. Raises `KeyRefused` if there is none, or it is revoked already."""
        now = self._clock.now()

        def write(connection: Connection) -> tuple[int, AuditEntry]:
            key = connection.execute(select(operator_key).where(operator_key.c.name == name).with_for_update()).first()
            if key is None:
                raise KeyRefused(f"there is no key named {name!r}")
            if key.revoked_at is not None:
                raise KeyRefused(f"the key {name!r} is revoked already")
            connection.execute(update(operator_key).where(operator_key.c.name == name).values(revoked_at=now))
            entry = _entry(now, actor, "key.revoke", name, Role(key.role))
            return append(connection, entry), entry

        async with self._lanes.writing() as transaction:
            audit_id, entry = await transaction.run(write)
            await transaction.commit(proof=lambda connection: is_written(connection, audit_id, entry))


def _entry(now: Instant, actor: str, action: str, name: str, role: Role) -> AuditEntry:
    return AuditEntry(at=now, actor=actor, action=action, subject=f"key:{name}", detail={"role": role.value})


def _key(row: Row[tuple[object, ...]]) -> OperatorKey:
    return OperatorKey(
        name=row.name,
        role=Role(row.role),
        digest=row.digest,
        created_at=Instant(row.created_at),
        revoked_at=None if row.revoked_at is None else Instant(row.revoked_at),
    )
