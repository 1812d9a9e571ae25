"""All servers of a cluster stand still for a while: each holder has the time of it, as it was written down, once."""

import asyncio
from collections.abc import Mapping, Sequence
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple, Self

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.clock_stop import last_sign_of_life
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.adapters.sql.tables import hold, outage
from stagedoor.workers.pulse import RARELY_MS
from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import at_instant, until

HOLDERS = 40
OUTAGE_MS = 5_000
SIGNS = 10
HALL = a_room("hall", a_show(seats=HOLDERS), max_active=HOLDERS)


class Stored(NamedTuple):
    """What the database says: the last sign of life, the deadlines of all holds, and begin and end of each outage."""

    alive_at: int
    deadlines: Mapping[int, int]
    outages: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, connection: Connection) -> Self:
        alive_at = last_sign_of_life(connection)
        assert alive_at is not None
        deadlines = {row.id: row.expires_at for row in connection.execute(select(hold.c.id, hold.c.expires_at))}
        outages = connection.execute(select(outage.c.began_at, outage.c.ended_at).order_by(outage.c.id)).all()
        return cls(alive_at, deadlines, [(began, ended) for began, ended in outages])


async def stopped(cluster: Cluster) -> tuple[int, int]:
    """Stop every server for `OUTAGE_MS`; return from when on none answered, and until when at least."""
    for server in cluster.servers:
        server.send_signal(SIGSTOP)
    began = now_ms()
    try:
        await at_instant(began + OUTAGE_MS)
        return began, now_ms()
    finally:
        for server in cluster.servers:
            server.send_signal(SIGCONT)


async def story(cluster: Cluster) -> None:
    show = cluster.show(HALL.id)
    lanes = ServerLanes(cluster.settings["DATABASE_URL"], COMMAND)

    async def stored() -> Stored:
        return await lanes.reading(Stored.of)

    async def hold_one(fan: Fan, seat_id: int) -> None:
        await fan.enter()
        answer = await fan.reserve(show.schedule_id, seat_id)
        assert answer.ok, str(answer)

    try:
        async with cluster.client() as client:
            fans = cluster.fans(HOLDERS, client, HALL.id)
            await asyncio.gather(*(hold_one(fan, id_) for fan, id_ in zip(fans, show.seat_ids, strict=True)))
        held_at = now_ms()
        before = await until(stored, lambda seen: seen.alive_at > held_at)
        began, ended = await stopped(cluster)
        after = await until(stored, lambda seen: seen.alive_at > ended)
    finally:
        await lanes.close()
    await cluster.checked()

    new = after.outages[len(before.outages) :]
    given = {at - before.deadlines[id_] for id_, at in after.deadlines.items()}
    assert len(before.deadlines) == HOLDERS
    assert given == {sum(until_at - since for since, until_at in new)}
    # Another gap would be the machine's own: a server that is not run for two seconds has an outage.
    since, until_at = max(new, key=lambda gap: gap[1] - gap[0])
    assert before.alive_at <= since <= began
    assert ended <= until_at <= after.alive_at


async def signs(cluster: Cluster, count: int) -> Sequence[int]:
    """Return so many signs of life, each later than the one before it."""
    lanes = ServerLanes(cluster.settings["DATABASE_URL"], COMMAND)
    seen: list[int] = []

    async def another() -> bool:
        alive_at = (await lanes.reading(Stored.of)).alive_at
        if alive_at not in seen:
            seen.append(alive_at)
        return len(seen) >= count

    try:
        await until(another, bool, looks=10_000, between_s=0.01)
    finally:
        await lanes.close()
    return seen


def test_of_several_one_gives_its_sign_far_more_often_than_each_other(cluster: Open) -> None:
    with cluster(1, HALL) as opened:
        first, *_, last = asyncio.run(signs(opened, 1 + SIGNS))

    # Who does not lead gives so many in as many times `RARELY_MS`, or more.
    assert last - first < SIGNS * RARELY_MS


def test_every_holder_has_all_of_it_back(cluster: Open) -> None:
    with cluster(2, HALL) as opened:
        asyncio.run(story(opened))
