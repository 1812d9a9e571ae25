"""
What one buyer was told, and what she cannot know: the side of the judge that remembers.

A request that was sent and not answered may have happened or not. So may
everything that it would have ended: a hold whose release, leaving or payment
is under way is no promise any more, until its answer says which it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.kill.record import Asked

PAID, RELEASED, LEFT = "paid", "released", "left"

CLOCKS_APART_MS = 50
"""Two runs of the server may read the machine's clock so far apart; it matters where only the client's is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Nobody could be served from *down_at*, and that was given back at *up_at*, both at the latest."""

    down_at: int
    up_at: int


def moved(until: int, as_of: int, outages: Iterable[Outage]) -> int:
    """
    Return until when at least something lasts that was to last *until* when it was told, not before *as_of*.

    What had not ended when the server went down is later by the time without one.
    """
    for outage in outages:
        if as_of < outage.down_at < until:
            until += max(0, outage.up_at - outage.down_at)
    return until


@dataclass(slots=True, kw_only=True)
class HoldTold:
    """
    A reservation as she knows it.

    *ended* is how it surely ended, *may_be* what it may have become without
    her knowing; *order* is what she was told of its payment.
    """

    id: int
    room_id: str
    number: int
    seat_ids: frozenset[int]
    amount: int
    until: int
    as_of: int
    ended: str | None = None
    may_be: set[str] = field(default_factory=set)
    order: dict[str, Any] | None = None
    over_since: int | None = None

    @property
    def may_be_paid(self) -> bool:
        """Whether it is paid, or may be."""
        return self.ended == PAID or PAID in self.may_be

    @property
    def may_be_let_go(self) -> bool:
        """Whether it was let go, or may have been."""
        return self.ended in {RELEASED, LEFT} or RELEASED in self.may_be


@dataclass(slots=True, kw_only=True)
class PlaceTold:
    """
    A place as she knows it: the last *status* and *position* she was told.

    *waiting_at* is when it may first have been admitted: it was waiting then.
    *session_until* is when her session ends, told when she held nothing.
    """

    room_id: str
    number: int
    status: str
    position: int
    waiting_at: int
    session_until: int | None = None
    session_as_of: int = 0
    has_left: bool = False
    may_have_left: bool = False

    def session_ends_at(self, session_max_ms: int, outages: Iterable[Outage]) -> int:
        """Return when her session can have ended at the earliest."""
        if self.session_until is None:
            return self.waiting_at + session_max_ms - CLOCKS_APART_MS
        return moved(self.session_until, self.session_as_of, outages)


@dataclass(slots=True)
class Tries:
    """How often the same request has been sent, when first, and when last without an answer."""

    first_at: int
    lost_at: int | None = None
    sent: int = 0


@dataclass(slots=True)
class Memory:
    """
    All that one buyer was told. She asks for one thing at a time; *pending* is what she has no answer to.

    *untold* has the seats of holds, and *untold_places* the number of places,
    that a lost request without a key may have made, and that were over before she asked again.
    """

    buyer_id: int
    places: dict[tuple[str, int], PlaceTold] = field(default_factory=dict)
    holds: dict[int, HoldTold] = field(default_factory=dict)
    charges: list[int] = field(default_factory=list)
    answered: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    tries: dict[str, Tries] = field(default_factory=dict)
    untold: list[frozenset[int]] = field(default_factory=list)
    untold_places: int = 0
    pending: Asked | None = None

    @property
    def gained(self) -> int:
        """What her charges less her payments come to, as far as she knows."""
        return sum(self.charges) - sum(hold.amount for hold in self.holds.values() if hold.ended == PAID)

    def under(self, place: PlaceTold) -> Sequence[HoldTold]:
        """Return the holds that she took under *place*."""
        where = (place.room_id, place.number)
        return [hold for hold in self.holds.values() if (hold.room_id, hold.number) == where]

    def place_may_be_over(self, place: PlaceTold) -> bool:
        """Whether she left it or paid, or may have; time is not asked."""
        ended = place.status in {"DONE", "EXPIRED"} or place.has_left or place.may_have_left
        return ended or any(hold.may_be_paid for hold in self.under(place))
