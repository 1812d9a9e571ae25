"""Every metric there is, by name, in this one file; labels come from closed sets and never name a seat or a buyer."""

from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, exposition
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

from stagedoor import __version__
from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.events import HoldExpired, HoldPlaced, HoldReleased
from stagedoor.kernel.events import DomainEvent
from stagedoor.resilience.breaker import State
from stagedoor.resilience.breakers import Breakers
from stagedoor.resilience.bulkhead import Bulkhead
from stagedoor.waiting_room.model import LineView

_CHANGES: Mapping[type[DomainEvent], str] = {
    HoldPlaced: "placed",
    HoldReleased: "released",
    HoldExpired: "expired",
    OrderPaid: "paid",
}

HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_HTTP_BUCKETS = (*map(str, HTTP_SECONDS), "+Inf")
LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_OPEN_METRICS = "application/openmetrics-text"

LineViews = Callable[[], Iterable[LineView]]


class Metrics:
    """
    The metrics of one process, in a registry of their own: two servers in one process do not mix.

    Counters end in `_total`; what a gauge or histogram measures is its last
    word but one. See `docs/reference/metrics.md`.
    """

    def __init__(self) -> None:
        """Count from nothing."""
        self.registry = CollectorRegistry(auto_describe=False)
        self._tell_of_the_process()
        self._count_answers()
        self._count_failures()
        self._measure_load()
        self._measure_what_is_behind()
        self._count_the_sale()

    def _tell_of_the_process(self) -> None:
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._gauge("stagedoor_build_info", "Always 1; the version is the label.", "version").labels(__version__).set(1)

    def _count_answers(self) -> None:
        self._answers = _Answers()
        self.registry.register(self._answers)
        # Every poll is counted, and half of what that costs is the way to the counter.
        self.count_answer = self._answers.count
        self.http_under_way = self._gauge("stagedoor_http_requests_under_way", "Requests not answered yet.")
        self.connections = self._gauge("stagedoor_connections", "Connections of clients that are open.")
        self.connections_refused = self._counter(
            "stagedoor_connections_refused_total",
            "Connections ended before a request on them got to its call, or its answer to the client.",
            "cause",
        )

    def _count_failures(self) -> None:
        self.count_refusal = self._quick_counter("stagedoor_refusals_total", "Refusals, by their code.", "code")
        self.count_fault = self._quick_counter(
            "stagedoor_faults_total", "Calls that failed because a dependency did.", "fault"
        )
        self.defects = self._counter("stagedoor_defects_total", "Calls that failed by our own fault.")

    def _measure_load(self) -> None:
        self.count_shed = self._quick_counter(
            "stagedoor_shed_calls_total", "Calls put off because there were too many.", "call"
        )
        self.late_commands = self._counter(
            "stagedoor_late_commands_total",
            "Commands left out of their batch because their deadline had passed; nothing of them has happened.",
            "batch",
        )
        self.shed_level = self._gauge(
            "stagedoor_shed_level",
            "Up to which priority calls are put off because the event loop is late; 0 is nobody.",
        )
        self.under_way_limit = self._gauge(
            "stagedoor_http_requests_under_way_limit",
            "How many requests may wait for something at once; payments may be more.",
        )
        self.loop_lag = self._histogram(
            "stagedoor_loop_lag_seconds",
            "How late the event loop came to what was due, looked at 20 times a second.",
            LAG_SECONDS,
        )
        self._tasks = self._gauge("stagedoor_tasks", "What the event loop has begun and not ended.")

    def _measure_what_is_behind(self) -> None:
        """Measure the ways to the stores, and how the stores fare."""
        self._bulkheads_free = self._gauge(
            "resilience4j_bulkhead_available_concurrent_calls",
            "How many more transactions may be in the database at once.",
            "name",
        )
        self._bulkheads_size = self._gauge(
            "resilience4j_bulkhead_max_allowed_concurrent_calls",
            "How many transactions may be in the database at once.",
            "name",
        )
        self._bulkheads_waiting = self._gauge(
            "stagedoor_bulkhead_waiting", "Transactions that wait for their turn.", "name"
        )
        # A look is a `hit`, a `miss`, or `stale`: what it last held, given in an outage.
        self.count_cache = self._quick_counter(
            "stagedoor_cache_requests_total", "Looks into a cache.", "cache", "result"
        )
        self.outage_credited = self._counter(
            "stagedoor_outage_credited_seconds_total",
            "Time given back to holds, passes and absences because nobody could be served.",
        )
        self.outbox_records = self._gauge(
            "stagedoor_outbox_records",
            "Events not published yet, by whom they are for and what they wait for.",
            "outlet",
            "state",
        )
        self.forgotten_records = self._counter(
            "stagedoor_forgotten_records_total", "Records kept long enough and removed."
        )
        self.disk_free_bytes = self._gauge("stagedoor_disk_free_bytes", "Room on the disk of the database.")

    def _count_the_sale(self) -> None:
        self.admissions = self._counter("stagedoor_admissions_total", "Buyers let in.", "room")
        self.admission_paused = self._gauge(
            "stagedoor_admission_paused", "1 while this keeps buyers from being let in.", "cause"
        )
        self.admission_failures = self._counter(
            "stagedoor_admission_failures_total", "Ticks of admission that failed and admitted nobody."
        )
        self.holds = self._counter("stagedoor_holds_total", "Holds placed, released, expired and paid.", "outcome")
        self.seats_sold = self._counter("stagedoor_seats_sold_total", "Seats paid for.")
        self.orders = self._counter("stagedoor_orders_total", "Orders paid.")
        self.orders_won = self._counter("stagedoor_orders_won_total", "What the orders came to, in won.")
        self.batch_size = self._histogram(
            "stagedoor_batch_commands",
            "Commands handed over together, and again each that is tried alone.",
            BATCH_SIZES,
            "batch",
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _quick_counter(self, name: str, meaning: str, *labels: str) -> Callable[..., None]:
        """Return what counts one by the values of *labels*, for what happens in most requests."""
        counts = _Counts(name, meaning, labels)
        self.registry.register(counts)
        return counts.count

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)

    def watch_lines(self, views: LineViews) -> None:
        """Show the lines' figures as they are whenever somebody looks."""
        self.registry.register(_Lines(views))

    def watch_breakers(self, breakers: Breakers) -> None:
        """Show every breaker's state, rates and calls as they are whenever somebody looks."""
        self.registry.register(_BreakerStates(breakers))

    def watch_tasks(self, count: Callable[[], int]) -> None:
        """Show how many tasks the event loop has whenever somebody looks."""
        self._tasks.set_function(count)

    def watch_bulkheads(self, bulkheads: Iterable[Bulkhead[Any]]) -> None:
        """Show how many are in each bulkhead, and wait before it, whenever somebody looks."""
        for each in bulkheads:
            self._bulkheads_size.labels(each.name).set(each.at_once)
            self._bulkheads_free.labels(each.name).set_function(partial(_free, each))
            self._bulkheads_waiting.labels(each.name).set_function(partial(_waiting, each))

    async def scrape(self, accept: str | None) -> tuple[bytes, str]:
        """Return what `rendered` does: the page of a process that serves alone."""
        return self.rendered(accept)

    async def count_events(self, events: Sequence[DomainEvent]) -> None:
        """
        Count what has happened, as told by the outbox.

        A subscriber: an event that is delivered twice, after a crash between
        delivery and the note of it, is counted twice.
        """
        paid = [event for event in events if isinstance(event, OrderPaid)]
        self.orders.inc(len(paid))
        self.orders_won.inc(sum(event.amount_won for event in paid))
        self.seats_sold.inc(sum(len(event.seat_ids) for event in paid))
        for kind, times in Tally(map(type, events)).items():
            if (change := _CHANGES.get(kind)) is not None:
                self.holds.labels(change).inc(times)

    def rendered(self, accept: str | None) -> tuple[bytes, str]:
        """
        Return all metrics in Prometheus' text format, or as OpenMetrics 1.0 if *accept* names that; and the media type.

        Of *accept* nothing else counts: any client may write there what it likes.
        """
        return rendered(self.registry, accept)


