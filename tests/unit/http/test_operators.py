import asyncio
from collections.abc import Sequence

import pytest

from stagedoor.http import operators
from stagedoor.http.client_address import ClientAddress
from stagedoor.http.limits import TooManyRequests
from stagedoor.http.operators import BadOperatorKey, OperatorGate, RoleTooSmall
from stagedoor.http.rejections import NoSuchPath
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.errors import CallersDeadlineMissed, Fault
from stagedoor.observability.until import until
from stagedoor.operators.model import Operator, OperatorKey, Role, key_digest
from stagedoor.operators.ports import OperatorKeys
from stagedoor.resilience.deadline import current
from tests.builders.deadlines import by, hers

NOON = Instant(1_800_000_000_000)
HERE = ClientAddress("192.0.2.1")
THERE = ClientAddress("192.0.2.2")


def a_key(name: str, role: Role, *, revoked: bool = False) -> OperatorKey:
    return OperatorKey(
        name=name,
        role=role,
        digest=key_digest(f"sdk_{name}"),
        created_at=NOON,
        revoked_at=NOON if revoked else None,
    )


class StoredKeys(OperatorKeys):
    """Keys that a test can change, and a store that it can break."""

    def __init__(self, *keys: OperatorKey) -> None:
        self.keys = list(keys)
        self.broken = False
        self.says_nothing = False
        self.goes_on = asyncio.Event()
        self.reads = 0

    async def all(self) -> Sequence[OperatorKey]:
        self.reads += 1
        if self.broken:
            raise Fault("the disk is on fire")
        if self.says_nothing:
            async with until(current()):
                await self.goes_on.wait()
        return list(self.keys)


VIEWER = a_key("ann", Role.VIEW)
STEWARD = a_key("bob", Role.OPERATE)
TILL = a_key("till", Role.MONEY)


def a_gate(*keys: OperatorKey, clock: ManualClock | None = None) -> OperatorGate:
    return OperatorGate(StoredKeys(*keys), clock or ManualClock(NOON))


async def admit(
    gate: OperatorGate, authorization: str | None, needed: Role = Role.VIEW, address: ClientAddress = HERE
) -> Operator:
    return await gate.admit(authorization, address=address, needed=needed)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}", "Bearer  {} "])
async def test_a_key_says_who_is_acting(form: str) -> None:
    operator = await admit(a_gate(VIEWER, STEWARD), form.format("sdk_bob"))

    assert operator == Operator(name="bob", role=Role.OPERATE)
    assert operator.actor == "key:bob"


@pytest.mark.parametrize(
    ("secret", "allowed"),
    [
        ("sdk_ann", {Role.VIEW}),
        ("sdk_bob", {Role.VIEW, Role.OPERATE}),
        ("sdk_till", {Role.VIEW, Role.MONEY}),
    ],
)
async def test_what_each_role_may(secret: str, allowed: set[Role]) -> None:
    gate = a_gate(VIEWER, STEWARD, TILL)

    for needed in Role:
        if needed in allowed:
            await admit(gate, secret, needed)
        else:
            with pytest.raises(RoleTooSmall):
                await admit(gate, secret, needed)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "sdk_", "sdk_carl", "ann", "SDK_ANN", "sdk_ann ", "é", "x" * 10_000],
)
async def test_anything_else_is_refused(authorization: str | None) -> None:
    with pytest.raises(BadOperatorKey):
        await admit(a_gate(VIEWER), authorization)


async def test_a_digest_is_no_key() -> None:
    with pytest.raises(BadOperatorKey):
        await admit(a_gate(VIEWER), VIEWER.digest.hex())


async def test_a_revoked_key_is_refused() -> None:
    gate = a_gate(VIEWER, a_key("bob", Role.OPERATE, revoked=True))

    with pytest.raises(BadOperatorKey):
        await admit(gate, "sdk_bob")


@pytest.mark.parametrize("keys", [(), (a_key("bob", Role.OPERATE, revoked=True),)])
async def test_without_a_key_there_is_nothing(keys: tuple[OperatorKey, ...]) -> None:
    with pytest.raises(NoSuchPath):
        await admit(a_gate(*keys), "sdk_bob")
    with pytest.raises(NoSuchPath):
        await admit(a_gate(*keys), None)


