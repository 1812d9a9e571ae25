"""What all processes of one database have to have in common, and what of it may be seen there."""

import pytest

from stagedoor.settings import Settings, load
from stagedoor.settings.agreement import AGREED, differences, terms_of
from stagedoor.settings.model import TABLE

ONE, TWO, THREE = ("one secret of thirty-two bytes, or more", "two secret of thirty-two bytes, or more", "3" * 40)
CLUSTER = {
    "STAGEDOOR_DATABASE_URL": "mariadb://ann:pa55@db/stagedoor",
    "STAGEDOOR_REDIS_URL": "redis://:pa55@cache/1",
    "STAGEDOOR_SECRET": ONE,
}


def settings(**changed: str) -> Settings:
    return load(flags={}, environ={**CLUSTER, **{f"STAGEDOOR_{name}": value for name, value in changed.items()}})


def test_everything_agreed_on_is_a_setting() -> None:
    assert set(AGREED) <= {row.name for row in TABLE}


def test_no_secret_is_in_what_is_written_down() -> None:
    written = repr(terms_of(settings()))

    assert ONE not in written
    assert "pa55" not in written


def test_what_is_the_same_does_not_differ() -> None:
    other_host = settings(HOST="127.0.0.2", PORT="9", LOG_LEVEL="error", REDIS_URL="redis://other:word@cache/1")

    assert differences(other_host, terms_of(settings())) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOLD_SECONDS", "240"), ("MAX_ACTIVE", "31"), ("REDIS_URL", "redis://cache/2"), ("SECRET", TWO)],
)
def test_what_differs_is_named_with_what_was_agreed_on(name: str, value: str) -> None:
    agreed = terms_of(settings())

    assert differences(settings(**{name: value}), agreed) == {name.lower(): agreed[name.lower()]}


def test_a_setting_that_nobody_has_agreed_on_yet_does_not_differ() -> None:
    agreed = {name: value for name, value in terms_of(settings()).items() if name != "hold_seconds"}

    assert differences(settings(HOLD_SECONDS="240"), agreed) == {}


def test_a_secret_is_changed_one_process_after_another() -> None:
    agreed = terms_of(settings())

    assert differences(settings(SECRET=TWO, SECRET_PREVIOUS=ONE), agreed) == {}
    assert set(differences(settings(SECRET=TWO, SECRET_PREVIOUS=THREE), agreed)) == {"secret"}
