"""
Disks that a test may fill.

A disk of one's own takes a mount, and that takes a right that root has, but
not root in every container. A limit on the size of a process's files takes
nobody's leave, and fails the very same writes: it is tested everywhere, and
alone where nothing may be mounted, which .ci/run tells. Where a mount fails of
anything else, the tests fail.
"""

import ctypes
import errno
import os
import resource
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SIZE_MB = 48
FILLER_BYTES = 1 << 16


class SmallDisk(ABC):
    """A disk on which a database is, and how it becomes full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self, *, database: Path, server: int) -> None:
        """Leave no room for the log of *database*, to which the process *server* writes."""

    @abstractmethod
    def make_room(self, *, server: int) -> None:
        """Undo that."""


class Mounted(SmallDisk):
    """A file system in memory."""

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, *, database: Path, server: int) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            size = FILLER_BYTES
            while size:
                try:
                    filler.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def make_room(self, *, server: int) -> None:
        self._filler.unlink()


class Limited(SmallDisk):
    """Any folder; it is the server's files that may not grow."""

    def fill(self, *, database: Path, server: int) -> None:
        log = database.with_name(database.name + "-wal").stat().st_size
        _, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
        resource.prlimit(server, resource.RLIMIT_FSIZE, (log, hard))

    def make_room(self, *, server: int) -> None:
        _, hard = resource.prlimit(server, resource.RLIMIT_FSIZE)
        resource.prlimit(server, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small disk at *folder*. Raises `PermissionError` where nothing may be mounted."""
    folder.mkdir()
    checked(_LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=%dm" % SIZE_MB))
    try:
        yield Mounted(folder)
    finally:
        checked(_LIBC.umount(os.fsencode(folder)))


@contextmanager
def limited(folder: Path) -> Iterator[SmallDisk]:
    """Use *folder* as it is."""
    folder.mkdir()
    yield Limited(folder)


def checked(status: int) -> None:
    """Raise what a call of the C library that returned *status* failed of."""
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def may_mount() -> bool:
    """Find out whether this process may mount a disk, by mounting one. Raises `OSError` where it may, and cannot."""
    with TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder) / "disk"):
                return True
        except PermissionError:
            return False


_LIBC = ctypes.CDLL(None, use_errno=True)
DISKS = {"mounted": mounted, "limited": limited}
KINDS = [*DISKS] if may_mount() else ["limited"]
"""The test says by its names which disks it has filled."""
