"""A sale as a queue before batches, in virtual time: who comes at a constant rate, and what becomes of each."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count

from stagedoor.resilience.concurrency_limit import ConcurrencyLimit
from stagedoor.resilience.priority import Priority

BATCH_S = 0.005
COMMAND_S = 0.0008
BATCH_MAX = 256
COMMANDS_PER_SECOND = BATCH_MAX / (BATCH_S + BATCH_MAX * COMMAND_S)
ORDERS_PER_SECOND = COMMANDS_PER_SECOND / 2
"""What the sale can do at best: an order takes two commands."""

PATIENCE_S = 5.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the orders that came in the time that counts; *took_s* are the seconds each answer took."""

    came: int = 0
    paid: int = 0
    refused: int = 0
    refused_to_pay: int = 0
    failed: int = 0
    took_s: list[float] = field(default_factory=list)

    def p99_s(self) -> float:
        """Return the time within which 99 of 100 answers came."""
        ordered = sorted(self.took_s)
        return ordered[(len(ordered) * 99 - 1) // 100]


class Sale:
    """Reserves and payments before one batch at a time; *stalls* from when to when the database says nothing."""

    def __init__(self, limit: ConcurrencyLimit, *, stalls: tuple[float, float] | None = None) -> None:
        self.limit = limit
        self._stalls = stalls
        self._queue: deque[tuple[float, Priority, bool]] = deque()
        self._batch: list[tuple[float, Priority, bool]] = []
        self._turns: list[tuple[float, int, str]] = []
        self._numbers = count()
        self.under_way_most = 0

    def run(self, *, rate: float, seconds: float, counted_from: float = 0.0) -> Tally:
        """Let *rate* orders a second come; those from *counted_from* on count."""
        tally = Tally()
        coming = deque(nth / rate for nth in range(int(rate * seconds)))
        while coming or self._turns:
            if coming and (not self._turns or coming[0] <= self._turns[0][0]):
                now = coming.popleft()
                counts = now >= counted_from
                tally.came += counts
                if not self._asked(now, Priority.RESERVE, counts=counts):
                    tally.refused += counts
            else:
                now, _, _ = heapq.heappop(self._turns)
                self._batch_ends(now, tally)
            self.under_way_most = max(self.under_way_most, self.limit.under_way)
        return tally

    def _asked(self, now: float, priority: Priority, *, counts: bool) -> bool:
        if not self.limit.has_room(priority, now):
            return False
        self.limit.begin(priority, now)
        self._queue.append((now, priority, counts))
        if not self._batch:
            self._batch_begins(now)
        return True

    def _batch_begins(self, now: float) -> None:
        self._batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
        ends = now + BATCH_S + COMMAND_S * len(self._batch)
        if self._stalls is not None and self._stalls[0] <= now < self._stalls[1]:
            ends += self._stalls[1] - now
        heapq.heappush(self._turns, (ends, next(self._numbers), "batch"))

    def _batch_ends(self, now: float, tally: Tally) -> None:
        ended, self._batch = self._batch, []
        for came, priority, counts in ended:
            self.limit.end(priority, came, now)
            if counts:
                tally.took_s.append(now - came)
            if now - came > PATIENCE_S:
                tally.failed += counts
            elif priority is Priority.PAY:
                tally.paid += counts
            elif not self._asked(now, Priority.PAY, counts=counts):
                tally.refused_to_pay += counts
        if self._queue and not self._batch:
            self._batch_begins(now)
