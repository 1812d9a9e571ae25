"""Groups whose wishes overlap: each gets every seat it asked for, or none of them."""

import asyncio

from tests.e2e.harness.answers import Answer, now_ms
from tests.e2e.harness.checkers import GRANTED, TAKEN, Violations, groups_split, seats_promised_twice, unexpected
from tests.e2e.harness.evening import House
from tests.e2e.harness.fan import Fan, let_in
from tests.e2e.harness.programme import Staged, a_room, a_show
from tests.e2e.harness.until import come_right

SEATS = 12
ROOM = a_room("groups", a_show(seats=SEATS), a_show(seats=2), idle_timeout_ms=600_000)
ROOMS = (ROOM,)
BROKEN = "groups_split"


def chains(show: Staged, length: int) -> list[tuple[int, ...]]:
    """Return every run of neighbours of that length; each overlaps those beside it."""
    starts = range(len(show.seat_ids) - length + 1)
    return [show.seat_ids[start : start + length] for start in starts]


async def groups_at_once(fans: list[Fan], show: Staged) -> list[Answer]:
    """Let one group have its seats, and then groups of two, three and four all ask at once, some in reverse."""
    # Whoever wants the seat before those of the first one wants one of those too: in whatever order the others come,
    # that seat is nobody's who has all that she asked for.
    first_wish = show.seat_ids[1:4]
    wishes = [wish for length in (2, 3, 4) for wish in chains(show, length)]
    wishes += [tuple(reversed(wish)) for wish in wishes]
    first, *takers = fans[: 1 + len(wishes)]
    await let_in([first, *takers])
    had = await first.reserve(show.schedule_id, *first_wish)
    asked = (fan.reserve(show.schedule_id, *wish) for fan, wish in zip(takers, wishes, strict=True))
    return [had, *await asyncio.gather(*asked)]


async def crowd(evening: House) -> tuple[list[Answer], Violations]:
    """Let the groups loose; return what they were answered, and who has not got what she was told."""
    show = evening.show(ROOM.id)
    async with evening.client() as client:
        fans = evening.fans(80, client, ROOM.id)
        answers = await groups_at_once(fans, show)

        async def split() -> Violations:
            listed = await fans[0].seats(show.schedule_id, query="&status=all")
            return groups_split(client.record, listed.rows, at=now_ms())

        return answers, seats_promised_twice(client.record) + await come_right(split)


async def test_a_group_sits_together_or_not_at_all(evening: House) -> None:
    answers, wrong = await crowd(evening)

    assert wrong == []
    assert unexpected(answers, GRANTED, TAKEN) == []
    assert any(answer.ok for answer in answers)


async def test_a_group_that_names_a_seat_twice_is_not_understood(evening: House) -> None:
    show = evening.show(ROOM.id, 1)
    async with evening.client() as client:
        fan = evening.fan(client, ROOM.id)
        await fan.enter()

        twice = await fan.reserve(show.schedule_id, show.seat_ids[0], show.seat_ids[0])

    assert twice.verdict == (400, "400")


async def test_control_a_server_that_splits_groups_is_found_out(broken: House) -> None:
    answers, wrong = await crowd(broken)

    assert unexpected(answers, GRANTED, TAKEN) == []
    assert wrong != []
