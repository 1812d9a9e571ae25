"""The command as somebody types it, on a database of the test's own."""

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from stagedoor.cli import application

Command = Callable[..., Result]


def commands_in(folder: Path, **environ: str) -> Command:
    """Return a function that runs the command with its words; the data are in *folder*."""
    settings = {"STAGEDOOR_DATA_DIR": str(folder), "STAGEDOOR_PORT": "0", "NO_COLOR": "1", **environ}

    def run(*words: str) -> Result:
        result = CliRunner().invoke(application(), list(words), env=settings)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def done(result: Result) -> str:
    """Return what a command printed that did what it was asked for."""
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return str(result.stdout)


def refused(result: Result, code: int = 1) -> str:
    """Return the sentence of a command that refused."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1
    return str(result.stderr.removeprefix("stagedoor: ").rstrip("\n"))
