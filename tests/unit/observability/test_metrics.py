import pytest
from structlog.testing import capture_logs

from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.events import HoldExpired, HoldPlaced, HoldReleased
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.ids import BuyerId, EventId, HoldId, OrderId, PerformanceId, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.observability.breaker_log import log_breaker
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import State
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.waiting_room.model import LineView


def shown(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_two_servers_in_one_process_do_not_mix() -> None:
    here, there = Metrics(), Metrics()

    here.count_answer("pay", 200, 0.01)

    assert shown(here, "stagedoor_http_requests_total", call="pay", status="200") == 1
    assert shown(there, "stagedoor_http_requests_total", call="pay", status="200") is None


def test_an_answer_is_counted_and_timed() -> None:
    metrics = Metrics()

    metrics.count_answer("pay", 200, 0.004)
    metrics.count_answer("pay", 409, 0.2)

    assert shown(metrics, "stagedoor_http_request_duration_seconds_count", call="pay") == 2
    assert shown(metrics, "stagedoor_http_request_duration_seconds_bucket", call="pay", le="0.005") == 1


@pytest.mark.parametrize("result", ["hit", "miss", "stale"])
def test_looks_into_a_cache(result: str) -> None:
    metrics = Metrics()

    metrics.count_cache("seats", result)

    assert shown(metrics, "stagedoor_cache_requests_total", cache="seats", result=result) == 1


async def test_events_are_counted_for_what_they_say() -> None:
    metrics = Metrics()
    hold = {
        "hold_id": HoldId(1),
        "buyer_id": BuyerId(7),
        "room_id": RoomId("main"),
        "place_number": QueueNumber(3),
        "performance_id": PerformanceId(1),
        "seat_ids": (SeatId(1), SeatId(2)),
        "occurred_at": Instant(5),
    }
    placed = HoldPlaced(event_id=EventId("a"), expires_at=Instant(9), **hold)  # type: ignore[arg-type]
    released = HoldReleased(event_id=EventId("b"), **hold)  # type: ignore[arg-type]
    expired = HoldExpired(event_id=EventId("c"), expires_at=Instant(9), **hold)  # type: ignore[arg-type]
    paid = OrderPaid(
        event_id=EventId("d"),
        order_id=OrderId(4),
        amount_won=Won(100_000),
        place_over=True,
        **hold,  # type: ignore[arg-type]
    )

    await metrics.count_events([placed, released, expired, paid])

    for outcome in ("placed", "released", "expired", "paid"):
        assert shown(metrics, "stagedoor_holds_total", outcome=outcome) == 1
    assert shown(metrics, "stagedoor_orders_total") == 1
    assert shown(metrics, "stagedoor_orders_won_total") == 100_000
    assert shown(metrics, "stagedoor_seats_sold_total") == 2


def test_lines_are_shown_as_they_are_when_looked_at() -> None:
    metrics = Metrics()
    waiting = [3]
    metrics.watch_lines(
        lambda: [
            LineView(
                room_id=RoomId("main"),
                serving_number=1,
                last_number=9,
                waiting=waiting[0],
                active=2,
                admitted_per_second=None,
            )
        ]
    )

    waiting[0] = 8

    assert shown(metrics, "stagedoor_line_places_waiting", room="main") == 8
    assert shown(metrics, "stagedoor_line_passes_active", room="main") == 2


def test_the_text_is_in_the_format_asked_for() -> None:
    plain, plain_type = Metrics().rendered(None)
    _, open_type = Metrics().rendered("application/openmetrics-text; version=1.0.0")

    assert b"# TYPE stagedoor_refusals_total counter" in plain
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    "version", ["", "; version=1.0.0", "; version=x", "; version=9.9; escaping=\t", ", text/plain"]
)
def test_whoever_asks_for_open_metrics_gets_the_version_there_is(version: str) -> None:
    body, media_type = Metrics().rendered(f"application/openmetrics-text{version}")

    assert media_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain; version=x"])
def test_everybody_else_gets_the_text_format(accept: str | None) -> None:
    body, media_type = Metrics().rendered(accept)

    assert media_type.startswith("text/plain; version=0.0.4")
    assert b"stagedoor_build_info" in body


class Night:
    """Breakers that are watched, over a clock that stands unless moved."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.metrics = Metrics()
        self.breakers = Breakers({}, now_ns=lambda: self.now_ns)
        self.metrics.watch_breakers(self.breakers)
        self.sale = self.breakers.of(Instance.SALE)

    def shown(self, name: str, **labels: str) -> float | None:
        return shown(self.metrics, f"resilience4j_circuitbreaker_{name}", name="saleService", **labels)

    def call(self, seconds: int, error: Exception | None = None) -> None:
        if error is None:
            self.sale.record_success(self.sale.acquire(), seconds * 10**9)
        else:
            self.sale.record_error(self.sale.acquire(), seconds * 10**9, error)


def test_a_breakers_calls_by_how_they_ended() -> None:
    night = Night()

    night.call(1)
    night.call(2)
    night.call(4, Fault("gone"))
    night.call(8, Rejection())

    for kind, count, total, longest in (("successful", 2, 3, 2), ("failed", 1, 4, 4), ("ignored", 1, 8, 8)):
        assert night.shown("calls_seconds_count", kind=kind) == count
        assert night.shown("calls_seconds_sum", kind=kind) == pytest.approx(total)
        assert night.shown("calls_seconds_max", kind=kind) == pytest.approx(longest)


def test_a_breakers_window_and_rates() -> None:
    night = Night()

    for _ in range(30):
        night.call(1)
        night.call(61)
    for _ in range(20):
        night.call(61, Fault("gone"))

    assert night.shown("buffered_calls", kind="successful") == 60
    assert night.shown("buffered_calls", kind="failed") == 20
    assert night.shown("slow_calls", kind="successful") == 30
    assert night.shown("slow_calls", kind="failed") == 20
    assert night.shown("failure_rate") == 25
    assert night.shown("slow_call_rate") == 62.5


def test_a_rate_that_is_none_yet() -> None:
    assert Night().shown("failure_rate") == -1


def test_the_state_a_breaker_is_in_and_those_it_is_not_in() -> None:
    night = Night()

    for _ in range(50):
        night.call(1, Fault("gone"))
    refused = night.sale.try_acquire()

    assert refused is None
    assert {state: night.shown("state", state=state.value) for state in State} == {
        **dict.fromkeys(State, 0.0),
        State.OPEN: 1.0,
    }
    assert night.shown("not_permitted_calls_total", kind="not_permitted") == 1


def test_a_change_of_state_is_logged_with_its_rates() -> None:
    night = Night()
    night.breakers.subscribe(log_breaker)

    with capture_logs() as lines:
        for _ in range(50):
            night.call(1, Fault("gone"))
        night.sale.reset()

    assert lines == [
        {
            "event": "breaker.changed",
            "log_level": "warning",
            "breaker": "saleService",
            "left": "closed",
            "entered": "open",
            "cause": "rates",
            "failure_rate": 100.0,
            "slow_call_rate": 0.0,
        },
        {
            "event": "breaker.changed",
            "log_level": "info",
            "breaker": "saleService",
            "left": "open",
            "entered": "closed",
            "cause": "order",
            "failure_rate": 100.0,
            "slow_call_rate": 0.0,
        },
    ]
