"""A week after the evening the server has forgotten what nobody may ask for any more, and its books still agree."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evenings
from tests.e2e.harness.programme import PRICE_WON, a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("last-week", a_show(seats=2))
EIGHT_DAYS_MS = 691_200_000

# All that says when something happened in this story; what only says when something will be over stays.
INSTANTS = {
    "place": ("joined_at", "ended_at"),
    "admission_pass": ("admitted_at", "ended_at"),
    "line_key": ("stored_at",),
    "idempotency_key": ("stored_at",),
    "outbox": ("occurred_at", "published_at"),
    "closed_place": ("closed_at",),
    "hold": ("placed_at", "expires_at", "ended_at"),
    "purchase": ("paid_at",),
}
FORGOTTEN = ("admission_pass", "closed_place", "idempotency_key", "line_key", "outbox", "place")


def a_week_ago(database: Path) -> None:
    """Make it that everything happened eight days earlier."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in INSTANTS.items():
            moved = ", ".join(f"{column} = {column} - {EIGHT_DAYS_MS}" for column in columns)
            connection.execute(f"UPDATE {table} SET {moved}")  # noqa: S608 -- names of its own


async def test_a_week_later_places_keys_and_events_are_gone(evenings: Evenings) -> None:
    with evenings(ROOM) as evening:
        show = evening.show(ROOM.id)
        async with evening.client() as client:
            buyer, leaver = evening.fans(2, client, ROOM.id)
            for fan in (buyer, leaver):
                await fan.join(key="join")
                await fan.admitted()
            held = await buyer.reserve(show.schedule_id, show.seat_ids[0], key="hold")
            paid = await buyer.pay(held.data["reservationId"], key="pay")
            await leaver.leave(key="leave")
            before = [(await fan.check()).data["status"] for fan in (buyer, leaver)]
        assert evening.server.stop() == 0
        a_week_ago(evening.database)
        evening.start_again()

        async def rows() -> Mapping[str, int]:
            with closing(sqlite3.connect(evening.database)) as connection:
                count = "SELECT COUNT(*) FROM"
                return {table: connection.execute(f"{count} {table}").fetchone()[0] for table in FORGOTTEN}

        left = await until(rows, lambda found: not any(found.values()), between_s=0.1)
        async with evening.client() as client:
            buyer, leaver = buyer.at(client), leaver.at(client)
            gone = [await fan.check() for fan in (buyer, leaver)]
            again = await buyer.join()
            orders, balance = await buyer.mine("orders"), await buyer.balance()
        evening.check()

    assert before == ["DONE", "EXPIRED"]
    assert paid.ok
    assert set(left.values()) == {0}
    assert [answer.status for answer in gone] == [401, 401]
    assert again.data["queuePosition"] <= 1
    assert [order["reservationId"] for order in orders] == [held.data["reservationId"]]
    assert balance == OPENING_BALANCE_WON - PRICE_WON
