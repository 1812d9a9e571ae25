"""`stagedoor room` and `stagedoor key`."""

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from tests.integration.cli.command import Command, commands_in, done, refused


@pytest.fixture
def stagedoor(folder: Path) -> Command:
    """The command, on a database with the room main."""
    command = commands_in(folder)
    done(command("seed", "performance", "--title", "X", "--starts", "2099-01-01", "--hall", "club"))
    return command


def test_a_database_that_a_server_is_about_to_fill_is_not_called_somebody_elses(folder: Path) -> None:
    folder.mkdir()
    (folder / "stagedoor.db").touch()

    said = refused(commands_in(folder)("room", "list"))

    assert "nothing in" in said
    assert "wait until the server" in said


def stored(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "stagedoor.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def cells(said: str, room: str) -> list[str]:
    [line] = [line for line in said.splitlines() if line.startswith(room)]
    return line.split()


def test_rooms_are_listed_with_the_settings_where_nothing_is_stored(stagedoor: Command, folder: Path) -> None:
    with_settings = commands_in(folder, STAGEDOOR_MAX_ACTIVE="77", STAGEDOOR_ADMIT_RATE="1.5")

    assert cells(done(stagedoor("room", "list")), "main")[:4] == ["main", "OPEN", "30", "-"]
    assert cells(done(with_settings("room", "list")), "main")[:4] == ["main", "OPEN", "77", "1.5"]


def test_the_demo_is_listed_with_its_own_defaults(folder: Path) -> None:
    stagedoor = commands_in(folder)
    done(stagedoor("demo-reset"))

    assert cells(done(stagedoor("room", "list")), "main")[2] == "500"


def test_a_room_is_made_changed_paused_opened_and_closed(stagedoor: Command, folder: Path) -> None:
    done(stagedoor("room", "create", "vip", "--name", "The VIP evening"))
    done(stagedoor("room", "set", "vip", "--max-active", "5", "--admit-rate", "0.5", "--idle-timeout-seconds", "2.5"))
    assert stored(folder, "SELECT name, max_active, rate, idle_timeout_ms, state FROM room WHERE id = 'vip'") == [
        ("The VIP evening", 5, 0.5, 2_500, "OPEN")
    ]

    done(stagedoor("room", "set", "vip", "--max-active", "default"))
    assert stored(folder, "SELECT max_active, rate FROM room WHERE id = 'vip'") == [(None, 0.5)]

    assert cells(done(stagedoor("room", "pause", "vip")), "vip")[1] == "PAUSED"
    assert cells(done(stagedoor("room", "open", "vip")), "vip")[1] == "OPEN"
    assert cells(done(stagedoor("room", "close", "vip")), "vip")[1] == "CLOSED"
    assert refused(stagedoor("room", "pause", "vip")).startswith("The room is closed")


def test_an_opening_is_set_and_brought_forward(stagedoor: Command) -> None:
    said = done(stagedoor("room", "set", "main", "--opens-at", "2099-01-01T00:00:00+09:00"))
    assert cells(said, "main")[1] == "UPCOMING"
    assert "2099-01-01 00:00:00 KST" in said

    assert cells(done(stagedoor("room", "open", "main")), "main")[1] == "OPEN"


def test_every_change_is_in_the_audit(stagedoor: Command, folder: Path) -> None:
    done(stagedoor("room", "create", "vip"))
    done(stagedoor("room", "set", "vip", "--max-active", "5"))
    done(stagedoor("room", "pause", "vip"))

    entries = stored(folder, "SELECT action, subject, actor FROM audit ORDER BY id")
    assert [(action, subject) for action, subject, _ in entries] == [
        ("room.create", "room:vip"),
        ("room.set", "room:vip"),
        ("room.pause", "room:vip"),
    ]
    assert all(str(actor).startswith("cli:") for _, _, actor in entries)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("room", "set", "main"), 2, "Say what to change, such as --max-active 200"),
        (("room", "set", "main", "--max-active", "-1"), 2, '--max-active is "-1", but it has to be'),
        (("room", "set", "nix", "--max-active", "1"), 1, 'There is no room "nix"'),
        (("room", "open", "nix"), 1, 'There is no room "nix"'),
        (("room", "create", "main"), 1, 'There is a room "main" already.'),
        (("room", "create", "Main Hall"), 2, '"Main Hall" cannot name a room'),
        (("room", "create", "vip", "--name", ""), 2, "--name has to be a line"),
        (("key", "create", "not a name"), 1, "'not a name' cannot name a key"),
        (("key", "revoke", "nobody"), 1, "There is no key named 'nobody'."),
    ],
)
def test_what_cannot_be_is_a_sentence(stagedoor: Command, words: tuple[str, ...], code: int, sentence: str) -> None:
    assert refused(stagedoor(*words), code=code).startswith(sentence)


def test_a_room_cannot_close_before_it_opens(stagedoor: Command) -> None:
    times = ("--opens-at", "2099-01-02T00:00:00Z", "--closes-at", "2099-01-01T00:00:00Z")

    assert refused(stagedoor("room", "set", "main", *times), code=2).startswith("--")


@pytest.mark.parametrize("words", [("room", "list"), ("key", "list"), ("room", "open", "main"), ("check",)])
def test_commands_do_not_make_a_database(tmp_path: Path, words: tuple[str, ...]) -> None:
    stagedoor = commands_in(tmp_path / "nothing")

    assert refused(stagedoor(*words)).startswith("There is no database ")
    assert not (tmp_path / "nothing").exists()


def test_a_key_is_shown_once_and_stored_as_a_digest(stagedoor: Command, folder: Path) -> None:
    created = stagedoor("key", "create", "front-desk", "--role", "operate")
    key = created.stdout.strip()

    assert created.exit_code == 0
    assert len(key) > 40
    assert stored(folder, "SELECT name, role, digest FROM operator_key") == [
        ("front-desk", "operate", hashlib.sha256(key.encode()).digest())
    ]
    said = done(stagedoor("key", "list"))
    assert "front-desk  operate" in said
    assert key not in said


def test_a_revoked_key_stays_revoked(stagedoor: Command) -> None:
    stagedoor("key", "create", "till", "--role", "money")
    done(stagedoor("key", "revoke", "till"))

    assert "revoked already" in refused(stagedoor("key", "revoke", "till"))
    assert "there is, or was, a key" in refused(stagedoor("key", "create", "till")).lower()
    assert cells(done(stagedoor("key", "list")), "till")[-1] != "-"


def test_the_audit_knows_no_keys(stagedoor: Command, folder: Path) -> None:
    key = stagedoor("key", "create", "till").stdout.strip()

    entries = json.dumps(stored(folder, "SELECT actor, action, subject, detail FROM audit"))
    assert "key:till" in entries
    assert key not in entries
