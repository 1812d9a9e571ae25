from typing import Any

import pytest

from stagedoor.http.identity import DemoIdentity
from stagedoor.http.limits import TooManyRequests
from tests.integration.http.asking import Asking
from tests.integration.http.stage import Stage

KEY = "an operator's key"


class ShopIdentity(DemoIdentity):
    """Like the demo's, by another name."""

    @property
    def name(self) -> str:
        return "jwt"


def public(**settings: Any) -> Stage:  # noqa: ANN401 -- any of the services
    stage = Stage(public_bind=True, identity=ShopIdentity(), **settings)
    stage.operators = {KEY}
    return stage


async def test_the_process_turns(stage: Stage, client: Asking) -> None:
    stage.is_draining = True

    assert (await client.ask("GET", "//healthz")).data == {"status": "UP"}


async def test_the_bare_address_leads_to_the_page(client: Asking) -> None:
    reply = await client.ask("GET", "//")

    assert (reply.status, reply.headers["location"], reply.body) == (307, "/schema", b"")
    assert (await client.ask("POST", "//")).verdict == (405, "405")


async def test_ready_with_its_parts(client: Asking) -> None:
    reply = await client.ask("GET", "//readyz")

    assert reply.data == {"status": "READY", "parts": {"database": "ok", "line": "ok"}}
    assert reply.headers["cache-control"] == "no-store"


async def test_not_ready_says_which_part(stage: Stage, client: Asking) -> None:
    stage.parts["database"] = "the disk is full"

    reply = await client.ask("GET", "//readyz")

    assert reply.verdict == (503, "503")
    assert reply.exception["parts"] == {"database": "the disk is full", "line": "ok"}
    assert reply.headers["retry-after"] == "1"


async def test_on_the_way_out_it_is_not_ready(stage: Stage, client: Asking) -> None:
    stage.is_draining = True

    reply = await client.ask("GET", "//readyz")

    assert reply.verdict == (503, "503")
    assert reply.exception["parts"]["process"] == "draining"


async def test_metrics_on_ones_own_machine(client: Asking) -> None:
    await client.ask("GET", "/concerts")

    reply = await client.ask("GET", "//metrics")

    assert reply.status == 200
    assert b'stagedoor_http_requests_total{call="list_concerts",status="200"} 1.0' in reply.body
    assert reply.headers["content-type"].startswith("text/plain")


class TestWhereOthersReachIt:
    async def test_metrics_need_a_key(self) -> None:
        client = Asking(public().app)
        async with client.http:
            without = await client.ask("GET", "//metrics")
            wrong = await client.ask("GET", "//metrics", token="wrong")  # noqa: S106
            right = await client.ask("GET", "//metrics", token=KEY)

        assert [without.verdict, wrong.verdict] == [(401, "401")] * 2
        assert right.status == 200

    async def test_the_parts_need_one_too(self) -> None:
        stage = public()
        client = Asking(stage.app)
        async with client.http:
            without = await client.ask("GET", "//readyz")
            right = await client.ask("GET", "//readyz", token=KEY)
            stage.parts["database"] = "the disk is full"
            broken = await client.ask("GET", "//readyz")

        assert without.data == {"status": "READY"}
        assert right.data["parts"] == {"database": "ok", "line": "ok"}
        assert broken.verdict == (503, "503")
        assert "parts" not in broken.exception

    async def test_guessing_is_throttled(self) -> None:
        async def throttled(*_: object) -> bool:
            raise TooManyRequests(5_000)

        client = Asking(public(authorize_view=throttled).app)
        async with client.http:
            reply = await client.ask("GET", "//metrics", token="guess")  # noqa: S106

        assert reply.verdict == (429, "429")
        assert reply.headers["retry-after"] == "5"

    async def test_only_the_demo_says_that_it_is_one(self) -> None:
        client = Asking(public().app)
        async with client.http:
            reply = await client.ask("GET", "/concerts")

        assert "stagedoor-identity" not in reply.headers


@pytest.mark.parametrize("path", ["//schema", "//schema/"])
async def test_the_page_loads_nothing_from_elsewhere(client: Asking, path: str) -> None:
    page = await client.ask("GET", path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"http:" not in page.body
    assert b"https:" not in page.body
    assert b'"//' not in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("bundle.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("start.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_the_pages_files_come_from_here(client: Asking, name: str, media_type: str) -> None:
    page = await client.ask("GET", "//schema")

    file = await client.ask("GET", f"//schema/swagger-ui/{name}", headers={"accept-encoding": "gzip"})

    assert f"/schema/swagger-ui/{name}".encode() in page.body
    assert file.status == 200
    assert file.headers["content-type"] == media_type


async def test_no_validator_is_asked(client: Asking) -> None:
    start = await client.ask("GET", "//schema/swagger-ui/start.js")

    assert b"validatorUrl: null" in start.body
    assert b"http" not in start.body


@pytest.mark.parametrize("name", ["x.js", "swagger_bundle.js", "..%2f__init__.py", "%2e%2e"])
async def test_no_other_file_does(client: Asking, name: str) -> None:
    assert (await client.ask("GET", f"//schema/swagger-ui/{name}")).status == 404


async def test_the_document_is_json_with_a_tag(client: Asking) -> None:
    first = await client.ask("GET", "//schema/openapi.json")
    again = await client.ask("GET", "//schema/openapi.json", headers={"if-none-match": first.headers["etag"]})

    assert first.document["openapi"] == "3.1.0"
    assert again.status == 304
