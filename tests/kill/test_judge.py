"""The judge by itself: it counts what a buyer did without an answer, and misses what was answered and is gone."""

from collections import Counter
from types import SimpleNamespace
from typing import cast

import jwt
import pytest

from stagedoor.holds.model import HoldState
from stagedoor.waiting_room.model import PlaceState
from tests.kill.answers import Answers
from tests.kill.books import Books
from tests.kill.record import Asked, Entry, Lost, Told
from tests.kill.stored import AnyRow, Stored

HOUR_MS = 3_600_000
OPENING_WON = 100_000
BUYER, SEAT, HOLD = 7, 70, 700
UNTIL = 1_800_000_300_000
NOON = UNTIL - 300_000
JOIN, RESERVE, RELEASE = (
    ("POST", "/queue/token"),
    ("POST", "/concerts/reserve"),
    ("DELETE", f"/concerts/reserve/{HOLD}"),
)
TOKEN = jwt.encode({"num": 1}, "k" * 32)
TICKET = {"queueToken": TOKEN, "status": "WAITING", "queuePosition": 1}
RESERVED = {
    "reservationId": HOLD,
    "seatIds": [SEAT],
    "amount": 50_000,
    "reservedUntilAt": "2027-01-15T08:05:00.000Z",
}


def asked(serial: int, call: tuple[str, str], *, body: object = None, key: str | None = None) -> Asked:
    method, path = call
    number = 0 if call == JOIN else 1
    return Asked(
        serial=serial,
        method=method,
        path=path,
        body=body,
        buyer_id=BUYER,
        room_id="long",
        number=number,
        key=key,
        sent_at=NOON + serial,
    )


def told(serial: int, data: object = None, *, status: int = 200, code: str | None = None) -> Told:
    return Told(serial=serial, status=status, code=code, data=data, replayed=False, answered_at=NOON + serial)


INSIDE: list[Entry] = [asked(1, JOIN), told(1, TICKET)]
HELD: list[Entry] = [*INSIDE, asked(2, RESERVE, body={"scheduleId": 1, "seatId": SEAT}), told(2, RESERVED)]


def after(*entries: Entry) -> Answers:
    answers = Answers(opening_won=OPENING_WON, session_max_ms={"long": HOUR_MS})
    answers.take(0, entries)
    return answers


def a_row(**columns: object) -> AnyRow:
    return cast("AnyRow", SimpleNamespace(**columns))


def a_place(number: int, state: PlaceState = PlaceState.ADMITTED) -> AnyRow:
    return a_row(room_id="long", number=number, buyer_id=BUYER, state=state, ended_at=None, end_cause=None)


def a_hold(state: HoldState) -> AnyRow:
    ended_at = None if state is HoldState.OPEN else NOON + 3
    return a_row(
        id=HOLD,
        buyer_id=BUYER,
        place_number=1,
        state=state,
        placed_at=NOON,
        expires_at=UNTIL,
        ended_at=ended_at,
    )


def stored(*, holds: tuple[AnyRow, ...] = (), places: tuple[AnyRow, ...] = (a_place(1),)) -> Stored:
    names = {HoldState.RELEASED: "HoldReleased", HoldState.EXPIRED: "HoldExpired"}
    events = [(name, HOLD) for hold in holds for name in ("HoldPlaced", names.get(hold.state)) if name is not None]
    return Stored(
        read_at=NOON + 10,
        places={(row.room_id, row.number): row for row in places},
        places_of={BUYER: places},
        passes={},
        holds={row.id: row for row in holds},
        holds_of={BUYER: holds},
        seats={row.id: frozenset({SEAT}) for row in holds},
        orders={},
        charges={BUYER: [OPENING_WON]},
        balances={BUYER: OPENING_WON},
        events=Counter(events),
        notified=Counter(),
        outages=(),
        unsent=0,
    )


def wrong(answers: Answers, found: Stored) -> list[str]:
    return answers.wrong + Books(answers, found, opening_won=OPENING_WON).wrong()


def test_what_was_told_and_is_there_is_no_contradiction() -> None:
    assert wrong(after(*HELD), stored(holds=(a_hold(HoldState.OPEN),))) == []


@pytest.mark.parametrize("holds", [(), (a_hold(HoldState.RELEASED),), (a_hold(HoldState.EXPIRED),)])
def test_a_hold_that_is_gone_is_missed(holds: tuple[AnyRow, ...]) -> None:
    assert wrong(after(*HELD), stored(holds=holds)) != []


@pytest.mark.parametrize("state", [HoldState.OPEN, HoldState.RELEASED])
def test_a_release_without_an_answer_may_have_been_or_not(state: HoldState) -> None:
    answers = after(*HELD, asked(3, RELEASE), Lost(serial=3))

    assert wrong(answers, stored(holds=(a_hold(state),))) == []


def test_a_release_that_was_answered_has_been() -> None:
    answers = after(*HELD, asked(3, RELEASE), told(3, {}))

    assert wrong(answers, stored(holds=(a_hold(HoldState.RELEASED),))) == []
    assert wrong(answers, stored(holds=(a_hold(HoldState.OPEN),))) != []


def test_what_nobody_asked_for_is_found() -> None:
    assert wrong(after(*INSIDE), stored(holds=(a_hold(HoldState.OPEN),))) != []


@pytest.mark.parametrize(("key", "is_possible"), [(None, True), ("once", False)])
def test_without_a_key_a_join_may_have_left_a_place_that_nobody_was_told_of(
    key: str | None, *, is_possible: bool
) -> None:
    again = jwt.encode({"num": 2}, "k" * 32)
    answers = after(
        asked(1, JOIN, key=key), Lost(serial=1), asked(2, JOIN, key=key), told(2, {**TICKET, "queueToken": again})
    )
    places = (a_place(1, PlaceState.EXPIRED), a_place(2, PlaceState.WAITING))

    assert (wrong(answers, stored(places=places)) == []) == is_possible
