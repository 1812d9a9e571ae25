"""A consumer: done is what was acted on, an outage is waited out, and what never works is set aside alone."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from stagedoor.kernel.errors import Fault
from stagedoor.kernel.events import DomainEvent
from stagedoor.outbox.model import Delivery
from stagedoor.outbox.ports import EventStream
from stagedoor.workers import consume
from stagedoor.workers.consume import ATTEMPTS_MAX, ONE_BY_ONE_MAX, PAUSE_S_MAX, ConsumeEvents, pause_s
from tests.builders.events import something


def a_delivery(name: str, *, readable: bool = True) -> Delivery:
    event = something(name) if readable else None
    return Delivery(origin=name, event=event, defect="" if readable else "no JSON")


class ListedStream(EventStream):
    """A stream that hands out a list, and what was not done of it again; the consumer ends when all is done."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.left = list(deliveries)
        self.finished: list[str] = []
        self.aside: list[tuple[str, str, int]] = []
        self.down_at_done = 0
        self.consumer: ConsumeEvents | None = None
        self._taken = 0

    async def take(self, *, limit: int) -> Sequence[Delivery]:
        if not self.left:
            assert self.consumer is not None
            self.consumer.stop()
        taken = self.left[self._taken : self._taken + limit]
        self._taken += len(taken)
        return taken

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        if self.down_at_done:
            self.down_at_done -= 1
            raise Fault("the broker is down")
        assert list(deliveries) == self.left[: len(deliveries)]
        self.finished += [delivery.origin for delivery in deliveries]
        self.left = self.left[len(deliveries) :]
        self._taken -= len(deliveries)

    def rewind(self) -> None:
        self._taken = 0

    async def set_aside(self, delivery: Delivery, *, cause: str, attempts: int) -> None:
        self.aside.append((delivery.origin, cause, attempts))


class Reader:
    """A subscriber that chokes on some events, so many times, and is down so many times before it does anything."""

    def __init__(self, *, chokes: dict[str, int] | None = None, down: int = 0) -> None:
        self.seen: list[str] = []
        self._chokes = chokes or {}
        self._down = down

    async def __call__(self, events: Sequence[DomainEvent]) -> None:
        if self._down:
            self._down -= 1
            raise Fault("the database is down")
        for event in events:
            if self._chokes.get(event.event_id, 0):
                self._chokes[event.event_id] -= 1
                raise ValueError("no such order\nand what was asked for it")
            self.seen.append(event.event_id)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume, "FIRST_PAUSE_S", 0.0)


async def consumed(stream: ListedStream, reader: Reader) -> None:
    stream.consumer = ConsumeEvents(stream=stream, subscriber=reader, chance=lambda: 0.5)
    await stream.consumer.run()


async def test_all_are_acted_on_and_then_done() -> None:
    stream, reader = ListedStream(a_delivery("a"), a_delivery("b")), Reader()

    await consumed(stream, reader)

    assert (reader.seen, stream.finished, stream.aside) == (["a", "b"], ["a", "b"], [])


async def test_an_outage_is_waited_out_however_long_it_lasts() -> None:
    stream, reader = ListedStream(a_delivery("a"), a_delivery("b")), Reader(down=10 * ATTEMPTS_MAX)

    await consumed(stream, reader)

    assert (reader.seen, stream.finished, stream.aside) == (["a", "b"], ["a", "b"], [])


async def test_what_could_not_be_remembered_as_done_comes_again() -> None:
    stream, reader = ListedStream(a_delivery("a")), Reader()
    stream.down_at_done = 2

    await consumed(stream, reader)

    assert (reader.seen, stream.finished) == (["a", "a", "a"], ["a"])


async def test_what_fails_is_tried_again_and_then_works() -> None:
    # Once in the batch, and once more by itself.
    stream, reader = ListedStream(a_delivery("a"), a_delivery("b")), Reader(chokes={"b": ATTEMPTS_MAX})

    await consumed(stream, reader)

    assert stream.aside == []
    assert (reader.seen[-1], stream.finished) == ("b", ["a", "b"])


