"""The operators' calls about people: places, wallets, members; and the audit of what operators did."""

from collections.abc import Mapping, Sequence

from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import Scope
from msgspec import UNSET

from stagedoor.checkout.outcomes import WalletReceipt
from stagedoor.http.answer import Answer, Cache, success
from stagedoor.http.call import call_of
from stagedoor.http.contract import Entry, Field, Needs
from stagedoor.http.keys import key_of
from stagedoor.http.operators import NoSuchPlace
from stagedoor.http.ops_desk import Desk, actor_of, opt_of, refusals, settled
from stagedoor.http.ops_wire import AuditCard, CreditBody, EndedWord, MembersBody, MembersCard, RevokeBody, RevokedPlace
from stagedoor.http.problems import BALANCE_LARGE, NO_BUYER, NO_PLACE
from stagedoor.http.reading import Query, parse_id
from stagedoor.http.rejections import Unreadable
from stagedoor.http.times import rfc3339
from stagedoor.http.wire import Balance, Id
from stagedoor.kernel.ids import WIRE_ID_MAX, BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.kernel.money import Won
from stagedoor.operators.model import AUDIT_PAGE_MAX, AuditRecord, Role
from stagedoor.waiting_room.model import PlaceState
from stagedoor.waiting_room.rejections import UnknownPlace

AUDIT_PAGE = 100

_ENDED: Mapping[PlaceState, EndedWord] = {
    PlaceState.REVOKED: "REVOKED",
    PlaceState.DONE: "DONE",
    PlaceState.EXPIRED: "EXPIRED",
}


@post(
    "/places/revoke",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Take a place away",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_PLACE),
            example={"room": "main", "number": 7, "userId": 42, "status": "REVOKED"},
        ),
        Role.OPERATE,
    ),
)
async def revoke_place(data: JSONBody[RevokeBody], scope: Scope, desk: Desk) -> Answer[RevokedPlace]:
    """End the place and let go what is held under it: its token is refused from now on. A payment under way wins."""
    call = call_of(scope)
    ref = PlaceRef(room_id=RoomId(data.room), number=QueueNumber(data.number))
    try:
        ended = await settled(call, desk.revoke_place.revoke(ref=ref, actor=actor_of(scope)))
    except UnknownPlace as error:
        raise NoSuchPlace from error
    place = ended.place
    revoked = RevokedPlace(
        room=place.ref.room_id, number=place.ref.number, user_id=place.buyer_id, status=_ENDED[place.state]
    )
    return success(revoked, Cache.NOBODY)


@post(
    "/wallets/{user_id:str}/credit",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Credit a wallet",
            needs=Needs.OPERATOR,
            refusals=refusals(NO_BUYER, BALANCE_LARGE),
            path=(Field(name="userId", kind=Id, description="Whose wallet."),),
            repeatable=True,
            key_required=True,
            example={"amount": 150_000},
        ),
        Role.MONEY,
    ),
)
async def credit_wallet(user_id: FromPath[str], data: JSONBody[CreditBody], scope: Scope) -> Answer[Balance]:
    """Put money into a buyer's wallet, once for each `Idempotency-Key`, which is required here."""
    call = call_of(scope)
    services = call.services
    buyer_id = BuyerId(parse_id("userId", user_id))
    key = key_of(call, data.amount)
    if key is None:
        raise Unreadable("Idempotency-Key", "missing")
    outcome = await services.under_way.settle(
        lambda: services.charge.charge(
            buyer_id=buyer_id, amount_won=Won(data.amount), by_shop=actor_of(scope), key=key
        ),
        buyer_id=buyer_id,
        call=call.name,
        key=key,
    )
    assert isinstance(outcome.receipt, WalletReceipt)
    return success(Balance(amount=outcome.receipt.balance_won), Cache.NOBODY, replayed=outcome.replayed)


@post(
    "/members",
    status_code=200,
    opt=opt_of(
        Entry(
            tag="ops",
            summary="Add members",
            needs=Needs.OPERATOR,
            refusals=refusals(),
            example={"added": 1_000, "known": 0},
        ),
        Role.OPERATE,
    ),
)
async def add_members(data: JSONBody[MembersBody], scope: Scope, desk: Desk) -> Answer[MembersCard]:
    """Make buyers members, each with an empty wallet. Members stay as they are, so that repeating it is harmless."""
    call = call_of(scope)
    done = await settled(call, desk.member_desk.add(_named(data), actor=actor_of(scope)))
    return success(MembersCard(added=done.added, known=done.known), Cache.NOBODY)


@get(
    "/audit",
    opt=opt_of(
        Entry(
            tag="ops",
            summary="What operators did",
            needs=Needs.OPERATOR,
            refusals=refusals(),
            query=(
                Field(name="limit", kind=Id, description=f"Default {AUDIT_PAGE}, at most {AUDIT_PAGE_MAX}."),
                Field(name="before", kind=Id, description="Only entries older than the one with this id."),
            ),
            example=[
                {
                    "id": 12,
                    "at": "2027-01-09T11:00:00.000Z",
                    "actor": "key:ann",
                    "action": "room.pause",
                    "subject": "room:main",
                    "detail": {"version": 4, "changed": {"state": {"from": "OPEN", "to": "PAUSED"}}},
                }
            ],
        ),
        Role.VIEW,
    ),
)
async def read_audit(scope: Scope, desk: Desk) -> Answer[list[AuditCard]]:
    """List the newest entries first; nobody can change or remove one."""
    query = Query(call_of(scope))
    limit = query.limit(default=AUDIT_PAGE, most=AUDIT_PAGE_MAX)
    before_id = query.optional_id("before")
    records = await desk.audit.newest(limit=limit, before_id=before_id)
    return success([_audit_card(record) for record in records], Cache.NOBODY)


def _named(sent: MembersBody) -> Sequence[BuyerId]:
    if sent.ids is not UNSET:
        if sent.first is not UNSET or sent.count is not UNSET:
            raise Unreadable("ids", "given_twice", expected="either ids, or from and count")
        return [BuyerId(number) for number in sent.ids]
    if sent.first is UNSET or sent.count is UNSET:
        raise Unreadable("from" if sent.first is UNSET else "count", "missing")
    if sent.first + sent.count - 1 > WIRE_ID_MAX:
        raise Unreadable("count", "out_of_range")
    return [BuyerId(number) for number in range(sent.first, sent.first + sent.count)]


def _audit_card(record: AuditRecord) -> AuditCard:
    entry = record.entry
    return AuditCard(
        id=record.id,
        at=rfc3339(entry.at),
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=dict(entry.detail),
    )
