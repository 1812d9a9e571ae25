"""Everything kept long enough is gone, `check` stays true, and what was forgotten hides nothing."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.adapters.embedded.sqlite_file import SqliteFile
from stagedoor.adapters.sql.notifications import SqlNotifications
from stagedoor.adapters.sql.sale_leftovers import SqlSaleLeftovers
from stagedoor.checkout.line_subscriber import TellTheLine
from stagedoor.checkout.notifications import NotifyOfPaidOrders
from stagedoor.kernel.clock import DAY_MS, HOUR_MS, ManualClock
from stagedoor.kernel.ids import MAIN_ROOM, BuyerId, RoomId
from stagedoor.kernel.lease import Fence, OnlyProcess
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.ports import EndPlace, Join, Rooms, Turn
from stagedoor.waiting_room.room import Room
from stagedoor.workers.forget import ForgetOld
from stagedoor.workers.relay import RelayEvents
from tests.builders.line import a_ref, a_room
from tests.builders.sale import NOON, a_key, charge, leave, pay, reserve
from tests.builders.store import House, open_sqlite

ROOM = a_room(max_active=3, rate=2.0)
TABLES = ("place", "admission_pass", "line_key", "idempotency_key", "outbox", "closed_place")
KEPT = ("purchase", "transfer", "hold", "notification", "audit")


class OneRoom(Rooms):
    def get(self, room_id: RoomId) -> Room | None:
        return ROOM if room_id == MAIN_ROOM else None

    def all(self) -> Sequence[Room]:
        return [ROOM]


class Leads:
    """Leads, until another process does."""

    def __init__(self) -> None:
        self.fence: Fence | None = Fence(1)


class Evening:
    """A sale and its line over one file, under a clock that is moved by hand."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file
        self.leads = Leads()
        self.clock = ManualClock(NOON)
        self.house = House(file, self.clock)
        self.line = EmbeddedLine(lanes=file, clock=self.clock, rooms=OneRoom())
        self.forget = ForgetOld(
            line=self.line,
            sale=SqlSaleLeftovers(file),
            outbox=self.house.old_events,
            leads=self.leads,
            clock=self.clock,
            keep_places_ms=DAY_MS,
            keep_keys_ms=DAY_MS,
            keep_events_ms=7 * DAY_MS,
        )
        subscribers = (
            TellTheLine(line=self.line),
            NotifyOfPaidOrders(log=SqlNotifications(file), clock=self.clock),
        )
        self.relay = RelayEvents(
            outbox=self.house.outbox,
            publisher=InProcessPublisher(subscribers=subscribers),
            clock=self.clock,
            leads=OnlyProcess(),
        )

    async def night(self, buyers: range, first_seat: int) -> None:
        """Let *buyers* in, have each of them buy a seat, but the last, who leaves the line."""
        for seat_id, buyer in enumerate(buyers, first_seat):
            await self.line.join([Join(room=ROOM, buyer_id=BuyerId(buyer), key=a_key())])
            self.clock.advance(1_000)
            await self.line.turn([Turn(room=ROOM, seats_free=True)])
            if buyer == buyers[-1]:
                await self.line.end([EndPlace(ref=a_ref(buyer), cause=EndCause.LEFT)])
                await self.house.one(leave(buyer))
            else:
                await self.house.batch(charge(buyer, key=a_key()), reserve(buyer, seat_id), pay(buyer))
            await self.relay()

    async def forget_all(self) -> None:
        while await self.forget():
            pass

    async def rows(self, tables: Sequence[str]) -> list[int]:
        return [
            int(await self.file.reading(lambda c, one=table: c.scalar(text(f"SELECT COUNT(*) FROM {one}"))) or 0)  # type: ignore[misc]  # noqa: S608 -- its own names
            for table in tables
        ]

    async def change(self, statement: str) -> None:
        async with self.file.writing() as transaction:
            changed = await transaction.run(lambda connection: connection.execute(text(statement)).rowcount)
            assert changed
            await transaction.commit(proof=lambda _: False)


