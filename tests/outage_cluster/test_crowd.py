"""The crowd itself is fair to a slow machine: it has keys enough for a long outage, and asks again when it may."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import msgspec
import pytest

from stagedoor.kernel.idempotency import KEYS_PER_BUYER_MAX
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.fan import Fan
from tests.e2e.harness.programme import Staged
from tests.outage_cluster.crowd import CALLS_A_SECOND, IN_LINE, INSIDE, Crowd

LONGEST_CELL_S = 100


class AlwaysOk(Client):
    """A client who is granted everything, once she was put off as often as *put_off* says; nothing is sent."""

    def __init__(self, put_off: int = 0) -> None:
        """Begin without a key."""
        super().__init__(0)
        self.put_off = put_off
        self.keys: Counter[int] = Counter()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        key: str | None = None,
        buyer_id: int = 0,
        **_more: Any,  # noqa: ANN401 -- whatever else a client is told
    ) -> Answer:
        """Count the key."""
        self.keys[buyer_id] += key is not None
        self.put_off -= 1
        data = {"status": "PROGRESS", "queueToken": "t", "reservationId": 1}
        return Answer(
            method=method,
            path=path,
            asked=body,
            buyer_id=buyer_id,
            key=key,
            status=503 if self.put_off >= 0 else 200,
            headers={"retry-after": "2"},
            raw=msgspec.json.encode({"data": data, "exception": {"code": "X"}}),
            sent_at=0,
            answered_at=0,
        )


def a_crowd(client: Client) -> Crowd:
    """Make one that meets *client*."""
    numbers = itertools.count(1)
    inside, line = (
        [Fan(client=client, buyer_id=next(numbers), room_id="sale") for _ in range(count)]
        for count in (INSIDE, IN_LINE)
    )
    show = Staged(schedule_id=1, seat_ids=tuple(range(1, 601)))
    return Crowd(client, show, iter(show.seat_ids), inside=inside, line=line)


async def test_nobody_runs_out_of_keys_in_the_longest_cell() -> None:
    client = AlwaysOk()
    this = a_crowd(client)
    await this.enter()

    for nth in range(LONGEST_CELL_S * CALLS_A_SECOND):
        await this._next(nth)  # noqa: SLF001 -- what `go_on` asks by the clock

    assert this.defects == []
    assert max(client.keys.values()) <= KEYS_PER_BUYER_MAX


async def test_who_is_put_off_asks_again_when_she_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", rest)
    client = AlwaysOk(put_off=3)
    this = a_crowd(client)
    this.pending.append(lambda: client.ask("POST", "/user/amount", key="1"))

    await this.ask_again()

    assert rests == [2.0, 2.0, 2.0]
