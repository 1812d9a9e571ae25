"""A backup is made while everybody buys: restored elsewhere, all that was answered before it is there, and agrees."""

import asyncio
from pathlib import Path
from shutil import copyfile

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import Violations
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import PRICE_WON, a_room, a_show
from tests.e2e.harness.promises import CHARGE, PAY, calls, granted
from tests.e2e.harness.until import until

BUYERS = 60
STANDING = 10
PAID_BEFORE = 15
CHARGED = 1_000
# Those who only stand in line are never let in: as many as may be inside are those who buy.
ROOM = a_room("backup", a_show(seats=BUYERS), max_active=BUYERS, away_after_ms=600_000, idle_timeout_ms=600_000)


async def buy(fan: Fan, seat_id: int, evening: Evening) -> None:
    """Hold a seat and pay for it."""
    held = await fan.reserve(evening.show(ROOM.id).schedule_id, seat_id)
    assert held.ok, str(held)
    paid = await fan.pay(held.data["reservationId"])
    assert paid.ok, str(paid)


async def charge_until(done: asyncio.Event, fan: Fan) -> None:
    while not done.is_set():
        await fan.charge(CHARGED)


async def missing(fan: Fan, told: list[Answer], *, began_at: int) -> Violations:
    """Return what the buyer was told before *began_at* and does not find, or finds and was never told."""
    orders = {row["reservationId"] for row in await fan.mine("orders")}
    paid = [answer for answer in granted(told, PAY) if answer.buyer_id == fan.buyer_id]
    before = {answer.asked["reservationId"] for answer in paid if answer.answered_at < began_at}
    wrong = [f"{fan.buyer_id} lost {before - orders}"] * bool(before - orders)
    charged = [answer for answer in granted(told, CHARGE) if answer.buyer_id == fan.buyer_id]
    found = (await fan.balance() - OPENING_BALANCE_WON + PRICE_WON * len(orders)) // CHARGED
    answered = sum(answer.answered_at < began_at for answer in charged)
    if not answered <= found <= len(charged):
        wrong.append(f"{fan.buyer_id} finds {found} charges of {answered} to {len(charged)}")
    return wrong


async def sell_to(fans: list[Fan], evening: Evening) -> None:
    """Let *fans* in, and have each buy a seat of her own."""
    await asyncio.gather(*(fan.enter() for fan in fans))
    seats = evening.show(ROOM.id).seat_ids
    await asyncio.gather(*(buy(fan, seat_id, evening) for fan, seat_id in zip(fans, seats, strict=False)))


async def sell_and_back_up(evening: Evening, client: Client, target: Path) -> tuple[list[Fan], list[Fan], int]:
    """Make the backup in the middle of the sale; return who bought, who stands in line, and when it began."""
    fans = evening.fans(BUYERS, client, ROOM.id)
    await asyncio.gather(*(fan.enter() for fan in fans))
    standing = evening.fans(STANDING, client, ROOM.id)
    await asyncio.gather(*(fan.join() for fan in standing))
    seats = evening.show(ROOM.id).seat_ids
    first, second = fans[:PAID_BEFORE], fans[PAID_BEFORE:]
    await asyncio.gather(*(buy(fan, seat_id, evening) for fan, seat_id in zip(first, seats, strict=False)))
    done = asyncio.Event()
    charging = asyncio.gather(*(charge_until(done, fan) for fan in first))

    async def charged() -> int:
        return len(granted(client.record, CHARGE))

    await until(charged, lambda count: count >= PAID_BEFORE)
    began_at = now_ms()
    backup = asyncio.create_task(asyncio.to_thread(evening.cli, "backup", str(target)))
    await asyncio.gather(
        *(buy(fan, seat_id, evening) for fan, seat_id in zip(second, seats[PAID_BEFORE:], strict=True))
    )
    await backup
    done.set()
    await charging
    return fans, standing, began_at


async def test_all_that_was_answered_before_the_backup_is_in_it(evenings: Evenings, tmp_path: Path) -> None:
    target = tmp_path / "friday.db"
    with evenings(ROOM) as evening:
        async with evening.client() as client:
            fans, standing, began_at = await sell_and_back_up(evening, client, target)
            told = client.record
        evening.check()

    assert len(calls(told, CHARGE)) >= PAID_BEFORE
    numbers = [fan.number for fan in standing]
    with evening.restored(target, tmp_path / "elsewhere" / "stagedoor.db") as again:
        again.check()
        async with again.client() as client:
            refused = [await fan.at(client).check() for fan in standing]
            fans, standing = [fan.at(client) for fan in fans], [fan.at(client) for fan in standing]
            await asyncio.gather(*(fan.join() for fan in (*fans, *standing)))
            wrong = [one for fan in fans for one in await missing(fan, told, began_at=began_at)]
            newcomer = again.fans(1, client, ROOM.id)[0]
            await newcomer.join()
        again.check()

    assert {answer.status for answer in refused} == {401}
    assert [fan.number for fan in standing] == numbers
    assert newcomer.number > max(numbers)
    assert wrong == []


async def test_control_a_file_copied_while_it_is_written_to_is_found_out(evenings: Evenings, tmp_path: Path) -> None:
    target = tmp_path / "copied.db"
    with evenings(ROOM) as evening:
        async with evening.client() as client:
            fans = evening.fans(PAID_BEFORE, client, ROOM.id)
            await sell_to(fans, evening)
            began_at = now_ms() + 1
            copyfile(evening.database, target)
            told = client.record
        with evening.restored(target, tmp_path / "elsewhere" / "stagedoor.db") as again:
            async with again.client() as client:
                fans = [fan.at(client) for fan in fans]
                await asyncio.gather(*(fan.join() for fan in fans))
                wrong = [one for fan in fans for one in await missing(fan, told, began_at=began_at)]

    assert wrong != []
