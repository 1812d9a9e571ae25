"""What a watched process has written down of itself, read by the test while it serves."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

FILE = "facts.jsonl"

CLOSED = "closed"
OPEN = "open"
HALF_OPEN = "half_open"


class Facts:
    """The file of one process; instants are of `time.monotonic`, which all processes of a machine share."""

    def __init__(self, folder: Path) -> None:
        """Read what the process in *folder* writes."""
        self._path = folder / FILE
        self._read_to = 0
        self._lines: list[Mapping[str, Any]] = []

    def since(self, instant: float) -> Sequence[Mapping[str, Any]]:
        """Return what was written down from *instant* on."""
        if self._path.exists():
            with self._path.open("rb") as lines:
                lines.seek(self._read_to)
                whole, end, _ = lines.read().rpartition(b"\n")
            self._read_to += len(whole + end)
            self._lines += [msgspec.json.decode(line) for line in whole.splitlines()]
        return [line for line in self._lines if line["at"] >= instant]

    def not_closed(self) -> Mapping[str, str]:
        """Return the breakers that are not closed, with their states."""
        states = {line["breaker"]: line["entered"] for line in self.since(0.0) if "breaker" in line}
        return {name: state for name, state in states.items() if state != CLOSED}

    def taken(self) -> Mapping[str, int]:
        """Return what was out of each pool or bulkhead at every one of the last looks: what never comes back."""
        looks = [line["taken"] for line in self.since(0.0) if "taken" in line][-LOOKS:]
        assert looks, "the process has told nothing of its pools"
        return {name: least for name in looks[0] if (least := min(look[name] for look in looks))}


def tried_beyond(facts: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Count, by breaker, the calls begun during one HALF_OPEN beyond those permitted and those that said nothing."""
    tried: Counter[str] = Counter()
    given_back: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    for fact in facts:
        if "breaker" in fact:
            # Into another HALF_OPEN, or out of it: there permits are counted from the beginning.
            tried[fact["breaker"]] = given_back[fact["breaker"]] = 0
        elif "given_back" in fact:
            given_back[fact["given_back"]] += 1
        elif "tried" in fact:
            name = fact["tried"]
            tried[name] += 1
            if tried[name] > fact["permitted"] + given_back[name]:
                beyond[name] += 1
    return beyond


LOOKS = 8
"""So many looks, two seconds of them: a connection that is out at all of them is lost."""
