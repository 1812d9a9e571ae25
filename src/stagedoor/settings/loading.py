"""From flags, environment and file to one frozen `Settings`, or one sentence that says what is wrong."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagedoor.settings.errors import SettingsError, UnfitError
from stagedoor.settings.kinds import SQLITE_URL
from stagedoor.settings.model import TABLE, Settings
from stagedoor.settings.rules import refuse_contradictions
from stagedoor.settings.setting import PREFIX, Origin, Setting, Source, flag, variable

CONFIG = "config"
CONFIG_FILE = "stagedoor.toml"
DATABASE_FILE = "stagedoor.db"

_BY_NAME: Mapping[str, Setting] = {row.name: row for row in TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A value as it was found, not yet read."""

    raw: object
    origin: Origin


def load(*, flags: Mapping[str, str], environ: Mapping[str, str], demo: bool = False) -> Settings:
    """
    Read every setting: a flag wins over the environment, that over the file, that over the default.

    *flags* are by setting name; `config` among them names the file, as does
    STAGEDOOR_CONFIG; otherwise stagedoor.toml is read where there is one.
    Relative paths are relative to the working folder. *demo* chooses the
    defaults of the demo profile. Raises `SettingsError`.
    """
    given = {
        **dict(_from_file(flags, environ)),
        **dict(_from_environment(environ)),
        **{
            name: _Given(raw=raw, origin=Origin(source=Source.FLAG, where=flag(name)))
            for name, raw in flags.items()
            if name != CONFIG
        },
    }
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for row in TABLE:
        if (found := given.get(row.name)) is not None:
            values[row.name], origins[row.name] = _read(row, found), found.origin
        else:
            values[row.name], origins[row.name] = _default(row, demo=demo)
    _place_data(values, origins)
    settings = Settings(**values, origins=origins)
    refuse_contradictions(settings)
    return settings


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    known = [variable(CONFIG), *(row.variable for row in TABLE)]
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == variable(CONFIG):
            continue
        if name not in known:
            raise SettingsError(f"There is no setting {name}{_did_you_mean(name, known, shared=PREFIX)}")
        where = Origin(source=Source.ENVIRONMENT, where=name)
        yield name.removeprefix(PREFIX).lower(), _Given(raw=environ[name], origin=where)


def _from_file(flags: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    said_by = flag(CONFIG) if CONFIG in flags else variable(CONFIG)
    named = flags.get(CONFIG, environ.get(variable(CONFIG)))
    if named == "":
        raise SettingsError(f"{said_by} is empty, but it has to be the path of a file.")
    path = Path(CONFIG_FILE if named is None else named)
    if named is None and not path.exists():
        return
    for name, raw in _toml(path, said_by=said_by).items():
        if name not in _BY_NAME:
            lowered = name.lower().removeprefix(PREFIX.lower()).replace("-", "_")
            raise SettingsError(f'{path} has "{name}", but there is no such setting{_did_you_mean(lowered, _BY_NAME)}')
        yield name, _Given(raw=raw, origin=Origin(source=Source.FILE, where=str(path)))


def _toml(path: Path, *, said_by: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{said_by} names the file {path}, which is not there.") from error
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {path} is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}.") from error


def _did_you_mean(name: str, known: Iterable[str], *, shared: str = "") -> str:
    """Return how the sentence about *name* ends. What all names begin with is *shared* and likens none to another."""
    near = difflib.get_close_matches(name.removeprefix(shared), [each.removeprefix(shared) for each in known], n=1)
    return f"; did you mean {shared}{near[0]}?" if near else "."


def _read(row: Setting, given: _Given) -> object:
    try:
        return row.kind.read(given.raw)
    except UnfitError as unfit:
        is_what = "empty" if given.raw == "" else row.kind.mask(given.raw)
        named = given.origin.names(row.name)
        raise SettingsError(f"{named} is {is_what}, but it has to be {unfit.reason or row.kind.allowed}.") from unfit


def _default(row: Setting, *, demo: bool) -> tuple[Any, Origin]:
    if demo and row.demo_default != row.default:
        return row.demo_default, Origin(source=Source.DEFAULT, where="default of the demo")
    return row.default, Origin(source=Source.DEFAULT)


def _place_data(values: dict[str, Any], origins: dict[str, Origin]) -> None:
    """Let the database follow its folder, or the folder the database, where only one of them is set."""
    database_is_set = origins["database_url"].source is not Source.DEFAULT
    folder_is_set = origins["data_dir"].source is not Source.DEFAULT
    if not database_is_set:
        values["database_url"] = f"{SQLITE_URL}{values['data_dir'] / DATABASE_FILE}"
        if folder_is_set:
            origins["database_url"] = Origin(source=Source.DEFAULT, where="default, in data_dir")
    elif not folder_is_set and values["database_url"].startswith(SQLITE_URL):
        values["data_dir"] = Path(values["database_url"].removeprefix(SQLITE_URL)).parent
        origins["data_dir"] = Origin(source=Source.DEFAULT, where="default, the folder of database_url")
