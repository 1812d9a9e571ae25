"""Publishers: in order for each subject, again without harm, and an outage is no event's fault."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence

import pytest

from stagedoor.adapters.embedded.publisher import InProcessPublisher
from stagedoor.adapters.kafka.access import KafkaAccess, Topic, make_topics
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.adapters.kafka.wire import HOLDS, ORDERS
from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import SeatId
from stagedoor.outbox.ports import EventPublisher, NotTaken
from tests.builders.events import paid, placed, released
from tests.kafka.topics import events_on

TOO_MANY_SEATS = [SeatId(number) for number in range(1, 2_000)]
NO_BROKER = KafkaAccess(bootstrap=("127.0.0.1:1",))


class Stage(ABC):
    """A publisher, and whoever takes what it publishes."""

    publisher: EventPublisher

    @abstractmethod
    async def seen(self) -> Sequence[DomainEvent]:
        """Return what was taken, by subject in the order of taking."""

    @abstractmethod
    async def refusing(self, event_id: str) -> EventPublisher:
        """Return a publisher to somebody who can take any event but that one."""

    @abstractmethod
    def nobody(self) -> EventPublisher:
        """Return a publisher that nobody listens to just now."""

    @abstractmethod
    async def close(self) -> None:
        """End."""


class InProcess(Stage):
    def __init__(self) -> None:
        self._seen: list[DomainEvent] = []
        self._refused = ""
        self._down = False
        self.publisher = InProcessPublisher(subscribers=(self._take,))

    async def seen(self) -> Sequence[DomainEvent]:
        return self._seen

    async def refusing(self, event_id: str) -> EventPublisher:
        self._refused = event_id
        return self.publisher

    def nobody(self) -> EventPublisher:
        self._down = True
        return self.publisher

    async def close(self) -> None:
        self._seen.clear()

    async def _take(self, events: Sequence[DomainEvent]) -> None:
        if self._down:
            raise Fault("the line's store is down")
        for event in events:
            if event.event_id == self._refused:
                raise ValueError(event.event_id)
            self._seen.append(event)


class OnKafka(Stage):
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._access = KafkaAccess(bootstrap=(bootstrap,))
        self._publishers = [KafkaPublisher(self._access), KafkaPublisher(NO_BROKER)]
        self.publisher = self._publishers[0]

    async def seen(self) -> Sequence[DomainEvent]:
        return [*await events_on(self._bootstrap, HOLDS), *await events_on(self._bootstrap, ORDERS)]

    async def refusing(self, event_id: str) -> EventPublisher:
        await make_topics(self._access, [Topic(name=ORDERS, settings={"max.message.bytes": "2000"})])
        return self.publisher

    def nobody(self) -> EventPublisher:
        return self._publishers[1]

    async def close(self) -> None:
        for publisher in self._publishers:
            await publisher.close()


@pytest.fixture(params=["in process", "kafka"])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    # Not in the fixture below: that one runs on the event loop, which the broker's fixture needs for itself.
    return None if request.param == "in process" else str(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def stage(bootstrap: str | None) -> AsyncIterator[Stage]:
    opened = InProcess() if bootstrap is None else OnKafka(bootstrap)
    yield opened
    await opened.close()


async def test_everything_is_taken_as_it_was_and_in_order_for_each_subject(stage: Stage) -> None:
    events = [placed(f"p{hold}", hold_id=hold) for hold in range(1, 21)]
    events_after = [released(f"r{hold}", hold_id=hold) for hold in range(1, 21)]

    await stage.publisher.publish([*events, paid("o1", order_id=1)])
    await stage.publisher.publish([*events_after, paid("o2", order_id=2)])

    seen = await stage.seen()
    assert {event.event_id: event for event in seen} == {
        event.event_id: event for event in (*events, *events_after, paid("o1", order_id=1), paid("o2", order_id=2))
    }
    for hold in range(1, 21):
        of_hold = [event.event_id for event in seen if event.subject_id == hold]
        assert of_hold == [f"p{hold}", f"r{hold}"]


async def test_the_same_again_comes_again_and_nothing_is_refused(stage: Stage) -> None:
    await stage.publisher.publish([paid("a"), paid("b", order_id=2)])
    await stage.publisher.publish([paid("a"), paid("b", order_id=2)])

    assert sorted(event.event_id for event in await stage.seen()) == ["a", "a", "b", "b"]


async def test_an_event_that_cannot_be_taken_is_told_apart(stage: Stage) -> None:
    publisher = await stage.refusing("too large")
    bad = paid("too large", order_id=3, seat_ids=TOO_MANY_SEATS)

    for _ in range(2):
        with pytest.raises(NotTaken):
            await publisher.publish([bad])
    await publisher.publish([paid("good", order_id=3)])
    await publisher.publish([paid("better", order_id=3)])

    assert [event.event_id for event in await stage.seen()] == ["good", "better"]


async def test_an_outage_is_no_events_fault(stage: Stage) -> None:
    with pytest.raises(Fault) as outage:
        await stage.nobody().publish([paid("a")])

    assert not isinstance(outage.value, NotTaken)
    assert await stage.seen() == []
