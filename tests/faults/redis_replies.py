"""Faults of single replies of Redis: for that, the proxy has to know where a reply ends, and what it answers."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tests.faults.proxy import Proxy
from tests.faults.toxics import UP, Piece, Stream, Toxic, Way

LINES = b"+-:_#,("
BULKS = b"$!="
COUNTED = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
PUSHES = (b">", b"*3\r\n$7\r\nmessage\r\n")


class RedisProxy(Proxy):
    """
    A proxy that hands on whole commands and whole replies.

    *commands* counts, by name in capitals, what clients have sent.
    """

    def __init__(self, upstream_port: int) -> None:
        """Lead to the Redis at *upstream_port*."""
        super().__init__(upstream_port)
        self.commands: Counter[str] = Counter()

    def cutter(self) -> Callable[[Stream, bytes, float], list[Piece]]:
        """Return what finds commands and replies in one new connection, and which belong together."""
        return Conversation(self.commands).cut


class Conversation:
    """The commands of one connection that are not answered yet."""

    def __init__(self, commands: Counter[str]) -> None:
        """Count in *commands*."""
        self._commands = commands
        self._unanswered: deque[bytes] = deque()
        self._unfinished: dict[Stream, bytes] = {}

    def cut(self, stream: Stream, data: bytes, arrived_at: float) -> list[Piece]:
        """Return the messages that are whole now; keep the rest."""
        data = self._unfinished.get(stream, b"") + data
        pieces = []
        start = 0
        while (end := end_of_message(data, start)) is not None:
            message = data[start:end]
            pieces.append(self._command(message, arrived_at) if stream is UP else self._reply(message, arrived_at))
            start = end
        self._unfinished[stream] = data[start:]
        return pieces

    def _command(self, message: bytes, arrived_at: float) -> Piece:
        self._unanswered.append(message)
        self._commands[message.split(b"\r\n")[2].decode().upper()] += 1
        return Piece(data=message, arrived_at=arrived_at, request=message)

    def _reply(self, message: bytes, arrived_at: float) -> Piece:
        answers = b"" if message.startswith(PUSHES) or not self._unanswered else self._unanswered.popleft()
        return Piece(data=message, arrived_at=arrived_at, request=answers)


def end_of_message(data: bytes, start: int) -> int | None:
    """Return where the message of RESP 2 or 3 that begins at *start* ends, or None if the end has not come yet."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, end = data[start : start + 1], line_end + 2
    if kind in LINES:
        return end
    length = int(data[start + 1 : line_end])
    if kind in BULKS:
        end += length + 2 if length >= 0 else 0  # of no string (-1), nothing follows
        return end if end <= len(data) else None
    inner: int | None = end
    for _ in range(max(length, 0) * COUNTED[kind] + (kind == b"|")):
        if inner is None or (inner := end_of_message(data, inner)) is None:
            return None
    return inner


@dataclass(frozen=True, eq=False)
class OneReply(Toxic):
    """
    Singles out one reply: the first to a command in which *to* occurs.

    *happened* has that command once it was met; from then on nothing more is
    spoilt, on any connection.
    """

    to: bytes
    happened: list[bytes] = field(default_factory=list, init=False)

    def meets(self, piece: Piece) -> bool:
        """Tell whether *piece* is the reply that is to be spoilt, and remember it."""
        if self.happened or self.to not in piece.request:
            return False
        self.happened.append(piece.request)
        return True


@dataclass(frozen=True, eq=False)
class Lost(OneReply):
    """Redis has done what it was asked, and its reply never comes: the connection is reset instead."""

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        if self.meets(piece):
            way.reset()
        else:
            yield piece


@dataclass(frozen=True, eq=False)
class Duplicated(OneReply):
    """The reply comes twice, so the next command on the connection seems to be answered before it was asked."""

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        if self.meets(piece):
            yield piece
        yield piece


@dataclass(frozen=True, eq=False)
class Delayed(OneReply):
    """The reply comes, and all that follow on its connection, *ms* late."""

    ms: float

    async def let_through(self, piece: Piece, way: Way) -> AsyncIterator[Piece]:
        if self.meets(piece):
            await way.wait_until(piece.arrived_at + self.ms / 1000, self)
        yield piece
