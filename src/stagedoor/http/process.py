"""How the process is: it turns, it can serve, and what it has counted."""

from litestar import get
from litestar.types import Scope
from msgspec import UNSET

from stagedoor.http.answer import Answer, Cache, success
from stagedoor.http.call import Call, call_of
from stagedoor.http.contract import Entry, Needs
from stagedoor.http.problems import TOO_MANY, UNAVAILABLE, tell
from stagedoor.http.rejections import ViewNotAllowed
from stagedoor.http.wire import Alive, Ready
from stagedoor.resilience.priority import Priority

FINE = "ok"
"""What a part of the process that can serve says of itself; anything else is why it cannot."""

_READY_AGAIN_MS = 1_000


@get(
    "/healthz",
    opt=Entry(
        tag="process",
        summary="The process turns",
        priority=Priority.HEALTH,
        quiet=True,
        example={"status": "UP"},
    ).opt,
)
async def healthz(scope: Scope) -> Answer[Alive]:
    """Answer, which is all there is to it: a process that does not is to be started anew."""
    call_of(scope)
    return success(Alive(status="UP"), Cache.NOBODY)


@get(
    "/readyz",
    opt=Entry(
        tag="process",
        summary="The process can serve",
        priority=Priority.HEALTH,
        refusals=(TOO_MANY, UNAVAILABLE),
        quiet=True,
        example={"status": "READY"},
    ).opt,
)
async def readyz(scope: Scope) -> Answer[Ready]:
    """Say whether to send requests here; on a bind that others reach, operators alone are told about the parts."""
    call = call_of(scope)
    services = call.services
    parts = dict(await services.ready())
    if services.draining():
        parts["process"] = "draining"
    told = parts if await _may_view(call) else UNSET
    if any(said != FINE for said in parts.values()):
        return tell(UNAVAILABLE, call, retry_after_ms=_READY_AGAIN_MS, parts=told)
    return success(Ready(status="READY", parts=told), Cache.NOBODY)


@get(
    "/metrics",
    opt=Entry(
        tag="process",
        summary="Metrics for Prometheus",
        priority=Priority.HEALTH,
        needs=Needs.OPERATOR,
        refusals=(TOO_MANY, UNAVAILABLE),
        quiet=True,
    ).opt,
)
async def metrics(scope: Scope) -> Answer[str]:
    """Every metric of this process and of those that serve beside it, in Prometheus' text format."""
    call = call_of(scope)
    if not await _may_view(call):
        raise ViewNotAllowed
    body, media_type = await call.services.scrape(call.headers.get("accept"))
    return Answer(body, headers=((b"content-type", media_type.encode()), Cache.NOBODY.value))


async def _may_view(call: Call) -> bool:
    services = call.services
    return not services.public_bind or await services.authorize_view(call.headers, call.address)
