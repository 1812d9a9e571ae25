"""The operators' calls about the sale's stop switch."""

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import JSONBody
from litestar.types import Scope
from msgspec import UNSET

from stagedoor.http.answer import Answer, Cache, success
from stagedoor.http.call import call_of
from stagedoor.http.contract import Entry, Needs
from stagedoor.http.ops_desk import Desk, actor_of, opt_of, refusals, settled
from stagedoor.http.ops_wire import SaleCard, SwitchBody, SwitchCard
from stagedoor.http.problems import NO_SCHEDULE
from stagedoor.http.queue import SALE_WORDS
from stagedoor.kernel.ids import PerformanceId
from stagedoor.kernel.sale_state import SaleState
from stagedoor.operators.model import Role
from stagedoor.seating.switch import SaleSwitches

_STATES: Mapping[str, SaleState] = {word: state for state, word in SALE_WORDS.items()}
_STOPPED: Any = {"saleState": "OPEN", "schedules": [{"scheduleId": 1, "saleState": "HOLDS_ONLY_FINISH"}]}


@get(
    "/sale",
    opt=opt_of(
        Entry(
            tag="ops",
            summary="How much of the sale goes on",
            needs=Needs.OPERATOR,
            refusals=refusals(),
            quiet=True,
            example=_STOPPED,
        ),
        Role.VIEW,
    ),
)
async def read_sale(scope: Scope, desk: Desk) -> Answer[SaleCard]:
    """Show the switch for everything, and those of performances that do not say OPEN. The stricter of two holds."""
    del scope
    return success(_card(desk.turn_switch.switches.now()), Cache.NOBODY)


@post(
    "/sale",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Stop the sale, or open it again",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_SCHEDULE),
            example=_STOPPED,
        ),
        Role.OPERATE,
    ),
)
async def turn_switch(data: JSONBody[SwitchBody], scope: Scope, desk: Desk) -> Answer[SaleCard]:
    """
    Turn one switch: of a performance, or without `scheduleId` the one for everything.

    Every process goes by it within a second. Under HOLDS_ONLY_FINISH nobody is let in and no seat is held anew, and who
    holds seats can pay; under STOPPED nobody pays either, and holds run out as ever.
    """
    performance_id = None if data.schedule_id is UNSET else PerformanceId(data.schedule_id)
    turned = desk.turn_switch.turn(_STATES[data.sale_state], performance_id, actor=actor_of(scope))
    return success(_card(await settled(call_of(scope), turned)), Cache.NOBODY)


def _card(switches: SaleSwitches) -> SaleCard:
    return SaleCard(
        sale_state=SALE_WORDS[switches.everywhere],
        schedules=[
            SwitchCard(schedule_id=performance_id, sale_state=SALE_WORDS[state])
            for performance_id, state in sorted(switches.of_performance.items())
        ],
    )
