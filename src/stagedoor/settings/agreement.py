"""
What all processes that serve from one database have to agree on, as it is written down there.

A secret is written as a digest under itself as the key: whoever reads it learns
nothing, and two that are the same look the same.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from stagedoor.settings.kinds import without_credentials
from stagedoor.settings.model import TABLE, Settings
from stagedoor.settings.setting import Setting

AGREED: Final = (
    "redis_url",
    "kafka_bootstrap",
    "secret",
    "identity",
    "identity_issuer",
    "identity_audience",
    "identity_algorithms",
    "identity_secret",
    "max_active",
    "admit_rate",
    "idle_timeout_seconds",
    "session_max_seconds",
    "away_after_seconds",
    "entry_window_seconds",
    "opens_at",
    "closes_at",
    "line_max",
    "polls_per_second",
    "hold_seconds",
    "seats_per_buyer",
    "closed_to_her_seconds",
    "outage_credit_max_seconds",
    "time_zone",
    "keep_places_hours",
    "keep_keys_hours",
    "keep_events_hours",
)
"""What decides about a buyer, whichever process she meets; the rest is a process's own affair."""

_ROWS: Final = {row.name: row for row in TABLE}

Terms = Mapping[str, str]
"""Each of `AGREED`, as text."""

_PURPOSE: Final = b"stagedoor: which secret is this?"
_DIGEST_LENGTH: Final = 16


def terms_of(settings: Settings) -> Terms:
    """Return what *settings* say where all have to say the same."""
    return {name: _written(_ROWS[name], getattr(settings, name)) for name in AGREED}


def differences(settings: Settings, agreed: Terms) -> Terms:
    """
    Return what of *agreed* is not what *settings* say, by the setting's name.

    Where the secret that was agreed on is the one before ours, it is being
    changed, one process after another, and nothing differs.
    """
    ours = terms_of(settings)
    found = {name: agreed[name] for name, written in ours.items() if name in agreed and agreed[name] != written}
    if settings.secret_previous is not None and found.get("secret") == _digest(settings.secret_previous):
        del found["secret"]
    return found


def _written(row: Setting, value: object) -> str:
    if value is None:
        return "not set"
    match row.name:
        case "secret" | "identity_secret":
            return _digest(str(value))
        case "kafka_bootstrap":
            # Each host may know other brokers of the same cluster.
            return "set"
        case "redis_url":
            return without_credentials(str(value))
        case _:
            return row.show(value)


def _digest(secret: str) -> str:
    return hmac.digest(secret.encode(), _PURPOSE, "sha256").hex()[:_DIGEST_LENGTH]
