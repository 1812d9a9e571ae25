"""The server is killed at any instant, under load: every answer it gave is still true when it is back."""

from tests.e2e.harness.evening import Evening
from tests.kill.answers import Answers
from tests.kill.conftest import Night
from tests.kill.rounds import Crowd, Killings, Ordeal, Tally, play

SEED = 20
ORDEAL = Ordeal(kills=3, answers_max=400, starts=0.4, stops=0.4)
EACH = 5
"""Holds and charges, at least, that a broken server has answered before it is killed."""


async def test_every_answer_is_still_true_after_each_kill(night: Night) -> None:
    with night() as evening:
        tally = await play(evening, ORDEAL, seed=SEED)

    assert tally.wrong == []
    assert len(tally.in_flight) == ORDEAL.kills
    assert tally.median_in_flight >= 20, tally.in_flight


def told_of_holds_and_charges(answers: Answers) -> bool:
    """Whether a few of each have been answered."""
    memories = answers.memories.values()
    holds, charges = sum(len(each.holds) for each in memories), sum(len(each.charges) for each in memories)
    return min(holds, charges) >= EACH


async def killed_while_it_answers_first(evening: Evening) -> Tally:
    """Kill a broken server once, after it has answered for a while and not yet kept what it answered."""
    answer_first = evening.database.with_name("answer-first")
    assert evening.server.port
    async with Crowd.of(evening, SEED) as crowd:
        killings = Killings(evening, crowd, SEED)
        killings.before_the_crowd = answer_first.touch
        killings.after_the_kill = answer_first.unlink
        died_at = await killings.kill_when(told_of_holds_and_charges)
        await killings.judge_after_restart(died_at)
        return killings.tally


async def test_control_a_server_that_answers_before_it_commits_is_found_out(night: Night) -> None:
    with night("answers_before_commit") as evening:
        tally = await killed_while_it_answers_first(evening)

    assert any("PlaceTold" in wrong for wrong in tally.wrong)
    assert any("HoldTold" in wrong and "is not there" in wrong for wrong in tally.wrong)
    assert any("was charged" in wrong for wrong in tally.wrong)


async def test_control_a_line_that_is_journaled_after_the_answer_is_found_out(night: Night) -> None:
    with night("journal_after_answer") as evening:
        tally = await killed_while_it_answers_first(evening)

    assert any("PlaceTold" in wrong for wrong in tally.wrong)
