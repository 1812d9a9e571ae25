"""One row of the table of settings, and where a value came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

PREFIX = "STAGEDOOR_"


class Source(Enum):
    """Where values come from; what stands first wins."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    Where one value came from.

    *where* is the flag, the variable, the file's path, or (for a default that
    depends on something) what it follows.
    """

    source: Source
    where: str = ""

    def __str__(self) -> str:
        """Say it as `doctor` shows it."""
        return self.where or self.source.value

    def names(self, setting: str) -> str:
        """Return what the operator has to look for to change *setting* there."""
        return f"{setting} in {self.where}" if self.source is Source.FILE else self.where or variable(setting)


def _written(value: object) -> str:
    """Return *value* as TOML has it, near enough to be found there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    A type of value as operators write it.

    *allowed* completes "it has to be". *read* takes text (from a flag or the
    environment) or a TOML value and raises `UnfitError`. *show* returns what
    `doctor` and the docs print; *mask* does the same for a value, read or
    not, that was refused. *metavar* stands for a value in the help. *hides*
    is for what nobody may see as it is.
    """

    allowed: str
    metavar: str
    read: Callable[[object], Any]
    show: Callable[[Any], str] = str
    mask: Callable[[object], str] = _written
    hides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    One setting: `name` in the file, `STAGEDOOR_NAME` in the environment, `--name` as a flag.

    *demo_default* takes the place of *default* in the demo profile.
    """

    name: str
    kind: Kind
    default: Any
    demo_default: Any
    meaning: str
    group: str
    has_flag: bool

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return variable(self.name)

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return flag(self.name)

    def show(self, value: object) -> str:
        """Return *value* for people to read; of a secret only that there is one."""
        return "not set" if value is None else self.kind.show(value)


def variable(name: str) -> str:
    """Return the environment variable of the setting *name*."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """Return the flag of the setting *name*."""
    return "--" + name.replace("_", "-")


def setting(  # noqa: PLR0913 -- the columns of a table
    kind: Kind,
    *,
    default: object,
    meaning: str,
    group: str,
    demo_default: object = None,
    has_flag: bool = True,
) -> Any:  # noqa: ANN401 -- a field stands where its value will
    """Declare a field of `Settings` as a setting."""
    described = {
        "kind": kind,
        "default": default,
        "demo_default": default if demo_default is None else demo_default,
        "meaning": meaning,
        "group": group,
        "has_flag": has_flag,
    }
    return field(default=default, repr=not kind.hides, metadata={"setting": described})


def described(name: str, metadata: Mapping[str, Any]) -> Setting | None:
    """Return the row that `setting` left in a field's *metadata*, None for a field that is no setting."""
    row = metadata.get("setting")
    return None if row is None else Setting(name=name, **row)
