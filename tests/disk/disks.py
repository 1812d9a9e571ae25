"""
Disks that a test may fill.

A disk of one's own takes a mount, and that takes root. A limit on the size of
a process's files takes nobody's leave, and fails the very same writes; where a
machine lets nobody mount anything, root included, it stands in for the disk.
"""

import errno
import os
import resource
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Mount a small disk at *folder*; without the right to, what is written there is limited instead."""
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder))
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() or mount is None or unmount is None or subprocess.run([mount, *options], check=False).returncode:  # noqa: S603 -- the system's own
        print(f"Nothing can be mounted at {folder} here; the size of files is limited instead.")  # noqa: T201 -- shown with a failure
        yield Limited(folder)
        return
    try:
        yield Mounted(folder)
    finally:
        subprocess.run([unmount, str(folder)], check=True)  # noqa: S603 -- as above


@contextmanager
def limited(folder: Path) -> Iterator[SmallDisk]:
    """Use *folder* as it is."""
    folder.mkdir()
    yield Limited(folder)


DISKS = {"mounted": mounted, "limited": limited}
