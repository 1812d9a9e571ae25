"""A server whose time goes on while it stands still: a gap is noted, and nothing is given back for it."""

from stagedoor.adapters.sql.clock_stop import SqlClockStop
from stagedoor.kernel.clock import ServiceClock
from tests.e2e.harness.removed_guard import replace, run

replace(SqlClockStop, "_credit", lambda _self, _connection, _outage: None)
replace(ServiceClock, "alive", lambda _self, _at: None)
run()
