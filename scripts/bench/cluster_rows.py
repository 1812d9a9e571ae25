"""The rows of the cluster profile: calls of the other one, on servers and with more than one process."""

from collections.abc import Sequence
from dataclasses import replace

from scripts.bench import afterwards, goals
from scripts.bench.engines import MARIADB, POSTGRESQL, Setup
from scripts.bench.goals import Goal
from scripts.bench.house import Plan
from scripts.bench.rows import Other, Row, check_waiting, crowd, orders, rush, sale_of, token_issue
from scripts.bench.stage import Size

MORE_CPU_PERCENT_MAX = 10
"""How much more processor time a call may take where several processes share what one does beside them."""

ORDERS_A_SECOND_MAX = 4_000
"""More than two cores take with a database on them: so many buyers are made ready."""


def sale(size: Size) -> Plan:
    """Return a house where so many are inside that nobody has to buy twice."""
    return sale_of(ORDERS_A_SECOND_MAX * size.rounds_s)


def _polls(processes: int) -> Row:
    """
    Return a row of polls, all of whose processes are on the server's core, where they can answer no more than one.

    So the crowd is the same: a call on four times as many connections is dearer on a server of one process, too.
    """
    setup = Setup(database=MARIADB, processes=processes)
    return Row(
        name=_named("check_waiting", processes),
        plan=crowd,
        call=check_waiting,
        goal=goals.ratio(0.55) if processes == 1 else _hardly_more(),
        setup=setup,
        other=None if processes == 1 else Other(setup=replace(setup, processes=1)),
    )


def _orders(database: str, processes: int) -> Row:
    """
    Return a row of orders, for which everybody has all cores.

    Each process has as many buyers as the one beside it: an order is dearer the fewer are in its batch. (One process
    with all of them would have larger batches, and be cheaper than the one beside.)
    """
    setup = Setup(database=database, processes=processes, crowds=processes, everywhere=True)
    return Row(
        name=_named(f"orders_{database}", processes),
        plan=sale,
        call=orders,
        goal=goals.at_least("rps", 1_000, text="1,000 a second") if processes == 1 else _hardly_more(),
        after=[afterwards.sound],
        setup=setup,
        # To make a house for more orders would take longer than to measure them.
        other=None if processes == 1 else Other(setup=replace(setup, processes=1, crowds=1), pairs_times=1),
    )


def _named(name: str, processes: int) -> str:
    return name if processes == 1 else f"{name}_{processes}"


def _hardly_more() -> Goal:
    return goals.at_most("more_cpu_percent", MORE_CPU_PERCENT_MAX, text=f"{MORE_CPU_PERCENT_MAX} %")


PROCESSES = (1, 2, 4)

CLUSTER_ROWS: Sequence[Row] = (
    *map(_polls, PROCESSES),
    Row(
        name="token_issue",
        plan=rush,
        call=token_issue,
        goal=goals.ratio(0.30),
        after=[afterwards.all_joined],
        setup=Setup(database=MARIADB),
    ),
    *(_orders(database, processes) for database in (MARIADB, POSTGRESQL) for processes in PROCESSES),
)
