import pytest

from stagedoor.checkout.outcomes import HoldReceipt, OrderReceipt, ReleaseReceipt, Settled
from stagedoor.checkout.rejections import AlreadyPaid
from stagedoor.holds.rejections import HoldIsOver, SeatsTaken, SoldOut, TooManySeats, UnknownHold
from stagedoor.http.listings import PROGRAMME_GOOD_MS
from stagedoor.kernel.clock import HOUR_MS, MINUTE_MS, SECOND_MS, later
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import HoldId, OrderId, PerformanceId, PlaceRef, QueueNumber, SeatId
from stagedoor.kernel.money import Won
from stagedoor.seating.model import SeatState
from stagedoor.seating.rejections import UnknownPerformance, UnknownSeat
from stagedoor.waiting_room.rejections import PlaceIsOver, StillWaiting, UnknownPlace
from stagedoor.wallet.rejections import BalanceTooSmall
from tests.integration.http.asking import Asking
from tests.integration.http.stage import ALICE, CLUB_NIGHT, MAIN, NOON, STALE_LIST_MS_MAX, Stage

HOLD = HoldId(5_277_655_813_324_801)


def held(*, answered_in_ms: int = 0, performance_id: PerformanceId = CLUB_NIGHT, replayed: bool = False) -> Settled:
    receipt = HoldReceipt(
        hold_id=HOLD,
        buyer_id=ALICE,
        performance_id=performance_id,
        seat_ids=(SeatId(11), SeatId(12)),
        amount_won=Won(100_000),
        placed_at=NOON,
        expires_at=later(NOON, 5 * MINUTE_MS),
        answered_at=later(NOON, answered_in_ms),
    )
    return Settled(receipt=receipt, replayed=replayed)


def paid(*, place_over: bool = True) -> Settled:
    return Settled(
        receipt=OrderReceipt(
            order_id=OrderId(9),
            hold_id=HOLD,
            place=PlaceRef(room_id=MAIN, number=QueueNumber(31)),
            amount_won=Won(100_000),
            paid_at=NOON,
            place_over=place_over,
        )
    )


async def test_the_schedule(stage: Stage, client: Asking) -> None:
    reply = await client.ask("GET", "/concerts/schedule", token=stage.token())

    assert [row["scheduleId"] for row in reply.data] == [CLUB_NIGHT]
    assert reply.headers["cache-control"] == "private, no-cache"
    assert reply.headers["vary"] == "accept-encoding"


async def test_the_whole_schedule(stage: Stage, client: Asking) -> None:
    reply = await client.ask("GET", "/concerts/schedule?status=all", token=stage.token())

    assert [row["seatStatus"] for row in reply.data] == ["AVAILABLE", "SOLD_OUT"]


@pytest.mark.parametrize("path", ["/concerts/schedule", "/concerts/seat?scheduleId=1", "/concerts"])
async def test_a_list_one_has_already_is_not_sent_again(stage: Stage, client: Asking, path: str) -> None:
    first = await client.ask("GET", path, token=stage.token())

    again = await client.ask("GET", path, token=stage.token(), headers={"if-none-match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-type" not in again.headers
    assert again.headers["stagedoor-identity"] == "demo"


@pytest.mark.parametrize("path", ["/concerts/schedule", "/concerts/seat?scheduleId=1"])
@pytest.mark.parametrize(
    ("refusal", "verdict"),
    [(StillWaiting(), (403, "403")), (PlaceIsOver(), (410, "003")), (UnknownPlace(), (401, "401"))],
)
async def test_only_the_admitted_see_lists(
    stage: Stage, client: Asking, path: str, refusal: Rejection, verdict: tuple[int, str]
) -> None:
    stage.door.refusal = refusal

    assert (await client.ask("GET", path, token=stage.token())).verdict == verdict


@pytest.mark.parametrize("schedule_id", [2, 3, 99])
@pytest.mark.parametrize("refusal", [None, StillWaiting(), PlaceIsOver()])
async def test_what_is_not_there_is_said_before_what_is_not_allowed(
    stage: Stage, client: Asking, schedule_id: int, refusal: Rejection | None
) -> None:
    stage.door.refusal = refusal

    reply = await client.ask("GET", f"/concerts/seat?scheduleId={schedule_id}", token=stage.token())

    assert reply.verdict == (404, "404")


async def test_a_place_that_is_not_known_comes_before_both(stage: Stage, client: Asking) -> None:
    stage.door.refusal = UnknownPlace()

    assert (await client.ask("GET", "/concerts/seat?scheduleId=99", token=stage.token())).verdict == (401, "401")


async def test_free_seats_and_all_seats(stage: Stage, client: Asking) -> None:
    stage.seating.states = {SeatId(12): SeatState.SOLD}

    free = await client.ask("GET", "/concerts/seat?scheduleId=1", token=stage.token())
    everything = await client.ask("GET", "/concerts/seat?scheduleId=1&status=all", token=stage.token())

    assert [row["seatId"] for row in free.data] == [11, 13]
    assert [row["seatStatus"] for row in everything.data] == ["AVAILABLE", "RESERVED", "AVAILABLE"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "scheduleId"),
        ("?scheduleId=", "scheduleId"),
        ("?scheduleId=x", "scheduleId"),
        ("?scheduleId=1&scheduleId=1", "scheduleId"),
        ("?scheduleId=1&status=free", "status"),
        ("?scheduleId=%ff", "query"),
        ("?" + "&".join(["x=1"] * 60), "query"),
    ],
)
async def test_a_query_that_cannot_be_read(stage: Stage, client: Asking, query: str, field: str) -> None:
    reply = await client.ask("GET", f"/concerts/seat{query}", token=stage.token())

    assert reply.verdict == (400, "400")
    assert reply.field == field


