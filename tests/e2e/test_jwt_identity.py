"""With the shop's own login nobody is believed without proof, and nobody fills her own wallet."""

import time
from collections.abc import Mapping

import jwt

from tests.e2e.harness.answers import Answer
from tests.e2e.harness.checkers import unexpected
from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import OPENING_BALANCE_WON, Evenings
from tests.e2e.harness.programme import a_room, a_show

ROOM = a_room("login", a_show(seats=2))
LOGIN_SECRET = "the login's own secret, longer than 32 bytes"  # noqa: S105 -- it guards nothing
ISSUER, AUDIENCE = "https://login.example", "stagedoor"
OF_NO_ALGORITHM = "eyJhbGciOltdfQ.e30.c2ln"
"""Its header is `{"alg":[]}`."""

NOT_KNOWN = (401, "401")
NOT_HERS = (403, "403")
BUYER, OTHER = 1, 2


def proof(secret: str = LOGIN_SECRET, algorithm: str = "HS256", **claims: object) -> dict[str, str]:
    """Return the header that the shop's login would send along for BUYER, but for *claims*."""
    now = int(time.time())
    said = {"sub": str(BUYER), "iss": ISSUER, "aud": AUDIENCE, "exp": now + 60, "nbf": now, **claims}
    return {"X-Identity": jwt.encode(said, secret, algorithm=algorithm)}


async def join(client: Client, headers: Mapping[str, str], **asked: object) -> Answer:
    """Ask for a place with that proof."""
    return await client.ask("POST", "/queue/token", body={"room": ROOM.id, **asked}, headers=headers)


async def refuse_every_bad_proof(client: Client) -> None:
    """Nothing but the login's own, present and meant for us, is believed."""
    long_ago = int(time.time()) - 600
    refused = [
        await join(client, {}),
        await join(client, {}, userId=BUYER),
        await join(client, {"X-Identity": "nonsense"}),
        await join(client, {"X-Identity": OF_NO_ALGORITHM}),
        await join(client, proof(secret="another secret, but just as long as that one")),  # noqa: S106
        await join(client, proof(secret="", algorithm="none")),
        await join(client, proof(exp=long_ago)),
        await join(client, proof(nbf=long_ago + 1_200)),
        await join(client, proof(iss="https://elsewhere.example")),
        await join(client, proof(aud="another shop")),
    ]
    assert unexpected(refused, NOT_KNOWN) == []


async def believe_a_good_one(client: Client) -> None:
    """The buyer is whom the login names; a `userId` may repeat it and nothing else."""
    joined = await join(client, proof())
    repeated = await join(client, proof(), userId=BUYER)
    foreign = await join(client, proof(), userId=OTHER)
    token = joined.data["queueToken"]
    charged = await client.ask("POST", "/user/amount", body={"amount": 1_000}, token=token)
    charged_with_proof = await client.ask("POST", "/user/amount", body={"amount": 1_000}, headers=proof())
    balance = await client.ask("GET", "/user/amount", headers=proof())

    assert repeated.data["queueToken"] == token
    assert unexpected([foreign, charged, charged_with_proof], NOT_HERS) == []
    assert balance.data["amount"] == OPENING_BALANCE_WON
    assert "stagedoor-identity" not in joined.headers


async def test_proof_is_asked_for_and_believed(evenings: Evenings) -> None:
    settings = {
        "IDENTITY": "jwt",
        "IDENTITY_ISSUER": ISSUER,
        "IDENTITY_AUDIENCE": AUDIENCE,
        "IDENTITY_ALGORITHMS": "HS256",
        "IDENTITY_SECRET": LOGIN_SECRET,
    }
    with evenings(ROOM, **settings) as evening:
        async with evening.client() as client:
            await refuse_every_bad_proof(client)
            await believe_a_good_one(client)
        evening.check()
