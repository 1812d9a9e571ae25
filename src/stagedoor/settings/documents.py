"""What a settings file holds, TOML or YAML by its ending: one mapping, or one sentence about what is wrong with it."""

import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from stagedoor.settings.errors import SettingsError

_YAML_ENDINGS = frozenset({".yaml", ".yml"})
_MERGE = "tag:yaml.org,2002:merge"


def read_document(path: Path, *, said_by: str) -> dict[str, Any]:
    """Return what the file at *path* says. Raises `SettingsError`; *said_by* is what named the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(f"{said_by} names the file {path}, which is not there.") from error
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {path} is not UTF-8 text.") from error
    return _yaml(path, text) if path.suffix.lower() in _YAML_ENDINGS else _toml(path, text)


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}.") from error


def _yaml(path: Path, text: str) -> dict[str, Any]:
    try:
        loader = _OnceLoader(text)
        try:
            found = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = "" if mark is None else f" (at line {mark.line + 1}, column {mark.column + 1})"
        raise SettingsError(f"The settings file {path} is not YAML: {error.problem}{at}.") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"The settings file {path} is not YAML: {error}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise SettingsError(f"The settings file {path} has to be lines of the form NAME: VALUE.")
    return found


class _OnceLoader(yaml.SafeLoader):
    """YAML's plain values only; a name that is there twice is refused, where PyYAML would forget the first."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f'"{key}" is there twice', key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)
