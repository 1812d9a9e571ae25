"""What goes wrong when: outages as a list that a person can read, and what it takes to make them happen."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import yaml

from tests.faults.proxy import Proxy
from tests.faults.toxics import Bandwidth, Latency, ResetPeer, Slicer, Stream, Timeout, Toxic

DEFAULT = Path(__file__).with_name("default.yaml")

DOWN = "down"
TOXICS: Mapping[str, Callable[..., Toxic]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slicer": Slicer,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
}
"""By their names in a script; `down` is no toxic but a closed door."""


class Dependency(StrEnum):
    """What a process of the cluster needs, and can lose."""

    DATABASE = "database"
    REDIS = "redis"
    KAFKA = "kafka"


class BadScriptError(Exception):
    """A script cannot be played; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One thing that goes wrong *at_s* seconds after the opening, for *lasts_s*; *figures* are those of the toxic."""

    at_s: float
    lasts_s: float
    dependency: Dependency
    toxic: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def until_s(self) -> float:
        """When it ends."""
        return self.at_s + self.lasts_s

    @property
    def label(self) -> str:
        """What is wrong, in a few words."""
        told = self.figures
        share = f", {told['toxicity']:.0%} of connections" if "toxicity" in told else ""
        return {
            DOWN: "refuses",
            "latency": f"+{told.get('ms', 0):g} ms",
            "bandwidth": f"{told.get('bytes_per_s', 0):,} B/s",
            "slicer": "slow drip",
            "timeout": "hangs",
            "reset_peer": "resets",
        }[self.toxic] + share

    def made(self) -> Toxic | None:
        """Return the toxic, or None where the door is closed. Raises `BadScriptError`."""
        if self.toxic == DOWN:
            if self.figures:
                raise BadScriptError(f"`down` closes the door: it has no {', '.join(self.figures)}.")
            return None
        if self.toxic not in TOXICS:
            raise BadScriptError(f"There is no toxic {self.toxic!r}: there are {DOWN}, {', '.join(TOXICS)}.")
        told = dict(self.figures)
        try:
            if "stream" in told:
                told["stream"] = Stream(told["stream"])
            return TOXICS[self.toxic](**told)
        except (TypeError, ValueError) as wrong:
            raise BadScriptError(f"The toxic {self.toxic} cannot be made of {self.figures}: {wrong}.") from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """*outages* in a sale of so many *seconds*."""

    seconds: float
    outages: Sequence[Outage]

    def __post_init__(self) -> None:
        """Refuse what cannot be played, before anything is started. Raises `BadScriptError`."""
        for outage in self.outages:
            outage.made()
            if not 0 <= outage.at_s < outage.until_s <= self.seconds:
                raise BadScriptError(
                    f"The outage at {outage.at_s:g} for {outage.lasts_s:g} s is not within the {self.seconds:g} s."
                )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a script as `default.yaml` is one. Raises `BadScriptError`."""
        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls(seconds=float(told["seconds"]), outages=[_outage(each) for each in told["outages"]])
        except OSError as error:
            raise BadScriptError(f"{path} cannot be read: {error.strerror}.") from error
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise BadScriptError(f"{path} is no script ({error!r}): tests/chaos/default.yaml is one.") from error

    def lasting(self, seconds: float) -> Self:
        """Return the same in so many *seconds*: all of it is shortened, or stretched, alike."""
        factor = seconds / self.seconds
        outages = [replace(each, at_s=each.at_s * factor, lasts_s=each.lasts_s * factor) for each in self.outages]
        return replace(self, seconds=seconds, outages=outages)


def _outage(told: Mapping[str, Any]) -> Outage:
    rest = {name: value for name, value in told.items() if name not in {"at", "for", "dependency", "toxic"}}
    return Outage(
        at_s=float(told["at"]),
        lasts_s=float(told["for"]),
        dependency=Dependency(told["dependency"]),
        toxic=told["toxic"],
        figures=rest,
    )


async def play(
    outages: Iterable[Outage], proxies: Mapping[Dependency, Proxy], *, until: Callable[[float], Any]
) -> None:
    """Let every outage begin and end in its time; *until* waits for a second of the sale."""
    async with asyncio.TaskGroup() as group:
        for outage in outages:
            group.create_task(_play(outage, proxies[outage.dependency], until))


async def _play(outage: Outage, proxy: Proxy, until: Callable[[float], Any]) -> None:
    toxic = outage.made()
    await until(outage.at_s)
    await asyncio.to_thread(proxy.down if toxic is None else lambda: proxy.add(toxic))
    try:
        await until(outage.until_s)
    finally:
        await asyncio.to_thread(proxy.up if toxic is None else lambda: proxy.remove(toxic))
