"""What the way a call ended says about the dependency; most exceptions say nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from stagedoor.kernel.errors import Fault, Rejection, TurnedAway


class Verdict(Enum):
    """What an exception means to a breaker."""

    SUCCESS = auto()
    """The dependency did its work: the call counts as a success."""

    FAILURE = auto()
    """The dependency failed: the call counts as a failure."""

    NONE = auto()
    """Nothing is known about the dependency: the call gives its permit back and counts as nothing."""


Classify = Callable[[Exception], Verdict]
"""Judges an exception that left a guarded call. If it raises, the call counts as nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClass:
    """
    Judge an exception by its class, subclasses included: first *ignored*, then *recorded*, then *otherwise*.

    Resilience4j counts whatever is in neither list as a success once *recorded* is
    narrower than all exceptions; `otherwise=Verdict.SUCCESS` does the same. Here the
    default is no verdict, for what is neither a rejection nor a fault is a defect of ours.
    A fault that turned the call away before anybody was asked (another breaker, a full
    line) is ignored: of nested breakers only the one whose dependency failed opens.
    An exception group is a failure if one of its members is: a fault does not stop
    being one because it came out of a task group.

    Raises `ValueError` if a list holds something else than exception classes;
    cancellation and the like are none, and never count.
    """

    recorded: tuple[type[Exception], ...] = (Fault,)
    ignored: tuple[type[Exception], ...] = (Rejection, TurnedAway)
    otherwise: Verdict = Verdict.NONE

    def __post_init__(self) -> None:
        """Refuse lists that could never be matched, or that would match a cancellation."""
        for field, classes in (("recorded", self.recorded), ("ignored", self.ignored)):
            for one in classes:
                if not (isinstance(one, type) and issubclass(one, Exception)):
                    raise ValueError(f"{field} must hold subclasses of Exception, not {one!r}")  # noqa: TRY004 -- a setting

    def __call__(self, error: Exception) -> Verdict:
        """Return what *error* says about the dependency."""
        if isinstance(error, self.ignored):
            return Verdict.NONE
        if isinstance(error, self.recorded):
            return Verdict.FAILURE
        if isinstance(error, ExceptionGroup):
            members = {self(member) for member in error.exceptions}
            return Verdict.FAILURE if Verdict.FAILURE in members else Verdict.NONE
        return self.otherwise


FAULTS_FAIL: Final = ByClass()
"""A fault is a failure, unless nobody was asked; a rejection and a defect say nothing."""
