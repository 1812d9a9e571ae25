"""A start that cannot be is one sentence and takes nothing away; a second server is refused by any name of the file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.command import Command, commands_in, done, refused
from tests.integration.cli.process import serving

NOT_A_DATABASE = b"It was a dark and stormy night. " * 400
HEADER_ALONE = b"SQLite format 3\0" + NOT_A_DATABASE


@pytest.mark.parametrize("content", [NOT_A_DATABASE, HEADER_ALONE])
def test_a_file_that_is_no_database_stays_as_it_is(stagedoor: Command, folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "stagedoor.db").write_bytes(content)

    said = refused(stagedoor("serve"))

    assert said == "The database failed: file is not a database."
    assert (folder / "stagedoor.db").read_bytes() == content


def test_a_folder_is_no_database(stagedoor: Command, folder: Path) -> None:
    (folder / "stagedoor.db").mkdir(parents=True)

    assert refused(stagedoor("serve")) == "The database failed: unable to open database file."


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("a file", "{} cannot be used: File exists."),
        ("a file/a folder", "{} cannot be used: Not a directory."),
        ("/proc/nowhere", "{} cannot be used: No such file or directory."),
    ],
)
def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path, where: str, said: str) -> None:
    (tmp_path / "a file").touch()
    folder = tmp_path / where

    assert refused(commands_in(folder)("serve")) == said.format(folder)


def test_a_newer_database_stays_as_it_is(stagedoor: Command, folder: Path) -> None:
    done(stagedoor("seed", "members", "--count", "3"))
    with closing(sqlite3.connect(folder / "stagedoor.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    said = refused(stagedoor("serve"))

    assert said == "The database is a newer stagedoor's (its schema is 9999): use that one, or another file."
    with closing(sqlite3.connect(folder / "stagedoor.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM member").fetchone() == (3,)


def test_a_log_whose_database_is_gone_is_not_written_over(stagedoor: Command, folder: Path) -> None:
    folder.mkdir()
    log = folder / "stagedoor.db-wal"
    log.write_bytes(NOT_A_DATABASE)

    for words in (("serve",), ("seed", "members", "--count", "3")):
        assert refused(stagedoor(*words)).startswith(f"The file {log} is the log of a database that is not beside it")
        assert log.read_bytes() == NOT_A_DATABASE


def test_a_second_server_is_refused_by_any_name_of_the_file(folder: Path, tmp_path: Path) -> None:
    with serving(folder):
        (tmp_path / "by another name.db").symlink_to(folder / "stagedoor.db")
        other = commands_in(
            tmp_path / "elsewhere", STAGEDOOR_DATABASE_URL=f"sqlite:///{tmp_path / 'by another name.db'}"
        )

        assert "another stagedoor serves from" in refused(other("serve")).lower()
