"""What the answers promised about seats: who was told that which seats are hers, and for how long at least."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.e2e.harness.answers import Answer

ALWAYS = 1 << 62

JOIN = ("POST", "/queue/token")
RESERVE = ("POST", "/concerts/reserve")
PAY = ("POST", "/concerts/payment")
CHARGE = ("POST", "/user/amount")
CHECK = ("POST", "/queue/token/check")
LEAVE = ("DELETE", "/queue/token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """
    One reservation as its buyer was told of it.

    It began somewhere between *asked_at* and *told_at*, and cannot have ended
    before *kept_until*: its deadline, or the instant she asked to let it go;
    `ALWAYS` once paid.
    """

    reservation_id: int
    buyer_id: int
    schedule_id: int
    seat_ids: frozenset[int]
    asked_at: int
    told_at: int
    kept_until: int
    deadline_at: int

    @property
    def is_paid(self) -> bool:
        """Whether she was told that the seats are hers for good."""
        return self.kept_until == ALWAYS


def calls(record: Iterable[Answer], call: tuple[str, str]) -> Sequence[Answer]:
    """Return the answers of one call."""
    return [answer for answer in record if (answer.method, answer.path) == call]


def granted(record: Iterable[Answer], call: tuple[str, str]) -> Sequence[Answer]:
    """Return the answers of one call that say yes."""
    return [answer for answer in calls(record, call) if answer.ok]


def instant(text: str) -> int:
    """Return the milliseconds since the Unix epoch of an RFC 3339 instant."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def seats_asked(asked: dict[str, Any]) -> frozenset[int]:
    """Return the seats a reservation's body names."""
    return frozenset(asked["seatIds"] if "seatIds" in asked else [asked["seatId"]])


def promises(record: Sequence[Answer]) -> Sequence[Promise]:
    """Read every reservation out of *record*, in the order in which they were first told."""
    found: dict[int, Promise] = {}
    for answer in granted(record, RESERVE):
        told = _promise(answer)
        known = found.get(told.reservation_id)
        if known is not None:
            deadline_at = max(known.deadline_at, told.deadline_at)
            told = replace(known, deadline_at=deadline_at, kept_until=deadline_at)
        found[told.reservation_id] = told
    for answer in record:
        if answer.ok:
            _end(found, answer)
    for answer in granted(record, PAY):
        paid = found[answer.asked["reservationId"]]
        found[paid.reservation_id] = replace(paid, kept_until=ALWAYS)
    return list(found.values())


def _promise(answer: Answer) -> Promise:
    deadline_at = instant(answer.data["reservedUntilAt"])
    return Promise(
        reservation_id=answer.data["reservationId"],
        buyer_id=answer.buyer_id,
        schedule_id=answer.asked["scheduleId"],
        seat_ids=seats_asked(answer.asked),
        asked_at=answer.sent_at,
        told_at=answer.answered_at,
        kept_until=deadline_at,
        deadline_at=deadline_at,
    )


def _end(found: dict[int, Promise], answer: Answer) -> None:
    if answer.method != "DELETE":
        return
    for promise in list(found.values()):
        released = answer.path == f"/concerts/reserve/{promise.reservation_id}"
        left = (answer.method, answer.path) == LEAVE and answer.buyer_id == promise.buyer_id
        if (released or left) and promise.asked_at <= answer.sent_at:
            kept_until = min(promise.kept_until, answer.sent_at)
            found[promise.reservation_id] = replace(promise, kept_until=kept_until)
