"""An HTTP client that costs next to nothing, so that what is measured is the server."""

import asyncio
from collections import deque
from typing import NamedTuple

CONNECT_AND_ANSWER_SECONDS_MAX = 30


class Reply(NamedTuple):
    """Status and body; status 0 where there was no answer at all."""

    status: int
    body: bytes


NO_REPLY = Reply(0, b"")


class Caller:
    """Calls the server on *port*, each call on a connection of its own while it lasts; connections are used again."""

    def __init__(self, port: int) -> None:
        """Connect to nothing yet."""
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def call(self, method: str, path: str, *, token: str = "", body: bytes = b"") -> Reply:
        """Return the answer, `NO_REPLY` if the connection ended first or nothing came for a long time."""
        try:
            async with asyncio.timeout(CONNECT_AND_ANSWER_SECONDS_MAX):
                reader, writer = (
                    self._idle.pop()
                    if self._idle
                    else await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
                )
                try:
                    writer.write(_request(method, path, token, body))
                    reply = await _reply(reader)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, TimeoutError):
            return NO_REPLY
        self._idle.append((reader, writer))
        return reply

    def hang_up(self) -> None:
        """Close every connection."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


def _request(method: str, path: str, token: str, body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: stagedoor"]
    if token:
        lines.append(f"Authorization: {token}")
    if body or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _reply(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *fields = head.decode("latin-1").split("\r\n")
    lengths = [line.partition(":")[2] for line in fields if line.lower().startswith("content-length:")]
    return Reply(int(status_line.split()[1]), await reader.readexactly(int(lengths[0])) if lengths else b"")