async def test_changes_take_effect_within_a_second() -> None:
    clock = ManualClock(NOON)
    stored = StoredKeys()
    gate = OperatorGate(stored, clock)
    with pytest.raises(NoSuchPath):
        await admit(gate, "sdk_ann")

    stored.keys = [VIEWER]
    clock.advance(1_000)
    await admit(gate, "sdk_ann")

    stored.keys = [a_key("ann", Role.VIEW, revoked=True), STEWARD]
    clock.advance(1_000)
    with pytest.raises(BadOperatorKey):
        await admit(gate, "sdk_ann")


async def test_the_store_is_not_asked_every_time() -> None:
    stored = StoredKeys(VIEWER)
    gate = OperatorGate(stored, ManualClock(NOON))

    for _ in range(50):
        await admit(gate, "sdk_ann")

    assert stored.reads == 1


async def a_gate_that_read_a_minute_ago(stored: StoredKeys) -> OperatorGate:
    clock = ManualClock(NOON)
    gate = OperatorGate(stored, clock)
    await admit(gate, "sdk_ann")
    clock.advance(60_000)
    return gate


async def test_an_outage_locks_no_operator_out() -> None:
    stored = StoredKeys(VIEWER)
    gate = await a_gate_that_read_a_minute_ago(stored)
    stored.broken = True

    await admit(gate, "sdk_ann")
    with pytest.raises(BadOperatorKey):
        await admit(gate, "sdk_bob")


async def test_a_store_that_says_nothing_is_not_waited_for_while_keys_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operators, "READ_WAIT_S_MAX", 0.01)
    stored = StoredKeys(VIEWER)
    gate = await a_gate_that_read_a_minute_ago(stored)
    stored.says_nothing = True

    assert (await admit(gate, "sdk_ann")).name == "ann"


async def test_whoever_is_in_a_hurry_leaves_the_reading_to_the_others() -> None:
    stored = StoredKeys(VIEWER)
    stored.says_nothing = True
    gate = OperatorGate(stored, ManualClock(NOON))

    with pytest.raises(CallersDeadlineMissed):
        await by(hers(0.001), admit(gate, "sdk_ann"))
    patient = asyncio.ensure_future(admit(gate, "sdk_ann"))
    await asyncio.sleep(0)
    stored.goes_on.set()

    assert (await patient).name == "ann"
    assert stored.reads == 1


async def test_before_the_keys_were_ever_read_an_outage_is_a_fault() -> None:
    stored = StoredKeys(VIEWER)
    stored.broken = True

    with pytest.raises(Fault):
        await admit(OperatorGate(stored, ManualClock(NOON)), "sdk_ann")


async def test_an_address_that_guesses_is_not_listened_to() -> None:
    clock = ManualClock(NOON)
    gate = a_gate(VIEWER, clock=clock)
    for guess in range(10):
        with pytest.raises(BadOperatorKey):
            await admit(gate, f"sdk_{guess}")

    with pytest.raises(TooManyRequests) as refused:
        await admit(gate, "sdk_ann")

    assert refused.value.retry_after_ms == 10_000
    await admit(gate, "sdk_ann", address=THERE)
    clock.advance(9_999)
    with pytest.raises(TooManyRequests):
        await admit(gate, "sdk_ann")
    clock.advance(1)
    await admit(gate, "sdk_ann")


async def test_right_keys_and_missing_ones_are_no_guesses() -> None:
    gate = a_gate(VIEWER)

    for _ in range(50):
        await admit(gate, "sdk_ann")
        with pytest.raises(BadOperatorKey):
            await admit(gate, None)
        with pytest.raises(RoleTooSmall):
            await admit(gate, "sdk_ann", Role.OPERATE)


async def test_who_may_see_what_operators_see() -> None:
    gate = a_gate(VIEWER, TILL)

    assert await gate.may_view({"authorization": "Bearer sdk_ann"}, HERE)
    assert await gate.may_view({"authorization": "Bearer sdk_till"}, HERE)
    assert not await gate.may_view({"authorization": "Bearer sdk_else"}, HERE)
    assert not await gate.may_view({}, HERE)
    assert not await a_gate().may_view({"authorization": "Bearer sdk_ann"}, HERE)
