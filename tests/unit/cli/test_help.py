"""What somebody sees who has never met the command before."""

import re

import pytest
from typer.testing import CliRunner, Result

from stagedoor import __version__
from stagedoor.cli import application
from stagedoor.settings import TABLE

COMMANDS = (
    "serve",
    "seed members",
    "seed performance",
    "seed programme",
    "seed halls",
    "room list",
    "room set",
    "room open",
    "room pause",
    "room close",
    "room create",
    "key create",
    "key list",
    "key revoke",
    "check",
    "doctor",
    "demo-reset",
    "migrate",
)


def run(*words: str) -> Result:
    return CliRunner().invoke(application(), list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_the_version() -> None:
    result = run("--version")

    assert (result.exit_code, result.stdout) == (0, f"stagedoor {__version__}\n")


def test_the_help_names_every_command() -> None:
    shown = run("--help").stdout

    assert all(re.search(rf"\b{command.split()[0]}\b", shown) for command in COMMANDS)
    assert "stagedoor serve --demo" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(*command.split(), "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert "--database-url" in result.stdout


def test_every_setting_but_the_secrets_is_a_flag_of_serve() -> None:
    shown = run("serve", "--help").stdout

    assert [row.flag for row in TABLE if row.has_flag and row.flag not in shown] == []
    hidden = ["--secret", "--secret-previous", "--identity-secret", "--kafka-password"]
    assert [row.flag for row in TABLE if not row.has_flag] == hidden
    assert not re.search(r"--(identity-)?secret\b|--kafka-password", shown)


@pytest.mark.parametrize("words", [("srve",), ("room", "opne", "main"), ("serve", "--prot", "1"), ("key", "create")])
def test_what_makes_no_sense_is_a_misuse(words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr
