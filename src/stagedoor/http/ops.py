"""The operators' calls as one router. It is always there, and answers as if it were not while no key is configured."""

from litestar import Router
from litestar.di import Provide

from stagedoor.http import ops_breakers, ops_people, ops_rooms, ops_sale
from stagedoor.http.ops_desk import OpsDesk, guard_with

PATH = "/ops/api"


def ops_router(desk: OpsDesk) -> Router:
    """Return the router of the operators' calls, made with *desk*; it belongs to one app."""
    return Router(
        path=PATH,
        route_handlers=[
            ops_rooms.list_rooms,
            ops_rooms.change_room,
            ops_rooms.open_room,
            ops_rooms.pause_room,
            ops_rooms.close_room,
            ops_rooms.read_line,
            ops_people.revoke_place,
            ops_people.credit_wallet,
            ops_people.add_members,
            ops_people.read_audit,
            ops_sale.read_sale,
            ops_sale.turn_switch,
            ops_breakers.list_breakers,
            ops_breakers.force_breaker_open,
            ops_breakers.close_breaker,
            ops_breakers.disable_breaker,
            ops_breakers.reset_breaker,
        ],
        guards=[guard_with(desk.gate)],
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
    )
