"""The demo believes whatever userId it is told, and says so on every answer."""

from tests.e2e.harness.evening import Evening
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("demo", a_show(seats=2))
ROOMS = (ROOM,)
FOREIGN = (403, "403")


async def test_every_answer_says_so(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        await fan.schedule()
        await fan.balance()
        await fan.pay(1)
        await client.ask("GET", "/nothing/here")
        await client.ask("GET", "/queue/token")
        await client.ask("POST", "/queue/token", raw=b"{")
        await client.ask("GET", f"/queue/status?room={ROOM.id}")

    assert {answer.headers.get("stagedoor-identity") for answer in client.record} == {"demo"}


async def test_the_start_says_so_too(evening: Evening) -> None:
    said = "\n".join(evening.server.said) + evening.server.log.read_text()

    assert "identity" in said.lower()


async def test_a_token_does_not_speak_for_somebody_else(evening: Evening) -> None:
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.join()

        charged = await client.ask(
            "POST", "/user/amount", body={"amount": 5, "userId": fan.buyer_id + 1}, token=fan.token
        )
        own = await client.ask("POST", "/user/amount", body={"amount": 5, "userId": fan.buyer_id}, token=fan.token)

    assert charged.verdict == FOREIGN
    assert own.ok, str(own)


async def test_an_unknown_buyer_gets_no_place(evening: Evening) -> None:
    async with evening.client() as client:
        joined = await client.ask("POST", "/queue/token", body={"userId": 7_999_999})

    assert joined.verdict == (404, "404")


async def test_ids_of_reservations_are_not_to_be_guessed(evening: Evening) -> None:
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        her, him = evening.fans(2, client, ROOM.id)
        await her.enter()
        await him.enter()
        ids = [
            (await fan.reserve(show.schedule_id, seat_id)).data["reservationId"]
            for fan, seat_id in zip((her, him), show.seat_ids, strict=True)
        ]

    assert all(0 < reservation_id < 2**53 for reservation_id in ids)
    assert abs(ids[0] - ids[1]) > 1_000
