"""One sale from its opening to the verdict, with a script of outages played over it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.chaos.crowd import Crowd, Rates
from tests.chaos.house import House
from tests.chaos.judge import Verdict, judge
from tests.chaos.plan import Script, play
from tests.chaos.watch import Change, Watch

FINISH_S = 30.0
"""How long those who are under way at the end may still take: as long as a hold lasts, and some more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What was played, what was seen, what was wrong."""

    script: Script
    crowd: Crowd
    watch: Watch
    changes: Sequence[Change]
    verdict: Verdict


async def a_sale(house: House, script: Script, *, seed: int, rates: Rates, say: Callable[[str], None]) -> Sale:
    """Sell in *house* while *script* is played; *say* is told how it goes."""
    crowd = Crowd(house, seed)
    watch = Watch(house, crowd)
    over = asyncio.Event()
    crowd.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.go_on(over))
        group.create_task(_told(script, crowd, say))
        await asyncio.gather(crowd.come(rates, script.seconds), play(script.outages, house.proxies, until=crowd.until))
        await crowd.finish(FINISH_S)
        over.set()
    say("Comparing what buyers were told with what is stored ...")
    verdict = await judge(house, crowd)
    return Sale(script=script, crowd=crowd, watch=watch, changes=watch.changes(), verdict=verdict)


async def _told(script: Script, crowd: Crowd, say: Callable[[str], None]) -> None:
    for outage in sorted(script.outages, key=lambda outage: outage.at_s):
        await crowd.until(outage.at_s)
        say(f"{crowd.now_s:5.0f} s  {outage.dependency} {outage.label}, for {outage.lasts_s:g} s")
