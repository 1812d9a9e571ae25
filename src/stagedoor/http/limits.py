"""How much one buyer, and one client address, may ask for: a kindness to everybody else, never a rule of the sale."""

from array import array
from dataclasses import dataclass
from enum import StrEnum, unique

from stagedoor.http.buckets import Buckets, Rate
from stagedoor.http.client_address import ClientAddress, is_loopback
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId, PlaceRef, RoomId

PLACES_REMEMBERED_MAX = 1 << 21
"""Of how many places a room (8 bytes each) it is remembered when to ask again; further ones share the entries."""

_ENTRIES_AT_FIRST = 1 << 10


class TooManyRequests(Rejection):
    """The buyer or the address has asked for too much; *retry_after_ms* says when the same call will be taken."""

    def __init__(self, retry_after_ms: int) -> None:
        """Say when to come back."""
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms


@unique
class LimitedCall(StrEnum):
    """What is limited."""

    JOIN = "join"
    EARLY_POLL = "early_poll"
    RESERVE = "reserve"
    CHARGE = "charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimit:
    """What one buyer may, and what everybody behind one address may together."""

    buyer: Rate
    address: Rate


_ONE_BUYER = Rate(per_second=2, burst=60)
_ONE_ADDRESS = Rate(per_second=1_000, burst=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """
    The limits.

    At the defaults a crowd of 2,000 behind one address joins in the same
    second, polls twice as often as it was told to, and tries three times to
    reserve. A poll is early when it comes before the `pollAfterMs` last told,
    less *poll_slack_ms* and *poll_slack_share* of it. *keys_max* bounds the
    buyers, and the addresses, that are remembered a call (about 150 bytes each).
    """

    join: CallLimit = CallLimit(buyer=_ONE_BUYER, address=_ONE_ADDRESS)
    early_poll: CallLimit = CallLimit(buyer=_ONE_BUYER, address=Rate(per_second=2_000, burst=20_000))
    reserve: CallLimit = CallLimit(buyer=_ONE_BUYER, address=_ONE_ADDRESS)
    charge: CallLimit = CallLimit(buyer=_ONE_BUYER, address=_ONE_ADDRESS)
    poll_slack_ms: int = 250
    poll_slack_share: float = 0.1
    keys_max: int = 100_000
    loopback_exempt: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; settings were checked at the edge."""
        assert self.poll_slack_ms >= 0
        assert 0 <= self.poll_slack_share < 1
        assert self.keys_max > 0


class Limits:
    """The limits of one process, counted in memory."""

    def __init__(self, policy: LimitPolicy) -> None:
        """Count from nothing."""
        self._policy = policy
        self._calls = {
            call: (
                Buckets[BuyerId](limit.buyer, keys_max=policy.keys_max),
                Buckets[ClientAddress](limit.address, keys_max=policy.keys_max),
            )
            for call, limit in (
                (LimitedCall.JOIN, policy.join),
                (LimitedCall.EARLY_POLL, policy.early_poll),
                (LimitedCall.RESERVE, policy.reserve),
                (LimitedCall.CHARGE, policy.charge),
            )
        }
        # From when on a poll is not early, by queue number: the numbers of a room are dense, so a column holds them.
        self._polls: dict[RoomId, array[int]] = {}

    def take(self, call: LimitedCall, *, buyer_id: BuyerId, address: ClientAddress, now: Instant) -> None:
        """
        Count one call. Raises `TooManyRequests`; a refused call counts for nobody.

        Call it with a buyer who has proved to be herself: a forged id must not
        use up somebody else's allowance.
        """
        if self._policy.loopback_exempt and is_loopback(address):
            return
        buyers, addresses = self._calls[call]
        # The address first is only asked: a buyer who is refused must not use up what her neighbours have.
        wait_ms = addresses.wait_ms(address, now=now) or buyers.take(buyer_id, now=now)
        wait_ms = wait_ms or addresses.take(address, now=now)
        if wait_ms:
            raise TooManyRequests(wait_ms)

    def early_by_ms(self, ref: PlaceRef, *, now: Instant) -> int:
        """Return how much earlier than was told a poll at *now* comes; not positive if it is not early."""
        polls = self._polls.get(ref.room_id)
        if polls is None or (index := ref.number % PLACES_REMEMBERED_MAX) >= len(polls):
            return 0
        return polls[index] - now

    def poll_early(self, early_ms: int, *, buyer_id: BuyerId, address: ClientAddress, now: Instant) -> None:
        """
        Count a poll that comes *early_ms* earlier than was told. Raises `TooManyRequests`.

        Its `retry_after_ms` is the time that was told: coming back then is not early.
        """
        try:
            self.take(LimitedCall.EARLY_POLL, buyer_id=buyer_id, address=address, now=now)
        except TooManyRequests as refused:
            raise TooManyRequests(early_ms) from refused

    def told(self, ref: PlaceRef, poll_after_ms: int, *, now: Instant) -> None:
        """Remember that the place's buyer was told, at *now*, to ask again after *poll_after_ms*."""
        slack_ms = self._policy.poll_slack_ms + int(poll_after_ms * self._policy.poll_slack_share)
        polls = self._polls.get(ref.room_id)
        if polls is None:
            polls = self._polls[ref.room_id] = array("q", bytes(8 * _ENTRIES_AT_FIRST))
        index = ref.number % PLACES_REMEMBERED_MAX
        while index >= len(polls):
            polls.frombytes(bytes(8 * len(polls)))
        polls[index] = now + poll_after_ms - slack_ms
