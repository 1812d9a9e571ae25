"""Every no has its code: one table, complete, and true to the contract."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import stagedoor
from stagedoor.http import problems
from stagedoor.http.problems import REFUSALS, Refusal
from stagedoor.kernel.errors import Rejection

STATUS_OF_CODE = {
    "001": 403,
    "002": 409,
    "003": 410,
    "004": 409,
    "005": 402,
    "006": 410,
    "007": 409,
    "008": 409,
    "400": 400,
    "401": 401,
    "403": 403,
    "404": 404,
    "405": 405,
    "409": 409,
    "413": 413,
    "415": 415,
    "422": 422,
    "429": 429,
    "500": 500,
    "503": 503,
}


def rejections(of: type[Rejection] = Rejection) -> Iterator[type[Rejection]]:
    for rejection in of.__subclasses__():
        yield rejection
        yield from rejections(rejection)


def all_refusals() -> set[Refusal]:
    return {value for value in vars(problems).values() if isinstance(value, Refusal)}


def test_every_rejection_has_its_entry_and_nothing_else_has() -> None:
    for module in pkgutil.walk_packages(stagedoor.__path__, "stagedoor."):
        # Alembic runs its own files, and `python -m` the other: neither can be imported.
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    known = {rejection for rejection in rejections() if rejection.__module__.startswith("stagedoor.")}

    assert known == REFUSALS.keys()


@pytest.mark.parametrize("refusal", sorted(all_refusals()), ids=lambda refusal: f"{refusal.code} {refusal.en}")
def test_every_code_has_its_one_status_and_a_sentence_in_each_language(refusal: Refusal) -> None:
    assert STATUS_OF_CODE[refusal.code] == refusal.status
    assert refusal.en.endswith(".")
    assert refusal.ko.endswith(".")
    assert not refusal.ko.isascii()


def test_every_code_of_the_contract_is_in_use() -> None:
    assert {refusal.code for refusal in all_refusals()} == STATUS_OF_CODE.keys()


def test_a_sentence_names_nothing_of_the_inside() -> None:
    for refusal in all_refusals():
        for word in ("Error", "Exception", "SQL", "None", "stagedoor", "_"):
            assert word not in refusal.en
