"""`stagedoor seed`."""

import sqlite3
from pathlib import Path

import pytest

from tests.integration.cli.command import Command, commands_in, done, refused

PROGRAMME = """
[[halls]]
venue = "The Attic"
sections = [{ name = "Front", rows = 2, seats_per_row = 3, price_won = 70000 }]

[[performances]]
title = "Unplugged"
hall = "The Attic"
starts = 2099-01-09T20:00:00

[[performances]]
title = "Gala"
hall = "club"
starts = 2099-02-09T20:00:00+09:00
"""


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "stagedoor.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_members_are_made_where_there_was_nothing(stagedoor: Command, folder: Path) -> None:
    said = done(stagedoor("seed", "members", "--count", "25", "--balance", "1000"))

    assert said.startswith("25 members made in ")
    assert rows(folder, "SELECT count(*), sum(balance_won) FROM wallet") == [(25, 25_000)]


def test_members_are_made_once(stagedoor: Command, folder: Path) -> None:
    done(stagedoor("seed", "members", "--count", "10"))

    said = done(stagedoor("seed", "members", "--count", "10", "--first", "6"))

    assert said.startswith("5 members made in ")
    assert "5 were there before and are as they were" in said
    assert rows(folder, "SELECT min(id), max(id), count(*) FROM member") == [(1, 15, 15)]


def test_nothing_is_left_beside_the_database(stagedoor: Command, folder: Path) -> None:
    done(stagedoor("seed", "members", "--count", "1"))

    assert [path.name for path in folder.iterdir()] == ["stagedoor.db"]


@pytest.mark.parametrize(
    "words", [("--count", "0"), ("--count", "x"), ("--balance", "-1"), ("--balance", "10000001"), ("--first", "0")]
)
def test_impossible_members_are_a_misuse(stagedoor: Command, folder: Path, words: tuple[str, str]) -> None:
    result = stagedoor("seed", "members", *words)

    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert not folder.exists()


def test_a_performance_in_a_known_hall(stagedoor: Command, folder: Path) -> None:
    said = done(
        stagedoor("seed", "performance", "--title", "Gala", "--starts", "2099-04-02 19:30", "--hall", "theatre")
    )

    assert "2099-04-02 19:30:00 KST" in said
    assert rows(folder, "SELECT count(*), count(DISTINCT price_won) FROM seat") == [(1_200, 3)]
    assert rows(folder, "SELECT id, room_id, title, ends_at - starts_at FROM performance") == [
        (1, "main", "Gala", 7_200_000)
    ]


def test_a_performance_in_a_venue_of_rows(stagedoor: Command, folder: Path) -> None:
    place = ("--venue", "The Attic", "--rows", "2", "--seats-per-row", "3", "--price", "40000")

    done(stagedoor("seed", "performance", "--title", "X", "--starts", "2099-04-02T19:30:00Z", *place))

    assert rows(folder, "SELECT count(*), min(price_won) FROM seat") == [(6, 40_000)]
    assert rows(folder, "SELECT starts_at FROM performance") == [(4_078_841_400_000,)]


def test_the_venues_time_zone_is_a_setting(folder: Path) -> None:
    stagedoor = commands_in(folder, STAGEDOOR_TIME_ZONE="UTC")

    done(stagedoor("seed", "performance", "--title", "X", "--starts", "2099-04-02 19:30", "--hall", "club"))

    assert rows(folder, "SELECT starts_at, time_zone FROM performance") == [(4_078_841_400_000, "UTC")]


def test_what_is_over_already_is_said_to_be(stagedoor: Command) -> None:
    said = done(stagedoor("seed", "performance", "--title", "X", "--starts", "2001-04-02 19:30", "--hall", "club"))

    assert "What has begun already is not in the schedule." in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--starts", "soon", "--hall", "club"), '--starts is "soon", but it has to be a date and time'),
        (("--starts", "2099-01-01"), "Say either --hall, or --venue with"),
        (("--starts", "2099-01-01", "--hall", "club", "--venue", "X"), "Say either --hall, or --venue with"),
        (("--starts", "2099-01-01", "--hall", "barn"), 'There is no hall "barn": there are club, theatre, arena'),
    ],
)
def test_impossible_performances_are_a_misuse(stagedoor: Command, words: tuple[str, ...], sentence: str) -> None:
    assert refused(stagedoor("seed", "performance", "--title", "X", *words), code=2).startswith(sentence)


def test_a_performance_needs_its_room(stagedoor: Command, folder: Path) -> None:
    words = ("seed", "performance", "--title", "X", "--starts", "2099-01-01", "--hall", "club", "--room", "vip")

    assert refused(stagedoor(*words)) == 'There is no room "vip": `stagedoor room create vip` makes it.'
    assert rows(folder, "SELECT count(*) FROM performance") == [(0,)]


def test_a_programme_from_a_file(stagedoor: Command, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "programme.toml"
    file.write_text(PROGRAMME)

    done(stagedoor("seed", "programme", str(file)))

    assert rows(folder, "SELECT title, venue FROM performance ORDER BY id") == [
        ("Unplugged", "The Attic"),
        ("Gala", "Dalbit Basement, Seoul"),
    ]
    assert rows(folder, "SELECT performance_id, count(*) FROM seat GROUP BY 1") == [(1, 6), (2, 50)]


def test_a_file_that_is_wrong_makes_nothing(stagedoor: Command, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "programme.toml"
    file.write_text(PROGRAMME.replace('hall = "club"', 'hall = "barn"'))

    assert 'has "Gala" in the hall "barn"' in refused(stagedoor("seed", "programme", str(file)), code=2)
    assert not folder.exists()


def test_the_halls_are_shown(stagedoor: Command) -> None:
    said = done(stagedoor("seed", "halls"))

    assert "The Attic" not in said
    assert all(hall in said for hall in ("club", "theatre", "arena"))


@pytest.mark.parametrize("words", [("seed", "members"), ("migrate",)])
def test_somebody_elses_database_is_left_alone(stagedoor: Command, folder: Path, words: tuple[str, ...]) -> None:
    folder.mkdir()
    theirs = sqlite3.connect(folder / "stagedoor.db")
    theirs.execute("CREATE TABLE theirs (id INTEGER)")
    theirs.close()

    assert "holds something else than stagedoor's data" in refused(stagedoor(*words))
    assert rows(folder, "SELECT name FROM sqlite_master") == [("theirs",)]


@pytest.mark.parametrize("name", ["what?", "50% off #1", "한 글"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    done(commands_in(tmp_path / name)("seed", "members", "--count", "1"))

    assert rows(tmp_path / name, "SELECT id FROM member") == [(1,)]


def test_a_file_that_is_no_database_is_a_sentence(stagedoor: Command, folder: Path) -> None:
    folder.mkdir()
    (folder / "stagedoor.db").write_text("Dear diary, " * 100)

    assert refused(stagedoor("seed", "members")) == "The database failed: file is not a database."
