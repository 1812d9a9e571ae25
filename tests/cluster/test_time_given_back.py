"""All servers of a cluster stand still for a while: each holder has exactly the time that was written down, once."""

import asyncio
from collections.abc import Mapping, Sequence
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple, Self

from sqlalchemy import Connection, select

from stagedoor.adapters.sql.clock_stop import last_sign_of_life
from stagedoor.adapters.sql.server_lanes import COMMAND, ServerLanes
from stagedoor.adapters.sql.tables import hold, outage
from tests.cluster.conftest import Open
from tests.cluster.evening import Cluster
from tests.e2e.harness.answers import now_ms
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import at_instant, until

HOLDERS = 40
OUTAGE_MS = 5_000
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


def test_every_holder_has_all_of_it_back(cluster: Open) -> None:
    with cluster(2, HALL) as opened:
        asyncio.run(story(opened))