async def test_what_fails_and_then_works_was_told_of_with_its_cause() -> None:
    stream, reader = ListedStream(a_delivery("a"), a_delivery("b")), Reader(chokes={"b": 2})

    with capture_logs() as lines:
        await consumed(stream, reader)

    cause = "ValueError: no such order"
    assert [(line["event"], line["log_level"], line.get("cause"), line.get("events")) for line in lines] == [
        ("consumer.goes_one_by_one", "warning", cause, 2),
        ("consumer.tries_again", "warning", cause, None),
    ]
    assert (lines[1]["origin"], lines[1]["attempts"]) == ("b", 1)


async def test_of_what_never_works_each_attempt_is_told_of_and_then_its_end() -> None:
    stream, reader = ListedStream(a_delivery("bad")), Reader(chokes={"bad": 10**6})

    with capture_logs() as lines:
        await consumed(stream, reader)

    assert [(line["event"], line["attempts"]) for line in lines if "attempts" in line] == [
        *[("consumer.tries_again", attempts) for attempts in range(1, ATTEMPTS_MAX)],
        ("consumer.dead_letter", ATTEMPTS_MAX),
    ]


async def test_what_never_works_is_set_aside_and_holds_up_nobody() -> None:
    stream = ListedStream(a_delivery("a"), a_delivery("bad"), a_delivery("b"))
    reader = Reader(chokes={"bad": 10**6})

    await consumed(stream, reader)

    # The second line of the cause is what it was about, which is nobody's business.
    assert stream.aside == [("bad", "ValueError: no such order", ATTEMPTS_MAX)]
    assert (reader.seen[-1], stream.finished) == ("b", ["a", "bad", "b"])


async def test_what_cannot_be_read_is_set_aside_at_once() -> None:
    stream, reader = ListedStream(a_delivery("x", readable=False), a_delivery("a")), Reader()

    await consumed(stream, reader)

    assert stream.aside == [("x", "no JSON", 1)]
    assert (reader.seen, stream.finished) == (["a"], ["x", "a"])


async def test_one_by_one_goes_a_few_at_a_time() -> None:
    names = [f"e{number}" for number in range(3 * ONE_BY_ONE_MAX)]
    stream, reader = ListedStream(*map(a_delivery, names)), Reader(chokes={names[0]: 10**6})

    await consumed(stream, reader)

    assert stream.finished == names
    # Behind the few, everything is taken as one batch again: nothing is handed over a third time.
    assert all(reader.seen.count(name) <= 2 for name in names)


async def test_who_is_told_to_stop_in_the_middle_of_attempts_leaves_the_rest_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consume, "FIRST_PAUSE_S", 3_600.0)
    monkeypatch.setattr(consume, "PAUSE_S_MAX", 3_600.0)
    stream = ListedStream(a_delivery("bad"))

    class Stops(Reader):
        async def __call__(self, events: Sequence[DomainEvent]) -> None:
            assert stream.consumer is not None
            stream.consumer.stop()
            await super().__call__(events)

    await consumed(stream, Stops(chokes={"bad": 10**6}))

    assert (stream.finished, stream.aside) == ([], [])


class TestPauses:
    @pytest.mark.parametrize(
        ("failures", "longest_s"), [(1, 0.2), (2, 0.4), (3, 0.8), (9, PAUSE_S_MAX), (999, PAUSE_S_MAX)]
    )
    def test_twice_as_long_each_time_and_half_of_it_chance(
        self, monkeypatch: pytest.MonkeyPatch, failures: int, longest_s: float
    ) -> None:
        monkeypatch.setattr(consume, "FIRST_PAUSE_S", 0.2)

        assert pause_s(failures, 1.0) == pytest.approx(longest_s)
        assert pause_s(failures, 0.0) == pytest.approx(longest_s / 2)
