"""Acts on events that a broker delivers: again after a failure, later each time, and aside with what never works."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.model import Delivery
from stagedoor.outbox.ports import EventStream, Subscriber

log = structlog.get_logger(__name__)

BATCH_MAX = 500
ONE_BY_ONE_MAX = 20
ATTEMPTS_MAX = 5
FIRST_PAUSE_S = 0.2
PAUSE_S_MAX = 30.0

NEW_LINE = "\n"


class _Stopped(Exception):  # noqa: N818 -- not a failure of anything
    """The consumer was told to stop in the middle of its attempts."""


class ConsumeEvents:
    """
    Hands what is delivered to *subscriber*, and remembers it as done only afterwards.

    A `Fault` is an outage: everything comes again, after a pause, for as long
    as it lasts. An event that the subscriber fails on is tried `ATTEMPTS_MAX`
    times and then set aside, as is at once what cannot be read; neither holds
    up what comes behind it for longer than that. *chance* returns a number from
    0 to 1, so that consumers that failed together do not come again together.
    """

    def __init__(self, *, stream: EventStream, subscriber: Subscriber, chance: Callable[[], float]) -> None:
        """Take nothing before `run`."""
        self._stream = stream
        self._subscriber = subscriber
        self._chance = chance
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End after the batch that is under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until `stop`."""
        failures = 0
        with contextlib.suppress(_Stopped):
            while not self._stopping.is_set():
                try:
                    await self._consume_some()
                except Fault as fault:
                    if failures == 0:
                        log.warning("consumer.waits", cause=str(fault))
                    failures += 1
                    self._stream.rewind()
                    await self._pause(failures)
                else:
                    if failures:
                        log.info("consumer.goes_on", failed_attempts=failures)
                    failures = 0

    async def _consume_some(self) -> None:
        deliveries = await self._stream.take(limit=BATCH_MAX)
        if not deliveries:
            return
        events = [delivery.event for delivery in deliveries if delivery.event is not None]
        if len(events) == len(deliveries):
            if (cause := await self._failure_on(events)) is None:
                await self._stream.done(deliveries)
                return
            log.warning("consumer.goes_one_by_one", cause=cause, events=len(events))
        # A few at a time: a broker takes a consumer that does not come back for minutes for dead.
        first = deliveries[:ONE_BY_ONE_MAX]
        for delivery in first:
            await self._settle(delivery)
        await self._stream.done(first)
        self._stream.rewind()

    async def _settle(self, delivery: Delivery) -> None:
        if delivery.event is None:
            await self._set_aside(delivery, cause=delivery.defect, attempts=1)
            return
        attempts = 1
        while (cause := await self._failure_on([delivery.event])) is not None:
            if attempts == ATTEMPTS_MAX:
                await self._set_aside(delivery, cause=cause, attempts=attempts)
                return
            log.warning("consumer.tries_again", origin=delivery.origin, cause=cause, attempts=attempts)
            await self._pause(attempts)
            attempts += 1

    async def _failure_on(self, events: Sequence[DomainEvent]) -> str | None:
        try:
            await self._subscriber(events)
        except Fault:
            raise
        except Exception as error:  # noqa: BLE001 -- each time it is logged, and at last kept with the dead letter
            # Whatever the subscriber runs into with an event must not keep all that come behind it waiting for good.
            # Its first line: a database's has the statement below, and what it was about.
            return f"{type(error).__name__}: {str(error).partition(NEW_LINE)[0]}"
        return None

    async def _set_aside(self, delivery: Delivery, *, cause: str, attempts: int) -> None:
        await self._stream.set_aside(delivery, cause=cause, attempts=attempts)
        log.error("consumer.dead_letter", origin=delivery.origin, cause=cause, attempts=attempts)

    async def _pause(self, failures: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s(failures, self._chance())):
                await self._stopping.wait()
                raise _Stopped


def pause_s(failures: int, chance: float) -> float:
    """Return how long to wait after *failures* in a row: twice as long each time, half of it left to *chance*."""
    assert failures > 0
    longest = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 32), PAUSE_S_MAX)
    return longest * (1 + chance) / 2
