"""A seeded plan by which every dependency comes and goes, each for itself, in all the ways in which one can."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.plan import DOWN, Dependency, Outage, Script

GOOD_S = (5.0, 14.0)
BAD_S = (1.0, 5.0)
"""From one end to the next beginning, and from beginning to end: at least and at most."""

CALM_S = 10.0
"""How long all is well at the end."""

WAYS: Sequence[tuple[str, Mapping[str, Any]]] = (
    (DOWN, {}),
    ("timeout", {}),
    ("reset_peer", {"after_bytes": 40}),
    ("reset_peer", {"after_bytes": 200, "toxicity": 0.5}),
    ("latency", {"ms": 300, "jitter_ms": 200}),
    ("slicer", {"size": 8, "delay_ms": 20}),
)


def flapping(seconds: float, *, seed: int) -> Script:
    """Return such a script of so many *seconds*; the same for the same *seed*."""
    outages = [outage for dependency in Dependency for outage in _of(dependency, seconds, seed)]
    return Script(seconds=seconds, outages=sorted(outages, key=lambda outage: outage.at_s))


def _of(dependency: Dependency, seconds: float, seed: int) -> Iterator[Outage]:
    chance = random.Random(f"{seed}/{dependency}")
    at_s = chance.uniform(*GOOD_S)
    while True:
        lasts_s = chance.uniform(*BAD_S)
        toxic, figures = chance.choice(WAYS)
        if at_s + lasts_s > seconds - CALM_S:
            return
        yield Outage(at_s=at_s, lasts_s=lasts_s, dependency=dependency, toxic=toxic, figures=figures)
        at_s += lasts_s + chance.uniform(*GOOD_S)
