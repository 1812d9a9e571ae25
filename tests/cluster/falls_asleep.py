"""
The product, but a process stops itself once, where a file in its folder asks for that.

`asleep-before-turn` stops who leads the line with a turn in its hand, and
`asleep-before-note` who relays between sending events and noting that.
"""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagedoor.__main__ import main
from stagedoor.adapters.redis import log_entries
from stagedoor.adapters.redis.client import RedisClient, Reply
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.kernel.ids import EventId

TURN, NOTE = "asleep-before-turn", "asleep-before-note"

Arguments = Sequence[bytes | str | int]

_run = RedisClient.run
_published = SqlOutbox.published


def ask_one_to_sleep(folders: Sequence[Path], where: str) -> None:
    """
    Have whichever of the processes in these *folders* comes there first fall asleep.

    Only one: while a lease changes hands two may come there, and nobody would be left to follow.
    """
    request, *others = (folder / where for folder in folders)
    request.unlink(missing_ok=True)
    for each in others:
        each.unlink(missing_ok=True)
        each.symlink_to(request)
    request.touch()


def is_asleep(pid: int) -> bool:
    """Say whether the process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def sleep_if_asked(where: str) -> None:
    """Stop until somebody wakes this process, and then go on as if nothing had been."""
    try:
        Path(where).resolve().unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)


async def sleepy_run(
    client: RedisClient,
    script: str,
    keys: Sequence[bytes],
    arguments: Arguments,
    **more: Any,  # noqa: ANN401 -- as it is
) -> Reply:
    """Send a turn late, one that lets somebody in."""
    if script == "turn" and _admits(arguments):
        sleep_if_asked(TURN)
    return await _run(client, script, keys, arguments, **more)


def _admits(arguments: Arguments) -> bool:
    turn = log_entries.decode(next(each for each in arguments if isinstance(each, bytes)))
    return isinstance(turn, log_entries.Changed) and bool(turn.admitted)


async def sleepy_note(outbox: SqlOutbox, event_ids: Sequence[EventId], **how: Any) -> None:  # noqa: ANN401 -- handed on
    """Note late what was sent."""
    sleep_if_asked(NOTE)
    await _published(outbox, event_ids, **how)


def fall_asleep_when_asked() -> None:
    """Make this process one that does."""
    RedisClient.run = sleepy_run  # type: ignore[method-assign, assignment]
    SqlOutbox.published = sleepy_note  # type: ignore[assignment, method-assign]


def run() -> None:
    """Run the product like that."""
    fall_asleep_when_asked()
    main()


if __name__ == "__main__":
    run()
