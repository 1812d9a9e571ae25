# ruff: noqa: RUF009 -- `setting` is a field specifier: it returns a dataclass field, which nobody shares
"""The settings of tokens and of who says who a buyer is: a part of the table in `model`."""

from dataclasses import dataclass
from enum import StrEnum

from stagedoor.settings import kinds
from stagedoor.settings.setting import setting

IDENTITY = "Tokens and identity"

ALGORITHMS_WITH_SECRET = ("HS256", "HS384", "HS512")
ALGORITHMS_WITH_KEY_SET = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class Identity(StrEnum):
    """Who says who a buyer is."""

    DEMO = "demo"
    JWT = "jwt"


# No slots here and in the other parts: Python makes no class of two that have them.
@dataclass(frozen=True, kw_only=True)
class IdentitySettings:
    """What tokens are signed with, and how the shop's own login is known."""

    secret: str | None = setting(
        kinds.secret(),
        default=None,
        meaning="What tokens are signed with. Unless set, one is generated once and kept in the file DATA_DIR/secret.",
        group=IDENTITY,
        has_flag=False,
    )
    secret_previous: str | None = setting(
        kinds.optional(kinds.secret()),
        default=None,
        meaning="The secret before this one: its tokens stay valid while SECRET is being changed.",
        group=IDENTITY,
        has_flag=False,
    )
    identity: Identity = setting(
        kinds.as_enum(Identity),
        default=Identity.DEMO,
        meaning="demo believes any userId; jwt takes the buyer from an X-Identity token of the shop's own login.",
        group=IDENTITY,
    )
    allow_demo_identity_public: bool = setting(
        kinds.yes_no(),
        default=False,
        meaning="Lets a server that believes any userId listen on an address that other machines can reach.",
        group=IDENTITY,
    )
    identity_issuer: str | None = setting(
        kinds.optional(kinds.text("the `iss` of the shop's tokens")),
        default=None,
        meaning="The `iss` that an identity token must have. Needed with IDENTITY=jwt.",
        group=IDENTITY,
    )
    identity_audience: str | None = setting(
        kinds.optional(kinds.text("the `aud` of the shop's tokens")),
        default=None,
        meaning="The `aud` that an identity token must have. Needed with IDENTITY=jwt.",
        group=IDENTITY,
    )
    identity_algorithms: tuple[str, ...] = setting(
        kinds.several(*ALGORITHMS_WITH_SECRET, *ALGORITHMS_WITH_KEY_SET),
        default=(),
        meaning="The algorithms that an identity token may be signed with. Needed with IDENTITY=jwt.",
        group=IDENTITY,
    )
    identity_secret: str | None = setting(
        kinds.optional(kinds.secret()),
        default=None,
        meaning="The secret that identity tokens are signed with (HS256, HS384, HS512).",
        group=IDENTITY,
        has_flag=False,
    )
    identity_jwks: str | None = setting(
        kinds.optional(kinds.key_set()),
        default=None,
        meaning="Where the public keys of identity tokens are, a JWK set: a file or an https address (all other "
        "algorithms).",
        group=IDENTITY,
    )
    identity_leeway_seconds: int = setting(
        kinds.whole(0, 60, "a whole number of seconds"),
        default=0,
        meaning="How far the clocks of the shop's login and of this server may differ.",
        group=IDENTITY,
    )

    @property
    def fans_may_charge(self) -> bool:
        """Whether buyers credit their own wallets: only where identity is not taken seriously anyway."""
        return self.identity is Identity.DEMO
