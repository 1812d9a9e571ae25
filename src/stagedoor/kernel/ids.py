"""Names for the numbers that pass between features, so that they cannot be mixed up."""

from collections.abc import Callable
from typing import NamedTuple, NewType

from stagedoor.kernel.clock import Clock, Instant

BuyerId = NewType("BuyerId", int)
RoomId = NewType("RoomId", str)
PerformanceId = NewType("PerformanceId", int)
SeatId = NewType("SeatId", int)
HoldId = NewType("HoldId", int)
OrderId = NewType("OrderId", int)
TransferId = NewType("TransferId", int)
EventId = NewType("EventId", str)
QueueNumber = NewType("QueueNumber", int)

WIRE_ID_BITS = 53
"""Ids go over the wire as JSON numbers; beyond 53 bits JavaScript rounds them."""

WIRE_ID_MAX = (1 << WIRE_ID_BITS) - 1

MAIN_ROOM = RoomId("main")


class PlaceRef(NamedTuple):
    """Names one place in a waiting line: its room and its queue number there. A tuple: every poll makes one."""

    room_id: RoomId
    number: QueueNumber


RandomBits = Callable[[int], int]
"""Returns an unguessable integer of at most that many bits: `secrets.randbits`, or a seeded source in a simulation."""


NewId = Callable[[], int]
"""Returns a positive id below 2^53 that nobody can predict."""

ID_RANDOM_BITS = 41
_MOMENTS = 1 << (WIRE_ID_BITS - ID_RANDOM_BITS)
_MOMENT_MS = 64


def unguessable(random_bits: RandomBits, at: Instant) -> int:
    """
    Return a positive id below 2^53 that nobody can predict.

    Ids of one moment share their first bits, so that rows that are written
    together lie together: a batch changes a few pages of a table, however
    large that is, and not one for each of its rows. The other 41 bits are
    anybody's guess. Moments come round again after some minutes, so that no
    more ids are alike than if all bits were drawn, unless most are of one
    moment: whoever makes a million at once draws all of their bits.
    """
    return (at // _MOMENT_MS % _MOMENTS) << ID_RANDOM_BITS | random_bits(ID_RANDOM_BITS) or 1


def new_ids(random_bits: RandomBits, clock: Clock) -> NewId:
    """Return what makes ids of the present moment."""
    return lambda: unguessable(random_bits, clock.now())
