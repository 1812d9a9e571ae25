"""The rooms as this process last read them."""

from collections.abc import Sequence

from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.ports import RoomBook, Rooms
from stagedoor.waiting_room.room import Room


class ReadRooms(Rooms):
    """Keeps what the book said at the last refresh; whoever owns it refreshes it at least twice a second."""

    def __init__(self, book: RoomBook) -> None:
        """Know no rooms before the first refresh."""
        self._book = book
        self._rooms: dict[RoomId, Room] = {}

    async def refresh(self) -> int:
        """Read the rooms again; return how many there are."""
        return self.take(await self._book.all())

    def take(self, rooms: Sequence[Room]) -> int:
        """Go by *rooms*, which were read just now; return how many there are."""
        self._rooms = {room.id: room for room in rooms}
        return len(self._rooms)

    def get(self, room_id: RoomId) -> Room | None:
        """Return the room, None if there is none of that name."""
        return self._rooms.get(room_id)

    def all(self) -> Sequence[Room]:
        """Return every room, ordered by id."""
        return list(self._rooms.values())
