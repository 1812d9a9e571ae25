"""The kinds of values, each as strict as it can be: what is not clearly meant is refused, never guessed."""

from stagedoor.settings.kinds.narrowed import optional
from stagedoor.settings.kinds.numbers import Allowance, allowance, decimal, hours, seconds, whole
from stagedoor.settings.kinds.places import SECRET_BYTES_MIN, file, folder, key_set, password, secret
from stagedoor.settings.kinds.servers import (
    SQLITE_URL,
    brokers,
    database_url,
    has_password,
    redis_url,
    without_credentials,
)
from stagedoor.settings.kinds.times import instant, time_zone
from stagedoor.settings.kinds.words import (
    IPNetwork,
    address,
    as_enum,
    choice,
    networks,
    several,
    text,
    yes_no,
)

__all__ = [
    "SECRET_BYTES_MIN",
    "SQLITE_URL",
    "Allowance",
    "IPNetwork",
    "address",
    "allowance",
    "as_enum",
    "brokers",
    "choice",
    "database_url",
    "decimal",
    "file",
    "folder",
    "has_password",
    "hours",
    "instant",
    "key_set",
    "networks",
    "optional",
    "password",
    "redis_url",
    "seconds",
    "secret",
    "several",
    "text",
    "time_zone",
    "whole",
    "without_credentials",
    "yes_no",
]
