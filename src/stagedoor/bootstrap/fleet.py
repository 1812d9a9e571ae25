"""
Several processes behind one listening socket, and a parent that does nothing but keep them there.

The parent listens and never accepts: whichever worker is free takes the next
connection, so one that is stopping, dead or stuck is sent nobody new. A worker
that ends is started again; told to stop, the parent tells all of them.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

LIVED_WELL_S = 30.0
"""A worker that lived so long is started again at once; after a shorter life the pause grows each time."""

PAUSE_S_MIN, PAUSE_S_MAX = 0.5, 10.0
LOOK_EVERY_S, LOOK_EVERY_S_STOPPING = 0.5, 0.05
_READY = b"R"


def pause_before(early_deaths: int) -> float:
    """Return how many seconds to wait before a worker is started again that has died early so many times in a row."""
    if early_deaths == 0:
        return 0.0
    return min(PAUSE_S_MAX, PAUSE_S_MIN * 2.0 ** (early_deaths - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mate:
    """
    What a worker knows of the fleet it is in.

    *slot* is its number, from 1 to *size*; whoever is started in its place has
    the same. *orphaned_fd* becomes readable when the parent is gone.
    """

    slot: int
    size: int
    orphaned_fd: int
    ready_fd: int

    def ready(self) -> None:
        """Tell the parent that this worker would answer now."""
        # The parent may be gone: that is told by *orphaned_fd*.
        with contextlib.suppress(OSError):
            os.write(self.ready_fd, _READY)


@dataclass(slots=True, kw_only=True)
class _Slot:
    number: int
    pid: int = 0
    ready_fd: int = -1
    is_ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    early_deaths: int = 0


class Fleet:
    """
    Keeps *size* workers alive. Each is a fork of this process that runs *work* and exits with what it returns.

    So nothing may have been opened before that two processes must not share,
    and no thread been started. The first worker is started alone: what keeps
    it from starting ends the fleet, with its exit code. *all_ready* is called
    once, when all of the first are. *turn_away* is called while the fleet
    stops, *notice_s* after the workers were told; none has longer than *stop_s*.
    """

    def __init__(  # noqa: PLR0913 -- one argument for each thing that is not the fleet's own affair
        self,
        size: int,
        work: Callable[[Mate], int],
        *,
        all_ready: Callable[[], None],
        turn_away: Callable[[], None],
        notice_s: float,
        stop_s: float,
    ) -> None:
        """Start nothing yet."""
        assert size > 0
        self._work = work
        self._all_ready = all_ready
        self._turn_away = turn_away
        self._notice_s = notice_s
        self._stop_s = stop_s
        self._slots = [_Slot(number=number) for number in range(1, size + 1)]
        self._told: int | None = None
        self._announced = False
        # Both ends are only ever in the parent and, as far as it reads, in the workers: its end tells of the parent's.
        self._orphaned_fd, self._alive_fd = os.pipe()

    def run(self) -> int:
        """
        Keep the workers until SIGTERM or Ctrl-C; return the exit code.

        Returns in each worker as well, with what its work returned.
        """
        with _waking_signals(self._note) as wakened:
            while self._told is None:
                for slot in self._to_start():
                    mate = self._start(slot)
                    if mate is not None:
                        return self._work(mate)
                if not self._announced and all(slot.is_ready for slot in self._slots):
                    self._announced = True
                    self._all_ready()
                self._wait(wakened, LOOK_EVERY_S)
                for slot, code in self._ended():
                    if slot is self._slots[0] and not slot.is_ready and not self._announced:
                        return code or 1
                    self._lost(slot, code)
            return self._end(self._told, wakened)

    def _to_start(self) -> Sequence[_Slot]:
        now = time.monotonic()
        first = self._slots[0]
        candidates = self._slots if self._announced or first.is_ready else [first]
        return [slot for slot in candidates if slot.pid == 0 and now >= slot.start_at]

    def _start(self, slot: _Slot) -> Mate | None:
        """Start a worker; None in the parent, what it has to know in the worker itself."""
        readable, writable = os.pipe()
        sys.stdout.flush()
        # A signal between the fork and the next line would be noted for the parent, by a worker that is none.
        with _deaf():
            pid = os.fork()
            if pid == 0:
                _forget_signals()
        if pid == 0:
            os.close(readable)
            os.close(self._alive_fd)
            return Mate(slot=slot.number, size=len(self._slots), orphaned_fd=self._orphaned_fd, ready_fd=writable)
        os.close(writable)
        os.set_blocking(readable, False)
        slot.pid, slot.ready_fd, slot.started_at, slot.is_ready = pid, readable, time.monotonic(), False
        return None

    def _wait(self, wakened: int, seconds: float) -> None:
        """Wait for a signal, a worker that is ready or one that has ended, or until it is time to look."""
        waiting = {slot.ready_fd: slot for slot in self._slots if slot.ready_fd >= 0}
        found, _, _ = select.select([wakened, *waiting], [], [], seconds)
        for descriptor in found:
            if descriptor == wakened:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakened, 4_096)
            else:
                slot = waiting[descriptor]
                slot.is_ready = os.read(descriptor, 1) == _READY
                os.close(descriptor)
                slot.ready_fd = -1

    def _ended(self) -> Iterator[tuple[_Slot, int]]:
        """Yield each worker that has ended since it was asked last, with its exit code as a shell has it."""
        for slot in self._slots:
            if slot.pid:
                pid, status = os.waitpid(slot.pid, os.WNOHANG)
                if pid:
                    slot.pid = 0
                    code = os.waitstatus_to_exitcode(status)
                    yield slot, code if code >= 0 else 128 - code

    def _lost(self, slot: _Slot, code: int) -> None:
        lived_s = time.monotonic() - slot.started_at
        slot.is_ready = False
        slot.early_deaths = 0 if lived_s >= LIVED_WELL_S or code == 0 else slot.early_deaths + 1
        pause_s = pause_before(slot.early_deaths)
        slot.start_at = time.monotonic() + pause_s
        say = log.info if code == 0 else log.warning
        say("fleet.worker_ended", worker=slot.number, exit_code=code, lived_s=round(lived_s, 1), again_in_s=pause_s)

    def _end(self, number: int, wakened: int) -> int:
        """Stop every worker; return 0 if all of them went by themselves."""
        told_at = time.monotonic()
        turned_away = cut_short = False
        self._tell(number)
        while any(slot.pid for slot in self._slots):
            since_s = time.monotonic() - told_at
            if self._told == signal.SIGINT != number:
                # A person who waits for the drain has had enough of it.
                number = signal.SIGINT
                self._tell(number)
            if not turned_away and (since_s >= self._notice_s or number == signal.SIGINT):
                turned_away = True
                self._turn_away()
            if not cut_short and since_s >= self._stop_s:
                cut_short = True
                log.warning("fleet.stop_cut_short", workers=[slot.number for slot in self._slots if slot.pid])
                self._tell(signal.SIGKILL)
            self._wait(wakened, LOOK_EVERY_S_STOPPING)
            for _ in self._ended():
                pass
        return int(cut_short)

    def _tell(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(slot.pid, number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._told != signal.SIGINT:
            self._told = number


_STOPS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def _waking_signals(note: Callable[[int, FrameType | None], None]) -> Iterator[int]:
    """Have each signal to stop noted, and wake whoever selects on what this yields; an ended child wakes too."""
    readable, writable = os.pipe()
    for descriptor in (readable, writable):
        os.set_blocking(descriptor, False)
    before = {number: signal.signal(number, note) for number in _STOPS}
    # Python wakes nobody for a signal that is ignored, as this one is by default.
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    parent = os.getpid()
    try:
        yield readable
    finally:
        if os.getpid() == parent:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)


def _forget_signals() -> None:
    """Let signals do in a worker what they do in any process."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Keep the signals to stop waiting while it lasts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
