"""The operators' calls about rooms, and who may make which: what changes, and what the audit says of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagedoor.operators.model import Role
from tests.integration.http.operated import House, an_open_house, data_of, lay_out, refusal_of

CALLS = [
    ("GET", "/ops/api/rooms", None, Role.VIEW),
    ("GET", "/ops/api/rooms/main/line", None, Role.VIEW),
    ("GET", "/ops/api/audit", None, Role.VIEW),
    ("GET", "/ops/api/sale", None, Role.VIEW),
    ("POST", "/ops/api/sale", {"saleState": "STOPPED"}, Role.OPERATE),
    ("GET", "/ops/api/breakers", None, Role.VIEW),
    ("POST", "/ops/api/breakers/saleService/force-open", None, Role.OPERATE),
    ("POST", "/ops/api/breakers/saleService/disable", None, Role.OPERATE),
    ("POST", "/ops/api/breakers/saleService/reset", None, Role.OPERATE),
    ("POST", "/ops/api/breakers/saleService/close", None, Role.OPERATE),
    ("PATCH", "/ops/api/rooms/main", {"policy": {"maxActive": 5}}, Role.OPERATE),
    ("POST", "/ops/api/rooms/main/open", None, Role.OPERATE),
    ("POST", "/ops/api/rooms/main/pause", None, Role.OPERATE),
    ("POST", "/ops/api/rooms/main/close", None, Role.OPERATE),
    ("POST", "/ops/api/places/revoke", {"room": "main", "number": 1}, Role.OPERATE),
    ("POST", "/ops/api/members", {"from": 1, "count": 3}, Role.OPERATE),
    ("POST", "/ops/api/wallets/42/credit", {"amount": 500}, Role.MONEY),
]


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("ops"))


@pytest.fixture
async def house(laid_out: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with an_open_house(laid_out, tmp_path) as opened:
        yield opened


class TestWhoMay:
    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sdk_guess"}])
    async def test_without_any_key_there_is_nothing(self, house: House, headers: dict[str, str]) -> None:
        for method, path, body, _ in CALLS:
            answer = await house.client.request(method, path, json=body, headers=headers)
            elsewhere = await house.client.request(method, "/ops/api/nothing", json=body, headers=headers)

            assert refusal_of(answer) == refusal_of(elsewhere) == (404, "404")
            assert answer.json() == elsewhere.json()

    @pytest.mark.parametrize("role", list(Role))
    async def test_each_call_is_for_its_role(self, house: House, role: Role) -> None:
        headers = {**await house.key(role), "idempotency-key": "one"}
        assert (await house.join(42)).ref.number == 1

        for method, path, body, needed in CALLS:
            answer = await house.client.request(method, path, json=body, headers=headers)

            assert answer.status_code == (200 if role.includes(needed) else 403), path
            assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sdk_guess"}])
    async def test_who_has_no_key_learns_nothing(self, house: House, headers: dict[str, str]) -> None:
        await house.key(Role.VIEW)

        for method, path, _, _ in CALLS:
            answer = await house.client.request(method, path, content=b"{not json", headers=headers)
            house.clock.advance(10_000)

            assert refusal_of(answer) == (401, "401")
            assert answer.headers["www-authenticate"] == "Bearer"

    async def test_asking_for_the_head_needs_a_key_too(self, house: House) -> None:
        key = await house.key(Role.VIEW)

        assert (await house.client.head("/ops/api/rooms")).status_code == 401
        assert (await house.client.head("/ops/api/rooms", headers=key)).status_code == 200

    async def test_guessing_is_throttled(self, house: House) -> None:
        right = await house.key(Role.VIEW)
        guesses = [
            await house.client.get("/ops/api/rooms", headers={"authorization": f"Bearer sdk_{guess}"})
            for guess in range(12)
        ]

        assert [guess.status_code for guess in guesses] == [401] * 10 + [429] * 2
        assert int(guesses[-1].headers["retry-after"]) == 10
        assert refusal_of(await house.client.get("/ops/api/rooms", headers=right)) == (429, "429")

    async def test_a_revoked_key_is_refused_within_a_second(self, house: House) -> None:
        key = await house.key(Role.VIEW)
        await house.key(Role.OPERATE)
        data_of(await house.client.get("/ops/api/rooms", headers=key))

        await house.keys.revoke_key("a-view", actor="cli:root")
        house.clock.advance(1_000)

        assert refusal_of(await house.client.get("/ops/api/rooms", headers=key)) == (401, "401")

    async def test_metrics_are_for_operators_where_others_can_reach_us(self, house: House) -> None:
        assert (await house.client.get("/metrics")).status_code == 401
        assert (await house.client.get("/metrics", headers=await house.key(Role.VIEW))).status_code == 200
        assert "parts" not in data_of(await house.client.get("/readyz"))

    async def test_no_key_is_ever_told(self, house: House) -> None:
        key = await house.key(Role.VIEW)
        secret = key["authorization"].removeprefix("Bearer ")

        for path in ("/ops/api/rooms", "/ops/api/audit", "/metrics"):
            assert secret not in (await house.client.get(path, headers=key)).text


class TestRooms:
    async def test_a_room_with_its_policy(self, house: House) -> None:
        [room] = data_of(await house.client.get("/ops/api/rooms", headers=await house.key(Role.VIEW)))

        assert room == {
            "room": "main",
            "name": "Main",
            "roomState": "OPEN",
            "storedState": "OPEN",
            "opensAt": None,
            "closesAt": None,
            "policy": {
                "maxActive": 30,
                "rate": None,
                "idleTimeoutSeconds": 30.0,
                "sessionMaxSeconds": 600.0,
                "awayAfterSeconds": 180.0,
                "entryWindowSeconds": 30.0,
                "lineMax": 2_000_000,
                "pollsPerSecond": 5_000,
            },
            "version": 1,
        }

    async def test_a_change_of_policy_and_times(self, house: House) -> None:
        key = await house.key(Role.OPERATE)
        sent = {
            "policy": {"maxActive": 200, "rate": 12.5, "idleTimeoutSeconds": 0.5, "lineMax": 10},
            "opensAt": "2100-01-09T20:00:00+09:00",
            "closesAt": "2100-01-09T23:00:00.250+09:00",
        }

        room = data_of(await house.client.patch("/ops/api/rooms/main", json=sent, headers=key))

        assert room["policy"]["maxActive"] == 200
        assert room["policy"]["rate"] == 12.5
        assert room["policy"]["idleTimeoutSeconds"] == 0.5
        assert room["policy"]["sessionMaxSeconds"] == 600.0
        assert (room["opensAt"], room["closesAt"]) == ("2100-01-09T11:00:00.000Z", "2100-01-09T14:00:00.250Z")
        assert (room["roomState"], room["storedState"], room["version"]) == ("UPCOMING", "OPEN", 2)
        [(actor, subject, detail)] = await house.audit("room.set")
        assert (actor, subject, detail["version"]) == ("key:a-operate", "room:main", 2)
        assert detail["changed"]["idle_timeout_ms"] == {"from": None, "to": 500}

    async def test_null_takes_it_back(self, house: House) -> None:
        key = await house.key(Role.OPERATE)
        before = {"policy": {"maxActive": 200}, "opensAt": "2100-01-09T20:00:00Z"}
        await house.client.patch("/ops/api/rooms/main", json=before, headers=key)

        after = {"policy": {"maxActive": None}, "opensAt": None}
        room = data_of(await house.client.patch("/ops/api/rooms/main", json=after, headers=key))

        assert (room["policy"]["maxActive"], room["opensAt"], room["roomState"]) == (30, None, "OPEN")

    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({}, "body"),
            ({"policy": {}}, "body"),
            ({"maxActive": 5}, "body"),
            ({"policy": {"maxActve": 5}}, "policy"),
            ({"policy": {"maxActive": -1}}, "policy.maxActive"),
            ({"policy": {"maxActive": 1.5}}, "policy.maxActive"),
            ({"policy": {"maxActive": True}}, "policy.maxActive"),
            ({"policy": {"maxActive": "5"}}, "policy.maxActive"),
            ({"policy": {"maxActive": 1_000_001}}, "policy.maxActive"),
            ({"policy": {"rate": 0}}, "policy.rate"),
            ({"policy": {"rate": 1e7}}, "policy.rate"),
            ({"policy": {"idleTimeoutSeconds": 0}}, "policy.idleTimeoutSeconds"),
            ({"policy": {"awayAfterSeconds": 86_401}}, "policy.awayAfterSeconds"),
            ({"policy": 5}, "policy"),
            ({"opensAt": "tomorrow"}, "opensAt"),
            ({"opensAt": "2100-01-09T20:00:00"}, "opensAt"),
            ({"opensAt": 1_800_000_000}, "opensAt"),
            ({"opensAt": "1960-01-01T00:00:00Z"}, "opensAt"),
            ({"opensAt": "2100-01-09T20:00:00Z", "closesAt": "2100-01-09T20:00:00Z"}, "closesAt"),
            ([], "body"),
            ({"policy": {"rate": 1e400}}, "body"),
        ],
    )
    async def test_an_impossible_change_names_the_field(self, house: House, sent: object, field: str) -> None:
        key = await house.key(Role.OPERATE)
        # By hand: the client's own writer refuses infinity.
        content = str(sent).replace("'", '"').replace("True", "true").replace("inf", "1e400")

        answer = await house.client.patch("/ops/api/rooms/main", content=content, headers=key)

        assert refusal_of(answer) == (400, "400")
        assert answer.json()["exception"]["details"][0]["field"] == field
        assert await house.audit("room.set") == []

    async def test_open_pause_close(self, house: House) -> None:
        key = await house.key(Role.OPERATE)
        states = [
            data_of(await house.client.post(f"/ops/api/rooms/main/{action}", headers=key))["roomState"]
            for action in ("pause", "open", "close")
        ]

        assert states == ["PAUSED", "OPEN", "CLOSED"]
        assert refusal_of(await house.client.post("/ops/api/rooms/main/pause", headers=key)) == (409, "008")
        assert [len(await house.audit(f"room.{action}")) for action in ("pause", "open", "close")] == [1, 1, 1]

    async def test_another_room_is_none(self, house: House) -> None:
        key = await house.key(Role.OPERATE)
        change = {"policy": {"maxActive": 5}}

        for answer in (
            await house.client.patch("/ops/api/rooms/vip", json=change, headers=key),
            await house.client.post("/ops/api/rooms/vip/open", headers=key),
            await house.client.get("/ops/api/rooms/vip/line", headers=key),
            await house.client.post(f"/ops/api/rooms/{'x' * 300}/close", headers=key),
        ):
            assert refusal_of(answer) == (404, "404")

    async def test_a_line(self, house: House) -> None:
        for buyer in (42, 43):
            await house.join(buyer)

        line = data_of(await house.client.get("/ops/api/rooms/main/line", headers=await house.key(Role.VIEW)))

        assert (line["servingNumber"], line["lastNumber"], line["waiting"], line["active"]) == (0, 2, 2, 0)
        assert (line["free"], line["held"], line["soldOut"]) == (9, 1, False)

    async def test_another_method_is_refused_in_the_envelope(self, house: House) -> None:
        answer = await house.client.delete("/ops/api/rooms", headers=await house.key(Role.VIEW))

        assert refusal_of(answer) == (405, "405")


class TestAudit:
    async def test_the_newest_first_and_page_by_page(self, house: House) -> None:
        key = await house.key(Role.OPERATE)
        for action in ("pause", "open"):
            await house.client.post(f"/ops/api/rooms/main/{action}", headers=key)

        newest = data_of(await house.client.get("/ops/api/audit?limit=2", headers=key))
        older = data_of(await house.client.get(f"/ops/api/audit?before={newest[-1]['id']}", headers=key))

        assert [entry["action"] for entry in newest] == ["room.open", "room.pause"]
        assert [entry["action"] for entry in older] == ["key.create"]
        assert newest[0]["actor"] == "key:a-operate"
        assert newest[0]["at"] == "2027-01-15T08:00:01.000Z"
        assert older[0]["detail"] == {"role": "operate"}

    @pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "before=0", "before=x", "limit=1&limit=2"])
    async def test_a_page_that_is_none(self, house: House, query: str) -> None:
        answer = await house.client.get(f"/ops/api/audit?{query}", headers=await house.key(Role.VIEW))

        assert refusal_of(answer) == (400, "400")


async def test_the_document_knows_every_call(house: House) -> None:
    document = (await house.client.get("/schema/openapi.json")).json()

    for method, path, _, _ in CALLS:
        wire_path = path.replace("/rooms/main", "/rooms/{roomId}").replace("/wallets/42", "/wallets/{userId}")
        wire_path = wire_path.replace("/breakers/saleService", "/breakers/{name}")
        operation = document["paths"][wire_path][method.lower()]
        assert {"200", "400", "401", "403", "404", "429", "500", "503"} <= set(operation["responses"])
        assert operation["tags"] == ["ops"]
    credit = document["paths"]["/ops/api/wallets/{userId}/credit"]["post"]["parameters"]
    assert {(field["name"], field["required"]) for field in credit if "name" in field} == {
        ("userId", True),
        ("Idempotency-Key", True),
    }
