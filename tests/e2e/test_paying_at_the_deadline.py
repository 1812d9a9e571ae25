"""Payments and rivals arrive around the deadline of a hold: each seat is paid or free again, never both."""

import asyncio

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import (
    GRANTED,
    HOLD_OVER,
    TAKEN,
    Violations,
    groups_split,
    money_astray,
    paid_out_of_time,
    paid_twice,
    seats_promised_twice,
    unexpected,
)
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evenings, House
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.promises import PAY, RESERVE, calls, instant, promises
from tests.e2e.harness.until import at_instant, come_right

SEATS = 48
ROOM = a_room("deadline", a_show(seats=SEATS), a_show(seats=1, in_days=31), idle_timeout_ms=600_000)
OWN_ROOMS = (ROOM,)
BROKEN = "deadline_ignored"
SETTINGS = {
    "HOLD_SECONDS": "3",  # time enough for a busy machine to hold every seat before the first deadline
    "OUTAGE_CREDIT_MAX_SECONDS": "0",  # a deadline is what was told: a machine that stands still moves none
}
STEP_MS = 5


async def pay_at(fan: Fan, held: Answer, offset_ms: int) -> None:
    """Pay *offset_ms* after the deadline (or before)."""
    await at_instant(instant(held.data["reservedUntilAt"]) + offset_ms)
    await fan.pay(held.data["reservationId"])


async def snatch_at(rival: Fan, held: Answer, offset_ms: int) -> None:
    """Try to take the seat *offset_ms* after its deadline, and pay at once if it is hers."""
    await at_instant(instant(held.data["reservedUntilAt"]) + offset_ms)
    taken = await rival.reserve(held.asked["scheduleId"], held.asked["seatId"])
    if taken.ok:
        await rival.pay(taken.data["reservationId"])


def offsets() -> list[int]:
    """Return instants around the deadline, as many before as after."""
    return [STEP_MS * (seat - SEATS // 2) for seat in range(SEATS)]


async def race(evening: House) -> tuple[list[Answer], Violations]:
    """Hold every seat, let owners and rivals loose around the deadlines; return the record and what is wrong."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        owners = evening.fans(SEATS, client, ROOM.id)
        rivals = evening.fans(SEATS, client, ROOM.id)
        await let_in([*owners, *rivals])
        held = await asyncio.gather(
            *(fan.reserve(show.schedule_id, seat_id) for fan, seat_id in zip(owners, show.seat_ids, strict=True))
        )
        paying = [pay_at(*race) for race in zip(owners, held, offsets(), strict=True)]
        snatching = [snatch_at(*race) for race in zip(rivals, held, reversed(offsets()), strict=True)]
        await asyncio.gather(*paying, *snatching)

        async def split() -> Violations:
            listed = await owners[0].seats(show.schedule_id, query="&status=all")
            return groups_split(client.record, listed.rows, at=now_ms())

        await at_instant(max(promise.deadline_at for promise in promises(client.record)))
        left_over = await come_right(split)
        balances = {fan.buyer_id: await fan.balance() for fan in [*owners, *rivals]}
    record = client.record
    wrong = left_over + paid_out_of_time(record) + seats_promised_twice(record) + paid_twice(record)
    return record, wrong + money_astray(record, opening=OPENING_BALANCE_WON, balances=balances)


async def an_expired_seat_is_closed_to_her_and_open_to_others(evening: House) -> None:
    """Let a hold run out, and have its buyer and somebody else ask for the seat at once."""
    show = evening.show(ROOM.id, 1)
    async with evening.client() as client:
        late, next_one = evening.fans(2, client, ROOM.id)
        await let_in([late, next_one])
        held = await late.reserve(show.schedule_id, *show.seat_ids)
        await at_instant(instant(held.data["reservedUntilAt"]))
        again = await late.reserve(show.schedule_id, *show.seat_ids)
        taken = await next_one.reserve(show.schedule_id, *show.seat_ids)

    assert again.verdict == TAKEN
    assert taken.ok, str(taken)


async def test_every_seat_is_paid_or_free_again(evenings: Evenings) -> None:
    with evenings(*OWN_ROOMS, **SETTINGS) as evening:
        await every_seat_is_paid_or_free_again(evening)
        evening.check()


async def every_seat_is_paid_or_free_again(evening: House) -> None:
    """Run the race, and see to what becomes of a hold that runs out."""
    record, wrong = await race(evening)
    await an_expired_seat_is_closed_to_her_and_open_to_others(evening)

    outcomes = {answer.verdict for answer in calls(record, PAY)}
    assert wrong == []
    assert outcomes == {GRANTED, HOLD_OVER}
    assert unexpected(calls(record, RESERVE), GRANTED, TAKEN) == []
    assert any(not promise.is_paid for promise in promises(record))


async def test_control_a_server_that_ignores_deadlines_is_found_out(broken: House) -> None:
    _, wrong = await race(broken)

    assert wrong != []
