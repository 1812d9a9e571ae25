"""From flags, environment and file to one frozen `Settings`, or one sentence that says what is wrong."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagedoor.settings.breakers import is_of_breakers, read_breakers
from stagedoor.settings.documents import read_document
from stagedoor.settings.errors import SettingsError, UnfitError
from stagedoor.settings.kinds import SQLITE_URL
from stagedoor.settings.model import TABLE, Settings
from stagedoor.settings.rules import refuse_contradictions
from stagedoor.settings.setting import PREFIX, Origin, Setting, Source, flag, variable

CONFIG = "config"
CONFIG_FILES = ("stagedoor.toml", "stagedoor.yaml", "stagedoor.yml")
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
    STAGEDOOR_CONFIG; otherwise stagedoor.toml or stagedoor.yaml is read where
    there is one. A file alone can hold a `resilience4j` block.
    Relative paths are relative to the working folder. *demo* chooses the
    defaults of the demo profile. Raises `SettingsError`.
    """
    file, document = _document(flags, environ)
    given = {
        **dict(_from_file(file, document)),
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
    breakers = read_breakers(document, file=str(file))
    settings = Settings(**values, breakers=breakers, origins=origins)
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


def _document(flags: Mapping[str, str], environ: Mapping[str, str]) -> tuple[Path, Mapping[str, Any]]:
    said_by = flag(CONFIG) if CONFIG in flags else variable(CONFIG)
    named = flags.get(CONFIG, environ.get(variable(CONFIG)))
    if named == "":
        raise SettingsError(f"{said_by} is empty, but it has to be the path of a file.")
    if named is not None:
        return Path(named), read_document(Path(named), said_by=said_by)
    there = [path for name in CONFIG_FILES if (path := Path(name)).exists()]
    if len(there) > 1:
        raise SettingsError(f"There are both {there[0]} and {there[1]}: keep one, or name it with {flag(CONFIG)}.")
    return (there[0], read_document(there[0], said_by=said_by)) if there else (Path(CONFIG_FILES[0]), {})


def _from_file(path: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, _Given]]:
    for name, raw in document.items():
        if is_of_breakers(name):
            continue
        if name not in _BY_NAME:
            lowered = name.lower().removeprefix(PREFIX.lower()).replace("-", "_")
            raise SettingsError(f'{path} has "{name}", but there is no such setting{_did_you_mean(lowered, _BY_NAME)}')
        yield name, _Given(raw=raw, origin=Origin(source=Source.FILE, where=str(path)))


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
