"""The metrics of several processes on one page: each sample says which of them it is of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

PROCESS = "process"
"""The label: a worker's number, which whoever is started in its place has again."""


class _Sample(msgspec.Struct, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class _Family(msgspec.Struct, array_like=True):
    name: str
    kind: str
    meaning: str
    samples: list[_Sample]


def page_of(registry: CollectorRegistry) -> bytes:
    """Return all that *registry* has to tell, for `FleetMetrics` of another process."""
    return msgspec.json.encode(
        [
            _Family(
                family.name,
                family.type,
                family.documentation,
                [_Sample(sample.name, dict(sample.labels), sample.value) for sample in family.samples],
            )
            for family in registry.collect()
        ]
    )


class FleetMetrics(Collector):
    """What the *pages* of processes, by their numbers, come to together; None for one that could not be asked."""

    def __init__(self, pages: Mapping[int, bytes | None]) -> None:
        """Read the pages; one that was cut off, because its process ended, is as good as none."""
        self._pages = {number: _read(page) for number, page in sorted(pages.items())}

    @override
    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "stagedoor_process_up", "Whether a process of this command has told of its metrics.", labels=[PROCESS]
        )
        for number, page in self._pages.items():
            up.add_metric([str(number)], int(page is not None))
        yield up
        merged: dict[str, Metric] = {}
        for number, family in self._families():
            metric = merged.get(family.name)
            if metric is None:
                metric = merged[family.name] = Metric(family.name, family.meaning, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, {**sample.labels, PROCESS: str(number)}, sample.value)
        yield from merged.values()

    def _families(self) -> Iterable[tuple[int, _Family]]:
        for number, page in self._pages.items():
            for family in page or ():
                yield number, family


def _read(page: bytes | None) -> Sequence[_Family] | None:
    if page is None:
        return None
    try:
        return msgspec.json.decode(page, type=list[_Family])
    except msgspec.DecodeError:
        return None
