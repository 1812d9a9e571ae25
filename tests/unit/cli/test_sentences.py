"""Every failure that is expected is one sentence; every other keeps its stack trace."""

import errno
import sqlite3

import pytest
import typer
from sqlalchemy.exc import OperationalError

from stagedoor.adapters.embedded.sqlite_file import FileInUse, LogWithoutDatabase
from stagedoor.adapters.sql.operator_keys import KeyRefused
from stagedoor.adapters.sql.schema import UnknownSchema
from stagedoor.cli.sentences import Misused, Refused, told_plainly
from stagedoor.kernel.errors import Fault
from stagedoor.settings import SettingsError
from stagedoor.waiting_room.rejections import RoomIsClosed


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (SettingsError("PORT is 70000."), 2, "stagedoor: PORT is 70000.\n"),
        (SettingsError("There is no PRT; did you mean PORT?"), 2, "stagedoor: There is no PRT; did you mean PORT?\n"),
        (SettingsError("port in stagedoor.toml is 0."), 2, "stagedoor: port in stagedoor.toml is 0.\n"),
        (Misused("say what to change"), 2, "stagedoor: Say what to change.\n"),
        (Refused("there is no database"), 1, "stagedoor: There is no database.\n"),
        (KeyRefused("there is no key named 'x'"), 1, "stagedoor: There is no key named 'x'.\n"),
        (RoomIsClosed(), 1, "stagedoor: The room is closed: it can be opened again, but not paused.\n"),
        (Fault("disk I/O error"), 1, "stagedoor: The database failed: disk I/O error.\n"),
        (KeyboardInterrupt(), 130, "stagedoor: Interrupted.\n"),
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("unable to open database file")),
            1,
            "stagedoor: The database failed: unable to open database file.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            1,
            "stagedoor: /x cannot be used: Permission denied.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "data/x"),
            1,
            "stagedoor: data/x cannot be used: Permission denied.\n",
        ),
    ],
)
def test_what_is_expected_is_a_sentence(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, told_plainly():
        raise error

    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileInUse("night.db"), "serves from night.db already"),
        (LogWithoutDatabase("night.db-wal"), "bring that back"),
        (UnknownSchema("0099"), "its schema is 0099"),
    ],
)
def test_the_operator_is_told_what_to_do(error: Exception, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told_plainly():
        raise error

    assert words in capsys.readouterr().err


@pytest.mark.parametrize("error", [AssertionError("ours"), KeyError("ours"), OSError(errno.EBADF, "no file")])
def test_a_defect_keeps_its_stack_trace(error: Exception) -> None:
    with pytest.raises(type(error)), told_plainly():
        raise error
