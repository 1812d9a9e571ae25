"""An operator is a named key with a role; whatever she changes leaves an audit entry that nobody can change."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique

from stagedoor.kernel.clock import Instant

AUDIT_PAGE_MAX = 500

Detail = Mapping[str, object]
"""What an audit entry tells beyond who did what to whom: values that JSON knows. Never a key or a token."""


@unique
class Role(StrEnum):
    """
    What a key is for. The values are stored; never rename them.

    OPERATE and MONEY both include VIEW, but neither includes the other: who
    opens rooms and takes places away cannot credit wallets, and the shop's
    till, which credits wallets, cannot touch the line.
    """

    VIEW = "view"
    OPERATE = "operate"
    MONEY = "money"

    def includes(self, needed: "Role") -> bool:
        """Whether a key of this role may do what *needed* is asked for."""
        return needed in {self, Role.VIEW}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKey:
    """A stored key: of its secret only the digest is kept."""

    name: str
    role: Role
    digest: bytes
    created_at: Instant
    revoked_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who is acting, proved by a key."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """How the audit names her. Names of keys have no colon, so nobody else can be called that."""
        return f"key:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """
    One change: when, by whom, what (`room.pause`) to what (`room:main`).

    *actor* is an operator's (`key:NAME`), or `cli:USER` for somebody at the
    machine itself.
    """

    at: Instant
    actor: str
    action: str
    subject: str
    detail: Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A stored entry; *id* rises with every one."""

    id: int
    entry: AuditEntry


def key_digest(secret: str) -> bytes:
    """
    Return what is stored of a key's secret: its SHA-256.

    A secret is 32 random bytes, so there is nothing to guess, and a slow hash
    would only slow down the operator.
    """
    return hashlib.sha256(secret.encode()).digest()
