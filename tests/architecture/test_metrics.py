"""Every metric is named in one file, by one rule, with labels of closed sets."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import stagedoor
from stagedoor.kernel.ids import RoomId
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.waiting_room.model import LineView

NAME = re.compile(r"(stagedoor|resilience4j)(_[a-z]+)+")
LABELS = {
    "batch",
    "cache",
    "call",
    "cause",
    "code",
    "fault",
    "kind",
    "name",
    "outcome",
    "outlet",
    "result",
    "room",
    "state",
    "status",
    "version",
}
"""Everything that may be told apart; each has few values, and rooms are what operators made."""

A_LINE = LineView(
    room_id=RoomId("main"), serving_number=1, last_number=1, waiting=0, active=0, admitted_per_second=None
)


def families() -> list[Metric]:
    metrics = Metrics()
    metrics.watch_lines(lambda: [A_LINE])
    breakers = Breakers({}, now_ns=lambda: 0)
    breakers.of(Instance.DATABASE)
    metrics.watch_breakers(breakers)
    return [family for family in metrics.registry.collect() if NAME.fullmatch(family.name)]


def label_names() -> Iterator[tuple[str, str]]:
    metrics = Metrics()
    for collector in metrics.registry._collector_to_names:  # noqa: SLF001 -- there is no other way to list them
        yield from ((str(name), label) for label in getattr(collector, "_labelnames", ()) for name in _named(collector))


def _named(collector: Collector) -> Iterator[str]:
    yield from (family.name for family in collector.collect())


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_a_name_says_what_is_measured_and_a_sentence_what_it_means(family: Metric) -> None:
    assert NAME.fullmatch(family.name)
    assert family.documentation.endswith(".")
    if family.type == "histogram":
        assert family.name.endswith(("_seconds", "_commands"))


def test_there_are_the_families_that_are_promised() -> None:
    assert {family.name for family in families()} >= {
        "stagedoor_http_requests",
        "stagedoor_http_request_duration_seconds",
        "stagedoor_line_places_waiting",
        "stagedoor_line_passes_active",
        "stagedoor_admissions",
        "stagedoor_holds",
        "stagedoor_orders",
        "stagedoor_refusals",
        "stagedoor_faults",
        "stagedoor_outbox_records",
        "stagedoor_cache_requests",
    } | {
        f"resilience4j_circuitbreaker_{name}"
        for name in (
            "state",
            "calls_seconds",
            "calls_seconds_max",
            "buffered_calls",
            "slow_calls",
            "failure_rate",
            "slow_call_rate",
            "not_permitted_calls",
        )
    }


def test_labels_are_of_closed_sets() -> None:
    used = {label for name, label in label_names() if name.startswith("stagedoor")}
    used |= {label for family in families() for sample in family.samples for label in sample.labels}

    assert used - {"le"} <= LABELS


def test_no_other_file_makes_a_metric() -> None:
    [root] = stagedoor.__path__
    makers = {
        path.relative_to(root).as_posix()
        for path in Path(root).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client")
    }

    # The second puts together what the first has made, and adds which processes told.
    assert makers <= {"observability/metrics.py", "observability/fleet_metrics.py"}
