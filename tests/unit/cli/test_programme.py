"""A programme in a file, and what is wrong with it."""

from pathlib import Path

import pytest

from stagedoor.cli.programme import plain_hall, read_programme
from stagedoor.cli.sentences import Misused

PROGRAMME = """
[[halls]]
venue = "The Attic"
  [[halls.sections]]
  name = "Front"
  rows = 1
  seats_per_row = 2
  price_won = 70000
  zone = "A"
  [[halls.sections]]
  name = "Back"
  rows = 2
  seats_per_row = 1
  price_won = 40000

[[performances]]
title = "Unplugged"
hall = "The Attic"
starts = 2027-01-09T20:00:00
minutes = 90

[[performances]]
title = "Gala"
hall = "theatre"
room = "gala"
starts = 2027-01-09T20:00:00+01:00
"""


def written(folder: Path, content: str) -> Path:
    path = folder / "programme.toml"
    path.write_text(content)
    return path


def test_halls_and_performances(tmp_path: Path) -> None:
    unplugged, gala = read_programme(written(tmp_path, PROGRAMME), "Asia/Seoul")

    assert (unplugged.title, unplugged.room_id, unplugged.hall.venue) == ("Unplugged", "main", "The Attic")
    assert [(section.zone, section.seat_count) for section in unplugged.hall.sections] == [("A", 2), ("Standard", 2)]
    assert (unplugged.starts_at, unplugged.ends_at) == (1_799_492_400_000, 1_799_492_400_000 + 90 * 60_000)
    assert (gala.room_id, gala.hall.seat_count) == ("gala", 1_200)
    assert gala.starts_at == 1_799_492_400_000 + 8 * 3_600_000


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('title = "Gala"', 'titel = "Gala"', "unknown field `titel`"),
        ("rows = 2", "rows = 0", "Expected `int` >= 1 - at `$.halls[0].sections[1].rows`"),
        ("price_won = 40000", "price_won = 0.5", "Expected `int`"),
        ("minutes = 90", "minutes = 0", "`$.performances[0].minutes`"),
        ('hall = "theatre"', 'hall = "barn"', 'has "Gala" in the hall "barn"'),
        ('name = "Back"', 'name = "Front"', 'the hall "The Attic" has two sections of one name'),
        ("2027-01-09T20:00:00\n", "soon\n", "does not describe a programme"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in PROGRAMME
    path = written(tmp_path, PROGRAMME.replace(before, after))

    with pytest.raises(Misused) as refused:
        read_programme(path, "Asia/Seoul")

    assert words in str(refused.value)


def test_a_file_without_performances_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="has no performances"):
        read_programme(written(tmp_path, ""), "Asia/Seoul")


def test_a_hall_can_be_too_large() -> None:
    assert plain_hall("Field", 200, 1_000, 1).seat_count == 200_000
    with pytest.raises(Misused, match="has 201,000 seats, but it has to have at most 200,000"):
        plain_hall("Field", 201, 1_000, 1)


@pytest.mark.parametrize("venue", ["", " ", "two\nlines", "x" * 201])
def test_a_venue_is_a_line_of_text(venue: str) -> None:
    with pytest.raises(Misused, match="--venue has to be a line of 1 to 200 characters"):
        plain_hall(venue, 1, 1, 1)
