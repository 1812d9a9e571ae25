"""A publisher behind a breaker: an outage opens it, an event that cannot be taken does not."""

from collections.abc import Sequence

import pytest

from stagedoor.adapters.guarding import GuardedPublisher
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.ports import EventPublisher, NotTaken
from stagedoor.resilience.breaker import CallNotPermitted, State
from tests.unit.resilience.breakers import Bench


class Publisher(EventPublisher):
    """Raises what it is told to, and counts how often it was asked."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.asked = 0

    async def publish(self, events: Sequence[DomainEvent]) -> None:
        self.asked += 1
        if self.fault is not None:
            raise self.fault


async def test_an_outage_opens_the_breaker_and_then_nobody_is_asked() -> None:
    bench, publisher = Bench(), Publisher(Fault("the brokers are gone"))
    guarded = GuardedPublisher(publisher, bench.breaker)
    while bench.state is State.CLOSED:
        with pytest.raises(Fault, match="gone"):
            await guarded.publish([])
    asked = publisher.asked

    with pytest.raises(CallNotPermitted):
        await guarded.publish([])

    assert publisher.asked == asked


async def test_whoever_refuses_an_event_is_there() -> None:
    bench, publisher = Bench(), Publisher(NotTaken("too large"))
    guarded = GuardedPublisher(publisher, bench.breaker)

    for _ in range(100):
        with pytest.raises(NotTaken, match="too large"):
            await guarded.publish([])

    assert (bench.state, publisher.asked) == (State.CLOSED, 100)


async def test_what_is_taken_is_taken() -> None:
    bench, publisher = Bench(), Publisher()

    await GuardedPublisher(publisher, bench.breaker).publish([])

    assert (bench.state, publisher.asked) == (State.CLOSED, 1)
