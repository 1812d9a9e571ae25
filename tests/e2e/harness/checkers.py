"""
The judges: each takes recorded facts and returns what is wrong with them, in words; an empty list is a pass.

Stories and their negative controls share them, so that a judge that sees
nothing is found out.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from math import ceil
from typing import Any

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.promises import (
    CHARGE,
    CHECK,
    JOIN,
    LEAVE,
    PAY,
    RESERVE,
    Promise,
    calls,
    granted,
    promises,
    seats_asked,
)

Violations = list[str]
Verdict = tuple[int, str | None]

GRANTED: Verdict = (200, None)
WAITING: Verdict = (403, "001")
SOLD_OUT: Verdict = (409, "002")
PLACE_OVER: Verdict = (410, "003")
TAKEN: Verdict = (409, "004")
BALANCE: Verdict = (402, "005")
HOLD_OVER: Verdict = (410, "006")
LIMIT: Verdict = (409, "007")
PAID_ALREADY: Verdict = (409, "409")
UNKNOWN: Verdict = (404, "404")


def unexpected(answers: Sequence[Answer], *allowed: Verdict) -> Violations:
    """Every answer is one of those allowed."""
    return [str(answer) for answer in answers if answer.verdict not in allowed]


def seats_promised_twice(record: Sequence[Answer]) -> Violations:
    """No seat belonged to two reservations at once: for each pair some order of the answers must explain both."""
    by_seat: dict[int, list[Promise]] = defaultdict(list)
    for promise in promises(record):
        for seat_id in promise.seat_ids:
            by_seat[seat_id].append(promise)
    return [
        f"seat {seat_id} was promised by {one} and by {other}"
        for seat_id, held in by_seat.items()
        for one, other in combinations(held, 2)
        if other.told_at < one.kept_until and one.told_at < other.kept_until
    ]


def groups_split(record: Sequence[Answer], rows: Sequence[Mapping[str, Any]], *, at: int) -> Violations:
    """The seat list read at *at* is what the answers add up to: groups taken whole, nothing else taken."""
    expected: dict[int, str] = {}
    for promise in promises(record):
        if promise.kept_until > at:
            status = "RESERVED" if promise.is_paid else "TEMP_RESERVED"
            expected.update(dict.fromkeys(promise.seat_ids, status))
    return [
        f"seat {row['seatId']} is listed {row['seatStatus']}, told {expected.get(row['seatId'], 'AVAILABLE')}"
        for row in rows
        if row["seatStatus"] != expected.get(row["seatId"], "AVAILABLE")
    ]


def sold_out_too_soon(record: Sequence[Answer], seat_count: int) -> Violations:
    """`002` is the truth: never before the last seat could have been paid, always after it was."""
    payments = granted(record, PAY)
    sold = {seat_id for promise in promises(record) if promise.is_paid for seat_id in promise.seat_ids}
    complete = len(sold) == seat_count
    at_the_earliest = max(answer.sent_at for answer in payments) if complete else None
    for_sure = max(answer.answered_at for answer in payments) if complete else None
    wrong = []
    for answer in calls(record, RESERVE):
        too_soon = answer.verdict == SOLD_OUT and (at_the_earliest is None or answer.answered_at < at_the_earliest)
        too_late = answer.verdict == TAKEN and for_sure is not None and answer.sent_at > for_sure
        if too_soon or too_late:
            wrong.append(str(answer))
    return wrong


def paid_twice(record: Sequence[Answer]) -> Violations:
    """A reservation is paid at most once, however often it is tried."""
    times = Counter(answer.asked["reservationId"] for answer in granted(record, PAY) if not answer.replayed)
    return [f"reservation {reservation_id} was paid {n} times" for reservation_id, n in times.items() if n > 1]


def money_astray(record: Sequence[Answer], *, opening: int, balances: Mapping[int, int]) -> Violations:
    """A balance is what was there, and what was charged, less each price once."""
    expected = dict.fromkeys(balances, opening)
    counted: set[tuple[int, str]] = set()
    for answer in granted(record, CHARGE):
        # The first answer to a key may have been lost, and only its replay been told.
        name = (answer.buyer_id, answer.key or "")
        if answer.buyer_id in expected and (answer.key is None or name not in counted):
            counted.add(name)
            expected[answer.buyer_id] += answer.asked["amount"]
    prices = {
        answer.asked["reservationId"]: (answer.buyer_id, answer.data["paymentAmount"])
        for answer in granted(record, PAY)
    }
    for buyer_id, price in prices.values():
        if buyer_id in expected:
            expected[buyer_id] -= price
    return [
        f"buyer {buyer_id} has {balance}, the answers come to {expected[buyer_id]}"
        for buyer_id, balance in balances.items()
        if balance != expected[buyer_id]
    ]


def keys_with_two_effects(record: Sequence[Answer]) -> Violations:
    """One key, one effect: the same body every time, and all but the first answer marked as a replay."""
    by_key: dict[tuple[int, str, str, str], list[Answer]] = defaultdict(list)
    for answer in record:
        if answer.ok and answer.key is not None:
            by_key[answer.buyer_id, answer.method, answer.path, answer.key].append(answer)
    wrong = []
    for answers in by_key.values():
        bodies = {answer.raw for answer in answers}
        first = sum(not answer.replayed for answer in answers)
        if len(bodies) > 1:
            wrong.append(f"one key, {len(bodies)} answers: {answers[0]} and others")
        if first > 1:
            wrong.append(f"one key, {first} answers that are not marked as a replay: {answers[0]}")
    return wrong


def admitted_early(record: Sequence[Answer], opens_at: int) -> Violations:
    """Nobody was told before the opening that she is in."""
    return [
        str(answer)
        for answer in granted(record, CHECK)
        if answer.data["status"] == "PROGRESS" and answer.answered_at < opens_at
    ]


def admitted_out_of_order(record: Sequence[Answer], numbers: Mapping[int, int]) -> Violations:
    """Whoever was still waiting when somebody behind her was seen inside has been overtaken."""
    inside_since: dict[int, int] = {}
    for answer in granted(record, CHECK):
        if answer.data["status"] == "PROGRESS" and answer.buyer_id in numbers:
            number = numbers[answer.buyer_id]
            inside_since[number] = min(inside_since.get(number, answer.answered_at), answer.answered_at)
    first_behind: dict[int, int] = {}
    earliest = 1 << 62
    for number in sorted(numbers.values(), reverse=True):
        first_behind[number] = earliest
        earliest = min(earliest, inside_since.get(number, earliest))
    return [
        f"number {numbers[answer.buyer_id]} was overtaken: {answer}"
        for answer in granted(record, CHECK)
        if answer.buyer_id in numbers
        and answer.data["status"] == "WAITING"
        and answer.sent_at > first_behind[numbers[answer.buyer_id]]
    ]


def admitted_too_fast(record: Sequence[Answer], rate: float) -> Violations:
    """In no T seconds more than ceil(rate T) + ceil(rate / 4) were let in, counting those who surely were."""
    since = {answer.buyer_id: answer.sent_at for answer in granted(record, JOIN)}
    inside: dict[int, int] = {}
    for answer in sorted(granted(record, CHECK), key=lambda answer: answer.sent_at):
        if answer.data["status"] == "WAITING":
            since[answer.buyer_id] = answer.sent_at
        elif answer.data["status"] == "PROGRESS" and answer.buyer_id in since:
            inside.setdefault(answer.buyer_id, answer.answered_at)
    let_in = [(since[buyer_id], seen_at) for buyer_id, seen_at in inside.items()]
    wrong = []
    for start, _ in let_in:
        seen = sorted(seen_at for since_at, seen_at in let_in if since_at >= start)
        for count, end in enumerate(seen, start=1):
            if count > ceil(rate * (end - start) / 1_000) + ceil(rate / 4):
                wrong.append(f"{count} were let in within {end - start} ms")
    return wrong


def too_many_inside(record: Sequence[Answer], max_active: int) -> Violations:
    """Never more than *max_active* were surely inside at once: from when it was seen until they asked to leave."""
    steps: list[tuple[int, int]] = []
    inside: set[int] = set()
    for answer in record:
        entered = (answer.method, answer.path) == CHECK and answer.ok and answer.data["status"] == "PROGRESS"
        if entered and answer.buyer_id not in inside:
            inside.add(answer.buyer_id)
            steps.append((answer.answered_at, 1))
        if (answer.method, answer.path) == LEAVE and answer.buyer_id in inside:
            steps.append((answer.sent_at, -1))
    active, wrong = 0, []
    for instant, step in sorted(steps):
        active += step
        if active > max_active:
            wrong.append(f"{active} were inside at {instant}")
    return wrong


def admitted_between(record: Sequence[Answer], buyer_ids: Collection[int], start: int, end: int) -> Violations:
    """None of these was let in while nobody was to be."""
    return [
        str(answer)
        for answer in granted(record, CHECK)
        if answer.buyer_id in buyer_ids
        and answer.data["status"] == "PROGRESS"
        and start < answer.sent_at
        and answer.answered_at < end
    ]


def positions_that_rose(record: Sequence[Answer]) -> Violations:
    """A position never rises from one answer to the next."""
    last: dict[int, Answer] = {}
    wrong = []
    for answer in sorted(granted(record, CHECK), key=lambda answer: answer.sent_at):
        before = last.get(answer.buyer_id)
        if (
            before is not None
            and before.answered_at <= answer.sent_at
            and answer.data["queuePosition"] > before.data["queuePosition"]
        ):
            wrong.append(f"{before} then {answer}")
        last[answer.buyer_id] = answer
    return wrong


def paid_out_of_time(record: Sequence[Answer]) -> Violations:
    """The deadline is the same for both sides: not paid after it, not refused before it."""
    deadlines = {promise.reservation_id: promise.deadline_at for promise in promises(record)}
    wrong = []
    for answer in calls(record, PAY):
        deadline_at = deadlines[answer.asked["reservationId"]]
        too_late = answer.ok and not answer.replayed and answer.sent_at >= deadline_at
        too_soon = answer.verdict == HOLD_OVER and answer.answered_at < deadline_at
        if too_late or too_soon:
            wrong.append(f"deadline {deadline_at}, sent {answer.sent_at}, answered {answer.answered_at}: {answer}")
    return wrong


def more_seats_than_allowed(record: Sequence[Answer], limit: int, *, at: int) -> Violations:
    """At *at* nobody holds or owns more seats of a performance than one buyer may."""
    seats: dict[tuple[int, int], set[int]] = defaultdict(set)
    for promise in promises(record):
        if promise.kept_until > at:
            seats[promise.buyer_id, promise.schedule_id] |= promise.seat_ids
    return [
        f"buyer {buyer_id} has {len(held)} seats of {schedule_id}"
        for (buyer_id, schedule_id), held in seats.items()
        if len(held) > limit
    ]


def held_after_the_place_was_over(record: Sequence[Answer]) -> Violations:
    """Nothing was reserved under a place after the payment that used it up had been answered."""
    used_up = [answer for answer in granted(record, PAY) if answer.data["queueStatus"] == "DONE"]
    over_at = {answer.buyer_id: answer.answered_at for answer in used_up}
    return [
        str(answer)
        for answer in granted(record, RESERVE)
        if not answer.replayed and answer.sent_at >= over_at.get(answer.buyer_id, 1 << 62)
    ]


def refused_after_it_was_free(record: Sequence[Answer], seat_id: int, free_since: int) -> Violations:
    """Nobody was told that the seat is taken while it was free: the first to ask after *free_since* has it."""
    asked = [answer for answer in calls(record, RESERVE) if seats_asked(answer.asked) == {seat_id}]
    after = [answer for answer in asked if answer.sent_at >= free_since]
    if any(answer.ok for answer in after) or not after:
        return []
    return [f"seat {seat_id} was free since {free_since}: {answer}" for answer in after]
