"""A purchase at log level debug, with an outage and a bug in it: nothing of use to a thief is told anywhere."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from stagedoor.http.tokens import QUEUE_TOKENS, derive_key
from tests.e2e.harness.answers import Answer
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.server import SECRET, Server
from tests.e2e.harness.until import until
from tests.hostile.conftest import JWT_SETTINGS, LOGIN_SECRET, OPEN, Houses, operator_key
from tests.hostile.identities import proof_of

COOKIE = "session=the-shops-own-session-cookie-0123456789"
KEYS = ("key-of-the-reservation-1f0c", "key-of-the-payment-9a7b", "key-of-the-credit-55e2", "kurz")
TELLTALE = Path(__file__).with_name("mutants") / "token_logged.py"
BUGGY = Path(__file__).parents[1] / "e2e" / "mutants" / "defective.py"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Keep everybody else from writing, as a forgotten session of somebody's database tool does."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def buy_in_an_outage(house: Evening, client: Client, operator: str) -> Sequence[str]:
    """Go the whole way, be refused in an outage, come back; return every secret that was sent or received."""
    buyer_id = 77
    proof = proof_of(buyer_id)
    headers: Mapping[str, str] = {"X-Identity": proof, "Cookie": COOKIE}
    joined = await client.ask("POST", "/queue/token", body={"room": OPEN.id}, headers=headers, key=KEYS[3])
    token = joined.data["queueToken"]

    async def ask(method: str, path: str, body: object = None, key: str | None = None) -> Answer:
        return await client.ask(method, path, body=body, token=f"Bearer {token}", key=key, headers={"Cookie": COOKIE})

    credit = await client.ask(
        "POST", f"//ops/api/wallets/{buyer_id}/credit", body={"amount": 5_000}, token=operator, key=KEYS[2]
    )
    assert credit.ok, str(credit)

    async def check() -> Answer:
        return await ask("POST", "/queue/token/check")

    await until(check, lambda answer: answer.data["status"] == "PROGRESS")
    show = house.show(OPEN.id)
    wanted = {"scheduleId": show.schedule_id, "seatId": show.seat_ids[0]}
    with locked(house.database):
        outage = await ask("POST", "/concerts/reserve", wanted, KEYS[0])
    assert outage.status == 503, str(outage)
    held = await ask("POST", "/concerts/reserve", wanted, KEYS[0])
    paid = await ask("POST", "/concerts/payment", {"reservationId": held.data["reservationId"]}, KEYS[1])
    assert paid.ok, str(paid)
    return [token, proof]


async def be_refused_in_every_way(client: Client, token: str, proof: str, operator: str) -> None:
    """Show each secret where it is wrong, damaged, or of no use."""
    for said in (token[:-1], token + "x", f"Bearer {proof}", operator, operator + "x", SECRET):
        for method, path in (("POST", "/queue/token/check"), ("GET", "/user/orders"), ("GET", "//ops/api/rooms")):
            await client.ask(
                method, path, token=said, headers={"Cookie": COOKIE, "X-Identity": proof[:-1]}, key=KEYS[0]
            )
        await client.ask("POST", "/queue/token", body={"room": said, "userId": said}, headers={"X-Identity": said})
        await client.ask("POST", "/queue/token", raw=f'{{"{said}": 1}}'.encode(), headers={"X-Identity": proof})
        await client.ask("GET", f"/concerts/seat?scheduleId={said.replace(' ', '+')}", token=token)
        await client.ask("GET", f"//{said.replace(' ', '+')}", token=token)


def pieces_of(secrets: Sequence[str]) -> set[str]:
    """Return the secrets and those of their pieces that would give them away."""
    derived = derive_key(SECRET.encode(), QUEUE_TOKENS)
    pieces = {SECRET, LOGIN_SECRET, COOKIE, COOKIE.partition("=")[2], derived.hex(), repr(derived)[2:20], *KEYS}
    for secret in secrets:
        pieces |= {secret, *(piece for piece in secret.split(".") if len(piece) > 20)}
    return pieces


def given_away(secrets: Sequence[str], everything: str) -> list[str]:
    """Return what of the secrets stands in *everything* that was told."""
    return [piece for piece in pieces_of(secrets) if piece in everything]


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_no_secret_is_told(houses: Houses, log_format: str) -> None:
    settings = {**JWT_SETTINGS, "LOG_LEVEL": "debug", "LOG_FORMAT": log_format}
    with houses(**settings) as house:
        operator = operator_key(house, "money")
        async with house.client() as client:
            token, proof = await buy_in_an_outage(house, client, operator)
            await be_refused_in_every_way(client, token, proof, operator)
            metrics = await client.ask("GET", "//metrics")
            record = list(client.record)
        house.check()
        assert house.server.stop() == 0
        told = house.server.log.read_text() + "\n".join(house.server.said)

    refusals = [answer for answer in record if not answer.ok]
    everything = told + metrics.raw.decode() + "".join(f"{answer.raw!r}{answer.headers}" for answer in refusals)
    # It was a debug log of all this, and the outage is in it.
    assert told.count("http.request") >= len(record)
    assert "check_token" in told
    assert "503" in told
    assert {answer.status for answer in refusals} >= {400, 401, 404, 503}
    assert given_away([token, proof, operator], everything) == []


async def test_neither_is_a_bug_of_ours(houses: Houses) -> None:
    with houses(LOG_LEVEL="debug") as house:
        house.server.stop()
        house.server = Server.start(house.database, {"LOG_LEVEL": "debug"}, program=(str(BUGGY),))
        async with house.client() as client:
            fan = house.fan(client, OPEN.id)
            await fan.join()
            answer = await client.ask("GET", "/user/amount", token=fan.token, headers={"Cookie": COOKIE})
        # The log is written when the answer is on its way.
        assert house.server.stop() == 0
        log = house.server.log.read_text()

    assert answer.status == 500
    assert "ZeroDivisionError" in log
    assert given_away([fan.token], log + answer.raw.decode()) == []


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_control_a_server_that_logs_a_token_is_found_out(houses: Houses, log_format: str) -> None:
    settings = {"LOG_LEVEL": "debug", "LOG_FORMAT": log_format}
    with houses(**settings) as house:
        house.server.stop()
        house.server = Server.start(house.database, settings, program=(str(TELLTALE),))
        async with house.client() as client:
            fan = house.fan(client, OPEN.id)
            await fan.enter()
        assert house.server.stop() == 0
        log = house.server.log.read_text()

    assert fan.token in given_away([fan.token], log)
