from collections import Counter
from typing import Any

import msgspec
import pytest

from stagedoor.http.kept import STALE_MS_MAX, Fallback
from stagedoor.http.listings import PROGRAMME_GOOD_MS, Listed, Listings
from stagedoor.http.rendered import Rendered, StaleCopy
from stagedoor.kernel.clock import HOUR_MS, SECOND_MS, ManualClock, later
from stagedoor.kernel.ids import PerformanceId, RoomId, SeatId
from stagedoor.seating.model import SeatState
from stagedoor.seating.rejections import UnknownPerformance
from tests.builders.guards import a_breaker
from tests.integration.http.stage import (
    CLUB_NIGHT,
    ELSEWHERE,
    MAIN,
    NOON,
    OVER,
    SOLD_OUT,
    STALE_LIST_MS_MAX,
    FakeSeating,
    Out,
    a_performance,
)


class Desk:
    """Listings over a fake plan, with what they counted."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.seating = FakeSeating()
        self.counted: Counter[tuple[str, str]] = Counter()
        fallback = Fallback(machine_clock=self.clock, stale_ms_max=STALE_LIST_MS_MAX)
        self.listings = Listings(self.seating, self.clock, fallback, count=self._count, guard=a_breaker(self.clock))

    def _count(self, cache: str, result: str) -> None:
        self.counted[cache, result] += 1

    async def club_night(self, *, everything: bool = False) -> Listed:
        return await self.listings.seats(MAIN, CLUB_NIGHT, everything=everything)

    async def seats(self, *, everything: bool = False) -> list[dict[str, Any]]:
        return rows(await self.club_night(everything=everything))


def rows(listed: Listed) -> list[dict[str, Any]]:
    assert isinstance(listed, Rendered)
    data: list[dict[str, Any]] = msgspec.json.decode(listed.body)["data"]
    return data


def stale(listed: Listed) -> tuple[list[dict[str, Any]], int]:
    """Return what a stale copy shows, and its age in seconds."""
    assert isinstance(listed, StaleCopy)
    document = msgspec.json.decode(listed.marked.body)
    assert document["stale"] is True
    return document["data"], listed.age_s


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_the_schedule_is_what_is_still_to_come_in_the_room_and_not_sold_out(desk: Desk) -> None:
    listed = rows(await desk.listings.schedule(MAIN, everything=False))

    assert [row["scheduleId"] for row in listed] == [CLUB_NIGHT]
    assert listed[0] == {
        "scheduleId": 1,
        "concertTitle": "Club night",
        "openDate": "2027-01-03",
        "startTime": "12:04",
        "endTime": "14:34",
        "seatStatus": "AVAILABLE",
        "venue": "The cellar",
        "timeZone": "Asia/Seoul",
        "startsAt": "2027-01-03T03:04:05.678Z",
        "endsAt": "2027-01-03T05:34:05.678Z",
    }


async def test_everything_shows_what_is_sold_out_too(desk: Desk) -> None:
    listed = rows(await desk.listings.schedule(MAIN, everything=True))

    assert [(row["scheduleId"], row["seatStatus"]) for row in listed] == [
        (CLUB_NIGHT, "AVAILABLE"),
        (SOLD_OUT, "SOLD_OUT"),
    ]


async def test_a_room_without_performances_has_an_empty_schedule(desk: Desk) -> None:
    assert rows(await desk.listings.schedule(RoomId("none"), everything=True)) == []


async def test_a_performance_leaves_the_schedule_when_it_starts(desk: Desk) -> None:
    await desk.listings.schedule(MAIN, everything=False)

    desk.clock.advance(24 * HOUR_MS - 1)
    before = rows(await desk.listings.schedule(MAIN, everything=False))
    desk.clock.advance(1)
    after = rows(await desk.listings.schedule(MAIN, everything=False))

    assert [len(before), len(after)] == [1, 0]


async def test_the_programme_of_all_rooms(desk: Desk) -> None:
    listed = rows(await desk.listings.concerts())

    assert [(row["scheduleId"], row["room"]) for row in listed] == [
        (CLUB_NIGHT, "main"),
        (ELSEWHERE, "other"),
        (SOLD_OUT, "main"),
    ]
    assert (listed[0]["amountFrom"], listed[0]["amountTo"], listed[0]["seats"]) == (50_000, 70_000, 3)


async def test_free_seats_are_those_without_a_claim(desk: Desk) -> None:
    desk.seating.states = {SeatId(11): SeatState.HELD, SeatId(13): SeatState.BLOCKED}

    assert [row["seatId"] for row in await desk.seats()] == [12]


async def test_every_seat_says_how_it_stands_and_house_seats_look_sold(desk: Desk) -> None:
    desk.seating.states = {SeatId(11): SeatState.HELD, SeatId(12): SeatState.SOLD, SeatId(13): SeatState.BLOCKED}

    assert [row["seatStatus"] for row in await desk.seats(everything=True)] == ["TEMP_RESERVED", "RESERVED", "RESERVED"]
    assert await desk.seats() == []


async def test_a_seat_names_its_place_and_price(desk: Desk) -> None:
    [first, *_] = await desk.seats()

    assert first == {
        "seatId": 11,
        "position": 1,
        "amount": 50_000,
        "section": "A",
        "row": "1",
        "number": 1,
        "zone": "standing",
        "seatStatus": "AVAILABLE",
    }


@pytest.mark.parametrize("performance_id", [OVER, ELSEWHERE, PerformanceId(99)])
async def test_what_is_over_or_elsewhere_or_nowhere_is_unknown(desk: Desk, performance_id: PerformanceId) -> None:
    with pytest.raises(UnknownPerformance):
        await desk.listings.look_for(MAIN, performance_id)
    with pytest.raises(UnknownPerformance):
        await desk.listings.seats(MAIN, performance_id, everything=True)


async def test_a_commit_is_seen_by_whoever_asks_next(desk: Desk) -> None:
    await desk.seats()
    desk.seating.states = {SeatId(11): SeatState.HELD}

    desk.listings.changed({CLUB_NIGHT})

    assert [row["seatId"] for row in await desk.seats()] == [12, 13]


async def test_a_commit_elsewhere_is_none_of_its_business(desk: Desk) -> None:
    await desk.seats()
    reads = desk.seating.reads

    desk.listings.changed({ELSEWHERE})
    await desk.seats()

    assert desk.seating.reads == reads


async def test_a_hold_that_ends_frees_its_seat_without_any_commit(desk: Desk) -> None:
    desk.seating.states = {SeatId(11): SeatState.HELD}
    desk.seating.next_hold_ends_at = later(NOON, 300)
    held = await desk.seats()
    desk.seating.states = {}
    desk.seating.next_hold_ends_at = None

    desk.clock.advance(300)

    assert [len(held), len(await desk.seats())] == [2, 3]


async def test_readers_beside_one_sale_a_second_cost_few_reads_and_hardly_ever_new_bytes(desk: Desk) -> None:
    await desk.listings.schedule(MAIN, everything=False)
    await desk.seats()
    first_reads = desk.seating.reads
    for _ in range(10):
        for pause in range(100):
            await desk.listings.schedule(MAIN, everything=False)
            await desk.seats()
            if pause in {0, 5}:
                desk.listings.changed({CLUB_NIGHT})
            desk.clock.advance(10)

    hits = sum(count for (_, result), count in desk.counted.items() if result == "hit")
    assert hits / desk.counted.total() >= 0.98
    assert (desk.seating.reads - first_reads) / 10 <= 5


async def test_the_same_content_has_the_same_tag_wherever_it_is_made(desk: Desk) -> None:
    here, elsewhere = await desk.club_night(), await Desk().club_night()
    desk.seating.states = {SeatId(11): SeatState.SOLD}
    desk.listings.changed({CLUB_NIGHT})

    changed = await desk.club_night()

    assert isinstance(here, Rendered)
    assert isinstance(elsewhere, Rendered)
    assert isinstance(changed, Rendered)
    assert here.tag == elsewhere.tag
    assert changed.tag != here.tag


async def test_an_outage_is_never_an_empty_list(desk: Desk) -> None:
    desk.seating.is_out = True

    with pytest.raises(Out):
        await desk.listings.schedule(MAIN, everything=False)
    with pytest.raises(Out):
        await desk.listings.concerts()


async def test_in_an_outage_the_last_list_is_given_and_says_how_old_it_is(desk: Desk) -> None:
    schedule, seats = rows(await desk.listings.schedule(MAIN, everything=True)), await desk.seats()
    concerts = rows(await desk.listings.concerts())
    desk.seating.is_out = True

    desk.clock.advance(PROGRAMME_GOOD_MS + 47 * SECOND_MS)

    assert stale(await desk.listings.schedule(MAIN, everything=True)) == (schedule, 47)
    assert stale(await desk.club_night()) == (seats, 47)
    assert stale(await desk.listings.concerts()) == (concerts, 47)
    assert desk.counted["schedule", "stale"] == desk.counted["seats", "stale"] == 1


async def test_a_list_that_is_too_old_is_refused(desk: Desk) -> None:
    await desk.seats()
    desk.seating.is_out = True

    desk.clock.advance(PROGRAMME_GOOD_MS + STALE_LIST_MS_MAX)
    stale(await desk.club_night())
    desk.clock.advance(1)

    with pytest.raises(Out):
        await desk.club_night()
    with pytest.raises(Out):
        await desk.listings.schedule(MAIN, everything=False)


async def test_seats_changed_by_the_last_commit_are_as_old_as_that(desk: Desk) -> None:
    await desk.seats()
    desk.listings.changed({CLUB_NIGHT})
    desk.seating.is_out = True

    desk.clock.advance(10 * SECOND_MS)

    assert stale(await desk.club_night())[1] == 10


async def test_after_an_outage_the_list_is_read_again_and_not_marked(desk: Desk) -> None:
    await desk.seats()
    desk.seating.is_out = True
    desk.clock.advance(PROGRAMME_GOOD_MS + 1)
    stale(await desk.club_night())

    desk.seating.is_out = False

    assert len(await desk.seats()) == 3


async def test_what_an_old_programme_does_not_know_is_not_denied(desk: Desk) -> None:
    await desk.seats()
    desk.seating.is_out = True
    desk.clock.advance(PROGRAMME_GOOD_MS + 1)

    with pytest.raises(Out):
        await desk.listings.look_for(MAIN, PerformanceId(99))
    with pytest.raises(UnknownPerformance):
        await desk.listings.look_for(MAIN, ELSEWHERE)


async def test_the_programme_is_read_again_while_the_clock_of_the_service_stands() -> None:
    standing, machine, seating = ManualClock(NOON), ManualClock(NOON), FakeSeating()
    fallback = Fallback(machine_clock=machine, stale_ms_max=STALE_LIST_MS_MAX)
    listings = Listings(seating, standing, fallback, count=lambda *_: None, guard=a_breaker(standing))
    await listings.concerts()
    seating.shows.append(a_performance(PerformanceId(5), starts_in_ms=72 * HOUR_MS, title="New"))

    machine.advance(PROGRAMME_GOOD_MS + STALE_MS_MAX + 1)

    assert "New" in [row["concertTitle"] for row in rows(await listings.concerts())]


async def test_what_another_process_puts_on_is_there_within_a_second(desk: Desk) -> None:
    await desk.listings.schedule(MAIN, everything=False)
    desk.seating.shows.append(a_performance(PerformanceId(5), starts_in_ms=72 * HOUR_MS, title="New"))

    desk.clock.advance(PROGRAMME_GOOD_MS)
    listed = rows(await desk.listings.schedule(MAIN, everything=False))

    assert [row["concertTitle"] for row in listed] == ["Club night", "New"]


async def test_a_venue_is_remembered_through_an_outage(desk: Desk) -> None:
    await desk.listings.concerts()
    desk.seating.is_out = True
    desk.clock.advance(HOUR_MS)

    assert await desk.listings.time_zone_of(CLUB_NIGHT) == "Asia/Seoul"
    with pytest.raises(Out):
        await desk.listings.time_zone_of(PerformanceId(99))


async def test_a_performance_that_is_nowhere_has_no_time_zone(desk: Desk) -> None:
    assert await desk.listings.time_zone_of(PerformanceId(99)) is None
