"""The waiting line that the settings ask for: in this process, journaled beside the sale, or on Redis, for many."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

import structlog

from stagedoor.adapters.clock import SystemClock
from stagedoor.adapters.embedded.line import EmbeddedLine
from stagedoor.adapters.redis.line_store import ForeignLine
from stagedoor.adapters.redis.opened_line import opened_line
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.bootstrap.standstill import Standstill
from stagedoor.kernel.clock import Instant, ServiceClock
from stagedoor.kernel.errors import Fault
from stagedoor.operators.ports import AuditPen
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.settings import Settings
from stagedoor.settings.units import hours_in_ms, milliseconds
from stagedoor.waiting_room.ports import LineLeftovers, Rooms, WaitingLine

log = structlog.get_logger(__name__)

READ_AGAIN_MS = 150
"""
What another process leads is read about every 200 ms, by its turn of admission or by a refresh, and not by both.

Nothing that is told is older than 250 ms: each of them comes by ten, or five, times a second.
"""


class HouseLine(WaitingLine, LineLeftovers, Protocol):
    """The line of a house, which also forgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLine:
    """
    A line, and what its kind asks for.

    *take_up* makes it what it was, with everybody counted as seen then.
    Raises `ForeignLine` where there is the line of another database.
    *refresh* is to be called about every 200 ms, where there is one;
    *is_stale* says whether what is told of the line may be out of date.
    """

    line: HouseLine
    take_up: Callable[[Instant], Awaitable[None]]
    refresh: Callable[[], Awaitable[int]] | None
    is_stale: Callable[[], bool]


async def open_line(  # noqa: PLR0913, PLR0917 -- what a line needs of a house
    settings: Settings,
    still: Standstill,
    audit_pen: AuditPen,
    rooms: Rooms,
    breakers: Breakers,
    closing: AsyncExitStack,
) -> OpenedLine:
    """
    Make the line over the lanes and by the clock of *still*, and have *closing* let go of it.

    Nothing is read before it is taken up. *audit_pen* writes what operators do
    to places, where no transaction of the line can.
    """
    if settings.redis_url is None:
        return _embedded(settings, still.lanes, rooms, still.clock)
    assert still.clock_watch is not None
    refuse_unsure, guard = still.clock_watch.refuse_unsure, breakers.of(Instance.REDIS).call

    def guarded() -> AbstractContextManager[object]:
        # Whoever does not know what time it is tells the others nothing, leads nothing, and is told nothing.
        refuse_unsure()
        return guard()

    line = await closing.enter_async_context(
        opened_line(
            settings.redis_url,
            lanes=still.lanes,
            audit_pen=audit_pen,
            rooms=rooms,
            # Not its store's: what the line says is over the sale refuses, at the same instant.
            clock=still.machine_clock,
            own_clock=SystemClock(),
            keys_kept_ms=hours_in_ms(settings.keep_keys_hours),
            outage_credit_max_ms=milliseconds(settings.outage_credit_max_seconds),
            stands=lambda: still.clock.stands,
            read_again_ms=READ_AGAIN_MS,
            guard=guarded,
        )
    )

    async def take_up(_at: Instant) -> None:
        try:
            await line.refresh()
        except ForeignLine:
            raise
        except Fault as fault:
            # Those who hold seats can pay for them all the same, and the line is taken up once it is there.
            log.warning("line.not_there", cause=str(fault))

    return OpenedLine(line=line, take_up=take_up, refresh=line.refresh, is_stale=line.is_stale)


def _embedded(settings: Settings, lanes: Lanes, rooms: Rooms, clock: ServiceClock) -> OpenedLine:
    line = EmbeddedLine(lanes=lanes, clock=clock, rooms=rooms, keys_kept_ms=hours_in_ms(settings.keep_keys_hours))
    return OpenedLine(line=line, take_up=lambda at: line.restore(at=at), refresh=None, is_stale=lambda: False)
