"""One soak: a sale under flapping faults, sampled from its beginning to its end."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.cluster import STAGEDOOR
from tests.chaos.crowd import Crowd, Rates
from tests.chaos.house import House, a_house
from tests.chaos.judge import Verdict, judge
from tests.chaos.plan import Script, play
from tests.soak.flapping import flapping
from tests.soak.growth import Sample
from tests.soak.sampling import Sampling, busy_at_rest

RATES = Rates(rush=30, arrivals=3.0)
FINISH_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What was done, and what was found."""

    script: Script
    samples: Sequence[Sample]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many there have to be of everything, from *since_s* on: whoever needs them waits for them."""

    count: int
    since_s: float


AS_THEY_COME = Samples(count=0, since_s=0.0)


def soak(  # noqa: PLR0913 -- a sale, and what is to be seen of it
    seconds: float,
    *,
    seed: int,
    database: str,
    program: Sequence[str] = STAGEDOOR,
    samples: Samples = AS_THEY_COME,
    say: Callable[[str], None],
) -> Soak:
    """Sell for so many *seconds* in a house of its own, whose first server is run by *program*."""
    with (
        tempfile.TemporaryDirectory(prefix="stagedoor-soak-") as folder,
        a_house(Path(folder), database=database, program=program) as house,
    ):
        return asyncio.run(_soak(house, flapping(seconds, seed=seed), seed, samples, say))


async def _soak(house: House, script: Script, seed: int, samples: Samples, say: Callable[[str], None]) -> Soak:
    crowd = Crowd(house, seed)
    sampling = Sampling(house, crowd)
    over = asyncio.Event()
    crowd.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(sampling.go_on(over))
        group.create_task(_tell(script, crowd, over, say))
        await asyncio.gather(crowd.come(RATES, script.seconds), play(script.outages, house.proxies, until=crowd.until))
        await sampling.enough(samples.count, since_s=samples.since_s)
        over.set()
    await crowd.finish(FINISH_S)
    busy = await busy_at_rest(house)
    verdict = await judge(house, crowd)
    return Soak(script=script, samples=sampling.samples, verdict=replace(verdict, wrong=[*verdict.wrong, *busy]))


async def _tell(script: Script, crowd: Crowd, over: asyncio.Event, say: Callable[[str], None]) -> None:
    for minute in range(1, int(script.seconds // 60) + 1):
        await crowd.until(60 * minute)
        if not over.is_set():
            say(f"{minute} min: {len(crowd.seen):,} requests")
