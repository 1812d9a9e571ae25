"""A till without a database: it decides batch after batch on what the batches before have left."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from stagedoor.checkout.commands import SaleCommand
from stagedoor.checkout.decide import decide, expire
from stagedoor.checkout.outcomes import Outcome
from stagedoor.checkout.rows import SaleRows, SaleWrites, StoredKey
from stagedoor.holds.model import HoldPolicy, HoldState
from stagedoor.kernel.clock import Instant
from stagedoor.seating.switch import ALL_OPEN
from tests.builders.sale import NumberedEvents, untouched_rows


class Till:
    """Keeps every row in memory; *now* moves by hand."""

    def __init__(self, rows: SaleRows | None = None, policy: HoldPolicy | None = None) -> None:
        self.rows = untouched_rows() if rows is None else rows
        self.policy = HoldPolicy() if policy is None else policy
        self.switches = ALL_OPEN
        self.last = SaleWrites(now=self.rows.now)
        self._new_event_id = NumberedEvents()

    @property
    def now(self) -> Instant:
        return self.rows.now

    @now.setter
    def now(self, instant: Instant) -> None:
        self.rows = replace(self.rows, now=instant)

    def batch(self, *commands: SaleCommand) -> Sequence[Outcome]:
        """Decide *commands* as one batch."""
        outcomes, self.last = decide(self.rows, commands, self.policy, self._new_event_id, self.switches)
        self.rows = applied(self.rows, self.last)
        return outcomes

    def one(self, command: SaleCommand) -> Outcome:
        """Decide *command* as a batch of its own."""
        [outcome] = self.batch(command)
        return outcome

    def tidy(self) -> SaleWrites:
        """Mark what is overdue expired."""
        overdue = {
            hold.id: hold
            for hold in self.rows.holds.values()
            if hold.state is HoldState.OPEN and hold.expires_at <= self.now
        }
        self.last = expire(replace(self.rows, holds=overdue), self.policy, self._new_event_id)
        self.rows = applied(self.rows, self.last)
        return self.last


def applied(rows: SaleRows, writes: SaleWrites) -> SaleRows:
    """Return *rows* as they are after *writes*."""
    claims = {seat_id: claim for seat_id, claim in {**rows.claims, **writes.claims}.items() if claim is not None}
    sold = Counter(order.performance_id for order in writes.orders for _ in writes.holds_ended[order.hold_id].seats)
    counts = Counter(rows.key_counts)
    counts.update(stored.buyer_id for stored in writes.keys)
    return replace(
        rows,
        balances={**rows.balances, **writes.balances},
        claims=claims,
        holds={**rows.holds, **writes.holds_opened, **writes.holds_ended},
        closed_places=rows.closed_places | writes.closed_places,
        keys={
            **rows.keys,
            **{
                (stored.buyer_id, stored.call, stored.key.value): StoredKey(
                    fingerprint=stored.key.fingerprint, receipt=stored.receipt
                )
                for stored in writes.keys
            },
        },
        key_counts=counts,
        unsold={performance_id: left - sold[performance_id] for performance_id, left in rows.unsold.items()},
    )
