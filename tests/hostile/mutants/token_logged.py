"""A server that logs the token of whoever asks with one, and whose log has no second fence."""

import structlog

from stagedoor.http.call import Call
from stagedoor.observability import logs
from stagedoor.waiting_room.model import SignedPlace
from tests.e2e.harness.removed_guard import replace, run

log = structlog.get_logger("stagedoor.http")
really_read = Call.claims


def read_and_tell(call: Call) -> SignedPlace:
    """Read the token, and leave it where a thief would look."""
    log.warning("token.read", said=call.headers.get("authorization"))
    return really_read(call)


replace(logs, "_keep_secrets", lambda _logger, _method, entry: entry)
replace(Call, "claims", read_and_tell)
run()
