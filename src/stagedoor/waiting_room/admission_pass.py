"""An admission pass is a lease: it ends by silence, by its session's end, or with the last hold."""

from dataclasses import dataclass, field

from stagedoor.kernel.clock import Instant, Outage, later
from stagedoor.kernel.ids import HoldId
from stagedoor.waiting_room.model import EndCause
from stagedoor.waiting_room.room import RoomPolicy


@dataclass(slots=True, kw_only=True)
class AdmissionPass:
    """
    What the line remembers of somebody admitted.

    *entry_ends_at* is until when she may take it up; *entered_at* when she did.
    *holds* are the deadlines of the seats she holds, as the sale told them.
    """

    admitted_at: Instant
    session_ends_at: Instant
    entry_ends_at: Instant
    entered_at: Instant | None = None
    holds: dict[HoldId, Instant] = field(default_factory=dict)

    def holds_until(self, now: Instant) -> Instant | None:
        """Return the deadline of her last hold, None if none is open at *now*."""
        latest = max(self.holds.values(), default=None)
        return latest if latest is not None and now < latest else None

    def over_because(self, *, seen_at: int, policy: RoomPolicy, now: Instant) -> EndCause | None:
        """
        Return why the pass is over at *now*, None while it runs.

        Each deadline is exclusive: a session that ends at 12:10:00.000 runs at
        12:09:59.999 and is over at 12:10:00.000. While she holds seats neither
        silence nor the session's end matter; once she holds none, both count as
        if she had never held any.
        """
        if self.holds_until(now) is not None:
            return None
        if now >= self.session_ends_at:
            return EndCause.SESSION_OVER
        if self.entered_at is None:
            return EndCause.ENTRY_NOT_TAKEN if now >= self.entry_ends_at else None
        return EndCause.IDLE if now >= seen_at + policy.idle_timeout_ms else None

    def ends_at(self, *, seen_at: int, policy: RoomPolicy) -> Instant:
        """Return from when on `over_because` has an answer, if nothing more is heard of her and her holds."""
        alone = min(self.session_ends_at, self.silent_until(seen_at=seen_at, policy=policy))
        return max(alone, *self.holds.values()) if self.holds else alone

    def give_back(self, outage: Outage) -> None:
        """Move every deadline later by what *outage* took of it; seats that were not held any more stay so."""
        by_ms = outage.credit_since(self.admitted_at)
        self.session_ends_at = later(self.session_ends_at, by_ms)
        self.entry_ends_at = later(self.entry_ends_at, by_ms)
        for hold_id, until in self.holds.items():
            if until > outage.began_at:
                self.holds[hold_id] = later(until, outage.credited_ms)

    def silent_until(self, *, seen_at: int, policy: RoomPolicy) -> Instant:
        """Return when it ends if she is not heard of again and holds no seats."""
        if self.entered_at is None:
            return self.entry_ends_at
        return later(Instant(seen_at), policy.idle_timeout_ms)
