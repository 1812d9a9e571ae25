"""The disk is full: nobody joins or buys, all else goes on, nothing is lost, and no restart is needed afterwards."""

from pathlib import Path

import pytest

from tests.disk.disks import DISKS, KINDS
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evening
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import PRICE_WON, a_room, a_show
from tests.e2e.harness.promises import instant
from tests.e2e.harness.until import at_instant, until

SEATS = 20
INSIDE = 5
ROOM = a_room("full", a_show(seats=SEATS), max_active=INSIDE, away_after_ms=600_000, idle_timeout_ms=600_000)
HOLD_SECONDS = "6"
BREAKERS = """
[resilience4j.circuitbreaker.instances.database]
waitDurationInOpenState = "1s"

[resilience4j.circuitbreaker.instances.saleService]
waitDurationInOpenState = "1s"
"""
"""A full disk opens them, and half a minute would be a long story."""


def settings_for(folder: Path) -> dict[str, str]:
    breakers = folder / "stagedoor.toml"
    breakers.write_text(BREAKERS)
    return {"HOLD_SECONDS": HOLD_SECONDS, "CONFIG": str(breakers), "LOG_LEVEL": "info"}


async def join_anew(evening: Evening, client: Client) -> Answer:
    return await evening.fans(1, client, ROOM.id)[0].join()


async def refusals_of_a_full_disk(evening: Evening, client: Client, holder: Fan, reservation_id: int) -> list[Answer]:
    """Ask for everything that would have to be written."""
    show = evening.show(ROOM.id)
    return [
        await join_anew(evening, client),
        await holder.reserve(show.schedule_id, show.seat_ids[-1]),
        await holder.pay(reservation_id),
        await holder.charge(1_000),
    ]


async def answers_of_a_full_disk(evening: Evening, inside: list[Fan], waiting: list[Fan]) -> list[Answer]:
    """Ask for everything that is known already."""
    show = evening.show(ROOM.id)
    one = inside[-1]
    return [
        *[await fan.check() for fan in (*inside, *waiting)],
        await one.schedule(),
        await one.seats(show.schedule_id),
        await one.client.ask("GET", f"/queue/status?room={ROOM.id}"),
        await one.client.ask("GET", "//healthz"),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_full_disk_stops_what_is_new_and_loses_nothing(kind: str, members: Path, tmp_path: Path) -> None:
    with (
        DISKS[kind](tmp_path / "disk") as disk,
        Evening.on(disk.folder / "stagedoor.db", [ROOM], members=members, settings=settings_for(tmp_path)) as on,
    ):
        async with on.client() as client:
            show = on.show(ROOM.id)
            inside = on.fans(INSIDE, client, ROOM.id)
            for fan in inside:
                await fan.enter()
            waiting = on.fans(INSIDE, client, ROOM.id)
            numbers = [(await fan.join()).data["queuePosition"] for fan in waiting]
            owner, holder = inside[:2]
            bought = await owner.reserve(show.schedule_id, show.seat_ids[0])
            assert (await owner.pay(bought.data["reservationId"])).ok
            held = await holder.reserve(show.schedule_id, show.seat_ids[1])

            disk.fill(database=on.database, server=on.server.pid)
            full = await until(lambda: join_anew(on, client), lambda answer: not answer.ok)
            refused = await refusals_of_a_full_disk(on, client, holder, held.data["reservationId"])
            unready = await until(lambda: client.ask("GET", "//readyz"), lambda answer: not answer.ok)
            await at_instant(instant(held.data["reservedUntilAt"]) + 1_000)
            answered = await answers_of_a_full_disk(on, inside[2:], waiting)

            disk.make_room(server=on.server.pid)
            joined = await until(lambda: join_anew(on, client), lambda answer: answer.ok)
            # The breakers may still be on trial, with all of their trial calls under way.
            paid = await until(lambda: holder.pay(held.data["reservationId"]), lambda answer: answer.ok)
            ready = await until(lambda: client.ask("GET", "//readyz"), lambda answer: answer.ok)
            orders = [len(await fan.mine("orders")) for fan in (owner, holder)]
            balance = await owner.balance()
            positions = [(await fan.check()).data["queuePosition"] for fan in waiting]
        on.check()
        assert on.server.is_running

    assert {answer.status for answer in (full, *refused)} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in (full, *refused))
    assert [str(answer) for answer in answered if not answer.ok] == []
    assert unready.status == 503
    assert joined.ok
    assert paid.ok, str(paid)
    assert ready.ok
    assert (orders, balance) == ([1, 1], OPENING_BALANCE_WON - PRICE_WON)
    assert all(now <= then for now, then in zip(positions, numbers, strict=True))


async def test_control_a_server_that_says_yes_on_a_full_disk_is_found_out(members: Path, tmp_path: Path) -> None:
    mutant = str(Path(__file__).with_name("mutants") / "failures_forgotten.py")
    with (
        DISKS["limited"](tmp_path / "disk") as disk,
        Evening.on(disk.folder / "stagedoor.db", [ROOM], members=members, program=(mutant,)) as on,
    ):
        async with on.client() as client:
            before, after = on.fans(2, client, ROOM.id)
            await before.enter()
            disk.fill(database=on.database, server=on.server.pid)
            joined = await after.join()
        on.server.kill()
        on.start_again()
        async with on.client() as client:
            kept, lost = await before.at(client).check(), await after.at(client).check()

    assert joined.ok
    assert kept.ok
    assert lost.status == 401
