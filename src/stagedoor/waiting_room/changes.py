"""What happens to a room's line, as values: planned first, then journaled, then applied, and never half."""

from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import EndCause, PlaceState


class NewPlace(NamedTuple):
    """A place at the back. Its number follows the last one."""

    number: int
    buyer_id: BuyerId
    token_expires_at: Instant


class Ending(NamedTuple):
    """A place that is over from now on, in *state*; *had_pass* if its buyer was admitted."""

    number: int
    state: PlaceState
    cause: EndCause
    had_pass: bool


class Admission(NamedTuple):
    """A place whose buyer may go in until *entry_ends_at*; *returner* if she had been passed over before."""

    number: int
    returner: bool
    entry_ends_at: Instant


class Entry(NamedTuple):
    """The first sign of somebody admitted: her pass has been taken up."""

    number: int
    entered_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The policy's figures under which a turn admitted; they are stored with each pass."""

    max_active: int
    rate: float | None
    session_ends_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Everything one mutation does to one line, at the instant *at*.

    *last_number* and *serving_number* are the marks after it. *not_taken* are
    passes whose entry window ran out: like *passed_over*, their places keep
    their numbers. *away* stop counting in the positions behind them, for good.
    *strayed* were returners and are away again: memory only, not journaled.
    *terms* is set by every turn. *forgotten* are places so long
    over that nobody may ask for them any more: all of them were before *forgotten_until*. *taken_back* were
    lost with the line's store, and are known again by their tokens.
    """

    at: Instant
    last_number: int
    serving_number: int
    joined: tuple[NewPlace, ...] = ()
    ended: tuple[Ending, ...] = ()
    not_taken: tuple[int, ...] = ()
    passed_over: tuple[int, ...] = ()
    admitted: tuple[Admission, ...] = ()
    away: tuple[int, ...] = ()
    entered: tuple[Entry, ...] = ()
    strayed: tuple[int, ...] = ()
    forgotten: tuple[int, ...] = ()
    forgotten_until: Instant | None = None
    taken_back: tuple[NewPlace, ...] = ()
    terms: Terms | None = None

    def __post_init__(self) -> None:
        """Refuse what no plan may contain."""
        assert not self.admitted or self.terms is not None
        assert not self.forgotten or self.forgotten_until is not None

    @property
    def is_durable(self) -> bool:
        """Whether there is anything to journal."""
        return bool(
            self.joined
            or self.ended
            or self.not_taken
            or self.passed_over
            or self.admitted
            or self.away
            or self.entered
            or self.forgotten
            or self.taken_back
        )

    @property
    def decided(self) -> frozenset[int]:
        """The places whose standing it changes: until it is durable nobody can say how they stand."""
        return frozenset(
            chain(
                (ending.number for ending in self.ended),
                (admission.number for admission in self.admitted),
                self.not_taken,
                self.passed_over,
            )
        )