def rendered(collected: Collector, accept: str | None) -> tuple[bytes, str]:
    """Return what *collected* has to tell, as `Metrics.rendered` does."""
    if _OPEN_METRICS in (accept or ""):
        body: bytes = openmetrics.generate_latest(collected)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest(collected), exposition.CONTENT_TYPE_PLAIN_0_0_4


def _free(bulkhead: Bulkhead[Any]) -> int:
    return bulkhead.at_once - bulkhead.inside


def _waiting(bulkhead: Bulkhead[Any]) -> int:
    return bulkhead.waiting


class _Counts(Collector):
    """A counter that is counted on the event loop alone: the library's looks its labels up under a lock each time."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def count(self, *values: str) -> None:
        """Count one; *values* are each of a closed set."""
        counts = self._counts
        counts[values] = counts.get(values, 0) + 1

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._meaning, labels=self._labels)]

    @override
    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


class _Tally:
    """Answers to one call with one status: how many took how long, and how long all of them together."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * (len(HTTP_SECONDS) + 1)
        self.seconds = 0.0


class _Answers(Collector):
    """The answers given, counted on the event loop alone, so without the locks of the library's own counters."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int], _Tally] = {}

    def count(self, call: str, status: int, seconds: float) -> None:
        """Count one answer to *call*, a name of a closed set."""
        tally = self._tallies.get((call, status))
        if tally is None:
            tally = self._tallies[call, status] = _Tally()
        tally.by_bucket[bisect_left(HTTP_SECONDS, seconds)] += 1
        tally.seconds += seconds

    def describe(self) -> Iterable[Metric]:
        return self._families()

    @override
    def collect(self) -> Iterator[Metric]:
        requests, durations = families = self._families()
        by_call: defaultdict[str, list[_Tally]] = defaultdict(list)
        for (call, status), tally in self._tallies.items():
            requests.add_metric([call, str(status)], sum(tally.by_bucket))
            by_call[call].append(tally)
        for call, tallies in by_call.items():
            sums = accumulate(map(sum, zip(*(tally.by_bucket for tally in tallies), strict=True)))
            buckets = list(zip(_HTTP_BUCKETS, sums, strict=True))
            durations.add_metric([call], buckets, sum_value=sum(tally.seconds for tally in tallies))
        yield from families

    def _families(self) -> tuple[CounterMetricFamily, HistogramMetricFamily]:
        return (
            CounterMetricFamily("stagedoor_http_requests_total", "Answers given.", labels=["call", "status"]),
            HistogramMetricFamily(
                "stagedoor_http_request_duration_seconds",
                "From a request's first byte read to its answer's last byte handed over.",
                labels=["call"],
            ),
        )


_R4J = "resilience4j_circuitbreaker_"
_NS = 1e-9


class _BreakerStates(Collector):
    """The breakers by the names and labels of Resilience4j's Micrometer binder, which its dashboards draw."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def describe(self) -> Iterable[Metric]:
        # Nothing is asked of the breakers when this is registered.
        return [*self._gauges().values(), *self._calls()]

    @override
    def collect(self) -> Iterator[Metric]:
        gauges = self._gauges()
        seconds, longest, refused = self._calls()
        for breaker in self._breakers.all():
            name, now = breaker.name, breaker.snapshot()
            for state in State:
                gauges["state"].add_metric([name, state.value], float(state is now.state))
            good, slow_good = now.buffered_calls - now.failed_calls, now.slow_calls - now.slow_failed_calls
            gauges["buffered_calls"].add_metric([name, "successful"], good)
            gauges["buffered_calls"].add_metric([name, "failed"], now.failed_calls)
            gauges["slow_calls"].add_metric([name, "successful"], slow_good)
            gauges["slow_calls"].add_metric([name, "failed"], now.slow_failed_calls)
            gauges["failure_rate"].add_metric([name], now.failure_rate)
            gauges["slow_call_rate"].add_metric([name], now.slow_call_rate)
            totals = breaker.totals
            ended = {"successful": totals.successful, "failed": totals.failed, "ignored": totals.ignored}
            for kind, tally in ended.items():
                seconds.add_metric([name, kind], tally.count, tally.sum_ns * _NS)
                longest.add_metric([name, kind], tally.longest_ns() * _NS)
            refused.add_metric([name, "not_permitted"], totals.refused)
        yield from gauges.values()
        yield from (seconds, longest, refused)

    def _gauges(self) -> Mapping[str, GaugeMetricFamily]:
        of_kind, of_all = ["name", "kind"], ["name"]
        return {
            "state": GaugeMetricFamily(f"{_R4J}state", "1 in the state the breaker is in.", labels=["name", "state"]),
            "buffered_calls": GaugeMetricFamily(
                f"{_R4J}buffered_calls", "Calls in the window that the rates are of.", labels=of_kind
            ),
            "slow_calls": GaugeMetricFamily(
                f"{_R4J}slow_calls", "Those of them that took longer than the threshold.", labels=of_kind
            ),
            "failure_rate": GaugeMetricFamily(
                f"{_R4J}failure_rate", "Percent of failed calls; -1 below the minimum number of calls.", labels=of_all
            ),
            "slow_call_rate": GaugeMetricFamily(
                f"{_R4J}slow_call_rate", "Percent of slow calls; -1 below the minimum number of calls.", labels=of_all
            ),
        }

    def _calls(self) -> tuple[SummaryMetricFamily, GaugeMetricFamily, CounterMetricFamily]:
        return (
            SummaryMetricFamily(f"{_R4J}calls_seconds", "Calls that ended.", labels=["name", "kind"]),
            GaugeMetricFamily(
                f"{_R4J}calls_seconds_max", "The longest of this minute and the last.", labels=["name", "kind"]
            ),
            CounterMetricFamily(
                f"{_R4J}not_permitted_calls_total", "Calls refused, in OPEN or HALF_OPEN.", labels=["name", "kind"]
            ),
        )


class _Lines(Collector):
    def __init__(self, views: LineViews) -> None:
        self._views = views

    def describe(self) -> Iterable[Metric]:
        return self._families()

    @override
    def collect(self) -> Iterator[Metric]:
        waiting, active, serving = families = self._families()
        for view in self._views():
            waiting.add_metric([view.room_id], view.waiting)
            active.add_metric([view.room_id], view.active)
            serving.add_metric([view.room_id], view.serving_number)
        yield from families

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("stagedoor_line_places_waiting", "Places that count in the line.", labels=["room"]),
            GaugeMetricFamily("stagedoor_line_passes_active", "Buyers who are admitted.", labels=["room"]),
            GaugeMetricFamily("stagedoor_line_serving_number", "How far admission has come.", labels=["room"]),
        )
