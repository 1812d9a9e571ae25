"""Commands with the table of settings as their flags: a flag, a variable and a key in the file are one thing."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from stagedoor.cli.sentences import told_plainly
from stagedoor.settings import TABLE, Setting, Settings, load
from stagedoor.settings.model import DATA
from stagedoor.settings.setting import flag

Flags = Mapping[str, str]
"""What was given on the command line, by name."""

Command = Callable[..., None]
Parameters = Sequence[inspect.Parameter]


def command(
    group: typer.Typer, name: str, *, panel: str | None = None, epilog: str | None = None, **bundles: Parameters
) -> Callable[[Command], Command]:
    """
    Make a function a command of *group*, listed in *panel*.

    The parameters of each of *bundles* reach the function as one mapping, an
    argument of the bundle's name, with those that were given; there is always
    one called `flags`, which finds the database unless said otherwise. What is
    known to go wrong in the function is told in a sentence.
    """
    bundles = {**bundles, "flags": bundles.get("flags", DATA_FLAGS)}

    def register(function: Command) -> Command:
        own = [each for each in inspect.signature(function).parameters.values() if each.name not in bundles]
        signature = inspect.Signature([*own, *(each for bundle in bundles.values() for each in bundle)])

        @functools.wraps(function)
        def called(**arguments: Any) -> None:  # noqa: ANN401 -- the function's own, whatever they are
            for bundle, parameters in bundles.items():
                given = {each.name: arguments.pop(each.name) for each in parameters}
                arguments[bundle] = {name: value for name, value in given.items() if value is not None}
            with told_plainly():
                function(**arguments)

        # What Typer goes by.
        called.__signature__ = signature  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
        del called.__wrapped__
        group.command(name, epilog=epilog, rich_help_panel=panel)(called)
        return called

    return register


def settings_of(flags: Flags, *, demo: bool = False) -> Settings:
    """Load the settings of this process. Raises `SettingsError`."""
    return load(flags=flags, environ=os.environ, demo=demo)


def optional_flag(name: str, *, meaning: str, metavar: str, panel: str | None = None) -> inspect.Parameter:
    """Return a parameter that takes text and may be left out."""
    # A value is read by the settings, not by Typer, so that it is refused in the same words wherever it came from.
    option = typer.Option(flag(name), help=meaning, metavar=metavar, rich_help_panel=panel, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def setting_flag(row: Setting) -> inspect.Parameter:
    """Return the flag that is the setting *row*."""
    meaning = f"{row.meaning} Default: {row.show(row.default)}."
    return optional_flag(row.name, meaning=meaning, metavar=row.kind.metavar, panel=row.group)


_CONFIG = optional_flag(
    "config",
    meaning="The settings file, TOML or YAML. Default: stagedoor.toml or stagedoor.yaml, if there is one.",
    metavar="FILE",
    panel=DATA,
)

SETTING_FLAGS: Parameters = (*(setting_flag(row) for row in TABLE if row.has_flag), _CONFIG)
DATA_FLAGS: Parameters = tuple(each for each in SETTING_FLAGS if each.name in {"data_dir", "database_url", "config"})
