"""
Replays call sequences on our breaker and prints what becomes of it, in the form of the recorded ones.

`python -m tests.conformance.replay FILE` prints every line of FILE with the result
replaced, or added, by ours; comments and empty lines stay. So `diff FILE <(python -m
tests.conformance.replay FILE)` shows where we differ from the recording.

A line is `label|window|minCalls|C or T|permitted|slowDur_s|slowRate%|wait_s|sequence>result`;
the first line of `data/resilience4j_sequences.txt` explains the tokens of a sequence.
A line that is none is told on standard error by its number, and the others go on; then
the exit status is 1.
"""

import re
import struct
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.resilience.breaker import BreakerSettings, CircuitBreaker, Permit, SlidingWindowType

MS_NS = 1_000_000
FAST_NS = 1 * MS_NS
WINDOW_TYPES = {"C": SlidingWindowType.COUNT_BASED, "T": SlidingWindowType.TIME_BASED}
LATE_ENDS = {"x": "F", "y": "S"}
FIELDS = 9
TOKENS = re.compile(r"\+(\d+);|([SFIsfeAxy])")


class UnreadableLineError(ValueError):
    """The line is not a sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One line: the settings, the tokens, and the recorded result, empty if there is none."""

    label: str
    settings: BreakerSettings
    tokens: str
    recorded: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read *line*, or raise `UnreadableLineError`."""
        fields = line.rsplit("|", FIELDS - 1)  # from the right: a label may hold anything
        if len(fields) < FIELDS:
            raise UnreadableLineError(f"not a sequence: {len(fields)} fields, not {FIELDS}, in {line!r}")
        label, window, minimum, kind, permitted, slow_s, slow_rate, wait_s, sequence = fields
        if kind not in WINDOW_TYPES:
            raise UnreadableLineError(f"not a sequence: a window of {kind!r}, not of C or T, in {line!r}")
        try:
            settings = BreakerSettings(
                sliding_window_type=WINDOW_TYPES[kind],
                sliding_window_size=int(window),
                minimum_number_of_calls=int(minimum),
                failure_rate_threshold_percent=50,
                slow_call_rate_threshold_percent=float(slow_rate),
                slow_call_duration_threshold_ms=int(slow_s) * 1_000,
                wait_duration_in_open_state_ms=int(wait_s) * 1_000,
                permitted_number_of_calls_in_half_open_state=int(permitted),
            )
        except (OverflowError, ValueError) as error:
            raise UnreadableLineError(f"not a sequence: {error} in {line!r}") from error
        tokens, _, recorded = sequence.partition(">")
        if unknown := TOKENS.sub("", tokens):
            raise UnreadableLineError(f"unknown tokens {unknown!r} in {line!r}")
        return cls(label=label, settings=settings, tokens=tokens, recorded=recorded)


class Replay:
    """One sequence under way, on a clock that only the sequence moves."""

    def __init__(self, settings: BreakerSettings) -> None:
        self._now_ns = 0
        self._breaker = CircuitBreaker("replayed", settings, now_ns=lambda: self._now_ns)
        self._limit_ns = settings.slow_call_duration_threshold_ms * MS_NS
        self._first = self._breaker.acquire()
        self._under_way: deque[Permit] = deque()

    def step(self, token: str) -> None:
        """Make one call, or end one that is under way."""
        match token:
            case "A":
                permit = self._breaker.try_acquire()
                if permit is not None:
                    self._under_way.append(permit)
            case "x" | "y":
                # The oldest call under way; if there is none, one admitted before the first token.
                permit = self._under_way.popleft() if self._under_way else self._first
                self._end(permit, LATE_ENDS[token])
            case _:
                permit = self._breaker.try_acquire()
                if permit is not None:
                    self._end(permit, token)

    def _end(self, permit: Permit, token: str) -> None:
        match token:
            case "S":
                self._breaker.record_success(permit, FAST_NS)
            case "s":
                self._breaker.record_success(permit, self._limit_ns + MS_NS)
            case "e":
                self._breaker.record_success(permit, self._limit_ns)
            case "F":
                self._breaker.record_error(permit, FAST_NS, Fault("F"))
            case "f":
                self._breaker.record_error(permit, self._limit_ns + MS_NS, Fault("f"))
            case "I":
                self._breaker.record_error(permit, FAST_NS, Rejection("I"))

    def advance(self, by_ms: int) -> None:
        """Move the clock."""
        self._now_ns += by_ms * MS_NS

    def result(self) -> str:
        """Say how the breaker stands, as the recording does."""
        now = self._breaker.snapshot()
        return (
            f"{now.state.name} rate={written(now.failure_rate)} slow={written(now.slow_call_rate)}"
            f" buffered={now.buffered_calls} failed={now.failed_calls} notPermitted={now.not_permitted_calls}"
        )


def written(rate: float) -> str:
    """Write a rate as the recording does: six digits of a single-precision number."""
    (single,) = struct.unpack("f", struct.pack("f", rate))
    return f"{single:g}"


def replay(sequence: Sequence) -> str:
    """Return what our breaker makes of *sequence*."""
    run = Replay(sequence.settings)
    for by_ms, token in TOKENS.findall(sequence.tokens):
        if by_ms:
            run.advance(int(by_ms))
        else:
            run.step(token)
    return run.result()


def replayed(line: str) -> str:
    """Return *line* with our result in place of theirs. Raises `UnreadableLineError`."""
    if not line.strip() or line.startswith("#"):
        return line
    sequence = Sequence.parse(line)
    unjudged = line.removesuffix(f">{sequence.recorded}")
    try:
        return f"{unjudged}>{replay(sequence)}"
    except (MemoryError, OverflowError, ValueError) as error:
        # A window that no memory holds, or more milliseconds than can be read.
        raise UnreadableLineError(f"too large a figure in {line!r}: {error}") from error


def main(arguments: list[str]) -> int:
    """Replay the file named in *arguments* to standard output; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.conformance.replay FILE\n")
        return 2
    file = arguments[0]
    try:
        # Editors on some systems begin a file with a mark of its encoding, which is no part of the first line.
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except UnicodeDecodeError as error:
        sys.stderr.write(f"{file} is not UTF-8: {error.reason} at byte {error.start}\n")
        return 1
    status = 0
    for number, line in enumerate(lines, start=1):
        try:
            sys.stdout.write(f"{replayed(line)}\n")
        except UnreadableLineError as error:
            sys.stderr.write(f"{file}:{number}: {error}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
