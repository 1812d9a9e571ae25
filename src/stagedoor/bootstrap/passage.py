"""What every transaction passes on its way to the database, from the outside: breaker, deadline and bulkhead."""

from stagedoor.adapters.bounded_lanes import BoundedLanes, Visitor
from stagedoor.adapters.embedded.sqlite_file import READERS, WRITERS
from stagedoor.adapters.guarding import GuardedLanes, StillPermittedLanes
from stagedoor.adapters.minded_lanes import Mind, MindedLanes
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.adapters.sql.server_lanes import SERVING
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.resilience.bulkhead import Bulkhead
from stagedoor.settings import Settings

WRITES_WAITING_MAX = 200
"""The batchers, the workers and the operators' calls wait here, one transaction each: there are never that many."""

READS_WAITING_MAX = 2_000


def passage(settings: Settings, lanes: Lanes, breakers: Breakers, metrics: Metrics, *, mind: Mind) -> Lanes:
    """
    Put everything before *lanes*; the bulkheads are as large as what is behind them has connections.

    *mind* is told of each fault of the database itself that ended a write.
    """
    writers, readers = (SERVING.writers, SERVING.readers) if settings.is_cluster else (WRITERS, READERS)
    writes: Bulkhead[Visitor] = Bulkhead(Instance.DATABASE, at_once=writers, waiting_max=WRITES_WAITING_MAX)
    reads: Bulkhead[Visitor] = Bulkhead(Instance.DATABASE_READS, at_once=readers, waiting_max=READS_WAITING_MAX)
    metrics.watch_bulkheads([writes, reads])
    before_writes, before_reads = breakers.of(Instance.DATABASE), breakers.of(Instance.DATABASE_READS)
    bounded = BoundedLanes(StillPermittedLanes(MindedLanes(lanes, mind=mind)), writes=writes, reads=reads)
    return GuardedLanes(bounded, writes=before_writes, reads=before_reads)
