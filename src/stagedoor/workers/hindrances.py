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
    leave this process without news of what it tells. Looked at several times a
    second; between two looks the last one counts, so that a poll pays for
    none.
    """

    def __init__(self, hinders: Mapping[str, Hinders], *, blind: Collection[str], metrics: Metrics) -> None:
        """Know of nothing until the first `look`."""
        assert set(blind) <= hinders.keys()
        self._hinders = hinders
        self._blind = frozenset(blind)
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
        found = frozenset(name for name, hinders in self._hinders.items() if hinders())
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
        """Say whether nothing hinders admission at this instant."""
        self.look()
        return not self.is_paused
