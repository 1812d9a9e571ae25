"""What is on and what is free: ordered, stable, cheap to ask again, and private where it should be."""

import gzip

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.fan import let_in
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

LATER, SOONER, OVER = (
    a_show(seats=1_200, in_days=20, title="Later"),
    a_show(seats=2, in_days=10, title="Sooner"),
    a_show(seats=2, in_days=-3, title="Over"),
)
ROOM = a_room("lists", LATER, SOONER, OVER)
ROOMS = (ROOM,)


async def test_the_schedule_is_ordered_and_leaves_out_what_is_over_or_sold(evening: Evening) -> None:
    later, sooner = evening.show(ROOM.id, 0), evening.show(ROOM.id, 1)
    async with evening.client() as client:
        her, him = evening.fans(2, client, ROOM.id)
        await let_in([her, him])
        before = await her.schedule()
        held = await her.reserve(sooner.schedule_id, *sooner.seat_ids)
        while_held = await him.schedule()
        await her.pay(held.data["reservationId"])
        after = await until(him.schedule, lambda answer: len(answer.rows) == 1)
        everything = await him.schedule(query="?status=all")

    assert [row["scheduleId"] for row in before.rows] == [sooner.schedule_id, later.schedule_id]
    assert [row["scheduleId"] for row in while_held.rows] == [sooner.schedule_id, later.schedule_id]
    assert [row["scheduleId"] for row in after.rows] == [later.schedule_id]
    assert [(row["scheduleId"], row["seatStatus"]) for row in everything.rows] == [
        (sooner.schedule_id, "SOLD_OUT"),
        (later.schedule_id, "AVAILABLE"),
    ]
    first = before.rows[0]
    assert first["concertTitle"] == "Sooner"
    for name, shape in (("openDate", "dddd-dd-dd"), ("startTime", "dd:dd"), ("endTime", "dd:dd")):
        assert "".join("d" if c.isdigit() else c for c in first[name]) == shape


async def test_the_seats_are_ordered_and_only_the_free_ones_unless_asked(evening: Evening) -> None:
    show = evening.show(ROOM.id, 0)
    async with evening.client() as client:
        her, him = evening.fans(2, client, ROOM.id)
        await let_in([her, him])
        await her.reserve(show.schedule_id, *show.seat_ids[:2])
        paid = await her.reserve(show.schedule_id, *show.seat_ids[2:4])
        await her.pay(paid.data["reservationId"])

        free = await until(lambda: him.seats(show.schedule_id), lambda answer: len(answer.rows) == 1_196)
        everything = await him.seats(show.schedule_id, query="&status=all")

    assert [row["seatId"] for row in free.rows] == list(show.seat_ids[4:])
    assert [row["position"] for row in everything.rows] == list(range(1, 1_201))
    assert [row["seatStatus"] for row in everything.rows[:5]] == [
        "TEMP_RESERVED",
        "TEMP_RESERVED",
        "RESERVED",
        "RESERVED",
        "AVAILABLE",
    ]
    assert {"seatId", "position", "amount", "seatStatus"} <= free.rows[0].keys()


async def test_asking_again_costs_nothing_until_something_changed(evening: Evening) -> None:
    show = evening.show(ROOM.id, 0)
    path = f"/concerts/seat?scheduleId={show.schedule_id}"
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        first = await fan.seats(show.schedule_id)
        known = {"If-None-Match": first.headers["etag"]}

        same = await client.ask("GET", path, token=fan.token, headers=known)
        weak = await client.ask(
            "GET",
            path,
            token=fan.token,
            headers={"If-None-Match": f'"x", W/{first.headers["etag"].removeprefix("W/")}'},
        )
        schedule = await fan.schedule()
        schedule_tag = {"If-None-Match": schedule.headers["etag"]}
        same_schedule = await client.ask("GET", "/concerts/schedule", token=fan.token, headers=schedule_tag)
        await fan.reserve(show.schedule_id, show.seat_ids[10])

        async def asked_again() -> Answer:
            return await client.ask("GET", path, token=fan.token, headers=known)

        changed = await until(asked_again, lambda answer: answer.status == 200)

    assert (same.status, same.raw, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert weak.status == 304
    assert same_schedule.status == 304
    assert changed.headers["etag"] != first.headers["etag"]
    assert show.seat_ids[10] not in [row["seatId"] for row in changed.rows]


async def test_large_answers_are_compressed_for_those_who_can_read_it(evening: Evening) -> None:
    show = evening.show(ROOM.id, 0)
    path = f"/concerts/seat?scheduleId={show.schedule_id}&status=all"
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()
        plain = await client.ask("GET", path, token=fan.token)
        small = await client.ask("GET", path, token=fan.token, headers={"Accept-Encoding": "gzip"})
        refused = await client.ask("GET", path, token=fan.token, headers={"Accept-Encoding": "gzip;q=0"})

    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert small.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in small.headers["vary"].lower()
    assert len(small.raw) * 4 < len(plain.raw)
    assert gzip.decompress(small.raw) == plain.raw


async def test_who_may_keep_an_answer(evening: Evening) -> None:
    show = evening.show(ROOM.id, 0)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        joined = await fan.join()
        checked = await fan.admitted()
        private = [await fan.schedule(), await fan.seats(show.schedule_id)]
        await fan.balance()
        private.append(client.record[-1])
        public = await client.ask("GET", f"/queue/status?room={ROOM.id}")
        refused = await client.ask("GET", "/concerts/schedule")

    assert "no-store" in joined.headers["cache-control"]
    assert "no-store" in checked.headers["cache-control"]
    for answer in private:
        assert "private" in answer.headers["cache-control"], str(answer)
    assert "public" in public.headers["cache-control"]
    assert "public" not in refused.headers.get("cache-control", "")


async def test_what_is_on_is_public(evening: Evening) -> None:
    async with evening.client() as client:
        listed = await client.ask("GET", "/concerts")
        fans_view = await client.ask("GET", "/concerts", token="not even a token")  # noqa: S106

    titles = [row.get("concertTitle") for row in listed.rows]
    assert listed.ok
    assert "Later" in titles
    assert "Over" not in titles
    assert fans_view.raw == listed.raw
