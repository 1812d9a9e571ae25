"""The JSON of a performance's seats, prepared so that a list of twenty thousand is one join."""

from collections.abc import Sequence

import msgspec

from stagedoor.http.wire import SeatItem, SeatStatusWord
from stagedoor.seating.model import Claims, Seat, SeatState

_END = b'"}'
_FREE: SeatStatusWord = "AVAILABLE"
_WORDS: dict[SeatState, SeatStatusWord] = {
    SeatState.FREE: _FREE,
    SeatState.HELD: "TEMP_RESERVED",
    SeatState.SOLD: "RESERVED",
    # House seats are not for sale, and why is nobody's business.
    SeatState.BLOCKED: "RESERVED",
}
_ENDS = {state: word.encode() + _END for state, word in _WORDS.items()}


class SeatBytes:
    """Each seat up to its status, which is the last of its fields and the only one that changes."""

    __slots__ = ("_heads", "_ids")

    def __init__(self, seats: Sequence[Seat]) -> None:
        """Prepare *seats*, in their order."""
        self._ids = [seat.id for seat in seats]
        self._heads = [_head(seat) for seat in seats]

    def free_of(self, claims: Claims) -> bytes:
        """Return the list of the seats that are free."""
        claimed = claims.states
        heads = [head for seat_id, head in zip(self._ids, self._heads, strict=True) if seat_id not in claimed]
        if not heads:
            return b"[]"
        end = _ENDS[SeatState.FREE]
        return b"[" + (end + b",").join(heads) + end + b"]"

    def all_of(self, claims: Claims) -> bytes:
        """Return the list of all seats."""
        state_of = claims.states.get
        ends = _ENDS
        return (
            b"["
            + b",".join(
                [
                    head + ends[state_of(seat_id, SeatState.FREE)]
                    for seat_id, head in zip(self._ids, self._heads, strict=True)
                ]
            )
            + b"]"
        )


def _head(seat: Seat) -> bytes:
    item = SeatItem(
        seat_id=seat.id,
        position=seat.position,
        amount=seat.price_won,
        section=seat.section,
        row=seat.row,
        number=seat.number,
        zone=seat.zone,
        seat_status=_FREE,
    )
    return msgspec.json.encode(item).removesuffix(_FREE.encode() + _END)
