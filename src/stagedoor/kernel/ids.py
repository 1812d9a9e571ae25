"""Names for the numbers that pass between features, so that they cannot be mixed up."""

from collections.abc import Callable
from typing import NamedTuple, NewType

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


def unguessable(random_bits: RandomBits) -> int:
    """Return a positive id below 2^53 that nobody can predict."""
    return random_bits(WIRE_ID_BITS) or 1
