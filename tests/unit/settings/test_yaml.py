"""A settings file in YAML, with settings of all kinds in it."""

from pathlib import Path

import pytest

from scripts.write_reference import SEED_BLOCK
from stagedoor.resilience.breakers import Instance
from stagedoor.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str) -> Settings:
    Path("stagedoor.yaml").write_text(text)
    return load(flags={}, environ={})


def refusal(text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(text)
    return str(refused.value)


def test_other_settings_beside_it() -> None:
    Path("stagedoor.yaml").write_text("max_active: 40\nopens_at: 2027-01-09T20:00:00+09:00\n" + SEED_BLOCK)

    settings = load(flags={}, environ={})

    assert settings.max_active == 40
    assert str(settings.origins["max_active"]) == "stagedoor.yaml"
    assert settings.opens_at == 1_799_492_400_000


def test_named_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "application.yml"
    path.write_text(SEED_BLOCK)

    assert load(flags={}, environ={"STAGEDOOR_CONFIG": str(path)}).breakers.keys() == {
        Instance.QUEUE,
        Instance.CONCERT,
    }


def test_two_files_at_once() -> None:
    Path("stagedoor.toml").write_text("")

    assert refusal(SEED_BLOCK) == (
        "There are both stagedoor.toml and stagedoor.yaml: keep one, or name it with --config."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_active: 40\nmax_active: 50\n", 'is not YAML: "max_active" is there twice (at line 2, column 1).'),
        (2 * SEED_BLOCK, 'is not YAML: "resilience4j" is there twice (at line 19, column 1).'),
        ("port: [1\n", "is not YAML: expected ',' or ']', but got '<stream end>' (at line 2, column 1)."),
        ("port: !!python/object:os.system x\n", "is not YAML: could not determine a constructor for the tag"),
        ("- port\n", "has to be lines of the form NAME: VALUE."),
        ("1: 2\n", "has to be lines of the form NAME: VALUE."),
        ("prot: 1\n", 'has "prot", but there is no such setting; did you mean port?'),
    ],
)
def test_what_is_no_settings_file(text: str, sentence: str) -> None:
    assert sentence in refusal(text)


def test_an_empty_one() -> None:
    assert read("# nothing\n").breakers == {}


def test_what_is_said_once_and_used_twice() -> None:
    text = """
        resilience4j.circuitbreaker.instances:
          queueService: &quick {slidingWindowSize: 9}
          saleService:
            <<: *quick
            minimumNumberOfCalls: 3
    """

    found = read(text).breakers

    assert found[Instance.SALE].sliding_window_size == found[Instance.QUEUE].sliding_window_size == 9
    assert found[Instance.SALE].minimum_number_of_calls == 3
