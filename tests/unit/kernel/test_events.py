"""A kind of event that does not say what it is about is found out where one is made, not in a sale's transaction."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from stagedoor.kernel.events import DomainEvent
from stagedoor.kernel.ids import EventId
from tests.builders.events import something
from tests.builders.sale import NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutNothing(DomainEvent):
    name: ClassVar[str] = "AboutNothing"


def test_an_event_of_a_kind_that_has_no_subject_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="subject_id"):
        AboutNothing(event_id=EventId("e1"), occurred_at=NOON)  # type: ignore[abstract]  # mypy says so too


def test_an_event_of_a_kind_that_has_one_can() -> None:
    assert something("e1").subject_id == 1
