"""
What can be wrong with a connection, in toxiproxy's words.

Each has a *stream*, `UP` (to the server) or `DOWN` (its answers), and a
*toxicity*, the share of the connections that it spoils: 0.5 spoils every second
one, not one by chance, so that a test finds the same each time. Where *only* is
given it spoils nothing but the pieces of which that is true.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Stream(StrEnum):
    """A direction."""

    UP = "up"
    DOWN = "down"


UP, DOWN = Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """
    Some bytes on their way, since *arrived_at* (of the loop's clock), and to which *request* they are the reply.

    *moment* says where in the life of their connection they come, for a proxy that knows.
    """

    data: bytes
    arrived_at: float
    request: bytes = b""
    moment: str = ""


class Way(Protocol):
    """One direction of one connection, as a toxic sees it."""

    async def wait_until(self, instant: float | None, toxic: "Toxic") -> bool:
        """Return True at *instant* of the loop's clock, or never, but False as soon as *toxic* is taken away."""

    def jitter(self) -> float:
        """Return a figure between -1 and 1, the next of a sequence that is the same each time."""

    def now(self) -> float:
        """Return the loop's time, in seconds."""

    def reset(self) -> None:
        """Reset both connections: either side gets an RST."""

    def refuse(self) -> None:
        """Reset all connections of the proxy, and let no new one in."""

    def passed(self, toxic: "Toxic") -> int:
        """Return how many bytes *toxic* has let through here."""


def any_piece(_piece: Piece) -> bool:
    """Spoil everything."""
    return True


@dataclass(frozen=True, eq=False, kw_only=True)
class Toxic(ABC):
    """What it lets through of a piece, and when."""

    stream: Stream = DOWN
    toxicity: float = 1.0
    only: Callable[[Piece], bool] = any_piece

    @abstractmethod
    def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        """Yield the parts of *piece* as they may go on."""


@dataclass(frozen=True, eq=False)
class Latency(Toxic):
    """All comes *ms* later, give or take *jitter_ms*, and in its order."""

    ms: float
    jitter_ms: float = 0.0

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        late = (self.ms + self.jitter_ms * way.jitter()) / 1000
        await way.wait_until(piece.arrived_at + late, self)
        yield piece


@dataclass(frozen=True, eq=False)
class Bandwidth(Toxic):
    """No more than *bytes_per_s* go through."""

    bytes_per_s: int

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        for part in slices(piece, max(1, self.bytes_per_s // 20)):
            await way.wait_until(way.now() + len(part.data) / self.bytes_per_s, self)
            yield part


@dataclass(frozen=True, eq=False)
class Slicer(Toxic):
    """A slow drip: *size* bytes, then nothing for *delay_ms*, and so on."""

    size: int
    delay_ms: float

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        for part in slices(piece, self.size):
            yield part
            await way.wait_until(way.now() + self.delay_ms / 1000, self)


@dataclass(frozen=True, eq=False)
class Timeout(Toxic):
    """
    Nothing comes through: the hang that says nothing.

    After *ms* the connection is reset; without it never. When the toxic is taken
    away, what was held goes on, as TCP sends again when a network has healed.
    """

    ms: float | None = None

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        end = None if self.ms is None else piece.arrived_at + self.ms / 1000
        if await way.wait_until(end, self):
            way.reset()
        else:
            yield piece


@dataclass(frozen=True, eq=False)
class ResetPeer(Toxic):
    """Both sides get an RST as soon as more than *after_bytes* would go through; on `DOWN` that is in mid-reply."""

    after_bytes: int = 0

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        left = self.after_bytes - way.passed(self)
        if len(piece.data) <= left:
            yield piece
            return
        if left:
            yield replace(piece, data=piece.data[:left])
        way.reset()


@dataclass(frozen=True, eq=False)
class Down(Toxic):
    """
    From its first piece on the proxy refuses everybody, until it is told to be up again.

    With *after* that piece still gets through.
    """

    after: bool = False

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        if self.after:
            yield piece
        way.refuse()


def slices(piece: Piece, size: int) -> list[Piece]:
    """Cut *piece* into parts of *size* bytes."""
    return [replace(piece, data=piece.data[start : start + size]) for start in range(0, len(piece.data), size)]
