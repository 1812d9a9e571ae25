"""An operator proves herself by a key; where no key is configured there is nothing to prove anything to."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence

from stagedoor.http.buckets import Buckets, Rate
from stagedoor.http.client_address import ClientAddress
from stagedoor.http.limits import TooManyRequests
from stagedoor.http.rejections import NoSuchPath
from stagedoor.kernel.clock import SECOND_MS, Clock, Instant
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.observability.unheard import to_its_end
from stagedoor.operators.model import Operator, OperatorKey, Role, key_digest
from stagedoor.operators.ports import OperatorKeys
from stagedoor.resilience.deadline import Deadline, due

KEYS_FRESH_MS = SECOND_MS // 2
"""How old the keys in memory may be: half of the second within which a new or revoked key takes effect."""

READ_WAIT_S_MAX = 1.0
"""For so long the store is waited for; then those read last count, for who looks after an outage cannot wait it out."""

WRONG_KEYS = Rate(per_second=0.1, burst=10)
"""How often one address may present a key that is none, before it is not listened to any more."""

ADDRESSES_MAX = 10_000

_BEARER = "bearer "
_KEY_CHARACTERS_MAX = 256


class BadOperatorKey(Rejection):
    """The call needs an operator's key; there is none, or it is unknown or revoked."""


class RoleTooSmall(Rejection):
    """The key is genuine, but not for calls of this kind."""


class NoSuchPlace(Rejection):
    """There is no place of that room and number; to its buyer that would be a token that is not valid."""


class OperatorGate:
    """
    Lets operators in, by their keys as stored: a change takes effect within a second.

    While the store cannot be read, the keys last read stay valid: an operator
    has most to look at during an outage.
    """

    def __init__(self, keys: OperatorKeys, clock: Clock, *, wrong_keys: Rate = WRONG_KEYS) -> None:
        """Believe the stored *keys*; listen to no address that presents more *wrong_keys* than that."""
        self._stored = keys
        self._clock = clock
        self._wrong_keys = Buckets[ClientAddress](wrong_keys, keys_max=ADDRESSES_MAX)
        self._live: Sequence[OperatorKey] = ()
        self._read_at: Instant | None = None
        self._reading: asyncio.Task[None] | None = None

    async def admit(self, authorization: str | None, *, address: ClientAddress, needed: Role) -> Operator:
        """
        Return who presents the key in an `Authorization` header (with or without `Bearer`).

        Raises `NoSuchPath` where no key is configured, `TooManyRequests` after
        too many wrong keys from *address* (then also for a right one),
        `BadOperatorKey`, and `RoleTooSmall` if the key's role does not include *needed*.
        """
        live = await self._live_keys()
        if not live:
            raise NoSuchPath
        if authorization is None:
            raise BadOperatorKey
        if wait_ms := self._wrong_keys.wait_ms(address, now=self._clock.now()):
            raise TooManyRequests(wait_ms)
        key = _matching(live, authorization)
        if key is None:
            self._wrong_keys.take(address, now=self._clock.now())
            raise BadOperatorKey
        if not key.role.includes(needed):
            raise RoleTooSmall
        return Operator(name=key.name, role=key.role)

    async def may_view(self, headers: Mapping[str, str], address: ClientAddress) -> bool:
        """Whether *headers* (by lower-case names) carry any valid key. Raises `TooManyRequests`."""
        authorization = headers.get("authorization")
        if authorization is None:
            return False
        try:
            await self.admit(authorization, address=address, needed=Role.VIEW)
        except (BadOperatorKey, NoSuchPath):
            return False
        return True

    async def _live_keys(self) -> Sequence[OperatorKey]:
        if not self._is_fresh():
            if self._reading is None:
                self._reading = asyncio.get_running_loop().create_task(self._read())
            await to_its_end(self._reading)
        return self._live

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock.now() - self._read_at < KEYS_FRESH_MS

    async def _read(self) -> None:
        began_at = self._clock.now()
        try:
            # For everybody: somebody in a hurry must not keep the keys from being read, or a revoked one would live on.
            with due(Deadline(asyncio.get_running_loop().time() + READ_WAIT_S_MAX)):
                stored = await self._stored.all()
        except Fault:
            if self._read_at is None:
                raise
            self._read_at = self._clock.now()
        else:
            self._live = [key for key in stored if key.revoked_at is None]
            self._read_at = began_at
        finally:
            # Here, and not by a callback: whoever asks before that is called would wait for what has ended.
            self._reading = None


def _matching(live: Sequence[OperatorKey], authorization: str) -> OperatorKey | None:
    """Return the key whose secret was presented; every key is compared, so the time says nothing about any."""
    if authorization[: len(_BEARER)].lower() == _BEARER:
        authorization = authorization[len(_BEARER) :].strip(" ")
    if len(authorization) > _KEY_CHARACTERS_MAX:
        return None
    digest = key_digest(authorization)
    matches = [key for key in live if hmac.compare_digest(key.digest, digest)]
    return matches[0] if matches else None
