"""Whatever the API document allows, and what it does not, is answered as it says: by status, headers and schema."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.e2e.harness.evening import Evening
from tests.hostile.conftest import FULL, JWT_SETTINGS, OPEN, Houses, operator_key
from tests.hostile.granted import go_the_whole_way, operate_everything
from tests.hostile.identities import proof_of

EXAMPLES = 8
"""For each call, and again with something wrong in each."""

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
TIMEOUT_S = 30

BUYER_ID = 1
"""The first whom a house lets in."""

ROLES = ("operate", "money")
MONEY = "/ops/api/wallets/{userId}/credit"
"""The one call for keys of another role."""

NEVER_GRANTED = {
    "demo": frozenset[str](),
    # Only the shop puts money into a wallet, by an operator's key.
    "jwt": frozenset({"POST /v1/api/user/amount"}),
}

Statuses = dict[str, Counter[int]]
"""What was answered, by operations: `METHOD /path`."""

Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]


async def token_of_somebody_inside(house: Evening, *, is_demo: bool) -> str:
    """Let somebody in and return her token."""
    async with house.client() as client:
        fan = house.fan(client, OPEN.id)
        headers = {} if is_demo else {"X-Identity": proof_of(fan.buyer_id)}
        asked = {"userId": fan.buyer_id, "room": OPEN.id}
        joined = await client.ask("POST", "/queue/token", body=asked, headers=headers)
        fan.token = joined.data["queueToken"]
        await fan.admitted()
        return fan.token


def directly() -> requests.Session:
    """Return a session that asks the server itself, whatever proxies the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session


def is_for_operators(operation: Operation) -> bool:
    return operation.path.startswith("/ops") or operation.path == "/metrics"


def try_out(operation: Operation, headers: Mapping[str, str], statuses: Counter[int]) -> None:
    """Call one operation with what the document allows and with what it does not."""
    # A name may be any text, so with nothing else to say nothing can be said wrongly.
    in_path = {parameter.name for parameter in operation.path_parameters} - {"roomId", "name"}
    can_be_wrong = operation.body or operation.query or in_path
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 2 if can_be_wrong else 1]:

        @seed(20_270_109)
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: AnyCase) -> None:
            with directly() as session:
                response = case.call(session=session, headers=dict(headers), timeout=TIMEOUT_S)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        call()


class Asking:
    """Asks the calls of a document by their names, each as whoever it is for."""

    def __init__(self, house: Evening, *, token: str, keys: Mapping[str, str]) -> None:
        url = f"http://127.0.0.1:{house.server.port}"
        with directly() as session:
            document = session.get(f"{url}/schema/openapi.json", timeout=TIMEOUT_S).json()
        self._schema = schemathesis.openapi.from_dict(document)
        self._schema.config.update(base_url=url)
        self._token = token
        self._keys = keys
        self.statuses: Statuses = defaultdict(Counter)

    def operations(self) -> list[Operation]:
        """Return all of them."""
        found = []
        for result in self._schema.get_all_operations():
            assert isinstance(result, Ok), result
            found.append(result.ok())
        return found

    def headers(self, operation: Operation, token: str | None = None) -> dict[str, str]:
        """Return what proves who asks."""
        key = self._keys.get("money" if operation.path == MONEY else "operate") if is_for_operators(operation) else None
        return {"Authorization": token or key or self._token, "X-Identity": proof_of(BUYER_ID)}

    def __call__(self, label: str, *, token: str | None = None, **parts: Any) -> Any:  # noqa: ANN401 -- JSON
        """Ask for what is granted."""
        operation = self._schema.find_operation_by_label(label)
        assert operation is not None, label
        case = operation.Case(**parts)
        with directly() as session:
            response = case.call(session=session, headers=self.headers(operation, token), timeout=TIMEOUT_S)
        self.statuses[label][response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        assert response.status_code == HTTPStatus.OK, f"{label}: {response.status_code} {response.text}"
        return response.json()["data"]


def never_granted(asking: Asking) -> set[str]:
    """Return the operations that have granted nothing."""
    return {
        operation.label
        for operation in asking.operations()
        if not any(status // 100 == 2 for status in asking.statuses[operation.label])
    }


@pytest.mark.parametrize("keyed", ["with keys", "without keys"])
@pytest.mark.parametrize("identity", ["demo", "jwt"])
def test_every_call_answers_as_the_document_says(houses: Houses, identity: str, keyed: str) -> None:
    is_demo = identity == "demo"
    with houses(**({} if is_demo else JWT_SETTINGS)) as house:
        keys = {role: operator_key(house, role) for role in ROLES} if keyed == "with keys" else {}
        token = asyncio.run(token_of_somebody_inside(house, is_demo=is_demo))
        asking = Asking(house, token=token, keys=keys)
        go_the_whole_way(asking, buyer_id=BUYER_ID, show=house.show(OPEN.id), inside=OPEN.id, elsewhere=FULL.id)
        if is_demo:
            asking("POST /v1/api/user/amount", body={"amount": 50_000})
        if keys:
            operate_everything(asking, buyer_id=BUYER_ID, room=FULL.id)
        operations = asking.operations()
        for operation in operations:
            try_out(operation, asking.headers(operation), asking.statuses[operation.label])
        house.check()

    nobodys = {operation.label for operation in operations if operation.path.startswith("/ops") and not keys}
    assert never_granted(asking) == NEVER_GRANTED[identity] | nobodys
    assert sum(asking.statuses.values(), Counter[int]())[400] > 0
