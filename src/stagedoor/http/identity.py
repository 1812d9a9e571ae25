"""Who is asking: taken on trust for a demo, or from the shop's own login; a queue token proves it just as well."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import jwt
import msgspec

from stagedoor.http.jwks import ASYMMETRIC, SYMMETRIC, IdentityKeys
from stagedoor.http.tokens import subject_id
from stagedoor.kernel.clock import SECOND_MS, Clock
from stagedoor.kernel.errors import Rejection
from stagedoor.kernel.ids import BuyerId
from stagedoor.waiting_room.model import SignedPlace
from stagedoor.waiting_room.rejections import ForeignIdentity

IDENTITY_HEADER = "x-identity"
LEEWAY_SECONDS_MAX = 60
IDENTITY_CHARACTERS_MAX = 8_192

_NOT_UNDERSTOOD = ("crit", "b64")
_TEXTS = ("alg", "kid", "typ")
"""What of a header has to be a string where it is there (RFC 7515 §4.1); nobody has vouched for it when it is read."""


class BadIdentity(Rejection):
    """Nothing in the request proves who is asking, or the proof is malformed, forged or expired."""


class UserIdMissing(Rejection):
    """The call needs a `userId`: here it is what says who is asking."""


class Identity(Protocol):
    """
    Says whom a request speaks for.

    *headers* finds a header by its lower-case name; *user_id* is the `userId`
    of the body or the query, None where there was none; *claims* are those of
    a genuine queue token. Raises `BadIdentity` where there is no proof,
    `ForeignIdentity` where two statements differ, and a `Fault` where the
    login's keys cannot be had.
    """

    @property
    def name(self) -> str:
        """Its name in the settings and in the `Stagedoor-Identity` header."""
        ...

    async def joining(self, headers: Mapping[str, str], user_id: BuyerId | None) -> BuyerId:
        """Return who asks for a place: somebody who has no queue token yet."""
        ...

    async def who(self, headers: Mapping[str, str], user_id: BuyerId | None, claims: SignedPlace | None) -> BuyerId:
        """Return who is asking: by the identity, or by any genuine queue token, also when its place is over."""
        ...


class DemoIdentity(Identity):
    """Believes every `userId`: for a demo on one's own machine. `joining` raises `UserIdMissing` without one."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return "demo"

    async def joining(self, headers: Mapping[str, str], user_id: BuyerId | None) -> BuyerId:  # noqa: ARG002 -- the port's form
        """Return *user_id*."""
        if user_id is None:
            raise UserIdMissing
        return user_id

    async def who(self, headers: Mapping[str, str], user_id: BuyerId | None, claims: SignedPlace | None) -> BuyerId:  # noqa: ARG002
        """Return the token's buyer, else *user_id*."""
        return _agreed(claims.buyer_id if claims else None, user_id)


class JwtIdentity(Identity):
    """
    Takes the buyer from a JWT of the shop's own login, sent as `X-Identity`.

    The token names its buyer in `sub` (a positive integer below 2^53 as a
    string) and must carry `iss`, `aud` and `exp`; `nbf` is honoured. Only the
    algorithms listed are taken, each only with a key made for it, so a public
    key can never serve as a shared secret. `none` and `crit` are refused.
    """

    def __init__(  # noqa: PLR0913 -- each is one setting
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        keys: IdentityKeys,
        clock: Clock,
        leeway_seconds: int = 0,
    ) -> None:
        """Raise `ValueError`, with a sentence for the operator, for settings that cannot be meant."""
        known = SYMMETRIC if keys.symmetric else ASYMMETRIC
        if not algorithms:
            raise ValueError("the identity's algorithms must be listed; there is no default")
        if unknown := [name for name in algorithms if name not in known]:
            raise ValueError(
                f"the identity's keys cannot be used with {', '.join(unknown)}, only with {', '.join(known)}"
            )
        if not 0 <= leeway_seconds <= LEEWAY_SECONDS_MAX:
            raise ValueError(f"the identity's leeway must be 0 to {LEEWAY_SECONDS_MAX} seconds, not {leeway_seconds}")
        if not issuer or not audience:
            raise ValueError("the identity needs an issuer and an audience")
        self._issuer = issuer
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._keys = keys
        self._clock = clock
        self._leeway_seconds = leeway_seconds

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return "jwt"

    async def joining(self, headers: Mapping[str, str], user_id: BuyerId | None) -> BuyerId:
        """Return the identity's buyer; a *user_id* must be hers."""
        return _agreed(await self._proved(headers), user_id)

    async def who(self, headers: Mapping[str, str], user_id: BuyerId | None, claims: SignedPlace | None) -> BuyerId:
        """Return the buyer of the identity or the token; a *user_id* proves nothing, but must be hers."""
        if claims is not None and IDENTITY_HEADER not in headers:
            return _agreed(claims.buyer_id, user_id)
        return _agreed(await self._proved(headers), claims.buyer_id if claims else None, user_id)

    async def _proved(self, headers: Mapping[str, str]) -> BuyerId:
        token = headers.get(IDENTITY_HEADER)
        if token is None:
            raise BadIdentity("no identity")
        if len(token) > IDENTITY_CHARACTERS_MAX:
            raise BadIdentity("too long")
        try:
            header = jwt.get_unverified_header(token)
            if not all(isinstance(header.get(name, ""), str) for name in _TEXTS):
                raise BadIdentity("a malformed header")
            algorithm: str = header.get("alg", "")
            if algorithm not in self._algorithms or any(name in header for name in _NOT_UNDERSTOOD):
                raise BadIdentity("an algorithm or a header that is not taken")
            key = await self._keys.find(header.get("kid"), algorithm)
            if key is None:
                raise BadIdentity("signed with a key that is not known")
            said = self._verified(token, key, algorithm)
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise BadIdentity(str(error)) from error
        buyer_id = subject_id(said.sub)
        if buyer_id is None:
            raise BadIdentity("the subject is nobody's id")
        self._check_time(said)
        return buyer_id

    def _verified(self, token: str, key: object, algorithm: str) -> "_Login":
        claims = jwt.decode(
            token,
            key,  # type: ignore[arg-type]  # made by the same library, for this algorithm
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            options={
                "require": ["aud", "exp", "iss", "sub"],
                "enforce_minimum_key_length": True,
                # Judged in `_check_time`, by the clock that judges everything else.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return msgspec.convert(claims, _Login)

    def _check_time(self, said: "_Login") -> None:
        """
        Refuse a login that is over or has not begun.

        The end is exclusive and the beginning inclusive; the leeway moves
        both outwards. Written so that a NaN is refused.
        """
        now = self._clock.now() / SECOND_MS
        if not now < said.exp + self._leeway_seconds:
            raise BadIdentity("expired")
        if said.nbf is not None and not now >= said.nbf - self._leeway_seconds:
            raise BadIdentity("not valid yet")


class _Login(msgspec.Struct, frozen=True):
    """What a login's claims must look like."""

    sub: str
    exp: int | float
    nbf: int | float | None = None


def _agreed(*statements: BuyerId | None) -> BuyerId:
    """Return whom the statements (the strongest first) name, all of them the same."""
    named = [statement for statement in statements if statement is not None]
    if not named:
        raise BadIdentity("no identity")
    if any(other != named[0] for other in named):
        raise ForeignIdentity
    return named[0]
