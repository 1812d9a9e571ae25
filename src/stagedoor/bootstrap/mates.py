"""How the workers of one command tell each other of their metrics: a socket each, in a folder of their own."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from stagedoor.observability.fleet_metrics import FleetMetrics
from stagedoor.observability.metrics import rendered

PATIENCE_S = 1.0
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
    """The *size* workers that meet in *folder*, as the one in *slot* sees them; *page* is what it tells of itself."""

    def __init__(self, folder: Path, slot: int, size: int, page: Callable[[], bytes]) -> None:
        """Tell nobody anything yet."""
        self._folder = folder
        self._slot = slot
        self._size = size
        self._page = page

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
        slots = range(1, self._size + 1)
        told = await asyncio.gather(*(self._ask(slot) for slot in slots))
        return rendered(FleetMetrics(dict(zip(slots, told, strict=True))), accept)

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._page())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def _ask(self, slot: int) -> bytes | None:
        if slot == self._slot:
            return self._page()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(slot))
                try:
                    # Nothing is a page that was cut off: its process has ended in the middle of it.
                    return await reader.read(-1) or None
                finally:
                    writer.close()
        return None

    def _socket(self, slot: int) -> Path:
        return self._folder / f"{slot}.sock"
