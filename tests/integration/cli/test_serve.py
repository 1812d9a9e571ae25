"""What keeps `stagedoor serve` from starting is told in one sentence, before anything is made."""

from pathlib import Path

import pytest

from tests.integration.cli.command import commands_in, refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MAX_ACTIV": "1"}, "There is no setting STAGEDOOR_MAX_ACTIV; did you mean STAGEDOOR_MAX_ACTIVE?"),
        ({"MAX_ACTIVE": "-1"}, 'STAGEDOOR_MAX_ACTIVE is "-1", but it has to be a whole number from 0 to 1000000.'),
        ({"SECRET": "too short"}, "STAGEDOOR_SECRET is 9 bytes long, but it has to be at least 32 bytes long"),
        ({"DATABASE_URL": "mysql://a:b@c/d"}, 'STAGEDOOR_DATABASE_URL is "mysql://***@c/d"'),
        ({"HOST": "0.0.0.0"}, "STAGEDOOR_ALLOW_DEMO_IDENTITY_PUBLIC=true"),  # noqa: S104 -- it is refused
        ({"IDENTITY": "jwt"}, "STAGEDOOR_IDENTITY is jwt, which needs STAGEDOOR_IDENTITY_ISSUER to be set."),
        ({"CONFIG": "gone.toml"}, "STAGEDOOR_CONFIG names the file gone.toml, which is not there."),
    ],
)
def test_an_impossible_setting_in_the_environment(folder: Path, settings: dict[str, str], words: str) -> None:
    stagedoor = commands_in(folder, **{f"STAGEDOOR_{name}": value for name, value in settings.items()})

    assert words in refused(stagedoor("serve"), code=2)
    assert not folder.exists()


def test_an_impossible_flag(folder: Path) -> None:
    sentence = refused(commands_in(folder)("serve", "--max-active", "many"), code=2)

    assert sentence == '--max-active is "many", but it has to be a whole number from 0 to 1000000.'
