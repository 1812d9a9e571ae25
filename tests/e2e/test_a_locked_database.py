"""Somebody keeps the database: whoever asks is told what is known, that it may be old, and that nobody is let in."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening, Evenings
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import a_room, a_show
from tests.e2e.harness.until import until

ROOM = a_room("kept", a_show(seats=9), max_active=1, idle_timeout_ms=600_000, away_after_ms=600_000)


@contextmanager
def locked(evening: Evening) -> Iterator[None]:
    """Keep the write lock, as a tool would that somebody has left open."""
    with closing(sqlite3.connect(evening.database, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def status(client: Client) -> Answer:
    return await client.ask("GET", f"/queue/status?room={ROOM.id}")


def is_told(answer: Answer) -> bool:
    """Whether the answer says both that it may be old and that nobody is let in."""
    return answer.data.get("stale") is True and answer.data.get("admissionPaused") is True


async def test_it_is_told_while_it_lasts_and_not_a_moment_longer(evenings: Evenings) -> None:
    with evenings(ROOM, LOG_LEVEL="info") as evening:
        async with evening.client() as client:
            inside, waiting, newcomer = evening.fans(3, client, ROOM.id)
            await inside.enter()
            await waiting.join()
            at_first = [await waiting.check(), await status(client)]

            with locked(evening):
                poll = await until(waiting.check, is_told)
                document = await until(lambda: status(client), is_told)
                joined = await newcomer.join()
                lists = [await read(inside, evening), await inside.schedule()]
            after = await until(lambda: status(client), lambda answer: answer.data["admissionPaused"] is False)
            left = await inside.leave()
            admitted = await waiting.admitted()
        log = evening.server.log.read_text()
        evening.check()

    assert [is_told(answer) for answer in at_first] == [False, False]
    assert (poll.data["queuePosition"], poll.data["estimatedWaitSeconds"]) == (1, None)
    assert document.data["active"] == 1
    assert (joined.status, int(joined.headers["retry-after"]) >= 1) == (503, True)
    # Its readers are not kept out: what they say is as true as ever.
    assert [(answer.ok, "stale" in answer.document) for answer in lists] == [(True, False)] * 2
    assert "stale" not in after.data
    assert (left.ok, admitted.data["status"]) == (True, "PROGRESS")
    assert "admission.paused" in log
    assert "admission.unhindered" in log


async def read(fan: Fan, evening: Evening) -> Answer:
    return await fan.seats(evening.show(ROOM.id).schedule_id)