@pytest.mark.parametrize("path", ["/concerts/schedule", "/concerts/seat?scheduleId=1", "/concerts"])
async def test_an_outage_is_never_an_empty_list(stage: Stage, client: Asking, path: str) -> None:
    stage.seating.is_out = True

    reply = await client.ask("GET", path, token=stage.token())

    assert reply.verdict == (503, "503")
    assert reply.headers["retry-after"] == "1"
    assert reply.exception["retryAfterMs"] == 1_000


@pytest.mark.parametrize("path", ["/concerts/schedule", "/concerts/seat?scheduleId=1", "/concerts"])
async def test_in_an_outage_the_last_list_is_given_marked_with_its_age(stage: Stage, client: Asking, path: str) -> None:
    fresh = await client.ask("GET", path, token=stage.token())
    stage.seating.is_out = True
    stage.clock.advance(PROGRAMME_GOOD_MS + 47 * SECOND_MS)

    old = await client.ask("GET", path, token=stage.token())
    again = await client.ask("GET", path, token=stage.token(), headers={"if-none-match": old.headers["etag"]})
    marked = await client.ask("GET", path, token=stage.token(), headers={"if-none-match": fresh.headers["etag"]})
    stage.clock.advance(STALE_LIST_MS_MAX)
    refused = await client.ask("GET", path, token=stage.token())

    assert "age" not in fresh.headers
    assert "stale" not in fresh.document
    assert old.document == fresh.document | {"stale": True}
    assert [reply.headers["age"] for reply in (old, again, marked)] == ["47"] * 3
    assert [reply.status for reply in (old, again, marked)] == [200, 304, 200]
    assert refused.verdict == (503, "503")
    assert "retry-after" in refused.headers


async def test_what_is_on_is_for_everybody(client: Asking) -> None:
    reply = await client.ask("GET", "/concerts")

    assert [row["room"] for row in reply.data] == ["main", "other", "main"]
    assert reply.headers["cache-control"] == "private, no-cache"


async def test_a_reservation(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(held())

    reply = await client.ask(
        "POST", "/concerts/reserve", json={"scheduleId": 1, "seatIds": [11, 12]}, token=stage.token()
    )

    assert reply.data == {
        "reservationId": HOLD,
        "seatStatus": "TEMP_RESERVED",
        "reservedDate": "2027-01-02 12:04:05",
        "reservedUntilDate": "2027-01-02 12:09:05",
        "reservedAt": "2027-01-02T03:04:05.678Z",
        "reservedUntilAt": "2027-01-02T03:09:05.678Z",
        "reservedUntilInSeconds": 300,
        "scheduleId": 1,
        "seatIds": [11, 12],
        "amount": 100_000,
    }
    assert stage.till.asked == [
        {
            "ref": PlaceRef(room_id=MAIN, number=QueueNumber(31)),
            "buyer_id": ALICE,
            "performance_id": 1,
            "seat_ids": (11, 12),
            "key": None,
        }
    ]


async def test_one_seat_may_be_asked_for_by_itself(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(held())

    await client.ask("POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": 11}, token=stage.token())

    assert stage.till.asked[0]["seat_ids"] == (11,)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scheduleId": 1}, "seatId"),
        ({"scheduleId": 1, "seatId": 11, "seatIds": [12]}, "seatIds"),
        ({"scheduleId": 1, "seatIds": [11, 11]}, "seatIds"),
        ({"scheduleId": 1, "seatIds": []}, "seatIds"),
        ({"seatId": 11}, "scheduleId"),
        ({"scheduleId": "1", "seatId": 11}, "scheduleId"),
        ({"scheduleId": 1, "seatId": 2**53}, "seatId"),
    ],
)
async def test_seats_are_asked_for_in_one_way(
    stage: Stage, client: Asking, body: dict[str, object], field: str
) -> None:
    reply = await client.ask("POST", "/concerts/reserve", json=body, token=stage.token())

    assert (reply.verdict, reply.field) == ((400, "400"), field)


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnknownPlace(), 401, "401"),
        (UnknownPerformance(), 404, "404"),
        (UnknownSeat(), 404, "404"),
        (PlaceIsOver(), 410, "003"),
        (StillWaiting(), 403, "001"),
        (TooManySeats(4), 409, "007"),
        (SoldOut(), 409, "002"),
        (SeatsTaken(), 409, "004"),
    ],
)
async def test_no_reservation(stage: Stage, client: Asking, refusal: Rejection, status: int, code: str) -> None:
    stage.till.outcomes.append(refusal)

    reply = await client.ask("POST", "/concerts/reserve", json={"scheduleId": 1, "seatId": 11}, token=stage.token())

    assert reply.verdict == (status, code)


