"""Watches what keeps buyers from being let in although their room is open, so that they can be told."""

from collections.abc import Callable, Collection, Mapping

import structlog

from stagedoor.observability.metrics import Metrics
from stagedoor.waiting_room.ports import Conditions

log = structlog.get_logger(__name__)

Hinders = Callable[[], bool]
"""Says whether it is so right now; it waits for nothing."""


class Hindrances(Conditions):
    """
    Knows whether anything hinders admission, and whether what is told of a line may be out of date.

    *hinders* are the hindrances by name; those among them that *blind* also
    leave this process without news of what it tells, and those that are *own*
    stop a tick of admission before it begins. Looked at several times a
    second; between two looks the last one counts, so that a poll pays for
    none.
    """

    def __init__(
        self, hinders: Mapping[str, Hinders], *, blind: Collection[str], own: Collection[str] = (), metrics: Metrics
    ) -> None:
        """Know of nothing until the first `look`."""
        assert {*blind, *own} <= hinders.keys()
        self._hinders = hinders
        self._blind = frozenset(blind)
        self._own = frozenset(own)
        self._metrics = metrics
        self._found: frozenset[str] = frozenset()
        self._is_stale = False
        for name in hinders:
            metrics.admission_paused.labels(name).set(0)

    @property
    def is_paused(self) -> bool:
        """Whether anything was found."""
        return bool(self._found)

    @property
    def is_stale(self) -> bool:
        """Whether it was one that blinds."""
        return self._is_stale

    def look(self) -> int:
        """Ask all of them; what has come and gone is logged. Returns how many have."""
        return self._note(frozenset(name for name, hinders in self._hinders.items() if hinders()))

    def _note(self, found: frozenset[str]) -> int:
        changed = found ^ self._found
        if changed:
            self._found, self._is_stale = found, bool(found & self._blind)
            for name in sorted(changed):
                is_so = name in found
                self._metrics.admission_paused.labels(name).set(is_so)
                if is_so:
                    log.warning("admission.paused", cause=name)
                else:
                    log.info("admission.unhindered", cause=name, still=sorted(found))
        return len(changed)

    async def tick(self) -> int:
        """`look`, as a worker does."""
        return self.look()

    def may_admit(self) -> bool:
        """
        Say to a tick of admission under way whether nothing else hinders it at this instant.

        What is its own is not asked: its breaker let it through, and refuses the
        next one exactly if it let this one through as the last trial.
        """
        others = frozenset(name for name, hinders in self._hinders.items() if name not in self._own and hinders())
        self._note(others | (self._found & self._own))
        return not others
