"""The rooms as this process last read them."""

from collections.abc import Sequence

from stagedoor.kernel.ids import RoomId
from stagedoor.waiting_room.ports import RoomBook, Rooms
from stagedoor.waiting_room.room import Room


class ReadRooms(Rooms):
    """Keeps what the book said when it was read last."""

    def __init__(self, book: RoomBook) -> None:
        """Know no rooms before the first reading."""
        self._book = book
        self._rooms: dict[RoomId, Room] = {}

    async def refresh(self) -> None:
        """Read the rooms again. Raises `Fault`."""
        self.take(await self._book.all())

    def take(self, rooms: Sequence[Room]) -> None:
        """Go by *rooms*, which were read just now."""
        self._rooms = {room.id: room for room in rooms}

    def get(self, room_id: RoomId) -> Room | None:
        """Return the room, None if there is none of that name."""
        return self._rooms.get(room_id)

    def all(self) -> Sequence[Room]:
        """Return every room, ordered by id."""
        return list(self._rooms.values())
