"""The rows of the cluster profile: calls of the other one, on servers and with more than one process."""

from collections.abc import Sequence

from scripts.bench import afterwards, goals
from scripts.bench.engines import MARIADB, POSTGRESQL, Setup
from scripts.bench.house import Plan
from scripts.bench.rows import Row, check_waiting, crowd, orders, rush, sale_of, token_issue
from scripts.bench.stage import Size

CPU_TIMES_MAX = 1.1
"""How much more processor time a call may take where several processes share what one did before."""

ORDERS_A_SECOND_MAX = 4_000
"""More than two cores take with a database on them: so many buyers are made ready."""


def sale(size: Size) -> Plan:
    """Return a house where so many are inside that nobody has to buy twice."""
    return sale_of(ORDERS_A_SECOND_MAX * size.rounds_s)


def _polls(processes: int) -> Row:
    """Return a row of polls, all of whose processes are on the server's core."""
    name = "check_waiting"
    return Row(
        name=name if processes == 1 else f"{name}_{processes}",
        plan=crowd,
        call=check_waiting,
        goal=goals.ratio(0.55) if processes == 1 else goals.times_beside(name, "all_cpu_us", CPU_TIMES_MAX),
        setup=Setup(database=MARIADB, processes=processes),
    )


def _orders(database: str, processes: int) -> Row:
    """Return a row of orders, for which everybody has all cores."""
    one = f"orders_{database}"
    return Row(
        name=one if processes == 1 else f"{one}_{processes}",
        plan=sale,
        call=orders,
        goal=goals.at_least("rps", 1_000, text="1,000 a second")
        if processes == 1
        else goals.times_beside(one, "all_cpu_us", CPU_TIMES_MAX),
        after=[afterwards.sound],
        setup=Setup(database=database, processes=processes, everywhere=True),
    )


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
