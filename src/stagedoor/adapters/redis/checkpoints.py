"""A line in few large pieces: what a process begins with that was not there from the start."""

from array import array
from collections.abc import Sequence

import msgspec

from stagedoor.adapters.redis.line_store import RoomStore
from stagedoor.adapters.redis.replica import Replica
from stagedoor.kernel.clock import Instant, Outage
from stagedoor.kernel.ids import HoldId, RoomId
from stagedoor.waiting_room.columns import LIVE, Columns
from stagedoor.waiting_room.line_state import LineState
from stagedoor.waiting_room.restoring import StoredLine, StoredPass, take_up_state
from stagedoor.waiting_room.room import Room

CHUNK_ROWS = 1 << 16
_ROW_BYTES = 26
OUTAGES_KEPT = 50


class CheckpointGone(Exception):  # noqa: N818 -- it is handled: there is a newer one
    """Parts of the checkpoint were removed while it was read."""


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """
    What there is besides the places, which stand in *chunks*, and where the log goes on.

    *passes* are number, admission, end of the session, entry and holds.
    """

    position: int
    first: int
    chunks: list[bytes]
    serving: int
    restored_serving: int
    last_admitted_at: int | None
    passes: list[tuple[int, int, int, int | None, list[tuple[int, int]]]]
    admits_from: int
    lost_until: int
    credited_until: int
    outages: list[tuple[int, int, int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


def taken(replica: Replica, *, name: str) -> tuple[bytes, Sequence[tuple[bytes, bytes]]]:
    """Return a checkpoint of *replica* as it is now, and its chunks by their names, which begin with *name*."""
    state, columns = replica.state, replica.state.columns
    chunks = [
        (f"{name}:{start}".encode(), _pack(columns, start, min(start + CHUNK_ROWS, len(columns))))
        for start in range(0, len(columns), CHUNK_ROWS)
    ]
    checkpoint = Checkpoint(
        position=replica.position,
        first=columns.first,
        chunks=[chunk_name for chunk_name, _ in chunks],
        serving=state.serving,
        restored_serving=state.restored_serving,
        last_admitted_at=state.rate.last_admitted_at,
        passes=[
            (number, running.admitted_at, running.session_ends_at, running.entered_at, list(running.holds.items()))
            for number, running in state.passes.items()
        ],
        admits_from=replica.admits_from,
        lost_until=replica.lost_until,
        credited_until=replica.credited_until,
        outages=[(one.began_at, one.ended_at, one.credited_ms) for one in replica.outages[-OUTAGES_KEPT:]],
    )
    return _encode(checkpoint), chunks


def position_of(packed: bytes) -> int:
    """Return where the log goes on behind the checkpoint *packed*."""
    return _decode(packed).position


async def write_chunks(store: RoomStore, chunks: Sequence[tuple[bytes, bytes]]) -> None:
    """Store the chunks, one after another. Raises `StoreLost`."""
    for name, chunk in chunks:
        await store.write_chunk(name, chunk)


async def loaded(store: RoomStore, room: Room, *, epoch: int, packed: bytes, at: Instant) -> Replica:
    """
    Return the line of the checkpoint *packed*; every living buyer counts as seen at *at*.

    Raises `CheckpointGone`, `StoreLost`.
    """
    checkpoint = _decode(packed)
    columns = Columns(checkpoint.first)
    for name in checkpoint.chunks:
        chunk = await store.read_chunk(name)
        if chunk is None:
            raise CheckpointGone
        _unpack(columns, chunk, at)
    columns.count_again()
    state = _state(room.id, columns, checkpoint, room, at)
    return Replica(
        state=state,
        room=room,
        epoch=epoch,
        numbers_until=0,
        admits_from=Instant(checkpoint.admits_from),
        lost_until=checkpoint.lost_until,
        position=checkpoint.position,
        binding=checkpoint.position,
        credited_until=checkpoint.credited_until,
        outages=[Outage(Instant(began), Instant(ended), ms) for began, ended, ms in checkpoint.outages],
    )


def _state(room_id: RoomId, columns: Columns, checkpoint: Checkpoint, room: Room, at: Instant) -> LineState:
    stored = StoredLine(
        room_id=room_id,
        columns=columns,
        passes=[
            StoredPass(
                number=number,
                admitted_at=Instant(admitted_at),
                session_ends_at=Instant(session_ends_at),
                entered_at=None if entered_at is None else Instant(entered_at),
            )
            for number, admitted_at, session_ends_at, entered_at, _ in checkpoint.passes
        ],
        serving_number=checkpoint.serving,
        last_admitted_at=None if checkpoint.last_admitted_at is None else Instant(checkpoint.last_admitted_at),
    )
    state = take_up_state(stored, room.policy, at=at)
    state.restored_serving = checkpoint.restored_serving
    for number, _, _, _, holds in checkpoint.passes:
        state.passes[number].holds.update({HoldId(hold_id): Instant(until) for hold_id, until in holds})
    return state


def _pack(columns: Columns, start: int, stop: int) -> bytes:
    rows = slice(start, stop)
    return b"".join(
        (
            columns.states[rows],
            columns.counting[rows],
            columns.buyers[rows].tobytes(),
            columns.token_expires_at[rows].tobytes(),
            columns.seen_at[rows].tobytes(),
        )
    )


def _unpack(columns: Columns, chunk: bytes, at: Instant) -> None:
    rows = len(chunk) // _ROW_BYTES
    states, counting = chunk[:rows], chunk[rows : 2 * rows]
    wide = array("q")
    wide.frombytes(chunk[2 * rows :])
    seen_at = [at if state in LIVE else ended_at for state, ended_at in zip(states, wide[2 * rows :], strict=True)]
    columns.add_stored(
        buyers=wide[:rows],
        states=states,
        counting=counting,
        token_expires_at=wide[rows : 2 * rows],
        seen_at=array("q", seen_at),
    )
