"""A server that leaks with every call to Redis: memory and a task each time, an open file now and then."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from stagedoor.adapters.redis.client import RedisClient
from tests.e2e.harness.removed_guard import replace, run

BYTES = 262_144
CALLS_A_FILE = 4

kept: list[object] = []
calls = itertools.count()
really_run = RedisClient.run


async def run_and_leak(
    client: RedisClient, script: str, keys: Sequence[bytes], arguments: Sequence[Any], *, server: str
) -> Any:  # noqa: ANN401 -- as it is there
    """Do what is asked, and keep what should have been let go."""
    kept.append(b"x" * BYTES)
    kept.append(asyncio.create_task(asyncio.Event().wait()))
    if next(calls) % CALLS_A_FILE == 0:
        kept.append(_opened())
    return await really_run(client, script, keys, arguments, server=server)


def _opened() -> AbstractContextManager[object]:
    return Path("/dev/null").open("rb")


replace(RedisClient, "run", run_and_leak)
run()
