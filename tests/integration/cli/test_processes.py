"""What only a process of its own can show: where it serves, how it ends, and whom it keeps out."""

import signal
import socket
import sqlite3
import stat
import urllib.request
from pathlib import Path

from stagedoor import __version__
from tests.integration.cli.process import run, serving


def sentence(said: str) -> str:
    """Return the one line that a refused start leaves."""
    assert said.count("\n") == 1, said
    assert said.startswith("stagedoor: ")
    return said.removeprefix("stagedoor: ").rstrip("\n")


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "stagedoor.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_demo_from_nothing_to_its_end_and_again(folder: Path) -> None:
    with serving(folder, "--demo") as server:
        assert server.said[0] == f"Stagedoor {__version__}"
        assert f"Data: {folder / 'stagedoor.db'}" in server.said
        assert any(line.startswith("Identity: DEMO!") for line in server.said)
        assert f"API page: http://127.0.0.1:{server.port}/schema" in server.said
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/schema", timeout=10) as answer:
            assert answer.status == 200
        assert server.stop() == 0
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert rows(folder, "SELECT count(*), sum(balance_won) FROM wallet") == [(100_000, 30_000_000_000)]

    with serving(folder, "--demo") as server:
        assert server.stop(signal.SIGINT) == 0
    assert rows(folder, "SELECT count(*) FROM member") == [(100_000,)]
    assert rows(folder, "SELECT count(*) FROM performance") == [(9,)]


def test_a_demo_adds_nothing_to_members_that_are_there(folder: Path) -> None:
    run(folder, "seed", "members", "--count", "3")

    with serving(folder, "--demo") as server:
        server.stop()

    assert rows(folder, "SELECT count(*) FROM member") == [(3,)]
    assert rows(folder, "SELECT count(*) FROM performance") == [(0,)]


def test_commands_work_beside_a_server(folder: Path) -> None:
    with serving(folder) as server:
        seeded = run(folder, "seed", "members", "--count", "30000")
        listed = run(folder, "room", "pause", "main")
        checked = run(folder, "check")
        looked = run(folder, "doctor")
        second = run(folder, "serve")
        reset = run(folder, "demo-reset")
        server.stop()

    assert [done.returncode for done in (seeded, listed, checked, looked)] == [0, 0, 0, 0]
    assert "PAUSED" in listed.stdout
    assert "at work on this database" in looked.stdout
    for refused in (second, reset):
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"serves from {folder / 'stagedoor.db'} already" in sentence(refused.stderr)


def test_a_taken_port_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(folder, "serve", PORT=str(port))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert sentence(refused.stderr).startswith(f"127.0.0.1:{port} is taken by something else")


def test_an_impossible_setting_stops_the_start(folder: Path) -> None:
    refused = run(folder, "serve", PORT="70000")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert sentence(refused.stderr) == 'STAGEDOOR_PORT is "70000", but it has to be a whole number from 0 to 65535.'
    assert not folder.exists()


def test_somebody_elses_database_is_not_served_from(folder: Path) -> None:
    folder.mkdir()
    theirs = sqlite3.connect(folder / "stagedoor.db")
    theirs.execute("CREATE TABLE theirs (id INTEGER)")
    theirs.close()

    refused = run(folder, "serve")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds something else than stagedoor's data" in sentence(refused.stderr)
    assert rows(folder, "SELECT name FROM sqlite_master") == [("theirs",)]


def test_an_address_of_another_machine_is_a_sentence(folder: Path) -> None:
    refused = run(folder, "serve", HOST="192.0.2.1", ALLOW_DEMO_IDENTITY_PUBLIC="true")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert sentence(refused.stderr).startswith("192.0.2.1:0 cannot be listened on: ")


def test_the_demos_data_can_be_made_afresh(folder: Path) -> None:
    run(folder, "demo-reset")
    connection = sqlite3.connect(folder / "stagedoor.db")
    connection.execute("UPDATE wallet SET balance_won = 0")
    connection.commit()
    connection.close()

    again = run(folder, "demo-reset")

    assert again.returncode == 0
    assert "100,000 members and 9 performances" in again.stdout
    assert rows(folder, "SELECT min(balance_won) FROM wallet") == [(300_000,)]


def test_data_that_are_not_the_demos_are_not_thrown_away(folder: Path) -> None:
    run(folder, "seed", "members", "--count", "3")

    refused = run(folder, "demo-reset")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds data that are not the demo's" in sentence(refused.stderr)
    assert rows(folder, "SELECT count(*) FROM member") == [(3,)]


def test_the_environment_and_the_file_are_read(folder: Path) -> None:
    folder.parent.joinpath("stagedoor.toml").write_text("max_active = 41\nhold_seconds = 12\n")

    shown = run(folder, "doctor", "--hold-seconds", "13", MAX_ACTIVE="42").stdout

    assert [line.split() for line in shown.splitlines() if line.startswith(("STAGEDOOR_MAX_A", "STAGEDOOR_HOLD"))] == [
        ["STAGEDOOR_MAX_ACTIVE", "42", "STAGEDOOR_MAX_ACTIVE"],
        ["STAGEDOOR_HOLD_SECONDS", "13", "--hold-seconds"],
    ]


def test_doctor_shows_no_secret(folder: Path) -> None:
    secret = "do-not-show-this-to-anybody-at-all-please"  # noqa: S105 -- made up here

    shown = run(folder, "doctor", SECRET=secret)

    assert shown.returncode == 0
    assert secret not in shown.stdout + shown.stderr
    assert f"set, {len(secret)} bytes" in shown.stdout
    assert not folder.exists()