async def test_nobody_reserves_for_somebody_else(stage: Stage, client: Asking) -> None:
    body = {"scheduleId": 1, "seatId": 11, "userId": ALICE + 1}

    assert (await client.ask("POST", "/concerts/reserve", json=body, token=stage.token())).verdict == (403, "403")


async def test_a_reservation_that_was_made_can_be_told_wherever_it_is(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(held(performance_id=PerformanceId(99)))

    reply = await client.ask("POST", "/concerts/reserve", json={"scheduleId": 99, "seatId": 1}, token=stage.token())

    assert reply.data["reservedDate"] == "2027-01-02 12:04:05"


async def test_releasing(stage: Stage, client: Asking) -> None:
    stage.till.outcomes.append(Settled(receipt=ReleaseReceipt(hold_id=HOLD, released_at=NOON)))

    reply = await client.ask("DELETE", f"/concerts/reserve/{HOLD}", token=stage.token())

    assert reply.data == {"reservationId": HOLD, "seatStatus": "AVAILABLE"}
    assert stage.till.asked == [{"hold_id": HOLD, "buyer_id": ALICE, "key": None}]


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [(UnknownHold(), 404, "404"), (AlreadyPaid(), 409, "409"), (HoldIsOver(), 410, "006")],
)
async def test_no_release(stage: Stage, client: Asking, refusal: Rejection, status: int, code: str) -> None:
    stage.till.outcomes.append(refusal)

    assert (await client.ask("DELETE", "/concerts/reserve/5?userId=7")).verdict == (status, code)


@pytest.mark.parametrize("text", ["x", "0", "-1", "9007199254740992", "1.5"])
async def test_what_names_no_reservation(client: Asking, text: str) -> None:
    reply = await client.ask("DELETE", f"/concerts/reserve/{text}?userId=7")

    assert (reply.verdict, reply.field) == ((400, "400"), "reservationId")


@pytest.mark.parametrize(("place_over", "word"), [(True, "DONE"), (False, "PROGRESS")])
async def test_a_payment(stage: Stage, client: Asking, place_over: bool, word: str) -> None:  # noqa: FBT001
    stage.till.outcomes.append(paid(place_over=place_over))

    reply = await client.ask("POST", "/concerts/payment", json={"reservationId": HOLD}, token=stage.token())

    assert reply.data == {
        "paymentAmount": 100_000,
        "seatStatus": "RESERVED",
        "queueStatus": word,
        "orderId": 9,
        "reservationId": HOLD,
        "paidAt": "2027-01-02T03:04:05.678Z",
    }
    assert stage.till.asked == [{"hold_id": HOLD, "buyer_id": ALICE, "key": None}]


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnknownHold(), 404, "404"),
        (AlreadyPaid(), 409, "409"),
        (HoldIsOver(), 410, "006"),
        (BalanceTooSmall(), 402, "005"),
    ],
)
async def test_no_payment(stage: Stage, client: Asking, refusal: Rejection, status: int, code: str) -> None:
    stage.till.outcomes.append(refusal)

    reply = await client.ask("POST", "/concerts/payment", json={"reservationId": HOLD}, token=stage.token())

    assert reply.verdict == (status, code)


async def test_paying_needs_no_place_in_the_line(stage: Stage, client: Asking) -> None:
    stage.door.refusal = PlaceIsOver()
    stage.till.outcomes.append(paid())

    assert (await client.ask("POST", "/concerts/payment", json={"reservationId": 5, "userId": 7})).status == 200


async def test_a_performance_that_has_begun_can_be_read_until_it_is_over(stage: Stage, client: Asking) -> None:
    stage.clock.advance(24 * HOUR_MS)
    begun = await client.ask("GET", "/concerts/seat?scheduleId=1", token=stage.token())
    listed = await client.ask("GET", "/concerts/schedule", token=stage.token())
    stage.clock.advance(150 * MINUTE_MS)

    over = await client.ask("GET", "/concerts/seat?scheduleId=1", token=stage.token())

    assert begun.status == 200
    assert listed.data == []
    assert over.verdict == (404, "404")
