"""Events and how they are told: a name each, a form for the public ones, and no word of how to reach anybody."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

import stagedoor
from stagedoor.adapters.kafka.wire import FORMS
from stagedoor.kernel.events import DomainEvent

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events"

TOLD = {
    "id",
    "type",
    "version",
    "occurredAt",
    "data",
    "orderId",
    "holdId",
    "buyerId",
    "roomId",
    "placeNumber",
    "performanceId",
    "seatIds",
    "amountWon",
    "placeOver",
    "expiresAt",
    "extendedMs",
    "cause",
}
"""All that leaves the house. Whoever adds to it has thought about whose data it is."""


def every_event() -> Iterator[type[DomainEvent]]:
    """Yield the events that can happen: those with a name."""
    for found in pkgutil.walk_packages(stagedoor.__path__, "stagedoor."):
        # Alembic runs its own files, and `python -m` the other: neither can be imported.
        if ".migrations" in found.name or found.name.endswith("__main__"):
            continue
        classes = [each for each in vars(importlib.import_module(found.name)).values() if isinstance(each, type)]
        ours = [each for each in classes if issubclass(each, DomainEvent) and each.__module__ == found.name]
        yield from (each for each in ours if hasattr(each, "name"))


def keys_of(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, inside in schema.get("properties", {}).items():
        yield name
        yield from keys_of(inside)


def test_no_two_have_one_name() -> None:
    names = [event.name for event in every_event()]

    assert len(names) == len(set(names)) >= 6


def test_those_that_are_public_have_a_form_and_no_others() -> None:
    assert {event for event in every_event() if event.is_public} == {form.event for form in FORMS}


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_nothing_leaves_that_nobody_has_thought_about(path: Path) -> None:
    assert set(keys_of(msgspec.json.decode(path.read_bytes()))) <= TOLD


def test_every_form_is_published_and_nothing_else() -> None:
    published = {path.name for path in SCHEMAS.glob("*.json")}

    assert published == {f"{form.name}.v{form.version}.schema.json" for form in FORMS}
