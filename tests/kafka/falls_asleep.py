"""The product, but a relay stops its own process once: after it has sent its first events, and before it notes that."""

import os
import signal
from collections.abc import Sequence
from itertools import count
from typing import Any

from stagedoor.__main__ import main
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.ids import EventId

_times = count()
_published = SqlOutbox.published


async def sleepy(outbox: SqlOutbox, event_ids: Sequence[EventId], **how: Any) -> None:  # noqa: ANN401 -- handed on
    """Sleep until somebody wakes this process, then go on as if nothing had been."""
    if next(_times) == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    await _published(outbox, event_ids, **how)


def run() -> None:
    """Run the product like that."""
    SqlOutbox.published = sleepy  # type: ignore[assignment, method-assign]
    main()


if __name__ == "__main__":
    run()
