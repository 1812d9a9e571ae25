import pytest

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.model import EndCause, PlaceState, PlaceView
from stagedoor.waiting_room.ports import EndPlace, PlaceEnded
from stagedoor.waiting_room.rejections import UnknownPlace
from stagedoor.waiting_room.revoking import RevokePlace

REF = PlaceRef(room_id=RoomId("main"), number=QueueNumber(7))
PLACE = PlaceView(
    ref=REF,
    buyer_id=BuyerId(42),
    state=PlaceState.REVOKED,
    position=0,
    token_expires_at=Instant(1),
    poll_after_ms=1_000,
)


async def test_the_place_ends_first_and_then_lets_its_seats_go() -> None:
    seen: list[object] = []

    async def end(command: EndPlace) -> PlaceEnded:
        seen.append(command)
        return PlaceEnded(place=PLACE, was_admitted=True)

    async def close_place(buyer_id: BuyerId, ref: PlaceRef) -> None:
        seen.append((buyer_id, ref))

    await RevokePlace(end=end, close_place=close_place).revoke(ref=REF, actor="key:ann")

    assert seen == [EndPlace(ref=REF, cause=EndCause.REVOKED, by="key:ann"), (BuyerId(42), REF)]


async def test_a_place_that_is_none_lets_nothing_go() -> None:
    async def end(_command: EndPlace) -> Rejection:
        return UnknownPlace()

    async def close_place(_buyer_id: BuyerId, _ref: PlaceRef) -> None:
        pytest.fail("there is nothing to let go")

    with pytest.raises(UnknownPlace):
        await RevokePlace(end=end, close_place=close_place).revoke(ref=REF, actor="key:ann")
