"""A cluster with a crowd in front of it, of whose processes one reads late and one falls asleep when it leads."""

import asyncio
from pathlib import Path

from redis.asyncio import Redis

from tests.cluster import crowd
from tests.cluster.crowd import ROOM_ID, Plan, Told
from tests.cluster.crowd_judge import Verdict, judge
from tests.cluster.disturbed import ASLEEP, KEPT, LATE, program
from tests.cluster.evening import Cluster, lay_out, settings_for
from tests.cluster.log_record import read_log

LEASE_LOST_EVERY_S = 7.0


def evening(plan: Plan, size: int, folder: Path, urls: tuple[str, str], *broken: str) -> Verdict:
    """
    Let the crowd of *plan* come to *size* processes, and judge it.

    *urls* are of an empty database and an empty Redis; *broken* names what is
    taken out of every process, for a negative control.
    """
    database_url, redis_url = urls
    programme = asyncio.run(lay_out(database_url, [plan.room], members=plan.buyers))
    settings = settings_for(database_url, redis_url, POLLS_PER_SECOND=str(plan.polls_per_second))
    with Cluster.of(0, folder, settings, programme) as cluster:
        for number in range(1, size + 1):
            disturbances = {size: [LATE], size - 1: [ASLEEP]}.get(number, [])
            cluster.start(program=program(KEPT, *disturbances, *broken))
        for server in cluster.servers:
            assert server.port
        told = asyncio.run(_played(plan, cluster, redis_url))
        entries = read_log(redis_url, ROOM_ID)
        check = []
        try:
            asyncio.run(cluster.checked())
        except AssertionError as found:
            check.append(str(found))
        verdict = judge(plan, told, entries, check=check)
        verdict.figures["turns of a sleeper refused"] = str(_refused_turns(cluster))
    return verdict


async def _played(plan: Plan, cluster: Cluster, redis_url: str) -> Told:
    losing = asyncio.create_task(_lose_the_lease(redis_url))
    try:
        return await crowd.run(plan, cluster)
    finally:
        losing.cancel()
        await asyncio.gather(losing, return_exceptions=True)


async def _lose_the_lease(redis_url: str) -> None:
    """Let whoever leads lose the room's lease now and then, as somebody does who was not heard of in time."""
    async with Redis.from_url(redis_url, protocol=2) as redis:
        while True:
            await asyncio.sleep(LEASE_LOST_EVERY_S)
            await redis.delete(f"stagedoor:{{{ROOM_ID}}}:lease")


def _refused_turns(cluster: Cluster) -> int:
    """Count how often a process was told that it does not lead any more."""
    return sum(server.log.read_text().count("line.turn_refused") for server in cluster.servers)
