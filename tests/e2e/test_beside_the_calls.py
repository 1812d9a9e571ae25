"""What machines and curious people ask: is it alive, can it serve, what does it count, how is it called."""

import re

from tests.e2e.harness.evening import Evening


async def test_alive_ready_counted_and_documented(evening: Evening) -> None:
    async with evening.client() as client:
        alive = await client.ask("GET", "//healthz")
        ready = await client.ask("GET", "//readyz")
        metrics = await client.ask("GET", "//metrics")
        page = await client.ask("GET", "//schema", headers={"Accept": "text/html"})

    assert [answer.status for answer in (alive, ready, metrics, page)] == [200] * 4
    assert alive.document["resultType"] == ready.document["resultType"] == "SUCCESS"
    assert b"\nstagedoor_" in metrics.raw


async def test_the_page_loads_nothing_from_other_hosts(evening: Evening) -> None:
    async with evening.client() as client:
        page = await client.ask("GET", "//schema", headers={"Accept": "text/html"})

    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.raw.decode())
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []


async def test_operators_have_no_door_where_no_key_is_set_up(evening: Evening) -> None:
    async with evening.client() as client:
        answers = [await client.ask("GET", "//ops/api/rooms"), await client.ask("GET", "//ops")]

    assert [answer.status for answer in answers] == [404, 404]
