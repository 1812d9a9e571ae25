"""
The product, but the clocks it is told of may be wrong: Redis's, and the database server's.

Redis's is moved by the key `MOVED_MS` on it, the database's by what stands in a file of the process's folder, or, until
there is one, in its environment, where both have this name.
"""

import os
from pathlib import Path
from typing import Final

from stagedoor.adapters.redis import client
from stagedoor.cli import main
from stagedoor.kernel.clock import later
from stagedoor.kernel.followed_clock import FollowedClock, Reading
from tests.e2e.harness.removed_guard import replace
from tests.integration_redis.moved_redis import MovedScript

DATABASE_MOVED_MS: Final = "database-moved-ms"

_read = FollowedClock.read


def moved_read(clock: FollowedClock, reading: Reading) -> None:
    """Take the database's clock to be where the file says."""
    moved = Path(DATABASE_MOVED_MS)
    by_ms = moved.read_text() if moved.exists() else os.environ.get(DATABASE_MOVED_MS, "0")
    _read(clock, reading._replace(said=later(reading.said, int(by_ms))))


if __name__ == "__main__":
    replace(client, "Script", MovedScript)
    replace(FollowedClock, "read", moved_read)
    main()
