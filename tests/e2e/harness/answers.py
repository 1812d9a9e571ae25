"""What was asked and what was answered, with the client's instants: the facts that the checkers judge."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from typing_extensions import override

NOBODY = 0
"""Who asks when nobody in particular does."""


def now_ms() -> int:
    """Return the machine's wall clock, milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    One answered request.

    *asked* is the JSON body sent. Whatever the request did, it did between
    *sent_at* and *answered_at*.
    """

    method: str
    path: str
    asked: Any
    buyer_id: int
    key: str | None
    status: int
    headers: Mapping[str, str]
    raw: bytes
    sent_at: int
    answered_at: int

    @property
    def document(self) -> dict[str, Any]:
        """The envelope."""
        read: dict[str, Any] = msgspec.json.decode(self.raw)
        return read

    @property
    def data(self) -> dict[str, Any]:
        """What a call that answers one thing says."""
        said: dict[str, Any] = self.document["data"]
        return said

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What a call that answers a list says."""
        said: list[dict[str, Any]] = self.document["data"]
        return said

    @property
    def ok(self) -> bool:
        """Whether the request was granted."""
        return self.status == 200

    @property
    def code(self) -> str | None:
        """The refusal's code, None if it was granted."""
        return None if self.ok else str(self.document["exception"]["code"])

    @property
    def verdict(self) -> tuple[int, str | None]:
        """Status and code, the two that a refusal is known by."""
        return self.status, self.code

    @property
    def replayed(self) -> bool:
        """Whether a first answer was given again."""
        return self.headers.get("idempotent-replay") == "true"

    @override
    def __str__(self) -> str:
        """Show what somebody who mends the server needs: the request and the answer."""
        who = f" by {self.buyer_id}" if self.buyer_id != NOBODY else ""
        key = f" key={self.key}" if self.key is not None else ""
        said = self.raw[:400].decode(errors="replace")
        return f"{self.method} {self.path} {self.asked}{who}{key} -> {self.status} {said}"
