"""A server whose breakers open as they should, and let every call through all the same."""

import runpy

from stagedoor.resilience.breaker import CallNotPermitted
from stagedoor.resilience.breaker.guarded_call import GuardedCall
from stagedoor.resilience.breaker.permits import UNCOUNTED
from tests.e2e.harness.removed_guard import replace

really_enter = GuardedCall.__enter__


def enter_anyway(call: GuardedCall) -> GuardedCall:
    """Go on without a permit where there is none."""
    try:
        return really_enter(call)
    except CallNotPermitted:
        call._permit = UNCOUNTED  # noqa: SLF001 -- what is left out is in there
        call._started_ns = call._now_ns()  # noqa: SLF001 -- as above
        return call


replace(GuardedCall, "__enter__", enter_anyway)
# Whoever had to wait for her turn is looked at once more.
replace(GuardedCall, "look_again", lambda _call: None)
runpy.run_module("tests.outage_cluster.watched", run_name="__main__")
