"""How a process comes to a room's line: from the store, or, where that has lost it, from what is left elsewhere."""

import secrets
from array import array
from functools import partial

from stagedoor.adapters.redis import checkpoints
from stagedoor.adapters.redis.checkpoints import CheckpointGone
from stagedoor.adapters.redis.client import RedisClient, StoreLost
from stagedoor.adapters.redis.line_store import RoomStore, Seen, Status
from stagedoor.adapters.redis.replica import EntriesMissing, Replica
from stagedoor.kernel.clock import GAP_MS, Clock, Instant, later
from stagedoor.kernel.ids import RoomId
from stagedoor.resilience.deadline import due
from stagedoor.waiting_room.columns import ADMITTED, LIVE, PASSED_OVER, WAITING, Columns
from stagedoor.waiting_room.line_record import LineRecord, Marks, RecordedRoom
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.restoring import StoredLine, StoredPass, take_up_state
from stagedoor.waiting_room.room import Room


class Opening:
    """Opens rooms on one store, whose server is looked at: on another one than before something may be missing."""

    def __init__(
        self, client: RedisClient, record: LineRecord, clock: Clock, *, installation: str, credit_max_ms: int
    ) -> None:
        """Open lines of *installation*; give at most *credit_max_ms* of an outage of the store back."""
        self._client = client
        self._record = record
        self._clock = clock
        self._installation = installation
        self._credit_max_ms = credit_max_ms
        self._lost_epochs: dict[RoomId, int] = {}

    def is_at(self, server: str) -> bool:
        """Whether *server* is still where the store was last found."""
        return self._client.server == server

    def lost(self, room_id: RoomId, epoch: int) -> None:
        """Note that the store has nothing of this epoch any more."""
        self._lost_epochs[room_id] = epoch

    def credit_of(self, began_at: Instant, ended_at: Instant) -> int:
        """Return how much of such an outage of the store is given back, in milliseconds."""
        return min(ended_at - began_at, self._credit_max_ms)

    async def open(self, room: Room, known: Replica | None, *, was_at: str) -> tuple[RoomStore, Replica]:
        """
        Return the room's line in the present epoch, all of it, and where it is.

        *known* is what this process knew of the last one, on the server
        *was_at*. Raises `Fault`, such as `Superseded` where others have gone on
        with it on another server, and `ForeignLine`.
        """
        # For everybody who comes, however late it is for whoever came first.
        with due(None):
            return await self._open(room, known, was_at=was_at)

    async def _open(self, room: Room, known: Replica | None, *, was_at: str) -> tuple[RoomStore, Replica]:
        server = await self._client.serving()
        store = RoomStore(self._client, self._clock, room.id, server=server, installation=self._installation)
        # What is another's is refused before anything is written for it.
        await store.head()
        held_epoch = known.epoch if known is not None and server == was_at else None
        begin = partial(self._record.open, room.id, server=server, held_epoch=held_epoch)
        marks = await begin(lost_epoch=self._lost_epochs.get(room.id))
        begun, packed = await store.head()
        while begun > marks.epoch:
            # The record is an older one, put back from a backup: what the store has is newer, and goes on as lost.
            marks = await begin(lost_epoch=marks.epoch)
            if begun == marks.epoch:
                marks = await begin(lost_epoch=marks.epoch)
        if begun < marks.epoch:
            base = await self._base(store, room, marks, known, begun, packed)
            begun = await self._begin(store, room, marks, base)
        if begun != marks.epoch:
            raise StoreLost("the line has begun another epoch")
        self._lost_epochs.pop(room.id, None)
        replica = await self._load(store, room, begun)
        replica.numbers_until, replica.told_ms = marks.numbers_until, marks.told_ms
        return store, replica

    async def _load(self, store: RoomStore, room: Room, epoch: int) -> Replica:
        gone: bytes | None = None
        while True:
            begun, packed = await store.head()
            if begun != epoch:
                raise StoreLost("the line has begun another epoch")
            try:
                now = (await store.catch_up(Seen(epoch, 0, 0), is_sign_of_life=False)).now
                replica = await checkpoints.loaded(store, room, epoch=epoch, packed=packed, at=now)
                await _read_on(store, replica)
            except (CheckpointGone, EntriesMissing):
                if packed == gone:
                    # Nobody has put another one in its place: the store has lost what it was told to keep.
                    self.lost(room.id, epoch)
                    raise StoreLost("the store has lost a part of the line") from None
                gone = packed
                continue
            replica.take_all_for_seen(now)
            return replica

    async def _base(  # noqa: PLR0913, PLR0917 -- what may be left, and where
        self, store: RoomStore, room: Room, marks: Marks, known: Replica | None, begun: int, packed: bytes
    ) -> Replica | None:
        """Return the best that is left of the last epoch, None for nothing."""
        before = marks.epoch - 1
        if known is not None and known.epoch != before:
            known = None
        if begun != before or not packed:
            return known
        try:
            if known is None:
                known = await checkpoints.loaded(store, room, epoch=before, packed=packed, at=self._clock.now())
            await _read_on(store, known)
        except (CheckpointGone, EntriesMissing):
            # What the store still has is less than what this process knows, or nothing whole.
            pass
        return known

    async def _begin(self, store: RoomStore, room: Room, marks: Marks, base: Replica | None) -> int:
        """
        Begin the epoch in the store from what is left, unless somebody else has; return which one has begun.

        What the record lacks of it is recorded by whoever leads then: of several that begin, only the store knows
        from which one the line goes on.
        """
        now = (await store.catch_up(Seen(marks.epoch, 0, 0), is_sign_of_life=False)).now
        recorded = await self._record.read(room.id)
        replica = _recovered(room, marks, base, recorded, now)
        checkpoint, chunks = checkpoints.taken(replica, name=f"{marks.epoch}:{secrets.token_hex(4)}")
        await checkpoints.write_chunks(store, chunks)
        return await store.open(marks.epoch, checkpoint, chunks=[name for name, _ in chunks])


