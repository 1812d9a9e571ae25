"""A turn looks at the passes that may be over, and at no others."""

from collections.abc import Iterator, Mapping

from stagedoor.kernel.clock import Instant, later
from stagedoor.waiting_room.admission_pass import AdmissionPass
from stagedoor.waiting_room.columns import Columns
from stagedoor.waiting_room.due_passes import DuePasses
from tests.builders.line import NOON, a_policy

IDLE_MS = 30_000
SESSION_MS = 600_000
POLICY = a_policy(idle_timeout_ms=IDLE_MS)


class Watched(Mapping[int, AdmissionPass]):
    """Passes that remember who was looked at."""

    def __init__(self) -> None:
        self.passes: dict[int, AdmissionPass] = {}
        self.looked_at: list[int] = []

    def __getitem__(self, number: int) -> AdmissionPass:
        self.looked_at.append(number)
        return self.passes[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self.passes)

    def __len__(self) -> int:
        return len(self.passes)


class Inside:
    """Buyers who were admitted, and took it up, at NOON."""

    def __init__(self, count: int) -> None:
        self.columns, self.watched = Columns(), Watched()
        self.due = DuePasses(self.watched, self.columns)
        for number in range(1, count + 1):
            self.columns.add(number, later(NOON, 10 * SESSION_MS), NOON)
            self.watched.passes[number] = AdmissionPass(
                admitted_at=NOON,
                session_ends_at=later(NOON, SESSION_MS),
                entry_ends_at=later(NOON, IDLE_MS),
                entered_at=NOON,
            )
            self.due.put(number, later(NOON, IDLE_MS))

    def found(self, after_ms: int, policy_idle_ms: int = IDLE_MS) -> list[int]:
        self.watched.looked_at.clear()
        self.due.find(a_policy(idle_timeout_ms=policy_idle_ms), self.at(after_ms))
        return list(self.due)

    def at(self, after_ms: int) -> Instant:
        return later(NOON, after_ms)


def test_nobody_is_looked_at_before_her_time() -> None:
    inside = Inside(1_000)

    assert inside.found(IDLE_MS - 1) == []
    assert inside.watched.looked_at == []


def test_whoever_was_heard_of_is_looked_at_once_and_then_when_she_may_be_over() -> None:
    inside = Inside(2)
    inside.columns.seen_at[1] = inside.at(20_000)

    assert inside.found(IDLE_MS) == [1]
    assert inside.watched.looked_at == [1, 2]
    assert inside.found(IDLE_MS + 19_999) == [1]
    assert inside.found(IDLE_MS + 20_000) == [1, 2]


def test_what_was_found_is_found_again_until_it_has_ended() -> None:
    inside = Inside(1)
    inside.found(IDLE_MS)

    assert inside.found(IDLE_MS + 100) == [1]
    inside.due.drop(1)
    assert inside.found(IDLE_MS + 200) == []


def test_a_sign_after_it_was_found_keeps_it() -> None:
    inside = Inside(1)
    inside.found(IDLE_MS)
    inside.columns.seen_at[0] = inside.at(IDLE_MS + 50)

    assert inside.found(IDLE_MS + 100) == []
    assert inside.found(2 * IDLE_MS + 49) == []
    assert inside.found(2 * IDLE_MS + 50) == [1]


def test_a_change_that_ends_it_earlier_is_seen_by_the_next_turn() -> None:
    inside = Inside(1)
    running = inside.watched.passes[1]
    running.session_ends_at = inside.at(10_000)

    assert inside.found(10_000) == []
    inside.due.changed(1)
    assert inside.found(10_000) == [1]


def test_a_shorter_idle_timeout_is_for_everybody_inside() -> None:
    inside = Inside(3)
    inside.found(0)

    assert inside.found(5_000, policy_idle_ms=5_001) == []
    assert inside.found(5_001, policy_idle_ms=5_001) == [1, 2, 3]


def test_a_number_let_in_again_is_not_taken_for_her_pass_of_before() -> None:
    inside = Inside(1)
    inside.due.drop(1)
    inside.watched.passes[1].session_ends_at = inside.at(IDLE_MS + 1)
    inside.due.put(1, inside.at(IDLE_MS + 1))
    inside.columns.seen_at[0] = inside.at(1)

    assert inside.found(IDLE_MS) == []
    assert inside.watched.looked_at == []
    assert inside.found(IDLE_MS + 1) == [1]
