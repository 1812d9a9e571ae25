"""What the docs tell of each cell."""

from collections.abc import Mapping, Sequence

from tests.outage.page import Section
from tests.outage_cluster.cells import CELLS, Cell
from tests.outage_cluster.house import DEADLINE_S
from tests.outage_cluster.play import Played
from tests.outage_cluster.verdict import WAIT_S

SECTION = Section(
    title="A cluster",
    introduction=f"""\
<!-- Written by `make proof ONLY=outages ARGS=--page`. -->

What buyers of a cluster see while one of its engines fails behind a proxy. One real `stagedoor serve` on real engines;
fourteen calls a second of every kind (polls, `/queue/status`, lists, joins, leaves, charges, payments and releases of
holds, and always two rivals for one seat), whether or not those before were answered, for 1.5 s of health, 6 or 8 s of
outage, and until all is well. Every deadline is {DEADLINE_S:g} s, breakers open after half of four to eight calls
(Kafka's after one) and wait {WAIT_S:g} s, lists are shown for 3 s at most.
The figures are from `make proof ONLY=outages`, which holds them to deadline and recovery;
`tests/outage_cluster/test_cells.py` plays each cell again.

- *where*, of a database: before a commit (whatever is asked), during it (the commit has arrived, its reply is spoilt),
  after it (whatever is asked next on its connection). Of Redis and Kafka: on the way there, or on the reply.
- *detected in*: seconds until the first call failed, and until the first breaker opened.
- *slowest answer*: by the server's own clock; the deadline is {DEADLINE_S:g} s.
- *reached it while open*: transactions, commands or batches of events begun although their breaker was open, or half
  open beyond its trial calls.
- *recovered in*: from the end of the outage until every breaker was closed and nobody was put off any more.
- *invariants*: `stagedoor check`, no seat promised twice, no won lost or made: every call that was put off is asked
  again with its key, and then answers, orders and balances are the same to the won; nobody left in a pool or bulkhead;
  what decision 38 promises of a total outage; Kafka told of every order.
""",
    columns=(
        "what",
        "it is",
        "where",
        "detected in",
        "answers",
        "slowest answer",
        "reached it while open",
        "recovered in",
        "invariants",
    ),
)


def keys_of(cell: Cell) -> Sequence[str]:
    """Return what names the cell in the table."""
    return [cell.dependency.value, cell.kind.value, cell.stage.value]


def row_of(one: Played) -> Sequence[str]:
    """Return what the table says of a cell."""
    first = "no call failed" if one.first_failure_s is None else f"{one.first_failure_s:.1f} s"
    opened = min(one.opened_s.items(), key=lambda each: each[1], default=None)
    return [
        *keys_of(one.cell),
        f"{first}; {'no breaker' if opened is None else f'{opened[0]} {opened[1]:.1f} s'}",
        ", ".join(f"{status}: {count}" for status, count in sorted(one.answers.items())),
        f"{max(one.took):.2f} s",
        str(one.reached_while_open.total() + one.tried_beyond.total()),
        f"{one.recovered_s:.1f} s",
        "hold" if not (one.wrong or one.unkept) else f"**{len(one.wrong) + len(one.unkept)} broken**",
    ]


def rows_of(played: Mapping[Cell, Played]) -> Sequence[Sequence[str]]:
    """Return all rows, in the order of the cells."""
    return [row_of(played[cell]) for cell in CELLS if cell in played]
