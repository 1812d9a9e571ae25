"""A reservation is its buyer's alone: for everybody else it does not exist."""

from tests.e2e.harness.checkers import UNKNOWN, unexpected
from tests.e2e.harness.evening import House
from tests.e2e.harness.fan import let_in
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("not-yours", a_show(seats=2))
ROOMS = (ROOM,)


async def test_it_can_be_neither_paid_nor_released_nor_told_from_one_that_is_not_there(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        owner, stranger = evening.fans(2, client, ROOM.id)
        await let_in([owner, stranger])
        held = await owner.reserve(show.schedule_id, show.seat_ids[0])
        reservation_id = held.data["reservationId"]

        paid = await stranger.pay(reservation_id)
        released = await stranger.release(reservation_id)
        nothing_paid = await stranger.pay(reservation_id ^ 1)
        nothing_released = await stranger.release(reservation_id ^ 1)
        hers = await owner.pay(reservation_id)
        too_late = await stranger.pay(reservation_id)

    assert unexpected([paid, released, nothing_paid, nothing_released, too_late], UNKNOWN) == []
    assert without_request_id(paid.document) == without_request_id(nothing_paid.document)
    assert without_request_id(released.document) == without_request_id(nothing_released.document)
    assert hers.ok


async def test_it_is_not_in_her_list(evening: House) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        owner, stranger = evening.fans(2, client, ROOM.id)
        await let_in([owner, stranger])
        held = await owner.reserve(show.schedule_id, show.seat_ids[1])

        hers = await owner.mine("reservations")
        his = await stranger.mine("reservations")

    assert [row["reservationId"] for row in hers] == [held.data["reservationId"]]
    assert his == []


def without_request_id(document: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Return the envelope without what names the request."""
    return {**document, "exception": {k: v for k, v in document["exception"].items() if k != "requestId"}}
