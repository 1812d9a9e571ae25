"""What `doctor` makes of what it finds."""

from pathlib import Path

import pytest

from stagedoor.adapters.sql import schema
from stagedoor.bootstrap.stored import Stored
from stagedoor.cli.doctor import Finding, Verdict, database, secret
from stagedoor.kernel.clock import Instant, later
from stagedoor.settings import Settings, load, signing_secret

NOW = Instant(1_800_000_000_000)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(flags={"data_dir": str(tmp_path)}, environ={})


def sound(alive_at: Instant | None) -> Stored:
    return Stored(schema=schema.HEAD, empty=False, damage="ok", members=3, performances=1, alive_at=alive_at)


def verdicts(findings: list[Finding]) -> list[tuple[str, Verdict]]:
    return [(each.what, each.verdict) for each in findings]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (sound(NOW), [("database", Verdict.FINE), ("clock", Verdict.FINE), ("server", Verdict.FINE)]),
        (sound(None), [("database", Verdict.FINE), ("clock", Verdict.FINE), ("server", Verdict.REMARK)]),
        (sound(later(NOW, -60_000)), [("database", Verdict.FINE), ("clock", Verdict.FINE), ("server", Verdict.REMARK)]),
        (sound(later(NOW, 60_000)), [("database", Verdict.FINE), ("clock", Verdict.WRONG)]),
        (Stored(schema=None, empty=True, damage="ok"), [("database", Verdict.REMARK)]),
        (Stored(schema=None, empty=False, damage="ok"), [("database", Verdict.WRONG)]),
        (Stored(schema="0000", empty=False, damage="ok"), [("database", Verdict.WRONG)]),
        (Stored(schema=schema.HEAD, empty=False, damage="row 3 missing"), [("database", Verdict.WRONG)]),
    ],
)
def test_the_database(settings: Settings, stored: Stored, expected: list[tuple[str, Verdict]]) -> None:
    assert verdicts(list(database(settings, stored, now=NOW))) == expected


def test_a_secret_that_is_yet_to_be_made(settings: Settings) -> None:
    assert secret(settings).verdict is Verdict.REMARK


def test_a_secret_in_its_file(settings: Settings) -> None:
    signing_secret(settings)

    assert secret(settings).verdict is Verdict.FINE


def test_a_secret_that_others_can_read(settings: Settings) -> None:
    signing_secret(settings)
    (settings.data_dir / "secret").chmod(0o640)

    assert secret(settings).verdict is Verdict.WRONG


def test_a_secret_that_is_set(tmp_path: Path) -> None:
    settings = load(flags={"data_dir": str(tmp_path)}, environ={"STAGEDOOR_SECRET": "s" * 32})

    assert secret(settings) == Finding(what="secret", verdict=Verdict.FINE, detail="STAGEDOOR_SECRET")
