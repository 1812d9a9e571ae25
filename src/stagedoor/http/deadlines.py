"""How long a caller waits: as long as the settings say for a call of her kind, or less, if she says so herself."""

from collections.abc import Iterable
from dataclasses import dataclass

from stagedoor.http.rejections import Unreadable
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.resilience.deadline import Deadline

HEADER = b"stagedoor-deadline-ms"
NAME = "Stagedoor-Deadline-Ms"
DIGITS_MAX = 9

CHANGE_S = 10.0
READ_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """The longest that a call is waited for, in seconds: one that changes something, one that only reads."""

    change_s: float = CHANGE_S
    read_s: float = READ_S

    def of(self, headers: Iterable[tuple[bytes, bytes]], now: float, *, changes: bool) -> Deadline:
        """
        Return the deadline of a call that is all here at *now*, by the loop's clock.

        Its `Stagedoor-Deadline-Ms` can only make it earlier. Raises `Unreadable`.
        """
        ours_s = self.change_s if changes else self.read_s
        for name, value in headers:
            if name == HEADER:
                hers_s = _milliseconds(value) / SECOND_MS
                if hers_s < ours_s:
                    return Deadline(now + hers_s, is_callers=True, ours_s=ours_s)
        return Deadline(now + ours_s, ours_s=ours_s)


def _milliseconds(value: bytes) -> int:
    if len(value) > DIGITS_MAX or not value.isdigit() or int(value) == 0:
        raise Unreadable(NAME, "out_of_range", expected="a whole number of milliseconds, at least 1")
    return int(value)
