"""A line that is seen first and journaled later: while a file `answer-first` lies beside its data, not yet."""

from pathlib import Path

from stagedoor.adapters.embedded.line_commits import LineCommits
from stagedoor.adapters.embedded.line_journal import JournalEntry
from tests.e2e.harness.removed_guard import replace, run

ANSWER_FIRST = Path("answer-first")

really_commit = LineCommits.commit


def answers_first() -> bool:
    """Whether nothing is journaled now."""
    return ANSWER_FIRST.exists()


async def commit_later(commits: LineCommits, entry: JournalEntry) -> None:
    """Apply what is to be journaled."""
    if answers_first():
        commits._apply(entry)  # noqa: SLF001 -- the guard is what is gone around
    else:
        await really_commit(commits, entry)


replace(LineCommits, "commit", commit_later)
run()
