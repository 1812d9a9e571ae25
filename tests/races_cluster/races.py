"""The races of one process, where they are told: every story of tests/e2e that asks for no more than a `House`."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TypeGuard, get_type_hints

from tests.e2e.harness.evening import House
from tests.e2e.harness.programme import RoomPlan

STORIES = Path(__file__).resolve().parents[1] / "e2e"
MUTANTS = STORIES / "mutants"
PLAYED_ON, BROKEN = "evening", "broken"
"""What a story calls the house that it is played on, and a control the one without its guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A story, and what its module says it needs; *without* names the guard that is missing where it is a control."""

    name: str
    play: Callable[[House], Coroutine[object, object, None]]
    rooms: Sequence[RoomPlan]
    settings: Mapping[str, str]
    without: str


def races() -> list[Race]:
    """Return every race."""
    return list(_told_of(PLAYED_ON))


def controls() -> list[Race]:
    """Return every control of such a race, each of which takes a guard out of the server."""
    return list(_told_of(BROKEN))


def _told_of(house: str) -> Iterator[Race]:
    for path in sorted(STORIES.glob("test_*.py")):
        module = import_module(f"tests.e2e.{path.stem}")
        for name, story in vars(module).items():
            if name.startswith("test_") and _is_played_on(house, story):
                yield Race(
                    name=f"{path.stem}-{name}".replace("test_", ""),
                    play=story,
                    rooms=_rooms(module),
                    settings=getattr(module, "SETTINGS", {}),
                    without=getattr(module, "BROKEN", ""),
                )


def _is_played_on(house: str, story: object) -> TypeGuard[Callable[[House], Coroutine[object, object, None]]]:
    if not isinstance(story, FunctionType):
        return False
    hints = get_type_hints(story)
    return hints.get(house) is House and not hints.keys() - {house, "return"}


def _rooms(module: ModuleType) -> Sequence[RoomPlan]:
    return [*getattr(module, "ROOMS", ()), *getattr(module, "OWN_ROOMS", ())]
