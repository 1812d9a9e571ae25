"""
A server process that something is wrong with, from outside: `python -m tests.cluster.disturbed late,kept serve`.

The words before the product's own are names of `DISTURBANCES`, or of the mutants
of tests/order, which take a promise out of the line itself.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from stagedoor.adapters.redis import client
from stagedoor.adapters.redis.line import RedisLine
from stagedoor.adapters.redis.line_store import RoomStore, Seen, Tail
from stagedoor.waiting_room.ports import Turn, TurnReport
from tests.cluster.falls_asleep import fall_asleep_when_asked
from tests.e2e.harness.removed_guard import replace, run
from tests.order.mutants import MUTANTS

LATE, ASLEEP, SLEEPY, UNFENCED, KEPT = "late", "asleep", "sleepy", "unfenced", "kept"

LATE_S = 1.0
ASLEEP_S = 2.5
"""Longer than a leader's lease."""

ASLEEP_EVERY_S = 12.0

_FENCE = (
    "redis.call('GET', LEASE) ~= ARGV[6]",
    "(redis.call('HGET', HEAD, 'binding') or '0') ~= ARGV[7] or now_ms() > tonumber(ARGV[8])",
)
_CUT = "redis.call('XTRIM', LOG, 'MINID', math.max(1, ARGV[2] + 1 - ARGV[7]) .. '-0')"


def program(*disturbances: str) -> Sequence[str]:
    """Return what starts a process with all of these."""
    return ("-m", "tests.cluster.disturbed", ",".join(disturbances))


def read_late() -> None:
    """Have the process read on by itself once a second, and not ten times: what it knows is a second old."""
    refresh, turn = RedisLine.refresh, RedisLine.turn
    read_at = turned_at = 0.0

    async def refresh_late(line: RedisLine) -> int:
        nonlocal read_at
        if time.monotonic() - read_at < LATE_S:
            return 0
        read_at = time.monotonic()
        return await refresh(line)

    async def turn_late(line: RedisLine, turns: Sequence[Turn]) -> Sequence[TurnReport]:
        nonlocal turned_at
        if time.monotonic() - turned_at < LATE_S:
            return []
        turned_at = time.monotonic()
        return await turn(line, turns)

    replace(RedisLine, "refresh", refresh_late)
    replace(RedisLine, "turn", turn_late)


def fall_asleep() -> None:
    """Freeze the whole process now and then, with a turn in its hand that it has planned and not sent."""
    send = RoomStore.turn
    woke_at = 0.0

    async def sleep_and_send(  # noqa: PLR0913 -- as the one it stands for
        store: RoomStore, seen: Seen, entry: bytes, *, candidate: str, fence: int, binding: int
    ) -> Tail:
        nonlocal woke_at
        if time.monotonic() - woke_at > ASLEEP_EVERY_S:
            time.sleep(ASLEEP_S)  # noqa: ASYNC251 -- nothing of the process goes on meanwhile
            woke_at = time.monotonic()
        return await send(store, seen, entry, candidate=candidate, fence=fence, binding=binding)

    replace(RoomStore, "turn", sleep_and_send)


def take_the_fence_out() -> None:
    """Have the store take a turn from anybody, whoever leads, and however old its plan is."""
    _rewrite("turn", dict.fromkeys(_FENCE, "false"))


def keep_the_log() -> None:
    """Cut nothing off the log: it is the record."""
    _rewrite("seal", {_CUT: ""})


def _rewrite(script: str, changes: Mapping[str, str]) -> None:
    read = client.Script.__init__

    def read_and_change(self: client.Script, name: str) -> None:
        read(self, name)
        if name == script:
            for before, after in changes.items():
                assert before in self.text, f"{name}.lua has no {before}: nothing is removed"
                self.text = self.text.replace(before, after)
            self.digest = client.digest_of(self.text)

    replace(client.Script, "__init__", read_and_change)


DISTURBANCES: Mapping[str, Callable[[], None]] = {
    LATE: read_late,
    ASLEEP: fall_asleep,
    SLEEPY: fall_asleep_when_asked,
    UNFENCED: take_the_fence_out,
    KEPT: keep_the_log,
}


def main() -> None:
    """Disturb this process, and serve."""
    names = sys.argv.pop(1).split(",")
    with ExitStack() as stack:
        for name in names:
            if name in MUTANTS:
                stack.enter_context(MUTANTS[name]())
            else:
                DISTURBANCES[name]()
        run()


if __name__ == "__main__":
    main()
