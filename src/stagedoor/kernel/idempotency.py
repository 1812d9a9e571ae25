"""The same request sent twice has one effect and one answer."""

from dataclasses import dataclass

from stagedoor.kernel.clock import DAY_MS
from stagedoor.kernel.errors import Rejection

KEY_KEPT_MS = DAY_MS
KEYS_PER_BUYER_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """
    A client's own name for one request.

    *value* is the header as sent (1-128 printable ASCII characters); its scope
    is the buyer and the call. *fingerprint* is a digest of the request's body:
    the same key with another fingerprint is refused.
    """

    value: str
    fingerprint: str


class KeyReused(Rejection):
    """The key is known, but with another body."""


class TooManyKeys(Rejection):
    """The buyer has as many keys stored as one buyer may; the oldest becomes free later."""
