"""What the witness makes of a place that was over before its buyer was told it would be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert

from stagedoor.adapters.sql.tables import admission_pass, closed_place, line_mark, place
from stagedoor.kernel.clock import SECOND_MS, Instant, later
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, HoldId, PlaceRef, QueueNumber
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from tests.builders.sale import NOON
from tests.builders.store import before_the_sale
from tests.simulation.witness import ToldHold, Witness

REF = PlaceRef(room_id=MAIN_ROOM, number=QueueNumber(1))
HER = BuyerId(1)
ENDED_AT = later(NOON, 2 * SECOND_MS)
PROMISED_UNTIL = later(NOON, 10 * SECOND_MS)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Connection]:
    database = tmp_path / "journal.db"
    database.write_bytes(before_the_sale())
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_leave_that_waited_its_turn_breaks_no_promise(journal: Connection) -> None:
    witness = _joined()
    witness.ask_to_leave(REF)
    _is_told_to_be_inside(witness)
    _ends(journal, EndCause.LEFT)

    assert _contradictions_of_a_refusal(witness, journal) == []


def test_nobody_leaves_who_has_not_asked_to(journal: Connection) -> None:
    witness = _joined()
    _is_told_to_be_inside(witness)
    _ends(journal, EndCause.LEFT)

    assert _contradictions_of_a_refusal(witness, journal) == [
        f"{REF} was over at {ENDED_AT}, and promised until {PROMISED_UNTIL}",
        f"{REF} ended at {ENDED_AT} ({EndCause.LEFT:d}), and was promised until {PROMISED_UNTIL}",
    ]


@pytest.mark.parametrize("cause", [EndCause.IDLE, EndCause.SESSION_OVER, EndCause.PAID])
def test_a_leave_that_was_asked_for_excuses_no_other_end(journal: Connection, cause: EndCause) -> None:
    witness = _joined()
    witness.ask_to_leave(REF)
    _is_told_to_be_inside(witness)
    _ends(journal, cause)

    assert f"{REF} was over at {ENDED_AT}, and promised until {PROMISED_UNTIL}" in _contradictions_of_a_refusal(
        witness, journal
    )


def test_a_place_that_lives_was_refused_falsely(journal: Connection) -> None:
    witness = _joined()
    witness.ask_to_leave(REF)
    _is_told_to_be_inside(witness)
    _ends(journal, None)

    assert _contradictions_of_a_refusal(witness, journal) == [
        f"{REF} was over at {ENDED_AT}, and promised until {PROMISED_UNTIL}"
    ]


@pytest.mark.parametrize("asked", [True, False])
def test_a_payment_closes_a_place_to_the_sale_before_the_line_hears_of_it(journal: Connection, *, asked: bool) -> None:
    witness = _joined()
    _is_told_to_be_inside(witness)
    hold = ToldHold(buyer_id=HER, seat_ids=(), until=PROMISED_UNTIL, place=REF, pay_asked=asked)
    _ends(journal, None)
    journal.execute(insert(closed_place).values(room_id=REF.room_id, place_number=REF.number, closed_at=ENDED_AT))
    witness.refused_place(REF, ENDED_AT)
    witness.holds[HoldId(1)] = hold

    witness.look_at(journal, ENDED_AT)

    early = f"{REF} was over at {ENDED_AT}, and promised until {PROMISED_UNTIL}"
    assert (early in witness.contradictions) is not asked


def _joined() -> Witness:
    witness = Witness(away_after_ms=20 * SECOND_MS)
    witness.told_joined(_view(PlaceState.WAITING), NOON, replayed=False)
    return witness


def _is_told_to_be_inside(witness: Witness) -> None:
    inside = _view(PlaceState.ADMITTED)._replace(
        admitted_at=NOON, session_ends_at=later(NOON, 60 * SECOND_MS), idle_ends_at=PROMISED_UNTIL
    )
    witness.told_place(inside, NOON, machine_now=NOON)


def _view(state: PlaceState) -> PlaceView:
    return PlaceView(
        ref=REF,
        buyer_id=HER,
        state=state,
        position=1 if state is PlaceState.WAITING else 0,
        token_expires_at=later(NOON, 3_600 * SECOND_MS),
        poll_after_ms=SECOND_MS,
        estimated_wait_ms=None,
    )


def _ends(journal: Connection, cause: EndCause | None) -> None:
    """Journal her admission at noon, and how it ended, if it did."""
    ended_at: Instant | None = None if cause is None else ENDED_AT
    end = {"ended_at": ended_at, "end_cause": cause}
    state = {None: PlaceState.ADMITTED, EndCause.PAID: PlaceState.DONE}.get(cause, PlaceState.EXPIRED)
    its = {"room_id": REF.room_id, "number": REF.number}
    journal.execute(
        insert(place).values(
            **its,
            **end,
            buyer_id=HER,
            living_buyer_id=HER if cause is None else None,
            state=state,
            counts=False,
            joined_at=NOON,
            token_expires_at=later(NOON, 3_600 * SECOND_MS),
        )
    )
    journal.execute(
        insert(admission_pass).values(
            **its,
            **end,
            returner=False,
            admitted_at=NOON,
            max_active=5,
            session_ends_at=later(NOON, 60 * SECOND_MS),
            entered_at=NOON,
        )
    )
    journal.execute(insert(line_mark).values(room_id=REF.room_id, last_number=1, serving_number=1))


def _contradictions_of_a_refusal(witness: Witness, journal: Connection) -> list[str]:
    witness.refused_place(REF, ENDED_AT)
    witness.look_at(journal, ENDED_AT)
    return witness.contradictions
