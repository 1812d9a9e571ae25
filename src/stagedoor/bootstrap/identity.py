"""What tokens are signed with, and who says who a buyer is."""

import secrets
from pathlib import Path

from stagedoor.adapters.sql.installation import line_epoch
from stagedoor.adapters.sql.lanes import Lanes
from stagedoor.http.identity import DemoIdentity, Identity, JwtIdentity
from stagedoor.http.jwks import IdentityKeys, PublishedKeys, SharedSecret, keys_at_url, keys_in_file
from stagedoor.http.tokens import QueueTokens, signing_key
from stagedoor.kernel.clock import Clock
from stagedoor.settings import Identity as IdentityKind
from stagedoor.settings import Settings, signing_secret


async def tokens(settings: Settings, lanes: Lanes, clock: Clock) -> QueueTokens:
    """Return what issues and reads queue tokens, bound to the epoch of this database's line. Raises `SettingsError`."""
    stored = [signing_secret(settings), settings.secret_previous]
    epoch = await line_epoch(lanes, new_epoch=secrets.token_hex(8), now=clock.now())
    return QueueTokens([signing_key(secret.encode()) for secret in stored if secret is not None], epoch)


async def identity(settings: Settings, clock: Clock) -> Identity:
    """Return who says who a buyer is. Raises `Fault` if the login's keys cannot be read."""
    if settings.identity is IdentityKind.DEMO:
        return DemoIdentity()
    assert settings.identity_issuer is not None
    assert settings.identity_audience is not None
    return JwtIdentity(
        issuer=settings.identity_issuer,
        audience=settings.identity_audience,
        algorithms=settings.identity_algorithms,
        keys=await _identity_keys(settings, clock),
        clock=clock,
        leeway_seconds=settings.identity_leeway_seconds,
    )


async def _identity_keys(settings: Settings, clock: Clock) -> IdentityKeys:
    if settings.identity_secret is not None:
        return SharedSecret(settings.identity_secret.encode())
    assert settings.identity_jwks is not None
    source = settings.identity_jwks
    read = keys_at_url(source) if source.startswith("https://") else keys_in_file(Path(source))
    published = PublishedKeys(read, algorithms=settings.identity_algorithms, clock=clock)
    await published.refresh()
    return published
