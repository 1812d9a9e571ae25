"""How the workers of one command ask each other: a socket each, in a folder of their own."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from stagedoor.observability.fleet_metrics import FleetMetrics
from stagedoor.observability.metrics import rendered

PATIENCE_S = 1.0
METRICS = b"metrics"

Answers = Mapping[bytes, Callable[[bytes], bytes]]

_PATH_MAX = 90
"""Bytes of a socket's path that every system takes."""


@contextmanager
def meeting_place() -> Iterator[Path]:
    """Make a folder for the sockets of this command; the process that made it removes it."""
    parent = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix="stagedoor-"))
    if len(os.fsencode(folder)) > _PATH_MAX:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="stagedoor-", dir="/tmp"))
    try:
        yield folder
    finally:
        if os.getpid() == parent:
            shutil.rmtree(folder, ignore_errors=True)


class Mates:
    """
    The *size* workers that meet in *folder*, as the one in *slot* sees them.

    A question is a word and what it is about; *answers* has what this worker says to each word.
    """

    def __init__(self, folder: Path, slot: int, size: int, answers: Answers) -> None:
        """Tell nobody anything yet."""
        self._folder = folder
        self._slot = slot
        self._size = size
        self._answers = answers

    @property
    def number(self) -> int:
        """The number of this worker."""
        return self._slot

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell whoever asks while it lasts."""
        path = self._socket(self._slot)
        # Whoever had this number before may have left without a word.
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._tell, path)
        try:
            yield
        finally:
            server.close()

    async def scrape(self, accept: str | None) -> tuple[bytes, str]:
        """Return the metrics of all workers on one page; whoever does not tell of hers within a second is not on it."""
        return rendered(FleetMetrics({self._slot: self._answer(METRICS), **await self.ask_others(METRICS)}), accept)

    async def ask_others(self, question: bytes) -> Mapping[int, bytes | None]:
        """Put *question* to all workers but this one; None for whoever has not answered within a second."""
        others = [slot for slot in range(1, self._size + 1) if slot != self._slot]
        return dict(zip(others, await asyncio.gather(*(self._ask(slot, question) for slot in others)), strict=True))

    def _answer(self, question: bytes) -> bytes:
        word, _, rest = question.partition(b" ")
        answer = self._answers.get(word)
        return b"" if answer is None else answer(rest)

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    writer.write(self._answer(await reader.read(-1)))
                    await writer.drain()
        finally:
            writer.close()

    async def _ask(self, slot: int, question: bytes) -> bytes | None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(slot))
                try:
                    writer.write(question)
                    writer.write_eof()
                    # Nothing is a page that was cut off: its process has ended in the middle of it.
                    return await reader.read(-1) or None
                finally:
                    writer.close()
        return None

    def _socket(self, slot: int) -> Path:
        return self._folder / f"{slot}.sock"
