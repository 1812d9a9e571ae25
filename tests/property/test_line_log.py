"""
The line, written down entry by entry, packed, and read by another process: both tell the same, whatever was done.

The other one is now and then replaced by one that begins with a checkpoint.
"""

from collections.abc import Coroutine, Mapping
from typing import Any

from hypothesis import settings
from hypothesis.stateful import invariant, rule
from typing_extensions import override

from stagedoor.adapters.redis import checkpoints, log_entries
from stagedoor.adapters.redis.line_store import Status, Tail
from stagedoor.adapters.redis.log_entries import GaveBack, LogEntry
from stagedoor.adapters.redis.replica import Replica
from stagedoor.kernel.ids import MAIN_ROOM
from stagedoor.waiting_room.changes import Change
from stagedoor.waiting_room.line_state import LineState
from tests.builders.line import a_ref
from tests.property.test_line import STEPS_MS, LineMachine


class Chunks:
    """A store that holds the parts of a checkpoint and nothing else."""

    def __init__(self, chunks: Mapping[bytes, bytes]) -> None:
        self._chunks = chunks

    async def read_chunk(self, name: bytes) -> bytes | None:
        return self._chunks.get(name)


def at_once(work: Coroutine[Any, Any, Replica]) -> Replica:
    """Return what *work*, which waits for nothing, returns."""
    try:
        work.send(None)
    except StopIteration as done:
        replica: Replica = done.value
        return replica
    raise AssertionError("it waits")


class LogMachine(LineMachine):
    """The same room, with a reader of its log beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = Replica(state=LineState(MAIN_ROOM), room=self.room, epoch=1, numbers_until=1_000_000)

    @override
    def make_so(self, change: Change) -> None:
        super().make_so(change)
        if change.is_durable:
            self.write(log_entries.changed(1, change))

    @override
    @rule(outage_ms=STEPS_MS)
    def stand_still(self, outage_ms: int) -> None:
        began_at = self.clock.now()
        super().stand_still(outage_ms)
        self.write(GaveBack(1, began_at, self.clock.now(), outage_ms))

    @rule()
    def begin_with_a_checkpoint(self) -> None:
        packed, chunks = checkpoints.taken(self.reader, name="1")
        store: Any = Chunks(dict(chunks))
        self.reader = at_once(checkpoints.loaded(store, self.room, epoch=1, packed=packed, at=self.clock.now()))

    @invariant()
    def the_reader_tells_the_same(self) -> None:
        for place in self.model.places:
            here = self.view(place)
            there = self.reader.line.show(a_ref(place.number), self.room, self.clock.now())
            assert there is not None
            assert (there.buyer_id, there.state, there.position) == (here.buyer_id, here.state, here.position)
            assert (there.admitted_at, there.session_ends_at) == (here.admitted_at, here.session_ends_at)
        told, known = self.line.view(), self.reader.line.view()
        assert (known.serving_number, known.last_number) == (told.serving_number, told.last_number)
        assert (known.waiting, known.active) == (told.waiting, told.active)

    def write(self, entry: LogEntry) -> None:
        """Add *entry* to the log; it comes twice, as tails may overlap."""
        position = self.reader.position + 1
        tail = Tail(Status.OK, self.clock.now(), position=position, entries=[(position, log_entries.encode(entry))])
        assert self.reader.absorb(tail)
        assert self.reader.absorb(tail)


LogMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLineLog = LogMachine.TestCase