async def _read_on(store: RoomStore, replica: Replica) -> None:
    while True:
        tail = await store.catch_up(replica.seen, is_sign_of_life=False)
        if tail.status is Status.LOST:
            raise StoreLost("the store has lost the line")
        # Signs from before need not be read: everybody counts as just seen.
        replica.sign = tail.sign
        if replica.absorb(tail):
            return


def _recovered(room: Room, marks: Marks, base: Replica | None, recorded: RecordedRoom, now: Instant) -> Replica:
    """
    Return the line of a new epoch: *base*, what was recorded, and room for all who may still come with their tokens.

    Nobody is admitted before everybody has had the time to ask again.
    """
    is_first = marks.numbers_until <= 1
    columns = Columns() if base is None else base.state.columns
    if marks.numbers_until - 1 > columns.last_number:
        columns.add_lost(marks.numbers_until - 1 - columns.last_number)
    columns.count_again()
    passes = {} if base is None else {number: _stored(base.state, number) for number in base.state.passes}
    for number in _put_in(columns, recorded, now):
        passes.pop(number, None)
    for running in recorded.passes:
        row = running.number - columns.first
        if 0 <= row < len(columns) and columns.states[row] == ADMITTED:
            passes.setdefault(running.number, running)
    row = columns.states.find(ADMITTED)
    while row >= 0:
        if columns.first + row not in passes:
            # Her pass is not known any more: she enters next, as soon as she is heard of.
            columns.states[row] = PASSED_OVER
        row = columns.states.find(ADMITTED, row + 1)
    live = array("q", [now if state in LIVE else at for state, at in zip(columns.states, columns.seen_at, strict=True)])
    columns.seen_at = live
    serving = max(recorded.serving_number, 0 if base is None else base.state.serving)
    stored = StoredLine(
        room_id=room.id,
        columns=columns,
        passes=list(passes.values()),
        serving_number=serving,
        last_admitted_at=_latest(recorded.last_admitted_at, None if base is None else base.state.rate.last_admitted_at),
    )
    return _begun(room, marks, base, take_up_state(stored, room.policy, at=now), None if is_first else now)


def _begun(room: Room, marks: Marks, base: Replica | None, state: LineState, lost_at: Instant | None) -> Replica:
    if base is not None:
        for number, running in state.passes.items():
            if (before := base.state.passes.get(number)) is not None:
                running.holds.update(before.holds)
    return Replica(
        state=state,
        room=room,
        epoch=marks.epoch,
        numbers_until=marks.numbers_until,
        admits_from=Instant(0) if lost_at is None else later(lost_at, max(marks.told_ms, GAP_MS)),
        lost_until=0 if lost_at is None else marks.numbers_until,
        credited_until=0 if base is None else base.credited_until,
        outages=[] if base is None else base.outages,
    )


def _put_in(columns: Columns, recorded: RecordedRoom, now: Instant) -> list[int]:
    """Put what was recorded into *columns*; return the numbers that are over by that."""
    over: list[int] = []
    for place, state, ended_at in recorded.places:
        row = place.number - columns.first
        if not 0 <= row < len(columns):
            continue
        if columns.is_lost(row):
            columns.take_back(row, place.buyer_id, place.token_expires_at, now)
        elif columns.states[row] != WAITING and (ended_at is None or columns.states[row] not in LIVE):
            # What a process knew of the last epoch is at least as new as what was recorded of it.
            continue
        columns.stop_counting(row)
        columns.states[row] = state.value
        if ended_at is not None:
            columns.seen_at[row] = ended_at
            over.append(place.number)
    for number, state in recorded.closed:
        row = number - columns.first
        if 0 <= row < len(columns) and (columns.is_lost(row) or columns.states[row] in LIVE):
            if columns.is_lost(row):
                # Whose it was is in her token; that she has used it up is all that counts.
                columns.take_back(row, 0, 1, now)
            columns.stop_counting(row)
            columns.states[row], columns.seen_at[row] = state.value, now
            over.append(number)
    return over


def _stored(state: LineState, number: int) -> StoredPass:
    running = state.passes[number]
    return StoredPass(
        number=number,
        admitted_at=running.admitted_at,
        session_ends_at=running.session_ends_at,
        entered_at=running.entered_at,
    )


def _latest(one: Instant | None, other: Instant | None) -> Instant | None:
    return max((at for at in (one, other) if at is not None), default=None)