@pytest.fixture
async def evening(tmp_path: Path) -> AsyncIterator[Evening]:
    async with open_sqlite(tmp_path) as file:
        evening = Evening(file)
        await evening.change("UPDATE performance SET ends_at = ends_at + 2592000000")  # on sale for a month
        yield evening


async def test_a_day_and_a_week_later_nothing_is_left_but_what_is_kept(evening: Evening) -> None:
    await evening.night(range(1, 7), first_seat=1)
    kept = await evening.rows(KEPT)

    evening.clock.advance(DAY_MS + 1)
    await evening.forget_all()
    places, passes, keys, sale_keys, events, closed = await evening.rows(TABLES)
    assert (places, passes, keys, sale_keys) == (0, 0, 0, 0)
    assert (events > 0, closed) == (True, 6)
    await evening.house.check()

    evening.clock.advance(6 * DAY_MS)
    await evening.forget_all()
    assert await evening.rows(TABLES) == [0] * len(TABLES)
    assert await evening.rows(KEPT) == kept
    await evening.house.check()


async def test_of_the_sale_only_the_process_that_leads_forgets(evening: Evening) -> None:
    await evening.night(range(1, 7), first_seat=1)
    evening.clock.advance(8 * DAY_MS)

    evening.leads.fence = None
    await evening.forget_all()
    places, passes, keys, *of_the_sale = await evening.rows(TABLES)
    evening.leads.fence = Fence(3)
    await evening.forget_all()

    # The line's own it has forgotten: who leads there is another lease.
    assert (places, passes, keys) == (0, 0, 0)
    assert all(of_the_sale)
    assert await evening.rows(TABLES) == [0] * len(TABLES)


async def test_nothing_is_forgotten_an_hour_after_it_was_over(evening: Evening) -> None:
    await evening.night(range(1, 7), first_seat=1)
    before = await evening.rows(TABLES)

    evening.clock.advance(HOUR_MS)
    await evening.forget_all()

    assert await evening.rows(TABLES) == before
    place = await evening.line.look(a_ref(1))
    assert place is not None


async def test_the_next_night_goes_on_and_is_checked_as_strictly_as_the_first(evening: Evening) -> None:
    await evening.night(range(1, 7), first_seat=1)
    evening.clock.advance(8 * DAY_MS)
    await evening.forget_all()
    await evening.night(range(7, 10), first_seat=11)

    await evening.house.check()
    checked = {found.name: found.checked for found in await evening.house.findings()}
    assert checked["passes-overlap"] == checked["admission-rate"] == 3
    assert checked["order-has-its-event"] == 7


NO_NOTIFICATION = "DELETE FROM notification WHERE order_id = (SELECT MIN(id) FROM purchase)"
NO_EVENT = "DELETE FROM outbox WHERE sequence = (SELECT MIN(sequence) FROM outbox WHERE type = 'OrderPaid')"
ONE_LEFT_BEHIND = (
    "INSERT INTO place (room_id, number, buyer_id, living_buyer_id, state, counts, joined_at, token_expires_at) "
    "VALUES ('main', 2, 99, 99, 1, 1, 1, 9)"
)


@pytest.mark.parametrize(
    ("statement", "violated"),
    [
        # Of an order whose event is forgotten the notification is left, and of a younger one the event itself.
        (NO_NOTIFICATION, "order-has-its-event"),
        (NO_EVENT, "order-has-its-event"),
        ("DELETE FROM closed_place WHERE place_number = 7", "order-ends-its-place"),
        ("UPDATE admission_pass SET max_active = 0", "passes-overlap"),
        ("UPDATE admission_pass SET rate = 0.001", "admission-rate"),
        (ONE_LEFT_BEHIND, "nobody-skipped"),
    ],
)
async def test_what_is_broken_is_found_beside_what_was_forgotten(
    evening: Evening, statement: str, violated: str
) -> None:
    await evening.night(range(1, 7), first_seat=1)
    evening.clock.advance(8 * DAY_MS)
    await evening.forget_all()
    await evening.night(range(7, 10), first_seat=11)

    await evening.change(statement)

    assert await evening.house.violated() == {violated}
