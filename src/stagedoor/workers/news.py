"""Goes by what others have done: how the rooms and the switches are now, and what was sold elsewhere."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from stagedoor.seating.switch import ReadSwitches, SaleSwitches
from stagedoor.waiting_room.room import Room
from stagedoor.waiting_room.rooms import ReadRooms


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowNews:
    """
    Hand on what *read* returns: what makes the rooms, what the switches say, and the number of the newest event.

    *hear* is told of that number. While nothing can be read, all stays as it was read last.
    """

    read: Callable[[], Awaitable[tuple[Callable[[], Sequence[Room]], SaleSwitches, int]]]
    rooms: ReadRooms
    switches: ReadSwitches
    hear: Callable[[int], None]

    async def look(self) -> int:
        """Look once; there is never more to do at once. Raises `Fault`."""
        turn_to = self.switches.reading()
        make_rooms, switches, newest_event = await self.read()
        turn_to(switches)
        self.hear(newest_event)
        self.rooms.take(make_rooms())
        return 0
