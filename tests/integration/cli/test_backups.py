"""A backup is whole or not there; a restore leaves the old database or the new one, and says which."""

import fcntl
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from stagedoor.adapters.embedded import backup as backups
from tests.integration.cli.command import Command, done, refused
from tests.integration.cli.process import environment, run

MEMBERS = 2_000


@pytest.fixture
def database(stagedoor: Command, folder: Path) -> Path:
    """A database with members and a line of one room, from which somebody has served."""
    done(stagedoor("seed", "members", "--count", str(MEMBERS)))
    database = folder / "stagedoor.db"
    change(
        database,
        "INSERT INTO installation (id, line_epoch, created_at) VALUES (1, 'the first', 1)",
        "INSERT INTO clock_stop (id, alive_at) VALUES (1, 1800000000000)",
    )
    return database


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def ask(database: Path, query: str) -> object:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchone()[0]


def members(database: Path) -> object:
    return ask(database, "SELECT COUNT(*) FROM member")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextmanager
def served(database: Path) -> Iterator[None]:
    """Hold the lock that a server holds."""
    with database.with_name(database.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_backup_is_one_file_that_nobody_else_can_read(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "a copy?.db"
    target.parent.mkdir()

    with served(database):
        said = done(stagedoor("backup", str(target)))

    assert f"is in {target}" in said
    assert names(target.parent) == {target.name}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert members(target) == MEMBERS


def test_what_is_still_in_the_log_is_in_the_backup(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute("DELETE FROM installation")
        connection.execute("BEGIN IMMEDIATE")  # a writer in the middle of it hinders nobody
        connection.execute("DELETE FROM clock_stop")
        done(stagedoor("backup", str(tmp_path / "b.db")))

    assert ask(tmp_path / "b.db", "SELECT COUNT(*) FROM installation") == 0
    assert ask(tmp_path / "b.db", "SELECT COUNT(*) FROM clock_stop") == 1


def test_a_file_that_is_there_is_replaced_only_when_told_to(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.db"
    target.write_text("precious")

    said = refused(stagedoor("backup", str(target)))
    assert said == f"The file {target} exists already: name another one, or say --overwrite."
    assert target.read_text() == "precious"

    done(stagedoor("backup", str(target), "--overwrite"))
    assert members(target) == MEMBERS
    assert names(tmp_path) == {"b.db", database.parent.name}


def test_each_thing_that_keeps_a_backup_from_being_made_is_a_sentence(
    stagedoor: Command, database: Path, tmp_path: Path
) -> None:
    in_use = tmp_path / "other.db"
    Path(f"{in_use}-wal").touch()

    for target, reason in {
        tmp_path / "missing" / "b.db": f"There is no folder {tmp_path / 'missing'}: make it first.",
        tmp_path: f"The target {tmp_path} is a folder: name a file in it.",
        database: f"The target {database} is the database itself: name another file.",
        in_use: f"The file {in_use}-wal shows that {in_use} is a database in use: name another target.",
    }.items():
        assert refused(stagedoor("backup", str(target), "--overwrite")) == reason
    assert names(tmp_path) == {"other.db-wal", database.parent.name}


def test_where_there_is_no_database_there_is_no_backup(stagedoor: Command, folder: Path, tmp_path: Path) -> None:
    assert "there is no database" in refused(stagedoor("backup", str(tmp_path / "b.db"))).lower()

    folder.mkdir()
    (folder / "stagedoor.db").write_text("something else")
    assert "is not a database" in refused(stagedoor("backup", str(tmp_path / "b.db")))
    assert names(tmp_path) == {folder.name}


def test_a_disk_without_room_is_seen_before_anything_is_written(
    stagedoor: Command, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000))

    said = refused(stagedoor("backup", str(tmp_path / "b.db")))

    assert said.startswith(f"The disk of {tmp_path} has 0.0 MB left, and the copy may need ")
    assert names(tmp_path) == {database.parent.name}


def test_a_disk_that_is_full_on_the_way_leaves_nothing_behind(database: Path, tmp_path: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))

    made = subprocess.run(  # noqa: S603 -- the product itself
        [sys.executable, "-m", "stagedoor", "backup", str(tmp_path / "b.db")],
        env=environment(database.parent, {}),
        preexec_fn=no_large_files,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (made.returncode, made.stderr) == (1, f"stagedoor: The disk of {tmp_path} is full.\n")
    assert names(tmp_path) == {database.parent.name}


def test_a_restore_brings_back_what_was_and_keeps_what_is(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b.db"
    done(stagedoor("backup", str(copy)))
    change(database, "UPDATE wallet SET balance_won = 7 WHERE buyer_id = 1")
    database.chmod(0o640)

    said = done(stagedoor("restore", str(copy)))

    [aside] = [path for path in database.parent.iterdir() if ".before-" in path.name]
    assert f"What was there before is kept in {aside}." in said
    assert "2027-01-15 17:00:00 KST" in said
    assert ask(aside, "SELECT balance_won FROM wallet WHERE buyer_id = 1") == 7
    assert ask(database, "SELECT balance_won FROM wallet WHERE buyer_id = 1") != 7
    assert stat.S_IMODE(database.stat().st_mode) == 0o640
    assert names(database.parent) == {"stagedoor.db", "stagedoor.db.lock", aside.name}
    assert "hold." in done(stagedoor("check"))


def test_a_restored_line_has_another_epoch_and_the_audit_says_so(
    stagedoor: Command, database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "b.db"
    done(stagedoor("backup", str(copy)))

    done(stagedoor("restore", str(copy)))
    first = ask(database, "SELECT line_epoch FROM installation")
    done(stagedoor("restore", str(copy)))

    assert len({"the first", first, ask(database, "SELECT line_epoch FROM installation")}) == 3
    assert ask(database, "SELECT action FROM audit ORDER BY id DESC") == "database.restore"
    assert ask(copy, "SELECT line_epoch FROM installation") == "the first"
    assert len([path for path in database.parent.iterdir() if ".before-" in path.name]) == 2


@pytest.mark.usefixtures("database")
def test_a_restore_to_where_nothing_was(stagedoor: Command, tmp_path: Path) -> None:
    done(stagedoor("backup", str(tmp_path / "b.db")))
    elsewhere = tmp_path / "elsewhere"

    made = run(elsewhere, "restore", str(tmp_path / "b.db"))

    assert (made.returncode, made.stderr) == (0, "")
    assert "kept" not in made.stdout
    assert members(elsewhere / "stagedoor.db") == MEMBERS


def test_the_log_of_a_database_that_is_gone_is_kept_and_not_taken_for_the_restored_ones(
    stagedoor: Command, database: Path, tmp_path: Path
) -> None:
    done(stagedoor("backup", str(tmp_path / "b.db")))
    log = database.with_name(database.name + "-wal")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM wallet")
        connection.execute("DELETE FROM member")
        connection.commit()
        left = log.read_bytes()  # as a killed server leaves it
    database.unlink()
    log.write_bytes(left)

    said = done(stagedoor("restore", str(tmp_path / "b.db")))

    [kept] = [path for path in database.parent.iterdir() if ".before-" in path.name]
    assert f"is kept in {kept}" in said
    assert kept.read_bytes() == left
    assert members(database) == MEMBERS


def test_nothing_is_restored_under_a_server(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    done(stagedoor("backup", str(tmp_path / "b.db")))

    with served(database):
        assert "serves from" in refused(stagedoor("restore", str(tmp_path / "b.db")))
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM member").fetchone()
        said = refused(stagedoor("restore", str(tmp_path / "b.db")))

    assert said == f"Another program uses {database}: stop it first."
    assert not [name for name in names(database.parent) if "before" in name or "restoring" in name]


def test_what_is_no_sound_backup_is_refused_and_changes_nothing(
    stagedoor: Command, database: Path, tmp_path: Path
) -> None:
    good, text, other, newer, damaged = (tmp_path / name for name in ("good", "text", "other", "newer", "damaged"))
    done(stagedoor("backup", str(good)))
    text.write_text("not a database at all, but long enough to be taken for one" * 20)
    change(other, "CREATE TABLE notes (text)")
    newer.write_bytes(good.read_bytes())
    change(newer, "UPDATE alembic_version SET version_num = '9999'")
    whole = bytearray(good.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 20_000] = b"\xff" * 20_000
    damaged.write_bytes(whole)
    before = database.read_bytes()

    for source, reason in {
        tmp_path / "missing": "There is no file",
        text: "is not a database",
        other: "holds something else than stagedoor's data",
        newer: "is 9999, and this stagedoor needs",
        damaged: "damaged",
        database: "is the database itself",
    }.items():
        assert reason in refused(stagedoor("restore", str(source)))
    assert database.read_bytes() == before
    assert not [name for name in names(database.parent) if "before" in name or "restoring" in name]


def test_a_crash_before_the_last_step_leaves_the_old_database_and_can_be_repeated(
    stagedoor: Command, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(stagedoor("backup", str(tmp_path / "b.db")))
    change(database, "UPDATE wallet SET balance_won = 7 WHERE buyer_id = 1")

    def crash(*_arguments: object, **_options: object) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as patched:
        patched.setattr(backups, "name_draft", crash)
        assert stagedoor("restore", str(tmp_path / "b.db")).exit_code == 137
    assert "stagedoor.db.restoring" in names(database.parent)
    assert ask(database, "SELECT balance_won FROM wallet WHERE buyer_id = 1") == 7

    done(stagedoor("restore", str(tmp_path / "b.db")))
    assert ask(database, "SELECT balance_won FROM wallet WHERE buyer_id = 1") != 7
    assert "stagedoor.db.restoring" not in names(database.parent)


def test_a_database_too_broken_to_be_opened_is_kept_with_its_log_and_replaced(
    stagedoor: Command, database: Path, tmp_path: Path
) -> None:
    done(stagedoor("backup", str(tmp_path / "b.db")))
    database.write_bytes(b"broken" * 1_000)
    Path(f"{database}-wal").write_bytes(b"a log")

    done(stagedoor("restore", str(tmp_path / "b.db")))

    assert members(database) == MEMBERS
    kept = sorted(path.name for path in database.parent.iterdir() if ".before-" in path.name)
    assert [Path(database.parent, name).read_bytes()[:5] for name in kept] == [b"broke", b"a log"]
    assert "stagedoor.db-wal" not in names(database.parent)


def test_a_database_behind_a_link_is_replaced_where_it_is(stagedoor: Command, database: Path, tmp_path: Path) -> None:
    real = tmp_path / "another disk" / "real.db"
    real.parent.mkdir()
    database.rename(real)
    database.symlink_to(real)

    done(stagedoor("backup", str(tmp_path / "b.db")))
    done(stagedoor("restore", str(tmp_path / "b.db")))

    assert database.is_symlink()
    assert members(real) == MEMBERS
    assert [name for name in names(real.parent) if ".before-" in name] != []
