"""Where several refusals would fit, the first in the contract's order is given, whoever asks and however often."""

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import (
    BALANCE,
    GRANTED,
    HOLD_OVER,
    LIMIT,
    PAID_ALREADY,
    PLACE_OVER,
    SOLD_OUT,
    TAKEN,
    UNKNOWN,
    WAITING,
    Verdict,
)
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import let_in
from tests.e2e.harness.programme import a_room, a_show

UNREADABLE: Verdict = (400, "400")
NO_TOKEN: Verdict = (401, "401")
NOT_INSIDE: Verdict = (403, "403")
OTHER_BODY: Verdict = (422, "422")

DEAR_WON = 400_000
OPEN = a_room(
    "decisions",
    a_show(seats=12),
    a_show(seats=1, in_days=31),
    a_show(seats=2, price_won=DEAR_WON, in_days=32),
    a_show(seats=2, price_won=DEAR_WON, in_days=33),
)
SHUT = a_room("decisions-shut", a_show(seats=2), state="PAUSED")
ROOMS = (OPEN, SHUT)


async def check_order(*pairs: tuple[Answer, Verdict]) -> None:
    """Compare all at once, so that a failure shows every case that is wrong."""
    assert [f"{answer}, not {verdict}" for answer, verdict in pairs if answer.verdict != verdict] == []


async def test_what_cannot_be_read_is_said_before_who_asks(evening: Evening) -> None:
    async with evening.client() as client:
        path = "/concerts/reserve"
        text = {"Content-Type": "text/plain"}

        await check_order(
            (await client.ask("POST", path, raw=b"[" * 9_000 + b"x" * 9_000), (413, "413")),
            (await client.ask("POST", path, raw=b"x" * 17_000, headers=text), (413, "413")),
            (await client.ask("POST", path, raw=b"{}", headers=text), (415, "415")),
            (await client.ask("POST", path, raw=b"{"), UNREADABLE),
            (await client.ask("POST", path, body={"scheduleId": 1}), UNREADABLE),
            (await client.ask("POST", path, body={"scheduleId": 1, "seatId": 1}), NO_TOKEN),
            (await client.ask("POST", path, body={"scheduleId": 1, "seatId": 1}, token="nobody"), NO_TOKEN),  # noqa: S106
            (await client.ask("POST", "/user/amount", body={"amount": 0}), UNREADABLE),
            (await client.ask("POST", "/concerts/payment", body={"reservationId": 1}), NO_TOKEN),
        )


async def test_who_waits(evening: Evening) -> None:
    show = evening.show(SHUT.id)
    async with evening.client() as client:
        fan = evening.fan(client, SHUT.id)
        await fan.join()

        await check_order(
            (await fan.reserve(show.schedule_id, 999_999_999), UNKNOWN),
            (await fan.reserve(999_999, show.seat_ids[0]), UNKNOWN),
            (await fan.seats(999_999), UNKNOWN),
            (await fan.pay(1), UNKNOWN),
            (await fan.release(1), UNKNOWN),
            (await fan.reserve(show.schedule_id, show.seat_ids[0]), WAITING),
            (await fan.schedule(), NOT_INSIDE),
            (await fan.seats(show.schedule_id), NOT_INSIDE),
            (await fan.charge(1_000), GRANTED),
        )


async def test_whose_place_is_over(evening: Evening) -> None:
    show, single = evening.show(OPEN.id, 0), evening.show(OPEN.id, 1)
    async with evening.client() as client:
        fan, other = evening.fans(2, client, OPEN.id)
        await let_in([fan, other])
        await other.reserve(single.schedule_id, single.seat_ids[0])
        held = await fan.reserve(show.schedule_id, show.seat_ids[0], key="hold")
        reservation_id = held.data["reservationId"]
        await fan.pay(reservation_id, key="pay")

        replayed = await fan.reserve(show.schedule_id, show.seat_ids[0], key="hold")
        await check_order(
            (replayed, GRANTED),
            (await fan.reserve(show.schedule_id, show.seat_ids[1], key="hold"), OTHER_BODY),
            (await fan.pay(reservation_id, key="pay"), GRANTED),
            (await fan.pay(reservation_id), PAID_ALREADY),
            (await fan.pay(reservation_id, key="another"), PAID_ALREADY),
            (await fan.release(reservation_id), PAID_ALREADY),
            (await fan.reserve(show.schedule_id, 999_999_999), UNKNOWN),
            (await fan.reserve(single.schedule_id, single.seat_ids[0]), PLACE_OVER),
            (await fan.reserve(show.schedule_id, *show.seat_ids[1:6]), PLACE_OVER),
            (await fan.schedule(), PLACE_OVER),
        )
        assert replayed.raw == held.raw
        await other.leave()


async def test_who_is_inside(evening: Evening) -> None:
    show = evening.show(OPEN.id, 0)
    async with evening.client() as client:
        fan, other = evening.fans(2, client, OPEN.id)
        await let_in([fan, other])
        await other.reserve(show.schedule_id, show.seat_ids[2])
        await fan.reserve(show.schedule_id, *show.seat_ids[3:7])

        await check_order(
            (await fan.reserve(show.schedule_id, show.seat_ids[2]), LIMIT),
            (await fan.reserve(show.schedule_id, show.seat_ids[7]), LIMIT),
            (await fan.reserve(show.schedule_id, *show.seat_ids[3:7]), GRANTED),
            (await other.reserve(show.schedule_id, show.seat_ids[3]), TAKEN),
            (await other.reserve(show.schedule_id, show.seat_ids[2], show.seat_ids[8]), TAKEN),
        )
        for leaver in (fan, other):
            await leaver.leave()


async def test_when_it_is_sold_out(evening: Evening) -> None:
    dear = evening.show(OPEN.id, 2)
    async with evening.client() as client:
        buyer, late, rich = evening.fans(3, client, OPEN.id)
        await let_in([buyer, late, rich])
        await buyer.charge(2 * DEAR_WON)
        await rich.charge(2 * DEAR_WON)
        held = await buyer.reserve(dear.schedule_id, *dear.seat_ids)

        await check_order(
            (await late.reserve(dear.schedule_id, dear.seat_ids[0]), TAKEN),
            (await buyer.pay(held.data["reservationId"]), GRANTED),
            (await late.reserve(dear.schedule_id, dear.seat_ids[0]), SOLD_OUT),
            (await rich.reserve(dear.schedule_id, *dear.seat_ids), SOLD_OUT),
        )


async def test_holds_and_balances(evening: Evening) -> None:
    dear = evening.show(OPEN.id, 3)
    async with evening.client() as client:
        fan = evening.fan(client, OPEN.id)
        await fan.enter()
        held = await fan.reserve(dear.schedule_id, dear.seat_ids[0])
        reservation_id = held.data["reservationId"]

        await check_order(
            (await fan.pay(reservation_id), BALANCE),
            (await fan.reserve(dear.schedule_id, dear.seat_ids[0]), GRANTED),
            (await fan.release(reservation_id), GRANTED),
            (await fan.pay(reservation_id), HOLD_OVER),
            (await fan.release(reservation_id), HOLD_OVER),
        )
