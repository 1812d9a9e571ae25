"""What an operator may choose: read once from flags, environment and file, refused in one sentence where impossible."""

from stagedoor.settings.errors import SettingsError
from stagedoor.settings.identity import Identity
from stagedoor.settings.kinds import Allowance
from stagedoor.settings.loading import load
from stagedoor.settings.model import TABLE, Settings
from stagedoor.settings.secret_file import signing_secret
from stagedoor.settings.setting import Origin, Setting, Source

__all__ = [
    "TABLE",
    "Allowance",
    "Identity",
    "Origin",
    "Setting",
    "Settings",
    "SettingsError",
    "Source",
    "load",
    "signing_secret",
]
