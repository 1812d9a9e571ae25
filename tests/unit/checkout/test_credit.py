"""What an outage gives back: as much as it took, to whom it took it from, and only later."""

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.checkout.deciding import credit
from stagedoor.holds.model import ExtensionCause, HeldSeat, Hold
from stagedoor.kernel.clock import Outage, later
from stagedoor.kernel.ids import HoldId, SeatId
from tests.builders.sale import ANN, NOON, PLAY, PRICE, a_place

HOLD_MS = 300_000
NO_END = 1 << 50


def a_hold(placed_ms: int = 0, *seat_ids: int) -> Hold:
    """Return a hold placed so many milliseconds after noon."""
    return Hold(
        id=HoldId(7),
        buyer_id=ANN,
        place=a_place(1),
        performance_id=PLAY,
        seats=tuple(HeldSeat(seat_id=SeatId(seat_id), price_won=PRICE) for seat_id in seat_ids or (1,)),
        placed_at=later(NOON, placed_ms),
        expires_at=later(NOON, placed_ms + HOLD_MS),
    )


def hers(hold: Hold) -> dict[SeatId, HoldId | None]:
    return dict.fromkeys(hold.seat_ids, hold.id)


@given(began_ms=st.integers(0, HOLD_MS - 1), lasted_ms=st.integers(1, 10_000_000))
def test_what_was_left_when_it_began_is_left_when_it_ends(began_ms: int, lasted_ms: int) -> None:
    hold = a_hold()
    outage = Outage(later(NOON, began_ms), later(NOON, began_ms + lasted_ms), lasted_ms)

    [(before, after)] = credit.extend([hold], hers(hold), outage, sum_max_ms=NO_END)

    assert after.expires_at - outage.ended_at == before.expires_at - outage.began_at
    assert (after.extended_ms, after.extension_cause) == (lasted_ms, ExtensionCause.OUTAGE)


@given(
    placed_ms=st.integers(-HOLD_MS + 1, 20_000),
    lasted_ms=st.integers(1, 10_000),
    credited_ms=st.integers(0, 10_000),
    taken=st.booleans(),
)
def test_a_deadline_moves_only_later_and_by_no_more_than_is_given(
    placed_ms: int, lasted_ms: int, credited_ms: int, *, taken: bool
) -> None:
    hold = a_hold(placed_ms)
    outage = Outage(NOON, later(NOON, lasted_ms), min(credited_ms, lasted_ms))

    extensions = credit.extend([hold], {SeatId(1): HoldId(8) if taken else hold.id}, outage, sum_max_ms=NO_END)

    given_ms = [after.expires_at - before.expires_at for before, after in extensions]
    expected = max(0, min(outage.credited_ms, lasted_ms - placed_ms))
    assert given_ms == ([expected] if expected and not taken else [])


@given(
    lasted_ms=st.lists(st.integers(1, 5_000), min_size=1, max_size=20),
    sum_max_ms=st.integers(0, 30_000),
    lowered_to_ms=st.integers(0, 30_000),
)
def test_however_many_outages_there_are_a_hold_gets_no_more_of_them_than_the_maximum(
    lasted_ms: list[int], sum_max_ms: int, lowered_to_ms: int
) -> None:
    hold = placed = a_hold()
    now = placed.placed_at
    for each_ms in lasted_ms:
        now, ended_at = later(now, 1_000), later(now, 1_000 + each_ms)
        outage = Outage(now, ended_at, each_ms)
        for extension in credit.extend([hold], hers(hold), outage, sum_max_ms=sum_max_ms):
            hold = extension.after
        now = ended_at

    assert hold.extended_ms == hold.expires_at - placed.expires_at == min(sum(lasted_ms), sum_max_ms)
    lowered = credit.extend([hold], hers(hold), Outage(now, later(now, 1), 1), sum_max_ms=lowered_to_ms)
    assert bool(lowered) == (lowered_to_ms > hold.extended_ms)


def test_a_group_of_which_one_seat_is_gone_is_over_as_a_whole() -> None:
    hold = a_hold(0, 1, 2)
    outage = Outage(later(NOON, HOLD_MS - 1), later(NOON, 2 * HOLD_MS), HOLD_MS + 1)

    assert credit.extend([hold], {SeatId(1): hold.id, SeatId(2): None}, outage, sum_max_ms=NO_END) == []
    assert len(credit.extend([hold], hers(hold), outage, sum_max_ms=NO_END)) == 1


def test_it_is_told_with_the_new_deadline_and_once_an_instant() -> None:
    hold = a_hold()
    outage = Outage(NOON, later(NOON, 5_000), 5_000)
    [extension] = credit.extend([hold], hers(hold), outage, sum_max_ms=NO_END)

    told, again, another = (credit.tell(extension, later(NOON, at)) for at in (5_000, 5_000, 9_000))

    assert (told.expires_at, told.extended_ms, told.seat_ids) == (later(NOON, HOLD_MS + 5_000), 5_000, (1,))
    assert told.event_id == again.event_id != another.event_id
