"""The ASGI app: which path leads to which call, and what Litestar has to know of us."""

from typing import Any, cast

from litestar import Litestar, Request, Router
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from typing_extensions import override

from stagedoor.http import concerts, process, queue, sale, user
from stagedoor.http.answer import Answer
from stagedoor.http.call import call_of
from stagedoor.http.edge import Edge
from stagedoor.http.handlers import Handlers
from stagedoor.http.methods import Methods, listed
from stagedoor.http.openapi import api_document
from stagedoor.http.problems import answer_to
from stagedoor.http.reading import read_json
from stagedoor.http.rejections import ClientGone, MethodNotAllowed, NoSuchPath, Unreadable
from stagedoor.http.schema_page import schema_router
from stagedoor.http.services import Services

BASE_PATH = "/v1/api"

_CALLS = (
    queue.issue_token,
    queue.check_token,
    queue.leave_line,
    queue.queue_status,
    concerts.list_concerts,
    concerts.list_schedule,
    concerts.list_seats,
    sale.reserve_seats,
    sale.release_seats,
    sale.pay,
    user.charge,
    user.read_balance,
    user.list_reservations,
    user.list_orders,
    user.list_ledger,
)


class WireRequest(Request[Any, Any, Any]):
    """A request whose body is read our way: strictly, and straight into the type that the handler asks for."""

    @override
    async def body(self) -> bytes:
        """Return something, so that `json` is asked even where the body is empty."""
        return b"null"

    @override
    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`. Raises what `read_json` raises."""
        field = self.route_handler.parsed_data_field
        assert field is not None
        return await read_json(call_of(self.scope), self.receive, field.annotation)


def create_app(services: Services) -> Litestar:
    """Return the app that serves *services*."""
    routers = [
        Router(BASE_PATH, route_handlers=_CALLS),
        Router("/", route_handlers=[process.healthz, process.readyz, process.metrics]),
        schema_router(lambda: api_document(app.routes)),
    ]
    if services.ops is not None:
        routers.append(services.ops)
    app = Litestar(
        routers,
        request_class=WireRequest,
        exception_handlers={Exception: _on_exception},
        # Limits of size, the document and the log are the edge's own affair.
        request_max_body_size=None,
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = Edge(app.asgi_handler, services, Methods(app.routes), Handlers(app.routes))
    return app


def _on_exception(request: Request[Any, Any, Any], error: Exception) -> Answer[Any]:
    if isinstance(error, ClientGone):
        # There is nobody to answer; the edge, which everything passes, makes a note of it.
        raise error
    return answer_to(_translated(error), call_of(request.scope))


def _translated(error: Exception) -> Exception:
    """Return what Litestar refuses as one of our own rejections."""
    match error:
        case NotFoundException():
            return NoSuchPath()
        case MethodNotAllowedException():
            return MethodNotAllowed(_allowed(error))
        case ClientException():
            return Unreadable("request", "not_readable")
        case _:
            return error


def _allowed(error: HTTPException) -> str:
    return listed(cast("dict[str, str]", error.headers or {}).get("allow", "").split(", "))
