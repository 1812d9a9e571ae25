"""What the operators' calls are made with, and who is behind each: settled before anything else of a call is read."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from stagedoor.http.call import Call, call_of
from stagedoor.http.contract import Entry
from stagedoor.http.operators import OperatorGate
from stagedoor.http.problems import NO_PATH, ROLE_TOO_SMALL, TOO_MANY, Refusal
from stagedoor.kernel.ids import PlaceRef
from stagedoor.operators.model import Operator, Role
from stagedoor.operators.ports import AuditTrail, MemberDesk
from stagedoor.operators.steering import SteerBreakers
from stagedoor.seating.switch import TurnSwitch
from stagedoor.waiting_room.ports import PlaceEnded, Rooms
from stagedoor.waiting_room.room_change import RoomDesk

T = TypeVar("T")

FOR_ALL = (ROLE_TOO_SMALL, NO_PATH, TOO_MANY)
"""How every operators' call may be refused; without any key configured there is nothing at its path."""

_ROLE_OPT = "role"
_OPERATOR_KEY = "stagedoor.operator"


class RevokesPlaces(Protocol):
    """Takes places away."""

    async def revoke(self, *, ref: PlaceRef, actor: str) -> PlaceEnded:
        """End the place and let its holds go. Raises `UnknownPlace`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsDesk:
    """The ports and use cases that only operators reach."""

    gate: OperatorGate
    rooms: Rooms
    room_desk: RoomDesk
    revoke_place: RevokesPlaces
    member_desk: MemberDesk
    audit: AuditTrail
    steer_breakers: SteerBreakers
    turn_switch: TurnSwitch


Desk = NamedDependency[OpsDesk]
"""How a call is handed the desk."""


def opt_of(entry: Entry, role: Role) -> dict[str, Any]:
    """Return what a handler for keys of *role* carries."""
    return {**entry.opt, _ROLE_OPT: role}


def guard_with(gate: OperatorGate) -> Any:  # noqa: ANN401 -- Litestar's own type of guards names a private class
    """Return the guard that lets in those whose key is for the call."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        call = call_of(connection.scope)
        # What Litestar adds by itself (OPTIONS) has no role: to ask what a path knows is to look.
        needed = handler.opt.get(_ROLE_OPT, Role.VIEW)
        operator = await gate.admit(call.headers.get("authorization"), address=call.address, needed=needed)
        cast("dict[str, Any]", connection.scope)[_OPERATOR_KEY] = operator

    return guard


def actor_of(scope: Scope) -> str:
    """Return who is behind the call, as the audit names her."""
    operator: Operator = cast("dict[str, Any]", scope)[_OPERATOR_KEY]
    return operator.actor


async def settled(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* returns, at the deadline at the latest; the work itself goes on to its end."""
    return await call.services.under_way.settle(lambda: work, buyer_id=None, call=call.name, key=None)


def refusals(*own: Refusal) -> tuple[Refusal, ...]:
    """Return how a call may be refused: as all of them, and in its own ways."""
    return (*own, *FOR_ALL)
