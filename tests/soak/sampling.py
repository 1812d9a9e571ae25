"""What is sampled of a house at work: its processes by /proc, the servers by their metrics, connections by proxies."""

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scripts.cluster import Member
from tests.chaos.crowd import Crowd
from tests.chaos.house import SERVERS, House
from tests.chaos.watch import page_of
from tests.e2e.harness.client import Client
from tests.e2e.harness.until import until
from tests.soak.growth import CONNECTIONS, FILES, MEMORY, PERMITS, TASKS, THREADS, Sample

SAMPLE_EVERY_S = 1.0
REST_S_MAX = 20.0
ENOUGH_LOOKS = 600
LOOK_EVERY_S = 0.2
KIB_A_MIB = 1024

_STATUS = re.compile(r"^(VmRSS|Threads):\s+(\d+)", re.MULTILINE)
_TASKS = re.compile(r"^stagedoor_tasks ([0-9.e+]+)$", re.MULTILINE)
_CLIENTS = re.compile(r"^stagedoor_connections ([0-9.e+]+)$", re.MULTILINE)
_FREE = re.compile(r"^resilience4j_bulkhead_available_concurrent_calls\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
_SIZE = re.compile(r"^resilience4j_bulkhead_max_allowed_concurrent_calls\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass(slots=True)
class Sampling:
    """Samples a house every second until told to end."""

    house: House
    crowd: Crowd
    samples: list[Sample] = field(default_factory=list)

    async def go_on(self, over: asyncio.Event) -> None:
        """Sample until it is *over*."""
        clients = {name: Client(self.house.processes[name].port) for name in SERVERS}
        try:
            while not over.is_set():
                at_s = self.crowd.now_s
                for name, process in self.house.processes.items():
                    figures = of_process(process)
                    if name in clients:
                        page = await page_of(clients[name])
                        figures |= of_page(page)
                        figures[FILES] -= client_connections(page)
                    self.samples += [Sample(at_s, name, what, value) for what, value in figures.items()]
                for dependency, proxy in self.house.proxies.items():
                    self.samples.append(Sample(at_s, f"all, to {dependency}", CONNECTIONS, proxy.open))
                await self.crowd.until(at_s + SAMPLE_EVERY_S)
        finally:
            for client in clients.values():
                client.hang_up()

    async def enough(self, count: int, *, since_s: float) -> None:
        """Return when there are *count* samples of everything *since_s*: a busy machine takes longer over each."""

        async def fewest() -> int:
            counts = Counter((one.process, one.what) for one in self.samples if one.at_s >= since_s)
            return min(counts.values(), default=0)

        await until(fewest, lambda seen: seen >= count, looks=ENOUGH_LOOKS, between_s=LOOK_EVERY_S)


async def busy_at_rest(house: House) -> list[str]:
    """Name, once nobody calls any more, each server that still has a permit of a bulkhead in use after a while."""
    found = []
    for name in SERVERS:
        client = Client(house.processes[name].port)
        deadline = time.monotonic() + REST_S_MAX
        while in_use := of_page(await page_of(client)).get(PERMITS, 1.0):
            if time.monotonic() > deadline:
                found.append(f"{name} has {in_use:g} permits of the database in use, and nobody calls")
                break
            await asyncio.sleep(LOOK_EVERY_S)
        client.hang_up()
    return found


def of_process(process: Member) -> dict[str, float]:
    """Return what the system knows of it."""
    folder = Path(f"/proc/{process.pid}")
    told = dict(_STATUS.findall((folder / "status").read_text()))
    files = sum(1 for _ in (folder / "fd").iterdir())
    return {MEMORY: int(told["VmRSS"]) / KIB_A_MIB, THREADS: int(told["Threads"]), FILES: files}


def of_page(page: str) -> dict[str, float]:
    """Return what a server says of itself; nothing where it said nothing."""
    if (tasks := _TASKS.search(page)) is None:
        return {}
    in_use = sum(map(float, _SIZE.findall(page))) - sum(map(float, _FREE.findall(page)))
    return {TASKS: float(tasks[1]), PERMITS: in_use}


def client_connections(page: str) -> float:
    """Return how many clients are connected, 0 where the server said nothing."""
    return sum(map(float, _CLIENTS.findall(page)))
