"""An operator stops the sale, whole and in part: nobody comes in, holders finish as far as they may, all are told."""

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import always, until

ROOM = a_room("stopped", a_show(seats=9), max_active=2, idle_timeout_ms=600_000, away_after_ms=600_000)
ROOMS = (ROOM,)
BROKEN = "switch_ignored"
LOOKS = 10


async def told(client: Client, state: str | None) -> Answer:
    """Return how the room stands once its status says that the sale is in *state*, None for open."""
    return await until(
        lambda: client.ask("GET", f"/queue/status?room={ROOM.id}"),
        lambda answer: answer.data.get("saleState") == state,
    )


async def test_holders_finish_then_nobody_pays_then_all_goes_on(evening: Evening) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        one, two, waiting = evening.fans(3, client, ROOM.id)
        for fan in (one, two):
            await fan.enter()
        await waiting.join()
        held = await one.reserve(show.schedule_id, show.seat_ids[0])
        other = await two.reserve(show.schedule_id, show.seat_ids[1])

        evening.cli("sale", "finish")
        finishing = await told(client, "HOLDS_ONLY_FINISH")
        refused = await one.reserve(show.schedule_id, show.seat_ids[2])
        paid = await one.pay(held.data["reservationId"])
        # A slot is free since she paid, and nobody is let in to find that she cannot reserve.
        await always(waiting.check, lambda answer: answer.data["status"] == "WAITING", looks=LOOKS)

        evening.cli("sale", "stop", "--schedule", str(show.schedule_id))
        evening.cli("sale", "open")
        await told(client, "STOPPED")
        unpaid = await two.pay(other.data["reservationId"])
        seen = await waiting.check()
        released = await two.release(other.data["reservationId"])

        evening.cli("sale", "open", "--schedule", str(show.schedule_id))
        opened = await told(client, None)
        await waiting.admitted()
        again = await waiting.reserve(show.schedule_id, show.seat_ids[2])

    assert (finishing.data["admissionPaused"], opened.data["admissionPaused"]) == (True, False)
    assert [answer.verdict for answer in (refused, unpaid)] == [(503, "503")] * 2
    assert refused.headers["retry-after"] == "10"
    assert (paid.ok, released.ok, again.ok) == (True, True, True)
    assert (seen.data["saleState"], seen.data["admissionPaused"], seen.data["estimatedWaitSeconds"]) == (
        "STOPPED",
        True,
        None,
    )


async def test_control_a_server_that_ignores_the_switch_is_found_out(broken: Evening) -> None:
    show = broken.show(ROOM.id)
    operator = broken.cli("key", "create", "stopper", "--role", "operate").strip()
    async with broken.client() as client:
        fan = broken.fan(client, ROOM.id)
        await fan.enter()

        turned = await until(
            lambda: client.ask("POST", "//ops/api/sale", body={"saleState": "STOPPED"}, token=operator),
            lambda answer: answer.ok,  # once the server has seen the new key
        )
        reserved = await fan.reserve(show.schedule_id, show.seat_ids[0])

    assert turned.data["saleState"] == "OPEN"
    assert reserved.ok
