"""Settings that are fine one by one and impossible together."""

from stagedoor.settings import kinds
from stagedoor.settings.errors import SettingsError
from stagedoor.settings.identity import ALGORITHMS_WITH_SECRET, Identity
from stagedoor.settings.model import TABLE, Settings
from stagedoor.settings.setting import Source

_SHOWN = {row.name: row for row in TABLE}
_JWT_NEEDS = ("identity_issuer", "identity_audience", "identity_algorithms")
_JWT_SETTINGS = (*_JWT_NEEDS, "identity_secret", "identity_jwks")


def refuse_contradictions(settings: Settings) -> None:
    """Raise `SettingsError` for the first contradiction there is."""
    _opening(settings)
    _secrets(settings)
    _keeping(settings)
    _passwords(settings)
    if settings.is_cluster:
        _cluster(settings)
    else:
        _embedded(settings)
    _kafka(settings)
    if settings.identity is Identity.DEMO:
        _demo_identity(settings)
    else:
        _jwt_identity(settings)


def _opening(settings: Settings) -> None:
    opens_at, closes_at = settings.opens_at, settings.closes_at
    if opens_at is not None and closes_at is not None and closes_at <= opens_at:
        raise SettingsError(
            f"{_named(settings, 'closes_at')} is {_shown(settings, 'closes_at')}, but it has to be later than "
            f"{_named(settings, 'opens_at')}, which is {_shown(settings, 'opens_at')}."
        )


def _secrets(settings: Settings) -> None:
    if settings.secret is not None and settings.secret == settings.secret_previous:
        raise SettingsError(
            f"{_named(settings, 'secret_previous')} is the same as {_named(settings, 'secret')}, but it has to be the "
            "one before it: remove it if nothing was changed."
        )


def _keeping(settings: Settings) -> None:
    if settings.keep_keys_hours > settings.keep_places_hours:
        # A call is repeated with the token of a place, and a forgotten place makes that nobody's.
        raise SettingsError(
            f"{_named(settings, 'keep_keys_hours')} is {_shown(settings, 'keep_keys_hours')}, but it has to be at most "
            f"{_named(settings, 'keep_places_hours')}, which is {_shown(settings, 'keep_places_hours')}."
        )


def _passwords(settings: Settings) -> None:
    for name in ("database_url", "redis_url"):
        url = getattr(settings, name)
        if url is not None and settings.origins[name].source is Source.FLAG and kinds.has_password(url):
            raise SettingsError(
                f"{_named(settings, name)} has a password in it, and command lines can be read by others: say it as "
                f"{_SHOWN[name].variable} or in a file."
            )


def _cluster(settings: Settings) -> None:
    for name, why in (
        ("redis_url", "the line of all processes is kept there"),
        ("secret", "a pass that one process has issued is honoured by all of them"),
    ):
        if getattr(settings, name) is None:
            raise SettingsError(
                f"{_named(settings, 'database_url')} is {_shown(settings, 'database_url')}, which needs "
                f"{_SHOWN[name].variable} to be set: {why}."
            )


def _embedded(settings: Settings) -> None:
    if settings.redis_url is not None:
        raise SettingsError(
            f"{_named(settings, 'redis_url')} is set, but {_SHOWN['database_url'].variable} is "
            f"{_shown(settings, 'database_url')}, a file, which one process serves from with a line of its own: "
            "name a database server, or leave it out."
        )
    if settings.workers > 1:
        raise SettingsError(
            f"{_named(settings, 'workers')} is {settings.workers}, but {_SHOWN['database_url'].variable} is "
            f"{_shown(settings, 'database_url')}, a file, which one process serves from: name a database server, or "
            "serve with one."
        )


def _kafka(settings: Settings) -> None:
    protocol = settings.kafka_security_protocol
    for name in ("kafka_user", "kafka_password"):
        if (getattr(settings, name) is not None) is not protocol.has_login:
            raise SettingsError(
                f"{_named(settings, 'kafka_security_protocol')} is {_shown(settings, 'kafka_security_protocol')}, "
                + (
                    f"which needs {_SHOWN[name].variable} to be set."
                    if protocol.has_login
                    else f"which does not use {_named(settings, name)}: remove it, or say sasl_ssl."
                )
            )
    for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
        if getattr(settings, name) is not None and not protocol.has_tls:
            raise SettingsError(
                f"{_named(settings, 'kafka_security_protocol')} is {_shown(settings, 'kafka_security_protocol')}, "
                f"which does not use {_named(settings, name)}: remove it, or say ssl or sasl_ssl."
            )
    if (settings.kafka_certificate_file is None) is not (settings.kafka_key_file is None):
        raise SettingsError(
            f"{_SHOWN['kafka_certificate_file'].variable} and {_SHOWN['kafka_key_file'].variable} belong together, but "
            "only one of them is set."
        )


def _demo_identity(settings: Settings) -> None:
    stray = [name for name in _JWT_SETTINGS if getattr(settings, name)]
    if stray and settings.origins["identity"].source is Source.DEFAULT:
        raise SettingsError(
            f"{_named(settings, stray[0])} is set, but without {_SHOWN['identity'].variable}=jwt any userId would be "
            "believed: set that, or say demo there."
        )
    if settings.is_public and not settings.allow_demo_identity_public:
        raise SettingsError(
            f'{_named(settings, "host")} is "{settings.host}", which other machines can reach, and '
            f"{_SHOWN['identity'].variable}=demo believes any userId: set it to jwt, listen on 127.0.0.1, or say "
            f"{_SHOWN['allow_demo_identity_public'].variable}=true."
        )


def _jwt_identity(settings: Settings) -> None:
    for name in _JWT_NEEDS:
        if not getattr(settings, name):
            raise SettingsError(
                f"{_named(settings, 'identity')} is jwt, which needs {_SHOWN[name].variable} to be set."
            )
    with_secret = [name for name in settings.identity_algorithms if name in ALGORITHMS_WITH_SECRET]
    if with_secret and len(with_secret) < len(settings.identity_algorithms):
        # A public key taken for a shared secret is how tokens are forged; one kind of key leaves no room for it.
        raise SettingsError(
            f"{_named(settings, 'identity_algorithms')} is {_shown(settings, 'identity_algorithms')}, but it has to be "
            "either algorithms with a secret (HS...) or algorithms with public keys."
        )
    needed, other = ("identity_secret", "identity_jwks") if with_secret else ("identity_jwks", "identity_secret")
    if getattr(settings, needed) is None:
        raise SettingsError(
            f"{_named(settings, 'identity_algorithms')} is {_shown(settings, 'identity_algorithms')}, which needs "
            f"{_SHOWN[needed].variable} to be set."
        )
    if getattr(settings, other) is not None:
        raise SettingsError(
            f"{_named(settings, other)} is set, but {_named(settings, 'identity_algorithms')} is "
            f"{_shown(settings, 'identity_algorithms')}, which does not use it: remove one of the two."
        )


def _named(settings: Settings, name: str) -> str:
    return settings.origins[name].names(name)


def _shown(settings: Settings, name: str) -> str:
    return _SHOWN[name].show(getattr(settings, name))
