"""Everything one line remembers: what is durable, and who was last heard of when."""

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, RoomId
from stagedoor.waiting_room.admission_pass import AdmissionPass
from stagedoor.waiting_room.admission_rate import AdmissionRate
from stagedoor.waiting_room.away import AwayWheel
from stagedoor.waiting_room.columns import UNKNOWN_MS, WAITING, Columns
from stagedoor.waiting_room.due_passes import DuePasses
from stagedoor.waiting_room.living import LivingPlaces
from stagedoor.waiting_room.pace import Pace
from stagedoor.waiting_room.policy import away_window_ms, most_told_ms
from stagedoor.waiting_room.returners import Returners
from stagedoor.waiting_room.room import Room


class LineState:
    """
    The memory of one room's line.

    *living* leads from a buyer to her living place; *due* finds which of
    *passes* are over; *serving* is the highest number that admission has come
    to. *found_away* have been silent too long and are not journaled as away
    yet; *unsaved_entries* have taken up their pass, and that is not journaled
    yet. *waiting* counts the living places without a pass. *admits* says
    whether the last turn was one that may admit.
    """

    def __init__(
        self, room_id: RoomId, columns: Columns | None = None, *, last_admitted_at: Instant | None = None
    ) -> None:
        """Begin with the places of *columns*, all unheard of, or with none."""
        self.room_id = room_id
        self.columns = Columns() if columns is None else columns
        self.living = LivingPlaces(self.columns)
        self.passes: dict[int, AdmissionPass] = {}
        self.due = DuePasses(self.passes, self.columns)
        self.returners = Returners()
        self.serving = 0
        self.restored_serving = 0
        self.wheel = AwayWheel()
        self.found_away: dict[int, None] = {}
        self.unsaved_entries: dict[int, Instant] = {}
        self.rate = AdmissionRate(last_admitted_at)
        self.pace = Pace()
        self.seats_free = True
        self.admits = False
        self.block_to_visit = 0

    @property
    def waiting(self) -> int:
        """How many places live and have no pass: those who may poll."""
        return len(self.living) - len(self.passes)

    def row(self, number: int) -> int | None:
        """Return the row of a known place, None for a number that is not known."""
        row = number - self.columns.first
        if not 0 <= row < len(self.columns) or not self.columns.states[row]:
            return None
        return row

    def buyer(self, row: int) -> BuyerId:
        """Return whose place the row is."""
        return BuyerId(self.columns.buyers[row])

    def told_ms(self, row: int, room: Room) -> int:
        """Return the interval last told to the buyer, or the longest she can have been told where that is lost."""
        told = self.columns.told_ms[row]
        if told != UNKNOWN_MS:
            return told
        rank = max(1, self.columns.first + row - self.restored_serving)
        return most_told_ms(position=rank, waiting=self.waiting, polls_per_second=room.policy.polls_per_second)

    def away_at(self, row: int, room: Room) -> int:
        """Return from which instant on the buyer is away, unless she is heard of before."""
        return self.columns.seen_at[row] + away_window_ms(room.policy, self.told_ms(row, room))

    def position(self, row: int) -> int:
        """Return 1 + the places ahead that count. Nobody who counts is ahead of a returner."""
        return 1 + self.columns.counting_before(row) if self.columns.states[row] == WAITING else 1
