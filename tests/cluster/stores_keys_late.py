"""The product, but each process waits between reading the keys of joins and storing them, so that others read too."""

import asyncio
from collections.abc import Mapping, Sequence

from stagedoor.adapters.redis.line_store import Renewal
from stagedoor.adapters.redis.room_line import RoomLine
from stagedoor.kernel.ids import BuyerId
from tests.e2e.harness import removed_guard

WAIT_S = 0.5

remember = RoomLine.remember


async def remember_late(line: RoomLine, keys: Sequence[Renewal]) -> Mapping[BuyerId, bytes]:
    """Store *keys* after a wait."""
    await asyncio.sleep(WAIT_S)
    return await remember(line, keys)


def run() -> None:
    """Run the product like that."""
    removed_guard.replace(RoomLine, "remember", remember_late)
    removed_guard.run()


if __name__ == "__main__":
    run()
