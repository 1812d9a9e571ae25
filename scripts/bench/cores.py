"""Who runs on which core, and how much processor time a process has used."""

import gc
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_TICKS_OF_USER, _TICKS_OF_SYSTEM, _TICKS_OF_ENDED = 11, 12, slice(13, 15)
"""Fields of /proc/PID/stat, counted from behind the program's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """One core for all servers, another one for the client; the same one where there is no other."""

    server: frozenset[int]
    client: frozenset[int]

    @classmethod
    def choose(cls) -> Self:
        """Choose among the cores that this process may use."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(server=frozenset(allowed[-1:]), client=frozenset(allowed[:1]))

    def for_all(self) -> Self:
        """Return the same cores, for everybody: no part has one to itself."""
        both = self.server | self.client
        return replace(self, server=both, client=both)

    def __str__(self) -> str:
        """Say it to a reader of the table."""
        if self.server == self.client:
            only = "one core" if len(self.server) == 1 else "cores"
            return f"client and server share the {only} {_listed(self.server)}: the client takes time from the server"
        return f"server on core {_listed(self.server)}, client on core {_listed(self.client)}"


def _listed(cores: Collection[int]) -> str:
    return " and ".join(map(str, sorted(cores)))


@contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """Let what is started in here run on *cores* alone: a process has those of the thread that started it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def driving(cores: Cores) -> Iterator[None]:
    """Let this process be the client: on its core, and without a collector, whose time would pass for the server's."""
    gc.collect()
    gc.disable()
    try:
        with pinned(cores.client):
            yield
    finally:
        gc.enable()


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
    fields = _fields(pid)
    return (int(fields[_TICKS_OF_USER]) + int(fields[_TICKS_OF_SYSTEM])) * NS_PER_TICK


def family_cpu_ns(pid: int) -> int:
    """Return how many nanoseconds of processor time *pid* and all of its descendants have used, ended ones too."""
    used_ns = cpu_ns(pid) + sum(map(int, _fields(pid)[_TICKS_OF_ENDED])) * NS_PER_TICK
    for child in _children(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended just now
            used_ns += family_cpu_ns(child)
    return used_ns


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended just now, or no kernel says it
            yield from map(int, (task / "children").read_text().split())


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


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
