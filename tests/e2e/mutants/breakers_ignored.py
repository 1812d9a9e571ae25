"""A server that begins every call, whatever the breaker says; it gives a locked database up as soon as the other."""

from typing import Any

from stagedoor.adapters.embedded import sqlite_file
from stagedoor.http.under_way import UnderWay, Work
from tests.e2e.harness.removed_guard import replace, run

guarded = UnderWay.settle


async def unguarded(under_way: UnderWay, work: Work[Any], **asked: Any) -> Any:  # noqa: ANN401 -- as it is
    """Wait for the work, and tell no breaker."""
    return await guarded(under_way, work, **{**asked, "guard": None})


sqlite_file.BUSY_TIMEOUT_MS = 100
replace(UnderWay, "settle", unguarded)
run()
