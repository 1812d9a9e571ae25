"""`stagedoor sale`: the sale's stop switch, looked at and turned while a server sells."""

import asyncio
from typing import Annotated

import typer

from stagedoor.adapters.sql.sale_switches import SqlSwitchBook, SqlSwitchDesk
from stagedoor.bootstrap.database import existing
from stagedoor.cli.options import Flags, command, settings_of
from stagedoor.cli.sentences import Refused, actor, say
from stagedoor.cli.tables import show_table
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.seating.rejections import UnknownPerformance
from stagedoor.seating.switch import SaleSwitches

sale = typer.Typer(
    name="sale",
    help="The sale's stop switch: one for everything, one a performance. A server at work goes by it within a second.",
    no_args_is_help=True,
)

Schedule = Annotated[
    int | None,
    typer.Option(min=1, help="Whose sale, by its scheduleId. Left out: everything.", show_default=False),
]


@command(sale, "show")
def show_sale(flags: Flags) -> None:
    """Show what the switches say. Of two that are about a performance, the stricter holds."""
    settings = settings_of(flags)

    async def read() -> SaleSwitches:
        async with existing(settings) as database:
            return await SqlSwitchBook(database.lanes).all()

    _show(asyncio.run(read()))


@command(sale, "open")
def open_sale(flags: Flags, schedule: Schedule = None) -> None:
    """Let the sale go on."""
    _turn(SaleState.OPEN, schedule, flags)


@command(sale, "finish")
def finish_sale(flags: Flags, schedule: Schedule = None) -> None:
    """Let nobody in and no seat be held anew; who holds seats can pay for them, or let them go."""
    _turn(SaleState.HOLDS_ONLY_FINISH, schedule, flags)


@command(sale, "stop")
def stop_sale(flags: Flags, schedule: Schedule = None) -> None:
    """Let nobody pay either. Seats can be let go, and holds run out as ever."""
    _turn(SaleState.STOPPED, schedule, flags)


def _turn(state: SaleState, schedule: int | None, flags: Flags) -> None:
    settings = settings_of(flags)
    performance_id = None if schedule is None else PerformanceId(schedule)

    async def write() -> SaleSwitches:
        async with existing(settings) as database:
            await SqlSwitchDesk(database.lanes, database.clock).turn(state, performance_id, actor=actor())
            return await SqlSwitchBook(database.lanes).all()

    try:
        switches = asyncio.run(write())
    except UnknownPerformance as error:
        raise Refused(f"there is no performance {schedule}") from error
    _show(switches)


def _show(switches: SaleSwitches) -> None:
    rows = [("everything", switches.everywhere.value)]
    rows += [(f"schedule {id_}", state.value) for id_, state in sorted(switches.of_performance.items())]
    show_table(("sale of", "state"), rows)
    if switches.everywhere is SaleState.OPEN and not switches.of_performance:
        say("Nothing is stopped.")
