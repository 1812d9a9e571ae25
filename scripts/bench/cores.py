"""Who runs on which core, and how much processor time a process has used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_TICKS_OF_USER, _TICKS_OF_SYSTEM = 11, 12
"""Fields of /proc/PID/stat, counted from behind the program's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """One core for all servers, another one for the client; the same one where there is no other."""

    server: int
    client: int

    @classmethod
    def choose(cls) -> Self:
        """Choose among the cores that this process may use."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(server=allowed[-1], client=allowed[0])

    @property
    def are_shared(self) -> bool:
        """Whether client and server take time from each other."""
        return self.server == self.client

    def __str__(self) -> str:
        """Say it to a reader of the table."""
        if self.are_shared:
            return f"client and server share the one core {self.server}: the client takes time from the server"
        return f"server on core {self.server}, client on core {self.client}"


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Let what is started in here run on *core* alone: a process has the cores of the thread that started it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_ns(pid: int) -> int:
    """
    Return how many nanoseconds of processor time the threads of *pid* have used.

    From the scheduler's own figures where the kernel has them, otherwise by ticks of a hundredth of a second. The first
    leave out threads that have ended; a server keeps its own.
    """
    used = [_task_ns(task) for task in Path(f"/proc/{pid}/task").iterdir()]
    known = [task for task in used if task is not None]
    if known:
        return sum(known)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_TICKS_OF_USER]) + int(fields[_TICKS_OF_SYSTEM])) * NS_PER_TICK


def _task_ns(task: Path) -> int | None:
    """Return what one thread has used, None if it is gone or its kernel keeps no such figures."""
    try:
        return int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None


def resident_bytes(pid: int) -> int:
    """Return how much memory of *pid* is in use, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
