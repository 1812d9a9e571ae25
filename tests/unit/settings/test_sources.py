"""Where values come from, which one wins, and what is no setting at all."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from stagedoor.settings import Settings, SettingsError, Source, load


def loaded(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, *, demo: bool = False
) -> Settings:
    return load(flags=flags or {}, environ=environ or {}, demo=demo)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_set_is_the_defaults() -> None:
    settings = loaded()

    assert (settings.host, settings.port, settings.max_active) == ("127.0.0.1", 8_080, 30)
    assert {origin.source for origin in settings.origins.values()} == {Source.DEFAULT}


def test_the_file_wins_over_the_default() -> None:
    Path("stagedoor.toml").write_text("max_active = 40\n")

    settings = loaded()

    assert settings.max_active == 40
    assert str(settings.origins["max_active"]) == "stagedoor.toml"


def test_the_environment_wins_over_the_file() -> None:
    Path("stagedoor.toml").write_text("max_active = 40\n")

    settings = loaded(environ={"STAGEDOOR_MAX_ACTIVE": "50"})

    assert settings.max_active == 50
    assert str(settings.origins["max_active"]) == "STAGEDOOR_MAX_ACTIVE"


def test_a_flag_wins_over_the_environment() -> None:
    settings = loaded({"max_active": "60"}, {"STAGEDOOR_MAX_ACTIVE": "50"})

    assert settings.max_active == 60
    assert str(settings.origins["max_active"]) == "--max-active"


def test_the_demo_has_defaults_of_its_own() -> None:
    assert loaded(demo=True).max_active == 500
    assert str(loaded(demo=True).origins["max_active"]) == "default of the demo"


def test_what_is_set_wins_over_the_defaults_of_the_demo() -> None:
    assert loaded(environ={"STAGEDOOR_MAX_ACTIVE": "7"}, demo=True).max_active == 7


@pytest.mark.parametrize("named_by", ["flag", "environment"])
def test_the_file_can_be_elsewhere(tmp_path: Path, named_by: str) -> None:
    path = tmp_path / "a folder" / "evening.toml"
    path.parent.mkdir()
    path.write_text("port = 9000\n")

    if named_by == "flag":
        settings = loaded({"config": str(path)}, {"STAGEDOOR_CONFIG": "not-this-one.toml"})
    else:
        settings = loaded(environ={"STAGEDOOR_CONFIG": str(path)})

    assert settings.port == 9_000


@pytest.mark.parametrize(
    ("flags", "environ", "sentence"),
    [
        ({"config": "gone.toml"}, {}, "--config names the file gone.toml, which is not there."),
        ({}, {"STAGEDOOR_CONFIG": "gone.toml"}, "STAGEDOOR_CONFIG names the file gone.toml, which is not there."),
        ({}, {"STAGEDOOR_CONFIG": ""}, "STAGEDOOR_CONFIG is empty, but it has to be the path of a file."),
        ({"config": "."}, {}, "The settings file . cannot be read: Is a directory."),
    ],
)
def test_a_file_that_was_named_has_to_be_there(
    flags: Mapping[str, str], environ: Mapping[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(flags, environ)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"port = = 1", "The settings file stagedoor.toml is not TOML: "),
        (b"title = '\xff'", "The settings file stagedoor.toml is not UTF-8 text."),
        (b"prot = 1", 'stagedoor.toml has "prot", but there is no such setting; did you mean port?'),
        (b"PORT = 1", 'stagedoor.toml has "PORT", but there is no such setting; did you mean port?'),
        (b"STAGEDOOR_PORT = 1", "did you mean port?"),
        (b"max-active = 1", "did you mean max_active?"),
        (b"[server]\nport = 1", 'stagedoor.toml has "server", but there is no such setting'),
        (b"origins = 1", 'stagedoor.toml has "origins", but there is no such setting'),
        (b"port = true", "port in stagedoor.toml is true, but it has to be a whole number from 0 to 65535."),
        (b"port = 80.0", "port in stagedoor.toml is 80.0, but it has to be"),
        (b"hold_seconds = nan", "hold_seconds in stagedoor.toml is nan, but it has to be"),
        (b"hold_seconds = inf", "hold_seconds in stagedoor.toml is inf, but it has to be"),
        (b"opens_at = 2027-01-09T20:00:00", "but it has to be a date and time with its offset from UTC"),
        (b"trusted_proxies = [1]", "but it has to be a list"),
        (b"secret = 12345678901234567", "secret in stagedoor.toml is not a text, but it has to be"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(content: bytes, sentence: str) -> None:
    Path("stagedoor.toml").write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        loaded()

    assert sentence in str(refused.value)


def test_values_in_the_file_may_have_the_types_of_toml() -> None:
    Path("stagedoor.toml").write_text(
        "port = 0\n"
        "hold_seconds = 300\n"
        "admit_rate = 2.5\n"
        "opens_at = 2027-01-09T20:00:00+09:00\n"
        "allow_demo_identity_public = true\n"
        "trusted_proxies = ['10.0.0.0/8', '::1']\n"
    )

    settings = loaded()

    assert (settings.port, settings.hold_seconds, settings.admit_rate) == (0, 300.0, 2.5)
    assert settings.opens_at == 1_799_492_400_000
    assert settings.allow_demo_identity_public
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("STAGEDOOR_MAX_ACTIV", "There is no setting STAGEDOOR_MAX_ACTIV; did you mean STAGEDOOR_MAX_ACTIVE?"),
        ("STAGEDOOR_PRT", "There is no setting STAGEDOOR_PRT; did you mean STAGEDOOR_PORT?"),
        ("STAGEDOOR_WHATEVER_THIS_IS", "There is no setting STAGEDOOR_WHATEVER_THIS_IS."),
        ("STAGEDOOR_ORIGINS", "There is no setting STAGEDOOR_ORIGINS"),
        ("STAGEDOOR_", "There is no setting STAGEDOOR_."),
    ],
)
def test_an_unknown_variable_is_refused(variable: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(environ={variable: "1"})

    assert str(refused.value).startswith(sentence)


def test_variables_of_others_are_left_alone() -> None:
    assert loaded(environ={"PORT": "1", "STAGEDOORS": "x", "stagedoor_port": "1"}).port == 8_080


@pytest.mark.parametrize(
    ("environ", "data_dir", "database_file"),
    [
        ({}, "data", "data/stagedoor.db"),
        ({"STAGEDOOR_DATA_DIR": "/srv/a b"}, "/srv/a b", "/srv/a b/stagedoor.db"),
        ({"STAGEDOOR_DATABASE_URL": "sqlite:///x/night.db"}, "x", "x/night.db"),
        ({"STAGEDOOR_DATABASE_URL": "sqlite:///night.db"}, ".", "night.db"),
        ({"STAGEDOOR_DATABASE_URL": "sqlite:////srv/한 글/night.db"}, "/srv/한 글", "/srv/한 글/night.db"),
        ({"STAGEDOOR_DATABASE_URL": "sqlite:////a/b.db", "STAGEDOOR_DATA_DIR": "/c"}, "/c", "/a/b.db"),
    ],
)
def test_database_and_folder_follow_each_other(environ: Mapping[str, str], data_dir: str, database_file: str) -> None:
    settings = loaded(environ=environ)

    assert settings.data_dir == Path(data_dir)
    assert settings.database_file == Path(database_file)
