"""A call as a `with` block: entering asks for the permit, and the way out of the block is the way the call ended."""

from types import TracebackType
from typing import Protocol, Self

from stagedoor.resilience.breaker.permits import Permit
from stagedoor.resilience.breaker.windows import MonotonicNs


class Guard(Protocol):
    """What a guarded call needs of its breaker."""

    def acquire(self) -> Permit:
        """Return a permit, or raise."""
        ...

    def look_again(self, permit: Permit) -> None:
        """Return if *permit* still is one, or raise."""
        ...

    def record_success(self, permit: Permit, duration_ns: int) -> None:
        """Count the call as a success."""
        ...

    def record_error(self, permit: Permit, duration_ns: int, error: Exception) -> None:
        """Count the call as the classification of *error* says."""
        ...

    def release(self, permit: Permit) -> None:
        """Count the call as nothing."""
        ...


class GuardedCall:
    """
    One guarded call, from entering a `with` to leaving it; a new one is made for each.

    What leaves the block leaves it unchanged. Anything that is no `Exception`, a
    cancellation above all, gives the permit back.
    """

    # A class and not a generator: half the cost, on a path that every request takes.
    __slots__ = ("_guard", "_now_ns", "_permit", "_says_nothing", "_started_ns")

    def __init__(self, guard: Guard, now_ns: MonotonicNs) -> None:
        self._guard = guard
        self._now_ns = now_ns
        self._says_nothing = False

    def __enter__(self) -> Self:
        self._permit = self._guard.acquire()
        self._started_ns = self._now_ns()
        return self

    def look_again(self) -> None:
        """Return if the call, which had to wait meanwhile, may still be made, or raise `CallNotPermitted`."""
        self._guard.look_again(self._permit)

    def say_nothing(self) -> None:
        """Let a good end count as nothing: the dependency was not asked after all."""
        self._says_nothing = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self._says_nothing:
            self._guard.record_success(self._permit, self._now_ns() - self._started_ns)
        elif isinstance(error, Exception):
            self._guard.record_error(self._permit, self._now_ns() - self._started_ns, error)
        else:
            self._guard.release(self._permit)
