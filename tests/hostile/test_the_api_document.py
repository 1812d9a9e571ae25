"""Whatever the API document allows, and what it does not, is answered as it says: by status, headers and schema."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.e2e.harness.evening import Evening
from tests.hostile.conftest import JWT_SETTINGS, OPEN, Houses, operator_key
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


@pytest.mark.parametrize("keyed", ["with keys", "without keys"])
@pytest.mark.parametrize("identity", ["demo", "jwt"])
def test_every_call_answers_as_the_document_says(houses: Houses, identity: str, keyed: str) -> None:
    is_demo = identity == "demo"
    statuses: Counter[int] = Counter()
    with houses(**({} if is_demo else JWT_SETTINGS)) as house:
        key = operator_key(house, "money") if keyed == "with keys" else None
        token = asyncio.run(token_of_somebody_inside(house, is_demo=is_demo))
        url = f"http://127.0.0.1:{house.server.port}"
        with directly() as session:
            document = session.get(f"{url}/schema/openapi.json", timeout=TIMEOUT_S).json()
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=url)
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            is_for_operators = operation.path.startswith("/ops") or operation.path == "/metrics"
            said = key if is_for_operators and key else token
            try_out(operation, {"Authorization": said, "X-Identity": proof_of(1)}, statuses)
        house.check()

    assert statuses[200] > 0
    assert statuses[400] > 0
