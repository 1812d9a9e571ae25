"""
A process of buyers who ask without a pause and write everything down; the server may die under them at any time.

    python -m tests.kill.crowd FILE SEED FIRST_BUYER FANS SHOWS

On standard input it is told the port of each server that there is; once no fan has a server any more, it says `down`.
"""

import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from pathlib import Path

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.kill.journeys import BUYERS_MAX, GONE, Door, Request, live
from tests.kill.record import Lost, RecordFile, told_by


class MortalDoor(Door):
    """The server as the fans of one process see it: there, or gone until they are told of the next one."""

    def __init__(self, record: RecordFile, fans: int) -> None:
        self._record = record
        self._fans = fans
        self._waiting = 0
        self._serials = itertools.count(1)
        self._client: Client | None = None
        self._opened = asyncio.Event()
        self._gone = asyncio.Event()
        self.generation = 0

    def open(self, port: int) -> None:
        """Let everybody ask the server on *port*."""
        self._client = Client(port)
        self.generation += 1
        self._gone.clear()
        self._opened.set()

    async def ask(self, request: Request) -> Answer:
        """Write the request down and send it, then write its answer down and return it."""
        client = await self._there()
        asked = request.asked(next(self._serials))
        self._record.write(asked)
        try:
            answer = await client.ask(
                request.method, request.path, body=request.body, token=request.token or None, key=request.key
            )
        except GONE:
            self._record.write(Lost(serial=asked.serial))
            self._close(client)
            raise
        client.record.clear()
        self._record.write(told_by(asked.serial, answer))
        return answer

    async def pause(self, seconds: float) -> None:
        """Wait so long by the clock, and then until there is a server."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await self._there()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._gone.wait()

    async def _there(self) -> Client:
        while self._client is None:
            self._waiting += 1
            if self._waiting == self._fans and self.generation:
                print("down", flush=True)  # noqa: T201 -- to the process that started this one
            await self._opened.wait()
            self._waiting -= 1
        return self._client

    def _close(self, client: Client) -> None:
        if self._client is client:
            client.hang_up()
            self._client = None
            self._opened.clear()
            self._gone.set()


async def listen(door: MortalDoor) -> None:
    """Open each server that standard input tells of; return when it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        door.open(int(line))


async def main(path: str, seed: str, first_buyer: str, fans: str, shows: str) -> None:
    """Keep so many fans busy until standard input ends."""
    door = MortalDoor(RecordFile(Path(path)), int(fans))
    buyers = iter(range(int(first_buyer), int(first_buyer) + BUYERS_MAX))
    lives = [
        asyncio.create_task(live(door, buyers, json.loads(shows), random.Random(f"{seed}/{first_buyer}/{n}")))
        for n in range(int(fans))
    ]
    listening = asyncio.create_task(listen(door))
    await asyncio.wait([listening, *lives], return_when=asyncio.FIRST_COMPLETED)
    for task in lives:
        if task.done():
            task.result()
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
