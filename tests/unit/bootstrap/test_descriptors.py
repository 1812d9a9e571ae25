"""How many connections there can be, where the system has something to say about open files."""

import resource

import pytest

from stagedoor.bootstrap.descriptors import KEPT_FOR_OURSELVES, room_for


class System:
    """Stands in for the system's limits; raising beyond *hard* is refused, as is any raising if *is_stubborn*."""

    def __init__(self, soft: int, hard: int, *, is_stubborn: bool = False) -> None:
        self.limits = (soft, hard)
        self._is_stubborn = is_stubborn

    def get(self, _which: int) -> tuple[int, int]:
        return self.limits

    def set(self, _which: int, limits: tuple[int, int]) -> None:
        if self._is_stubborn or limits[0] > self.limits[1] != resource.RLIM_INFINITY:
            raise ValueError
        self.limits = limits


@pytest.fixture
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    system: System = request.param
    monkeypatch.setattr(resource, "getrlimit", system.get)
    monkeypatch.setattr(resource, "setrlimit", system.set)
    return system


@pytest.mark.parametrize(
    ("system", "room", "soft"),
    [
        (System(1_024, 1_048_576), 10_000, 10_000 + KEPT_FOR_OURSELVES),
        (System(1_024, resource.RLIM_INFINITY), 10_000, 10_000 + KEPT_FOR_OURSELVES),
        (System(1_024, 4_096), 4_096 - KEPT_FOR_OURSELVES, 4_096),
        (System(1_024, 4_096, is_stubborn=True), 1_024 - KEPT_FOR_OURSELVES, 1_024),
        (System(100, 100), 1, 100),
        (System(65_536, 65_536), 10_000, 65_536),
        (System(resource.RLIM_INFINITY, resource.RLIM_INFINITY), 10_000, resource.RLIM_INFINITY),
    ],
    indirect=["system"],
)
def test_the_limit_is_raised_as_far_as_it_is_needed_and_allowed(system: System, room: int, soft: int) -> None:
    assert room_for(10_000) == room

    assert system.limits[0] == soft
