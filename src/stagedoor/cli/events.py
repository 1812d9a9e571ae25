"""`stagedoor events dead`: what could not be sent or acted on, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import typer

from stagedoor.adapters.kafka.dead_letters import DeadLetter, DeadLetters
from stagedoor.adapters.sql.outbox import SqlOutbox
from stagedoor.bootstrap.database import existing
from stagedoor.bootstrap.events import kafka_access
from stagedoor.cli.apart import APART_FLAGS
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.sentences import Misused, Refused, say
from stagedoor.cli.tables import local_time, show_table
from stagedoor.kernel.clock import Clock
from stagedoor.kernel.ids import EventId
from stagedoor.outbox.model import Outlet, ParkedRecord
from stagedoor.settings import Settings

PARKED_MAX = 1_000
"""So many parked records of each outlet are looked at in one go."""

events = typer.Typer(name="events", help="What the house tells of, and who did not hear it.", no_args_is_help=True)
dead = typer.Typer(
    name="dead",
    help="What was set aside: parked in the outbox, as it could not be sent, or among the dead letters of a consumer, "
    "as it could not be acted on.",
    no_args_is_help=True,
)
events.add_typer(dead)

IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which, as `list` shows them.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that `list` shows.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aside:
    """What was set aside, and the way to it; *post* is None without Kafka."""

    parked: Sequence[tuple[Outlet, ParkedRecord]]
    letters: Sequence[DeadLetter]
    outboxes: Sequence[SqlOutbox]
    post: DeadLetters | None
    clock: Clock


@command(dead, "list", flags=APART_FLAGS)
def list_dead(flags: Flags) -> None:
    """Show what was set aside, where, and why."""
    settings = settings_of(flags)

    async def read() -> list[tuple[str, ...]]:
        async with _opened(settings) as aside:
            return [
                *(_parked_row(outlet, record) for outlet, record in aside.parked),
                *(_letter_row(letter, settings) for letter in aside.letters),
            ]

    rows = asyncio.run(read())
    if not rows:
        say("Nothing was set aside.")
        return
    show_table(("id", "event", "where", "attempts", "since", "why"), rows)


@command(dead, "retry", flags=APART_FLAGS, epilog="Example: `stagedoor events dead retry --all`")
def retry_dead(flags: Flags, ids: IdsArgument = None, *, everything: AllOption = False) -> None:
    """Let it be sent, or acted on, again. Only whoever failed hears of it again."""
    settings = settings_of(flags)

    async def retry() -> int:
        async with _opened(settings) as aside:
            known = [*(record.event_id for _, record in aside.parked), *(letter.id for letter in aside.letters)]
            chosen = _chosen(ids, known, everything=everything)
            for outbox in aside.outboxes:
                await outbox.send_again([EventId(each) for each in chosen], at=aside.clock.now())
            if aside.post is not None:
                await aside.post.retry([letter for letter in aside.letters if letter.id in chosen])
            return len([each for each in known if each in chosen])

    say(f"{_so_many(asyncio.run(retry()))} tried again.")


@command(dead, "discard", flags=APART_FLAGS)
def discard_dead(flags: Flags, ids: IdsArgument = None, *, everything: AllOption = False) -> None:
    """Throw dead letters away, for good. What is parked in the outbox stays: nobody has heard of it yet."""
    settings = settings_of(flags)

    async def discard() -> int:
        async with _opened(settings) as aside:
            chosen = _chosen(ids, [letter.id for letter in aside.letters], everything=everything)
            letters = [letter for letter in aside.letters if letter.id in chosen]
            if aside.post is not None:
                await aside.post.discard(letters)
            return len(letters)

    say(f"{_so_many(asyncio.run(discard()))} gone.")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Aside]:
    async with existing(settings) as database:
        outboxes = {outlet: SqlOutbox(database.lanes, outlet, lease=None) for outlet in Outlet}
        post = None if settings.kafka_bootstrap is None else DeadLetters(kafka_access(settings))
        try:
            yield _Aside(
                parked=[
                    (outlet, record)
                    for outlet, outbox in outboxes.items()
                    for record in await outbox.parked(limit=PARKED_MAX)
                ],
                letters=[] if post is None else await post.all(),
                outboxes=list(outboxes.values()),
                post=post,
                clock=database.clock,
            )
        finally:
            if post is not None:
                await post.close()


def _chosen(ids: list[str] | None, known: Sequence[str], *, everything: bool) -> Sequence[str]:
    if bool(ids) is everything:
        raise Misused("say which, by their ids, or --all")
    for each in ids or ():
        if each not in known:
            raise Refused(f'there is no "{each}" among them: `stagedoor events dead list` shows what there is')
    return list(dict.fromkeys(known if everything else ids or ()))


def _parked_row(outlet: Outlet, record: ParkedRecord) -> tuple[str, ...]:
    return (record.event_id, record.name, f"outbox, to the {outlet.value}", str(record.attempts), "-", record.failure)


def _letter_row(letter: DeadLetter, settings: Settings) -> tuple[str, ...]:
    where = f"notifications, from {letter.origin}"
    since = local_time(letter.died_at, settings.time_zone)
    return (letter.id, letter.name, where, str(letter.attempts), since, letter.cause)


def _so_many(count: int) -> str:
    return "1 is" if count == 1 else f"{count} are"
