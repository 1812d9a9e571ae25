"""What the shop's own login says, and what somebody else would like it to have said."""

import time

import jwt

from tests.hostile.conftest import AUDIENCE, ISSUER, LOGIN_SECRET


def proof_of(buyer_id: int, *, secret: str = LOGIN_SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """Return an identity token of *buyer_id*, but for *claims*."""
    now = int(time.time())
    said = {"sub": str(buyer_id), "iss": ISSUER, "aud": AUDIENCE, "exp": now + 3_600, "nbf": now - 5, **claims}
    return jwt.encode(said, secret, algorithm=algorithm)
